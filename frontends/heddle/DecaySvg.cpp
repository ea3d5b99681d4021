// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/DecayRender.h"
#include "frontends/heddle/SvgParts.h"

#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>

using namespace heddle;
using namespace heddle::svg;
using attn::DecayKind;

namespace {

/// Factors are drawn in so many opacities, the lowest for all that is left of
/// what has faded.
constexpr int64_t NumOpacities = 24;

class DecayDrawing {
public:
  DecayDrawing(const DecayProblem &Of, const DecayGrid &Grid,
               llvm::raw_ostream &Os)
      : Of(Of), Grid(Grid), Os(Os),
        Cell(std::clamp<int64_t>(
            MapSize / std::max<int64_t>({Grid.rows(), Grid.cols(), 1}), 1,
            MaxCellSize)),
        MapWidth(Cell * Grid.cols()), MapHeight(Cell * Grid.rows()) {}

  void draw() {
    const auto Lines = describeDecay(Of, Grid);
    const std::string Title = describeRecurrence(Of);
    size_t Longest = Title.size() + 4;
    for (const auto &[Name, Text] : Lines)
      Longest = std::max(Longest, Text.size() + 14);
    // A character of the font is at most 8 pixels wide.
    const int64_t Width = std::max(
        {Left + MapWidth + Right, MinWidth, 24 + 8 * int64_t(Longest)});
    const int64_t LegendTop = Top + MapHeight + 28;
    svg::writeHead(Title, Width,
                   LegendTop + LineHeight * (int64_t(Lines.size()) + 2), Os);
    text(16, 26, "title", Title);
    text(16, 44, "axis",
         std::to_string(Of.Queries) + " queries (down) x " +
             std::to_string(Of.Keys) +
             " keys (across), shaded by the product of the factors between");
    map();
    axes();
    legend(LegendTop);
    int64_t Y = LegendTop + 2 * LineHeight;
    for (const auto &[Name, Text] : Lines) {
      text(16, Y, "axis", Name);
      text(120, Y, "", Text);
      Y += LineHeight;
    }
    Os << "</svg>\n";
  }

private:
  void text(int64_t X, int64_t Y, llvm::StringRef Class, llvm::StringRef Text,
            llvm::StringRef Anchor = "") {
    svg::writeText(X, Y, Class, Text, Anchor, Os);
  }

  /// 0 for what no query sees, -1 for the window.
  int64_t shade(int64_t Row, int64_t Col) const {
    const size_t At = Grid.at(Row, Col);
    if (Grid.Pairs[At] == 0)
      return 0;
    if (Grid.InWindow[At])
      return -1;
    return std::clamp<int64_t>(
        std::llround(Grid.Factor[At] * static_cast<double>(NumOpacities)), 1,
        NumOpacities);
  }

  void openShade(const char *Element, int64_t Shade) {
    Os << '<' << Element << " class=\"" << (Shade < 0 ? "live" : "full") << '"';
    if (Shade > 0 && Shade < NumOpacities)
      Os << " fill-opacity=\""
         << llvm::format("%.3f", static_cast<double>(Shade) / NumOpacities)
         << '"';
  }

  void map() {
    if (MapWidth == 0 || MapHeight == 0)
      return;
    Os << "<g shape-rendering=\"crispEdges\" transform=\"translate(" << Left
       << ' ' << Top << ")\">\n<rect class=\"empty\" width=\"" << MapWidth
       << "\" height=\"" << MapHeight << "\"/>\n";
    // What has faded is paper, unlike what is not seen.
    Os << "<path class=\"paper\"";
    svg::writeBoxes(svg::cover(Grid.rows(), Grid.cols(),
                               [&](int64_t Row, int64_t Col) {
                                 return shade(Row, Col) != 0;
                               }),
                    Cell, Os);
    for (int64_t Shade = -1; Shade <= NumOpacities; ++Shade) {
      if (Shade == 0)
        continue;
      const std::vector<svg::Box> Boxes =
          svg::cover(Grid.rows(), Grid.cols(), [&](int64_t Row, int64_t Col) {
            return shade(Row, Col) == Shade;
          });
      if (Boxes.empty())
        continue;
      openShade("path", Shade);
      svg::writeBoxes(Boxes, Cell, Os);
    }
    Os << "<rect class=\"frame\" width=\"" << MapWidth << "\" height=\""
       << MapHeight << "\"/>\n</g>\n";
  }

  /// Positions where cells begin, as many as fit without touching.
  void axes() {
    const int64_t KeyOrigin =
        Of.IsCausal ? Of.Origin - (Of.Keys - Of.Queries) : 0;
    const int64_t Columns = std::max<int64_t>(1, 72 / Cell);
    for (int64_t Col = 0; Col < Grid.cols(); Col += Columns)
      text(Left + Col * Cell, Top - 6, "axis",
           std::to_string(KeyOrigin + Grid.Key[size_t(Col)]));
    const int64_t Step = std::max<int64_t>(1, 48 / Cell);
    for (int64_t Row = 0; Row < Grid.rows(); Row += Step)
      text(Left - 6, Top + Row * Cell + 10, "axis",
           std::to_string(Of.Origin + Grid.Query[size_t(Row)]), "end");
  }

  void sample(int64_t &X, int64_t Y, int64_t Shade, llvm::StringRef Text) {
    if (Shade == 0)
      Os << "<rect class=\"empty\"";
    else
      openShade("rect", Shade);
    Os << " x=\"" << X << "\" y=\"" << Y - 10
       << "\" width=\"12\" height=\"12\"/>\n";
    text(X + 16, Y, "", Text);
    X += 16 + 8 * int64_t(Text.size()) + 12;
  }

  void legend(int64_t Y) {
    int64_t X = 16;
    sample(X, Y, NumOpacities, "1");
    if (Of.Kind != DecayKind::None) {
      sample(X, Y, NumOpacities / 2, "1/2");
      sample(X, Y, NumOpacities / 4, "1/4");
      sample(X, Y, 1, "faded");
    }
    if (Of.IsCausal)
      sample(X, Y, 0, "not seen");
    if (Of.Window)
      sample(X, Y, -1, "has keys of the window");
  }

  const DecayProblem &Of;
  const DecayGrid &Grid;
  llvm::raw_ostream &Os;
  int64_t Cell;
  int64_t MapWidth;
  int64_t MapHeight;
};

} // namespace

llvm::Error heddle::writeDecaySvg(const DecayProblem &Of,
                                  llvm::StringRef Path) {
  // Cells stay square: the longer side has up to MaxDecayCells of them.
  const int64_t Rows = (Of.Queries + Of.QueryTile - 1) / Of.QueryTile;
  const int64_t Cols = (Of.Keys + Of.KeyTile - 1) / Of.KeyTile;
  const int64_t Longest = std::max<int64_t>({Rows, Cols, 1});
  auto Share = [&](int64_t Tiles) {
    return Longest <= MaxDecayCells
               ? Tiles
               : std::max<int64_t>(1, (Tiles * MaxDecayCells + Longest / 2) /
                                          Longest);
  };
  llvm::Expected<DecayGrid> Grid = shadeDecay(Of, Share(Rows), Share(Cols));
  if (!Grid)
    return Grid.takeError();
  return svg::writeFile(
      Path, [&](llvm::raw_ostream &Os) { DecayDrawing(Of, *Grid, Os).draw(); });
}
