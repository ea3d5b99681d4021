// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Procedures whose code has been made already. Most of what a kernel calls
// depends on level, schedule and head dim but not on its pattern, so that the
// next kernel of a process has the same.

#ifndef HEDDLE_CODEGEN_CPU_KNOWNCODE_H
#define HEDDLE_CODEGEN_CPU_KNOWNCODE_H

#include "codegen/HostEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/OwningOpRef.h"

#include <list>
#include <string>

namespace heddle::cpu {

/// Belongs to one context and, like it, to one thread at a time.
class KnownCode {
public:
  /// A procedure with the same code: the same operations on the same values in
  /// the same order, with the same attributes. Nothing less makes two alike, so
  /// that reuse cannot be seen in a result.
  struct Match {
    mlir::StringAttr Symbol;
    HostEmitter::Object Object;
  };
  std::optional<Match> find(mlir::LLVM::LLVMFuncOp Procedure);

  /// A symbol for what `find` did not find, unlike all others.
  std::string newSymbol(llvm::StringRef Verb);

  /// Takes procedures over, whose code is in `Object`; forgets those that were
  /// not asked for longest.
  void add(llvm::ArrayRef<mlir::LLVM::LLVMFuncOp> Procedures,
           const HostEmitter::Object &Object);

private:
  /// Enough for some dozens of schedules; ten kilobytes of code and about a
  /// hundred of operations each.
  static constexpr size_t MostEntries = 128;

  struct Entry {
    llvm::hash_code Hash;
    mlir::OwningOpRef<mlir::LLVM::LLVMFuncOp> Procedure;
    HostEmitter::Object Object;
  };
  /// Those asked for last come first.
  std::list<Entry> Entries;
  unsigned NumSymbols = 0;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_KNOWNCODE_H
