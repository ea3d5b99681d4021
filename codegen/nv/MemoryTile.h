// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of f32 in memory that all threads of a CTA see: shared memory, or where
// that is full the CTA's part of the workspace. A transposed tile is the same
// memory with its strides exchanged.

#ifndef HEDDLE_CODEGEN_NV_MEMORYTILE_H
#define HEDDLE_CODEGEN_NV_MEMORYTILE_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

struct MemoryTile {
  /// Element (0, 0).
  mlir::Value Base;
  /// A vector has one column.
  int64_t Rows = 0, Columns = 1;
  /// Elements from one row, and from one column, to the next.
  int64_t RowStride = 1, ColumnStride = 1;
  /// The number of its memory in the TileArena.
  int Place = -1;

  MemoryTile transposed() const;
  /// True if rows are what lies side by side.
  bool isTransposed() const { return RowStride < ColumnStride; }
  /// The address of an element (i32 numbers).
  mlir::Value address(NvBuilder &B, mlir::Value Row, mlir::Value Column) const;
  mlir::Value load(NvBuilder &B, mlir::Value Row, mlir::Value Column) const;
  void store(NvBuilder &B, mlir::Value X, mlir::Value Row,
             mlir::Value Column) const;
};

using ElementBody =
    llvm::function_ref<void(mlir::Value Row, mlir::Value Column)>;

/// Elements of a tile of that shape by turns: each is worked on by one of the
/// CTA's threads, neighbours by neighbours. Rows side by side where `ByRows`.
void forEachElement(NvBuilder &B, int64_t Rows, int64_t Columns, bool ByRows,
                    ElementBody Body);
/// In the order in which they lie in memory.
void forEachElement(NvBuilder &B, const MemoryTile &Tile, ElementBody Body);

/// What is to be stored for an element, and what stores it.
using ElementValues =
    llvm::function_ref<NvBuilder::Values(mlir::Value Row, mlir::Value Column)>;
using ElementStore = llvm::function_ref<void(
    mlir::Value Row, mlir::Value Column, mlir::ValueRange Values)>;

/// forEachElement for elements whose values depend on no other's being stored.
/// Where they take few operations, a thread makes several of them before it
/// stores the first: it does not wait for memory in every turn.
void makeElements(NvBuilder &B, int64_t Rows, int64_t Columns, bool ByRows,
                  ElementValues Make, ElementStore Store);
/// Elements of tiles of one shape, in the order in which the first one lies in
/// memory; a value for each tile.
void makeElements(NvBuilder &B, llvm::ArrayRef<MemoryTile> To,
                  ElementValues Make);

/// Calls `Body` for numbers below `Count`, each in one of the CTA's warps.
void forEachOfWarps(NvBuilder &B, int64_t Count,
                    llvm::function_ref<void(mlir::Value Number)> Body);
/// ... each in one of its threads.
void forEachOfThreads(NvBuilder &B, int64_t Count,
                      llvm::function_ref<void(mlir::Value Number)> Body);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_MEMORYTILE_H
