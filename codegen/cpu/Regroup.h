// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_REGROUP_H
#define HEDDLE_CODEGEN_CPU_REGROUP_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// See `tile.regroup`. `Result` may be `S`.
struct Regroup {
  mlir::RankedTensorType Scores;
  mlir::Value S, Words, FirstQuery, FirstKey;
  mlir::Value Result;
};
void emitRegroup(KernelBuilder &B, const Regroup &R);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_REGROUP_H
