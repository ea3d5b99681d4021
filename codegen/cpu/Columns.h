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

/// See `tile.add_columns`. `To` is the element of the first key, `Stride` the
/// distance to that of the next one; the first `Keys` of them exist.
struct ColumnSums {
  mlir::RankedTensorType Weights;
  mlir::Value P, Rows;
  mlir::Value To, Stride, Keys;
};
void emitColumnSums(KernelBuilder &B, const ColumnSums &Sums);

/// See `tile.raise_blocks`. `To` is the element of row 0 and column 0,
/// `Stride` the distance from row to row; there are `Columns` columns.
struct BlockMaxima {
  mlir::RankedTensorType Weights;
  int64_t BlockQ, BlockK;
  mlir::Value P, Rows, FirstRow, FirstKey;
  mlir::Value To, Stride, Columns;
};
void emitBlockMaxima(KernelBuilder &B, const BlockMaxima &Maxima);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_COLUMNS_H
