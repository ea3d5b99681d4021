// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one matrix kernel behind `tile.scores` and `tile.accumulate`: a register
// tile of rows x vectors, every step of the reduction broadcasts one element
// per row and loads each vector once.

#ifndef HEDDLE_CODEGEN_CPU_MICROKERNEL_H
#define HEDDLE_CODEGEN_CPU_MICROKERNEL_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Rows that are needed after a product, by any later verb: it asks the memory
/// for them, some before every register tile, so that they are in the
/// second-level cache by then. A hint, and never a fault: rows need not exist.
struct RowsAhead {
  /// How many, and bytes of each; none without a base.
  int64_t Rows = 0, Bytes = 0;
  /// Row 0, or with positions that of position 0.
  mlir::Value Base;
  /// Bytes from one row, or position, to the next.
  mlir::Value Stride;
  /// The last row that exists.
  mlir::Value Last;
  /// Instead of `Last`: the position of every row, one i64 each.
  mlir::Value Positions;
  /// Instead of all these: that of every row.
  mlir::Value Addresses;

  /// The address of a row, that of the last one behind it.
  mlir::Value address(KernelBuilder &B, mlir::Value Row) const;
  /// Asks for a line of every page, where pages hold several rows: whoever asks
  /// for the first line of a page waits until the page is found, and pages are
  /// found side by side.
  void askForPages(KernelBuilder &B) const;
};

/// Which products of a square of tokens count; lanes are queries, or none of
/// the two.
enum class Part : int64_t {
  All,
  /// Rows up to the lane: of scores, keys up to the query. The rest becomes 0.
  RowsToLane,
  /// Steps up to the lane: of weighted values, keys up to the query.
  StepsToLane,
  /// Steps up to the row: the same where rows are queries.
  StepsToRow,
};

/// Rows that a product makes copies of for itself (Panels.h): of f32, whatever
/// they are in memory. Rows of the tile that do not exist may be any others.
struct RowsCopied {
  /// Nothing is copied where there is no element type.
  RowSource From;
  /// `panelElements` of f32.
  mlir::Value Memory;
  /// `panelLength`. Were it known when the code is generated, all elements of a
  /// step would be loaded at once, for which there are no registers.
  mlir::Value Length;

  explicit operator bool() const { return static_cast<bool>(From.Element); }
};

/// Scores that become weights, register tile by register tile: C = 2^(C - m).
struct Weighing {
  /// i1: nothing of all this after all.
  mlir::Value IsOff;
  /// A row: m. None of this without.
  mlir::Value Reference;
  /// A row, to which the sum over the rows of C is added. Infinite or NaN where
  /// a weight is.
  mlir::Value Sums;
};

/// C[i][:] = C0[i][:] * factor(i, :) + sum over t < Depth of a(i, t) * B[t][:],
/// for i < Rows. Matrices B, C0, C have rows of `Length` elements.
struct Product {
  int64_t Rows, Depth, Length;
  /// a(i, t) is element t of row i (keys of `scores`), or with
  /// `ReduceOverRows` element i of row t (values of `accumulate`). Null where
  /// the rows are copied.
  RowView A;
  bool ReduceOverRows;
  mlir::Value B;
  /// Elements from one row of `B` to the next, which then lies where it was
  /// given; null for a stored tile.
  mlir::Value StrideOfB = {};
  /// Null for zero.
  mlir::Value InitialC;
  /// Of C0.
  TileFactor Factor;
  /// Mask words [t][vector], or null: a product whose bit is zero takes no
  /// part, whatever its value.
  mlir::Value Words;
  /// May be the same as `InitialC`.
  mlir::Value C;
  Part Counting = Part::All;
  RowsCopied Copied = {};
  Weighing Weigh = {};
  /// Rows that are wanted, and steps that need to be looked at. Multiples of
  /// `keyGranule`.
  KeySpan RowSpan = {}, StepSpan = {};
  RowsAhead Ahead = {};
  /// Rows that are needed much later: some of their lines before every stripe.
  llvm::SmallVector<RowsAhead, 2> Later = {};
};

/// Rows of a register tile.
int64_t stripeRows(const Shape &S, const Product &P);

void emitProduct(KernelBuilder &B, const Product &P);

/// Keys that products take at once, as rows or as steps: a divisor of `Keys`.
int64_t keyGranule(const Shape &S, int64_t Keys);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_MICROKERNEL_H
