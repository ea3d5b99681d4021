// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Trace.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <cmath>
#include <system_error>

using namespace heddle::attn;

namespace {

/// Keys and output elements in the table; JSON has them all.
constexpr size_t ShownKeys = 16;
constexpr size_t ShownOutputs = 32;
constexpr unsigned BarWidth = 24;

llvm::Error invalid(const llvm::Twine &Message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), Message);
}

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

std::vector<int64_t> listKeys(llvm::ArrayRef<KeyRun> Kept) {
  std::vector<int64_t> Keys;
  for (KeyRun Run : Kept)
    for (int64_t J = Run.Begin; J < Run.End; ++J)
      Keys.push_back(J);
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

llvm::Expected<RowTrace> heddle::attn::traceRow(const Predicate &Pattern,
                                                const AttentionProblem &Problem,
                                                const TracePoint &Point) {
  if (llvm::Error E = checkProblem(Pattern, Problem))
    return E;
  struct {
    const char *Name;
    int64_t Value, Size;
  } const Axes[] = {{"b", Point.B, Problem.batch()},
                    {"h", Point.H, Problem.heads()},
                    {"q", Point.Q, Problem.queries()}};
  for (const auto &Axis : Axes)
    if (Axis.Value < 0 || Axis.Value >= Axis.Size)
      return invalid(llvm::Twine("cannot trace ") + Axis.Name + "=" +
                     llvm::Twine(Axis.Value) + ", the problem has " +
                     llvm::Twine(Axis.Size) + " of them");

  RowTrace Trace;
  Trace.Pattern = Pattern.name().str();
  Trace.Point = Point;
  Trace.Position = Point.Q + Problem.origin(Point.B);
  Trace.KeyHead = Problem.keyHead(Point.H);
  Trace.NumKeys = Problem.keys();
  PredicatePoint At;
  At.B = Point.B;
  At.H = Point.H;
  At.Q = Trace.Position;
  At.NumKeys = Trace.NumKeys;
  At.Params = Problem.Params;
  Predicate::Scratch Registers;
  if (llvm::Error E = Pattern.keptRuns(At, Registers, Trace.Kept))
    return E;

  std::vector<double> Query(static_cast<size_t>(Problem.Q.shape[3]));
  widenRow(Problem.Q, Point.B, Point.H, Point.Q, Query.data());
  std::vector<double> Keys;
  std::vector<double> Values;
  widenHead(Problem.K, Point.B, Trace.KeyHead, Keys);
  widenHead(Problem.V, Point.B, Trace.KeyHead, Values);
  Trace.Output.resize(static_cast<size_t>(Problem.V.shape[3]));
  RowResult Row;
  attendRow(
      Query.data(),
      {Keys.data(), Values.data(), Problem.Q.shape[3], Problem.V.shape[3]},
      Problem.Scale, Trace.Kept, Row, Trace.Output.data());
  Trace.Scores = std::move(Row.Scores);
  Trace.Weights = std::move(Row.Weights);
  Trace.Lse = Row.Lse;
  return Trace;
}

void heddle::attn::printTrace(const RowTrace &Trace, llvm::raw_ostream &Os,
                              unsigned Width) {
  Os << "trace   @" << Trace.Pattern << " b=" << Trace.Point.B
     << " h=" << Trace.Point.H << " q=" << Trace.Point.Q << " (position "
     << Trace.Position << ", key head " << Trace.KeyHead << ")\n";
  Os << "keeps   " << Trace.Scores.size() << " of " << Trace.NumKeys
     << " keys\n";
  if (!Trace.Kept.empty()) {
    Os << "keys    ";
    Wrapped Line(Os, 8, Width);
    for (KeyRun Run : Trace.Kept) {
      std::string Text;
      llvm::raw_string_ostream Stream(Text);
      printRun(Stream, Run);
      Line.add(Text);
    }
    Os << "\n\n"
       << llvm::format("%10s  %14s  %12s\n", "key", "score", "weight");
    const std::vector<int64_t> Keys = listKeys(Trace.Kept);
    double Largest = 0;
    for (double Weight : Trace.Weights)
      if (std::isfinite(Weight))
        Largest = std::max(Largest, Weight);
    for (size_t I : heaviest(Trace.Weights)) {
      Os << llvm::format("%10lld  %14.7g  %12.6g",
                         static_cast<long long>(Keys[I]), Trace.Scores[I],
                         Trace.Weights[I]);
      if (Largest > 0 && std::isfinite(Trace.Weights[I])) {
        auto Bar = static_cast<unsigned>(
            std::lround(BarWidth * Trace.Weights[I] / Largest));
        if (Bar > 0 && Width >= 42 + BarWidth)
          Os << "  " << std::string(Bar, '#');
      }
      Os << '\n';
    }
    if (Keys.size() > ShownKeys)
      Os << llvm::format("%10s  ", "…") << Keys.size() - ShownKeys
         << " lighter keys are not listed\n";
    Os << '\n';
  }
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

void heddle::attn::printTraceJson(const RowTrace &Trace,
                                  llvm::raw_ostream &Os) {
  llvm::json::Array Runs;
  for (KeyRun Run : Trace.Kept)
    Runs.push_back(llvm::json::Array{Run.Begin, Run.End});
  llvm::json::Object Out{
      {"pattern", Trace.Pattern},
      {"b", Trace.Point.B},
      {"h", Trace.Point.H},
      {"q", Trace.Point.Q},
      {"position", Trace.Position},
      {"key_head", Trace.KeyHead},
      {"num_keys", Trace.NumKeys},
      {"kept", static_cast<int64_t>(Trace.Scores.size())},
      {"kept_runs", std::move(Runs)},
      {"scores", numbers(Trace.Scores)},
      {"weights", numbers(Trace.Weights)},
      {"output", numbers(Trace.Output)},
      {"lse", number(Trace.Lse)},
  };
  Os << llvm::formatv("{0:2}", llvm::json::Value(std::move(Out))) << '\n';
}
