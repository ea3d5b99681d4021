// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/LinearHead.h"

#include "dialect/attn/reference/View.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// Rows in
//===----------------------------------------------------------------------===//

namespace {

class HeadReader {
public:
  HeadReader(const Recurrence &What, const LinearProblem &Problem, int64_t B,
             int64_t H, Program::Scratch &Registers)
      : What(What), Problem(Problem), B(B), H(H), Registers(Registers) {
    At.B = B;
    At.H = H;
    At.Params = Problem.Params;
  }

  llvm::Error read(LinearHead &Out) {
    Out.Queries = Problem.queries(B);
    Out.Keys = Problem.keys(B);
    Out.Before = Problem.keysBefore(What, B);
    Out.Origin = Problem.origin(B);
    Out.Depth = Problem.Q.shape[3];
    Out.Mapped = What.numMapped(Out.Depth);
    Out.Width = Problem.V.shape[3];
    Out.StateRows = What.numStateRows(Out.Depth);
    const int64_t KeyHead = Problem.keyHead(H);
    std::vector<double> Q = widenHead(Problem.Q, Problem.Type, B, H);
    std::vector<double> K = widenHead(Problem.K, Problem.Type, B, KeyHead);
    Out.U = widenHead(Problem.V, Problem.Type, B, KeyHead);
    if (What.window()) {
      Out.Window = Problem.Params[*What.window()].integer();
      scoreWindow(Q, K, Out);
    }
    const int64_t FirstKey = Out.Origin - Out.Before;
    if (llvm::Error E = map(What.query(), Out.Origin, Out.Depth, Q))
      return E;
    if (llvm::Error E = map(What.key(), FirstKey, Out.Depth, K))
      return E;
    if (llvm::Error E = map(What.value(), FirstKey, Out.Width, Out.U))
      return E;
    Out.X = std::move(Q);
    for (double &X : Out.X)
      X *= Problem.Scale;
    Out.Y = std::move(K);
    if (What.decay()) {
      if (llvm::Error E =
              factors(*What.decay(), FirstKey, Out.Keys,
                      What.isPerChannel() ? Out.Mapped : 1, Out.Factors))
        return E;
      for (double &Factor : Out.Factors)
        Factor = std::exp(Factor);
    }
    if (What.delta())
      if (llvm::Error E =
              factors(*What.delta(), FirstKey, Out.Keys, 1, Out.Beta))
        return E;
    Out.State = readState(Problem.StateIn, Out.StateRows, Out.Width);
    Out.Sums = readState(Problem.SumsIn, Out.StateRows, 1);
    return llvm::Error::success();
  }

private:
  /// Products of unmapped rows at the distances of the window; what lies before
  /// key 0 is -infinity.
  void scoreWindow(const std::vector<double> &Q, const std::vector<double> &K,
                   LinearHead &Out) const {
    Out.Window = std::min(Out.Window, Out.Keys);
    Out.Scores.assign(static_cast<size_t>(Out.Queries * Out.Window),
                      -std::numeric_limits<double>::infinity());
    for (int64_t I = 0; I < Out.Queries; ++I)
      for (int64_t D = 0; D < std::min(Out.Window, Out.place(I) + 1); ++D) {
        const double *Query = Q.data() + I * Out.Depth;
        const double *Key = K.data() + (Out.place(I) - D) * Out.Depth;
        double Product = 0;
        for (int64_t C = 0; C < Out.Depth; ++C)
          Product += Query[C] * Key[C];
        Out.Scores[static_cast<size_t>(I * Out.Window + D)] =
            Problem.Scale * Product;
      }
  }

  /// Replaces rows of `Depth` elements, the first at position `First`.
  llvm::Error map(const std::optional<FeatureMap> &Map, int64_t First,
                  int64_t Depth, std::vector<double> &Rows) {
    if (!Map || Depth == 0)
      return llvm::Error::success();
    const size_t Length = static_cast<size_t>(Depth);
    std::vector<double> Out, Row;
    Out.reserve(Rows.size() * Map->numFeatures());
    At.Q = First;
    for (size_t Begin = 0; Begin < Rows.size(); Begin += Length, ++At.Q) {
      if (llvm::Error E =
              Map->apply(At, {Rows.data() + Begin, Length}, Registers, Row))
        return E;
      Out.insert(Out.end(), Row.begin(), Row.end());
    }
    Rows = std::move(Out);
    return llvm::Error::success();
  }

  llvm::Error factors(const Program &Code, int64_t First, int64_t Tokens,
                      int64_t Channels, std::vector<double> &Out) {
    for (At.Q = First; At.Q < First + Tokens; ++At.Q) {
      if (llvm::Error E = Code.prepare(At, Registers))
        return E;
      for (int64_t Begin = 0; Begin < Channels; Begin += Program::StripLength) {
        std::vector<int64_t> Strip;
        for (int64_t C = Begin;
             C < std::min(Channels, Begin + Program::StripLength); ++C)
          Strip.push_back(C);
        if (llvm::Error E = Code.run(At, Strip, nullptr, Registers))
          return E;
        for (size_t I = 0; I < Strip.size(); ++I)
          Out.push_back(llvm::bit_cast<double>(Code.output(0, Registers)[I]));
      }
    }
    return llvm::Error::success();
  }

  std::vector<double> readState(const heddle_view &View, int64_t Rows,
                                int64_t Width) const {
    std::vector<double> Out(static_cast<size_t>(Rows * Width));
    if (View.data)
      for (int64_t Row = 0; Row < Rows; ++Row)
        widenRow(View, HEDDLE_F32, B, H, Row, Out.data() + Row * Width);
    return Out;
  }

  const Recurrence &What;
  const LinearProblem &Problem;
  int64_t B;
  int64_t H;
  Program::Scratch &Registers;
  PredicatePoint At;
};

} // namespace

llvm::Expected<LinearHead>
heddle::attn::readLinearHead(const Recurrence &What,
                             const LinearProblem &Problem, int64_t B, int64_t H,
                             Program::Scratch &Registers) {
  LinearHead Out;
  if (llvm::Error E = HeadReader(What, Problem, B, H, Registers).read(Out))
    return std::move(E);
  return Out;
}

//===----------------------------------------------------------------------===//
// Rows out
//===----------------------------------------------------------------------===//

/// Adds the softmax over the window: as further keys with a normaliser, as
/// another branch without.
void RowFinisher::addWindow(int64_t I, LinearSums &Sums) {
  const double *Scores = Head.Scores.data() + I * Head.Window;
  double Max = -std::numeric_limits<double>::infinity();
  for (int64_t D = 0; D < Head.Window; ++D)
    if (!(Scores[D] <= Max))
      Max = Scores[D];
  if (Max == -std::numeric_limits<double>::infinity())
    return;
  LinearSums Window(Sums.Values.size());
  for (int64_t D = 0; D < std::min(Head.Window, Head.place(I) + 1); ++D) {
    const double E = std::exp(Scores[D] - Max);
    const double *U = Head.u(Head.place(I) - D);
    Window.Weights += E;
    for (int64_t T = 0; T < Head.Width; ++T) {
      Window.Values[static_cast<size_t>(T)] += E * U[T];
      Window.ValueSizes[static_cast<size_t>(T)] += std::fabs(E * U[T]);
    }
  }
  const double Divisor = What.hasSums() ? 1 : Window.Weights;
  for (size_t T = 0; T < Sums.Values.size(); ++T) {
    Sums.Values[T] += Window.Values[T] / Divisor;
    Sums.ValueSizes[T] += Window.ValueSizes[T] / Divisor;
  }
  Sums.Weights += Window.Weights;
  Sums.WeightSizes += Window.Weights;
}

/// Leaves the quotient in `Values`, and in `ValueSizes` how far it moves per
/// relative error of the sums.
void RowFinisher::normalize(LinearSums &Sums) {
  const double Z = Sums.Weights, N = Sums.Factors;
  for (size_t T = 0; T < Sums.Values.size(); ++T) {
    double &Value = Sums.Values[T];
    double &Size = Sums.ValueSizes[T];
    if (Z == 0) {
      Value = Size = 0;
      continue;
    }
    const double ZError = Sums.WeightSizes / std::fabs(Z);
    if (!What.hasMagnitude()) {
      Value /= Z;
      Size = Size / std::fabs(Z) + std::fabs(Value) * ZError;
      continue;
    }
    Size = std::fabs(1 + 1 / Z) * Size + std::fabs(Value / Z) * ZError +
           std::fabs(Z) / N * (Sums.PlainSizes[T]) +
           std::fabs(Z * Sums.Plain[T] / N) * ZError;
    Value = (1 + 1 / Z) * Value - Z / N * Sums.Plain[T];
  }
}

llvm::Error RowFinisher::finish(int64_t I, LinearSums &Sums, double *Out,
                                double &Scale) {
  if (Head.Window > 0)
    addWindow(I, Sums);
  if (What.hasSums())
    normalize(Sums);
  Scale = 0;
  auto Raise = [&](double Size) {
    if (std::isfinite(Size))
      Scale = std::max(Scale, Size);
  };
  if (!What.output()) {
    std::copy(Sums.Values.begin(), Sums.Values.end(), Out);
    llvm::for_each(Sums.ValueSizes, Raise);
    return llvm::Error::success();
  }
  PredicatePoint At;
  At.B = B;
  At.H = H;
  At.Q = Head.Origin + I;
  At.Params = Problem.Params;
  std::vector<double> Row;
  if (llvm::Error E = What.output()->apply(At, Sums.Values, Registers, Row))
    return E;
  std::copy(Row.begin(), Row.end(), Out);
  llvm::for_each(Row, [&](double X) { Raise(std::fabs(X)); });
  // How far the map moves when the elements do, in several directions.
  constexpr double Step = 1e-5;
  for (unsigned Probe = 0; Probe < 4; ++Probe) {
    std::vector<double> Moved = Sums.Values;
    for (size_t T = 0; T < Moved.size(); ++T)
      Moved[T] += (T >> (2 * Probe) & 1 ? -Step : Step) * Sums.ValueSizes[T];
    if (llvm::Error E = What.output()->apply(At, Moved, Registers, Row))
      return E;
    for (size_t T = 0; T < Row.size(); ++T)
      Raise(std::fabs(Row[T] - Out[T]) / Step);
  }
  return llvm::Error::success();
}
