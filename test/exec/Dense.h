// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention written out, with the pattern put as a plain function of C++. It
// shares nothing with the interpreter.

#ifndef HEDDLE_TEST_EXEC_DENSE_H
#define HEDDLE_TEST_EXEC_DENSE_H

#include "gtest/gtest.h"

#include <cstdint>
#include <functional>
#include <random>
#include <vector>

namespace heddle::exec {

/// Keys and values of one source.
struct KeySource {
  int64_t Keys = 0;
  std::vector<float> K; ///< (Batch, HeadsKv, Keys, Depth)
  std::vector<float> V; ///< (Batch, HeadsKv, Keys, Width)
};

/// The tensors of a problem, row-major.
struct Inputs {
  /// Standard normal numbers.
  Inputs(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Queries,
         int64_t Keys, uint64_t Seed = 1, int64_t Depth = 16);

  /// A further source, as random.
  Inputs &add(int64_t Keys);
  const float *query(int64_t B, int64_t H, int64_t I) const {
    return Q.data() + ((B * HeadsQ + H) * Queries + I) * Depth;
  }
  /// Row J of the keys or values that query head H reads.
  size_t row(int64_t B, int64_t H, int64_t J, size_t From = 0) const {
    return static_cast<size_t>(
        ((B * HeadsKv + H / (HeadsQ / HeadsKv)) * Sources[From].Keys + J) *
        Depth);
  }
  /// scale * (q . k).
  double score(int64_t B, int64_t H, int64_t I, int64_t J,
               size_t From = 0) const;

  int64_t Batch, HeadsQ, HeadsKv, Queries, Depth;
  std::vector<float> Q; ///< (Batch, HeadsQ, Queries, Depth)
  std::vector<KeySource> Sources;
  std::vector<int64_t> Origin; ///< one per sequence

private:
  std::mt19937_64 Random;
};

/// What a kernel or a computation by hand returns, row-major; absent outputs
/// are empty.
struct Outputs {
  std::vector<float> O;   ///< (Batch, HeadsQ, Queries, Width)
  std::vector<float> Lse; ///< (Batch, HeadsQ, Queries)
  std::vector<float> BlockMax;
  int64_t KeptPairs = 0;
  int64_t FullTiles = 0, PartialTiles = 0;
  int64_t QueryTile = 0, KeyTile = 0;

  int64_t liveTiles() const { return FullTiles + PartialTiles; }
};

/// A pair as a pattern sees it: Q is the absolute position of the query.
struct Pair {
  int64_t B, H, Q, K;
  size_t Source = 0;
};
using Keep = std::function<bool(const Pair &)>;
using Change = std::function<double(double, const Pair &)>;

/// Attention written out: a softmax over the kept keys of every row, of the
/// changed scores, in double precision. With `Factor`, weights are multiplied
/// by it after normalisation.
Outputs attend(const Inputs &In, const Keep &Kept, const Change &Score = {},
               const Change &Factor = {});

/// Tiles of the sizes in `Of` that hold a kept pair, and those that hold
/// nothing else and end within the keys.
struct TileCount {
  int64_t Live = 0, Full = 0;
};
TileCount countTiles(const Inputs &In, const Outputs &Of, const Keep &Kept);
/// Tiles that hold a pair of either condition, but perhaps none of both.
int64_t countTiles(const Inputs &In, const Outputs &Of, const Keep &First,
                   const Keep &Second);

/// Row I of head H of a result with one sequence, as a result of one row.
Outputs pickRow(const Inputs &In, const Outputs &From, int64_t H, int64_t I);

/// Whether results agree up to rounding; -inf and zero rows exactly.
testing::AssertionResult agree(const Outputs &Found, const Outputs &Expected,
                               double Tolerance = 2e-5);

/// Whether x is 1, 2, 4, 8, …
inline bool isPowerOfTwo(int64_t X) { return X > 0 && (X & (X - 1)) == 0; }
/// Rounded down.
inline int64_t floorDiv(int64_t X, int64_t Y) {
  return X / Y - (X % Y != 0 && (X < 0) != (Y < 0) ? 1 : 0);
}
/// A random set of members of [0, Size) per row; each has a size of its own, at
/// most `Most`.
std::vector<std::vector<int64_t>>
randomSets(std::mt19937_64 &Random, int64_t Rows, int64_t Size, int64_t Most);
bool contains(const std::vector<int64_t> &Ascending, int64_t X);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_DENSE_H
