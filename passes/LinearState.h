// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a recurrence carries from token to token, as values of a kernel.

#ifndef HEDDLE_PASSES_LINEARSTATE_H
#define HEDDLE_PASSES_LINEARSTATE_H

#include "passes/LinearFrame.h"

namespace heddle {

/// Features of rows: one tile per operand of `attn.features`, one behind the
/// other. Nothing is gained by putting them into one tile.
using FeatureParts = llvm::SmallVector<mlir::Value, 2>;

/// What is not carried is null.
struct LinearState {
  /// values x features for every part: row f in memory is column f here.
  FeatureParts s;
  FeatureParts z; ///< With a normaliser: the sums of the features, vectors.
  mlir::Value v;  ///< With `magnitude`: the sums of the values, a vector,
  mlir::Value n;  ///< and of the factors, a number.

  llvm::SmallVector<mlir::Value> list() const;
  /// The same places, other values.
  LinearState with(mlir::ValueRange values) const;
};

LinearState loadState(LinearFrame &frame);
void storeState(LinearFrame &frame, const LinearState &state);

/// What an element of the output is made of under a normaliser, numbers.
struct QuotientParts {
  mlir::Value num, z;
  mlir::Value inverse; ///< 1 / z.
  mlir::Value v;       ///< Null but with `magnitude`.
  mlir::Value ratio;   ///< z / n.
};
mlir::Value buildQuotient(LinearFrame &frame, const QuotientParts &parts);

/// The expanded features of rows (tokens x mapped).
FeatureParts buildExpansion(LinearFrame &frame, const FeatureParts &rows);

/// The dot products of rows of features.
mlir::Value buildScores(LinearFrame &frame, const FeatureParts &x,
                        const FeatureParts &y);

/// The weight of a dot product of mapped features.
mlir::Value buildExpandedScore(LinearFrame &frame, mlir::Value score);

} // namespace heddle

#endif // HEDDLE_PASSES_LINEARSTATE_H
