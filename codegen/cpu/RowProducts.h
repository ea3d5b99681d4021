// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The products of tiles of which only a few rows are in use. Where rows lie
// along the lanes most of these would multiply for nobody, so here the features
// of one row lie along them. Scores and weights are stored as ever; queries and
// sums of weighted values are rows.

#ifndef HEDDLE_CODEGEN_CPU_ROWPRODUCTS_H
#define HEDDLE_CODEGEN_CPU_ROWPRODUCTS_H

#include "codegen/cpu/MicroKernel.h"

namespace heddle::cpu {

/// Keys are taken so many at a time.
constexpr int64_t KeysAtOnce = 4;

/// How many rows are few: half a vector of them costs as much either way.
inline int64_t mostRows(const Shape &S) { return S.Lanes / 2; }

/// Rows of keys or values where they lie.
struct StoredRows {
  /// f32, f16 or bf16.
  mlir::Type Element;
  /// Strides count elements of that type.
  RowView View;
  /// The position of every row, one i64 each, where they are a list; then the
  /// view begins with position 0, and no position stands for any.
  mlir::Value Positions;
  /// i64: how many rows are read from row 0 on, by this product and its like,
  /// one tile after the other. Null: nobody knows of more than the tile.
  mlir::Value InRun = {};
  /// They were just made, and are near.
  bool AreCopies = false;

  mlir::Value row(KernelBuilder &B, mlir::Value Row) const;
};

/// How far ahead of where they read products ask the memory for their own rows:
/// lines have the time to arrive, and the first level has room for them.
constexpr int64_t BytesAhead = 8192;
inline int64_t rowsInAdvance(int64_t RowBytes) {
  return (BytesAhead + RowBytes - 1) / RowBytes;
}

/// Rows of another tensor that are read next: those from `Begin` (i64) to `End`
/// are asked for with the last rows of a product. None without a base.
struct RowsToCome {
  RowsAhead Rows;
  mlir::Value Begin;
  int64_t End = 0;
};

/// s[key][row] = sum over f < Width of q[row][f] * k[key][f], for row < Count;
/// 0 for the other lanes. A row of scores is one vector.
struct RowScores {
  /// Keys in whole groups of `KeysAtOnce`.
  int64_t Keys, Width;
  StoredRows K;
  /// Rows of whole vectors, zeros behind the width.
  mlir::Value Q;
  mlir::Value Count;
  mlir::Value S;
  RowsToCome Next = {};
};

/// o[row][f] = before[row][f] * factor[row] + sum over keys of
/// p[key][row] * v[key][f], for row < Count. Rows of both are whole vectors.
struct RowSums {
  int64_t Keys, Width;
  StoredRows V;
  /// A vector per key.
  mlir::Value P;
  mlir::Value Before;
  /// Null for one.
  mlir::Value Factor;
  /// A mask word per key, or null: a product whose bit is zero takes no part,
  /// whatever its value.
  mlir::Value Words;
  mlir::Value Count;
  /// May be the same as `Before`.
  mlir::Value O;
  RowsToCome Next = {};
};

void emitRowScores(KernelBuilder &B, const RowScores &P);
void emitRowSums(KernelBuilder &B, const RowSums &P);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_ROWPRODUCTS_H
