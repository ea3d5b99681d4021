// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scores of a tile of queries and a tile of keys, up to where the
// normaliser takes over.

#ifndef HEDDLE_PASSES_PAIRTILE_H
#define HEDDLE_PASSES_PAIRTILE_H

#include "passes/KernelFrame.h"

namespace heddle {

struct PairTile {
  mlir::Value bits;
  /// Changed scores: in units of log2 under a softmax, as they are otherwise.
  /// Not masked. Null when only weights were asked for.
  mlir::Value scores;
  /// Weights of a normaliser that needs no sum, where they are kept; null under
  /// a softmax.
  mlir::Value weights;
  /// Factors on the weights, null for none.
  mlir::Value factors;
};

/// What is made once of a tile of keys for all heads of a task; null for what
/// every head makes for itself.
struct SharedKeys {
  mlir::Value keys, values, bits;
};

/// The factor on queries that `buildPairTile` expects of them.
mlir::Value buildQueryFactor(KernelFrame &frame, unsigned source);

/// `wantScores`: give the scores even where only weights are needed.
PairTile buildPairTile(KernelFrame &frame, unsigned source,
                       const QueryTile &queries, mlir::Value queryRows,
                       const KeyTile &keys, bool wantScores,
                       const SharedKeys &shared = {});

/// What a normaliser without a sum makes of every score of a tile.
mlir::Value buildWeights(KernelFrame &frame, unsigned source,
                         const QueryTile &queries, const KeyTile &keys,
                         mlir::Value scores);

} // namespace heddle

#endif // HEDDLE_PASSES_PAIRTILE_H
