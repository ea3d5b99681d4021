// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Row.h"

#include "dialect/attn/reference/View.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace heddle::attn;

static constexpr double Infinity = std::numeric_limits<double>::infinity();

//===----------------------------------------------------------------------===//
// Rotation
//===----------------------------------------------------------------------===//

/// Rotates the pairs (t, t + Depth / 2) of a row by the angles of `Position`.
static llvm::Error rotateRow(llvm::StringRef Pattern, const Operand &Cos,
                             const Operand &Sin, int64_t Position,
                             int64_t Depth, double *Row) {
  for (int64_t T = 0; T < Depth / 2; ++T) {
    const int64_t Indices[] = {Position, T};
    const Operand *const Tables[] = {&Cos, &Sin};
    double Angle[2] = {};
    for (auto [I, Table] : llvm::enumerate(Tables)) {
      unsigned Axis = 0;
      const int64_t Number = Table->find(Indices, Axis);
      if (Number < 0)
        return llvm::createStringError(
            std::errc::argument_out_of_domain,
            "pattern '%s' rotates by element (%lld, %lld) of a table of "
            "%lld x %lld",
            Pattern.str().c_str(), static_cast<long long>(Position),
            static_cast<long long>(T),
            static_cast<long long>(Table->shape()[0]),
            static_cast<long long>(Table->shape()[1]));
      Angle[I] = Table->realAt(Number);
    }
    const double X = Row[T];
    const double Y = Row[T + Depth / 2];
    Row[T] = X * Angle[0] - Y * Angle[1];
    Row[T + Depth / 2] = Y * Angle[0] + X * Angle[1];
  }
  return llvm::Error::success();
}

llvm::Expected<KeyHead>
heddle::attn::readKeyHead(const Variant &Pattern,
                          const AttentionProblem &Problem, size_t Source,
                          int64_t B, int64_t Head) {
  KeyHead Out;
  Out.K = widenHead(Problem.keyView(Source), Problem.Type, B, Head);
  Out.V = widenHead(Problem.valueView(Source), Problem.Type, B, Head);
  const VariantSource &Of = Pattern.sources()[Source];
  const int64_t Depth = Problem.Q.shape[3];
  if (!Of.Rotate)
    return Out;
  for (int64_t J = 0; J < Problem.keys(B, Source); ++J)
    if (llvm::Error E = rotateRow(
            Of.Keep.name(), Problem.Params[Of.Rotate->Cos],
            Problem.Params[Of.Rotate->Sin], J, Depth, &Out.K[J * Depth]))
      return E;
  return Out;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// Shares of exp(logit) in their sum, to which the sink counts too; returns the
/// logarithm of the sum. Shares of nothing are 0.
static double share(llvm::ArrayRef<double> Logits,
                    std::optional<double> SinkLogit,
                    llvm::MutableArrayRef<double> Shares) {
  double Max = SinkLogit.value_or(-Infinity);
  bool AnyNan = std::isnan(Max);
  for (double Logit : Logits) {
    AnyNan |= std::isnan(Logit);
    Max = std::max(Max, Logit);
  }
  if (Max == -Infinity && !AnyNan) {
    llvm::fill(Shares, 0.0);
    return -Infinity;
  }
  double Sum = SinkLogit ? std::exp(*SinkLogit - Max) : 0;
  for (auto [Share, Logit] : llvm::zip_equal(Shares, Logits))
    Sum += Share = std::exp(Logit - Max);
  for (double &Share : Shares)
    Share /= Sum;
  return Max + std::log(Sum);
}

/// The logarithms of the counts of a grouped softmax.
static std::vector<double> countGroups(llvm::ArrayRef<double> Scores,
                                       llvm::ArrayRef<KeyRun> Kept,
                                       int64_t Group, int64_t Position) {
  std::vector<int64_t> Keys;
  for (KeyRun Run : Kept)
    for (int64_t J = Run.Begin; J < Run.End; ++J)
      Keys.push_back(J);
  std::vector<double> Counts(Keys.size(), -Infinity);
  for (size_t First = 0, Last = 0; First < Keys.size(); First = Last) {
    const int64_t Number = Keys[First] / Group;
    while (Last < Keys.size() && Keys[Last] / Group == Number)
      ++Last;
    const bool HasLandmark = Keys[Last - 1] % Group == Group - 1;
    const size_t Ordinary = Last - First - (HasLandmark ? 1 : 0);
    const llvm::ArrayRef<double> Own = Scores.slice(First, Ordinary);
    const llvm::MutableArrayRef<double> Out(&Counts[First], Ordinary);
    if (Position >= 0 && Position / Group == Number) {
      llvm::copy(Own, Out.begin());
      continue;
    }
    if (!HasLandmark)
      continue;
    const double Landmark = Scores[Last - 1];
    share(Own, std::nullopt, Out);
    for (double &Count : Out)
      Count = Count == 0 ? -Infinity : Landmark + std::log(Count);
  }
  return Counts;
}

void heddle::attn::weigh(const Normalization &How, llvm::ArrayRef<KeyRun> Kept,
                         int64_t Position, std::optional<double> SinkLogit,
                         RowResult &Row) {
  Row.Lse = 0;
  Row.Weights.resize(Row.Scores.size());
  auto Each = [&](auto Function) {
    llvm::transform(Row.Scores, Row.Weights.begin(), Function);
  };
  switch (How.Kind) {
  case NormalizerKind::Softmax:
    Row.Lse = share(Row.Scores, SinkLogit, Row.Weights);
    return;
  case NormalizerKind::Grouped:
    Row.Lse = share(countGroups(Row.Scores, Kept, How.Group, Position),
                    std::nullopt, Row.Weights);
    return;
  case NormalizerKind::Sigmoid:
    return Each([](double S) { return 1 / (1 + std::exp(-S)); });
  case NormalizerKind::Relu:
    return Each([](double S) { return S < 0 ? 0 : S; });
  case NormalizerKind::Relu2:
    return Each([](double S) { return S < 0 ? 0 : S * S; });
  case NormalizerKind::Identity:
    return Each([](double S) { return S; });
  }
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static double dot(const double *A, const double *B, int64_t N) {
  // Independent sums, so that additions need not wait for one another.
  constexpr int64_t Lanes = 8;
  double Sum[Lanes] = {};
  int64_t I = 0;
  for (; I + Lanes <= N; I += Lanes)
    for (int64_t L = 0; L < Lanes; ++L)
      Sum[L] += A[I + L] * B[I + L];
  for (int64_t L = 0; I < N; ++I, ++L)
    Sum[L] += A[I] * B[I];
  return ((Sum[0] + Sum[4]) + (Sum[1] + Sum[5])) +
         ((Sum[2] + Sum[6]) + (Sum[3] + Sum[7]));
}

/// Calls `Function(Key)` for every kept key in ascending order.
template <typename FunctionT>
static void forEachKey(llvm::ArrayRef<KeyRun> Kept, FunctionT Function) {
  for (KeyRun Run : Kept)
    for (int64_t J = Run.Begin; J < Run.End; ++J)
      Function(J);
}

/// Appends the scores of one source to the row.
static llvm::Error scoreSource(const Variant &Pattern,
                               const AttentionProblem &Problem,
                               const PredicatePoint &At, size_t Number,
                               const RowSource &From, std::vector<double> Query,
                               Program::Scratch &Registers, RowResult &Row) {
  const VariantSource &Source = Pattern.sources()[Number];
  const int64_t Depth = Problem.Q.shape[3];
  if (Source.Rotate)
    if (llvm::Error E = rotateRow(
            Source.Keep.name(), Problem.Params[Source.Rotate->Cos],
            Problem.Params[Source.Rotate->Sin], At.Q, Depth, Query.data()))
      return E;
  const size_t First = Row.Products.size();
  forEachKey(From.Kept, [&](int64_t J) {
    Row.Products.push_back(Problem.Scale * dot(Query.data(),
                                               From.Head->K.data() + J * Depth,
                                               Depth));
  });
  Row.Scores.insert(Row.Scores.end(), Row.Products.begin() + First,
                    Row.Products.end());
  if (Source.Score)
    if (llvm::Error E = Source.Score->apply(
            At, From.Kept, Registers,
            llvm::MutableArrayRef(Row.Scores).drop_front(First), Row.Factors))
      return E;
  if (llvm::any_of(Pattern.sources(), [](const VariantSource &S) {
        return S.Score && S.Score->hasFactor();
      }))
    Row.Factors.resize(Row.Scores.size(), 1.0);
  return llvm::Error::success();
}

/// The logit of the sink of head `H`, if there is a sink.
static llvm::Expected<std::optional<double>>
findSink(const Variant &Pattern, const AttentionProblem &Problem, int64_t H) {
  const std::optional<unsigned> Sink = Pattern.normalization().Sink;
  if (!Sink)
    return std::nullopt;
  const Operand &Table = Problem.Params[*Sink];
  unsigned Axis = 0;
  const int64_t Number = Table.find(&H, Axis);
  if (Number < 0)
    return llvm::createStringError(
        std::errc::argument_out_of_domain,
        "parameter '%s' has %lld sink logits, found head %lld",
        Pattern.params()[*Sink].Name.c_str(),
        static_cast<long long>(Table.shape()[0]), static_cast<long long>(H));
  return Table.realAt(Number);
}

llvm::Error heddle::attn::attendRow(const Variant &Pattern,
                                    const AttentionProblem &Problem, int64_t B,
                                    int64_t H, int64_t I,
                                    llvm::ArrayRef<RowSource> Sources,
                                    Program::Scratch &Registers, RowResult &Row,
                                    double *Out) {
  Row.Products.clear();
  Row.Scores.clear();
  Row.Factors.clear();
  Row.Spread = 0;
  std::vector<double> Query(static_cast<size_t>(Problem.Q.shape[3]));
  widenRow(Problem.Q, Problem.Type, B, H, I, Query.data());
  for (auto [S, From] : llvm::enumerate(Sources))
    if (llvm::Error E = scoreSource(Pattern, Problem, Problem.point(B, H, I, S),
                                    S, From, Query, Registers, Row))
      return E;
  Row.Max = -Infinity;
  for (double Score : Row.Scores)
    Row.Max = std::isnan(Row.Max) || Score <= Row.Max ? Row.Max : Score;
  llvm::Expected<std::optional<double>> Sink = findSink(Pattern, Problem, H);
  if (!Sink)
    return Sink.takeError();
  weigh(Pattern.normalization(), Sources.front().Kept, I + Problem.origin(B),
        *Sink, Row);

  const int64_t Width = Problem.V.shape[3];
  std::fill_n(Out, Width, 0.0);
  // Where no score is above -infinity there is nothing to average, and what
  // the values hold does not matter.
  if (Pattern.normalization().isSoftmax() && Row.Lse == -Infinity)
    return llvm::Error::success();
  llvm::SmallVector<double, NarrowRow> Squares(Width < NarrowRow ? Width : 0);
  size_t Index = 0;
  const int64_t Group = Pattern.normalization().Group;
  for (const RowSource &From : Sources)
    forEachKey(From.Kept, [&](int64_t J) {
      double Weight = Row.Weights[Index];
      if (!Row.Factors.empty())
        Weight *= Row.Factors[Index];
      ++Index;
      // A landmark has no value.
      if (Group != 0 && J % Group == Group - 1)
        return;
      const double *Value = From.Head->V.data() + J * Width;
      for (int64_t T = 0; T < Width; ++T)
        Out[T] += Weight * Value[T];
      for (auto [T, Sum] : llvm::enumerate(Squares))
        if (const double Summand = Weight * Value[T]; std::isfinite(Summand))
          Sum += Summand * Summand;
    });
  if (!Squares.empty())
    Row.Spread = std::sqrt(*llvm::max_element(Squares));
  return llvm::Error::success();
}
