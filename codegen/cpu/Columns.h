// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a sweep over key tiles adds up once the log-sum-exp of every row is
// known. A task owns its keys, and sums run in a fixed order.

#ifndef HEDDLE_CODEGEN_CPU_COLUMNS_H
#define HEDDLE_CODEGEN_CPU_COLUMNS_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// See `tile.weights`. `P` may be `S`.
struct ColumnWeights {
  mlir::RankedTensorType Scores;
  mlir::Value S, Lse, Words;
  mlir::Value P;
};
void emitColumnWeights(KernelBuilder &B, const ColumnWeights &W);

/// See `tile.add_columns`. `To` has an element per key.
struct ColumnSums {
  mlir::RankedTensorType Weights;
  mlir::Value P, Rows;
  RowSource To;
};
void emitColumnSums(KernelBuilder &B, const ColumnSums &Sums);

/// Where the rows or the columns of a tile are in their sequence: one after the
/// other from `First`, or as `List` says, one i64 each, -1 for nowhere.
struct TilePlaces {
  mlir::Value First, List;
};

/// See `tile.raise_blocks`. `To` is the element of row 0 and column 0,
/// `Stride` the distance from row to row; there are `Columns` columns.
struct BlockMaxima {
  mlir::RankedTensorType Weights;
  int64_t BlockQ, BlockK;
  mlir::Value P, Rows;
  TilePlaces Queries, Keys;
  mlir::Value To, Stride, Columns;
  /// Room for one row of `P`, where queries or keys are listed.
  mlir::Value Line;

  bool isScattered() const { return Queries.List || Keys.List; }
};
void emitBlockMaxima(KernelBuilder &B, const BlockMaxima &Maxima);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_COLUMNS_H
