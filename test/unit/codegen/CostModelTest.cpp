// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/CostModel.h"
#include "Support.h"

#include "codegen/cpu/Schedules.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::cpu;

namespace {

/// 32 registers of 16 lanes, as FLASH-like kernels like them.
Machine wideMachine() {
  Machine M;
  M.Lanes = 16;
  M.Registers = 32;
  M.L1 = 32 * 1024;
  M.L2 = 1024 * 1024;
  M.L3 = 16 * 1024 * 1024;
  return M;
}

Blocking tile(int64_t Queries, int64_t Keys, int64_t Rows) {
  Blocking B;
  B.Queries = Queries;
  B.Keys = Keys;
  B.Rows = Rows;
  B.Lanes = 16;
  return B;
}

KernelShape head(int64_t Qk, int64_t V) {
  KernelShape Shape;
  Shape.Qk = Qk;
  Shape.V = V;
  return Shape;
}

constexpr int64_t InL2 = 256 * 1024, InL3 = 4 << 20, InMemory = 64 << 20;

} // namespace

TEST(CostModel, CountsTheMultiplyAddsOfATile) {
  // 64 keys x 3 vectors of queries, 64 products for each score and 64 for what
  // it weighs.
  KernelCost C =
      estimateCost(wideMachine(), tile(48, 64, 8), head(64, 64), InL2);
  EXPECT_EQ(C.Full[Work::Products], 64 * 3 * (64 + 64));
  EXPECT_EQ(C.Partial[Work::Products], C.Full[Work::Products]);
  EXPECT_EQ(C.Full[Work::Masks], 0);
  EXPECT_EQ(C.Full[Work::Copies], 0);
  EXPECT_GT(C.Partial[Work::Masks], 0);
  EXPECT_GT(C.Gathered[Work::Copies], 0);
}

TEST(CostModel, RowsThatAreLeftAreCounted) {
  // 70 features: eight register tiles of 8 rows and one of 6.
  KernelCost C =
      estimateCost(wideMachine(), tile(48, 64, 8), head(64, 70), InL2);
  EXPECT_EQ(C.Full[Work::Products], 64 * 3 * (64 + 70));
}

TEST(CostModel, AProductWithoutFusedMultiplyAddTakesTwoSlots) {
  Machine M = wideMachine();
  M.ProductScratch = 1;
  KernelCost C = estimateCost(M, tile(48, 64, 4), head(64, 64), InL2);
  EXPECT_EQ(C.Full[Work::Products], 2 * 64 * 3 * (64 + 64));
}

TEST(CostModel, GrowsWithHeadDimAndTile) {
  const Machine M = wideMachine();
  double Before = 0;
  for (int64_t D : {16, 40, 64, 80, 128, 256, 512}) {
    KernelCost C = estimateCost(M, tile(48, 64, 8), head(D, D), InL3);
    EXPECT_GT(C.Full.total(), Before) << D;
    EXPECT_GT(C.Partial.total(), C.Full.total()) << D;
    EXPECT_GT(C.Gathered.total(), C.Partial.total()) << D;
    Before = C.Full.total();
  }
  Before = 0;
  for (int64_t Keys : {16, 32, 64, 128}) {
    double Now =
        estimateCost(M, tile(48, Keys, 8), head(64, 64), InL3).Full.total();
    EXPECT_GT(Now, Before) << Keys;
    Before = Now;
  }
}

TEST(CostModel, RegisterTilesFitIntoTheRegisters) {
  const Machine M = wideMachine();
  for (int64_t Queries : {16, 32, 48, 64, 96})
    for (int64_t Rows : {1, 2, 4, 8, 16, 32}) {
      RegisterBlock B = registerBlock(M, tile(Queries, 64, Rows), 64);
      EXPECT_LE(B.Rows * B.Vectors + B.Vectors + 1, M.Registers)
          << Queries << " " << Rows;
      EXPECT_EQ(Queries / 16 % B.Vectors, 0);
      EXPECT_GE(B.Rows, 1);
    }
  RegisterBlock B = registerBlock(M, tile(48, 64, 8), 64);
  EXPECT_EQ(B.Rows, 8);
  EXPECT_EQ(B.Vectors, 3);
}

TEST(CostModel, NarrowTilesWaitForLoads) {
  // One vector of queries: 9 loads for 8 multiply-adds.
  const Machine M = wideMachine();
  KernelCost Narrow = estimateCost(M, tile(16, 64, 8), head(64, 64), InL2);
  KernelCost Wide = estimateCost(M, tile(48, 64, 8), head(64, 64), InL2);
  EXPECT_GT(3 * Narrow.Full[Work::Edges],
            Wide.Full[Work::Edges] + Wide.Full[Work::Products] / 8);
}

TEST(CostModel, KeysFromFartherAwayCostMore) {
  const Machine M = wideMachine();
  auto Fetch = [&](int64_t Bytes) {
    return estimateCost(M, tile(48, 64, 8), head(128, 128), Bytes)
        .Full[Work::Fetch];
  };
  EXPECT_LT(Fetch(InL2), Fetch(InL3));
  EXPECT_LT(Fetch(InL3), Fetch(InMemory));
  // 64 keys of 128 + 128 elements of 4 bytes, in lines of 64 bytes.
  constexpr double Lines = 64.0 * 256 * 4 / 64;
  EXPECT_EQ(Fetch(InL2), Lines * M.LineL2);
}

TEST(CostModel, QueriesThatExceedL1AreReadAgain) {
  const Machine Small = wideMachine();
  Machine Large = Small;
  Large.L1 = Small.L2;
  auto Edges = [](const Machine &M, int64_t D) {
    return estimateCost(M, tile(48, 64, 8), head(D, D), InL2).Full[Work::Edges];
  };
  // The tile of queries takes 6 KB, and 96 KB.
  EXPECT_EQ(Edges(Small, 32), Edges(Large, 32));
  EXPECT_GT(Edges(Small, 512), 1.3 * Edges(Large, 512));
}

TEST(CostModel, PartsOfATaskShareTheKeys) {
  const Machine M = wideMachine();
  Blocking One = tile(48, 64, 8), Four = One;
  Four.Parts = 4;
  KernelCost A = estimateCost(M, One, head(64, 64), InL3);
  KernelCost B = estimateCost(M, Four, head(64, 64), InL3);
  EXPECT_EQ(B.Full[Work::Products], 4 * A.Full[Work::Products]);
  EXPECT_EQ(B.Full[Work::Fetch], A.Full[Work::Fetch]);
}

TEST(CostModel, HalfPrecisionIsCopiedAndHalvesTheLines) {
  const Machine M = wideMachine();
  KernelShape Shape = head(64, 64);
  KernelCost Wide = estimateCost(M, tile(48, 64, 8), Shape, InL3);
  Shape.ElementBytes = 2;
  KernelCost Half = estimateCost(M, tile(48, 64, 8), Shape, InL3);
  EXPECT_EQ(2 * Half.Full[Work::Fetch], Wide.Full[Work::Fetch]);
  EXPECT_GT(Half.Full[Work::Copies], 0);
}

TEST(CostModel, CountsBlocksThatATileTouches) {
  EXPECT_EQ(blocksPerTile(48, 0), 1);
  EXPECT_EQ(blocksPerTile(32, 64), 1);
  // Tiles at 0, 48, 96 and 144: the second and the third straddle.
  EXPECT_EQ(blocksPerTile(48, 64), 1.5);
  EXPECT_EQ(blocksPerTile(48, 16), 3);
  EXPECT_EQ(blocksPerTile(48, 40), 2);
  EXPECT_EQ(blocksPerTile(16, int64_t(1) << 31), 1);
}

TEST(Schedules, TilesFitIntoBlocksOfAPattern) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const CpuLevel &L : cpuLevels()) {
    KernelShape Shape = head(64, 64);
    Shape.QueryBlock = 2 * L.Lanes;
    EXPECT_EQ(chooseSchedule(&Context, L.Name, Shape).getQueryTile(),
              2 * L.Lanes)
        << L.Name.str();
  }
}

TEST(Schedules, TheUsualOneWinsWhereNothingSpeaksAgainstIt) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const CpuLevel &L : cpuLevels())
    for (int64_t D : {16, 64, 80, 128, 256, 512})
      for (unsigned Axes : {0, 1, 2, 3})
        for (int64_t Bytes : {2, 4}) {
          KernelShape Shape = head(D, D);
          Shape.Axes = Axes;
          Shape.ElementBytes = Bytes;
          attn::ScheduleAttr S = chooseSchedule(&Context, L.Name, Shape);
          EXPECT_EQ(S.getQueryTile(), L.QueryTile) << L.Name.str() << " " << D;
          // Six rows of keys hide what four do not where registers hold two
          // vectors of queries.
          const bool TakesSix = L.Name == "cpu-avx2" && Axes == 0;
          EXPECT_EQ(S.getKeyTile(), TakesSix ? 48 : L.KeyTile)
              << L.Name.str() << " " << D;
          EXPECT_EQ(S.getRows(), TakesSix ? 6 : L.Rows)
              << L.Name.str() << " " << D;
        }
}

/// Queries of the boxes that are chosen on a grid with windows along its axes.
static int64_t queriesOfBoxes(const CpuLevel &L,
                              llvm::SmallVector<int64_t, 3> Windows) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  KernelShape Shape = head(64, 64);
  Shape.Axes = Windows.size();
  Shape.Windows = std::move(Windows);
  return chooseSchedule(&Context, L.Name, Shape).getQueryTile();
}

TEST(Schedules, WindowsOnAGridMakeBoxesSmaller) {
  for (const CpuLevel &L : cpuLevels())
    for (unsigned Axes : {2, 3})
      for (int64_t Window : {3, 5, 7, 13, 21, 31}) {
        // Boxes of three axes differ in one extent, by one.
        if (Axes == 3 && Window > 13)
          continue;
        int64_t Queries =
            queriesOfBoxes(L, llvm::SmallVector<int64_t, 3>(Axes, Window));
        EXPECT_LT(Queries, L.QueryTile) << L.Name.str() << " " << Window;
        // One vector of queries has more loads than products, where registers
        // are as many as that.
        if (L.Lanes == 16)
          EXPECT_EQ(Queries, 2 * L.Lanes) << Axes << " " << Window;
      }
}

TEST(Schedules, LargeWindowsAreAsGoodAsNone) {
  for (const CpuLevel &L : cpuLevels())
    EXPECT_GE(queriesOfBoxes(L, {4096, 4096}), L.QueryTile) << L.Name.str();
}

TEST(Schedules, AWindowAlongOneAxisIsEnough) {
  for (const CpuLevel &L : cpuLevels())
    EXPECT_LT(queriesOfBoxes(L, {3, 0}), L.QueryTile) << L.Name.str();
}

TEST(CostModel, HeadsOfATaskShareCopiesAndQuestions) {
  KernelShape Shape = head(64, 64);
  auto Costs = [&](int64_t Heads) {
    Blocking Sizes = tile(48, 64, 8);
    Sizes.Heads = Heads;
    return estimateCost(wideMachine(), Sizes, Shape, InMemory);
  };
  // What products copy themselves every head copies.
  Shape.ElementBytes = 2;
  EXPECT_EQ(Costs(4).Full[Work::Copies], Costs(1).Full[Work::Copies]);
  Shape.ElementBytes = 4;
  Shape.Rotates = true;
  EXPECT_EQ(Costs(4).Full[Work::Copies], Costs(1).Full[Work::Copies] / 4);
  EXPECT_EQ(Costs(4).Full[Work::Products], Costs(1).Full[Work::Products]);
  EXPECT_LT(Costs(4).Partial[Work::Masks], Costs(1).Partial[Work::Masks]);
  // The first head brings keys and values to L2.
  EXPECT_LT(Costs(4).Full[Work::Fetch], Costs(1).Full[Work::Fetch]);
  // What was in L1 for one head is brought back for each of several.
  Shape.Qk = Shape.V = 16;
  EXPECT_GT(Costs(4).Full[Work::Edges], Costs(1).Full[Work::Edges]);
}

/// Tasks of several heads pay where keys are turned, unless the heads keep
/// different pairs; their state leaves half of L2 to keys.
TEST(Schedules, HeadsShareKeysThatAreTurned) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const CpuLevel &L : cpuLevels())
    for (int64_t D : {64, 128, 512}) {
      SCOPED_TRACE(L.Name.str() + " " + std::to_string(D));
      KernelShape Shape = head(D, D);
      Shape.HeadsAgree = true;
      auto Heads = [&] {
        return chooseSchedule(&Context, L.Name, Shape).getHeads();
      };
      EXPECT_EQ(Heads(), 1);
      Shape.Rotates = true;
      const int64_t State = L.QueryTile * 2 * D * 4;
      const int64_t Fit = assumedMachine(L).L2 / 2 / State;
      EXPECT_EQ(Heads(), Fit < 2 ? 1 : std::min<int64_t>(Fit, 8));
      Shape.IsPacked = true;
      EXPECT_EQ(Heads(), 1);
      Shape.IsPacked = Shape.HeadsAgree = false;
      EXPECT_EQ(Heads(), 1);
    }
}

TEST(Schedules, TilesDoNotCutBlocksOfKeys) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const CpuLevel &L : cpuLevels())
    for (int64_t Block : {32, 64, 128}) {
      KernelShape Shape = head(128, 128);
      Shape.KeyBlock = Block;
      EXPECT_EQ(chooseSchedule(&Context, L.Name, Shape).getKeyTile() % 32, 0)
          << L.Name.str() << " " << Block;
    }
}

TEST(Schedules, OneOfThoseWeighedIsChosenAndEveryOneHasAReason) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      for (int64_t Block : {0, 40, 64, 128}) {
        KernelShape Shape = head(64, 64);
        Shape.QueryBlock = Block;
        attn::ScheduleAttr Chosen = T->chooseSchedule(&Context, L.Name, Shape);
        int Count = 0;
        for (const ScheduleChoice &C :
             T->weighSchedules(&Context, L.Name, Shape)) {
          Count += C.IsChosen;
          EXPECT_EQ(C.IsChosen, C.Schedule == Chosen);
          EXPECT_EQ(T->checkSchedule(C.Schedule, L.Name), "");
          EXPECT_FALSE(C.Reason.empty());
          EXPECT_GT(C.Efficiency, 0);
          EXPECT_LT(C.Efficiency, 1);
        }
        EXPECT_EQ(Count, 1) << L.Name << " " << Block;
      }
}

/// A recurrence whose state has as many features as q.
static KernelShape recurrence(int64_t Qk, int64_t V) {
  KernelShape Shape = head(Qk, V);
  Shape.Mapped = Shape.State = Qk;
  return Shape;
}

TEST(CostModel, CountsTheMultiplyAddsOfAChunk) {
  const KernelShape Shape = recurrence(64, 32);
  // 48 tokens: pairs of them, and the state twice.
  EXPECT_DOUBLE_EQ(chunkFlop(Shape, 48),
                   2.0 * (48 * 48 * (64 + 32) + 2 * 48 * 64 * 32));
  KernelCost C = estimateCost(wideMachine(), tile(48, 48, 8), Shape, InL2);
  EXPECT_EQ(C.Full[Work::Products] * 2 * 16, chunkFlop(Shape, 48));
  KernelShape Delta = Shape;
  Delta.HasDelta = true;
  C = estimateCost(wideMachine(), tile(48, 48, 8), Delta, InL2);
  EXPECT_EQ(C.Full[Work::Products] * 2 * 16, chunkFlop(Delta, 48));
  // Two more walks of the pairs, their products, and one with the state.
  KernelShape Erases = Delta;
  Erases.DecaysByFeature = Erases.ErasesFirst = true;
  C = estimateCost(wideMachine(), tile(48, 48, 8), Erases, InL2);
  EXPECT_EQ(C.Full[Work::Products] * 2 * 16, chunkFlop(Erases, 48));
  EXPECT_DOUBLE_EQ(chunkFlop(Erases, 48) - chunkFlop(Delta, 48),
                   2.0 * (2 * 48 * 48 * (64 + 32) + 48 * 64 * 32));
  KernelShape Both = Shape;
  Both.IsBidirectional = true;
  C = estimateCost(wideMachine(), tile(48, 48, 8), Both, InL2);
  EXPECT_EQ(C.Full[Work::Products] * 2 * 16, chunkFlop(Both, 48));
  EXPECT_DOUBLE_EQ(chunkFlop(Both, 48), 2.0 * 2 * 48 * 64 * 32);
}

TEST(CostModel, ChoosesChunks) {
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  for (const CpuLevel &Level : cpuLevels()) {
    const KernelShape Shape = recurrence(64, 64);
    const std::vector<ScheduleChoice> All =
        weighSchedules(&Context, Level.Name, Shape);
    ASSERT_GT(All.size(), 1u);
    EXPECT_EQ(std::count_if(All.begin(), All.end(),
                            [](const auto &C) { return C.IsChosen; }),
              1);
    const attn::ScheduleAttr Chosen =
        chooseSchedule(&Context, Level.Name, Shape);
    for (const ScheduleChoice &C : All) {
      EXPECT_EQ(C.Schedule.getQueryTile(), C.Schedule.getKeyTile());
      EXPECT_EQ(C.Schedule.getKeyTile() % C.Schedule.getRows(), 0);
      EXPECT_GT(C.Efficiency, 0);
      EXPECT_LE(C.Efficiency, 1);
      EXPECT_FALSE(C.Reason.empty());
      if (C.IsChosen)
        EXPECT_EQ(C.Schedule, Chosen);
    }
    // A large state is worth longer chunks than a small one.
    KernelShape Large = Shape;
    Large.State = 4096;
    EXPECT_GE(chooseSchedule(&Context, Level.Name, Large).getQueryTile(),
              Chosen.getQueryTile());
  }
}
