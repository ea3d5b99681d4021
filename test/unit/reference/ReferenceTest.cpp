// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/reference/Patterns.h"

#include "gmock/gmock.h"

#include <cmath>
#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

class ReferenceTest : public testing::Test, protected Patterns {};

TEST_F(ReferenceTest, ByHand) {
  // Two queries, two keys, causal: row 0 sees key 0 alone; row 1 has scores
  // 0.5 * 2 = 1 and 0.5 * 6 = 3.
  Tensor Q(1, 1, 2, 2), K(1, 1, 2, 2), V(1, 1, 2, 1);
  Q.Data = {5, 7, 2, 0};
  K.Data = {1, 9, 3, -4};
  V.Data = {10, 20};
  ReferenceResult R = compute(variant("", CausalBody), problem(Q, K, V, 0.5));
  EXPECT_DOUBLE_EQ(R.O[0], 10);
  EXPECT_DOUBLE_EQ(R.Lse[0], 0.5 * (5 * 1 + 7 * 9));
  const double W = 1 / (1 + std::exp(2.0));
  EXPECT_NEAR(R.O[1], 10 * W + 20 * (1 - W), 1e-14);
  EXPECT_NEAR(R.Lse[1], std::log(std::exp(1.0) + std::exp(3.0)), 1e-14);
  EXPECT_EQ(R.KeptPairs, 3);
  EXPECT_DOUBLE_EQ(R.Spread[0], 10);
  EXPECT_NEAR(R.Spread[1], std::hypot(10 * W, 20 * (1 - W)), 1e-14);
}

TEST_F(ReferenceTest, EmptyRows) {
  Tensor Q(1, 1, 3, 4), K(1, 1, 5, 4), V(1, 1, 5, 2);
  Q.randomise(1);
  K.randomise(2);
  V.randomise(3);
  // Row 1 keeps nothing.
  Variant P = variant("", R"(
    %c1 = arith.constant 1 : index
    %r = arith.cmpi ne, %q, %c1 : index
    attn.keep %r)");
  ReferenceResult R = compute(P, problem(Q, K, V));
  EXPECT_EQ(R.Lse[1], -Infinity);
  EXPECT_EQ(R.output(0, 0, 1)[0], 0.0);
  EXPECT_EQ(R.output(0, 0, 1)[1], 0.0);
  EXPECT_TRUE(std::isfinite(R.Lse[0]) && std::isfinite(R.Lse[2]));
}

TEST_F(ReferenceTest, NoKeysAndNoQueries) {
  Tensor Q(1, 2, 3, 4), None(1, 2, 0, 4);
  Q.randomise(1);
  Variant P = variant("", DenseBody);
  ReferenceResult R = compute(P, problem(Q, None, None));
  EXPECT_THAT(R.O, testing::Each(0.0));
  EXPECT_THAT(R.Lse, testing::Each(-Infinity));
  EXPECT_EQ(R.Lse.size(), 6U);
  R = compute(P, problem(None, Q, Q));
  EXPECT_TRUE(R.O.empty() && R.Lse.empty());
}

TEST_F(ReferenceTest, ScoresOfMinusInfinityAreAnEmptyRow) {
  Tensor Q(1, 1, 1, 1), K(1, 1, 2, 1), V(1, 1, 2, 1);
  Q.Data = {1};
  K.Data = {-HUGE_VALF, -HUGE_VALF};
  V.Data = {3, 4};
  ReferenceResult R = compute(variant("", DenseBody), problem(Q, K, V));
  EXPECT_EQ(R.O[0], 0.0);
  EXPECT_EQ(R.Lse[0], -Infinity);
}

TEST_F(ReferenceTest, NanReachesOnlyRowsThatKeepIt) {
  Tensor Q(1, 1, 6, 4), K(1, 1, 6, 4), V(1, 1, 6, 2);
  Variant P = variant("", CausalBody);
  for (Tensor *Poisoned : {&K, &V}) {
    Q.randomise(1);
    K.randomise(2);
    V.randomise(3);
    ReferenceResult Clean = compute(P, problem(Q, K, V));
    Poisoned->at(0, 0, 3, 1) = NotANumber;
    ReferenceResult R = compute(P, problem(Q, K, V));
    for (int64_t I = 0; I < 6; ++I) {
      if (I < 3)
        EXPECT_EQ(R.output(0, 0, I)[1], Clean.output(0, 0, I)[1]) << I;
      else
        EXPECT_TRUE(std::isnan(R.output(0, 0, I)[1])) << I;
      EXPECT_EQ(std::isnan(R.Lse[static_cast<size_t>(I)]),
                I >= 3 && Poisoned == &K);
    }
  }
}

TEST_F(ReferenceTest, GroupedHeadsReadTheirKeyHead) {
  // The value of a key head is its number, so every output names the head read.
  Tensor Q(2, 6, 3, 4), K(2, 3, 5, 4), V(2, 3, 5, 2);
  Q.randomise(1);
  K.randomise(2);
  for (int64_t B = 0; B < 2; ++B)
    for (int64_t H = 0; H < 3; ++H)
      for (int64_t J = 0; J < 5; ++J)
        for (int64_t T = 0; T < 2; ++T)
          V.at(B, H, J, T) = static_cast<float>(10 * B + H);
  ReferenceResult R = compute(variant("", DenseBody), problem(Q, K, V));
  for (int64_t B = 0; B < 2; ++B)
    for (int64_t H = 0; H < 6; ++H) {
      int64_t KeyHead = H / 2;
      EXPECT_NEAR(R.output(B, H, 2)[1], static_cast<double>(10 * B + KeyHead),
                  1e-12);
    }
}

TEST_F(ReferenceTest, OriginShiftsQueries) {
  Tensor Q(2, 1, 2, 4), K(2, 1, 8, 4), V(2, 1, 8, 1);
  Q.randomise(1);
  K.randomise(2);
  V.randomise(3);
  AttentionProblem Problem = problem(Q, K, V);
  const int64_t Origin[] = {0, 5};
  Problem.Origin = Origin;
  // Sequence 0 keeps 1 + 2 keys, sequence 1 keeps 6 + 7.
  EXPECT_EQ(compute(variant("", CausalBody), Problem).KeptPairs, 16);
}

TEST_F(ReferenceTest, PatternsOfBatchAndHead) {
  // Row i of head h in sequence b keeps exactly the key (b + 2 h + i) mod 7.
  Variant P = variant("(%two: index)", R"(
    %x = arith.muli %h, %two : index
    %y = arith.addi %x, %b : index
    %z = arith.addi %y, %q : index
    %m = attn.mod %z, 7
    %r = arith.cmpi eq, %m, %k : index
    attn.keep %r)");
  Tensor Q(2, 4, 40, 2), K(2, 2, 7, 2), V(2, 2, 7, 1);
  Q.randomise(1);
  K.randomise(2);
  for (size_t I = 0; I < V.Data.size(); ++I)
    V.Data[I] = static_cast<float>(I % 7);
  AttentionProblem Problem = problem(Q, K, V);
  const int64_t Two = 2;
  Problem.Params = {Two};
  ReferenceResult R = compute(P, Problem);
  for (int64_t B = 0; B < 2; ++B)
    for (int64_t H = 0; H < 4; ++H)
      for (int64_t I = 0; I < 40; ++I)
        ASSERT_EQ(R.output(B, H, I)[0],
                  static_cast<double>((B + 2 * H + I) % 7));
}

TEST_F(ReferenceTest, StridedViews) {
  // q in the layout (batch, position, head, feature), keys with a zero stride
  // over heads.
  Tensor Q(1, 2, 3, 4), K(1, 1, 5, 4), V(1, 1, 5, 2);
  Q.randomise(1);
  K.randomise(2);
  V.randomise(3);
  Tensor Transposed(1, 3, 2, 4), K2(1, 2, 5, 4), V2(1, 2, 5, 2);
  for (int64_t H = 0; H < 2; ++H) {
    for (int64_t I = 0; I < 3; ++I)
      for (int64_t T = 0; T < 4; ++T)
        Transposed.at(0, I, H, T) = Q.at(0, H, I, T);
    std::copy(K.Data.begin(), K.Data.end(), &K2.at(0, H, 0, 0));
    std::copy(V.Data.begin(), V.Data.end(), &V2.at(0, H, 0, 0));
  }
  Variant P = variant("", CausalBody);
  ReferenceResult Want = compute(P, problem(Q, K2, V2));
  AttentionProblem Problem = problem(Transposed, K2, V2);
  Problem.Q.shape[1] = 2;
  Problem.Q.shape[2] = 3;
  Problem.Q.stride[1] = 4;
  Problem.Q.stride[2] = 8;
  Problem.K = K.view();
  Problem.K.shape[1] = 2;
  Problem.K.stride[1] = 0;
  Problem.V = V.view();
  Problem.V.shape[1] = 2;
  Problem.V.stride[1] = 0;
  ReferenceResult Found = compute(P, Problem);
  EXPECT_EQ(Found.O, Want.O);
  EXPECT_EQ(Found.Lse, Want.Lse);
}

TEST_F(ReferenceTest, ThreadsDoNotChangeTheResult) {
  Tensor Q(2, 4, 77, 24), K(2, 2, 90, 24), V(2, 2, 90, 17);
  Q.randomise(1);
  K.randomise(2);
  V.randomise(3);
  Variant P = variant("", CausalBody);
  ReferenceResult One = compute(P, problem(Q, K, V), {1});
  ReferenceResult Many = compute(P, problem(Q, K, V), {5});
  EXPECT_EQ(One.O, Many.O);
  EXPECT_EQ(One.Lse, Many.Lse);
  EXPECT_EQ(One.KeptPairs, 8 * 77 * 78 / 2);
  EXPECT_EQ(Many.KeptPairs, One.KeptPairs);
}

TEST_F(ReferenceTest, LongRowsAgreeWithTheDefinition) {
  // A dot product of every length modulo the number of its partial sums.
  for (int64_t D = 1; D <= 19; ++D) {
    Tensor Q(1, 1, 1, D), K(1, 1, 3, D), V(1, 1, 3, 1);
    Q.randomise(1);
    K.randomise(2);
    V.randomise(3);
    double Sum = 0, Weighted = 0;
    for (int64_t J = 0; J < 3; ++J) {
      double Score = 0;
      for (int64_t T = 0; T < D; ++T)
        Score += static_cast<double>(Q.at(0, 0, 0, T)) *
                 static_cast<double>(K.at(0, 0, J, T));
      Sum += std::exp(Score);
      Weighted += std::exp(Score) * static_cast<double>(V.at(0, 0, J, 0));
    }
    ReferenceResult R = compute(variant("", DenseBody), problem(Q, K, V));
    EXPECT_NEAR(R.O[0], Weighted / Sum, 1e-13) << D;
    EXPECT_NEAR(R.Lse[0], std::log(Sum), 1e-13) << D;
  }
}

TEST_F(ReferenceTest, IllFormedProblems) {
  Variant P = variant("", DenseBody);
  Tensor Q(1, 4, 3, 8), K(1, 2, 5, 8), V(1, 2, 5, 8);
  EXPECT_EQ(failure(P, problem(Q, K, V)), "");
  Tensor Narrow(1, 2, 5, 4), Short(1, 2, 4, 8), Odd(1, 3, 5, 8),
      Batch(2, 2, 5, 8);
  EXPECT_THAT(failure(P, problem(Q, Narrow, V)),
              testing::HasSubstr("head dim, found 8 and 4"));
  EXPECT_THAT(failure(P, problem(Q, Short, V)),
              testing::HasSubstr("number of keys, found 4 and 5"));
  EXPECT_THAT(failure(P, problem(Q, Odd, Odd)),
              testing::HasSubstr("4 heads of 'q' are not a multiple"));
  EXPECT_THAT(failure(P, problem(Q, Batch, V)),
              testing::HasSubstr("batch, found 1 and 2"));
  AttentionProblem Problem = problem(Q, K, V);
  const int64_t Two[] = {1, 2};
  Problem.Origin = Two;
  EXPECT_THAT(failure(P, Problem), testing::HasSubstr("one origin"));
  Problem = problem(Q, K, V);
  Problem.Params = {1, 2};
  EXPECT_THAT(failure(P, Problem), testing::HasSubstr("0 parameters, found 2"));
  Problem = problem(Q, K, V);
  Problem.V.data = nullptr;
  EXPECT_THAT(failure(P, Problem), testing::HasSubstr("'v' has no data"));
}

TEST_F(ReferenceTest, FailuresOfThePredicateStopTheThreads) {
  Variant P = variant("", R"(
    %x = arith.divui %k, %q : index
    %r = arith.cmpi eq, %x, %k : index
    attn.keep %r)");
  Tensor Q(1, 1, 200, 2), K(1, 1, 9, 2), V(1, 1, 9, 2);
  llvm::Expected<ReferenceResult> R =
      computeReference(P, problem(Q, K, V), {4});
  ASSERT_FALSE(static_cast<bool>(R));
  EXPECT_THAT(llvm::toString(R.takeError()),
              testing::HasSubstr("divides by zero"));
}

} // namespace
