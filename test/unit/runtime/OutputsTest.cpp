// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches with tables, sets, several sources, ragged batches, other storage
// types and all outputs, against a reference in f64.

#include "FakeScene.h"
#include "Plan.h"

#include <set>

using namespace heddle;
using namespace heddle::runtime;
using namespace heddle::test;
using namespace heddle::test::fake;

/// Launches and compares everything.
static void runScene(Scene &S, const Kernel &Fake, heddle_dtype In,
                     heddle_dtype Out, bool Sources) {
  Stage T(S, In, Out);
  Owned<heddle_plan> Plan = T.plan(Fake);
  ASSERT_TRUE(Plan);
  Owned<heddle_pool> Pool = makePool(3);
  heddle_tensor Q = T.Q.view(), K = T.K.view(), V = T.V.view(), O = T.O.view(),
                Lse = T.Lse.view(), RowMax = T.RowMax.view(),
                Sums = T.ColumnSums.view(), Blocks = T.BlockMax.view(),
                MoreK = T.MoreK.view(), MoreV = T.MoreV.view(),
                MoreSums = T.MoreSums.view(), MoreBlocks = T.MoreBlocks.view();
  const heddle_tensor *MoreKs[] = {&MoreK}, *MoreVs[] = {&MoreV},
                      *MoreSum[] = {&MoreSums}, *MoreBlock[] = {&MoreBlocks};
  heddle_tensors Tensors = {};
  Tensors.q = &Q;
  Tensors.k = &K;
  Tensors.v = &V;
  Tensors.o = &O;
  Tensors.lse = &Lse;
  Tensors.row_max = &RowMax;
  Tensors.column_sums = &Sums;
  Tensors.block_max = &Blocks;
  Tensors.more_k = MoreKs;
  Tensors.more_v = MoreVs;
  Tensors.more_column_sums = MoreSum;
  Tensors.more_block_max = MoreBlock;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  T.expectResults(true, Sources);

  // Columns need the rows' lse though the caller may not.
  TestTensor Before = T.ColumnSums;
  T.Lse.fill(77);
  T.ColumnSums.fill(5);
  Tensors.lse = nullptr;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  EXPECT_TRUE(T.Lse.holdsOnly(77));
  for (int64_t I = 0; I < Before.size(); ++I)
    EXPECT_EQ(T.ColumnSums.data()[I], Before.data()[I]);

  // Any of them alone.
  if (Sources) {
    T.ColumnSums.fill(5);
    T.MoreBlocks.fill(5);
    TestTensor MoreBefore = T.MoreSums;
    T.MoreSums.fill(5);
    Tensors.column_sums = Tensors.block_max = nullptr;
    MoreBlock[0] = nullptr;
    expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
    EXPECT_TRUE(T.ColumnSums.holdsOnly(5) && T.MoreBlocks.holdsOnly(5));
    for (int64_t I = 0; I < MoreBefore.size(); ++I)
      EXPECT_EQ(T.MoreSums.data()[I], MoreBefore.data()[I]);
    Tensors.more_column_sums = nullptr;
  }

  // Without them there is no second sweep.
  T.ColumnSums.fill(5);
  T.BlockMax.fill(5);
  T.MoreSums.fill(5);
  Tensors.lse = &Lse;
  Tensors.column_sums = Tensors.block_max = nullptr;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  T.expectResults(false, Sources);
  EXPECT_TRUE(T.ColumnSums.holdsOnly(5) && T.BlockMax.holdsOnly(5) &&
              T.MoreSums.holdsOnly(5));

  // Every task once, none past its sequence's end, none before a longer one.
  std::set<std::tuple<int64_t, int64_t, int64_t>> Seen;
  KernelArgs Args = Plan->emptyArgs();
  int64_t Last = INT64_MAX, Expected = 0, Total[2] = {};
  for (int64_t B = 0; B < S.batch(); ++B)
    Expected += Heads * ((S.LengthsQ[B] + QueryTile - 1) / QueryTile);
  ASSERT_EQ(heddle_plan_num_tasks(Plan.get()), Expected);
  for (int64_t I = 0; I < Expected; ++I) {
    Task One = Plan->task(I);
    int64_t Count[3];
    EXPECT_TRUE(Seen.insert({One.Batch, One.Head, One.Tile}).second);
    EXPECT_LT(One.Tile * QueryTile, S.LengthsQ[One.Batch]);
    Plan->Code->count(&Args.Args, One.Batch, One.Head, One.Tile, 0, Count);
    EXPECT_LE(Count[0] + Count[1], Last);
    Last = Count[0] + Count[1];
    Total[0] += Count[0];
    Total[1] += Count[1];
  }
  heddle_stats Stats;
  expectOk(heddle_plan_stats(Plan.get(), Pool.get(), &Stats));
  int64_t Kept = 0, Tiles = 0;
  auto KeyTiles = [](int64_t Keys) { return (Keys + KeyTile - 1) / KeyTile; };
  for (int64_t B = 0; B < S.batch(); ++B) {
    int64_t More = Sources ? S.MoreKeys : 0;
    Tiles += Heads * ((S.LengthsQ[B] + QueryTile - 1) / QueryTile) *
             (KeyTiles(S.LengthsK[B]) + KeyTiles(More));
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t I = 0; I < S.LengthsQ[B]; ++I) {
        Kept += More;
        for (int64_t J = 0; J < S.LengthsK[B]; ++J)
          Kept += S.keeps(B, H, I, J);
      }
  }
  EXPECT_EQ(Stats.kept_pairs, Kept);
  EXPECT_EQ(Stats.tiles_full, Total[0]);
  EXPECT_EQ(Stats.tiles_partial, Total[1]);
  EXPECT_EQ(Stats.tiles_empty, Tiles - Total[0] - Total[1]);
}

TEST(Outputs, PlainBatches) {
  Scene S({11, 11, 11}, {13, 13, 13}, false, 0, 1);
  runScene(S, Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>(), HEDDLE_F32, HEDDLE_F32,
           false);
}

TEST(Outputs, RaggedBatches) {
  // Empty sequences, single rows, queries without keys.
  Scene S({5, 0, 1, 17, 4, 3}, {9, 6, 1, 23, 0, 8}, true, 0, 2);
  runScene(S, Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>(), HEDDLE_F32, HEDDLE_F32,
           false);
}

TEST(Outputs, SeveralSources) {
  Scene Plain({9, 9}, {8, 8}, false, 7, 3);
  runScene(Plain, Kernel::make<HEDDLE_F32, HEDDLE_F32, 2>(), HEDDLE_F32,
           HEDDLE_F32, true);
  Scene Ragged({9, 3, 4}, {8, 0, 2}, true, 6, 4);
  runScene(Ragged, Kernel::make<HEDDLE_F32, HEDDLE_F32, 2>(), HEDDLE_F32,
           HEDDLE_F32, true);
}

TEST(Outputs, StorageTypes) {
  Scene S({7, 12}, {12, 5}, true, 0, 5);
  runScene(S, Kernel::make<HEDDLE_F16, HEDDLE_F16, 1>(), HEDDLE_F16, HEDDLE_F16,
           false);
  runScene(S, Kernel::make<HEDDLE_BF16, HEDDLE_BF16, 1>(), HEDDLE_BF16,
           HEDDLE_BF16, false);
  runScene(S, Kernel::make<HEDDLE_F16, HEDDLE_F32, 1>(), HEDDLE_F16, HEDDLE_F32,
           false);
  runScene(S, Kernel::make<HEDDLE_F32, HEDDLE_BF16, 1>(), HEDDLE_F32,
           HEDDLE_BF16, false);
}

TEST(Outputs, RefusesWhatTheKernelLacks) {
  Scene S({9, 9}, {8, 8}, false, 3, 6);
  Kernel Fake = Kernel::make<HEDDLE_F16, HEDDLE_F32, 2>();
  Fake.entry().has_lse = Fake.entry().has_row_max =
      Fake.entry().has_column_sums = Fake.entry().has_block_max = 0;
  Stage T(S, HEDDLE_F16, HEDDLE_F32);
  Owned<heddle_plan> Plan = T.plan(Fake);
  Owned<heddle_pool> Pool = makePool(1);
  heddle_tensor Q = T.Q.view(), K = T.K.view(), V = T.V.view(), O = T.O.view(),
                Lse = T.Lse.view(), Sums = T.ColumnSums.view(),
                Blocks = T.BlockMax.view(), MoreK = T.MoreK.view(),
                MoreV = T.MoreV.view();
  const heddle_tensor *MoreKs[] = {&MoreK}, *MoreVs[] = {&MoreV};
  heddle_tensors Tensors = {};
  Tensors.q = &Q;
  Tensors.k = &K;
  Tensors.v = &V;
  Tensors.o = &O;
  Tensors.more_k = MoreKs;
  Tensors.more_v = MoreVs;
  auto Refused = [&](std::initializer_list<const char *> Parts) {
    expectError(heddle_launch(Plan.get(), &Tensors, Pool.get()),
                HEDDLE_INVALID_ARGUMENT, Parts);
    EXPECT_TRUE(T.O.holdsOnly(77));
  };
  Tensors.lse = &Lse;
  Refused({"'lse' is given, but kernel 'fake' does not compute it"});
  Tensors.lse = nullptr;
  Tensors.row_max = &Lse;
  Refused({"'row_max' is given"});
  Tensors.row_max = nullptr;
  Tensors.column_sums = &Sums;
  Refused({"'column_sums' is given"});
  Tensors.column_sums = nullptr;
  Tensors.block_max = &Blocks;
  Refused({"'block_max' is given"});
  Tensors.block_max = nullptr;
  const heddle_tensor *MoreSums[] = {nullptr};
  Tensors.more_column_sums = Tensors.more_block_max = MoreSums;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  T.O.fill(77);
  MoreSums[0] = &Sums;
  Refused({"'more_column_sums[0]' is given, but kernel 'fake' does not compute "
           "it; leave it null"});
  Tensors.more_column_sums = nullptr;
  Refused({"'more_block_max[0]' is given"});
  Tensors.more_block_max = nullptr;
  Tensors.more_v = nullptr;
  Refused({"'more_v' is null, expected 1 tensors"});
  Tensors.more_v = MoreVs;
  MoreVs[0] = nullptr;
  Refused({"tensor 'more_v[0]' is null"});
  MoreVs[0] = &MoreV;
  MoreK.dtype = HEDDLE_F32;
  Refused({"tensor 'more_k[0]' has dtype f32, expected f16"});
  MoreK.dtype = HEDDLE_F16;
  O.dtype = HEDDLE_BF16;
  Refused({"tensor 'o' has dtype bf16, expected f32"});
  O.dtype = HEDDLE_F32;
  O.data = static_cast<char *>(O.data) + 2;
  Refused({"'o' is not aligned to 4 bytes"});
  O = T.O.view();
  Q.data = static_cast<char *>(Q.data) + 1;
  Refused({"'q' is not aligned to 2 bytes"});
  Q = T.Q.view();
  MoreV.data = T.O.data();
  Refused({"'o' is written but shares memory with tensor 'more_v[0]'"});
}

TEST(Outputs, RefusesColumnsOfOtherShapes) {
  // Two sequences of 9 queries; 8 keys of the first source, 7 of the second.
  Scene S({9, 9}, {8, 8}, false, 7, 8);
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, 2>();
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  Owned<heddle_plan> Plan = T.plan(Fake);
  Owned<heddle_pool> Pool = makePool(1);
  heddle_tensor Q = T.Q.view(), K = T.K.view(), V = T.V.view(), O = T.O.view(),
                MoreK = T.MoreK.view(), MoreV = T.MoreV.view(),
                Sums = T.ColumnSums.view(), MoreSums = T.MoreSums.view(),
                MoreBlocks = T.MoreBlocks.view();
  const heddle_tensor *MoreKs[] = {&MoreK}, *MoreVs[] = {&MoreV},
                      *MoreSum[] = {&Sums}, *MoreBlock[] = {&MoreBlocks};
  heddle_tensors Tensors = {};
  Tensors.q = &Q;
  Tensors.k = &K;
  Tensors.v = &V;
  Tensors.o = &O;
  Tensors.more_k = MoreKs;
  Tensors.more_v = MoreVs;
  Tensors.more_column_sums = MoreSum;
  auto Refused = [&](std::initializer_list<const char *> Parts) {
    expectError(heddle_launch(Plan.get(), &Tensors, Pool.get()),
                HEDDLE_INVALID_ARGUMENT, Parts);
    EXPECT_TRUE(T.O.holdsOnly(77) && T.MoreSums.holdsOnly(77));
  };
  Refused({"tensor 'more_column_sums[0]' has shape (2, 4, 8), expected (2, 4, "
           "7)"});
  MoreSum[0] = &MoreSums;
  Tensors.more_block_max = MoreBlock;
  int64_t Swapped[] = {2, Heads, 2, 3};
  MoreBlocks.shape = Swapped;
  Refused({"tensor 'more_block_max[0]' has shape (2, 4, 2, 3), expected (2, 4, "
           "3, 2)"});
  MoreBlocks = T.MoreBlocks.view();
  MoreBlocks.data = MoreSums.data;
  Refused({"'more_column_sums[0]' is written but shares memory with tensor "
           "'more_block_max[0]'"});
}

TEST(Outputs, RefusesPlainTensorsForRaggedBatches) {
  Scene S({5, 4}, {3, 6}, true, 0, 7);
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>();
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  Owned<heddle_plan> Plan = T.plan(Fake);
  Owned<heddle_pool> Pool = makePool(1);
  heddle_tensor Q = T.Q.view(), K = T.K.view(), V = T.V.view(), O = T.O.view();
  int64_t Padded[] = {2, Heads, 5, HeadDim};
  Q.shape = Padded;
  heddle_tensors Tensors = {};
  Tensors.q = &Q;
  Tensors.k = &K;
  Tensors.v = &V;
  Tensors.o = &O;
  expectError(heddle_launch(Plan.get(), &Tensors, Pool.get()),
              HEDDLE_INVALID_ARGUMENT,
              {"'q' has shape (2, 4, 5, 6), expected (1, 4, 9, 6) (all "
               "sequences along axis 2)"});
  EXPECT_TRUE(T.O.holdsOnly(77));
}
