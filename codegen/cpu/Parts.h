// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A module in pieces whose code can be made at the same time.

#ifndef HEDDLE_CODEGEN_CPU_PARTS_H
#define HEDDLE_CODEGEN_CPU_PARTS_H

#include "codegen/cpu/KnownCode.h"
#include "mlir/IR/BuiltinOps.h"

namespace heddle::cpu {

/// The pieces, of which each declares what it calls of the others. What they
/// are depends on the module, and with `Known` on what is known, on nothing
/// else; the code of a function does not depend on them.
struct Parts {
  /// What is left of the module: kernels, data and what refers to them.
  mlir::ModuleOp Rest;
  /// Other functions, to be made at the same time; null if there are none.
  mlir::OwningOpRef<mlir::ModuleOp> Others;
  /// Procedures to be known from now on, to be made after either; null if there
  /// are none.
  mlir::OwningOpRef<mlir::ModuleOp> WithRest, WithOthers;
  /// Objects with the code of procedures that are known, each once.
  llvm::SmallVector<HostEmitter::Object> Found;
};

/// Takes `Module` apart, in two halves of about as much work. What calls
/// across parts need is hidden, not internal.
Parts takeApart(mlir::ModuleOp Module, KnownCode *Known);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_PARTS_H
