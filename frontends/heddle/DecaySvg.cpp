// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/DecayRender.h"
#include "frontends/heddle/SvgParts.h"

#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>

using namespace heddle;
using attn::DecayKind;

namespace {

/// Factors are drawn in so many opacities, the lowest for all that is left of
/// what has faded.
constexpr int64_t NumOpacities = 24;

class DecayDrawing : public svg::MapDrawing {
public:
  DecayDrawing(const DecayProblem &Of, const DecayGrid &Grid,
               llvm::raw_ostream &Os)
      : MapDrawing(Grid.rows(), Grid.cols(), Os), Of(Of), Grid(Grid) {}

private:
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

  void fill() override {
    // What has faded is paper, unlike what is not seen.
    cells([&](int64_t Row, int64_t Col) { return shade(Row, Col) != 0; },
          [&] { Os << "<path class=\"paper\""; });
    for (int64_t Shade = -1; Shade <= NumOpacities; ++Shade)
      if (Shade != 0)
        cells(
            [&](int64_t Row, int64_t Col) { return shade(Row, Col) == Shade; },
            [&] { openShade("path", Shade); });
  }

  int64_t rowLabel(int64_t Row) const override {
    return Of.Origin + Grid.Query[size_t(Row)];
  }

  int64_t columnLabel(int64_t Column) const override {
    const int64_t KeyOrigin =
        Of.IsCausal ? Of.Origin - (Of.Keys - Of.Queries) : 0;
    return KeyOrigin + Grid.Key[size_t(Column)];
  }

  void sample(int64_t Shade, llvm::StringRef Text) {
    entry(Text, [&] {
      if (Shade == 0)
        Os << "<rect class=\"empty\"";
      else
        openShade("rect", Shade);
    });
  }

  void legend() override {
    sample(NumOpacities, "1");
    if (Of.Kind != DecayKind::None) {
      sample(NumOpacities / 2, "1/2");
      sample(NumOpacities / 4, "1/4");
      sample(1, "faded");
    }
    if (Of.IsCausal)
      sample(0, "not seen");
    if (Of.Window)
      sample(-1, "has keys of the window");
  }

  const DecayProblem &Of;
  const DecayGrid &Grid;
};

} // namespace

llvm::Error heddle::writeDecaySvg(const DecayProblem &Of,
                                  llvm::StringRef Path) {
  const auto [Rows, Columns] =
      svg::squareCells((Of.Queries + Of.QueryTile - 1) / Of.QueryTile,
                       (Of.Keys + Of.KeyTile - 1) / Of.KeyTile, MaxDecayCells);
  llvm::Expected<DecayGrid> Grid = shadeDecay(Of, Rows, Columns);
  if (!Grid)
    return Grid.takeError();
  return svg::writeFile(Path, [&](llvm::raw_ostream &Os) {
    DecayDrawing(Of, *Grid, Os)
        .draw(
            describeRecurrence(Of),
            std::to_string(Of.Queries) + " queries (down) x " +
                std::to_string(Of.Keys) +
                " keys (across), shaded by the product of the factors between",
            describeDecay(Of, *Grid));
  });
}
