// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tile map reduced to a picture of bounded size.

#ifndef HEDDLE_FRONTENDS_HEDDLE_SHOWGRID_H
#define HEDDLE_FRONTENDS_HEDDLE_SHOWGRID_H

#include "frontends/heddle/Show.h"

namespace heddle {

/// What a cell of the picture says about the tiles under it. A cell with a live
/// tile under it is never drawn empty, and only full tiles make a cell full.
enum class CellLevel {
  Empty, ///< all tiles are empty
  Some,  ///< less than half are live
  Half,  ///< half or more are live
  Live,  ///< all are live, not all full
  Full,  ///< all are full
};
inline constexpr unsigned NumCellLevels = 5;

/// What a level means, in the words of a legend.
struct LegendEntry {
  CellLevel Level;
  llvm::StringLiteral Text;
};

/// Cells in row-major order; cell (r, c) stands for the tiles
/// [firstTile(r), firstTile(r + 1)) x ….
class ShowGrid {
public:
  /// At most `MaxRows` x `MaxCols` cells, one per tile where they suffice.
  ShowGrid(const ShowResult &Result, int64_t MaxRows, int64_t MaxCols);

  int64_t rows() const { return Rows; }
  int64_t cols() const { return Cols; }
  /// True when some cell stands for more than one tile.
  bool isReduced() const { return Rows < QueryTiles || Cols < KeyTiles; }

  CellLevel level(int64_t Row, int64_t Col) const {
    return Levels[static_cast<size_t>(Row * Cols + Col)];
  }

  /// First query tile of a row, first key tile of a column; the number of tiles
  /// one past the last.
  int64_t firstQueryTile(int64_t Row) const {
    return split(Row, Rows, QueryTiles);
  }
  int64_t firstKeyTile(int64_t Col) const { return split(Col, Cols, KeyTiles); }

  /// The levels that its cells may have, from the fullest on.
  llvm::ArrayRef<LegendEntry> legend() const;

private:
  static int64_t split(int64_t I, int64_t Cells, int64_t Tiles) {
    return Cells == 0 ? 0 : I * Tiles / Cells;
  }

  int64_t QueryTiles;
  int64_t KeyTiles;
  int64_t Rows;
  int64_t Cols;
  std::vector<CellLevel> Levels;
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_SHOWGRID_H
