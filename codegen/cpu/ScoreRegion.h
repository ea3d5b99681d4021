// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A scalar function of scores, lifted to vectors of queries: what depends on a
// query is a vector, the rest (key, parameters, what is made of them) stays a
// scalar until it meets one.

#ifndef HEDDLE_CODEGEN_CPU_SCOREREGION_H
#define HEDDLE_CODEGEN_CPU_SCOREREGION_H

#include "codegen/cpu/TileCoordinates.h"
#include "codegen/cpu/Tiles.h"
#include "dialect/tile/Tile.h"

namespace heddle::cpu {

/// A `tile.modify` whose operands have been lowered.
struct ScoreRegion {
  /// Of the scores.
  mlir::RankedTensorType Type;
  mlir::Block *Body = nullptr;
  TileCoordinates At;
  /// i64, f32, or pointers to tables.
  mlir::SmallVector<mlir::Value> Params;
  /// Values of the kernel that the region uses, and what they were lowered to
  /// (i64, f32, i1, pointers); constants are not among them.
  mlir::SmallVector<mlir::Value> Captured, CapturedValues;
  /// Stored tiles. The first result may be the scores themselves.
  mlir::Value Scores;
  mlir::SmallVector<mlir::Value> Results;

  /// Numbers that are equal only for regions that say the same.
  void appendSizes(mlir::SmallVectorImpl<int64_t> &Sizes) const;
};

/// Fails, with a diagnostic, at an operation that has no vector code.
mlir::LogicalResult emitScoreRegion(KernelBuilder &B,
                                    const ScoreRegion &Region);

/// The values that a region without regions inside uses but does not define,
/// other than constants.
mlir::SmallVector<mlir::Value> capturedValues(mlir::Block &Body);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_SCOREREGION_H
