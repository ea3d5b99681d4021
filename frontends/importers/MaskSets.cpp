// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Forms with run-time sets: columns and diagonals, block maps, keys per row.

#include "frontends/importers/MaskForms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

using namespace heddle;
using namespace heddle::importers;

namespace {

/// Columns and diagonals of one slice that make it up, if any do.
class CrossCover {
public:
  explicit CrossCover(const MaskSlice &Of)
      : Of(Of), Columns(static_cast<size_t>(Of.Keys)),
        Diagonals(static_cast<size_t>(Of.Queries + Of.Keys - 1)) {
    for (int64_t K = 0; K < Of.Keys; ++K)
      Columns[static_cast<size_t>(K)] = Of.isColumn(K);
    for (int64_t D = Of.Nearest; D < Of.Farthest; ++D)
      Diagonals[index(D)] = Of.isFullAt(D);
  }

  bool covers() const {
    bool All = true;
    forEachKept([&](int64_t K, int64_t D) {
      All &= Columns[static_cast<size_t>(K)] || Diagonals[index(D)];
    });
    return All;
  }

  /// Leaves out diagonals that columns cover, then columns that the remaining
  /// diagonals cover.
  void reduce() {
    std::vector<bool> NeededDiagonals(Diagonals.size()),
        NeededColumns(Columns.size());
    forEachKept([&](int64_t K, int64_t D) {
      if (!Columns[static_cast<size_t>(K)])
        NeededDiagonals[index(D)] = true;
    });
    Diagonals = NeededDiagonals;
    forEachKept([&](int64_t K, int64_t D) {
      if (!Diagonals[index(D)])
        NeededColumns[static_cast<size_t>(K)] = true;
    });
    Columns = NeededColumns;
  }

  std::vector<int32_t> columns() const { return list(Columns, 0); }
  /// Distances, moved by `Shift`.
  std::vector<int32_t> diagonals(int64_t Shift) const {
    return list(Diagonals, Shift + Of.smallest());
  }

private:
  size_t index(int64_t D) const { return static_cast<size_t>(D + Of.Keys - 1); }
  template <typename Body> void forEachKept(Body Each) const {
    for (int64_t Q = 0; Q < Of.Queries; ++Q)
      for (int64_t K = 0; K < Of.Keys; ++K)
        if (Of.at(Q, K))
          Each(K, Q - K);
  }
  static std::vector<int32_t> list(const std::vector<bool> &Flags,
                                   int64_t First) {
    std::vector<int32_t> Result;
    for (size_t I = 0; I < Flags.size(); ++I)
      if (Flags[I])
        Result.push_back(static_cast<int32_t>(static_cast<int64_t>(I) + First));
    return Result;
  }

  const MaskSlice &Of;
  std::vector<bool> Columns, Diagonals;
};

bool anyMember(const std::vector<std::vector<int32_t>> &Lists) {
  return std::any_of(Lists.begin(), Lists.end(),
                     [](const auto &List) { return !List.empty(); });
}

} // namespace

Fit importers::fitColumnsAndDiagonals(const Mask &From) {
  // Sets hold no negative numbers.
  const bool IsCausal =
      std::all_of(From.Slices.begin(), From.Slices.end(),
                  [](const MaskSlice &S) { return S.Nearest >= 0; });
  const int64_t Shift = IsCausal ? 0 : From.Keys - 1;
  std::vector<std::vector<int32_t>> Columns, Diagonals;
  for (const MaskSlice &S : From.Slices) {
    CrossCover Cover(S);
    if (!Cover.covers())
      return std::nullopt;
    Cover.reduce();
    Columns.push_back(Cover.columns());
    Diagonals.push_back(Cover.diagonals(Shift));
  }
  Keep Of("vertical_slash");
  std::optional<Expr> Past = notBefore(Of, From), Kept;
  const std::vector<int64_t> Shape = {From.Batch, From.Heads};
  if (anyMember(Columns)) {
    unsigned Set =
        Of.operand(Operand::sets("cols", Shape, From.Keys, std::move(Columns)));
    Kept = Of.called(Of.member(Of.k(), Set, {Of.b(), Of.h()}), "column");
  }
  if (anyMember(Diagonals)) {
    unsigned Set = Of.operand(Operand::sets(
        "diags", Shape, From.Queries + Shift, std::move(Diagonals)));
    Expr D = Of.called(Of.sub(Of.q(), Of.k()), "d");
    if (Shift > 0)
      D = Of.called(Of.add(D, Of.constant(Shift)), "shifted");
    Expr Slash = Of.called(Of.member(D, Set, {Of.b(), Of.h()}), "slash");
    Kept = Kept ? Of.called(Of.either(*Kept, Slash), "either") : Slash;
  }
  if (!Kept)
    return std::nullopt;
  Of.keep(Past ? Of.called(Of.both(*Past, *Kept), "kept") : *Kept);
  return Of;
}

namespace {

/// What a block holds of the pairs that are not before the nearest distance.
enum class BlockState : uint8_t { NoPair, Dead, Live, Mixed };

BlockState join(BlockState A, BlockState B) {
  if (A == B || B == BlockState::NoPair)
    return A;
  return A == BlockState::NoPair ? B : BlockState::Mixed;
}

/// Blocks of one slice, row-major.
struct BlockGrid {
  int64_t Rows = 0, Columns = 0;
  std::vector<BlockState> States;

  BlockGrid(int64_t Rows, int64_t Columns)
      : Rows(Rows), Columns(Columns),
        States(static_cast<size_t>(Rows * Columns), BlockState::NoPair) {}

  BlockState &at(int64_t Row, int64_t Column) {
    return States[static_cast<size_t>(Row * Columns + Column)];
  }
  bool isMixed() const {
    return std::find(States.begin(), States.end(), BlockState::Mixed) !=
           States.end();
  }
  /// Blocks of blocks.
  BlockGrid coarsened(int64_t RowStep, int64_t ColumnStep) const {
    BlockGrid Result((Rows + RowStep - 1) / RowStep,
                     (Columns + ColumnStep - 1) / ColumnStep);
    for (int64_t R = 0; R < Rows; ++R)
      for (int64_t C = 0; C < Columns; ++C) {
        BlockState &State = Result.at(R / RowStep, C / ColumnStep);
        State = join(State, States[static_cast<size_t>(R * Columns + C)]);
      }
    return Result;
  }
};

constexpr int64_t FinestBlock = 16;
constexpr std::array<int64_t, 5> BlockSteps = {1, 2, 4, 8, 16};

BlockGrid finestBlocks(const MaskSlice &S) {
  BlockGrid Result((S.Queries + FinestBlock - 1) / FinestBlock,
                   (S.Keys + FinestBlock - 1) / FinestBlock);
  for (int64_t Q = 0; Q < S.Queries; ++Q)
    for (int64_t K = 0; K < S.Keys; ++K) {
      if (Q - K < S.Nearest)
        continue;
      BlockState &State = Result.at(Q / FinestBlock, K / FinestBlock);
      State = join(State, S.at(Q, K) ? BlockState::Live : BlockState::Dead);
    }
  return Result;
}

/// The live blocks of every row of blocks of all slices; nothing where a block
/// is mixed.
std::optional<Operand> blockSets(const Mask &From,
                                 const std::vector<BlockGrid> &Finest,
                                 int64_t RowStep, int64_t ColumnStep) {
  std::vector<std::vector<int32_t>> Sets;
  int64_t Rows = 0, Columns = 0;
  for (const BlockGrid &Grid : Finest) {
    BlockGrid Coarse = Grid.coarsened(RowStep, ColumnStep);
    if (Coarse.isMixed())
      return std::nullopt;
    Rows = Coarse.Rows;
    Columns = Coarse.Columns;
    for (int64_t R = 0; R < Rows; ++R) {
      std::vector<int32_t> Live;
      for (int64_t C = 0; C < Columns; ++C)
        if (Coarse.at(R, C) == BlockState::Live)
          Live.push_back(static_cast<int32_t>(C));
      Sets.push_back(std::move(Live));
    }
  }
  return Operand::sets("blocks", {From.Batch, From.Heads, Rows}, Columns,
                       std::move(Sets));
}

} // namespace

/// Blocks of 16 to 256 queries by as many keys, the pair of sizes with the
/// smallest map. Larger blocks are made of smaller ones, so that the finest
/// grid decides whether there is any.
Fit importers::fitBlockMap(const Mask &From) {
  std::vector<BlockGrid> Finest;
  for (const MaskSlice &S : From.Slices) {
    Finest.push_back(finestBlocks(S));
    if (Finest.back().isMixed())
      return std::nullopt;
  }
  std::optional<Operand> Best;
  int64_t BestRows = 0, BestColumns = 0;
  for (int64_t RowStep : BlockSteps)
    for (int64_t ColumnStep : BlockSteps) {
      std::optional<Operand> Sets =
          blockSets(From, Finest, RowStep, ColumnStep);
      if (!Sets || (Best && Best->bytes() <= Sets->bytes()))
        continue;
      Best = std::move(Sets);
      BestRows = RowStep * FinestBlock;
      BestColumns = ColumnStep * FinestBlock;
    }
  if (!Best)
    return std::nullopt;
  Keep Of(fmt::format("blocks_{}x{}", BestRows, BestColumns));
  std::optional<Expr> Past = notBefore(Of, From);
  unsigned Set = Of.operand(std::move(*Best));
  Expr Row = Of.called(Of.floorDiv(Of.q(), BestRows), "row");
  Expr Column = Of.called(Of.floorDiv(Of.k(), BestColumns), "column");
  Expr Live = Of.called(Of.member(Column, Set, {Of.b(), Of.h(), Row}), "live");
  Of.keep(Past ? Of.called(Of.both(*Past, Live), "kept") : Live);
  return Of;
}

/// The mask itself.
Fit importers::fitRowSets(const Mask &From) {
  std::vector<std::vector<int32_t>> Rows;
  for (const MaskSlice &S : From.Slices)
    for (int64_t Q = 0; Q < S.Queries; ++Q) {
      std::vector<int32_t> Keys;
      for (int64_t K = 0; K < S.Keys; ++K)
        if (S.at(Q, K))
          Keys.push_back(static_cast<int32_t>(K));
      Rows.push_back(std::move(Keys));
    }
  Keep Of("row_sets");
  unsigned Set =
      Of.operand(Operand::sets("keys", {From.Batch, From.Heads, From.Queries},
                               From.Keys, std::move(Rows)));
  Of.keep(Of.called(Of.member(Of.k(), Set, {Of.b(), Of.h(), Of.q()}), "kept"));
  return Of;
}
