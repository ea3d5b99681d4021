// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_SOFTMAX_H
#define HEDDLE_CODEGEN_CPU_SOFTMAX_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// One step of the online softmax; see `tile.softmax_step`. Every result may
/// share its buffer with the operand it succeeds (p with s, m' with m, l' with
/// l).
struct SoftmaxStep {
  mlir::RankedTensorType Scores;
  mlir::Value S, M, L;
  mlir::Value P, NewM, NewL, Alpha;
};
void emitSoftmaxStep(KernelBuilder &B, const SoftmaxStep &Step);

/// The end of a row; see `tile.finish`. `Result` may be `O`, `Lse` may be `M`
/// or `L`.
struct SoftmaxEnd {
  mlir::RankedTensorType Output;
  mlir::Value O, M, L;
  mlir::Value Result, Lse;
};
void emitSoftmaxEnd(KernelBuilder &B, const SoftmaxEnd &End);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_SOFTMAX_H
