// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches with tables, sets, several sources, ragged batches, other storage
// types and all outputs, against a reference in f64.

#include "FakeKernel.h"
#include "Plan.h"
#include "TestTensors.h"

#include <set>

using namespace heddle;
using namespace heddle::runtime;
using namespace heddle::test;
using namespace heddle::test::fake;

namespace {

constexpr int64_t Heads = 4, HeadsKv = 2;

/// A random problem with its reference.
struct Scene {
  std::mt19937 Random;
  std::vector<int64_t> LengthsQ, LengthsK, OffsetsQ{0}, OffsetsK{0};
  bool Ragged;
  int64_t MoreKeys = 0;
  std::vector<int32_t> Doc;
  /// Members by batch, then head.
  std::vector<std::vector<int64_t>> Keys;
  int64_t Longest = 0;

  /// Batches of the given lengths; equal ones when not ragged.
  Scene(std::vector<int64_t> Queries, std::vector<int64_t> NumKeys, bool Ragged,
        int64_t MoreKeys, uint32_t Seed)
      : Random(Seed), LengthsQ(std::move(Queries)),
        LengthsK(std::move(NumKeys)), Ragged(Ragged), MoreKeys(MoreKeys) {
    for (size_t B = 0; B < LengthsQ.size(); ++B) {
      OffsetsQ.push_back(OffsetsQ.back() + LengthsQ[B]);
      OffsetsK.push_back(OffsetsK.back() + LengthsK[B]);
      Longest = std::max({Longest, LengthsQ[B], LengthsK[B]});
    }
    for (int64_t I = 0; I < batch() * Longest; ++I)
      Doc.push_back(static_cast<int32_t>(Random() % 5));
    for (int64_t Row = 0; Row < batch() * Heads; ++Row) {
      Keys.emplace_back();
      for (int64_t K = 0; K < Longest; ++K)
        if (Random() % 4 == 0)
          Keys.back().push_back(K);
    }
  }

  int64_t batch() const { return static_cast<int64_t>(LengthsQ.size()); }
  bool keeps(int64_t B, int64_t H, int64_t Q, int64_t K) const {
    const std::vector<int64_t> &Set = Keys[B * Heads + H];
    return Doc[B * Longest + Q] == Doc[B * Longest + K] ||
           std::binary_search(Set.begin(), Set.end(), K);
  }
  TestTensor tensor(int64_t NumHeads, const std::vector<int64_t> &Offsets,
                    const std::vector<int64_t> &Lengths, int64_t Features,
                    heddle_dtype Dtype, int32_t Rank = 4) const {
    return Ragged ? TestTensor({1, NumHeads, Offsets.back(), Features},
                               Layout::Bshd, Rank, Dtype)
                  : TestTensor({batch(), NumHeads, Lengths[0], Features},
                               Layout::Bhsd, Rank, Dtype);
  }
  /// A row of a tensor that may hold sequences one after the other.
  float *row(TestTensor &T, const std::vector<int64_t> &Offsets, int64_t B,
             int64_t H, int64_t S) const {
    return Ragged ? T.row(0, H, Offsets[B] + S) : T.row(B, H, S);
  }
};

/// What a launch needs.
struct Stage {
  Scene &S;
  heddle_dtype In, Out;
  TestTensor Q, K, V, MoreK, MoreV, O, Lse, RowMax, ColumnSums, BlockMax;
  TestTensor MoreSums, MoreBlocks;
  std::vector<int64_t> BlockOffsets{0};
  int64_t BlockColumns = 0, MoreBlockColumns;

  Stage(Scene &S, heddle_dtype In, heddle_dtype Out) : S(S), In(In), Out(Out) {
    Q = S.tensor(Heads, S.OffsetsQ, S.LengthsQ, HeadDim, In).fillNormal(1);
    K = S.tensor(HeadsKv, S.OffsetsK, S.LengthsK, HeadDim, In).fillNormal(2);
    V = S.tensor(HeadsKv, S.OffsetsK, S.LengthsK, ValueDim, In).fillNormal(3);
    MoreK = TestTensor({S.batch(), HeadsKv, S.MoreKeys, HeadDim}, Layout::Bhsd,
                       4, In)
                .fillNormal(4);
    MoreV = TestTensor({S.batch(), HeadsKv, S.MoreKeys, ValueDim}, Layout::Bhsd,
                       4, In)
                .fillNormal(5);
    O = S.tensor(Heads, S.OffsetsQ, S.LengthsQ, ValueDim, Out).fill(77);
    Lse = S.tensor(Heads, S.OffsetsQ, S.LengthsQ, 1, HEDDLE_F32, 3).fill(77);
    RowMax = Lse;
    ColumnSums =
        S.tensor(Heads, S.OffsetsK, S.LengthsK, 1, HEDDLE_F32, 3).fill(77);
    std::vector<int64_t> BlockRows;
    for (int64_t B = 0; B < S.batch(); ++B) {
      BlockRows.push_back((S.LengthsQ[B] + BlockQ - 1) / BlockQ);
      BlockOffsets.push_back(BlockOffsets.back() + BlockRows.back());
      BlockColumns =
          std::max(BlockColumns, (S.LengthsK[B] + BlockK - 1) / BlockK);
    }
    BlockMax =
        S.tensor(Heads, BlockOffsets, BlockRows, BlockColumns, HEDDLE_F32)
            .fill(77);
    // A part per sequence, in ragged batches too.
    MoreSums =
        TestTensor({S.batch(), Heads, S.MoreKeys, 1}, Layout::Bshd, 3).fill(77);
    MoreBlockColumns = (S.MoreKeys + BlockK - 1) / BlockK;
    MoreBlocks =
        S.tensor(Heads, BlockOffsets, BlockRows, MoreBlockColumns, HEDDLE_F32)
            .fill(77);
  }

  Owned<heddle_plan> plan(const Kernel &Fake) {
    int64_t DocShape[] = {S.batch(), S.Longest};
    heddle_tensor Doc = {S.Doc.data(), HEDDLE_I32, 2, DocShape, nullptr};
    std::vector<unsigned char> Map(S.batch() * Heads * S.Longest);
    for (size_t Row = 0; Row < S.Keys.size(); ++Row)
      for (int64_t Member : S.Keys[Row])
        Map[static_cast<int64_t>(Row) * S.Longest + Member] = 1;
    int64_t MapShape[] = {S.batch(), Heads, S.Longest};
    heddle_tensor MapTensor = {Map.data(), HEDDLE_BOOL, 3, MapShape, nullptr};
    heddle_sets Sets = {HEDDLE_MAP, S.Longest, nullptr,
                        nullptr,    nullptr,   &MapTensor};
    heddle_value Values[2] = {};
    Values[0].table = &Doc;
    Values[1].sets = &Sets;
    heddle_problem Problem = plainProblem(
        S.batch(), Heads, HeadsKv, S.Ragged ? S.OffsetsQ.back() : S.LengthsQ[0],
        S.Ragged ? S.OffsetsK.back() : S.LengthsK[0], nullptr, Values);
    if (S.Ragged) {
      Problem.cu_seqlens_q = S.OffsetsQ.data();
      Problem.cu_seqlens_k = S.OffsetsK.data();
    }
    Problem.more_seq_k = &S.MoreKeys;
    return makePlan(Fake.get(), Problem);
  }

  /// All that a launch of `Wanted` outputs must give, row by row.
  void expectResults(bool Columns, bool Sources) {
    float Scale = 1 / std::sqrt(float(HeadDim));
    O.load();
    float Tolerance = Out == HEDDLE_F32   ? 1e-5F
                      : Out == HEDDLE_F16 ? 4e-3F
                                          : 3e-2F;
    for (int64_t B = 0; B < S.batch(); ++B)
      for (int64_t H = 0; H < Heads; ++H) {
        int64_t Kv = H / (Heads / HeadsKv), Keys = S.LengthsK[B];
        int64_t All = Keys + (Sources ? S.MoreKeys : 0);
        std::vector<double> Sums(All);
        int64_t BlockRows = BlockOffsets[B + 1] - BlockOffsets[B];
        std::vector<float> Blocks(BlockRows * BlockColumns),
            More(BlockRows * MoreBlockColumns);
        for (int64_t I = 0; I < S.LengthsQ[B]; ++I) {
          std::vector<double> Scores(All, -INFINITY);
          double Norm = 0, Max = -INFINITY, Want[ValueDim] = {};
          for (int64_t J = 0; J < All; ++J) {
            if (J < Keys && !S.keeps(B, H, I, J))
              continue;
            const float *Key = J < Keys ? S.row(K, S.OffsetsK, B, Kv, J)
                                        : MoreK.row(B, Kv, J - Keys);
            const float *Value = J < Keys ? S.row(V, S.OffsetsK, B, Kv, J)
                                          : MoreV.row(B, Kv, J - Keys);
            Scores[J] = 0;
            for (int64_t F = 0; F < HeadDim; ++F)
              Scores[J] += double(S.row(Q, S.OffsetsQ, B, H, I)[F]) *
                           double(Key[F]) * double(Scale);
            Max = std::max(Max, Scores[J]);
            Norm += std::exp(Scores[J]);
            for (int64_t F = 0; F < ValueDim; ++F)
              Want[F] += std::exp(Scores[J]) * double(Value[F]);
          }
          for (int64_t F = 0; F < ValueDim; ++F)
            EXPECT_NEAR(S.row(O, S.OffsetsQ, B, H, I)[F],
                        Norm > 0 ? Want[F] / Norm : 0, Tolerance);
          if (Norm > 0) {
            EXPECT_NEAR(*S.row(Lse, S.OffsetsQ, B, H, I), std::log(Norm), 1e-5);
            EXPECT_NEAR(*S.row(RowMax, S.OffsetsQ, B, H, I), Max, 1e-5);
          }
          for (int64_t J = 0; J < All; ++J) {
            double Weight = Norm > 0 ? std::exp(Scores[J]) / Norm : 0;
            Sums[J] += Weight;
            float &Block =
                J < Keys
                    ? Blocks[I / BlockQ * BlockColumns + J / BlockK]
                    : More[I / BlockQ * MoreBlockColumns + (J - Keys) / BlockK];
            Block = std::max(Block, static_cast<float>(Weight));
          }
        }
        for (int64_t J = 0; Columns && J < All; ++J)
          EXPECT_NEAR(J < Keys ? *S.row(ColumnSums, S.OffsetsK, B, H, J)
                               : *MoreSums.row(B, H, J - Keys),
                      Sums[J], 1e-4);
        auto ExpectBlocks = [&](TestTensor &Found, int64_t Width,
                                const std::vector<float> &Want) {
          for (int64_t I = 0; Columns && I < int64_t(Want.size()); ++I)
            EXPECT_NEAR(S.row(Found, BlockOffsets, B, H, I / Width)[I % Width],
                        Want[I], 1e-5);
        };
        ExpectBlocks(BlockMax, BlockColumns, Blocks);
        if (Sources)
          ExpectBlocks(MoreBlocks, MoreBlockColumns, More);
      }
  }
};

} // namespace

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
