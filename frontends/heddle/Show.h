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
  /// Tokens; on a token grid the products of its extents.
  int64_t Queries = 0;
  int64_t Keys = 0;
  /// Extents of a tile, outermost axis first; a plain sequence has one axis.
  /// Empty: 64 tokens, 8x8 or 4x4x4 for one, two or three axes.
  std::vector<int64_t> QueryTile, KeyTile;
  int64_t B = 0;
  int64_t H = 0;
  /// Absolute position of query 0; 0 on a token grid.
  int64_t Origin = 0;
  /// One value per parameter of the pattern, in its order. Tables and sets are
  /// prepared ones (see heddle/index.h) and must outlive the analysis.
  std::vector<heddle_operand> Params;
  /// What the values are, in words, for those that are no integers; may be
  /// empty.
  std::vector<std::string> Summaries;
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
  /// Names and values of integers and reals, and of tables and sets what they
  /// hold.
  std::vector<std::pair<std::string, std::string>> Numbers, Operands;
  ShowOptions Options;
  /// Extents of the token grid, of one axis for a plain sequence.
  std::vector<int64_t> QueryGrid, KeyGrid;
  bool HasGrid = false;
  /// Whether the kept keys depend on the sequence or the head.
  bool UsesBatch = false;
  bool UsesHead = false;

  /// On a token grid tiles are boxes, numbered row by row.
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
  /// Where a tile begins as a picture says it: a position, or on a grid the
  /// number of the box.
  int64_t queryLabel(int64_t Tile) const {
    return HasGrid ? Tile : Options.Origin + Tile * Options.QueryTile[0];
  }
  int64_t keyLabel(int64_t Tile) const {
    return HasGrid ? Tile : Tile * Options.KeyTile[0];
  }
};

/// "64 x 64", "8x16 by 8x8".
std::string describeTiles(const ShowOptions &Options);

/// Classifies every tile and counts every pair of one head. `Formula` is the
/// pattern's, as attn-normalize-pattern gives it. The last query tile ends at
/// the last query; a tile that reaches past the last key is partial at best,
/// because a kernel must mask it. Fails when a size or parameter is out of
/// range.
///
/// Cost: one question per run of tiles of equal status; and for every row, its
/// stretches of keys that keep to one period, a period each. Full and empty
/// tiles are never looked into. Only a pattern without such stretches (one with
/// tables, sets or a token grid, or a power of two of `k mod 64 + k`) is
/// counted key by key in its partial tiles.
llvm::Expected<ShowResult> analyse(attn::PatternOp Pattern,
                                   attn::FormulaAttr Formula,
                                   const ShowOptions &Options);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_SHOW_H
