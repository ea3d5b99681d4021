// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_LANES_RAMP_H
#define HEDDLE_CODEGEN_LANES_RAMP_H

#include "codegen/lanes/LaneBuilder.h"

namespace heddle {

/// 0, 1, 2, … as a vector of i64.
mlir::Value iota(LaneBuilder &B);

/// Lanes whose number compares like this with an i64 that fits i32.
mlir::Value lanesThat(LaneBuilder &B, mlir::arith::CmpIPredicate P,
                      mlir::Value Number);

/// The difference of neighbouring lanes of an i64 vector when its making shows
/// that it is the same for all, such as `q - k` for a vector of consecutive
/// queries q; 0 for a scalar.
std::optional<int64_t> rampStep(mlir::Value V);

/// The first lane of a value for which `rampStep` has an answer, computed by
/// scalar operations.
mlir::Value rampStart(LaneBuilder &B, mlir::Value V);

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_RAMP_H
