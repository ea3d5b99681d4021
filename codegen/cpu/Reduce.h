// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_REDUCE_H
#define HEDDLE_CODEGEN_CPU_REDUCE_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Sums, or else maxima, of a stored tile: `OverColumns` one per row, otherwise
/// one per column.
struct Reduction {
  mlir::RankedTensorType Type;
  bool IsSum, OverColumns;
  mlir::Value From, To;
};

void emitReduction(KernelBuilder &B, const Reduction &R);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_REDUCE_H
