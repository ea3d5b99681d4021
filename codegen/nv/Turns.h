// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops whose turns wait for memory. Several turns read before the first of
// them does anything else, so that they wait once.

#ifndef HEDDLE_CODEGEN_NV_TURNS_H
#define HEDDLE_CODEGEN_NV_TURNS_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

/// The turns of a loop: numbers from `First` on in steps of `Step`.
struct Turns {
  /// Less than `Step`.
  mlir::Value First;
  int64_t Step = 1;
  /// So many read together.
  int64_t Together = 4;
};

using TurnReads = llvm::function_ref<NvBuilder::Values(mlir::Value Number)>;
using TurnBody = llvm::function_ref<NvBuilder::Values(
    mlir::Value Number, mlir::ValueRange Read, mlir::ValueRange Carried)>;

/// Numbers below `Count`, one after the other, results carried. `Reads` must
/// not depend on what bodies of other turns write.
NvBuilder::Values inTurns(NvBuilder &B, const Turns &T, int64_t Count,
                          mlir::ValueRange Inits, TurnReads Reads,
                          TurnBody Body);
/// From 0 on in steps of 1, below a number that is only known when it runs.
NvBuilder::Values inTurns(NvBuilder &B, mlir::Value Count,
                          mlir::ValueRange Inits, TurnReads Reads,
                          TurnBody Body);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_TURNS_H
