// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Trace.h"

#include "dialect/attn/reference/Failure.h"
#include "dialect/attn/reference/Row.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>

using namespace heddle::attn;

namespace {

/// Keys and output elements in the table; JSON has them all.
constexpr size_t ShownKeys = 16;
constexpr size_t ShownOutputs = 32;
constexpr unsigned BarWidth = 24;

void printRun(llvm::raw_ostream &Os, KeyRun Run) {
  Os << Run.Begin;
  if (Run.size() > 1)
    Os << ".." << Run.End - 1;
}

/// Prints comma-separated pieces, broken at `Width` under an indent.
class Wrapped {
public:
  Wrapped(llvm::raw_ostream &Os, unsigned Indent, unsigned Width)
      : Os(Os), Indent(Indent), Width(std::max(Width, Indent + 20)),
        Column(Indent) {}

  void add(llvm::StringRef Piece) {
    if (!First) {
      Os << ',';
      ++Column;
      if (Column + 1 + Piece.size() > Width) {
        (Os << '\n').indent(Indent);
        Column = Indent;
      } else {
        Os << ' ';
        ++Column;
      }
    }
    First = false;
    Os << Piece;
    Column += Piece.size();
  }

private:
  llvm::raw_ostream &Os;
  size_t Indent;
  size_t Width;
  size_t Column;
  bool First = true;
};

/// A kept key, its source before it where there are several.
std::vector<std::string> listKeys(const RowTrace &Trace) {
  std::vector<std::string> Keys;
  for (auto [S, Source] : llvm::enumerate(Trace.Sources))
    for (KeyRun Run : Source.Kept)
      for (int64_t J = Run.Begin; J < Run.End; ++J)
        Keys.push_back(
            (Trace.Sources.size() > 1 ? std::to_string(S) + ":" : "") +
            std::to_string(J));
  return Keys;
}

/// The `ShownKeys` heaviest keys, in ascending order of position.
std::vector<size_t> heaviest(llvm::ArrayRef<double> Weights) {
  std::vector<size_t> Order(Weights.size());
  for (size_t I = 0; I < Order.size(); ++I)
    Order[I] = I;
  if (Order.size() <= ShownKeys)
    return Order;
  // What is not a number comes first: it is what a trace is read for.
  auto Heavier = [&](size_t A, size_t B) {
    const bool NanA = std::isnan(Weights[A]);
    const bool NanB = std::isnan(Weights[B]);
    if (NanA != NanB)
      return NanA;
    if (!NanA && Weights[A] != Weights[B])
      return Weights[A] > Weights[B];
    return A < B;
  };
  llvm::sort(Order, Heavier);
  Order.resize(ShownKeys);
  llvm::sort(Order);
  return Order;
}

llvm::json::Value number(double X) {
  if (std::isfinite(X))
    return X;
  if (std::isnan(X))
    return "nan";
  return X > 0 ? "inf" : "-inf";
}

llvm::json::Array numbers(llvm::ArrayRef<double> Values) {
  llvm::json::Array Out;
  for (double X : Values)
    Out.push_back(number(X));
  return Out;
}

} // namespace

llvm::Expected<TracePoint> heddle::attn::parseTracePoint(llvm::StringRef Text) {
  TracePoint Point;
  bool HasRow = false;
  llvm::SmallVector<llvm::StringRef> Parts;
  Text.split(Parts, ',');

  llvm::SmallVector<llvm::StringRef> Names;
  for (llvm::StringRef Part : Parts) {
    auto [Name, Digits] = Part.trim().split('=');
    int64_t *Target = llvm::StringSwitch<int64_t *>(Name)
                          .Case("b", &Point.B)
                          .Case("h", &Point.H)
                          .Case("q", &Point.Q)
                          .Default(nullptr);
    if (!Target)
      return invalid("unknown coordinate '" + Name +
                     "' in a trace, expected b=0,h=0,q=0");
    if (llvm::is_contained(Names, Name))
      return invalid("coordinate '" + Name + "' is given twice in a trace");
    Names.push_back(Name);
    if (Digits.getAsInteger(10, *Target) || *Target < 0)
      return invalid("expected a number from 0 on for '" + Name +
                     "' in a trace, found '" + Digits + "'");
    HasRow |= Name == "q";
  }
  if (!HasRow)
    return invalid("a trace needs a row, as in b=0,h=0,q=17; found '" + Text +
                   "'");
  return Point;
}

llvm::Expected<RowTrace> heddle::attn::traceRow(const Variant &Pattern,
                                                const AttentionProblem &Problem,
                                                const TracePoint &Point) {
  if (llvm::Error E = checkProblem(Pattern, Problem))
    return E;
  auto [B, H, I] = Point;
  struct {
    const char *Name;
    int64_t Value, Size;
  } const Axes[] = {
      {"b", B, Problem.batch()},
      {"h", H, Problem.heads()},
      {"q", I, B >= 0 && B < Problem.batch() ? Problem.queries(B) : 0}};
  for (const auto &Axis : Axes)
    if (Axis.Value < 0 || Axis.Value >= Axis.Size)
      return invalid(llvm::Twine("cannot trace ") + Axis.Name + "=" +
                     llvm::Twine(Axis.Value) + ", the problem has " +
                     llvm::Twine(Axis.Size) + " of them");

  RowTrace Trace;
  Trace.Pattern = Pattern.name().str();
  Trace.Point = Point;
  Trace.Position = I + Problem.origin(B);
  Trace.HasLse = Pattern.normalization().isSoftmax();
  Program::Scratch Registers;
  std::vector<KeyHead> Heads;
  for (auto [S, Source] : llvm::enumerate(Pattern.sources())) {
    TraceSource &To = Trace.Sources.emplace_back();
    To.Pattern = Source.Keep.name().str();
    To.KeyHead = Problem.keyHead(H, S);
    To.NumKeys = Problem.keys(B, S);
    if (llvm::Error E =
            Source.Keep.keptRuns(Problem.point(B, H, I, S), Registers, To.Kept))
      return E;
    llvm::Expected<KeyHead> Head =
        readKeyHead(Pattern, Problem, S, B, To.KeyHead);
    if (!Head)
      return Head.takeError();
    Heads.push_back(std::move(*Head));
    Trace.HasScore |= Source.Score.has_value();
  }
  std::vector<RowSource> Sources;
  for (auto [Head, Source] : llvm::zip_equal(Heads, Trace.Sources))
    Sources.push_back({&Head, Source.Kept});
  Trace.Output.resize(static_cast<size_t>(Problem.V.shape[3]));
  RowResult Row;
  if (llvm::Error E = attendRow(Pattern, Problem, B, H, I, Sources, Registers,
                                Row, Trace.Output.data()))
    return E;
  Trace.Products = std::move(Row.Products);
  Trace.Scores = std::move(Row.Scores);
  Trace.Weights = std::move(Row.Weights);
  Trace.Factors = std::move(Row.Factors);
  Trace.RowMax = Row.Max;
  Trace.Lse = Row.Lse;
  return Trace;
}

namespace {

/// The kept keys of one source, under a name.
void printKept(const TraceSource &Source, const std::string &Label,
               llvm::raw_ostream &Os, unsigned Width) {
  Os << llvm::format("%-8s", Label.c_str());
  Wrapped Line(Os, 8, Width);
  for (KeyRun Run : Source.Kept) {
    std::string Text;
    llvm::raw_string_ostream Stream(Text);
    printRun(Stream, Run);
    Line.add(Text);
  }
  Os << '\n';
}

/// The heaviest keys with what becomes of their scores.
void printWeights(const RowTrace &Trace, llvm::raw_ostream &Os,
                  unsigned Width) {
  unsigned Used = 42;
  Os << llvm::format("%10s", "key");
  if (Trace.HasScore) {
    Os << llvm::format("  %14s", "product");
    Used += 16;
  }
  Os << llvm::format("  %14s  %12s", "score", "weight");
  if (!Trace.Factors.empty()) {
    Os << llvm::format("  %12s", "factor");
    Used += 14;
  }
  Os << '\n';
  const std::vector<std::string> Keys = listKeys(Trace);
  double Largest = 0;
  for (double Weight : Trace.Weights)
    if (std::isfinite(Weight))
      Largest = std::max(Largest, Weight);
  for (size_t I : heaviest(Trace.Weights)) {
    Os << llvm::format("%10s", Keys[I].c_str());
    if (Trace.HasScore)
      Os << llvm::format("  %14.7g", Trace.Products[I]);
    Os << llvm::format("  %14.7g  %12.6g", Trace.Scores[I], Trace.Weights[I]);
    if (!Trace.Factors.empty())
      Os << llvm::format("  %12.6g", Trace.Factors[I]);
    if (Largest > 0 && std::isfinite(Trace.Weights[I])) {
      const auto Bar =
          std::lround(BarWidth * std::max(0.0, Trace.Weights[I]) / Largest);
      if (Bar > 0 && Width >= Used + BarWidth)
        Os << "  " << std::string(static_cast<size_t>(Bar), '#');
    }
    Os << '\n';
  }
  if (Keys.size() > ShownKeys)
    Os << llvm::format("%10s  ", "…") << Keys.size() - ShownKeys
       << " lighter keys are not listed\n";
  Os << '\n';
}

} // namespace

void heddle::attn::printTrace(const RowTrace &Trace, llvm::raw_ostream &Os,
                              unsigned Width) {
  const bool IsCombined = Trace.Sources.size() > 1;
  Os << "trace   @" << Trace.Pattern << " b=" << Trace.Point.B
     << " h=" << Trace.Point.H << " q=" << Trace.Point.Q << " (position "
     << Trace.Position;
  if (!IsCombined)
    Os << ", key head " << Trace.Sources.front().KeyHead;
  Os << ")\n";
  for (auto [S, Source] : llvm::enumerate(Trace.Sources)) {
    int64_t Kept = 0;
    for (KeyRun Run : Source.Kept)
      Kept += Run.size();
    Os << "keeps   " << Kept << " of " << Source.NumKeys << " keys";
    if (IsCombined)
      Os << " of source " << S << ", @" << Source.Pattern << ", key head "
         << Source.KeyHead;
    Os << '\n';
  }
  for (auto [S, Source] : llvm::enumerate(Trace.Sources))
    if (!Source.Kept.empty())
      printKept(Source, IsCombined ? "keys " + std::to_string(S) : "keys", Os,
                Width);
  if (!Trace.Scores.empty()) {
    Os << '\n';
    printWeights(Trace, Os, Width);
  }
  if (Trace.HasLse)
    Os << "lse     " << llvm::format("%.9g", Trace.Lse) << '\n';
  Os << "output  ";
  Wrapped Line(Os, 8, Width);
  for (size_t T = 0; T < std::min(Trace.Output.size(), ShownOutputs); ++T) {
    std::string Text;
    llvm::raw_string_ostream Stream(Text);
    Stream << llvm::format("%.6g", Trace.Output[T]);
    Line.add(Text);
  }
  if (Trace.Output.size() > ShownOutputs)
    Line.add(("… " + llvm::Twine(Trace.Output.size() - ShownOutputs) + " more")
                 .str());
  Os << '\n';
}

/// A source as members of an object.
static llvm::json::Object describe(const TraceSource &Source) {
  llvm::json::Array Runs;
  for (KeyRun Run : Source.Kept)
    Runs.push_back(llvm::json::Array{Run.Begin, Run.End});
  return llvm::json::Object{{"key_head", Source.KeyHead},
                            {"num_keys", Source.NumKeys},
                            {"kept_runs", std::move(Runs)}};
}

void heddle::attn::printTraceJson(const RowTrace &Trace,
                                  llvm::raw_ostream &Os) {
  llvm::json::Object Out{
      {"pattern", Trace.Pattern},
      {"b", Trace.Point.B},
      {"h", Trace.Point.H},
      {"q", Trace.Point.Q},
      {"position", Trace.Position},
      {"kept", static_cast<int64_t>(Trace.Scores.size())},
      {"scores", numbers(Trace.Scores)},
      {"weights", numbers(Trace.Weights)},
      {"output", numbers(Trace.Output)},
      {"row_max", number(Trace.RowMax)},
  };
  if (Trace.Sources.size() == 1) {
    for (auto &Member : describe(Trace.Sources.front()))
      Out[Member.first] = std::move(Member.second);
  } else {
    llvm::json::Array Sources;
    for (const TraceSource &Source : Trace.Sources) {
      llvm::json::Object Described = describe(Source);
      Described["pattern"] = Source.Pattern;
      Sources.push_back(std::move(Described));
    }
    Out["sources"] = std::move(Sources);
  }
  if (Trace.HasScore)
    Out["products"] = numbers(Trace.Products);
  if (!Trace.Factors.empty())
    Out["factors"] = numbers(Trace.Factors);
  if (Trace.HasLse)
    Out["lse"] = number(Trace.Lse);
  Os << llvm::formatv("{0:2}", llvm::json::Value(std::move(Out))) << '\n';
}
