// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches for builders that stand somewhere: the code inside is
// built by moving the same builder there and back.

#ifndef HEDDLE_CODEGEN_LANES_STRUCTURED_H
#define HEDDLE_CODEGEN_LANES_STRUCTURED_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace heddle {

/// for (i = Begin; i < End; i += Step), results carried.
mlir::SmallVector<mlir::Value> emitLoop(
    mlir::ImplicitLocOpBuilder &B, mlir::Value Begin, mlir::Value End,
    mlir::Value Step, mlir::ValueRange Inits,
    llvm::function_ref<mlir::SmallVector<mlir::Value>(mlir::Value Index,
                                                      mlir::ValueRange Carried)>
        Body);

/// One of two pieces of code without results; `Else` may be null.
void emitBranch(mlir::ImplicitLocOpBuilder &B, mlir::Value Condition,
                llvm::function_ref<void()> Then,
                llvm::function_ref<void()> Else);

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_STRUCTURED_H
