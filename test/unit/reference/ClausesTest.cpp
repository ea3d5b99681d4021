// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Score regions, normalisers and rotation. Expected values are worked out here
// from the definitions, on scores that the tests choose: with a head dim of one
// and q = 1 the score of key j is k_j.

#include "test/unit/reference/Patterns.h"

#include "gmock/gmock.h"

#include <cmath>
#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

using testing::HasSubstr;

/// One row with the given scores and values.
struct Row {
  Row(std::vector<float> Scores, std::vector<float> Values)
      : Q(1, 1, 1, 1), K(1, 1, static_cast<int64_t>(Scores.size()), 1),
        V(1, 1, static_cast<int64_t>(Values.size()), 1) {
    Q.Data = {1};
    K.Data = std::move(Scores);
    V.Data = std::move(Values);
  }
  AttentionProblem problem(OperandList Params = {}) {
    AttentionProblem Out = test::problem(Q, K, V);
    Out.Params = std::move(Params);
    return Out;
  }
  Tensor Q, K, V;
};

class ScoreTest : public testing::Test, protected Patterns {
protected:
  /// What the region makes of score `S` at the coordinates (b, h, q, k) of the
  /// last head, row and key of a small problem; identity weights.
  double change(llvm::StringRef Body, float S, llvm::StringRef Params = "",
                const OperandList &Values = {}) {
    Variant P = variant(
        Params, "%r0 = attn.in %k, #attn.interval<6, 7>\nattn.keep %r0",
        ("score(%s, %b, %h, %q, %k) {\n" + Body + "\n} normalize identity")
            .str());
    Tensor Q(2, 3, 5, 1), K(2, 3, 7, 1), V(2, 3, 7, 1);
    Q.at(1, 2, 4, 0) = 1;
    K.at(1, 2, 6, 0) = S;
    V.at(1, 2, 6, 0) = 1;
    AttentionProblem Problem = problem(Q, K, V);
    Problem.Params = Values;
    return *compute(P, Problem).output(1, 2, 4);
  }
};

TEST_F(ScoreTest, Softcap) {
  EXPECT_DOUBLE_EQ(change(R"(
    %x = arith.divf %s, %cap : f32
    %t = math.tanh %x : f32
    %y = arith.mulf %t, %cap : f32
    attn.score %y)",
                          40, "(%cap: f32)", {Operand::real(30)}),
                   30 * std::tanh(40.0 / 30));
}

TEST_F(ScoreTest, CoordinatesAndTables) {
  // b = 1, h = 2, q = 4, k = 6.
  EXPECT_DOUBLE_EQ(change(R"(
    %d = arith.subi %k, %q : index
    %i = arith.index_cast %d : index to i64
    %f = arith.sitofp %i : i64 to f32
    %m = attn.at %slope[%h] : tensor<?xf32>
    %x = arith.mulf %f, %m : f32
    %y = arith.subf %s, %x : f32
    attn.score %y)",
                          10, "(%slope: tensor<?xf32>)",
                          {Operand::reals({3}, {1, 2, 0.25})}),
                   10 - 0.5);
  EXPECT_DOUBLE_EQ(
      change(R"(
    %r = attn.mod %k, 4
    %t = attn.at %bias[%b, %h, %q, %r] : tensor<?x?x?x?xf32>
    %n = attn.num_keys
    %u = attn.at %more[%n] : tensor<?xindex>
    %i = arith.index_cast %u : index to i32
    %f = arith.sitofp %i : i32 to f32
    %x = arith.addf %t, %f : f32
    %y = arith.addf %s, %x : f32
    attn.score %y)",
             1, "(%bias: tensor<?x?x?x?xf32>, %more: tensor<?xindex>)",
             {Operand::reals({1, 1, 5, 4}, {0, 0, 0, 0, 0, 0, 0,  0,  0,  0,
                                            0, 0, 0, 0, 0, 0, 10, 20, 30, 40}),
              Operand::integers({8}, {0, 0, 0, 0, 0, 0, 0, -3})}),
      1 + 30 - 3);
}

TEST_F(ScoreTest, EveryElementaryFunction) {
  struct Case {
    const char *Op;
    double Want;
  } const Cases[] = {
      {"arith.negf %s", -0.75},
      {"math.absf %s", 0.75},
      {"math.exp %s", std::exp(0.75)},
      {"math.exp2 %s", std::exp2(0.75)},
      {"math.log %s", std::log(0.75)},
      {"math.log2 %s", std::log2(0.75)},
      {"math.sqrt %s", std::sqrt(0.75)},
      {"math.rsqrt %s", 1 / std::sqrt(0.75)},
      {"math.sin %s", std::sin(0.75)},
      {"math.cos %s", std::cos(0.75)},
      {"math.tanh %s", std::tanh(0.75)},
      {"math.erf %s", std::erf(0.75)},
      {"math.floor %s", 0},
      {"math.ceil %s", 1},
      {"arith.addf %s, %two", 2.75},
      {"arith.subf %s, %two", -1.25},
      {"arith.mulf %s, %two", 1.5},
      {"arith.divf %s, %two", 0.375},
      {"arith.maximumf %s, %two", 2},
      {"arith.minimumf %s, %two", 0.75},
      {"arith.maxnumf %s, %two", 2},
      {"arith.minnumf %s, %two", 0.75},
      {"math.powf %s, %two", 0.5625},
      {"math.fma %s, %two, %two", 3.5},
  };
  for (const Case &C : Cases)
    EXPECT_DOUBLE_EQ(change((llvm::Twine("%two = arith.constant 2.0 : f32\n"
                                         "%y = ") +
                             C.Op + " : f32\nattn.score %y")
                                .str(),
                            0.75F),
                     C.Want)
        << C.Op;
}

TEST_F(ScoreTest, ComparisonsOfReals) {
  struct Case {
    const char *Name;
    bool Want[4]; // less, equal, greater, unordered
  } const Cases[] = {
      {"oeq", {false, true, false, false}},
      {"one", {true, false, true, false}},
      {"olt", {true, false, false, false}},
      {"ole", {true, true, false, false}},
      {"ogt", {false, false, true, false}},
      {"oge", {false, true, true, false}},
      {"ord", {true, true, true, false}},
      {"uno", {false, false, false, true}},
      {"ueq", {false, true, false, true}},
      {"une", {true, false, true, true}},
      {"ult", {true, false, false, true}},
      {"ule", {true, true, false, true}},
      {"ugt", {false, false, true, true}},
      {"uge", {false, true, true, true}},
  };
  const float Scores[] = {-1, 0, 1, std::numeric_limits<float>::quiet_NaN()};
  for (const Case &C : Cases)
    for (int I = 0; I < 4; ++I)
      EXPECT_EQ(change((llvm::Twine(R"(
        %zero = arith.constant 0.0 : f32
        %one = arith.constant 1.0 : f32
        %c = arith.cmpf )") +
                        C.Name + R"(, %s, %zero : f32
        %y = arith.select %c, %one, %zero : f32
        attn.score %y)")
                           .str(),
                       Scores[I]),
                C.Want[I] ? 1 : 0)
          << C.Name << " " << I;
}

TEST_F(ScoreTest, LongRowsAreChangedKeyByKey) {
  // Every third key of 500; its score becomes its position.
  Variant P = variant("", R"(
    %r = attn.in %k, #attn.residue<1, 3>
    attn.keep %r)",
                      R"(score(%s, %b, %h, %q, %k) {
    %i = arith.index_cast %k : index to i64
    %f = arith.sitofp %i : i64 to f32
    attn.score %f
  } normalize identity)");
  Row One(std::vector<float>(500, 1), std::vector<float>(500, 1));
  double Want = 0;
  for (int K = 1; K < 500; K += 3)
    Want += K;
  EXPECT_EQ(compute(P, One.problem()).O[0], Want);
}

TEST_F(ScoreTest, OnlyKeptPairsAreAsked) {
  const char *Score = R"(score(%s, %b, %h, %q, %k) {
    %x = attn.at %bias[%k] : tensor<?xf32>
    %y = arith.addf %s, %x : f32
    attn.score %y
  })";
  Row One({1, 2, 3}, {1, 1, 1});
  const OperandList Short = {Operand::reals({2}, {0, 0})};
  Variant First = variant("(%bias: tensor<?xf32>)", R"(
    %r = attn.in %k, #attn.interval<0, 2>
    attn.keep %r)",
                          Score);
  EXPECT_EQ(failure(First, One.problem(Short)), "");
  Variant All = variant("(%bias: tensor<?xf32>)", DenseBody, Score);
  EXPECT_THAT(failure(All, One.problem(Short)),
              HasSubstr("reads index 2 along axis 0 of parameter 'bias', which "
                        "has 2 at b=0, h=0, q=0, k=2"));
}

TEST_F(ScoreTest, FactorsCountAfterTheNormaliser) {
  // Weights 1/4 and 3/4; the factor is k + 2.
  Variant P = variant("", DenseBody, R"(score(%s, %b, %h, %q, %k) {
    %two = arith.constant 2 : index
    %x = arith.addi %k, %two : index
    %i = arith.index_cast %x : index to i64
    %f = arith.sitofp %i : i64 to f32
    attn.score %s factor %f
  })");
  Row One({0, static_cast<float>(std::log(3.0))}, {10, 100});
  ReferenceResult R = compute(P, One.problem());
  EXPECT_NEAR(R.O[0], 0.25 * 2 * 10 + 0.75 * 3 * 100, 1e-4);
  EXPECT_NEAR(R.Lse[0], std::log(4.0), 1e-7);
}

TEST_F(ScoreTest, UnknownOperationsAreLocated) {
  EXPECT_TRUE(parse(R"(attn.pattern @p keep(%b, %h, %q, %k) {
  %t = arith.constant true
  attn.keep %t
} score(%s, %b, %h, %q, %k) {
  %r = arith.shli %q, %k : index
  attn.score %s
})",
                    /*Verify=*/false));
  EXPECT_TRUE(mlir::failed(
      Variant::compile(parse(R"(attn.pattern @p keep(%b, %h, %q, %k) {
  %t = arith.constant true
  attn.keep %t
} score(%s, %b, %h, %q, %k) {
  %r = arith.shli %q, %k : index
  attn.score %s
})",
                             /*Verify=*/false))));
  ASSERT_EQ(Errors.size(), 1U);
  EXPECT_THAT(Errors.front(), HasSubstr("test.mlir\":5:"));
  EXPECT_THAT(Errors.front(), HasSubstr("a score region holds"));
}

class NormalizerTest : public testing::Test, protected Patterns {
protected:
  Variant dense(llvm::StringRef Normalizer, llvm::StringRef Params = "") {
    return variant(Params, DenseBody, ("normalize " + Normalizer).str());
  }
};

TEST_F(NormalizerTest, Sums) {
  Row One({-2, 0, 1.5F}, {1, 10, 100});
  auto Sigmoid = [](double S) { return 1 / (1 + std::exp(-S)); };
  struct Case {
    const char *Name;
    double Want;
  } const Cases[] = {
      {"sigmoid", Sigmoid(-2) + 10 * Sigmoid(0) + 100 * Sigmoid(1.5)},
      {"relu", 150},
      {"relu2", 225},
      {"identity", -2 + 150},
  };
  for (const Case &C : Cases) {
    ReferenceResult R = compute(dense(C.Name), One.problem());
    EXPECT_DOUBLE_EQ(R.O[0], C.Want) << C.Name;
    EXPECT_EQ(R.Lse[0], 0) << C.Name;
    EXPECT_EQ(R.RowMax[0], 1.5) << C.Name;
  }
}

TEST_F(NormalizerTest, RowsWithoutKeys) {
  for (const char *Name :
       {"softmax", "sigmoid", "relu", "relu2", "identity", "grouped 2"}) {
    Variant None = variant("", "%f = arith.constant false\nattn.keep %f",
                           (llvm::Twine("normalize ") + Name).str());
    Row One({1, 2}, {3, 4});
    ReferenceResult R = compute(None, One.problem());
    EXPECT_EQ(R.O[0], 0) << Name;
    EXPECT_EQ(R.RowMax[0], -Infinity) << Name;
    const bool HasLse = None.normalization().isSoftmax();
    EXPECT_EQ(R.Lse[0], HasLse ? -Infinity : 0) << Name;
  }
}

TEST_F(NormalizerTest, ASinkIsAKeyWithoutValue) {
  // A sink of head 1 equals an appended key of value zero.
  Variant Sink = dense("softmax sink(%s)", "(%s: tensor<?xf32>)");
  Tensor Q(1, 2, 3, 4), K(1, 1, 5, 4), V(1, 1, 5, 2);
  Q.randomise(1);
  K.randomise(2);
  V.randomise(3);
  AttentionProblem Problem = problem(Q, K, V);
  Problem.Params = {Operand::reals({2}, {-1, 2.5})};
  ReferenceResult R = compute(Sink, Problem);
  for (int64_t H = 0; H < 2; ++H)
    for (int64_t I = 0; I < 3; ++I) {
      double Sum = std::exp(H == 0 ? -1 : 2.5), Weighted = 0, Max = -Infinity;
      for (int64_t J = 0; J < 5; ++J) {
        double Score = 0;
        for (int64_t T = 0; T < 4; ++T)
          Score += static_cast<double>(Q.at(0, H, I, T)) *
                   static_cast<double>(K.at(0, 0, J, T));
        Sum += std::exp(Score);
        Weighted += std::exp(Score) * static_cast<double>(V.at(0, 0, J, 1));
        Max = std::max(Max, Score);
      }
      EXPECT_NEAR(R.output(0, H, I)[1], Weighted / Sum, 1e-14);
      EXPECT_NEAR(R.Lse[R.row(0, H, I)], std::log(Sum), 1e-14);
      // The sink is not the score of any key.
      EXPECT_NEAR(R.RowMax[R.row(0, H, I)], Max, 1e-14);
    }
  Problem.Params = {Operand::reals({1}, {7})};
  EXPECT_EQ(failure(Sink, Problem), "");
  Tensor Three(1, 3, 3, 4);
  AttentionProblem Wide = problem(Three, K, V);
  Wide.Params = {Operand::reals({2}, {7, 8})};
  EXPECT_THAT(failure(Sink, Wide), HasSubstr("'s' has 2 sink logits"));
}

TEST_F(NormalizerTest, ASinkAlone) {
  Variant None =
      variant("(%s: tensor<?xf32>)", "%f = arith.constant false\nattn.keep %f",
              "normalize softmax sink(%s)");
  Row One({1}, {2});
  ReferenceResult R = compute(None, One.problem({Operand::reals({1}, {1.25})}));
  EXPECT_EQ(R.O[0], 0);
  EXPECT_EQ(R.Lse[0], 1.25);
  // A sink of -infinity is none.
  R = compute(None, One.problem({Operand::reals({1}, {-Infinity})}));
  EXPECT_EQ(R.Lse[0], -Infinity);
  Variant Some =
      variant("(%s: tensor<?xf32>)", DenseBody, "normalize softmax sink(%s)");
  R = compute(Some, One.problem({Operand::reals({1}, {-Infinity})}));
  EXPECT_EQ(R.O[0], 2);
  EXPECT_EQ(R.Lse[0], 1);
}

TEST_F(NormalizerTest, Landmarks) {
  // Groups of three: keys 0 1 [2], 3 4 [5], 6 7 [8]; the query is in the last.
  Variant P = dense("grouped 3");
  Row One({0.5F, 1, 2, -1, 0.25F, 1.5F, 3, 0, 9}, std::vector<float>(9));
  AttentionProblem Problem = One.problem();
  const int64_t Origin = 7;
  Problem.Origin = Origin;
  // The counts of the groups are those of their landmarks; in the own group
  // every ordinary key counts by itself, the landmark does not.
  const double Total =
      std::exp(2.0) + std::exp(1.5) + std::exp(3.0) + std::exp(0.0);
  const double First = std::exp(0.5) + std::exp(1.0);
  const double Second = std::exp(-1.0) + std::exp(0.25);
  const double Want[] = {std::exp(2.0) * std::exp(0.5) / First / Total,
                         std::exp(2.0) * std::exp(1.0) / First / Total,
                         0,
                         std::exp(1.5) * std::exp(-1.0) / Second / Total,
                         std::exp(1.5) * std::exp(0.25) / Second / Total,
                         0,
                         std::exp(3.0) / Total,
                         1 / Total,
                         0};
  for (size_t J = 0; J < 9; ++J) {
    std::fill(One.V.Data.begin(), One.V.Data.end(), 0.0F);
    One.V.Data[J] = 1;
    ReferenceResult R = compute(P, Problem);
    EXPECT_NEAR(R.O[0], Want[J], 1e-15) << J;
    EXPECT_NEAR(R.Lse[0], std::log(Total), 1e-14);
    EXPECT_EQ(R.RowMax[0], 9);
  }
}

TEST_F(NormalizerTest, LandmarkRowsSumToOne) {
  Variant P = variant("", CausalBody, "normalize grouped 4");
  Tensor Q(1, 2, 30, 8), K(1, 2, 30, 8), V(1, 2, 30, 1);
  Q.randomise(1);
  K.randomise(2);
  std::fill(V.Data.begin(), V.Data.end(), 1.0F);
  ReferenceResult R = compute(P, problem(Q, K, V), {1, true, 0, 0});
  for (double X : R.O)
    EXPECT_NEAR(X, 1, 1e-14);
  for (int64_t J = 3; J < 30; J += 4)
    EXPECT_EQ(R.Sources[0].ColumnSums[R.column(0, 1, J)], 0);
}

TEST_F(NormalizerTest, GroupsWithoutTheirLandmarkCountNothing) {
  // Keys 0 2 [3 not kept], 4 5 [7 kept alone would count nothing], 8.
  Variant P = variant("(%keys: !attn.set)", R"(
    %r = attn.in %k, %keys[%h]
    attn.keep %r)",
                      "normalize grouped 4");
  Row One({5, 5, 5, 5, 1, 2, 5, 3, 0.5F, 5}, {9, 9, 9, 9, 1, 2, 9, 9, 3, 9});
  AttentionProblem Problem =
      One.problem({Operand::sets({1}, 10, {{0, 2, 4, 5, 7, 8}})});
  const int64_t Origin = 9;
  Problem.Origin = Origin;
  const double Inner = std::exp(1.0) + std::exp(2.0);
  const double Total = std::exp(3.0) + std::exp(0.5);
  ReferenceResult R = compute(P, Problem);
  EXPECT_NEAR(R.O[0],
              (std::exp(3.0) * (std::exp(1.0) * 1 + std::exp(2.0) * 2) / Inner +
               std::exp(0.5) * 3) /
                  Total,
              1e-14);
  Problem.Params = {Operand::sets({1}, 10, {{0, 2, 7, 8}})};
  R = compute(P, Problem);
  EXPECT_NEAR(R.O[0], 3, 1e-14);
  EXPECT_NEAR(R.Lse[0], 0.5, 1e-14);
  Problem.Params = {Operand::sets({1}, 10, {{0, 2, 7}})};
  R = compute(P, Problem);
  EXPECT_EQ(R.O[0], 0);
  EXPECT_EQ(R.Lse[0], -Infinity);
}

TEST_F(NormalizerTest, LandmarksHaveNoValue) {
  Row One({1, 2, 3, 4}, {5, 7, 9, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_TRUE(std::isfinite(compute(dense("grouped 4"), One.problem()).O[0]));
}

class RotateTest : public testing::Test, protected Patterns {
protected:
  /// Angles position * Base^(-t), t < Half, for `Positions` positions.
  static OperandList angles(int64_t Positions, int64_t Half) {
    std::vector<double> Cos, Sin;
    for (int64_t I = 0; I < Positions; ++I)
      for (int64_t T = 0; T < Half; ++T) {
        const double Angle =
            static_cast<double>(I) * std::pow(10.0, static_cast<double>(-T));
        Cos.push_back(std::cos(Angle));
        Sin.push_back(std::sin(Angle));
      }
    return {Operand::reals({Positions, Half}, Cos),
            Operand::reals({Positions, Half}, Sin)};
  }
  Variant rotating() {
    return variant("(%c: tensor<?x?xf32>, %s: tensor<?x?xf32>)", CausalBody,
                   "normalize identity rotate(%c, %s)");
  }
};

TEST_F(RotateTest, ByMatrices) {
  // Feature pairs as complex numbers: rotating by position p multiplies pair t
  // by exp(i p w_t), so that the product depends on the distance alone.
  Tensor Q(1, 1, 3, 6), K(1, 1, 9, 6), V(1, 1, 9, 1);
  Q.randomise(4);
  K.randomise(5);
  V.randomise(6);
  AttentionProblem Problem = problem(Q, K, V);
  const int64_t Origin = 6;
  Problem.Origin = Origin;
  Problem.Params = angles(9, 3);
  ReferenceResult R = compute(rotating(), Problem);
  for (int64_t I = 0; I < 3; ++I) {
    double Want = 0;
    for (int64_t J = 0; J <= I + 6; ++J) {
      double Score = 0;
      for (int64_t T = 0; T < 3; ++T) {
        const double Angle = static_cast<double>(I + 6 - J) *
                             std::pow(10.0, static_cast<double>(-T));
        const double A = static_cast<double>(Q.at(0, 0, I, T));
        const double B = static_cast<double>(Q.at(0, 0, I, T + 3));
        const double C = static_cast<double>(K.at(0, 0, J, T));
        const double D = static_cast<double>(K.at(0, 0, J, T + 3));
        Score += std::cos(Angle) * (A * C + B * D) +
                 std::sin(Angle) * (A * D - B * C);
      }
      Want += Score * static_cast<double>(V.at(0, 0, J, 0));
    }
    // Tables are f32.
    EXPECT_NEAR(*R.output(0, 0, I), Want, 1e-6) << I;
  }
}

TEST_F(RotateTest, QuarterTurn) {
  // Position 1 turns (x, y) into (-y, x): query (1, 0) at 1 meets key (0, -2)
  // at 0, then key (3, 5) at 1.
  Tensor Q(1, 1, 1, 2), K(1, 1, 2, 2), V(1, 1, 2, 1);
  Q.Data = {1, 0};
  K.Data = {0, -2, 3, 5};
  V.Data = {1, 100};
  AttentionProblem Problem = problem(Q, K, V);
  const int64_t Origin = 1;
  Problem.Origin = Origin;
  Problem.Params = {Operand::reals({2, 1}, {1, 0}),
                    Operand::reals({2, 1}, {0, 1})};
  EXPECT_EQ(compute(rotating(), Problem).O[0], -2 + 300);
}

TEST_F(RotateTest, IllFormed) {
  Tensor Q(1, 1, 2, 4), K(1, 1, 5, 4), Odd(1, 1, 5, 3);
  AttentionProblem Problem = problem(Q, K, K);
  Problem.Params = angles(4, 2);
  EXPECT_THAT(failure(rotating(), Problem),
              HasSubstr("rotates by element (4, 0) of a table of 4 x 2"));
  Problem.Params = angles(5, 2);
  EXPECT_EQ(failure(rotating(), Problem), "");
  const int64_t Origin = 4;
  Problem.Origin = Origin;
  EXPECT_THAT(failure(rotating(), Problem), HasSubstr("element (5, 0)"));
  Problem.Params = angles(6, 1);
  EXPECT_EQ(failure(rotating(), Problem), "");
  AttentionProblem Uneven = problem(Odd, Odd, Odd);
  Uneven.Params = angles(5, 1);
  EXPECT_THAT(failure(rotating(), Uneven), HasSubstr("even head dim, found 3"));
}

} // namespace
