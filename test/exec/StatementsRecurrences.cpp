// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about what states do: decay per head (RetNet), per channel (GLA),
// per token (Mamba-2), delta rules (DeltaNet, Gated DeltaNet, Kimi Delta
// Attention), prefixes of one softmax (Aaren). Expected are the papers'
// recurrences, token by token.

#include "test/exec/LinearStatement.h"

#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// A state of Depth rows and Width columns.
struct State {
  State(int64_t Depth, int64_t Width)
      : Width(Width), Data(static_cast<size_t>(Depth * Width)) {}
  double &operator()(int64_t C, int64_t E) {
    return Data[static_cast<size_t>(C * Width + E)];
  }
  int64_t Width;
  std::vector<double> Data;
};

/// Updates the state of head H of sequence B by token I.
using Update = std::function<void(State &S, int64_t B, int64_t H, int64_t I)>;
/// Feature C of query I.
using Query = std::function<double(int64_t, int64_t, int64_t, int64_t)>;

/// o_i = query_i^T S_i for every token.
Rows follow(const Tokens &In, const Update &Next, const Query &Of) {
  const int64_t D = In.Q.Shape[3], W = In.V.Shape[3];
  Rows Out = Rows::fill({In.Q.Shape[0], In.headsQ(), In.count(), W}, 0);
  for (int64_t B = 0; B < Out.Shape[0]; ++B)
    for (int64_t H = 0; H < Out.Shape[1]; ++H) {
      State S(D, W);
      for (int64_t I = 0; I < In.count(); ++I) {
        Next(S, B, H, I);
        for (int64_t E = 0; E < W; ++E) {
          double Sum = 0;
          for (int64_t C = 0; C < D; ++C)
            Sum += Of(B, H, I, C) * S(C, E);
          Out.at(B, H, I, E) = static_cast<float>(Sum);
        }
      }
    }
  return Out;
}

/// The queries as they are, times the scale.
Query plain(const Tokens &In, double Scale) {
  return [&In, Scale](int64_t B, int64_t H, int64_t I, int64_t C) {
    return Scale * In.Q.get(B, H, I, C);
  };
}

/// Cuts that leave short and long parts.
std::vector<int64_t> someCuts(int64_t N) {
  std::vector<int64_t> Cuts;
  for (int64_t At : {int64_t(1), N / 5, N / 2, N - 1})
    if (At > (Cuts.empty() ? 0 : Cuts.back()) && At < N)
      Cuts.push_back(At);
  return Cuts;
}

TEST(RetNet, EqualsItsMask) {
  const LinearStatement What = LinearStatement::example("retnet");
  const std::vector<float> Gamma = {0, 0.5F, 0.96875F, 1};
  const Values Params = {{"gamma", Value::table({4}, Gamma)}};
  for (int64_t N : {1, 64, 333}) {
    const Tokens In(2, 4, 2, N, 24, 40);
    const Rows Expected = weigh(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t J) {
          return In.scale() * In.dot(B, H, I, J) *
                 std::pow(at(Gamma, H), static_cast<double>(I - J));
        },
        true, false);
    EXPECT_TRUE(What.equals(In, Params, Expected)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N)), Expected)) << N;
  }
}

TEST(Gla, EqualsItsRecurrence) {
  const LinearStatement What = LinearStatement::example("gla");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    std::vector<float> Gate = numbers(4 * N * 12, 3, -1.5F, 0);
    // Gates that are closed, nearly closed, and open.
    for (size_t I = 0; I < Gate.size(); I += 7)
      Gate[I] = I % 3 == 0 ? -HUGE_VALF : I % 3 == 1 ? -50.0F : 0.0F;
    const Values Params = {{"gate", Value::table({2, 2, N, 12}, Gate)}};
    const Rows Expected = follow(
        In,
        [&](State &S, int64_t B, int64_t H, int64_t I) {
          for (int64_t C = 0; C < 12; ++C)
            for (int64_t E = 0; E < 20; ++E)
              S(C, E) =
                  std::exp(at(Gate, ((2 * B + H) * N + I) * 12 + C)) * S(C, E) +
                  In.key(B, H, I, C) * In.value(B, H, I, E);
        },
        plain(In, In.scale()));
    EXPECT_TRUE(What.equals(In, Params, Expected)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N)), Expected)) << N;
  }
}

TEST(Mamba2, EqualsItsRecurrence) {
  const LinearStatement What = LinearStatement::example("mamba2");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 2, N, 12, 20);
    const std::vector<float> Log = numbers(2, 1, -1, 2),
                             Step = numbers(4 * N, 2, 0, 0.7F);
    const Values Params = {{"a_log", Value::table({2}, Log)},
                           {"dt", Value::table({2, 2, N}, Step)}};
    const Rows Expected = follow(
        In,
        [&](State &S, int64_t B, int64_t H, int64_t I) {
          const double T = at(Step, (2 * B + H) * N + I);
          for (int64_t C = 0; C < 12; ++C)
            for (int64_t E = 0; E < 20; ++E)
              S(C, E) = std::exp(-std::exp(at(Log, H)) * T) * S(C, E) +
                        T * In.key(B, H, I, C) * In.value(B, H, I, E);
        },
        plain(In, 1));
    EXPECT_TRUE(What.equals(In, Params, Expected, 1)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N), 1), Expected)) << N;
  }
}

/// One over the length of a row.
double inverseLength(const Rows &X, int64_t B, int64_t H, int64_t I) {
  double Sum = 0;
  for (int64_t C = 0; C < X.Shape[3]; ++C)
    Sum += X.get(B, H, I, C) * X.get(B, H, I, C);
  return 1 / std::sqrt(std::max(Sum, 1e-12));
}

/// S_i = (1 - rate y y^T) D S_(i-1) + rate y v^T: the factors of a token and
/// feature, and the rates of tokens.
Rows delta(const Tokens &In, const Weight &Factor, const Weight &Rate) {
  const int64_t D = In.Q.Shape[3], W = In.V.Shape[3];
  return follow(
      In,
      [&](State &S, int64_t B, int64_t H, int64_t I) {
        const double Length = inverseLength(In.K, B, In.keyHead(H), I),
                     Beta = Rate(B, H, I, 0);
        for (int64_t E = 0; E < W; ++E) {
          double Held = 0;
          for (int64_t C = 0; C < D; ++C) {
            S(C, E) *= Factor(B, H, I, C);
            Held += Length * In.key(B, H, I, C) * S(C, E);
          }
          for (int64_t C = 0; C < D; ++C)
            S(C, E) += Beta * Length * In.key(B, H, I, C) *
                       (In.value(B, H, I, E) - Held);
        }
      },
      [&](int64_t B, int64_t H, int64_t I, int64_t C) {
        return In.scale() * inverseLength(In.Q, B, H, I) * In.Q.get(B, H, I, C);
      });
}

TEST(DeltaNet, EqualsItsRecurrence) {
  const LinearStatement What = LinearStatement::example("delta_net");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    const std::vector<float> Beta = numbers(4 * N, 2, 0, 1);
    const Values Params = {{"beta", Value::table({2, 2, N}, Beta)}};
    const Rows Expected = delta(
        In, [](int64_t, int64_t, int64_t, int64_t) { return 1.0; },
        [&](int64_t B, int64_t H, int64_t I, int64_t) {
          return at(Beta, (2 * B + H) * N + I);
        });
    EXPECT_TRUE(What.equals(In, Params, Expected)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N)), Expected)) << N;
  }
}

// With rate 1 a later value replaces the one that the same key had.
TEST(DeltaNet, RecallsOrthogonalKeys) {
  const LinearStatement What = LinearStatement::example("delta_net");
  const int64_t D = 16, N = 5 * D;
  Tokens In(1, 1, 1, N, D);
  In.K = In.Q = Rows::fill(In.K.Shape, 0);
  Rows Expected = Rows::fill(In.V.Shape, 0);
  for (int64_t I = 0; I < N; ++I) {
    In.K.at(0, 0, I, 3 * I % D) = 5;
    // Asks for the key of the token before.
    In.Q.at(0, 0, I, 3 * (I == 0 ? 0 : I - 1) % D) = 0.5F;
    for (int64_t E = 0; E < D; ++E)
      Expected.at(0, 0, I, E) =
          static_cast<float>(In.value(0, 0, I == 0 ? 0 : I - 1, E));
  }
  EXPECT_TRUE(What.equals(
      In, {{"beta", Value::table({1, 1, 1}, std::vector<float>{1})}}, Expected,
      1));
}

TEST(GatedDeltaNet, EqualsItsRecurrence) {
  const LinearStatement What = LinearStatement::example("gated_delta_net");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    const std::vector<float> Beta = numbers(4 * N, 2, 0, 1);
    std::vector<float> Gate = numbers(4 * N, 3, -0.5F, 0);
    for (size_t I = 40; I < Gate.size(); I += 50)
      Gate[I] = -HUGE_VALF;
    const Values Params = {{"beta", Value::table({2, 2, N}, Beta)},
                           {"gate", Value::table({2, 2, N}, Gate)}};
    auto Of = [&](const std::vector<float> &Table) {
      return [&Table, N](int64_t B, int64_t H, int64_t I, int64_t) {
        return at(Table, (2 * B + H) * N + I);
      };
    };
    const Rows Expected = delta(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t J) {
          return std::exp(Of(Gate)(B, H, I, J));
        },
        Of(Beta));
    EXPECT_TRUE(What.equals(In, Params, Expected)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N)), Expected)) << N;
  }
}

TEST(Kda, EqualsItsRecurrence) {
  const LinearStatement What = LinearStatement::example("kda");
  for (int64_t N : {1, 64, 200}) {
    const Tokens In(2, 2, 1, N, 12, 20);
    const std::vector<float> Beta = numbers(4 * N, 2, 0, 1);
    std::vector<float> Gate = numbers(4 * N * 12, 3, -1.5F, 0);
    // Gates that are closed, nearly closed, and open.
    for (size_t I = 0; I < Gate.size(); I += 7)
      Gate[I] = I % 3 == 0 ? -HUGE_VALF : I % 3 == 1 ? -50.0F : 0.0F;
    const Values Params = {{"beta", Value::table({2, 2, N}, Beta)},
                           {"gate", Value::table({2, 2, N, 12}, Gate)}};
    const Rows Expected = delta(
        In,
        [&](int64_t B, int64_t H, int64_t I, int64_t C) {
          return std::exp(at(Gate, ((2 * B + H) * N + I) * 12 + C));
        },
        [&](int64_t B, int64_t H, int64_t I, int64_t) {
          return at(Beta, (2 * B + H) * N + I);
        });
    EXPECT_TRUE(What.equals(In, Params, Expected)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N)), Expected)) << N;
  }
}

// Where all features fade alike it is Gated DeltaNet.
TEST(Kda, EqualFactorsAreOneFactor) {
  const LinearStatement What = LinearStatement::example("kda"),
                        Gated = LinearStatement::example("gated_delta_net");
  constexpr int64_t N = 150, D = 16;
  const Tokens In(1, 2, 1, N, D, 24);
  const Value Beta = Value::table({1, 2, N}, numbers(2 * N, 2, 0, 1));
  const std::vector<float> Gate = numbers(2 * N, 3, -1, 0);
  std::vector<float> Spread;
  for (float One : Gate)
    Spread.insert(Spread.end(), D, One);
  const Rows Expected =
      Gated
          .result(In, {{"beta", Beta}, {"gate", Value::table({1, 2, N}, Gate)}})
          .O;
  EXPECT_TRUE(
      agree(What.result(In, {{"beta", Beta},
                             {"gate", Value::table({1, 2, N, D}, Spread)}})
                .O,
            Expected));
}

// A launch without queries makes the state of one source, which the next takes.
TEST(SeveralSources, AddUpThroughTheState) {
  const LinearStatement What = LinearStatement::example("slab");
  const int64_t Lengths[] = {70, 0, 45};
  const Tokens All(2, 4, 2, 115, 16, 24);
  const Rows Expected = weigh(
      All,
      [&](int64_t B, int64_t H, int64_t I, int64_t J) {
        double Sum = 0;
        for (int64_t C = 0; C < 16; ++C)
          Sum += std::max(All.Q.get(B, H, I, C), 0.0) *
                 std::max(All.key(B, H, J, C), 0.0);
        return Sum;
      },
      false, true);
  Carried State;
  int64_t First = 0;
  for (int64_t Length : Lengths) {
    const int64_t End = First + Length;
    const bool IsLast = End == All.count();
    Tokens Part;
    Part.Q = All.Q.rows(0, IsLast ? All.count() : 0);
    Part.K = All.K.rows(First, End);
    Part.V = All.V.rows(First, End);
    LinearOptions How;
    How.From = First == 0 ? nullptr : &State;
    How.To = &State;
    const Rows Found = What.result(Part, {}, How).O;
    if (IsLast) {
      EXPECT_TRUE(agree(Found, Expected));
    }
    First = End;
  }
}

TEST(Aaren, EveryPrefixIsASoftmax) {
  const LinearStatement What = LinearStatement::example("aaren");
  for (int64_t N : {1, 64, 333}) {
    // Keys of one feature: the scores, with a spread that overflows exp.
    Tokens In(1, 2, 2, N, 1, 20);
    In.K = Rows::normal(In.K.Shape, 5, 60);
    In.Q = Rows::fill(In.Q.Shape, 1);
    std::vector<float> Peak;
    for (int64_t H = 0; H < 2; ++H)
      for (int64_t I = 0; I < N; ++I)
        Peak.push_back(I == 0 ? In.K.at(0, H, I, 0)
                              : std::max(Peak.back(), In.K.at(0, H, I, 0)));
    const Values Params = {{"peak", Value::table({1, 2, N}, Peak)}};
    const Rows Expected = weigh(
        In,
        [&](int64_t, int64_t H, int64_t I, int64_t J) {
          return std::exp(In.K.get(0, H, J, 0) - at(Peak, H * N + I));
        },
        true, true);
    EXPECT_TRUE(What.equals(In, Params, Expected)) << N;
    EXPECT_TRUE(agree(What.inParts(In, Params, someCuts(N)), Expected)) << N;
  }
}

} // namespace
