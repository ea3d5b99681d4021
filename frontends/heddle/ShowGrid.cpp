// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowGrid.h"

#include <algorithm>

using namespace heddle;
using heddle::attn::TileStatus;

ShowGrid::ShowGrid(const ShowResult &Result, int64_t MaxRows, int64_t MaxCols)
    : QueryTiles(Result.QueryTiles), KeyTiles(Result.KeyTiles),
      Rows(std::min(QueryTiles, std::max<int64_t>(1, MaxRows))),
      Cols(std::min(KeyTiles, std::max<int64_t>(1, MaxCols))),
      Levels(static_cast<size_t>(Rows * Cols), CellLevel::Empty) {
  std::vector<int64_t> Live(static_cast<size_t>(Cols));
  std::vector<int64_t> Full(static_cast<size_t>(Cols));
  for (int64_t Row = 0; Row < Rows && Cols > 0; ++Row) {
    std::fill(Live.begin(), Live.end(), 0);
    std::fill(Full.begin(), Full.end(), 0);
    const int64_t Top = firstQueryTile(Row);
    const int64_t Bottom = firstQueryTile(Row + 1);
    for (int64_t Tile = Top; Tile < Bottom; ++Tile)
      for (const TileRun &Run : Result.Tiles[static_cast<size_t>(Tile)]) {
        const int64_t End = Run.First + Run.Count;
        // The column that holds the run's first tile.
        int64_t Col = ((Run.First + 1) * Cols - 1) / KeyTiles;
        for (; Col < Cols && firstKeyTile(Col) < End; ++Col) {
          const int64_t Tiles = std::min(End, firstKeyTile(Col + 1)) -
                                std::max(Run.First, firstKeyTile(Col));
          Live[static_cast<size_t>(Col)] += Tiles;
          if (Run.Status == TileStatus::Full)
            Full[static_cast<size_t>(Col)] += Tiles;
        }
      }
    for (int64_t Col = 0; Col < Cols; ++Col) {
      const int64_t Tiles =
          (Bottom - Top) * (firstKeyTile(Col + 1) - firstKeyTile(Col));
      const int64_t L = Live[static_cast<size_t>(Col)];
      CellLevel &Level = Levels[static_cast<size_t>(Row * Cols + Col)];
      if (Full[static_cast<size_t>(Col)] == Tiles)
        Level = CellLevel::Full;
      else if (L == Tiles)
        Level = CellLevel::Live;
      else if (2 * L >= Tiles)
        Level = CellLevel::Half;
      else if (L > 0)
        Level = CellLevel::Some;
    }
  }
}

llvm::ArrayRef<LegendEntry> ShowGrid::legend() const {
  static constexpr LegendEntry Exact[] = {{CellLevel::Full, "full"},
                                          {CellLevel::Live, "partial"},
                                          {CellLevel::Empty, "empty"}};
  static constexpr LegendEntry Reduced[] = {{CellLevel::Full, "all tiles full"},
                                            {CellLevel::Live, "all live"},
                                            {CellLevel::Half, "half live"},
                                            {CellLevel::Some, "some live"},
                                            {CellLevel::Empty, "empty"}};
  if (isReduced())
    return Reduced;
  return Exact;
}
