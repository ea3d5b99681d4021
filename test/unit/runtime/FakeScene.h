// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Problems for the kernel of FakeKernel.h with all tensors, and what a launch
// must give, in f64.

#ifndef HEDDLE_TEST_UNIT_RUNTIME_FAKESCENE_H
#define HEDDLE_TEST_UNIT_RUNTIME_FAKESCENE_H

#include "FakeKernel.h"
#include "TestTensors.h"

namespace heddle::test::fake {

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

  /// A plan for a code of the kernel, or for the one that it would choose.
  Owned<heddle_plan> plan(const Kernel &Fake,
                          const heddle_code *Code = nullptr) {
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
    if (!Code)
      return makePlan(Fake.get(), Problem);
    heddle_plan *Plan = nullptr;
    expectOk(heddle_plan_create_with(Fake.get(), Code, &Problem, &Plan));
    return Owned<heddle_plan>(Plan);
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

} // namespace heddle::test::fake

#endif // HEDDLE_TEST_UNIT_RUNTIME_FAKESCENE_H
