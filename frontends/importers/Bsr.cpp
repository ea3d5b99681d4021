// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Import.h"
#include "frontends/importers/IndexTensor.h"
#include "frontends/importers/Keep.h"
#include "frontends/importers/Text.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

namespace {

/// The block map as read.
struct BlockRows {
  int64_t Batch = 1, Heads = 1;
  /// Rows of blocks per head.
  int64_t NumRows = 0;
  /// One more than the largest index.
  int64_t Columns = 0;
  std::vector<std::vector<int32_t>> Members;
  int64_t Duplicates = 0;
  int64_t Unsorted = 0;
};

} // namespace

static ErrorText checkShapes(const IndexTensor &Indptr,
                             const IndexTensor &Indices, BlockRows &Out) {
  const std::vector<int64_t> &A = Indptr.shape(), &B = Indices.shape();
  if (A.empty() || A.size() > 3 || A.back() == 0)
    return fmt::format("'{}' has shape {}, expected (rows + 1), (heads, rows + "
                       "1) or (batch, heads, rows + 1)",
                       Indptr.path(), npy::shapeText(A));
  if (B.size() != A.size() || !std::equal(A.begin(), A.end() - 1, B.begin()))
    return fmt::format("'{}' has shape {} and '{}' has {}, expected the same "
                       "axes but for the last",
                       Indptr.path(), npy::shapeText(A), Indices.path(),
                       npy::shapeText(B));
  Out.NumRows = A.back() - 1;
  if (A.size() > 1)
    Out.Heads = A[A.size() - 2];
  if (A.size() > 2)
    Out.Batch = A[0];
  return std::nullopt;
}

static ErrorText readBlocks(const BsrOptions &Options, BlockRows &Out) {
  IndexTensor Indptr, Indices;
  if (ErrorText Bad = Indptr.read(Options.Indptr))
    return Bad;
  if (ErrorText Bad = Indices.read(Options.Indices))
    return Bad;
  if (ErrorText Bad = checkShapes(Indptr, Indices, Out))
    return Bad;
  const int64_t Capacity = Indices.shape().back();
  const int64_t Limit =
      Options.Keys > 0
          ? (Options.Keys + Options.BlockCols - 1) / Options.BlockCols
          : INT32_MAX;
  for (int64_t Group = 0; Group < Out.Batch * Out.Heads; ++Group)
    for (int64_t Row = 0; Row < Out.NumRows; ++Row) {
      const int64_t At = Group * (Out.NumRows + 1) + Row;
      const int64_t Begin = Indptr[At], End = Indptr[At + 1];
      if (Begin < 0 || End < Begin || End > Capacity)
        return fmt::format("'{}' has {} at {} and {} after it, expected "
                           "ascending values from 0 to {}, the last extent of "
                           "'{}'",
                           Indptr.path(), Begin, Indptr.place(At), End,
                           Capacity, Indices.path());
      std::vector<int32_t> Members;
      for (int64_t I = Group * Capacity + Begin; I < Group * Capacity + End;
           ++I) {
        if (Indices[I] < 0 || Indices[I] >= Limit)
          return fmt::format(
              "'{}' has {} at {}, expected a block of keys from "
              "0 to {}{}",
              Indices.path(), Indices[I], Indices.place(I), Limit - 1,
              Options.Keys > 0 ? "; check --keys and --block" : "");
        Members.push_back(static_cast<int32_t>(Indices[I]));
        Out.Columns = std::max(Out.Columns, Indices[I] + 1);
      }
      Out.Unsorted +=
          static_cast<int64_t>(!std::is_sorted(Members.begin(), Members.end()));
      Out.Duplicates += sortUnique(Members);
      Out.Members.push_back(std::move(Members));
    }
  return std::nullopt;
}

/// Completes sizes that were not given.
static ErrorText solveSizes(const BsrOptions &Options, const BlockRows &Blocks,
                            Sizes &Out) {
  constexpr int64_t Limit = int64_t(1) << 31;
  Out = {Blocks.Batch, Blocks.Heads, Blocks.Heads,
         Options.Queries ? Options.Queries : Blocks.NumRows * Options.BlockRows,
         Options.Keys ? Options.Keys : Blocks.Columns * Options.BlockCols};
  if (Out.Queries == 0 || Out.Keys == 0)
    return fmt::format("'{}' has no {}; give --queries and --keys",
                       Options.Indptr,
                       Out.Queries == 0 ? "row"
                                        : "live block, so that the "
                                          "number of keys is not known");
  if (Out.Queries > Limit || Out.Keys > Limit)
    return fmt::format("'{}' is for {} queries and {} keys, expected at most "
                       "2^31 of each; check --block",
                       Options.Indptr, Out.Queries, Out.Keys);
  if ((Out.Queries + Options.BlockRows - 1) / Options.BlockRows !=
      Blocks.NumRows)
    return fmt::format("'{}' has {}, but {} queries in blocks of {} have {}; "
                       "check --queries and --block",
                       Options.Indptr, counted(Blocks.NumRows, "row"),
                       Out.Queries, Options.BlockRows,
                       (Out.Queries + Options.BlockRows - 1) /
                           Options.BlockRows);
  return std::nullopt;
}

ErrorText importers::importBsr(const BsrOptions &Options, Import &Out) {
  BlockRows Blocks;
  if (ErrorText Bad = readBlocks(Options, Blocks))
    return Bad;
  Out = {};
  if (ErrorText Bad = solveSizes(Options, Blocks, Out.Shape))
    return Bad;
  const int64_t Columns =
      (Out.Shape.Keys + Options.BlockCols - 1) / Options.BlockCols;

  Keep Pattern("block_sparse");
  unsigned Set = Pattern.operand(
      Operand::sets("blocks", {Blocks.Batch, Blocks.Heads, Blocks.NumRows},
                    Columns, std::move(Blocks.Members)));
  Expr Row =
      Pattern.called(Pattern.floorDiv(Pattern.q(), Options.BlockRows), "row");
  Expr Column = Pattern.called(Pattern.floorDiv(Pattern.k(), Options.BlockCols),
                               "column");
  Expr Live = Pattern.called(
      Pattern.member(Column, Set, {Pattern.b(), Pattern.h(), Row}), "live");
  if (Options.Causal) {
    Expr D = Pattern.called(Pattern.sub(Pattern.q(), Pattern.k()), "d");
    Expr Past = Pattern.called(Pattern.notNegative(D), "past");
    Live = Pattern.called(Pattern.both(Past, Live), "kept");
  }
  Pattern.keep(Live);

  Out.Pattern = Pattern.name();
  Out.Text = Pattern.print({fmt::format(
      "Block-sparse attention by a run-time map of blocks of {} "
      "queries x {} keys{}.",
      Options.BlockRows, Options.BlockCols, Options.Causal ? ", causal" : "")});
  Out.Operands = Pattern.operands();
  const int64_t LiveBlocks = Out.Operands.front().members();
  const int64_t All = Blocks.Batch * Blocks.Heads * Blocks.NumRows * Columns;
  Out.Findings = {
      {"found", fmt::format("{}, {}, {} x {} blocks of {} x {}",
                            counted(Blocks.Batch, "sequence"),
                            counted(Blocks.Heads, "head"), Blocks.NumRows,
                            Columns, Options.BlockRows, Options.BlockCols)},
      {"blocks", fmt::format("{} of {} live ({})", grouped(LiveBlocks),
                             grouped(All), percentage(LiveBlocks, All))},
      {"mended",
       fmt::format("{} sorted, {} left out", counted(Blocks.Unsorted, "row"),
                   counted(Blocks.Duplicates, "duplicate"))}};
  return std::nullopt;
}
