// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `heddle show`: which tiles of a pattern are empty, partial and full, how many
// pairs it keeps, and what its rows look like.

#ifndef HEDDLE_FRONTENDS_HEDDLE_SHOW_H
#define HEDDLE_FRONTENDS_HEDDLE_SHOW_H

#include "dialect/attn/HostSets.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace heddle {

/// One head of one sequence of a problem, cut into tiles.
struct ShowOptions {
  int64_t Queries = 0;
  int64_t Keys = 0;
  int64_t TileQueries = 64;
  int64_t TileKeys = 64;
  int64_t B = 0;
  int64_t H = 0;
  /// Absolute position of query 0.
  int64_t Origin = 0;
  /// One value per parameter of the pattern, in its order.
  std::vector<int64_t> Params;
  /// 0 means one thread per core. The result does not depend on it.
  unsigned Threads = 0;
};

/// `Count` neighbouring key tiles of one status, from key tile `First` on.
struct TileRun {
  int64_t First;
  int64_t Count;
  attn::TileStatus Status;
  bool operator==(const TileRun &Other) const {
    return First == Other.First && Count == Other.Count &&
           Status == Other.Status;
  }
};

/// Kept keys of the rows of the head.
struct RowExtremes {
  /// The smallest and largest number of kept keys, and the first rows that have
  /// it (rows of q, not absolute positions). All 0 when there is no row.
  int64_t Min = 0;
  int64_t MinRow = 0;
  int64_t Max = 0;
  int64_t MaxRow = 0;
  /// Rows that keep no key, and the first of them.
  int64_t Empty = 0;
  int64_t FirstEmpty = 0;
};

struct ShowResult {
  std::string Pattern;
  std::vector<std::pair<std::string, int64_t>> Params;
  ShowOptions Options;
  /// Whether the kept keys depend on the sequence or the head.
  bool UsesBatch = false;
  bool UsesHead = false;

  int64_t QueryTiles = 0;
  int64_t KeyTiles = 0;
  /// By query tile: the runs of tiles that are not empty, in ascending order,
  /// neighbours of one status merged.
  std::vector<std::vector<TileRun>> Tiles;
  int64_t Full = 0;
  int64_t Partial = 0;
  int64_t Empty = 0;
  int64_t KeptPairs = 0;
  RowExtremes Rows;

  int64_t tiles() const { return QueryTiles * KeyTiles; }
  /// Kept pairs over all pairs; 0 when there is none.
  double density() const;
  /// Kept keys per row; 0 when there is none.
  double meanKept() const;
};

/// Classifies every tile and counts every pair of one head. `Formula` is the
/// pattern's, as attn-normalize-pattern gives it. The last query tile ends at
/// the last query; a tile that reaches past the last key is partial at best,
/// because a kernel must mask it. Fails when a size or parameter is out of
/// range.
///
/// Cost: one question per run of tiles of equal status; and for every row, its
/// stretches of keys that keep to one period, a period each. Full and empty
/// tiles are never looked into. Only a pattern without such stretches (a power
/// of two of `k mod 64 + k`, say) is counted key by key in its partial tiles.
llvm::Expected<ShowResult> analyse(attn::PatternOp Pattern,
                                   attn::FormulaAttr Formula,
                                   const ShowOptions &Options);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_SHOW_H
