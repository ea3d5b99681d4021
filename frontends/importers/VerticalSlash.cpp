// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Import.h"
#include "frontends/importers/IndexTensor.h"
#include "frontends/importers/Keep.h"
#include "frontends/importers/RowIndex.h"
#include "frontends/importers/Text.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

namespace {

/// One list per (b, h), sorted, without duplicates.
struct SortedLists {
  int64_t Batch = 0, Heads = 0;
  std::vector<std::vector<int32_t>> Rows;
  int64_t Duplicates = 0;
  size_t Shortest = 0, Longest = 0;

  std::string lengths() const {
    return Shortest == Longest ? fmt::format("{}", Longest)
                               : fmt::format("{} to {}", Shortest, Longest);
  }
};

} // namespace

static ErrorText readLists(const std::string &Path, const char *What,
                           int64_t Length, SortedLists &Out) {
  IndexTensor Tensor;
  if (ErrorText Bad = Tensor.read(Path))
    return Bad;
  if (Tensor.rank() != 3)
    return fmt::format("'{}' has shape {}, expected (batch, heads, count) for "
                       "the {}",
                       Path, npy::shapeText(Tensor.shape()), What);
  Out.Batch = Tensor.shape()[0];
  Out.Heads = Tensor.shape()[1];
  const int64_t Count = Tensor.shape()[2];
  if (Out.Batch == 0 || Out.Heads == 0)
    return fmt::format("'{}' has shape {}, expected at least one sequence and "
                       "one head",
                       Path, npy::shapeText(Tensor.shape()));
  Out.Rows.assign(static_cast<size_t>(Out.Batch * Out.Heads), {});
  Out.Shortest = static_cast<size_t>(Count);
  for (size_t Row = 0; Row < Out.Rows.size(); ++Row) {
    std::vector<int32_t> &Members = Out.Rows[Row];
    for (int64_t I = 0; I < Count; ++I) {
      const int64_t At = static_cast<int64_t>(Row) * Count + I;
      if (Tensor[At] < 0 || Tensor[At] >= Length)
        return fmt::format("'{}' has {} at {}, expected 0 to {} for the {} of "
                           "a sequence of {} tokens; check --length",
                           Path, Tensor[At], Tensor.place(At), Length - 1, What,
                           Length);
      Members.push_back(static_cast<int32_t>(Tensor[At]));
    }
    Out.Duplicates += sortUnique(Members);
    Out.Shortest = std::min(Out.Shortest, Members.size());
    Out.Longest = std::max(Out.Longest, Members.size());
  }
  return std::nullopt;
}

/// All e = end - 1 - k that lie in the span of some diagonal, where `end` is
/// the end of the query's rows: [s, s + 64) each.
static std::vector<int32_t> spanOffsets(const std::vector<int32_t> &Diagonals,
                                        int64_t End) {
  std::vector<int32_t> Offsets;
  int64_t Next = 0;
  for (int64_t S : Diagonals)
    for (Next = std::max(Next, S); Next < std::min(S + IndexBlock, End); ++Next)
      Offsets.push_back(static_cast<int32_t>(Next));
  return Offsets;
}

/// Keys that an index may list for all heads together: a few GiB.
static constexpr int64_t MostIndexedKeys = int64_t(1) << 30;

/// The keys of the ranges of every block of rows, below `Length`.
static ErrorText indexedKeys(const SortedLists &Columns,
                             const SortedLists &Diagonals, int64_t Length,
                             std::vector<std::vector<int32_t>> &Result) {
  const int64_t Blocks = (Length + IndexBlock - 1) / IndexBlock;
  int64_t Total = 0;
  for (size_t Row = 0; Row < Columns.Rows.size(); ++Row)
    for (int64_t Block = 0; Block < Blocks; ++Block) {
      std::vector<int32_t> Keys;
      RowIndex Index =
          buildRowIndex(Columns.Rows[Row], Diagonals.Rows[Row], Block);
      // Keys after the rows are not causal: no query of theirs meets them.
      const int64_t Last = std::min(Length, (Block + 1) * IndexBlock);
      for (auto [First, End] : Index.Ranges)
        Total += std::max<int64_t>(0, std::min(End, Last) - First);
      if (Total > MostIndexedKeys)
        return fmt::format("the index of {} tokens and {} lists more than {} "
                           "keys; use --cover spans, which needs one list per "
                           "head",
                           Length, counted(Columns.Heads, "head"),
                           grouped(MostIndexedKeys));
      for (auto [First, End] : Index.Ranges)
        for (int64_t Key = First; Key < std::min(End, Last); ++Key)
          Keys.push_back(static_cast<int32_t>(Key));
      Result.push_back(std::move(Keys));
    }
  return std::nullopt;
}

/// Ends the region of `Of` with what `Cover` says of the diagonals.
static ErrorText addDiagonals(Keep &Of, Expr Past, Expr Column,
                              SlashCover Cover, const SortedLists &Columns,
                              const SortedLists &Diagonals, int64_t Length) {
  const int64_t Blocks = (Length + IndexBlock - 1) / IndexBlock;
  const std::vector<int64_t> PerHead = {Columns.Batch, Columns.Heads};
  Expr Row = Of.floorDiv(Of.q(), IndexBlock);
  Expr Met;
  switch (Cover) {
  case SlashCover::Exact: {
    unsigned Set =
        Of.operand(Operand::sets("diags", PerHead, Length, Diagonals.Rows));
    Met = Of.called(Of.member(Of.sub(Of.q(), Of.k()), Set, {Of.b(), Of.h()}),
                    "slash");
    break;
  }
  case SlashCover::Spans: {
    const int64_t End = Blocks * IndexBlock;
    std::vector<std::vector<int32_t>> Offsets;
    for (const std::vector<int32_t> &D : Diagonals.Rows)
      Offsets.push_back(spanOffsets(D, End));
    unsigned Set =
        Of.operand(Operand::sets("spans", PerHead, End, std::move(Offsets)));
    Expr Last = Of.called(
        Of.add(Of.times(Row, IndexBlock), Of.constant(IndexBlock - 1)), "last");
    Expr Inside = Of.called(
        Of.member(Of.sub(Last, Of.k()), Set, {Of.b(), Of.h()}), "inside");
    // A span that would begin before key 0 is shifted there.
    Expr Early = Of.called(Of.less(Of.k(), Of.constant(IndexBlock)), "early");
    Expr Cut = Of.called(Of.member(Last, Set, {Of.b(), Of.h()}), "cut");
    Met = Of.called(Of.either(Inside, Of.both(Early, Cut)), "span");
    break;
  }
  case SlashCover::Index: {
    std::vector<std::vector<int32_t>> Keys;
    if (ErrorText Bad = indexedKeys(Columns, Diagonals, Length, Keys))
      return Bad;
    unsigned Set = Of.operand(
        Operand::sets("ranges", {Columns.Batch, Columns.Heads, Blocks}, Length,
                      std::move(Keys)));
    Met = Of.called(Of.member(Of.k(), Set, {Of.b(), Of.h(), Row}), "range");
    break;
  }
  }
  Expr Either = Of.called(Of.either(Column, Met), "either");
  Of.keep(Of.called(Of.both(Past, Either), "kept"));
  return std::nullopt;
}

static std::vector<std::string> comment(SlashCover Cover) {
  std::vector<std::string> Lines = {
      "Vertical-slash attention (Jiang et al., \"MInference 1.0\", 2024): "
      "causal,",
      "columns and diagonals chosen at run time."};
  switch (Cover) {
  case SlashCover::Exact:
    Lines.emplace_back("Exact: diagonal s is the keys at distance s.");
    break;
  case SlashCover::Spans:
    Lines.emplace_back("Cover: for 64 query rows together, diagonal s is the "
                       "64 keys that its");
    Lines.emplace_back("pairs meet. %spans holds the offsets, counted back "
                       "from the last row,");
    Lines.emplace_back("that some diagonal covers.");
    break;
  case SlashCover::Index:
    Lines.emplace_back("Cover, as MInference's index builder lists it: spans "
                       "of 64 keys, merged");
    Lines.emplace_back("in steps of 64 keys where they nearly touch. %ranges "
                       "holds their keys");
    Lines.emplace_back("for every block of 64 rows.");
    break;
  }
  return Lines;
}

ErrorText importers::importVerticalSlash(const VerticalSlashOptions &Options,
                                         Import &Out) {
  SortedLists Columns, Diagonals;
  if (ErrorText Bad =
          readLists(Options.Vertical, "columns", Options.Length, Columns))
    return Bad;
  if (ErrorText Bad =
          readLists(Options.Slash, "diagonals", Options.Length, Diagonals))
    return Bad;
  if (Columns.Batch != Diagonals.Batch || Columns.Heads != Diagonals.Heads)
    return fmt::format("'{}' is for {} x {} (batch x heads), '{}' for {} x {}; "
                       "expected the same",
                       Options.Vertical, Columns.Batch, Columns.Heads,
                       Options.Slash, Diagonals.Batch, Diagonals.Heads);
  Keep Pattern("vertical_slash");
  Expr Past = Pattern.called(Pattern.notNegative(Pattern.called(
                                 Pattern.sub(Pattern.q(), Pattern.k()), "d")),
                             "past");
  unsigned Set = Pattern.operand(Operand::sets(
      "cols", {Columns.Batch, Columns.Heads}, Options.Length, Columns.Rows));
  Expr Column = Pattern.called(
      Pattern.member(Pattern.k(), Set, {Pattern.b(), Pattern.h()}), "column");
  if (ErrorText Bad = addDiagonals(Pattern, Past, Column, Options.Cover,
                                   Columns, Diagonals, Options.Length))
    return Bad;

  Out = {};
  Out.Pattern = Pattern.name();
  Out.Text = Pattern.print(comment(Options.Cover));
  Out.Operands = Pattern.operands();
  Out.Shape = {Columns.Batch, Columns.Heads, Columns.Heads, Options.Length,
               Options.Length};
  Out.Findings = {
      {"found", fmt::format("{}, {}, {}", counted(Columns.Batch, "sequence"),
                            counted(Columns.Heads, "head"),
                            counted(Options.Length, "token"))},
      {"columns", fmt::format("{} per head, {} left out", Columns.lengths(),
                              counted(Columns.Duplicates, "duplicate"))},
      {"diagonals", fmt::format("{} per head, {} left out", Diagonals.lengths(),
                                counted(Diagonals.Duplicates, "duplicate"))}};
  int64_t Without = 0;
  for (const std::vector<int32_t> &Row : Diagonals.Rows)
    Without += static_cast<int64_t>(Row.empty() || Row.front() != 0);
  if (Without > 0)
    Out.Findings.emplace_back(
        "note", fmt::format("{} without the diagonal 0: their queries meet "
                            "their own key only by a column",
                            counted(Without, "head")));
  return std::nullopt;
}
