// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the SVG pictures of `heddle show` have in common.

#ifndef HEDDLE_FRONTENDS_HEDDLE_SVGPARTS_H
#define HEDDLE_FRONTENDS_HEDDLE_SVGPARTS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace heddle::svg {

/// Rows and columns of cells for so many tiles: the longer side has up to
/// `Most`, and cells stay square.
std::pair<int64_t, int64_t> squareCells(int64_t RowTiles, int64_t ColumnTiles,
                                        int64_t Most);

/// A rectangle of cells.
struct Box {
  int64_t Row, Col, Rows, Cols;
};

/// Covers the cells that belong with rectangles: stretches of a row, continued
/// downwards while the rows below have the very same stretch.
std::vector<Box> cover(int64_t Rows, int64_t Cols,
                       llvm::function_ref<bool(int64_t, int64_t)> Belongs);

/// A picture: a title, a map of cells with positions at its edges, a legend,
/// and lines of facts. Classes of elements (paper, empty, some, half, live,
/// full, frame, title, axis) follow the viewer's scheme.
class MapDrawing {
public:
  void draw(llvm::StringRef Title, llvm::StringRef Axes,
            llvm::ArrayRef<std::pair<std::string, std::string>> Facts);

protected:
  MapDrawing(int64_t Rows, int64_t Columns, llvm::raw_ostream &Os);
  ~MapDrawing() = default;

  /// The rest of a path element over the cells that belong, from its outline
  /// on; `Start` writes its beginning, and is not called where there are none.
  void cells(llvm::function_ref<bool(int64_t, int64_t)> Belongs,
             llvm::function_ref<void()> Start);
  /// An entry of the legend; `Start` begins the element of its square.
  void entry(llvm::StringRef Text, llvm::function_ref<void()> Start);

  llvm::raw_ostream &Os;

private:
  /// What lies on the empty map.
  virtual void fill() = 0;
  virtual void legend() = 0;
  /// Positions where a row or column of cells begins.
  virtual int64_t rowLabel(int64_t Row) const = 0;
  virtual int64_t columnLabel(int64_t Column) const = 0;

  void text(int64_t X, int64_t Y, llvm::StringRef Class, llvm::StringRef Text,
            llvm::StringRef Anchor = "");
  void map();
  void labels();

  int64_t Rows, Columns;
  /// Pixels of a cell, of the map.
  int64_t Cell, Width, Height;
  /// Where the legend goes on.
  int64_t LegendX = 0, LegendY = 0;
};

/// Writes a file that appears complete or not at all.
llvm::Error writeFile(llvm::StringRef Path,
                      llvm::function_ref<void(llvm::raw_ostream &)> Print);

} // namespace heddle::svg

#endif // HEDDLE_FRONTENDS_HEDDLE_SVGPARTS_H
