// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Work follows what is kept: for lists, maps and grids at lengths that nobody
// could enumerate pair by pair, the tiles that a kernel visits are those that
// hold something, counted here from the lists themselves.

#include "test/exec/Kernels.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

heddle_stats countWork(const Program &Kernel, const Sizes &Of,
                       const heddle_code *&Code) {
  heddle_stats Stats = {};
  PlanHandle Plan = makePlan(Kernel, Of);
  if (!Plan)
    return Stats;
  Code = heddle_plan_code(Plan.get());
  EXPECT_TRUE(succeeded(heddle_plan_stats(Plan.get(), pool(2), &Stats)));
  return Stats;
}

int64_t executed(const heddle_stats &Stats) {
  return Stats.tiles_full + Stats.tiles_partial;
}

std::string blockSparse(int64_t Block) {
  std::string Size = std::to_string(Block);
  return "attn.pattern @blocks(%rows: !attn.set) keep(%b, %h, %q, %k) {\n"
         "  %size = arith.constant " +
         Size +
         " : index\n"
         "  %row = arith.floordivsi %q, %size : index\n"
         "  %column = arith.floordivsi %k, %size : index\n"
         "  %kept = attn.in %column, %rows[%b, %h, %row]\n"
         "  attn.keep %kept\n"
         "}\n";
}

using Lists = std::vector<std::vector<int64_t>>;

/// Tiles that hold a pair of a live block.
int64_t countLiveTiles(const Lists &Map, int64_t Block, int64_t Length,
                       const heddle_code &Code) {
  int64_t Live = 0;
  for (int64_t Q = 0; Q < Length; Q += Code.query_tile) {
    // Rows past the end read the last row of blocks.
    auto RowOf = [&](int64_t Query) {
      return std::min<int64_t>(Query / Block,
                               static_cast<int64_t>(Map.size()) - 1);
    };
    std::vector<bool> IsLive(
        static_cast<size_t>((Length + Code.key_tile - 1) / Code.key_tile));
    for (int64_t Row = RowOf(Q); Row <= RowOf(Q + Code.query_tile - 1); ++Row)
      for (int64_t Column : Map[static_cast<size_t>(Row)])
        for (int64_t T = Column * Block / Code.key_tile;
             T <= ((Column + 1) * Block - 1) / Code.key_tile; ++T)
          IsLive[static_cast<size_t>(T)] = true;
    Live += std::count(IsLive.begin(), IsLive.end(), true);
  }
  return Live;
}

class SparseWork : public testing::Test {
protected:
  Program make(const Pattern &What, KernelSpec Spec) {
    std::optional<Program> Made = compile(Host, What, Spec);
    EXPECT_TRUE(Made);
    return std::move(*Made);
  }

  Compiler Host;
  std::mt19937_64 Random{7};
};

TEST_F(SparseWork, ExecutedTilesAreTheLiveTilesOfABlockMap) {
  constexpr int64_t Length = 32768;
  KernelSpec Spec;
  Spec.HeadDim = 128;
  for (int64_t Block : {64, 128}) {
    auto What = Pattern::parse(Host, blockSparse(Block), "blocks.mlir");
    ASSERT_TRUE(What) << What.failure().str();
    const Program Kernel = make(*What, Spec);
    const int64_t Blocks = Length / Block;
    for (int64_t Sparsity : {0, 50, 75, 90, 95, 99}) {
      Lists Map;
      int64_t LiveBlocks = 0;
      for (int64_t Row = 0; Row < Blocks; ++Row) {
        Map.push_back(
            chooseMembers(Random, Blocks, Blocks * (100 - Sparsity) / 100));
        LiveBlocks += static_cast<int64_t>(Map.back().size());
      }
      Sizes Of = {1, 1, 1, Length, Length, {}, {}};
      Of.Params = {Value::sets({1, 1, Blocks}, Blocks, Map)};
      const heddle_code *Code = nullptr;
      const heddle_stats Stats = countWork(Kernel, Of, Code);
      ASSERT_NE(Code, nullptr);
      EXPECT_EQ(executed(Stats), countLiveTiles(Map, Block, Length, *Code))
          << "blocks of " << Block << ", " << Sparsity << " % sparse";
      EXPECT_EQ(Stats.kept_pairs, LiveBlocks * Block * Block);
    }
  }
}

TEST_F(SparseWork, NoTileForAColumnInsideALiveSpan) {
  constexpr int64_t Length = 65536;
  auto What = Pattern::example(Host, "vertical_slash");
  const Program Kernel = make(What, {});
  const std::vector<int64_t> Columns = chooseMembers(Random, Length, 1000);
  // 6,096 diagonals as an estimator finds them: the nearest, and runs.
  std::vector<bool> IsDiagonal(Length, false);
  int64_t Left = 6096;
  auto AddRun = [&](int64_t From) {
    for (int64_t D = From; D < std::min(From + 64, Length) && Left > 0; ++D)
      if (!IsDiagonal[static_cast<size_t>(D)]) {
        IsDiagonal[static_cast<size_t>(D)] = true;
        --Left;
      }
  };
  AddRun(0);
  while (Left > 0)
    AddRun(static_cast<int64_t>(Random() % Length));
  std::vector<int64_t> Diagonals;
  for (int64_t D = 0; D < Length; ++D)
    if (IsDiagonal[static_cast<size_t>(D)])
      Diagonals.push_back(D);

  Sizes Of = {1, 1, 1, Length, Length, {}, {}};
  Of.Params = {Value::sets({1, 1}, Length, {Columns}),
               Value::sets({1, 1}, Length, {Diagonals})};
  const heddle_code *Code = nullptr;
  const heddle_stats Stats = countWork(Kernel, Of, Code);
  ASSERT_NE(Code, nullptr);

  int64_t Tiles = 0, Kept = 0;
  for (int64_t Q = 0; Q < Length; Q += Code->query_tile) {
    const int64_t Last = Q + Code->query_tile - 1;
    std::vector<bool> IsLive(
        static_cast<size_t>((Length + Code->key_tile - 1) / Code->key_tile));
    for (int64_t D : Diagonals) {
      if (D > Last)
        break;
      const int64_t From = std::max<int64_t>(Q - D, 0);
      const int64_t To = std::min(Last - D, Length - 1);
      for (int64_t T = From / Code->key_tile; T <= To / Code->key_tile; ++T)
        IsLive[static_cast<size_t>(T)] = true;
    }
    int64_t Gathered = 0;
    for (int64_t Column : Columns)
      Gathered += Column <= Last &&
                  !IsLive[static_cast<size_t>(Column / Code->key_tile)];
    Tiles += std::count(IsLive.begin(), IsLive.end(), true) +
             (Gathered + Code->key_tile - 1) / Code->key_tile;
  }
  EXPECT_EQ(executed(Stats), Tiles);

  // Every kept pair once: the columns up to the query, and the diagonals that
  // are no column.
  std::vector<bool> IsColumn(Length, false);
  for (int64_t Column : Columns)
    IsColumn[static_cast<size_t>(Column)] = true;
  int64_t Before = 0;
  for (int64_t Q = 0; Q < Length; ++Q) {
    Before += IsColumn[static_cast<size_t>(Q)];
    Kept += Before;
    for (int64_t D : Diagonals) {
      if (D > Q)
        break;
      Kept += !IsColumn[static_cast<size_t>(Q - D)];
    }
  }
  EXPECT_EQ(Stats.kept_pairs, Kept);
}

TEST_F(SparseWork, BoxesOfANeighborhood) {
  auto What = Pattern::example(Host, "natten_2d");
  KernelSpec Spec;
  Spec.Schedule.QueryBox = {8, 16};
  Spec.Schedule.KeyBox = {8, 8};
  const Program Kernel = make(What, Spec);
  Sizes Of = {1, 1, 1, 48 * 48, 48 * 48, {}, {}};
  Of.Params = {Value(48), Value(48), Value(13), Value(13)};
  const heddle_code *Code = nullptr;
  const heddle_stats Stats = countWork(Kernel, Of, Code);
  EXPECT_LE(executed(Stats), 165);
  EXPECT_EQ(Stats.kept_pairs, 48 * 48 * 13 * 13);
}

} // namespace
