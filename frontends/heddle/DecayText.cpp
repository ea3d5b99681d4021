// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/DecayRender.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>

using namespace heddle;
using attn::DecayKind;

namespace {

/// What a cell says, from the faintest on.
enum class Shade : unsigned {
  Unseen,
  Faded,
  Quarter,
  Half,
  More,
  Most,
  Window
};
constexpr unsigned NumShades = 7;
constexpr const char *UnicodeShades[NumShades] = {"·", " ", "░", "▒",
                                                  "▓", "█", "w"};
constexpr const char *AsciiShades[NumShades] = {".", " ", "-", "+",
                                                "%", "#", "w"};
constexpr llvm::StringLiteral Meanings[NumShades] = {
    "not seen",    "less",         "1/100 or more",         "1/4 or more",
    "1/2 or more", "3/4 and more", "has keys of the window"};

Shade shadeOf(const DecayGrid &Grid, size_t Cell) {
  if (Grid.Pairs[Cell] == 0)
    return Shade::Unseen;
  if (Grid.InWindow[Cell])
    return Shade::Window;
  const double Factor = Grid.Factor[Cell];
  return Factor >= 0.75   ? Shade::Most
         : Factor >= 0.5  ? Shade::More
         : Factor >= 0.25 ? Shade::Half
         : Factor >= 0.01 ? Shade::Quarter
                          : Shade::Faded;
}

constexpr int64_t MostRows = 48;

class DecayPainter {
public:
  DecayPainter(const DecayProblem &Of, const DecayGrid &Grid,
               llvm::raw_ostream &Os, const TextStyle &Style, unsigned Gutter,
               bool Wide)
      : Of(Of), Grid(Grid), Os(Os), Style(Style), Gutter(Gutter), Wide(Wide) {}

  void paint() {
    if (Grid.rows() == 0 || Grid.cols() == 0) {
      Os << "nothing to draw: " << Of.Queries << " queries, " << Of.Keys
         << " keys\n";
      return;
    }
    keyAxis();
    const int64_t Step = Grid.rows() <= 12 ? 1 : 4;
    for (int64_t Row = 0; Row < Grid.rows(); ++Row) {
      if (Row % Step == 0)
        Os << llvm::right_justify(
                  llvm::itostr(Of.Origin + Grid.Query[size_t(Row)]), Gutter)
           << ' ';
      else
        Os.indent(Gutter + 1);
      row(Row);
      Os << '\n';
    }
    legend();
  }

private:
  void keyAxis() {
    std::string Line;
    const auto CellWidth = static_cast<size_t>(Wide ? 2 : 1);
    const size_t LabelWidth = llvm::itostr(Of.Origin + Of.Keys).size() + 2;
    const size_t Step =
        (std::max<size_t>(LabelWidth, 8) + CellWidth - 1) / CellWidth;
    for (size_t Col = 0; Col < size_t(Grid.cols()); Col += Step) {
      const std::string Label = llvm::itostr(keyPosition(Grid.Key[Col]));
      if (Col * CellWidth + Label.size() > Style.Width - Gutter - 1)
        break;
      Line.resize(Col * CellWidth, ' ');
      Line += Label;
    }
    Os << llvm::right_justify("q \\ k", Gutter) << ' ' << Line << '\n';
  }

  /// The absolute position of a key.
  int64_t keyPosition(int64_t Key) const {
    return Of.IsCausal ? Of.Origin + Key - (Of.Keys - Of.Queries) : Key;
  }

  /// The colour says what the glyph says: nothing depends on it.
  void glyph(Shade S, unsigned Times) {
    static constexpr const char *Colours[NumShades] = {"90", "0",  "36", "36",
                                                       "34", "34", "33"};
    const auto I = static_cast<unsigned>(S);
    if (Style.Colour)
      Os << "\033[" << Colours[I] << 'm';
    for (unsigned T = 0; T < Times; ++T)
      Os << (Style.Unicode ? UnicodeShades : AsciiShades)[I];
    if (Style.Colour)
      Os << "\033[0m";
  }

  void row(int64_t Row) {
    for (int64_t Col = 0; Col < Grid.cols(); ++Col)
      glyph(shadeOf(Grid, Grid.at(Row, Col)), Wide ? 2 : 1);
  }

  void legend() {
    std::vector<bool> Used(NumShades);
    for (size_t Cell = 0; Cell < Grid.Pairs.size(); ++Cell)
      Used[static_cast<size_t>(shadeOf(Grid, Cell))] = true;
    Os << '\n';
    Os.indent(Gutter + 1);
    const char *Space = "";
    for (unsigned I = NumShades; I-- > 0;) {
      if (!Used[I])
        continue;
      Os << Space;
      Space = "   ";
      glyph(static_cast<Shade>(I), 1);
      Os << ' ' << Meanings[I];
    }
    Os << '\n';
  }

  const DecayProblem &Of;
  const DecayGrid &Grid;
  llvm::raw_ostream &Os;
  const TextStyle &Style;
  unsigned Gutter;
  bool Wide;
};

} // namespace

std::string heddle::describeRecurrence(const DecayProblem &Of) {
  return describeSymbol(Of.Name, Of.Numbers);
}

/// "0.968" and how long it takes to halve.
static std::string describeFactor(const DecayProblem &Of,
                                  const DecayGrid &Grid) {
  if (Of.Kind == DecayKind::None)
    return Of.IsCausal ? "none: every key up to the query counts alike"
                       : "none: every key counts alike";
  std::string Text;
  llvm::raw_string_ostream Os(Text);
  Os << (Of.Kind == DecayKind::Constant ? "one per head"
         : Of.Kind == DecayKind::PerToken
             ? "one per token"
             : "one per token and each of " + llvm::itostr(Of.Channels) +
                   " features");
  if (Of.Keys == 0)
    return Text;
  if (Of.Kind == DecayKind::Constant)
    Os << ", " << llvm::format("%.6g", Grid.Mean);
  else
    Os << ", " << llvm::format("%.4g", Grid.Least) << " to "
       << llvm::format("%.4g", Grid.Most) << ", mean "
       << llvm::format("%.6g", Grid.Mean);
  if (Of.Kind == DecayKind::Constant && Grid.Mean > 0 && Grid.Mean < 1)
    Os << ": half after " << llvm::format("%.3g", -1 / std::log2(Grid.Mean))
       << " tokens";
  return Text;
}

std::vector<std::pair<std::string, std::string>>
heddle::describeDecay(const DecayProblem &Of, const DecayGrid &Grid) {
  std::vector<std::pair<std::string, std::string>> Lines;
  auto Line = [&](const char *Name, auto Write) {
    std::string Text;
    llvm::raw_string_ostream Stream(Text);
    Write(Stream);
    Lines.push_back({Name, Text});
  };
  for (const auto &[Name, Summary] : Of.Operands)
    Lines.push_back({Name, Summary});
  Lines.push_back(
      {"head", describeHead(Of.B, Of.H, Of.UsesBatch, Of.UsesHead, Of.Origin)});
  Lines.push_back({"factors", describeFactor(Of, Grid)});
  if (Of.Window)
    Line("window", [&](llvm::raw_ostream &Os) {
      Os << "the nearest " << groupDigits(*Of.Window)
         << " keys by a softmax, those before by the state";
    });
  Line("pairs", [&](llvm::raw_ostream &Os) {
    Os << groupDigits(Grid.AllPairs) << " of "
       << groupDigits(Of.Queries * Of.Keys) << " seen, mean factor "
       << llvm::format("%.4g", Grid.MeanFactor);
  });
  Line("state", [&](llvm::raw_ostream &Os) {
    Os << Of.StateRows << " x " << Of.StateColumns << " numbers";
    if (Of.HasSums)
      Os << " and " << Of.StateRows << " sums";
    Os << " per head, "
       << groupDigits(4 * Of.StateRows * (Of.StateColumns + Of.HasSums))
       << " bytes at any length";
  });
  Line("per token", [&](llvm::raw_ostream &Os) {
    const int64_t Last = 2 * Of.Keys * (Of.HeadDim + Of.StateColumns);
    Os << groupDigits(std::llround(Of.FlopPerToken))
       << " FLOP per head to change the state and to read it; attention to "
       << groupDigits(Of.Keys) << " keys takes " << groupDigits(Last);
  });
  return Lines;
}

llvm::Error heddle::printDecayText(const DecayProblem &Of,
                                   llvm::raw_ostream &Os,
                                   const TextStyle &Style) {
  const auto Digits = static_cast<unsigned>(
      llvm::itostr(Of.Origin + std::max(Of.Queries, Of.Keys)).size());
  const unsigned Gutter = std::max(5U, Digits);
  const int64_t Room = std::max<int64_t>(8, int64_t(Style.Width) - Gutter - 1);
  const int64_t Rows = (Of.Queries + Of.QueryTile - 1) / Of.QueryTile;
  const int64_t Cols = (Of.Keys + Of.KeyTile - 1) / Of.KeyTile;
  // Two characters make a cell about square.
  const bool Wide = Cols * 2 <= Room && Rows <= MostRows;
  int64_t Height = Rows, Width = Cols;
  if (!Wide) {
    const double Aspect = static_cast<double>(Of.Queries) /
                          static_cast<double>(std::max<int64_t>(1, Of.Keys));
    const double Most = static_cast<double>(std::min(Room, Cols));
    const double Tall = std::min<double>(MostRows, Most * Aspect / 2);
    Height = std::llround(Tall);
    Width = std::llround(
        std::min(Most, std::max(8.0, Aspect > 0 ? 2 * Tall / Aspect : Most)));
  }
  llvm::Expected<DecayGrid> Grid = shadeDecay(Of, Height, Width);
  if (!Grid)
    return Grid.takeError();
  Os << describeRecurrence(Of) << ": " << Of.Queries << " queries x " << Of.Keys
     << " keys in tiles of " << Of.QueryTile << " x " << Of.KeyTile
     << ", shaded by the product of the factors between\n\n";
  DecayPainter(Of, *Grid, Os, Style, Gutter, Wide).paint();
  Os << '\n';
  for (const auto &[Name, Text] : describeDecay(Of, *Grid))
    Os << llvm::left_justify(Name, 14) << Text << '\n';
  return llvm::Error::success();
}

static void writeCells(llvm::json::OStream &Json, const DecayGrid &Grid) {
  Json.attribute("reduced", Grid.IsReduced);
  Json.attribute("query", llvm::json::Array(Grid.Query));
  Json.attribute("key", llvm::json::Array(Grid.Key));
  auto Matrix = [&](const char *Name, auto Write) {
    Json.attributeArray(Name, [&] {
      for (int64_t Row = 0; Row < Grid.rows(); ++Row)
        Json.array([&] {
          for (int64_t Col = 0; Col < Grid.cols(); ++Col)
            Write(Grid.at(Row, Col));
        });
    });
  };
  Matrix("factor", [&](size_t Cell) {
    if (Grid.Pairs[Cell] > 0)
      Json.value(Grid.Factor[Cell]);
    else
      Json.value(nullptr);
  });
  Matrix("window", [&](size_t Cell) { Json.value(bool(Grid.InWindow[Cell])); });
}

llvm::Error heddle::printDecayJson(const DecayProblem &Of,
                                   llvm::raw_ostream &Os) {
  llvm::Expected<DecayGrid> Grid = shadeDecay(Of, MaxDecayCells, MaxDecayCells);
  if (!Grid)
    return Grid.takeError();
  llvm::json::OStream Json(Os);
  Json.objectBegin();
  Json.attribute("recurrence", Of.Name);
  Json.attributeObject("params", [&] {
    for (const auto &[Name, Value] : Of.Numbers)
      Json.attributeBegin(Name), Json.rawValue(Value), Json.attributeEnd();
  });
  Json.attributeObject("operands", [&] {
    for (const auto &[Name, Summary] : Of.Operands)
      Json.attribute(Name, Summary);
  });
  Json.attribute("b", Of.B);
  Json.attribute("h", Of.H);
  Json.attribute("origin", Of.Origin);
  Json.attribute("queries", Of.Queries);
  Json.attribute("keys", Of.Keys);
  Json.attribute("uses_batch", Of.UsesBatch);
  Json.attribute("uses_head", Of.UsesHead);
  Json.attribute("causal", Of.IsCausal);
  if (Of.Window)
    Json.attribute("window", *Of.Window);
  Json.attributeObject("decay", [&] {
    Json.attribute("kind", decayKindName(Of.Kind));
    Json.attribute("channels", Of.Channels);
    if (Of.Keys > 0) {
      Json.attribute("least", Grid->Least);
      Json.attribute("most", Grid->Most);
      Json.attribute("mean", Grid->Mean);
    }
  });
  Json.attribute("pairs", Grid->AllPairs);
  Json.attribute("mean_factor", Grid->MeanFactor);
  Json.attributeObject("state", [&] {
    Json.attribute("rows", Of.StateRows);
    Json.attribute("columns", Of.StateColumns);
    Json.attribute("sums", Of.HasSums);
    Json.attribute("bytes", 4 * Of.StateRows * (Of.StateColumns + Of.HasSums));
  });
  Json.attribute("flop_per_token", Of.FlopPerToken);
  Json.attributeObject("cells", [&] { writeCells(Json, *Grid); });
  Json.objectEnd();
  Os << '\n';
  return llvm::Error::success();
}
