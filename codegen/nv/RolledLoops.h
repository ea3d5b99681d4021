// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ptxas unrolls every loop that it can: four times, or as often as it runs. In
// kernels with a state that is more than half of its time, and helps little: it
// cannot load for one turn what comes after a store of the turn before. What
// gains by it is unrolled where it is built (Turns.h).

#ifndef HEDDLE_CODEGEN_NV_ROLLEDLOOPS_H
#define HEDDLE_CODEGEN_NV_ROLLEDLOOPS_H

#include "llvm/IR/PassManager.h"

namespace heddle::nv {

/// Names functions whose loops are to stay as they are.
inline constexpr llvm::StringLiteral RolledAttr = "heddle-rolled";

/// Asks ptxas to leave their loops as they are.
struct KeepLoopsRolled : llvm::PassInfoMixin<KeepLoopsRolled> {
  llvm::PreservedAnalyses run(llvm::Function &F,
                              llvm::FunctionAnalysisManager &Analyses);
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_ROLLEDLOOPS_H
