// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_ROWS_H
#define HEDDLE_CODEGEN_NV_ROWS_H

#include "codegen/nv/NvBuilder.h"

#include <functional>

namespace heddle::nv {

/// Rows of a tensor in global memory, by position.
struct RowSource {
  /// f32, f16 or bf16.
  mlir::Type Element;
  /// Position 0 of the head: a pointer to global memory.
  mlir::Value Base;
  /// Elements from one position to the next: i64. Features have stride 1.
  mlir::Value Stride;
  /// Positions [0, Length) exist: i64.
  mlir::Value Length;
  /// The position (i64) of a row of the tile (i32); a negative one, or one
  /// beyond the length, is none. Called where the code is built that uses it,
  /// possibly several times, by threads that ask for different rows.
  std::function<mlir::Value(NvBuilder &B, mlir::Value Row)> Position;
  /// Elements of a row.
  int64_t Features = 1;
  /// The position (i64) of row 0 where those of the rows are known to be
  /// consecutive, as `Position` says too; else null.
  mlir::Value First = {};

  /// Consecutive positions from `First` (i64) on.
  static std::function<mlir::Value(NvBuilder &B, mlir::Value Row)>
  from(mlir::Value First);

  /// Rows of the tile from `Rows` on become none where they pad a tile of
  /// blocks.
  void limit(NvBuilder &B, int64_t Rows);

  /// i1; `Position` from Position().
  mlir::Value exists(NvBuilder &B, mlir::Value Position) const;
  /// The address of a position that exists.
  mlir::Value row(NvBuilder &B, mlir::Value Position) const;
  /// Whether all rows start at multiples of `Bytes`: uniform.
  mlir::Value isAligned(NvBuilder &B, int64_t Bytes) const;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_ROWS_H
