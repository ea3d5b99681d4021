// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands of mma.sync from tiles in shared memory.

#ifndef HEDDLE_CODEGEN_NV_MATRIXREGS_H
#define HEDDLE_CODEGEN_NV_MATRIXREGS_H

#include "codegen/nv/Layout.h"
#include "codegen/nv/SharedTile.h"

#include <map>

namespace heddle::nv {

/// How a tile holds the blocks of a layout.
enum class Storage {
  /// Its rows are the layout's rows, and neighbours of a row share a register:
  /// operand A.
  Rows,
  /// Its rows are the layout's columns, and neighbours of a row share a
  /// register: operand B, one row of the tile per column (keys).
  Columns,
  /// Its rows are the layout's rows, and neighbours of a column share a
  /// register: operand B, one row of the tile per step of the sum (values).
  RowsTransposed,
};

/// Reads blocks of a tile by ldmatrix.x4, or element by element where that does
/// not transpose: rows of 32-bit elements. The address is a lane's part, made
/// once for all blocks that the swizzle treats alike, and a constant.
class MatrixReader {
public:
  /// `Layout` has four registers: eight 16-bit elements, or four of 32 bits.
  /// `FirstRow` (i32, a multiple of 8, may be null) is added to the rows asked
  /// for.
  MatrixReader(NvBuilder &B, const SharedTile &From, const BlockLayout &Layout,
               Storage As, mlir::Value FirstRow = {});

  /// The four registers (i32) of the block whose first element is (Row, Column)
  /// of the tile: multiples of 8 and of the layout's columns there.
  NvBuilder::Values load(int64_t Row, int64_t Column);

private:
  bool isElementwise() const;
  /// Of a chunk in a row, both what the lane adds to.
  mlir::Value address(int64_t Row, int64_t Chunk);

  NvBuilder &B;
  SharedTile From;
  BlockLayout Layout;
  Storage As;
  /// What a lane contributes to the offset of its row and to the place in it.
  mlir::Value LaneRowBytes, LanePlace;
  /// By the bits of a chunk's number that the swizzle changes.
  std::map<int64_t, mlir::Value> Addresses;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_MATRIXREGS_H
