// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The regions of a recurrence as verbs on tiles. A region is written for one
// element of a row; here all rows of a stretch of tokens go through it at once.
// What is the same for all elements of a row becomes a vector.

#ifndef HEDDLE_PASSES_FEATUREMAP_H
#define HEDDLE_PASSES_FEATUREMAP_H

#include "passes/LinearFrame.h"

namespace heddle {

/// The axis of a tile that counts tokens; features are along the other. A
/// vector always has an element per token.
enum class TokenAxis { Rows, Columns };

/// What is made of the results of a map. Tokens that don't exist give 0.
struct RowMap {
  mlir::Region *region; ///< Empty: the identity.
  TokenAxis axis;
  mlir::Value factor; ///< On every element; null: 1.
};

/// The features that a query, key, value or output region makes of the rows of
/// `tile`: a tile per operand of `attn.features`.
llvm::SmallVector<mlir::Value, 2> buildFeatures(LinearFrame &frame,
                                                const RowMap &map,
                                                mlir::Value tile,
                                                const TokenTile &tokens);

/// The factors of the tokens, a vector; 1 for tokens that don't exist.
mlir::Value buildFactors(LinearFrame &frame, const TokenTile &tokens);

/// The factors of the tokens for the `features` features from `first` on.
mlir::Value buildFactors(LinearFrame &frame, const TokenTile &tokens,
                         TokenAxis axis, int64_t first, int64_t features);

/// The logarithm of the factor of the first of the tokens.
mlir::Value buildLogFactor(LinearFrame &frame, const TokenTile &tokens);

/// The beta of a delta rule for every token, 0 for those that don't exist.
mlir::Value buildBeta(LinearFrame &frame, const TokenTile &tokens);

} // namespace heddle

#endif // HEDDLE_PASSES_FEATUREMAP_H
