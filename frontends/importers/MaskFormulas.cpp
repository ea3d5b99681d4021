// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Forms without operands, or with a number per head: formulas in the query and
// the key.

#include "frontends/importers/MaskForms.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

Expr importers::perSlice(Keep &Of, const Mask &From, const std::string &Name,
                         const std::vector<int64_t> &Values) {
  if (std::all_of(Values.begin(), Values.end(),
                  [&](int64_t V) { return V == Values.front(); }))
    return Of.integer(Name, Values.front());
  unsigned Table = Of.operand(
      Operand::table(Name, {From.Batch, From.Heads},
                     std::vector<int32_t>(Values.begin(), Values.end()))
          .collapsed());
  return Of.at(Table, {Of.b(), Of.h()});
}

/// One value of every slice.
template <typename Value>
static std::vector<int64_t> each(const Mask &From, Value Of) {
  std::vector<int64_t> Result;
  for (const MaskSlice &Slice : From.Slices)
    Result.push_back(Of(Slice));
  return Result;
}

/// from <= d.
static Expr atLeast(Keep &Of, const Mask &From,
                    const std::vector<int64_t> &Values) {
  Expr D = Of.distance();
  if (std::all_of(Values.begin(), Values.end(),
                  [](int64_t V) { return V == 0; }))
    return Of.called(Of.notNegative(D), "past");
  return Of.called(Of.lessEqual(perSlice(Of, From, "from", Values), D), "past");
}

std::optional<Expr> importers::notBefore(Keep &Of, const Mask &From) {
  std::vector<int64_t> Nearest =
      each(From, [](const MaskSlice &S) { return S.Nearest; });
  if (std::all_of(From.Slices.begin(), From.Slices.end(),
                  [](const MaskSlice &S) { return S.Nearest == S.smallest(); }))
    return std::nullopt;
  return atLeast(Of, From, Nearest);
}

/// Ends the region with the conjunction of the conditions that there are.
static void keepAll(Keep &Of, std::initializer_list<std::optional<Expr>> All) {
  std::optional<Expr> Kept;
  for (const std::optional<Expr> &Condition : All)
    if (Condition)
      Kept = Kept ? Of.both(*Kept, *Condition) : *Condition;
  Of.keep(Kept ? *Kept : Of.always());
}

Fit importers::fitUniform(const Mask &From) {
  const int64_t Kept = From.Slices.front().Kept;
  if (From.Slices.size() > 1 || (Kept != 0 && Kept != From.Queries * From.Keys))
    return std::nullopt;
  Keep Of(Kept ? "dense" : "nothing");
  Of.keep(Kept ? Of.always() : Of.less(Of.k(), Of.constant(0)));
  return Of;
}

Fit importers::fitBand(const Mask &From) {
  for (const MaskSlice &S : From.Slices)
    for (int64_t D = S.Nearest; D < S.Farthest; ++D)
      if (!S.isFullAt(D))
        return std::nullopt;
  Keep Of("band");
  std::optional<Expr> Past = notBefore(Of, From), Near;
  std::vector<int64_t> Ends =
      each(From, [](const MaskSlice &S) { return S.Farthest; });
  if (std::any_of(From.Slices.begin(), From.Slices.end(),
                  [](const auto &S) { return S.Farthest <= S.largest(); }))
    Near = Of.called(Of.less(Of.distance(), perSlice(Of, From, "to", Ends)),
                     "near");
  keepAll(Of, {Past, Near});
  return Of;
}

/// How many columns, from the first on, are kept wherever a query may.
static int64_t leadingColumns(const MaskSlice &S) {
  int64_t Count = 0;
  while (Count < S.Keys && S.isColumn(Count))
    ++Count;
  return Count;
}

/// One more than the largest distance of a kept pair from key `Begin` on whose
/// key is not left out; the nearest distance where there is none.
template <typename LeftOut>
static int64_t reach(const MaskSlice &S, int64_t Begin, LeftOut Out) {
  int64_t Reach = S.Nearest;
  for (int64_t K = Begin; K < S.Keys; ++K) {
    if (Out(K) || S.ByKey[static_cast<size_t>(K)] == 0)
      continue;
    int64_t Q = S.Queries;
    while (Q-- > 0)
      if (S.at(Q, K))
        break;
    Reach = std::max(Reach, Q - K + 1);
  }
  return Reach;
}

Fit importers::fitSinkAndWindow(const Mask &From) {
  std::vector<int64_t> Sinks = each(From, leadingColumns), Windows;
  for (size_t I = 0; I < Sinks.size(); ++I)
    Windows.push_back(
        reach(From.Slices[I], Sinks[I], [](int64_t) { return false; }));
  Keep Of("a_shape");
  std::optional<Expr> Past = notBefore(Of, From);
  Expr First =
      Of.called(Of.less(Of.k(), perSlice(Of, From, "sink", Sinks)), "first");
  Expr Near = Of.called(
      Of.less(Of.distance(), perSlice(Of, From, "window", Windows)), "near");
  keepAll(Of, {Past, Of.called(Of.either(First, Near), "either")});
  return Of;
}

Fit importers::fitPrefix(const Mask &From) {
  std::vector<int64_t> Prefixes, Begins, Ends;
  bool IsOpen = true;
  for (const MaskSlice &S : From.Slices) {
    int64_t Prefix = 0;
    while (Prefix < S.Keys && S.ByKey[static_cast<size_t>(Prefix)] == S.Queries)
      ++Prefix;
    if (Prefix == 0)
      return std::nullopt;
    // The band of the other columns.
    int64_t Begin = S.largest() + 1, End = S.smallest();
    for (int64_t Q = 0; Q < S.Queries; ++Q)
      for (int64_t K = Prefix; K < S.Keys; ++K)
        if (S.at(Q, K)) {
          Begin = std::min(Begin, Q - K);
          End = std::max(End, Q - K + 1);
        }
    Prefixes.push_back(Prefix);
    Begins.push_back(Begin);
    Ends.push_back(End);
    IsOpen &= End > S.largest() - Prefix;
  }
  Keep Of("prefix");
  Expr Shared = Of.called(
      Of.less(Of.k(), perSlice(Of, From, "prefix", Prefixes)), "shared");
  Expr Band = atLeast(Of, From, Begins);
  if (!IsOpen)
    Band = Of.both(
        Band, Of.called(Of.less(Of.distance(), perSlice(Of, From, "to", Ends)),
                        "near"));
  Of.keep(Of.either(Shared, Band));
  return Of;
}

/// The common difference of ascending numbers, of which there are at least
/// `Fewest`; 0 where there is none.
static int64_t commonStep(const std::vector<int64_t> &Of, size_t Fewest) {
  if (Of.size() < std::max<size_t>(2, Fewest))
    return 0;
  const int64_t Step = Of[1] - Of[0];
  for (size_t I = 1; I < Of.size(); ++I)
    if (Of[I] - Of[I - 1] != Step)
      return 0;
  return Step;
}

static int64_t modulo(int64_t A, int64_t M) { return ((A % M) + M) % M; }

/// Nearby distances and every n-th one further away; with nothing nearby, a
/// dilated window.
Fit importers::fitStrided(const Mask &From) {
  int64_t Stride = 0, Remainder = 0;
  bool IsOpen = true, IsDilated = true;
  std::vector<int64_t> Windows, Ends;
  for (const MaskSlice &S : From.Slices) {
    std::vector<int64_t> Distances;
    for (int64_t D = S.Nearest; D < S.Farthest; ++D) {
      if (!S.isFullAt(D) && !S.isEmptyAt(D))
        return std::nullopt;
      if (S.isFullAt(D))
        Distances.push_back(D);
    }
    if (Distances.empty())
      return std::nullopt;
    size_t Run = 1;
    while (Run < Distances.size() && Distances[Run] == Distances[Run - 1] + 1)
      ++Run;
    // A run of one distance is part of the progression, where it fits.
    const bool Single = Run == 1 && commonStep(Distances, 3) > 1;
    std::vector<int64_t> Steps(Distances.begin() +
                                   static_cast<ptrdiff_t>(Single ? 0 : Run),
                               Distances.end());
    const int64_t Step = commonStep(Steps, 2);
    if (Step < 2 || (Stride != 0 && Step != Stride))
      return std::nullopt;
    if (Stride != 0 && modulo(Steps.front(), Step) != Remainder)
      return std::nullopt;
    Stride = Step;
    Remainder = modulo(Steps.front(), Step);
    IsDilated &= Single;
    IsOpen &= Steps.back() + Step > S.largest();
    Windows.push_back(Single ? S.Nearest : Distances[Run - 1] + 1);
    Ends.push_back(Steps.back() + 1);
  }
  Keep Of(IsDilated ? "dilated" : "local_strided");
  std::optional<Expr> Past = notBefore(Of, From), Reached;
  Expr D = Of.distance();
  Expr Hit = Of.called(Of.residue(D, Remainder, Stride), "hit");
  if (!IsDilated)
    Hit = Of.called(
        Of.either(Of.called(Of.less(D, perSlice(Of, From, "window", Windows)),
                            "near"),
                  Hit),
        "either");
  if (!IsOpen)
    Reached = Of.called(Of.less(D, perSlice(Of, From, "to", Ends)), "reached");
  keepAll(Of, {Past, Hit, Reached});
  return Of;
}

/// A window, and every n-th key for everybody.
Fit importers::fitGlobalColumns(const Mask &From) {
  int64_t Stride = 0, Remainder = 0;
  std::vector<int64_t> Windows;
  for (const MaskSlice &S : From.Slices) {
    const int64_t Window =
        reach(S, 0, [&](int64_t K) { return S.isColumn(K); });
    // Columns near the end are complete by the window alone.
    std::vector<int64_t> Columns;
    for (int64_t K = 0; K < S.Keys && K + Window <= S.largest(); ++K)
      if (S.isColumn(K))
        Columns.push_back(K);
    const int64_t Step = commonStep(Columns, 2);
    if (Step < 2 || (Stride != 0 &&
                     (Step != Stride || Columns.front() % Step != Remainder)))
      return std::nullopt;
    Stride = Step;
    Remainder = Columns.front() % Step;
    Windows.push_back(Window);
  }
  Keep Of("global_local");
  std::optional<Expr> Past = notBefore(Of, From);
  Expr Near = Of.called(
      Of.less(Of.distance(), perSlice(Of, From, "window", Windows)), "near");
  Expr Global = Of.called(Of.residue(Of.k(), Remainder, Stride), "global");
  keepAll(Of, {Past, Of.called(Of.either(Near, Global), "either")});
  return Of;
}

/// Queries meet the keys of their own block.
Fit importers::fitBlockDiagonal(const Mask &From) {
  const int64_t Block = From.Slices.front().ByKey.front();
  if (Block < 2 || Block >= From.Queries)
    return std::nullopt;
  bool IsCausal = true;
  for (const MaskSlice &S : From.Slices) {
    if (S.ByKey.front() != Block)
      return std::nullopt;
    IsCausal &= S.Nearest >= 0;
  }
  Keep Of("block_diagonal");
  Expr Same = Of.called(
      Of.equal(Of.floorDiv(Of.q(), Block), Of.floorDiv(Of.k(), Block)), "same");
  std::optional<Expr> Past;
  if (IsCausal)
    Past = Of.called(Of.notNegative(Of.distance()), "past");
  keepAll(Of, {Past, Same});
  return Of;
}
