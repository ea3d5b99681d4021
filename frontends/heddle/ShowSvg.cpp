// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowGrid.h"
#include "frontends/heddle/ShowRender.h"
#include "frontends/heddle/SvgParts.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::svg;

namespace {

constexpr int64_t MaxCells = 256;

constexpr const char *Classes[NumCellLevels] = {"empty", "some", "half", "live",
                                                "full"};

class PatternDrawing {
public:
  PatternDrawing(const ShowResult &Result, llvm::raw_ostream &Os)
      : Result(Result), Os(Os), Grid(makeGrid()),
        Cell(std::clamp<int64_t>(
            MapSize / std::max<int64_t>({Grid.rows(), Grid.cols(), 1}), 1,
            MaxCellSize)),
        MapWidth(Cell * Grid.cols()), MapHeight(Cell * Grid.rows()) {}

  void draw() {
    const auto Counts = describeCounts(Result);
    const std::string Title = describePattern(Result);
    size_t Longest = Title.size() + 4;
    for (const auto &[Name, Text] : Counts)
      Longest = std::max(Longest, Text.size() + 14);
    // A character of the font is at most 8 pixels wide.
    const int64_t Width = std::max(
        {Left + MapWidth + Right, MinWidth, 24 + 8 * int64_t(Longest)});
    const int64_t LegendTop = Top + MapHeight + 28;
    const int64_t Height =
        LegendTop + LineHeight * (int64_t(Counts.size()) + 2);
    svg::writeHead(Title, Width, Height, Os);
    text(16, 26, "title", Title);
    text(16, 44, "axis",
         std::to_string(Result.Options.Queries) + " queries (down) x " +
             std::to_string(Result.Options.Keys) + " keys (across), " +
             (Result.HasGrid ? "boxes " : "tiles ") +
             describeTiles(Result.Options));
    map();
    axes();
    legend(LegendTop);
    int64_t Y = LegendTop + 2 * LineHeight;
    for (const auto &[Name, Text] : Counts) {
      text(16, Y, "axis", Name);
      text(120, Y, "", Text);
      Y += LineHeight;
    }
    Os << "</svg>\n";
  }

private:
  /// Cells stay square: the longer side has up to MaxCells of them.
  ShowGrid makeGrid() const {
    const int64_t Longest =
        std::max<int64_t>({Result.QueryTiles, Result.KeyTiles, 1});
    if (Longest <= MaxCells)
      return ShowGrid(Result, MaxCells, MaxCells);
    auto Share = [&](int64_t Tiles) {
      return std::max<int64_t>(1, (Tiles * MaxCells + Longest / 2) / Longest);
    };
    return ShowGrid(Result, Share(Result.QueryTiles), Share(Result.KeyTiles));
  }

  void text(int64_t X, int64_t Y, llvm::StringRef Class, llvm::StringRef Text,
            llvm::StringRef Anchor = "") {
    svg::writeText(X, Y, Class, Text, Anchor, Os);
  }

  void map() {
    if (MapWidth == 0 || MapHeight == 0)
      return;
    Os << "<g shape-rendering=\"crispEdges\" transform=\"translate(" << Left
       << ' ' << Top << ")\">\n<rect class=\"empty\" width=\"" << MapWidth
       << "\" height=\"" << MapHeight << "\"/>\n";
    for (CellLevel Level :
         {CellLevel::Some, CellLevel::Half, CellLevel::Live, CellLevel::Full}) {
      const std::vector<svg::Box> Boxes =
          svg::cover(Grid.rows(), Grid.cols(), [&](int64_t Row, int64_t Col) {
            return Grid.level(Row, Col) == Level;
          });
      if (Boxes.empty())
        continue;
      Os << "<path class=\"" << Classes[static_cast<unsigned>(Level)] << '"';
      svg::writeBoxes(Boxes, Cell, Os);
    }
    Os << "<rect class=\"frame\" width=\"" << MapWidth << "\" height=\""
       << MapHeight << "\"/>\n</g>\n";
  }

  /// Positions where cells begin, as many as fit without touching.
  void axes() {
    const int64_t Columns = std::max<int64_t>(1, 72 / Cell);
    for (int64_t Col = 0; Col < Grid.cols(); Col += Columns)
      text(Left + Col * Cell, Top - 6, "axis",
           std::to_string(Result.keyLabel(Grid.firstKeyTile(Col))));
    const int64_t Step = std::max<int64_t>(1, 48 / Cell);
    for (int64_t Row = 0; Row < Grid.rows(); Row += Step)
      text(Left - 6, Top + Row * Cell + 10, "axis",
           std::to_string(Result.queryLabel(Grid.firstQueryTile(Row))), "end");
  }

  void legend(int64_t Y) {
    int64_t X = 16;
    for (const LegendEntry &E : Grid.legend()) {
      Os << "<rect class=\"" << Classes[static_cast<unsigned>(E.Level)]
         << "\" x=\"" << X << "\" y=\"" << Y - 10
         << "\" width=\"12\" height=\"12\"/>\n";
      text(X + 16, Y, "", E.Text);
      X += 16 + 8 * int64_t(E.Text.size()) + 12;
    }
  }

  const ShowResult &Result;
  llvm::raw_ostream &Os;
  ShowGrid Grid;
  int64_t Cell;
  int64_t MapWidth;
  int64_t MapHeight;
};

} // namespace

void heddle::printShowSvg(const ShowResult &Result, llvm::raw_ostream &Os) {
  PatternDrawing(Result, Os).draw();
}

llvm::Error heddle::writeShowSvg(const ShowResult &Result,
                                 llvm::StringRef Path) {
  return svg::writeFile(
      Path, [&](llvm::raw_ostream &Os) { printShowSvg(Result, Os); });
}
