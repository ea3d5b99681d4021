// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A scalar function of the elements of tiles, for vectors of rows: values per
// column stay scalars until they meet a vector.

#ifndef HEDDLE_CODEGEN_CPU_MAP_H
#define HEDDLE_CODEGEN_CPU_MAP_H

#include "codegen/cpu/Tiles.h"
#include "codegen/lanes/RegionLifter.h"

namespace heddle::cpu {

/// A `tile.map` whose operands have been lowered.
struct MapRegion {
  /// Where an element comes from.
  struct Input {
    enum Kind : int64_t { Elements, Columns, PerRow, PerColumn };
    Kind Of;
    /// A stored tile or vector; for `Columns` the columns of the tile, each in
    /// one piece, and for `PerColumn` the first element of each.
    RowView View;
  };

  /// Of the results.
  mlir::RankedTensorType Type;
  RegionCode Code;
  mlir::SmallVector<Input> Inputs;
  /// Values of the region whose elements were brought along the lanes, and the
  /// stored tiles where they are.
  mlir::SmallVector<mlir::Value> Known, KnownTiles;
  mlir::Value Batch, Head, FirstRow, FirstColumn;
  /// i64, f32, or pointers to tables.
  mlir::SmallVector<mlir::Value> Params;
  /// Stored tiles; one may be the elements of an input.
  mlir::SmallVector<mlir::Value> Results;

  // For a procedure: the values and the numbers that its code depends on.
  void appendInputs(mlir::SmallVectorImpl<mlir::Value *> &Values);
  void appendSizes(mlir::SmallVectorImpl<int64_t> &Sizes) const;
};

/// The elements of a table whose last index is the column of a tile and another
/// one the row. Where rows lie in one piece they are turned, which is far less
/// work than to gather every vector.
struct TableRows {
  int64_t Rows, Columns;
  /// All other indices at their values.
  mlir::Value From;
  mlir::Value RowStride, ColumnStride, LastRow, LastColumn;
  mlir::Value FirstRow, FirstColumn;
  /// A stored tile.
  mlir::Value To;
};

void emitTableRows(KernelBuilder &B, const TableRows &T);

/// Fails, with a diagnostic, at an operation that has no vector code.
mlir::LogicalResult emitMap(KernelBuilder &B, const MapRegion &Map);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_MAP_H
