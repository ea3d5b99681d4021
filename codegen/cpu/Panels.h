// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows that a product copies for itself. A whole tile of copies does not fit
// into the first-level cache beside what a product works on, and nothing else
// is done while it is made. So a product copies panels: of what it multiplies
// while one is read the next is made, some vectors at a time between the steps
// of the reduction, whose multiply-adds leave loads and stores idle.

#ifndef HEDDLE_CODEGEN_CPU_PANELS_H
#define HEDDLE_CODEGEN_CPU_PANELS_H

#include "codegen/cpu/MicroKernel.h"

#include <algorithm>

namespace heddle::cpu {

/// How the rows of a product are cut into panels: of `scores` a panel is the
/// rows of one stripe of register tiles, of `accumulate` some columns of all
/// rows.
struct PanelShape {
  /// For stripes of `StripeRows`.
  PanelShape(const Shape &S, const Product &P, int64_t StripeRows);

  /// False if the rows are too short for whole vectors.
  bool fits() const { return Width >= std::max(FewestColumns, Lanes); }
  /// Elements, and vectors that have to be copied.
  int64_t size() const { return Rows * Length; }
  int64_t vectors() const { return Rows * Vectors; }
  /// The least number of vectors from `AtLeast` on, at most all, that divides a
  /// panel into parts of one row or of whole rows.
  int64_t wholeShare(int64_t AtLeast) const;

  int64_t Lanes;
  /// Of a panel; elements from row to row; vectors that make up a row, the last
  /// of which may overlap the one before.
  int64_t Rows, Length, Vectors;
  /// Elements of a row in memory, and how many there must be.
  int64_t Width, FewestColumns;
  /// Stripes that read the same panel, and panels.
  int64_t Stripes, Panels;
};

class PanelCopies {
public:
  PanelCopies(KernelBuilder &B, const Product &P, int64_t StripeRows)
      : B(B), P(P), StripeRows(StripeRows), S(B.shape(), P, StripeRows) {}

  /// Makes the panel of the stripe from `FirstRow` on.
  void emitFirst(mlir::Value FirstRow);
  /// While the stripe from `FirstRow` on is worked on: part `Number` of `Parts`
  /// of what falls to it of the next panel.
  void emitPart(mlir::Value FirstRow, mlir::Value Number, int64_t Parts);
  /// The rows of the product as far as that stripe reads them.
  RowView view(mlir::Value FirstRow);

private:
  using Value = mlir::Value;

  Value panelOf(Value FirstRow);
  Value copyOf(Value Panel);
  /// The column where a panel begins.
  Value firstColumn(Value Panel);
  /// The address of a row of a panel in memory.
  Value rowInMemory(Value Panel, Value Row);
  /// Vectors [First, First + Count) of a panel.
  void emitVectors(Value Panel, Value First, int64_t Count);

  KernelBuilder &B;
  const Product &P;
  int64_t StripeRows;
  PanelShape S;
};

/// Elements of memory for the panels of a product; 0 if its rows cannot be
/// copied that way.
int64_t panelElements(const Shape &S, const Product &P);
/// Elements from one row of a panel to the next.
int64_t panelLength(const Shape &S, const Product &P);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_PANELS_H
