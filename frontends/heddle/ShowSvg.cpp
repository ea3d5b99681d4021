// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowGrid.h"
#include "frontends/heddle/ShowRender.h"
#include "frontends/heddle/SvgParts.h"

#include "llvm/Support/raw_ostream.h"

using namespace heddle;

namespace {

constexpr int64_t MaxCells = 256;

constexpr const char *Classes[NumCellLevels] = {"empty", "some", "half", "live",
                                                "full"};

class PatternDrawing : public svg::MapDrawing {
public:
  PatternDrawing(const ShowResult &Result, const ShowGrid &Grid,
                 llvm::raw_ostream &Os)
      : MapDrawing(Grid.rows(), Grid.cols(), Os), Result(Result), Grid(Grid) {}

private:
  void fill() override {
    for (CellLevel Level :
         {CellLevel::Some, CellLevel::Half, CellLevel::Live, CellLevel::Full})
      cells([&](int64_t Row,
                int64_t Col) { return Grid.level(Row, Col) == Level; },
            [&] { start("path", Level); });
  }

  void legend() override {
    for (const LegendEntry &E : Grid.legend())
      entry(E.Text, [&] { start("rect", E.Level); });
  }

  int64_t rowLabel(int64_t Row) const override {
    return Result.queryLabel(Grid.firstQueryTile(Row));
  }

  int64_t columnLabel(int64_t Column) const override {
    return Result.keyLabel(Grid.firstKeyTile(Column));
  }

  void start(const char *Element, CellLevel Level) {
    Os << '<' << Element << " class=\"" << Classes[static_cast<unsigned>(Level)]
       << '"';
  }

  const ShowResult &Result;
  const ShowGrid &Grid;
};

} // namespace

void heddle::printShowSvg(const ShowResult &Result, llvm::raw_ostream &Os) {
  const auto [Rows, Columns] =
      svg::squareCells(Result.QueryTiles, Result.KeyTiles, MaxCells);
  const ShowGrid Grid(Result, Rows, Columns);
  PatternDrawing(Result, Grid, Os)
      .draw(describePattern(Result),
            std::to_string(Result.Options.Queries) + " queries (down) x " +
                std::to_string(Result.Options.Keys) + " keys (across), " +
                (Result.HasGrid ? "boxes " : "tiles ") +
                describeTiles(Result.Options),
            describeCounts(Result));
}

llvm::Error heddle::writeShowSvg(const ShowResult &Result,
                                 llvm::StringRef Path) {
  return svg::writeFile(
      Path, [&](llvm::raw_ostream &Os) { printShowSvg(Result, Os); });
}
