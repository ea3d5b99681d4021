// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_READAHEAD_H
#define HEDDLE_CODEGEN_CPU_READAHEAD_H

#include "codegen/cpu/RowProducts.h"

namespace heddle::cpu {

/// Asks the memory for rows in the order in which they are read, for a few
/// lines whenever as many are read: it is then as busy while something is
/// computed as it would be if nothing were.
class ReadAhead {
public:
  ReadAhead(KernelBuilder &B, const StoredRows &Rows, int64_t Count,
            int64_t Width, const RowsToCome &Next);

  /// The row to ask for while `Row` is read; null for none.
  mlir::Value rowFor(mlir::Value Row) const;
  /// What lies there like vector number `Number` of some adjacent ones in the
  /// row that is read, whose first element is `At`.
  void emit(mlir::Value Ahead, mlir::Value At, int64_t Number) const;
  /// The row of the other tensor that is asked for with `Row`.
  void emitNext(mlir::Value Row) const;

private:
  void emitBytes(mlir::Value Address, int64_t Bytes) const;

  KernelBuilder &B;
  const StoredRows &Rows;
  const RowsToCome &Next;
  int64_t Count, RowBytes;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_READAHEAD_H
