// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_ROTATE_H
#define HEDDLE_CODEGEN_NV_ROTATE_H

#include "codegen/nv/Rows.h"
#include "codegen/nv/SharedTile.h"

#include <functional>

namespace heddle::nv {

/// A table of f32 with one row per position, in global memory: element (i, t)
/// is Data[i * RowStride + t * ColumnStride].
struct AngleTable {
  /// Pointer to global memory.
  mlir::Value Data;
  /// i64, elements.
  mlir::Value RowStride, ColumnStride;
  /// Number of rows: i64, at least 1.
  mlir::Value Rows;
};

/// Rotates the rows of a tile by their positions; see `tile.rotate`.
struct Rotation {
  AngleTable Cos, Sin;
  /// Features of a row without its padding: even.
  int64_t Features;
  /// The position (i64) of a row (i32); moved into the tables.
  std::function<mlir::Value(NvBuilder &B, mlir::Value Row)> Position;
};

/// In place, rounded to the tile's element type, all threads of the CTA
/// together; between two barriers.
void emitRotate(NvBuilder &B, const SharedTile &X, const Rotation &R);

/// Copies features [First, First + To.Columns) of rows, First an i32, and turns
/// them on the way, feature by feature; those beyond the row become zero, and
/// so do rows that do not exist. There for all threads after a barrier.
void emitRotatedCopy(NvBuilder &B, const RowSource &From, const SharedTile &To,
                     const Rotation &R, mlir::Value First);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_ROTATE_H
