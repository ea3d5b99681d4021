// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about recurrences: their kernels, on all levels of this machine,
// with any chunk, against weights written out for every pair.

#ifndef HEDDLE_TEST_EXEC_LINEARSTATEMENT_H
#define HEDDLE_TEST_EXEC_LINEARSTATEMENT_H

#include "test/exec/Statement.h"

#include <array>
#include <functional>

namespace heddle::exec {

inline double at(const std::vector<float> &Table, int64_t I) {
  return static_cast<double>(Table[static_cast<size_t>(I)]);
}

/// Numbers in [Low, High].
std::vector<float> numbers(int64_t Count, uint64_t Seed, float Low, float High);

/// A tensor (batch, head, row, feature), row-major.
struct Rows {
  std::array<int64_t, 4> Shape = {};
  std::vector<float> Data;

  static Rows fill(std::array<int64_t, 4> Shape, float With);
  /// Normal numbers.
  static Rows normal(std::array<int64_t, 4> Shape, uint64_t Seed,
                     float Deviation = 1);
  size_t index(int64_t B, int64_t H, int64_t I, int64_t C) const {
    return static_cast<size_t>(((B * Shape[1] + H) * Shape[2] + I) * Shape[3] +
                               C);
  }
  float &at(int64_t B, int64_t H, int64_t I, int64_t C) {
    return Data[index(B, H, I, C)];
  }
  double get(int64_t B, int64_t H, int64_t I, int64_t C) const {
    return static_cast<double>(Data[index(B, H, I, C)]);
  }
  bool empty() const { return Data.empty(); }
  /// Rows [From, To) of every head.
  Rows rows(int64_t From, int64_t To) const;
  /// Every element as it is after rounding to the dtype.
  Rows rounded(heddle_dtype To) const;
};

/// What a recurrence sees. `Origin` is the position of query 0.
struct Tokens {
  Tokens() = default;
  /// Normal numbers; `DepthV` 0 means Depth.
  Tokens(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Count,
         int64_t Depth = 16, int64_t DepthV = 0, uint64_t Seed = 1);

  int64_t count() const { return Q.Shape[2]; }
  int64_t headsQ() const { return Q.Shape[1]; }
  /// The head of k and v that query head H reads.
  int64_t keyHead(int64_t H) const { return H / (Q.Shape[1] / K.Shape[1]); }
  double key(int64_t B, int64_t H, int64_t J, int64_t C) const {
    return K.get(B, keyHead(H), J, C);
  }
  double value(int64_t B, int64_t H, int64_t J, int64_t C) const {
    return V.get(B, keyHead(H), J, C);
  }
  /// q . k.
  double dot(int64_t B, int64_t H, int64_t I, int64_t J) const;
  double scale() const;
  /// Queries and keys [From, To), with `Before` more keys in front of them.
  Tokens part(int64_t From, int64_t To, int64_t Before = 0) const;

  Rows Q, K, V;
  int64_t Origin = 0;
  /// Where the sequences of a ragged batch begin and the last one ends.
  std::vector<int64_t> Offsets;
};

/// A state between two launches; zero where empty.
struct Carried {
  Rows State, Sums;
};

struct LinearOptions {
  /// Empty: the best one.
  std::string Level = {};
  /// Tokens of a chunk; 0 leaves it to the target.
  int64_t Chunk = 0;
  heddle_dtype Dtype = HEDDLE_F32;
  /// 0 is 1/sqrt(d).
  float Scale = 0;
  const Carried *From = nullptr;
  Carried *To = nullptr;
};

struct LinearResult {
  Rows O;
  heddle_stats Stats = {};
  int64_t Chunk = 0;
};

/// The weight of a pair, by batch, query head, query and key.
using Weight = std::function<double(int64_t, int64_t, int64_t, int64_t)>;

/// Sums of weighted values, in double precision: over keys up to the query,
/// or over all of them; divided by the sum of weights or not.
Rows weigh(const Tokens &In, const Weight &Of, bool IsCausal, bool Divide);

/// A text with a recurrence, and what has been compiled of it.
class LinearStatement {
public:
  static LinearStatement example(const std::string &Name) {
    return LinearStatement(Statement::example(Name));
  }
  explicit LinearStatement(Statement Text);
  /// The same with every `Old` replaced; there must be one.
  LinearStatement with(const std::string &Old, const std::string &New) const {
    return LinearStatement(Text.with(Old, New));
  }

  testing::AssertionResult run(const Tokens &In, const Values &Params,
                               LinearResult &Out,
                               const LinearOptions &How = {}) const;
  /// Fails the running test when there is no result.
  LinearResult result(const Tokens &In, const Values &Params,
                      const LinearOptions &How = {}) const;
  /// Whether every level, with chunks from 16 tokens to more than there are,
  /// and launches that carry a state over cuts give `Expected`.
  testing::AssertionResult equals(const Tokens &In, const Values &Params,
                                  const Rows &Expected, float Scale = 0) const;
  /// The outputs of launches that end at each of `Cuts` and at the end, each
  /// with the state of the one before it and, of a window, its keys again.
  Rows inParts(const Tokens &In, const Values &Params,
               const std::vector<int64_t> &Cuts, float Scale = 0,
               int64_t Window = 0) const;

private:
  Statement Text;
  std::shared_ptr<std::map<std::string, std::unique_ptr<Program>>> Programs;
};

/// Cuts for a first launch of `First` tokens and then one for every token.
std::vector<int64_t> tokenByToken(int64_t Count, int64_t First);

/// Whether results agree up to rounding: they differ by at most `Tolerance`
/// times the largest number of their row, or one; NaN agrees with nothing.
testing::AssertionResult agree(const Rows &Found, const Rows &Expected,
                               double Tolerance = 2e-5);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_LINEARSTATEMENT_H
