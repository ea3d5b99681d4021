// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the sweep over columns adds up.

#ifndef HEDDLE_CODEGEN_NV_COLUMNS_H
#define HEDDLE_CODEGEN_NV_COLUMNS_H

#include "codegen/nv/Fragment.h"
#include "codegen/nv/Rows.h"

namespace heddle::nv {

/// Shared memory that emitAddColumns wants.
int64_t columnScratchBytes(const FragmentLayout &Of);

/// Adds the sums of columns over rows [0, Rows) (i32) to the first element of
/// the rows of `To` that exist, f32, one per column: see `tile.add_columns`. In
/// an order that is always the same. All threads of the CTA take part, in
/// uniform control flow; nobody else may use `Scratch` (in shared memory)
/// between the barrier before and the one after, which are inside.
void emitAddColumns(NvBuilder &B, const Fragment &P, mlir::Value Rows,
                    const RowSource &To, mlir::Value Scratch);

/// Maxima of blocks of queries and keys: see `tile.raise_blocks`.
struct BlockMaxima {
  /// Block (0, 0) of the head: f32 in global memory; i64 elements from one row
  /// of blocks to the next.
  mlir::Value Base, Stride;
  int64_t QueryBlock, KeyBlock;
  /// Number of keys: i64.
  mlir::Value NumKeys;
  /// Positions (i64) of rows and columns (i32) of the tile; negative for none.
  std::function<mlir::Value(NvBuilder &B, mlir::Value Row)> Query;
  std::function<mlir::Value(NvBuilder &B, mlir::Value Column)> Key;
  /// Both are consecutive.
  bool Consecutive = false;
};

/// Raises the maxima to the weights of rows [0, Rows) (i32), atomically. No
/// weight is negative. In uniform control flow.
void emitRaiseBlocks(NvBuilder &B, const Fragment &P, mlir::Value Rows,
                     const BlockMaxima &To);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_COLUMNS_H
