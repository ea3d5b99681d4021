// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The heavy verbs of a kernel as functions of their own. A verb works through a
// whole tile, so the call costs nothing, and the bodies for full and for
// partial tiles share what they have in common: time to compile grows with the
// code.

#ifndef HEDDLE_CODEGEN_CPU_PROCEDURES_H
#define HEDDLE_CODEGEN_CPU_PROCEDURES_H

#include "codegen/cpu/KernelBuilder.h"
#include "llvm/ADT/StringMap.h"

namespace heddle::cpu {

/// On a procedure that does not depend on the pattern: its verb. The code of
/// such a one may be that of an earlier kernel (KnownCode.h).
inline constexpr llvm::StringLiteral ProcedureAttr = "tile.procedure";

class Procedures {
public:
  /// For the kernel `Function`, whose machine the procedures are made for and
  /// after which they are placed.
  explicit Procedures(mlir::LLVM::LLVMFuncOp Function);

  /// Calls, where `B` stands, the procedure for `Verb` with `Sizes`: all that
  /// its code depends on beside the `Inputs`. An input may be null. The first
  /// time, `Body` makes the procedure; while it does, `Inputs` are the
  /// arguments.
  void call(KernelBuilder &B, llvm::StringRef Verb,
            llvm::ArrayRef<int64_t> Sizes, llvm::ArrayRef<mlir::Value *> Inputs,
            llvm::function_ref<void(KernelBuilder &)> Body);

private:
  mlir::LLVM::LLVMFuncOp create(mlir::Location Loc, llvm::StringRef Verb,
                                mlir::TypeRange Arguments);

  mlir::LLVM::LLVMFuncOp Kernel;
  mlir::Operation *Last;
  llvm::StringMap<mlir::LLVM::LLVMFuncOp> Known;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_PROCEDURES_H
