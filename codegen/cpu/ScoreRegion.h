// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A scalar function of scores: what depends on a query is a vector, what
// depends on a key is a scalar.

#ifndef HEDDLE_CODEGEN_CPU_SCOREREGION_H
#define HEDDLE_CODEGEN_CPU_SCOREREGION_H

#include "codegen/cpu/TileCoordinates.h"
#include "codegen/cpu/Tiles.h"
#include "codegen/lanes/RegionLifter.h"

namespace heddle::cpu {

/// A `tile.modify` whose operands have been lowered.
struct ScoreRegion {
  /// Of the scores.
  mlir::RankedTensorType Type;
  RegionCode Code;
  TileCoordinates At;
  /// i64, f32, or pointers to tables.
  mlir::SmallVector<mlir::Value> Params;
  /// Stored tiles. The first result may be the scores themselves.
  mlir::Value Scores;
  mlir::SmallVector<mlir::Value> Results;
};

/// Fails, with a diagnostic, at an operation that has no vector code.
mlir::LogicalResult emitScoreRegion(KernelBuilder &B,
                                    const ScoreRegion &Region);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_SCOREREGION_H
