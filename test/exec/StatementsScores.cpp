// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about scores and normalisers: temperatures (SSA), sigmoid and
// sinks, biases (DMA, ALiBi, relative positions), caps, rotation, the grouped
// softmax (Landmark), samples (HyperAttention), pooled keys (CCA).

#include "test/exec/Statement.h"

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

bool isPast(const Pair &P) { return P.K <= P.Q; }

std::vector<float> numbers(int64_t Count, uint64_t Seed, float Low,
                           float High) {
  std::mt19937_64 Random(Seed);
  std::uniform_real_distribution<float> Draw(Low, High);
  std::vector<float> Made(static_cast<size_t>(Count));
  for (float &X : Made)
    X = Draw(Random);
  return Made;
}

double at(const std::vector<float> &Table, int64_t I) {
  return static_cast<double>(Table[static_cast<size_t>(I)]);
}

TEST(Ssa, TemperaturesAndValueScales) {
  const Statement What = Statement::example("ssa");
  for (int64_t N : {1, 64, 333}) {
    const Inputs In(2, 2, 1, N, N);
    const std::vector<float> Tau = numbers(4 * N, 1, -1, 3),
                             Scale = numbers(4 * N, 2, -1, 1);
    EXPECT_TRUE(What.equals(
        In,
        {{"tau", Value::table({2, 2, N}, Tau)},
         {"value_scale", Value::table({2, 2, N}, Scale)}},
        isPast,
        [&](double S, const Pair &P) {
          return S * at(Tau, (2 * P.B + P.H) * N + P.Q);
        },
        [&](double F, const Pair &P) {
          return F * at(Scale, (2 * P.B + P.H) * N + P.K);
        }))
        << N;
    const std::vector<float> Ones(static_cast<size_t>(N), 1);
    EXPECT_TRUE(
        agree(What.result(In, {{"tau", Value::table({1, 1, N}, Ones)},
                               {"value_scale", Value::table({1, 1, N}, Ones)}}),
              Statement::example("causal").result(In, {})))
        << "temperature 1, scale 1";
  }
}

TEST(Sigmoid, SumsWithoutNormaliser) {
  const Statement What = Statement::example("sigmoid_attention");
  const Statement Windowed = What.with(
      "  attn.keep %past\n", "  %near = attn.in %d, #attn.interval<-inf, 50>\n"
                             "  %both = arith.andi %past, %near : i1\n"
                             "  attn.keep %both\n");
  for (int64_t N : {1, 64, 333})
    for (double Bias : {0.0, -3.5}) {
      const Inputs In(1, 2, 1, N, N);
      for (bool Window : {false, true}) {
        std::vector<float> Expected;
        for (int64_t H = 0; H < 2; ++H)
          for (int64_t I = 0; I < N; ++I)
            for (int64_t D = 0; D < In.Depth; ++D) {
              double Sum = 0;
              for (int64_t J = Window ? std::max<int64_t>(0, I - 49) : 0;
                   J <= I; ++J)
                Sum += at(In.Sources[0].V,
                          static_cast<int64_t>(In.row(0, H, J)) + D) /
                       (1 + std::exp(-In.score(0, H, I, J) - Bias));
              Expected.push_back(static_cast<float>(Sum));
            }
        for (const std::string &Level : levels()) {
          Outputs Found;
          ASSERT_TRUE((Window ? Windowed : What)
                          .run(In, {{"bias", Value(Bias)}}, Found, Level));
          Found.Lse.clear();
          Outputs Wanted;
          Wanted.O = Expected;
          EXPECT_TRUE(agree(Found, Wanted)) << Level << " " << N << " " << Bias;
        }
      }
    }
}

/// The same as one more key with this score and value 0, under a window and for
/// rows that keep nothing.
TEST(Sink, EqualsAnAppendedKeyWithoutValue) {
  const Statement What = Statement::example("sink_softmax");
  const std::vector<float> Sinks = {0.5F, -2, 30};
  for (int64_t N : {1, 64, 200})
    for (int64_t Window : {0, 1, 40}) {
      const Inputs In(1, 3, 1, N, N);
      Inputs More(1, 3, 1, N, N);
      More.add(1);
      std::fill(More.Sources[1].V.begin(), More.Sources[1].V.end(), 0.0F);
      const Outputs Expected = attend(
          More,
          [&](const Pair &P) {
            return P.Source == 1 || (P.K <= P.Q && P.Q - P.K < Window);
          },
          [&](double S, const Pair &P) {
            return P.Source == 1 ? at(Sinks, P.H) : S;
          });
      for (const std::string &Level : levels()) {
        Outputs Found;
        ASSERT_TRUE(What.run(
            In, {{"sink", Value::table({3}, Sinks)}, {"window", Window}}, Found,
            Level));
        EXPECT_TRUE(agree(Found, Expected)) << Level << " " << N;
      }
    }
}

TEST(Dma, ListedKeysWithBias) {
  const Statement What = Statement::example("dma");
  std::mt19937_64 Random(3);
  for (int64_t N : {1, 100, 333}) {
    const Inputs In(2, 2, 1, N, N);
    const std::vector<float> Bias = numbers(4 * N, 4, -2, 2);
    auto AddBias = [&](double S, const Pair &P) {
      return S + at(Bias, (2 * P.B + P.H) * N + P.K);
    };
    // The keys of largest bias of each head.
    std::vector<std::vector<int64_t>> Top, All;
    for (int64_t Row = 0; Row < 4; ++Row) {
      std::vector<int64_t> Order = chooseMembers(Random, N, N);
      All.push_back(Order);
      std::sort(Order.begin(), Order.end(), [&](int64_t I, int64_t J) {
        return at(Bias, Row * N + I) > at(Bias, Row * N + J);
      });
      Order.resize(static_cast<size_t>(N / 8 + 1));
      std::sort(Order.begin(), Order.end());
      Top.push_back(Order);
    }
    const Value Table = Value::table({2, 2, N}, Bias);
    EXPECT_TRUE(What.equals(
        In, {{"top", Value::sets({2, 2}, N, Top)}, {"bias", Table}},
        [&](const Pair &P) {
          return P.K <= P.Q &&
                 contains(Top[static_cast<size_t>(2 * P.B + P.H)], P.K);
        },
        AddBias))
        << N;
    EXPECT_TRUE(agree(What.result(In, {{"top", Value::sets({2, 2}, N, All)},
                                       {"bias", Table}}),
                      attend(In, isPast, AddBias)))
        << "all keys listed";
  }
}

/// Keys listed in one place only wake the tiles there.
TEST(Dma, TilesWithoutAListedKeyAreNotVisited) {
  constexpr int64_t N = 1920;
  const Inputs In(1, 1, 1, N, N, 1, 4);
  std::vector<int64_t> Top;
  for (int64_t K = 500; K < 700; ++K)
    Top.push_back(K);
  const Outputs Found = Statement::example("dma").result(
      In, {{"top", Value::sets({1, 1}, N, {Top})},
           {"bias", Value::table({1, 1, 1}, std::vector<float>(1, 0))}});
  EXPECT_LE(Found.liveTiles(), countTiles(In, Found, isPast, [](const Pair &P) {
              return P.K >= 500 && P.K < 700;
            }));
}

TEST(Scores, BiasesAndCaps) {
  constexpr int64_t N = 300;
  const Inputs In(2, 2, 1, N, N);
  const std::vector<float> Slopes = {0.25F, 0.03F};
  EXPECT_TRUE(Statement::example("alibi").equals(
      In, {{"slope", Value::table({2}, Slopes)}}, isPast,
      [&](double S, const Pair &P) {
        return S - at(Slopes, P.H) * static_cast<double>(P.Q - P.K);
      }));
  EXPECT_TRUE(Statement::example("softcap").equals(
      In, {{"cap", Value(1.5)}, {"window", 100}},
      [](const Pair &P) { return P.K <= P.Q && P.Q - P.K < 100; },
      [](double S, const Pair &) { return 1.5 * std::tanh(S / 1.5); }));
  const std::vector<float> Relative = numbers(2 * 257, 5, -2, 2);
  EXPECT_TRUE(Statement::example("relative_bias")
                  .equals(
                      In, {{"bias", Value::table({2, 257}, Relative)}},
                      [](const Pair &) { return true; },
                      [&](double S, const Pair &P) {
                        return S + at(Relative, P.H * 257 + 128 +
                                                    std::clamp<int64_t>(
                                                        P.Q - P.K, -128, 128));
                      }));
  const std::vector<float> Full = numbers(2 * N * N, 6, -2, 2);
  EXPECT_TRUE(Statement::example("additive_bias")
                  .equals(
                      In, {{"bias", Value::table({1, 2, N, N}, Full)}},
                      [](const Pair &) { return true; },
                      [&](double S, const Pair &P) {
                        return S + at(Full, (P.H * N + P.Q) * N + P.K);
                      }));
}

/// Rotating by hand and attending plainly.
TEST(Rope, EqualsRotatedInputs) {
  const Statement What = Statement::example("rope");
  for (int64_t Depth : {2, 16, 40}) {
    constexpr int64_t N = 150, Positions = 400;
    Inputs In(2, 2, 1, N, 350, 7, Depth);
    In.Origin = {0, 200};
    std::vector<float> Cos, Sin;
    for (int64_t P = 0; P < Positions; ++P)
      for (int64_t T = 0; T < Depth / 2; ++T) {
        const double Angle = static_cast<double>(P) *
                             std::pow(10000.0, -2.0 * static_cast<double>(T) /
                                                   static_cast<double>(Depth));
        Cos.push_back(static_cast<float>(std::cos(Angle)));
        Sin.push_back(static_cast<float>(std::sin(Angle)));
      }
    Inputs Rotated = In;
    auto Rotate = [&](float *Row, int64_t Position) {
      for (int64_t T = 0; T < Depth / 2; ++T) {
        const double C = at(Cos, Position * (Depth / 2) + T),
                     S = at(Sin, Position * (Depth / 2) + T), X = Row[T],
                     Y = Row[T + Depth / 2];
        Row[T] = static_cast<float>(X * C - Y * S);
        Row[T + Depth / 2] = static_cast<float>(X * S + Y * C);
      }
    };
    for (int64_t B = 0; B < 2; ++B) {
      for (int64_t H = 0; H < 2; ++H)
        for (int64_t I = 0; I < N; ++I)
          Rotate(Rotated.Q.data() + ((B * 2 + H) * N + I) * Depth,
                 In.Origin[static_cast<size_t>(B)] + I);
      for (int64_t J = 0; J < 350; ++J)
        Rotate(Rotated.Sources[0].K.data() + In.row(B, 0, J), J);
    }
    const Outputs Expected = attend(Rotated, isPast);
    for (const std::string &Level : levels()) {
      Outputs Found;
      ASSERT_TRUE(What.run(In,
                           {{"cos", Value::table({Positions, Depth / 2}, Cos)},
                            {"sin", Value::table({Positions, Depth / 2}, Sin)}},
                           Found, Level));
      EXPECT_TRUE(agree(Found, Expected)) << Level << ", d " << Depth;
    }
  }
}

} // namespace
