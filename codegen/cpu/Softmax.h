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
  /// Of others nothing is read or written.
  KeySpan Keys = {};
  /// f32, or null for 0: where a maximum is new, m' lies above it by so much.
  mlir::Value Margin = {};
};
void emitSoftmaxStep(KernelBuilder &B, const SoftmaxStep &Step);

/// 2^x within the error of `emitExp2`, for any x: infinite from 127.5 on. At
/// -infinity NaN may come out in place of 0.
mlir::Value emitWeight(KernelBuilder &B, mlir::Value X);

/// i1: every element of a row of `Length` lies above -infinity.
mlir::Value emitHasReferences(KernelBuilder &B, int64_t Length, mlir::Value M);
/// i1: every element of a row is at most `Limit`, and none is NaN.
mlir::Value emitIsWithin(KernelBuilder &B, int64_t Length, mlir::Value Row,
                         float Limit);

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
