// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about recurrences: constant decay (Lightning Attention-2,
// TransNormerLLM), windows with a linear tail (LoLCATs, Based), learned maps
// (Hedgehog), chained attentions (Agent Attention).

#include "test/exec/LinearStatement.h"

#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

//===----------------------------------------------------------------------===//
// Lightning Attention-2
//===----------------------------------------------------------------------===//

const std::vector<float> Slopes = {0.5F, 0.02F, 0.0F, 7.0F};

Weight lightning(const Tokens &In, double Scale) {
  return [&In, Scale](int64_t B, int64_t H, int64_t I, int64_t J) {
    return Scale * In.dot(B, H, I, J) *
           std::exp(-at(Slopes, H) * static_cast<double>(I - J));
  };
}

TEST(Lightning, EveryChunkEqualsTheMaskedProduct) {
  const LinearStatement What = LinearStatement::example("lightning");
  for (int64_t N : {1, 15, 64, 65, 333}) {
    const Tokens In(2, 4, 2, N, 24, 40);
    const Values Params = {{"slope", Value::table({4}, Slopes)}};
    EXPECT_TRUE(
        What.equals(In, Params, weigh(In, lightning(In, 1), true, false), 1))
        << N;
  }
}

TEST(Lightning, DecodingFromACarriedStateEqualsThePrefill) {
  const LinearStatement What = LinearStatement::example("lightning");
  const Values Params = {{"slope", Value::table({4}, Slopes)}};
  const Tokens In(1, 4, 4, 1100, 16);
  const Rows Whole = What.result(In, Params).O;
  EXPECT_TRUE(agree(What.inParts(In, Params, tokenByToken(1100, 1000)), Whole));
  EXPECT_TRUE(agree(Whole, weigh(In, lightning(In, In.scale()), true, false)));
}

// A factor of exp(-s) that is rounded to f32 has another rate where s is small:
// by 3e-4 of it at s = 1e-4, which is 3e-4 of a weight after 1/s tokens.
TEST(Lightning, SlowDecayKeepsItsRate) {
  const LinearStatement What = LinearStatement::example("lightning");
  const std::vector<float> Slope = {1e-3F, 1.3e-4F, 1e-5F};
  const Tokens In(1, 3, 3, 20000, 4);
  Rows Expected = Rows::fill(In.Q.Shape, 0);
  for (int64_t H = 0; H < 3; ++H) {
    double S[4][4] = {};
    for (int64_t I = 0; I < In.count(); ++I)
      for (int64_t C = 0; C < 4; ++C)
        for (int64_t E = 0; E < 4; ++E) {
          S[C][E] = std::exp(-at(Slope, H)) * S[C][E] +
                    In.key(0, H, I, C) * In.value(0, H, I, E);
          Expected.at(0, H, I, E) +=
              static_cast<float>(In.scale() * In.Q.get(0, H, I, C) * S[C][E]);
        }
  }
  // Sums of so many tokens cancel. Factors rounded per token fail this.
  EXPECT_TRUE(agree(What.result(In, {{"slope", Value::table({3}, Slope)}}).O,
                    Expected, /*Tolerance=*/5e-4));
}

TEST(Lightning, WorkIsLinearInTokens) {
  const LinearStatement What = LinearStatement::example("lightning");
  const Values Params = {{"slope", Value::table({4}, Slopes)}};
  const LinearResult One = What.result(Tokens(1, 4, 4, 1024), Params);
  const LinearResult Four = What.result(Tokens(1, 4, 4, 4096), Params);
  EXPECT_EQ(One.Stats.tiles_full, 4 * ((1024 + One.Chunk - 1) / One.Chunk));
  EXPECT_EQ(Four.Stats.tiles_full, 4 * One.Stats.tiles_full);
  EXPECT_EQ(One.Stats.kept_pairs, 4 * (1024 * 1025 / 2));
}

//===----------------------------------------------------------------------===//
// TransNormerLLM
//===----------------------------------------------------------------------===//

/// cos or sin of position * theta_c, with axes (position, feature).
std::vector<float> angles(double (*Of)(double), int64_t Positions,
                          int64_t Depth) {
  std::vector<float> Made;
  for (int64_t I = 0; I < Positions; ++I)
    for (int64_t C = 0; C < Depth; ++C)
      Made.push_back(static_cast<float>(
          Of(static_cast<double>(I) *
             std::pow(10000.0,
                      -static_cast<double>(C) / static_cast<double>(Depth)))));
  return Made;
}

Values transnormer(const Tokens &In, const std::vector<float> &Slope) {
  const int64_t N = In.count(), D = In.Q.Shape[3];
  return {{"cos", Value::table({N, D}, angles(std::cos, N, D))},
          {"sin", Value::table({N, D}, angles(std::sin, N, D))},
          {"slope", Value::table({In.headsQ()}, Slope)}};
}

Weight turned(const Tokens &In, const std::vector<float> &Slope) {
  return [&](int64_t B, int64_t H, int64_t I, int64_t J) {
    const auto Back = static_cast<double>(I - J),
               Depth = static_cast<double>(In.Q.Shape[3]);
    double Sum = 0;
    for (int64_t C = 0; C < In.Q.Shape[3]; ++C)
      Sum +=
          In.Q.get(B, H, I, C) * In.key(B, H, J, C) *
          std::cos(Back * std::pow(10000.0, -static_cast<double>(C) / Depth));
    return In.scale() * Sum * std::exp(-at(Slope, H) * Back);
  };
}

TEST(TransNormer, PositionMapAndDecayEqualTheQuadraticForm) {
  const LinearStatement What = LinearStatement::example("transnormer");
  const std::vector<float> Slope = {0.01F, 0.3F};
  for (int64_t N : {1, 63, 200}) {
    const Tokens In(1, 2, 1, N, 12, 20);
    EXPECT_TRUE(What.equals(In, transnormer(In, Slope),
                            weigh(In, turned(In, Slope), true, false)))
        << N;
  }
}

// exp(-s i) is 0 from i = 120 on where s is 1, and exp(s i) infinite.
TEST(TransNormer, DecayIsStableWherePowersAreNot) {
  const LinearStatement What = LinearStatement::example("transnormer");
  const std::vector<float> Slope = {1.0F, 20.0F};
  const Tokens In(1, 2, 2, 2000, 12, 20);
  const Values Params = transnormer(In, Slope);
  const Rows Whole = What.result(In, Params).O;
  EXPECT_TRUE(agree(Whole, weigh(In, turned(In, Slope), true, false)));
  EXPECT_TRUE(agree(What.inParts(In, Params, tokenByToken(2000, 1900)), Whole));
}

TEST(TransNormer, HalfPerTokenStaysFiniteOverAHundredThousandTokens) {
  const LinearStatement What = LinearStatement::example("lightning");
  const Values Params = {
      {"slope", Value::table({1}, std::vector<float>{0.6931472F})}};
  const int64_t N = 100000;
  const Tokens In(1, 1, 1, N, 8);
  // 2^-60 of a row is nothing in f32.
  Rows Expected = Rows::fill({1, 1, N, 8}, 0);
  for (int64_t I = 0; I < N; ++I)
    for (int64_t J = std::max<int64_t>(0, I - 60); J <= I; ++J) {
      const double W = In.scale() * In.dot(0, 0, I, J) *
                       std::exp2(static_cast<double>(J - I));
      for (int64_t C = 0; C < 8; ++C)
        Expected.at(0, 0, I, C) += static_cast<float>(W * In.value(0, 0, J, C));
    }
  EXPECT_TRUE(agree(What.result(In, Params).O, Expected));
}

//===----------------------------------------------------------------------===//
// LoLCATs
//===----------------------------------------------------------------------===//

/// The features of LoLCATs: softmax(x W) and softmax(-x W).
std::vector<double> twoSoftmaxes(const Rows &X, int64_t B, int64_t RowHead,
                                 int64_t I, const std::vector<float> &W,
                                 int64_t H) {
  const int64_t D = X.Shape[3];
  std::vector<double> Made;
  for (double Sign : {1.0, -1.0}) {
    double Sum = 0;
    for (int64_t C = 0; C < D; ++C) {
      double Y = 0;
      for (int64_t T = 0; T < D; ++T)
        Y += X.get(B, RowHead, I, T) * at(W, (H * D + T) * D + C);
      Made.push_back(std::exp(Sign * Y));
      Sum += Made.back();
    }
    for (auto It = Made.end() - D; It != Made.end(); ++It)
      *It /= Sum;
  }
  return Made;
}

double product(const std::vector<double> &X, const std::vector<double> &Y) {
  double Sum = 0;
  for (size_t I = 0; I < X.size(); ++I)
    Sum += X[I] * Y[I];
  return Sum;
}

/// Features of every row, by batch, query head and row.
using Features = std::vector<std::vector<double>>;

struct Lolcats {
  explicit Lolcats(const Tokens &In)
      : In(In), D(In.Q.Shape[3]), N(In.count()),
        Wq(Rows::normal({1, In.headsQ(), D, D}, 91).Data),
        Wk(Rows::normal({1, In.headsQ(), D, D}, 92).Data) {
    for (int64_t B = 0; B < In.Q.Shape[0]; ++B)
      for (int64_t H = 0; H < In.headsQ(); ++H)
        for (int64_t I = 0; I < N; ++I) {
          Q.push_back(twoSoftmaxes(In.Q, B, H, I, Wq, H));
          K.push_back(twoSoftmaxes(In.K, B, In.keyHead(H), I, Wk, H));
        }
  }

  Values params(int64_t Window) const {
    const int64_t H = In.headsQ();
    return {{"wq", Value::table({H, D, D}, Wq)},
            {"wk", Value::table({H, D, D}, Wk)},
            {"tail", Value::table({1}, std::vector<float>{Tail})},
            {"window", Value(Window)}};
  }
  /// Both parts under one sum, by the paper's formula.
  Rows expected(int64_t Window) const {
    std::vector<double> Most(Q.size(), -HUGE_VAL);
    auto Row = [&](int64_t B, int64_t H, int64_t I) {
      return static_cast<size_t>((B * In.headsQ() + H) * N + I);
    };
    for (int64_t B = 0; B < In.Q.Shape[0]; ++B)
      for (int64_t H = 0; H < In.headsQ(); ++H)
        for (int64_t I = 0; I < N; ++I)
          for (int64_t J = std::max<int64_t>(0, I - Window + 1); J <= I; ++J)
            Most[Row(B, H, I)] =
                std::max(Most[Row(B, H, I)], In.scale() * In.dot(B, H, I, J));
    return weigh(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t J) {
          if (I - J < Window)
            return std::exp(In.scale() * In.dot(B, H, I, J) -
                            Most[Row(B, H, I)]);
          return In.scale() * static_cast<double>(Tail) *
                 product(Q[Row(B, H, I)], K[Row(B, H, J)]);
        },
        true, true);
  }

  const Tokens &In;
  int64_t D, N;
  std::vector<float> Wq, Wk;
  float Tail = 3;
  Features Q, K;
};

TEST(Lolcats, WindowAndTailUnderOneSum) {
  const LinearStatement What = LinearStatement::example("lolcats");
  for (int64_t N : {1, 64, 150}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    const Lolcats By(In);
    for (int64_t Window :
         {int64_t(0), int64_t(1), int64_t(7), int64_t(64), N, N + 100})
      EXPECT_TRUE(What.equals(In, By.params(Window), By.expected(Window)))
          << N << ", window " << Window;
  }
}

TEST(Lolcats, AWindowOverAllIsSoftmax) {
  const Tokens In(1, 2, 2, 150, 16);
  const Lolcats By(In);
  Inputs Same(1, 2, 2, 150, 150);
  Same.Q = In.Q.Data;
  Same.Sources[0].K = In.K.Data;
  Same.Sources[0].V = In.V.Data;
  const Rows Softmax = {In.Q.Shape,
                        Statement::example("causal").result(Same, {}).O};
  EXPECT_TRUE(
      agree(LinearStatement::example("lolcats").result(In, By.params(150)).O,
            Softmax));
}

TEST(Lolcats, DecodingWithARingWindowAndAStateEqualsThePrefill) {
  const LinearStatement What = LinearStatement::example("lolcats");
  const Tokens In(1, 2, 1, 150, 12, 20);
  const Lolcats By(In);
  for (int64_t Window : {0, 1, 13, 64}) {
    const Rows Whole = What.result(In, By.params(Window)).O;
    for (int64_t First : {1, 5, 100})
      EXPECT_TRUE(agree(What.inParts(In, By.params(Window),
                                     tokenByToken(150, First), 0, Window),
                        Whole))
          << Window << ", from " << First;
    EXPECT_TRUE(agree(
        What.inParts(In, By.params(Window), {17, 90, 91}, 0, Window), Whole))
        << Window;
  }
}

//===----------------------------------------------------------------------===//
// Based
//===----------------------------------------------------------------------===//

Weight taylor(const Tokens &In) {
  return [&In](int64_t B, int64_t H, int64_t I, int64_t J) {
    const double S = In.scale() * In.dot(B, H, I, J);
    return 1 + S + S * S / 2;
  };
}

TEST(Based, TaylorFeaturesEqualThePolynomial) {
  const LinearStatement What = LinearStatement::example("based");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 1, N, 16, 24);
    EXPECT_TRUE(What.equals(In, {}, weigh(In, taylor(In), true, true))) << N;
  }
}

TEST(Based, TheStateFormEqualsTheQuadraticForm) {
  const LinearStatement What = LinearStatement::example("based");
  const Tokens In(1, 2, 2, 90, 16, 24);
  const Rows Expected = weigh(In, taylor(In), true, true);
  EXPECT_TRUE(agree(What.inParts(In, {}, tokenByToken(90, 1)), Expected))
      << "token by token";
  EXPECT_TRUE(agree(What.inParts(In, {}, {1, 30, 77}), Expected));
}

TEST(Based, ATokenCostsTheSameAtAnyPosition) {
  const LinearStatement What = LinearStatement::example("based");
  Carried State;
  LinearOptions How;
  How.To = &State;
  Tokens In(1, 2, 2, 300);
  What.result(In, {}, How);
  const std::array<int64_t, 4> Shape = State.State.Shape;
  EXPECT_EQ(Shape[2], 1 + 16 + 16 * 17 / 2);
  How.From = &State;
  const Tokens One = In.part(299, 300);
  EXPECT_EQ(What.result(One, {}, How).Stats.tiles_full,
            What.result(In.part(0, 1), {}).Stats.tiles_full);
  EXPECT_EQ(State.State.Shape, Shape);
}

TEST(Based, WindowAndTailAsASumOfBranches) {
  const LinearStatement What = LinearStatement::example("based_window");
  const Tokens In(1, 2, 1, 150, 12, 20);
  for (int64_t Window : {1, 20, 64, 200}) {
    const Values Params = {{"window", Value(Window)}};
    Rows Expected = weigh(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t J) {
          return I - J < Window ? std::exp(In.scale() * In.dot(B, H, I, J)) : 0;
        },
        true, true);
    const Rows Linear = weigh(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t J) {
          return I - J < Window ? 0 : taylor(In)(B, H, I, J);
        },
        true, false);
    for (size_t I = 0; I < Expected.Data.size(); ++I)
      Expected.Data[I] += Linear.Data[I];
    EXPECT_TRUE(What.equals(In, Params, Expected)) << Window;
    EXPECT_TRUE(
        agree(What.inParts(In, Params, {5, 80, 81, 82}, 0, Window), Expected))
        << Window;
  }
}

} // namespace
