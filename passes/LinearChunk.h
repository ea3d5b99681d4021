// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence chunk by chunk: inside a chunk as a sum over pairs of tokens,
// between chunks by the state. (Sun et al., "Retentive network", 2023; Yang et
// al., "Gated linear attention transformers", 2023, "Parallelizing linear
// transformers with the delta rule", 2024.)

#ifndef HEDDLE_PASSES_LINEARCHUNK_H
#define HEDDLE_PASSES_LINEARCHUNK_H

#include "passes/FeatureMap.h"
#include "passes/LinearState.h"

namespace heddle {

/// What the tokens of a chunk take from the state where it fades between that
/// and what they write: it has gone through the factors of their own.
struct ChunkErasure {
  FeatureParts y;      ///< tokens x mapped features.
  FeatureParts yToEnd; ///< The same, times the factors up to the chunk's end.
  mlir::Value v;       ///< tokens x values.
  mlir::Value vT;      ///< values x tokens.
};

/// The keys and values of a chunk, mapped. Tokens that don't exist add nothing
/// and have the factor 1.
struct ChunkKeys {
  int64_t size;   ///< Tokens.
  FeatureParts y; ///< tokens x mapped features.
  mlir::Value v;  ///< tokens x values.
  mlir::Value vT; ///< values x tokens.

  /// What the sums over the chunk take: times the factors up to its end.
  FeatureParts phiToEnd; ///< tokens x features,
  bool areLanes;         ///< with the tokens along the lanes.
  mlir::Value vToEndT;   ///< values x tokens.

  // Null or empty where there is no such decay.
  mlir::Value w;                ///< Factors between tokens.
  mlir::Value fromStart, toEnd; ///< Vectors.
  mlir::Value total;            ///< A number.
  /// Per feature: the factors, tokens x features, and their products.
  FeatureParts a, fromStarts, toEnds;
  FeatureParts totals; ///< Vectors.

  mlir::Value beta;   ///< With a delta rule.
  mlir::Value number; ///< With `magnitude`: how many exist, an f32.

  // Empty but with a delta rule that erases first.
  FeatureParts before; ///< The products of the factors of earlier tokens.
  ChunkErasure erasure;
};

/// The sums over keys that outputs are made of, for every row of queries.
struct ChunkSums {
  mlir::Value num;  ///< tokens x values,
  mlir::Value numT; ///< or values x tokens; the other one is null.
  mlir::Value z;    ///< Vector; null without a normaliser.
  mlir::Value v;    ///< tokens x values; null but with `magnitude`.
  mlir::Value n;    ///< Vector.
};

class LinearChunk {
public:
  explicit LinearChunk(LinearFrame &frame) : frame(frame), b(frame.b) {}

  ChunkKeys loadKeys(const TokenTile &tokens);
  /// With a delta rule: what is written to the state in place of the values.
  /// To be called before the others.
  void replaceValues(ChunkKeys &keys, const LinearState &state);
  /// The state after the chunk.
  LinearState advance(const LinearState &state, const ChunkKeys &keys);
  /// The sums of rows of queries, `x` mapped, over the state and those of the
  /// keys, null for none, that are not behind them: key r of the chunk is that
  /// of query r.
  ChunkSums sumUp(const LinearState &state, const ChunkKeys *keys,
                  const FeatureParts &x, int64_t size);
  ChunkSums sumUp(const LinearState &state, const ChunkKeys *keys,
                  const TokenTile &queries) {
    return sumUp(state, keys, loadQueries(queries), queries.size);
  }
  /// Adds the keys to sums over nothing but the state, without factors.
  void addKeys(ChunkSums &sums, const FeatureParts &x, const ChunkKeys &keys);
  /// The output of rows from their sums.
  void storeOutput(const ChunkSums &sums, const TokenTile &queries);
  /// The state after the keys of rows [begin, end), row 0 at position `zero`.
  LinearState advanceOver(mlir::Value begin, mlir::Value end, mlir::Value zero,
                          const LinearState &state);

  // Pieces of these.
  bool isPerChannel() const {
    return frame.decay() == attn::DecayKind::PerChannel;
  }
  /// The mapped rows of queries.
  FeatureParts loadQueries(const TokenTile &queries);
  /// What every query of the chunk gives every key. Without sums that are taken
  /// over whole rows, later keys may have anything.
  mlir::Value pairWeights(const FeatureParts &x, const ChunkKeys &keys);
  /// Query r and key c of a chunk with c <= r.
  mlir::Value causalBits(int64_t size);
  /// A tile with each column times an element of the vector.
  mlir::Value timesColumns(mlir::Value tile, mlir::Value vector);

private:
  /// Dot products of rows with rows that keys stand at, with factors where
  /// these differ by feature: up to the tokens of `x`, or with `before` to the
  /// ones before.
  mlir::Value buildPairs(const FeatureParts &x, const FeatureParts &y,
                         const ChunkKeys &keys, bool before = false);
  void eraseFirst(ChunkKeys &keys, const LinearState &state);
  /// True if outputs have their values along the lanes, of which there are then
  /// as many vectors as of tokens or more: an element of a query, or of the
  /// weights, serves more of them, and outputs are rows as they are.
  bool areValuesLanes() const;
  /// What the state gives, tokens x values or the other way.
  mlir::Value outputsOfState(const LinearState &state, const FeatureParts &phi,
                             const ChunkKeys *keys);
  /// Adds values with the weights of a chunk, queries x keys.
  mlir::Value addPairs(mlir::Value num, mlir::Value weights, mlir::Value v,
                       mlir::Value vT);
  /// Rows with the factors up to their tokens, where these differ by feature.
  FeatureParts fromStart(FeatureParts rows, const ChunkKeys *keys);
  void loadFactors(ChunkKeys &keys, const TokenTile &tokens);
  mlir::Value buildPower(mlir::Value logFactor, mlir::Value number);
  mlir::Value countTokens(const TokenTile &tokens);
  mlir::Value asFloat(mlir::Value index);
  void loadFactorsByFeature(ChunkKeys &keys, const TokenTile &tokens);
  mlir::Value sumOfValues(const LinearState &state, const ChunkKeys *keys,
                          int64_t size);
  mlir::Value sumOfFactors(const LinearState &state, const ChunkKeys *keys,
                           int64_t size);

  LinearFrame &frame;
  mlir::ImplicitLocOpBuilder &b;
};

} // namespace heddle

#endif // HEDDLE_PASSES_LINEARCHUNK_H
