// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several sources of keys, ragged batches, 16-bit types, further outputs.

#include "dialect/attn/reference/Trace.h"
#include "test/unit/reference/Patterns.h"

#include "gmock/gmock.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

heddle_view rows(Tensor &Of, int64_t First, int64_t Count) {
  heddle_view View = Of.view();
  View.data = &Of.at(0, 0, First, 0);
  View.shape[2] = Count;
  return View;
}

/// The weight of key J of the second source, all of whose keys are kept.
double weight(const AttentionProblem &Problem, int64_t B, int64_t H, int64_t I,
              int64_t J, const ReferenceResult &R) {
  auto Row = [&](const heddle_view &View, int64_t Head, int64_t Number) {
    return static_cast<const float *>(View.data) + B * View.stride[0] +
           Head * View.stride[1] + Number * View.stride[2];
  };
  const float *Query = Row(Problem.Q, H, I);
  const float *Key = Row(Problem.keyView(1), Problem.keyHead(H, 1), J);
  double Score = 0;
  for (int64_t T = 0; T < Problem.Q.shape[3]; ++T)
    Score += static_cast<double>(Query[T]) * static_cast<double>(Key[T]);
  return std::exp(Score * Problem.Scale - R.Lse[R.row(B, H, I)]);
}

class CombineTest : public testing::Test, protected Patterns {
protected:
  CombineTest() : Q(2, 4, 6, 8), K(2, 2, 20, 8), V(2, 2, 20, 3) {
    Q.randomise(1);
    K.randomise(2);
    V.randomise(3);
  }
  Tensor Q, K, V;
};

constexpr llvm::StringLiteral TwoDense = R"(
  attn.pattern @a keep(%b, %h, %q, %k) {
    %t = arith.constant true
    attn.keep %t
  }
  attn.pattern @b keep(%b, %h, %q, %k) {
    %t = arith.constant true
    attn.keep %t
  }
  attn.combine @both [@a, @b])";

TEST_F(CombineTest, TwoHalvesAreTheWhole) {
  ReferenceResult Whole =
      compute(variant("", DenseBody), problem(Q, K, V, 0.5));
  AttentionProblem Halves = problem(Q, K, V, 0.5);
  Halves.K = rows(K, 0, 7);
  Halves.V = rows(V, 0, 7);
  Halves.More = {{rows(K, 7, 13), rows(V, 7, 13)}};
  ReferenceResult R = compute(variant(TwoDense), Halves);
  EXPECT_EQ(R.KeptPairs, Whole.KeptPairs);
  for (size_t I = 0; I < Whole.O.size(); ++I)
    EXPECT_NEAR(R.O[I], Whole.O[I], 1e-14);
  for (size_t I = 0; I < Whole.Lse.size(); ++I) {
    EXPECT_NEAR(R.Lse[I], Whole.Lse[I], 1e-14);
    EXPECT_EQ(R.RowMax[I], Whole.RowMax[I]);
  }
  // The keys of either half get what they get in the whole.
  Whole = compute(variant("", DenseBody), problem(Q, K, V, 0.5), {1, true});
  R = compute(variant(TwoDense), Halves, {1, true, 2, 4});
  ASSERT_EQ(R.Sources.size(), 2U);
  EXPECT_EQ(R.Sources[0].BlockColumns, 2);
  EXPECT_EQ(R.Sources[1].BlockColumns, 4);
  for (int64_t B = 0; B < 2; ++B)
    for (int64_t H = 0; H < 4; ++H)
      for (int64_t J = 0; J < 20; ++J) {
        const size_t S = J < 7 ? 0 : 1;
        EXPECT_NEAR(
            R.Sources[S].ColumnSums[R.column(B, H, J < 7 ? J : J - 7, S)],
            Whole.Sources[0].ColumnSums[Whole.column(B, H, J)], 1e-14);
      }
  // Blocks of the second source begin at its own first key.
  double Largest = 0;
  for (int64_t I = 2; I < 4; ++I)
    for (int64_t J = 4; J < 8; ++J)
      Largest = std::max(Largest, weight(Halves, 1, 3, I, J, R));
  EXPECT_NEAR(R.Sources[1].BlockMax[R.block(1, 3, 1, 1, 1)], Largest, 1e-14);
  // An empty source changes nothing.
  Halves.K = K.view();
  Halves.V = V.view();
  Halves.More = {{rows(K, 0, 0), rows(V, 0, 0)}};
  R = compute(variant(TwoDense), Halves);
  EXPECT_EQ(R.O, Whole.O);
  EXPECT_EQ(R.Lse, Whole.Lse);
}

TEST_F(CombineTest, SourcesHaveTheirOwnPatternsAndScores) {
  Variant P = variant(R"(
    attn.pattern @a(%w: index, %x: f32) keep(%b, %h, %q, %k) {
      %r = arith.cmpi slt, %k, %w : index
      attn.keep %r
    } score(%s, %b, %h, %q, %k) {
      %y = arith.mulf %s, %x : f32
      attn.score %y
    } normalize identity
    attn.pattern @b(%from: index, %w: index) keep(%b, %h, %q, %k) {
      %n = attn.num_keys
      %lo = arith.cmpi sge, %k, %from : index
      %rest = arith.subi %n, %k : index
      %hi = arith.cmpi sle, %rest, %w : index
      %r = arith.andi %lo, %hi : i1
      attn.keep %r
    } score(%s, %b, %h, %q, %k) {
      %c = arith.constant 10.0 : f32
      attn.score %s factor %c
    } normalize identity
    attn.combine @both [@a, @b])");
  ASSERT_EQ(P.numParams(), 3U);
  EXPECT_EQ(P.params()[0].Name, "w");
  EXPECT_EQ(P.params()[1].Name, "x");
  EXPECT_EQ(P.params()[2].Name, "from");
  Tensor One(1, 1, 1, 1), A(1, 1, 4, 1), B(1, 1, 5, 1), Ones(1, 1, 5, 1);
  One.Data = {1};
  A.Data = {1, 2, 4, 8};
  B.Data = {16, 32, 64, 128, 256};
  std::fill(Ones.Data.begin(), Ones.Data.end(), 1.0F);
  AttentionProblem Problem = problem(One, A, A);
  Problem.V = rows(Ones, 0, 4);
  Problem.More = {{B.view(), Ones.view()}};
  Problem.Params = {2, Operand::real(0.5), 1};
  // Keys 0, 1 of the first at half their score; keys 3, 4 of the second.
  EXPECT_EQ(compute(P, Problem).O[0], 0.5 * 3 + 10 * (128 + 256));
  EXPECT_EQ(compute(P, Problem).RowMax[0], 256);

  RowTrace T = llvm::cantFail(traceRow(P, Problem, {0, 0, 0}));
  ASSERT_EQ(T.Sources.size(), 2U);
  EXPECT_EQ(T.Sources[1].Pattern, "b");
  EXPECT_THAT(T.Sources[1].Kept, ElementsAre(KeyRun{3, 5}));
  EXPECT_THAT(T.Products, ElementsAre(1, 2, 128, 256));
  EXPECT_THAT(T.Scores, ElementsAre(0.5, 1, 128, 256));
  EXPECT_THAT(T.Factors, ElementsAre(1, 1, 10, 10));
  EXPECT_FALSE(T.HasLse);
  std::string Text, Json;
  llvm::raw_string_ostream Stream(Text), JsonStream(Json);
  printTrace(T, Stream);
  EXPECT_THAT(Text, HasSubstr("keeps   2 of 5 keys of source 1, @b"));
  EXPECT_THAT(Text, HasSubstr("keys 1  3..4"));
  EXPECT_THAT(Text, HasSubstr("\n       1:4 "));
  EXPECT_THAT(Text, HasSubstr("factor"));
  EXPECT_THAT(Text, testing::Not(HasSubstr("lse")));
  printTraceJson(T, JsonStream);
  EXPECT_THAT(Json, HasSubstr("\"sources\""));
}

TEST_F(CombineTest, IllFormed) {
  Variant P = variant(TwoDense);
  AttentionProblem Problem = problem(Q, K, V);
  EXPECT_THAT(failure(P, Problem), HasSubstr("has 2 sources of keys, found 1"));
  Tensor Wide(2, 2, 20, 4);
  Problem.More = {{K.view(), Wide.view()}};
  EXPECT_THAT(failure(P, Problem),
              HasSubstr("'v' and 'v1' to have the same head dim"));
  Problem.More = {{Wide.view(), V.view()}};
  EXPECT_THAT(failure(P, Problem), HasSubstr("'q' and 'k1'"));
  Problem.More = {{K.view(), V.view()}};
  EXPECT_EQ(failure(P, Problem), "");
}

class RaggedTest : public testing::Test, protected Patterns {};

TEST_F(RaggedTest, SequencesAreComputedOneByOne) {
  const int64_t Queries[] = {0, 3, 3, 8}, Keys[] = {0, 4, 6, 13};
  const int64_t Origin[] = {1, 0, 2};
  Tensor Q(1, 4, 8, 4), K(1, 2, 13, 4), V(1, 2, 13, 3);
  Q.randomise(1);
  K.randomise(2);
  V.randomise(3);
  AttentionProblem Ragged = problem(Q, K, V);
  Ragged.Q.offsets = Queries;
  Ragged.K.offsets = Ragged.V.offsets = Keys;
  Ragged.Q.shape[0] = Ragged.K.shape[0] = Ragged.V.shape[0] = 3;
  Ragged.Origin = Origin;
  Variant P = variant("", CausalBody);
  ReferenceResult R = compute(P, Ragged, {1, true, 2, 3});
  EXPECT_EQ(R.O.size(), 4U * 8 * 3);
  EXPECT_EQ(R.Sources[0].ColumnSums.size(), 4U * 13);
  EXPECT_EQ(R.BlockRows, 3);
  EXPECT_EQ(R.Sources[0].BlockColumns, 3);
  int64_t Pairs = 0;
  for (int64_t B = 0; B < 3; ++B) {
    AttentionProblem Alone = problem(Q, K, V);
    Alone.Q = rows(Q, Queries[B], Queries[B + 1] - Queries[B]);
    Alone.K = rows(K, Keys[B], Keys[B + 1] - Keys[B]);
    Alone.V = rows(V, Keys[B], Keys[B + 1] - Keys[B]);
    Alone.Origin = Origin[B];
    ReferenceResult Want = compute(P, Alone, {1, true, 2, 3});
    Pairs += Want.KeptPairs;
    for (int64_t H = 0; H < 4; ++H) {
      for (int64_t I = 0; I < Want.Rows; ++I) {
        EXPECT_EQ(R.Lse[R.row(B, H, I)], Want.Lse[Want.row(0, H, I)]);
        EXPECT_EQ(R.RowMax[R.row(B, H, I)], Want.RowMax[Want.row(0, H, I)]);
        for (int64_t T = 0; T < 3; ++T)
          EXPECT_EQ(R.output(B, H, I)[T], Want.output(0, H, I)[T]);
      }
      for (int64_t J = 0; J < Want.Sources[0].Keys; ++J)
        EXPECT_EQ(R.Sources[0].ColumnSums[R.column(B, H, J)],
                  Want.Sources[0].ColumnSums[Want.column(0, H, J)]);
      for (int64_t I = 0; I < Want.BlockRows; ++I)
        for (int64_t J = 0; J < Want.Sources[0].BlockColumns; ++J)
          EXPECT_EQ(R.Sources[0].BlockMax[R.block(B, H, I, J)],
                    Want.Sources[0].BlockMax[Want.block(0, H, I, J)]);
    }
  }
  EXPECT_EQ(R.KeptPairs, Pairs);
  EXPECT_EQ(llvm::cantFail(traceRow(P, Ragged, {2, 1, 4})).Lse,
            R.Lse[R.row(2, 1, 4)]);
  llvm::Expected<RowTrace> Outside = traceRow(P, Ragged, {0, 0, 3});
  ASSERT_FALSE(static_cast<bool>(Outside));
  EXPECT_THAT(llvm::toString(Outside.takeError()), HasSubstr("q=3"));
  // The number of threads does not matter, with columns and without.
  EXPECT_EQ(compute(P, Ragged, {3, true, 2, 3}).Sources[0].ColumnSums,
            R.Sources[0].ColumnSums);
  EXPECT_EQ(compute(P, Ragged, {3}).O, R.O);
}

TEST_F(RaggedTest, OffsetsMustAscend) {
  Tensor X(1, 1, 8, 4);
  AttentionProblem Problem = problem(X, X, X);
  Problem.Q.shape[0] = Problem.K.shape[0] = Problem.V.shape[0] = 2;
  const int64_t Good[] = {0, 3, 8}, Back[] = {0, 5, 3}, Far[] = {0, 3, 9};
  Variant P = variant("", DenseBody);
  auto Failure = [&](const int64_t *Q, const int64_t *K, const int64_t *V) {
    Problem.Q.offsets = Q;
    Problem.K.offsets = K;
    Problem.V.offsets = V;
    return failure(P, Problem);
  };
  EXPECT_EQ(Failure(Good, Good, Good), "");
  EXPECT_THAT(Failure(Back, Good, Good),
              HasSubstr("the sequence 1 of 'q' has the rows [5, 3) of 8"));
  EXPECT_THAT(Failure(Good, Far, Far), HasSubstr("'k' has the rows [3, 9)"));
  const int64_t Other[] = {0, 4, 8};
  EXPECT_THAT(Failure(Good, Good, Other), HasSubstr("keys in sequence 0"));
}

class TypesTest : public testing::Test, protected Patterns {
protected:
  /// What the reference reads from one element.
  double read(uint16_t Bits, heddle_dtype Type) {
    Variant P = variant("", DenseBody, "normalize identity");
    uint16_t One = Type == HEDDLE_F16 ? 0x3c00 : 0x3f80;
    AttentionProblem Problem;
    Problem.Type = Type;
    Problem.Q = {&One, {1, 1, 1, 1}, {1, 1, 1, 1}, nullptr};
    Problem.K = Problem.V = Problem.Q;
    Problem.V.data = &Bits;
    return compute(P, Problem).O[0];
  }
};

TEST_F(TypesTest, Half) {
  EXPECT_EQ(read(0x3c00, HEDDLE_F16), 1);
  EXPECT_EQ(read(0xc000, HEDDLE_F16), -2);
  EXPECT_EQ(read(0x3555, HEDDLE_F16), 1365.0 / 4096);
  EXPECT_EQ(read(0x7bff, HEDDLE_F16), 65504);
  EXPECT_EQ(read(0x0400, HEDDLE_F16), std::ldexp(1.0, -14));
  EXPECT_EQ(read(0x0001, HEDDLE_F16), std::ldexp(1.0, -24));
  EXPECT_EQ(read(0x83ff, HEDDLE_F16), -std::ldexp(1023.0, -24));
  EXPECT_EQ(read(0xfc00, HEDDLE_F16), -Infinity);
  EXPECT_TRUE(std::isnan(read(0x7e00, HEDDLE_F16)));
}

TEST_F(TypesTest, Bfloat) {
  EXPECT_EQ(read(0x3f80, HEDDLE_BF16), 1);
  EXPECT_EQ(read(0xc049, HEDDLE_BF16), -3.140625);
  EXPECT_EQ(read(0x0001, HEDDLE_BF16), std::ldexp(1.0, -133));
  EXPECT_EQ(read(0x7f80, HEDDLE_BF16), Infinity);
  EXPECT_TRUE(std::isnan(read(0x7fc1, HEDDLE_BF16)));
}

TEST_F(TypesTest, OthersAreRefused) {
  Tensor X(1, 1, 2, 2);
  AttentionProblem Problem = problem(X, X, X);
  Problem.Type = HEDDLE_I32;
  EXPECT_THAT(failure(variant("", DenseBody), Problem),
              HasSubstr("expected f32, f16 or bf16"));
}

class OutputsTest : public testing::Test, protected Patterns {};

TEST_F(OutputsTest, ColumnsAndBlocks) {
  // Rows of head 1 have the scores k_j * q_i; causal.
  Tensor Q(1, 2, 3, 1), K(1, 1, 3, 1), V(1, 1, 3, 1);
  Q.Data = {0, 0, 0, 1, 1, 1};
  K.Data = {0, 1, 2};
  V.Data = {1, 1, 1};
  ReferenceResult R =
      compute(variant("", CausalBody), problem(Q, K, V), {1, true, 2, 2});
  const double E = std::exp(1.0), E2 = std::exp(2.0);
  const double Want[] = {1 + 1 / (1 + E) + 1 / (1 + E + E2),
                         E / (1 + E) + E / (1 + E + E2), E2 / (1 + E + E2)};
  for (int64_t J = 0; J < 3; ++J)
    EXPECT_NEAR(R.Sources[0].ColumnSums[R.column(0, 1, J)], Want[J], 1e-15);
  EXPECT_NEAR(R.Sources[0].ColumnSums[R.column(0, 0, 0)], 1 + 1.0 / 2 + 1.0 / 3,
              1e-15);
  ASSERT_EQ(R.BlockRows, 2);
  ASSERT_EQ(R.Sources[0].BlockColumns, 2);
  EXPECT_EQ(R.Sources[0].BlockMax[R.block(0, 1, 0, 0)], 1);
  EXPECT_EQ(R.Sources[0].BlockMax[R.block(0, 1, 0, 1)],
            0); // nothing is kept there
  EXPECT_NEAR(R.Sources[0].BlockMax[R.block(0, 1, 1, 0)], E / (1 + E + E2),
              1e-15);
  EXPECT_NEAR(R.Sources[0].BlockMax[R.block(0, 1, 1, 1)], E2 / (1 + E + E2),
              1e-15);
}

TEST_F(OutputsTest, WeightsAreThoseBeforeFactors) {
  Variant P = variant("", DenseBody, R"(score(%s, %b, %h, %q, %k) {
    %c = arith.constant 5.0 : f32
    attn.score %s factor %c
  })");
  Tensor X(1, 1, 4, 1);
  ReferenceResult R = compute(P, problem(X, X, X), {1, true, 4, 4});
  EXPECT_THAT(R.Sources[0].ColumnSums,
              testing::Each(testing::DoubleNear(1, 1e-15)));
  EXPECT_EQ(R.Sources[0].BlockMax[0], 0.25);
}

TEST_F(OutputsTest, RowMaximaOfChangedScores) {
  Variant P = variant("", CausalBody, R"(score(%s, %b, %h, %q, %k) {
    %c = arith.constant 100.0 : f32
    %y = arith.subf %s, %c : f32
    attn.score %y
  })");
  Tensor Q(1, 1, 2, 1), K(1, 1, 2, 1);
  Q.Data = {1, 1};
  K.Data = {3, 8};
  EXPECT_THAT(compute(P, problem(Q, K, K)).RowMax, ElementsAre(-97, -92));
}

TEST_F(OutputsTest, BlocksAreAsked) {
  Tensor X(1, 1, 4, 1);
  Variant P = variant("", DenseBody);
  EXPECT_TRUE(compute(P, problem(X, X, X)).Sources[0].ColumnSums.empty());
  EXPECT_TRUE(compute(P, problem(X, X, X)).Sources[0].BlockMax.empty());
  EXPECT_THAT(failure(P, problem(X, X, X), {1, false, 4, 0}),
              HasSubstr("found 4 and 0"));
}

} // namespace
