// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about feature maps and normalisers: Hedgehog, elu + 1, powers,
// MALA, RALA, SLAB, ScatterFormer, Flow-Attention; and Agent Attention, which
// is two softmax attentions.

#include "test/exec/LinearStatement.h"

#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// sum over features of phi(q) phi(k).
Weight mapped(const Tokens &In, double (*Map)(double)) {
  return [&In, Map](int64_t B, int64_t H, int64_t I, int64_t J) {
    double Sum = 0;
    for (int64_t C = 0; C < In.Q.Shape[3]; ++C)
      Sum += Map(In.Q.get(B, H, I, C)) * Map(In.key(B, H, J, C));
    return Sum;
  };
}
double eluPlusOne(double X) { return X > 0 ? X + 1 : std::exp(X); }
double relu(double X) { return std::max(X, 0.0); }
double sigmoid(double X) { return 1 / (1 + std::exp(-X)); }

//===----------------------------------------------------------------------===//
// Hedgehog
//===----------------------------------------------------------------------===//

/// The features of all rows of q or k: softmax of (x W, -x W).
class Hedgehog {
public:
  Hedgehog(const Tokens &In, std::vector<float> W) : In(In), W(std::move(W)) {
    for (int64_t B = 0; B < In.Q.Shape[0]; ++B)
      for (int64_t H = 0; H < In.headsQ(); ++H)
        for (int64_t I = 0; I < In.count(); ++I) {
          Q.push_back(map(In.Q, B, H, I, H));
          K.push_back(map(In.K, B, In.keyHead(H), I, H));
        }
  }

  double operator()(int64_t B, int64_t H, int64_t I, int64_t J) const {
    const std::vector<double> &X = Q[row(B, H, I)], &Y = K[row(B, H, J)];
    double Sum = 0;
    for (size_t C = 0; C < X.size(); ++C)
      Sum += X[C] * Y[C];
    return Sum;
  }

private:
  size_t row(int64_t B, int64_t H, int64_t I) const {
    return static_cast<size_t>((B * In.headsQ() + H) * In.count() + I);
  }
  std::vector<double> map(const Rows &X, int64_t B, int64_t RowHead, int64_t I,
                          int64_t H) const {
    const int64_t D = X.Shape[3];
    std::vector<double> Made(static_cast<size_t>(2 * D));
    double Most = 0, Sum = 0;
    for (int64_t C = 0; C < D; ++C) {
      double Y = 0;
      for (int64_t T = 0; T < D; ++T)
        Y += X.get(B, RowHead, I, T) * at(W, (H * D + T) * D + C);
      Made[static_cast<size_t>(C)] = Y;
      Made[static_cast<size_t>(D + C)] = -Y;
      Most = std::max(Most, std::abs(Y));
    }
    for (double &Y : Made) {
      Y = std::exp(Y - Most);
      Sum += Y;
    }
    for (double &Y : Made)
      Y /= Sum;
    return Made;
  }

  const Tokens &In;
  std::vector<float> W;
  std::vector<std::vector<double>> Q, K;
};

TEST(Hedgehog, LearnedMapCausalAndBidirectional) {
  const LinearStatement What = LinearStatement::example("hedgehog"),
                        Both = What.with("normalize sum",
                                         "normalize sum\n  bidirectional");
  for (int64_t N : {1, 64, 150}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    const std::vector<float> W = numbers(2 * 12 * 12, 7, -1, 1);
    const Values Params = {{"w", Value::table({2, 12, 12}, W)}};
    const Hedgehog By(In, W);
    EXPECT_TRUE(What.equals(In, Params, weigh(In, By, true, true))) << N;
    EXPECT_TRUE(Both.equals(In, Params, weigh(In, By, false, true))) << N;
  }
}

TEST(Hedgehog, RowsSumToOne) {
  const LinearStatement What = LinearStatement::example("hedgehog"),
                        Both = What.with("normalize sum",
                                         "normalize sum\n  bidirectional");
  Tokens In(1, 2, 1, 150, 12);
  In.V = Rows::fill(In.V.Shape, 1);
  const Values Params = {
      {"w", Value::table({2, 12, 12}, numbers(2 * 12 * 12, 7, -1, 1))}};
  const Rows Ones = Rows::fill(In.Q.Shape, 1);
  EXPECT_TRUE(agree(What.result(In, Params).O, Ones, 2e-6));
  EXPECT_TRUE(agree(Both.result(In, Params).O, Ones, 2e-6));
}

// Norms of 10^4: exponents that overflow where no maximum is taken out. Queries
// are keys, or features of one and the other would not meet in f32.
TEST(Hedgehog, LargeRowsStayFiniteInNarrowTypes) {
  const LinearStatement What = LinearStatement::example("hedgehog");
  for (heddle_dtype Dtype : {HEDDLE_F16, HEDDLE_BF16}) {
    Tokens In(1, 2, 2, 100, 12);
    In.Q = In.K = Rows::normal(In.Q.Shape, 3, 3000).rounded(Dtype);
    In.V = In.V.rounded(Dtype);
    const std::vector<float> W = numbers(2 * 12 * 12, 7, -1, 1);
    LinearOptions How;
    How.Dtype = Dtype;
    EXPECT_TRUE(
        agree(What.result(In, {{"w", Value::table({2, 12, 12}, W)}}, How).O,
              weigh(In, Hedgehog(In, W), true, true),
              Dtype == HEDDLE_F16 ? 1e-3 : 8e-3));
  }
}

//===----------------------------------------------------------------------===//
// Maps without parameters
//===----------------------------------------------------------------------===//

TEST(LinearElu, EqualsItsWeights) {
  const LinearStatement What = LinearStatement::example("linear_elu");
  for (int64_t N : {1, 64, 333}) {
    const Tokens In(2, 2, 1, N, 24, 40);
    const Rows Expected = weigh(In, mapped(In, eluPlusOne), true, true);
    EXPECT_TRUE(What.equals(In, {}, Expected)) << N;
    EXPECT_TRUE(
        agree(What.inParts(In, {}, tokenByToken(N, N - N / 9)), Expected));
  }
}

TEST(SymmetricPower, EqualsPowersOfScores) {
  for (int Power : {2, 4}) {
    const LinearStatement What =
        LinearStatement::example("symmetric_power_" + std::to_string(Power));
    for (int64_t N : {1, 64, 150}) {
      // Away from orthogonal rows: their weight is a small difference of large
      // monomials.
      Tokens In(1, 2, 1, N, 8, 20);
      for (Rows *X : {&In.Q, &In.K})
        for (float &E : X->Data)
          E += 1.5F;
      const Rows Expected = weigh(
          In,
          [&](int64_t B, int64_t H, int64_t I, int64_t J) {
            return std::pow(In.scale() * In.dot(B, H, I, J), Power);
          },
          true, true);
      EXPECT_TRUE(What.equals(In, {}, Expected)) << Power << ", " << N;
      EXPECT_TRUE(
          agree(What.inParts(In, {}, tokenByToken(N, N - N / 9)), Expected));
    }
  }
}

TEST(Slab, EqualsItsWeights) {
  const LinearStatement What = LinearStatement::example("slab");
  for (int64_t N : {1, 64, 333}) {
    const Tokens In(2, 2, 1, N, 24, 40);
    EXPECT_TRUE(What.equals(In, {}, weigh(In, mapped(In, relu), false, true)))
        << N;
  }
}

TEST(Mala, WeightsSumToOneAndFollowTheQuerysLength) {
  const LinearStatement What = LinearStatement::example("mala");
  for (int64_t N : {1, 64, 200}) {
    Tokens In(1, 2, 1, N, 12, 20);
    const Weight Plain = mapped(In, eluPlusOne);
    auto Expect = [&] {
      return weigh(
          In,
          [&](int64_t B, int64_t H, int64_t I, int64_t J) {
            double Z = 0;
            for (int64_t T = 0; T < N; ++T)
              Z += In.scale() * Plain(B, H, I, T);
            return (1 + 1 / Z) * In.scale() * Plain(B, H, I, J) -
                   Z / static_cast<double>(N);
          },
          false, false);
    };
    EXPECT_TRUE(What.equals(In, {}, Expect())) << N;
    In.V = Rows::fill(In.V.Shape, 1);
    EXPECT_TRUE(agree(Expect(), Rows::fill({1, 2, N, 20}, 1)));
    EXPECT_TRUE(
        agree(What.result(In, {}).O, Rows::fill({1, 2, N, 20}, 1), 5e-4));
  }
}

TEST(Rala, WeightedKeysAndModulatedRows) {
  const LinearStatement What = LinearStatement::example("rala");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    const Weight Plain = mapped(In, eluPlusOne);
    // A global query per head, and n times the softmax over keys of its
    // scores.
    std::vector<float> Alpha, Modulation = numbers(4 * N * 20, 5, -1, 1);
    for (int64_t B = 0; B < 2; ++B)
      for (int64_t H = 0; H < 2; ++H) {
        std::vector<double> E;
        double Sum = 0;
        for (int64_t J = 0; J < N; ++J) {
          double S = 0;
          for (int64_t I = 0; I < N; ++I)
            S += In.scale() * Plain(B, H, I, J) / static_cast<double>(N);
          E.push_back(std::exp(S));
          Sum += E.back();
        }
        for (double X : E)
          Alpha.push_back(static_cast<float>(static_cast<double>(N) * X / Sum));
      }
    Rows Expected = weigh(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t J) {
          return at(Alpha, (2 * B + H) * N + J) * Plain(B, H, I, J);
        },
        false, true);
    for (size_t I = 0; I < Expected.Data.size(); ++I)
      Expected.Data[I] *= Modulation[I];
    EXPECT_TRUE(
        What.equals(In,
                    {{"alpha", Value::table({2, 2, N}, Alpha)},
                     {"modulation", Value::table({2, 2, N, 20}, Modulation)}},
                    Expected))
        << N;
  }
}

TEST(ScatterFormer, EveryWindowEqualsItselfAlone) {
  const LinearStatement What = LinearStatement::example("scatterformer");
  Tokens In(1, 2, 2, 233, 12, 20);
  In.Offsets = {0, 5, 5, 70, 71, 233};
  Rows Expected = Rows::fill({1, 2, 233, 20}, 0);
  for (size_t Window = 0; Window + 1 < In.Offsets.size(); ++Window) {
    const int64_t Begin = In.Offsets[Window], End = In.Offsets[Window + 1];
    const Tokens Alone = In.part(Begin, End);
    const Rows Part = weigh(Alone, mapped(Alone, relu), false, true);
    for (int64_t H = 0; H < 2; ++H)
      for (int64_t I = Begin; I < End; ++I)
        for (int64_t C = 0; C < 20; ++C)
          Expected.at(0, H, I, C) = Part.Data[Part.index(0, H, I - Begin, C)];
  }
  EXPECT_TRUE(What.equals(In, {}, Expected));
}

//===----------------------------------------------------------------------===//
// Flow-Attention
//===----------------------------------------------------------------------===//

/// Rows of one feature from numbers, and back.
Rows column(const Rows &Like, const std::vector<float> &From) {
  return {{Like.Shape[0], Like.Shape[1], Like.Shape[2], 1}, From};
}
std::vector<float> inverse(std::vector<float> X) {
  for (float &E : X)
    E = 1 / E;
  return X;
}

TEST(FlowAttention, LaunchesComposeToConservedFlows) {
  const LinearStatement Sums = LinearStatement::example("flow_sums"),
                        What = LinearStatement::example("flow_attention");
  for (int64_t N : {1, 64, 150}) {
    const Tokens In(1, 2, 2, N, 12, 20);
    const Weight Flow = mapped(In, sigmoid);
    LinearOptions One;
    One.Scale = 1;
    // Four launches: incoming and outgoing flows, then both conserved.
    Tokens Forth = In, Back = In;
    std::swap(Back.Q, Back.K);
    Forth.V = Back.V = Rows::fill({1, 2, N, 1}, 1);
    const Rows Incoming = Sums.result(Forth, {}, One).O,
               Outgoing = Sums.result(Back, {}, One).O;
    Forth.V = column(Outgoing, inverse(Outgoing.Data));
    Back.V = column(Incoming, inverse(Incoming.Data));
    const Rows KeptIn = Sums.result(Forth, {}, One).O,
               KeptOut = Sums.result(Back, {}, One).O;
    // Competition is n times a softmax over sources.
    std::vector<float> Competition;
    for (int64_t H = 0; H < 2; ++H) {
      double Sum = 0;
      for (int64_t J = 0; J < N; ++J)
        Sum += std::exp(KeptOut.get(0, H, J, 0));
      for (int64_t J = 0; J < N; ++J)
        Competition.push_back(static_cast<float>(
            static_cast<double>(N) * std::exp(KeptOut.get(0, H, J, 0)) / Sum));
    }
    const Rows Found =
        What.result(In, {{"outgoing", Value::table({1, 2, N}, Competition)},
                         {"incoming", Value::table({1, 2, N}, KeptIn.Data)}})
            .O;

    // By the paper, with nothing from a launch.
    Rows Expected = Rows::fill({1, 2, N, 20}, 0);
    for (int64_t H = 0; H < 2; ++H) {
      auto Sum = [&](auto Of) {
        double All = 0;
        for (int64_t T = 0; T < N; ++T)
          All += Of(T);
        return All;
      };
      std::vector<double> I, O, SharpIn, SharpOut;
      for (int64_t A = 0; A < N; ++A) {
        I.push_back(Sum([&](int64_t T) { return Flow(0, H, A, T); }));
        O.push_back(Sum([&](int64_t T) { return Flow(0, H, T, A); }));
      }
      for (int64_t A = 0; A < N; ++A) {
        SharpIn.push_back(Sum([&](int64_t T) {
          return Flow(0, H, A, T) / O[static_cast<size_t>(T)];
        }));
        SharpOut.push_back(Sum([&](int64_t T) {
          return Flow(0, H, T, A) / I[static_cast<size_t>(T)];
        }));
      }
      const double Total = Sum([&](int64_t T) {
        return std::exp(SharpOut[static_cast<size_t>(T)]);
      });
      for (int64_t A = 0; A < N; ++A)
        for (int64_t C = 0; C < 20; ++C)
          Expected.at(0, H, A, C) = static_cast<float>(
              sigmoid(SharpIn[static_cast<size_t>(A)]) /
              I[static_cast<size_t>(A)] * Sum([&](int64_t T) {
                return Flow(0, H, A, T) * static_cast<double>(N) *
                       std::exp(SharpOut[static_cast<size_t>(T)]) / Total *
                       In.value(0, H, T, C);
              }));
    }
    EXPECT_TRUE(agree(Found, Expected)) << N;
  }
}

//===----------------------------------------------------------------------===//
// Agent Attention
//===----------------------------------------------------------------------===//

TEST(AgentAttention, TwoLaunchesEqualTheTwoSteps) {
  const Statement What = Statement::example("agent_attention");
  const int64_t Agents = 9;
  for (int64_t N : {1, 64, 200}) {
    const std::vector<float> Gather = numbers(2 * Agents * N, 1, -1, 1),
                             Hand = numbers(2 * N * Agents, 2, -1, 1);
    // Agents as queries, then as keys, whose values are what they gathered.
    Inputs First(2, 2, 2, Agents, N), Second(2, 2, 2, N, Agents);
    Second.Sources[0].K = First.Q;
    auto Bias = [](const std::vector<float> &Table, int64_t Keys) {
      return [&Table, Keys](double S, const Pair &P) {
        const auto Rows = static_cast<int64_t>(Table.size()) / (2 * Keys);
        return S + at(Table, (P.H * Rows + P.Q) * Keys + P.K);
      };
    };
    auto All = [](const Pair &) { return true; };
    Second.Sources[0].V = attend(First, All, Bias(Gather, N)).O;
    const Outputs Expected = attend(Second, All, Bias(Hand, Agents));

    const Outputs Gathered =
        What.result(First, {{"bias", Value::table({2, Agents, N}, Gather)}});
    Second.Sources[0].V = Gathered.O;
    const Outputs Found =
        What.result(Second, {{"bias", Value::table({2, N, Agents}, Hand)}});
    EXPECT_TRUE(agree(Found, Expected)) << N;
  }
}

TEST(AgentAttention, WorkIsLinearInTokens) {
  const Statement What = Statement::example("agent_attention");
  auto Tiles = [&](int64_t Queries, int64_t Keys) {
    const std::vector<float> Bias(static_cast<size_t>(Queries * Keys));
    return What
        .result(Inputs(1, 1, 1, Queries, Keys),
                {{"bias", Value::table({1, Queries, Keys}, Bias)}})
        .liveTiles();
  };
  EXPECT_EQ(Tiles(9, 4096), 4 * Tiles(9, 1024));
  EXPECT_EQ(Tiles(4608, 9), 4 * Tiles(1152, 9));
}

} // namespace
