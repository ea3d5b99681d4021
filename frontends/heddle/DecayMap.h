// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `heddle show` of a recurrence: what is left of every key when a query reads
// the state, the product of the factors between the two.

#ifndef HEDDLE_FRONTENDS_HEDDLE_DECAYMAP_H
#define HEDDLE_FRONTENDS_HEDDLE_DECAYMAP_H

#include "dialect/attn/Attn.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace heddle {

/// "none", "constant", "token", "channel".
const char *decayKindName(attn::DecayKind Kind);

/// One head of one sequence under a recurrence.
struct DecayProblem {
  std::string Name;
  /// Names and values of integers and reals, and of tables what they hold.
  std::vector<std::pair<std::string, std::string>> Numbers, Operands;
  int64_t Queries = 0, Keys = 0, QueryTile = 64, KeyTile = 64;
  int64_t B = 0, H = 0;
  /// Absolute position of query 0.
  int64_t Origin = 0;

  bool IsCausal = true;
  /// Query i stands at key i + Keys - Queries; the nearest `*Window` keys count
  /// by a softmax.
  std::optional<int64_t> Window;
  attn::DecayKind Kind = attn::DecayKind::None;
  /// Factors of a token: 1, or the features.
  int64_t Channels = 1;
  /// Puts the factors of the token at an absolute position, one per channel, in
  /// [0, 1], into `Out`. Null where there are none.
  std::function<llvm::Error(int64_t Position, llvm::MutableArrayRef<double>)>
      Factors;
  /// Whether the factors differ from sequence to sequence or head to head.
  bool UsesBatch = false, UsesHead = false;

  /// Of a head: numbers of the state, one sum per row where there are sums, and
  /// floating-point operations per token (see `stepFlop`).
  int64_t StateRows = 0, StateColumns = 0;
  bool HasSums = false;
  double FlopPerToken = 0;
  /// Of q and k.
  int64_t HeadDim = 0;
};

/// A picture of bounded size: cells in row-major order. Cell (r, c) stands for
/// queries [Query[r], Query[r + 1]) and keys [Key[c], Key[c + 1]).
struct DecayGrid {
  std::vector<int64_t> Query, Key;
  /// By cell: the pairs whose key the query sees, the mean of their factors
  /// over all channels, and whether the window has one of them.
  std::vector<int64_t> Pairs;
  std::vector<double> Factor;
  std::vector<bool> InWindow;
  /// Over all cells.
  int64_t AllPairs = 0;
  double MeanFactor = 0;
  /// Of all tokens and channels; 1 where there are no factors.
  double Least = std::numeric_limits<double>::infinity(), Most = 0, Mean = 1;
  /// Some cell stands for more than one tile.
  bool IsReduced = false;

  int64_t rows() const { return int64_t(Query.size()) - 1; }
  int64_t cols() const { return int64_t(Key.size()) - 1; }
  size_t at(int64_t Row, int64_t Col) const {
    return static_cast<size_t>(Row * cols() + Col);
  }
};

/// At most `MaxRows` x `MaxCols` cells, one per tile where they suffice. Means
/// are exact: the cost is one step per token and channel, and one per pair of
/// rows and columns of cells and channel, never one per pair of tokens.
llvm::Expected<DecayGrid> shadeDecay(const DecayProblem &Of, int64_t MaxRows,
                                     int64_t MaxCols);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_DECAYMAP_H
