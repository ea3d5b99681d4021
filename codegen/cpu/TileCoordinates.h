// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which token a row or a column of a tile of scores stands for.

#ifndef HEDDLE_CODEGEN_CPU_TILECOORDINATES_H
#define HEDDLE_CODEGEN_CPU_TILECOORDINATES_H

#include "codegen/cpu/KernelBuilder.h"

namespace heddle::cpu {

/// Operands of a verb that looks at coordinates, lowered (i64).
struct TileCoordinates {
  mlir::Value Batch, Head;
  /// Of the first query and key, one per axis, outermost first; no key where
  /// there is a list.
  mlir::SmallVector<mlir::Value> FirstQuery, FirstKey;
  /// Tokens of the keys, one i64 each; null where they are consecutive.
  mlir::Value Listed;
  /// Extents of boxes; empty for consecutive queries and keys.
  mlir::SmallVector<int64_t> QueryBox, KeyBox;

  /// Coordinates of queries `First`, `First` + 1, … of the tile, one per lane;
  /// a scalar where they share it. `First` is a multiple of the lanes.
  mlir::SmallVector<mlir::Value> queries(KernelBuilder &B,
                                         mlir::Value First) const;
  /// Coordinates of a key of the tile, scalars.
  mlir::SmallVector<mlir::Value> keys(KernelBuilder &B, mlir::Value Key) const;

  // For a procedure: the values and the numbers that its code depends on.
  void appendInputs(mlir::SmallVectorImpl<mlir::Value *> &Inputs);
  void appendSizes(mlir::SmallVectorImpl<int64_t> &Sizes) const;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TILECOORDINATES_H
