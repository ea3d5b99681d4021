// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Forms with a number or two per position.

#include "frontends/importers/MaskForms.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

/// A table over (b, h, position).
static Expr perPosition(Keep &Of, const Mask &From, const std::string &Name,
                        std::vector<int32_t> Values, Expr Position) {
  const int64_t Extent = static_cast<int64_t>(Values.size()) /
                         static_cast<int64_t>(From.Slices.size());
  unsigned Table = Of.operand(
      Operand::table(Name, {From.Batch, From.Heads, Extent}, std::move(Values))
          .collapsed());
  return Of.at(Table, {Of.b(), Of.h(), Position});
}

/// Queries meet the keys of their own document, whose number is here that of
/// its first key.
Fit importers::fitDocuments(const Mask &From) {
  if (From.Queries != From.Keys)
    return std::nullopt;
  std::vector<int32_t> Ids;
  bool IsCausal = true;
  for (const MaskSlice &S : From.Slices) {
    for (int64_t Q = 0; Q < S.Queries; ++Q) {
      if (!S.at(Q, Q))
        return std::nullopt;
      Ids.push_back(static_cast<int32_t>(S.First[static_cast<size_t>(Q)]));
    }
    IsCausal &= S.Nearest >= 0;
  }
  Keep Of("documents");
  unsigned Table =
      Of.operand(Operand::table("doc", {From.Batch, From.Heads, From.Keys}, Ids)
                     .collapsed());
  Expr Same = Of.called(Of.equal(Of.at(Table, {Of.b(), Of.h(), Of.q()}),
                                 Of.at(Table, {Of.b(), Of.h(), Of.k()})),
                        "same");
  if (IsCausal)
    Same = Of.called(
        Of.both(Of.called(Of.notNegative(Of.distance()), "past"), Same),
        "kept");
  Of.keep(Same);
  return Of;
}

namespace {

/// One end of the runs of kept keys, one value per row; rows that keep no key
/// are free.
struct RunEnds {
  const Mask &From;
  bool IsEnd;

  template <typename Body> bool all(Body Each) const {
    for (const MaskSlice &S : From.Slices)
      for (int64_t Q = 0; Q < S.Queries; ++Q) {
        const auto Row = static_cast<size_t>(Q);
        if (S.End[Row] > S.First[Row] &&
            !Each(Q, IsEnd ? S.End[Row] : S.First[Row]))
          return false;
      }
    return true;
  }
  /// Whether the end is that of all keys.
  bool isOpen() const {
    const int64_t Limit = IsEnd ? From.Keys : 0;
    return all([&](int64_t, int64_t Key) { return Key == Limit; });
  }
  /// The distance that the end keeps from the query, but for keys that do not
  /// exist; nothing where it varies.
  std::optional<int64_t> offset() const {
    int64_t Offset = IsEnd ? INT64_MIN : INT64_MAX;
    all([&](int64_t Q, int64_t Key) {
      Offset = IsEnd ? std::max(Offset, Key - Q) : std::min(Offset, Key - Q);
      return true;
    });
    const bool Follows = all([&](int64_t Q, int64_t Key) {
      return Key == (IsEnd ? std::min(From.Keys, Q + Offset)
                           : std::max<int64_t>(0, Q + Offset));
    });
    return Follows ? std::optional(Offset) : std::nullopt;
  }
  std::vector<int32_t> table() const {
    std::vector<int32_t> Values;
    for (const MaskSlice &S : From.Slices)
      for (int64_t Key : IsEnd ? S.End : S.First)
        Values.push_back(static_cast<int32_t>(Key));
    return Values;
  }
};

} // namespace

/// Every row keeps a run of keys; an end that follows a rule needs no table.
Fit importers::fitRowRuns(const Mask &From) {
  bool SomeEmpty = false;
  for (const MaskSlice &S : From.Slices) {
    if (!S.RowsAreRuns)
      return std::nullopt;
    for (size_t Row = 0; Row < S.First.size(); ++Row)
      SomeEmpty |= S.First[Row] == S.End[Row];
  }
  RunEnds Begins{From, false}, Ends{From, true};
  Keep Of("row_runs");
  std::optional<Expr> After, Before;
  if (!Begins.isOpen()) {
    if (std::optional<int64_t> Offset = Begins.offset())
      After = Of.lessEqual(Of.distance(), Of.integer("reach", -*Offset));
    else
      After = Of.lessEqual(
          perPosition(Of, From, "first", Begins.table(), Of.q()), Of.k());
    Of.called(*After, "after");
  }
  // A row without keys needs an end of its own.
  std::optional<int64_t> Offset = SomeEmpty ? std::nullopt : Ends.offset();
  if (Offset && *Offset == 1)
    Before = Of.notNegative(Of.distance());
  else if (Offset && !Ends.isOpen())
    Before = Of.less(Of.integer("from", -*Offset), Of.distance());
  else if (SomeEmpty || !Ends.isOpen())
    Before =
        Of.less(Of.k(), perPosition(Of, From, "end", Ends.table(), Of.q()));
  if (Before)
    Of.called(*Before, "before");
  if (After && Before)
    Of.keep(Of.called(Of.both(*After, *Before), "kept"));
  else if (After || Before)
    Of.keep(After ? *After : *Before);
  else
    Of.keep(Of.always());
  return Of;
}

namespace {

/// The masked rows of a column as runs [first, second).
std::vector<std::pair<int64_t, int64_t>>
maskedRuns(const MaskSlice &S, int64_t Key, int64_t FirstRow) {
  std::vector<std::pair<int64_t, int64_t>> Runs;
  for (int64_t Q = FirstRow; Q < S.Queries; ++Q) {
    if (S.at(Q, Key))
      continue;
    if (!Runs.empty() && Runs.back().second == Q)
      ++Runs.back().second;
    else
      Runs.emplace_back(Q, Q + 1);
  }
  return Runs;
}

/// The tables of FlashMask, by how many masked runs a column has and where.
class ColumnBounds {
public:
  explicit ColumnBounds(const Mask &From) : From(From) {}

  Fit fit() {
    const bool IsCausal =
        std::all_of(From.Slices.begin(), From.Slices.end(),
                    [](const MaskSlice &S) { return S.Nearest >= 0; });
    if (IsCausal && collect(true, 1, true))
      return causal(false);
    if (IsCausal && collect(true, 1, false))
      return causal(true);
    if (collect(false, 2, true))
      return between();
    if (collect(false, 2, false))
      return outsideOfTwo();
    return std::nullopt;
  }

private:
  using Run = std::pair<int64_t, int64_t>;

  /// Collects the masked runs of all columns, for causal masks those after the
  /// diagonal; false where a column has more than `Most`. With `Touching` they
  /// must reach the first or the last row.
  bool collect(bool AfterDiagonal, size_t Most, bool Touching) {
    Above.clear();
    Below.clear();
    for (const MaskSlice &S : From.Slices)
      for (int64_t K = 0; K < S.Keys; ++K) {
        std::vector<Run> Runs =
            maskedRuns(S, K, AfterDiagonal ? std::min(K, S.Queries) : 0);
        if (Runs.size() > Most)
          return false;
        if (!place(Runs, AfterDiagonal, Touching))
          return false;
      }
    return true;
  }

  /// Calls one run "above" and one "below"; empty ones at the borders.
  bool place(const std::vector<Run> &Runs, bool AfterDiagonal, bool Touching) {
    const int64_t End = From.Queries;
    Run Upper = {0, 0}, Lower = {End, End};
    if (Runs.size() == 2) {
      Upper = Runs[0];
      Lower = Runs[1];
    } else if (Runs.size() == 1) {
      (Runs[0].first == 0 && !AfterDiagonal && Runs[0].second < End ? Upper
                                                                    : Lower) =
          Runs[0];
    }
    if (Touching && (Upper.first != 0 || Lower.second != End))
      return false;
    Above.push_back(Upper);
    Below.push_back(Lower);
    return true;
  }

  Expr bound(Keep &Of, const char *Name, const std::vector<Run> &Runs,
             bool IsEnd) {
    std::vector<int32_t> Values;
    for (const Run &R : Runs)
      Values.push_back(static_cast<int32_t>(IsEnd ? R.second : R.first));
    return perPosition(Of, From, Name, std::move(Values), Of.k());
  }

  static Expr outside(Keep &Of, Expr Start, Expr End) {
    return Of.either(Of.less(Of.q(), Start), Of.lessEqual(End, Of.q()));
  }

  Fit causal(bool HasEnd) {
    Keep Of("column_bounds");
    Expr Past = Of.called(Of.notNegative(Of.distance()), "past");
    Expr Start = bound(Of, "lower_start", Below, false);
    Expr Kept = HasEnd ? outside(Of, Start, bound(Of, "lower_end", Below, true))
                       : Of.less(Of.q(), Start);
    Of.keep(Of.both(Past, Kept));
    return Of;
  }

  Fit between() {
    Keep Of("column_bounds");
    Expr Start = bound(Of, "lower_start", Below, false);
    Expr End = bound(Of, "upper_end", Above, true);
    Of.keep(Of.both(Of.less(Of.q(), Start), Of.lessEqual(End, Of.q())));
    return Of;
  }

  Fit outsideOfTwo() {
    Keep Of("column_bounds");
    Expr Lower = outside(Of, bound(Of, "lower_start", Below, false),
                         bound(Of, "lower_end", Below, true));
    Expr Upper = outside(Of, bound(Of, "upper_start", Above, false),
                         bound(Of, "upper_end", Above, true));
    Of.keep(Of.both(Lower, Upper));
    return Of;
  }

  const Mask &From;
  std::vector<Run> Above, Below;
};

} // namespace

Fit importers::fitColumnBounds(const Mask &From) {
  return ColumnBounds(From).fit();
}
