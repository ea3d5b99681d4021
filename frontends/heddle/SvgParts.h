// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the SVG pictures of `heddle show` have in common.

#ifndef HEDDLE_FRONTENDS_HEDDLE_SVGPARTS_H
#define HEDDLE_FRONTENDS_HEDDLE_SVGPARTS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <vector>

namespace heddle::svg {

/// Where the map is in a picture, in pixels.
constexpr int64_t MapSize = 512;
constexpr int64_t MaxCellSize = 24;
constexpr int64_t Left = 76;
constexpr int64_t Top = 76;
constexpr int64_t Right = 24;
constexpr int64_t LineHeight = 18;
constexpr int64_t MinWidth = 440;

/// The start of a picture: title, classes (paper, empty, some, half, live,
/// full, frame, title, axis) that follow the viewer's scheme, background.
void writeHead(llvm::StringRef Title, int64_t Width, int64_t Height,
               llvm::raw_ostream &Os);

void writeText(int64_t X, int64_t Y, llvm::StringRef Class,
               llvm::StringRef Text, llvm::StringRef Anchor,
               llvm::raw_ostream &Os);

/// A rectangle of cells.
struct Box {
  int64_t Row, Col, Rows, Cols;
};

/// Covers the cells that belong with rectangles: stretches of a row, continued
/// downwards while the rows below have the very same stretch.
std::vector<Box> cover(int64_t Rows, int64_t Cols,
                       llvm::function_ref<bool(int64_t, int64_t)> Belongs);

/// The rest of a path element, from its outline on.
void writeBoxes(const std::vector<Box> &Boxes, int64_t CellSize,
                llvm::raw_ostream &Os);

/// Writes a file that appears complete or not at all.
llvm::Error writeFile(llvm::StringRef Path,
                      llvm::function_ref<void(llvm::raw_ostream &)> Print);

} // namespace heddle::svg

#endif // HEDDLE_FRONTENDS_HEDDLE_SVGPARTS_H
