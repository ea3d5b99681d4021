// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowGrid.h"
#include "frontends/heddle/ShowRender.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Process.h"

#include <algorithm>
#include <cmath>

using namespace heddle;

namespace {

/// A cell of the picture, one character.
struct Glyphs {
  const char *Level[NumCellLevels];
};
constexpr Glyphs UnicodeGlyphs = {{"·", "░", "▒", "▓", "█"}};
constexpr Glyphs AsciiGlyphs = {{".", "-", "+", "%", "#"}};
/// Where every cell is one tile, there are only three levels; the middle one
/// then takes the glyph that differs most from its neighbours.
constexpr const char *UnicodePartial = "▒";
constexpr const char *AsciiPartial = "+";

constexpr unsigned MaxRows = 48;

unsigned digits(int64_t X) {
  return static_cast<unsigned>(llvm::itostr(X).size());
}

class PatternPainter {
public:
  PatternPainter(const ShowResult &Result, llvm::raw_ostream &Os,
                 const TextStyle &Style)
      : Result(Result), Os(Os), Style(Style), Gutter(gutter()),
        Grid(makeGrid()) {}

  void paint() {
    if (Grid.rows() == 0 || Grid.cols() == 0) {
      Os << "nothing to draw: " << Result.Options.Queries << " queries, "
         << Result.Options.Keys << " keys\n";
      return;
    }
    // Two characters make a cell about square.
    Wide = Grid.cols() * 2 <= room() && Grid.cols() == Result.KeyTiles &&
           Grid.rows() == Result.QueryTiles;
    keyAxis();
    const int64_t Step = Grid.rows() <= 12 ? 1 : 4;
    for (int64_t Row = 0; Row < Grid.rows(); ++Row) {
      const int64_t Position = Result.queryLabel(Grid.firstQueryTile(Row));
      if (Row % Step == 0)
        Os << llvm::right_justify(llvm::itostr(Position), Gutter) << ' ';
      else
        Os.indent(Gutter + 1);
      row(Row);
      Os << '\n';
    }
    legend();
  }

private:
  unsigned gutter() const {
    return std::max({digits(Result.queryLabel(0)),
                     digits(Result.queryLabel(Result.QueryTiles)), 5U});
  }

  int64_t room() const {
    return std::max<int64_t>(8, int64_t(Style.Width) - Gutter - 1);
  }

  /// The largest grid that fits and keeps the proportions of the tile map, a
  /// character being about twice as high as wide.
  ShowGrid makeGrid() const {
    const int64_t QueryTiles = std::max<int64_t>(1, Result.QueryTiles);
    const int64_t KeyTiles = std::max<int64_t>(1, Result.KeyTiles);
    if (KeyTiles * 2 <= room() && QueryTiles <= MaxRows)
      return ShowGrid(Result, QueryTiles, KeyTiles);
    double Cols = static_cast<double>(std::min(room(), KeyTiles));
    const double Aspect =
        static_cast<double>(Result.Options.Queries) /
        static_cast<double>(std::max<int64_t>(1, Result.Options.Keys));
    double Rows = Cols * Aspect / 2;
    if (Rows > MaxRows) {
      Rows = MaxRows;
      Cols = std::max(std::min(Cols, 8.0), 2 * Rows / Aspect);
    }
    return ShowGrid(Result, std::llround(Rows), std::llround(Cols));
  }

  /// Positions of keys above the columns where they begin.
  void keyAxis() {
    std::string Line;
    const int64_t CellWidth = Wide ? 2 : 1;
    const int64_t LabelWidth = digits(Result.keyLabel(Result.KeyTiles)) + 2;
    const int64_t Step =
        (std::max<int64_t>(LabelWidth, 8) + CellWidth - 1) / CellWidth;
    for (int64_t Col = 0; Col < Grid.cols(); Col += Step) {
      std::string Label = llvm::itostr(Result.keyLabel(Grid.firstKeyTile(Col)));
      const auto At = static_cast<size_t>(Col * CellWidth);
      if (At + Label.size() > static_cast<size_t>(room()))
        break;
      Line.resize(At, ' ');
      Line += Label;
    }
    Os << llvm::right_justify(Result.HasGrid ? "boxes" : "q \\ k", Gutter)
       << ' ' << Line << '\n';
  }

  const char *glyph(CellLevel Level) const {
    if (Level == CellLevel::Live && !Grid.isReduced())
      return Style.Unicode ? UnicodePartial : AsciiPartial;
    const Glyphs &All = Style.Unicode ? UnicodeGlyphs : AsciiGlyphs;
    return All.Level[static_cast<unsigned>(Level)];
  }

  /// The colour says what the glyph says: nothing depends on it.
  void colour(CellLevel Level) {
    if (!Style.Colour)
      return;
    switch (Level) {
    case CellLevel::Empty:
      Os << "\033[90m";
      break;
    case CellLevel::Some:
    case CellLevel::Half:
      Os << "\033[36m";
      break;
    case CellLevel::Live:
      Os << "\033[33m";
      break;
    case CellLevel::Full:
      Os << "\033[34m";
      break;
    }
  }

  void resetColour() {
    if (Style.Colour)
      Os << "\033[0m";
  }

  void row(int64_t Row) {
    CellLevel Current = Grid.level(Row, 0);
    colour(Current);
    for (int64_t Col = 0; Col < Grid.cols(); ++Col) {
      const CellLevel Level = Grid.level(Row, Col);
      if (Level != Current)
        colour(Level);
      Current = Level;
      Os << glyph(Level);
      if (Wide)
        Os << glyph(Level);
    }
    resetColour();
  }

  void legend() {
    Os << '\n';
    Os.indent(Gutter + 1);
    const char *Space = "";
    for (const LegendEntry &E : Grid.legend()) {
      Os << Space;
      Space = "   ";
      colour(E.Level);
      Os << glyph(E.Level);
      resetColour();
      Os << ' ' << E.Text;
    }
    const int64_t TallCell =
        (Result.QueryTiles + Grid.rows() - 1) / Grid.rows();
    const int64_t WideCell = (Result.KeyTiles + Grid.cols() - 1) / Grid.cols();
    if (Grid.isReduced()) {
      Os << '\n';
      Os.indent(Gutter + 1) << "one character: up to " << TallCell << " x "
                            << WideCell << " tiles";
    }
    Os << "\n";
  }

  const ShowResult &Result;
  llvm::raw_ostream &Os;
  const TextStyle &Style;
  unsigned Gutter;
  ShowGrid Grid;
  bool Wide = false;
};

bool localeIsUtf8() {
  // The first that is set to something decides, as in setlocale(3).
  for (const char *Name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::optional<std::string> Value = llvm::sys::Process::GetEnv(Name);
    if (!Value || Value->empty())
      continue;
    std::string Lower = llvm::StringRef(*Value).lower();
    return Lower.find("utf-8") != std::string::npos ||
           Lower.find("utf8") != std::string::npos;
  }
  return false;
}

} // namespace

TextStyle heddle::detectTextStyle(ColourMode Mode) {
  TextStyle Style;
  if (unsigned Columns = llvm::sys::Process::StandardOutColumns())
    Style.Width = Columns;
  Style.Unicode = localeIsUtf8();
  std::optional<std::string> NoColour = llvm::sys::Process::GetEnv("NO_COLOR");
  Style.Colour =
      Mode == ColourMode::Always ||
      (Mode == ColourMode::Auto && (!NoColour || NoColour->empty()) &&
       llvm::sys::Process::StandardOutHasColors());
  return Style;
}

std::string heddle::describeSymbol(
    const std::string &Name,
    llvm::ArrayRef<std::pair<std::string, std::string>> Numbers) {
  std::string Out = "@" + Name;
  if (Numbers.empty())
    return Out;
  Out += '(';
  for (const auto &[Parameter, Value] : Numbers)
    Out += (Out.back() == '(' ? "" : ", ") + Parameter + " = " + Value;
  return Out + ")";
}

std::string heddle::describePattern(const ShowResult &Result) {
  return describeSymbol(Result.Pattern, Result.Numbers);
}

std::string heddle::describeHead(int64_t B, int64_t H, bool UsesBatch,
                                 bool UsesHead, int64_t Origin) {
  std::string Text;
  llvm::raw_string_ostream Os(Text);
  Os << "b=" << B << ", h=" << H;
  if (!UsesBatch && !UsesHead)
    Os << " (all are alike)";
  else if (!UsesBatch)
    Os << " (differs from head to head)";
  else if (!UsesHead)
    Os << " (differs from sequence to sequence)";
  if (Origin != 0)
    Os << ", first query at position " << Origin;
  return Text;
}

std::string heddle::groupDigits(int64_t X) {
  std::string Out = llvm::itostr(X);
  const size_t First = X < 0 ? 1 : 0;
  for (size_t At = Out.size(); At > First + 3;) {
    At -= 3;
    Out.insert(At, ",");
  }
  return Out;
}

std::vector<std::pair<std::string, std::string>>
heddle::describeCounts(const ShowResult &Result) {
  std::vector<std::pair<std::string, std::string>> Lines;
  auto Line = [&](const char *Name, auto Write) {
    std::string Text;
    llvm::raw_string_ostream Stream(Text);
    Write(Stream);
    Lines.push_back({Name, Text});
  };
  const ShowOptions &O = Result.Options;
  for (const auto &[Name, Summary] : Result.Operands)
    Lines.push_back({Name, Summary});
  Lines.push_back({"head", describeHead(O.B, O.H, Result.UsesBatch,
                                        Result.UsesHead, O.Origin)});
  Line("kept pairs", [&](llvm::raw_ostream &Os) {
    Os << groupDigits(Result.KeptPairs) << " of "
       << groupDigits(O.Queries * O.Keys) << ", density "
       << llvm::format("%.4g", 100 * Result.density()) << " %";
  });
  Line("tiles", [&](llvm::raw_ostream &Os) {
    Os << groupDigits(Result.Full) << " full, " << groupDigits(Result.Partial)
       << " partial, " << groupDigits(Result.Empty) << " empty";
  });
  Line("keys per row", [&](llvm::raw_ostream &Os) {
    const RowExtremes &R = Result.Rows;
    Os << "min " << groupDigits(R.Min) << " (row " << R.MinRow << "), max "
       << groupDigits(R.Max) << " (row " << R.MaxRow << "), mean "
       << llvm::format("%.6g", Result.meanKept());
  });
  Line("empty rows", [&](llvm::raw_ostream &Os) {
    Os << groupDigits(Result.Rows.Empty);
    if (Result.Rows.Empty != 0)
      Os << ", the first is row " << Result.Rows.FirstEmpty;
  });
  return Lines;
}

void heddle::printShowText(const ShowResult &Result, llvm::raw_ostream &Os,
                           const TextStyle &Style) {
  const ShowOptions &O = Result.Options;
  Os << describePattern(Result) << ": " << O.Queries << " queries x " << O.Keys
     << " keys in " << (Result.HasGrid ? "boxes" : "tiles") << " of "
     << describeTiles(O) << "\n\n";
  PatternPainter(Result, Os, Style).paint();
  Os << '\n';
  for (const auto &[Name, Text] : describeCounts(Result))
    Os << llvm::left_justify(Name, 14) << Text << '\n';
}
