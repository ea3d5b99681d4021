// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recurrences against closed forms.

#include "test/unit/reference/Recurrences.h"

#include "gmock/gmock.h"

#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;
using testing::HasSubstr;

namespace {

class LinearTest : public testing::Test, protected Recurrences {};

/// q_i . k_j of one head.
double dot(Tensor &Q, Tensor &K, int64_t H, int64_t I, int64_t J) {
  double Out = 0;
  for (int64_t C = 0; C < Q.Shape[3]; ++C)
    Out += static_cast<double>(Q.at(0, H, I, C)) *
           static_cast<double>(K.at(0, H, J, C));
  return Out;
}

TEST_F(LinearTest, ByHand) {
  // Two tokens of two elements, scale 2, factor 1/2.
  LinearRows Rows(1, 1, 1, 2, 2, 2, 1);
  Rows.Q.Data = {1, 2, 3, 4};
  Rows.K.Data = {5, 6, 7, 8};
  Rows.V.Data = {10, 100};
  const Recurrence What = recurrence("(%gate: tensor<?xf32>)", HeadDecay);
  const LinearResult R =
      evaluate(What, Rows.problem(2, {Operand::reals({1}, {std::log(0.5)})}));
  EXPECT_NEAR(R.O[0], 2 * 17 * 10, 1e-9);
  EXPECT_NEAR(R.O[1], 2 * (53 * 100 + 39 * 10 * 0.5), 1e-3);
  EXPECT_NEAR(R.State[0], 7 * 100 + 5 * 10 * 0.5, 1e-4);
  EXPECT_NEAR(R.State[1], 8 * 100 + 6 * 10 * 0.5, 1e-4);
  EXPECT_TRUE(R.Sums.empty());
  EXPECT_EQ(R.KeptPairs, 3);
}

TEST_F(LinearTest, LightningIsAMaskedProduct) {
  // O = ((Q K^T) * D) V with D_ij = exp(-s_h (i - j)).
  const Recurrence What = recurrence("(%gate: tensor<?xf32>)", HeadDecay);
  LinearRows Rows(1, 2, 2, 12, 12, 5, 3);
  const Operand Gate = Operand::reals({2}, {-0.25, -1.5});
  const LinearResult R = evaluate(What, Rows.problem(0.3, {Gate}));
  for (int64_t H = 0; H < 2; ++H)
    for (int64_t I = 0; I < 12; ++I)
      for (int64_t T = 0; T < 3; ++T) {
        double Want = 0;
        for (int64_t J = 0; J <= I; ++J)
          Want += 0.3 * dot(Rows.Q, Rows.K, H, I, J) *
                  std::exp(Gate.realAt(H) * static_cast<double>(I - J)) *
                  static_cast<double>(Rows.V.at(0, H, J, T));
        EXPECT_NEAR(R.output(0, H, I)[T], Want, 1e-13);
      }
}

TEST_F(LinearTest, PowersAreStates) {
  for (int64_t Power = 2; Power <= 8; ++Power) {
    const Recurrence What =
        recurrence("", "expand power " + std::to_string(Power));
    LinearRows Rows(1, 1, 1, 4, 4, 3, 2);
    const LinearResult R = evaluate(What, Rows.problem(0.7));
    for (int64_t I = 0; I < 4; ++I) {
      double Want = 0;
      for (int64_t J = 0; J <= I; ++J)
        Want += std::pow(0.7 * dot(Rows.Q, Rows.K, 0, I, J),
                         static_cast<double>(Power)) *
                static_cast<double>(Rows.V.at(0, 0, J, 1));
      EXPECT_NEAR(R.output(0, 0, I)[1], Want, 1e-12);
    }
  }
}

TEST_F(LinearTest, FeaturesOfExpansions) {
  std::vector<double> Phi;
  const double Row[] = {2, 3, 5};
  recurrence("", "expand power 2").expandRow(Row, Phi);
  const double R2 = std::sqrt(2.0);
  const std::vector<double> Squares = {4, R2 * 6, R2 * 10, 9, R2 * 15, 25};
  ASSERT_EQ(Phi.size(), Squares.size());
  for (size_t I = 0; I < Phi.size(); ++I)
    EXPECT_NEAR(Phi[I], Squares[I], 1e-12);
  Phi.clear();
  recurrence("", "expand taylor").expandRow(Row, Phi);
  ASSERT_EQ(Phi.size(), 10U);
  EXPECT_EQ(Phi[0], 1);
  EXPECT_EQ(Phi[3], 5);
  for (size_t I = 0; I < 6; ++I)
    EXPECT_NEAR(Phi[4 + I], Squares[I] / R2, 1e-12);
  Phi.clear();
  recurrence("", "expand power 4").expandRow(Row, Phi);
  ASSERT_EQ(Phi.size(), 15U);
  // x_0^2 x_1 x_2: 4! / 2! ways.
  EXPECT_NEAR(Phi[4], 4 * 15 * std::sqrt(12.0), 1e-10);
  for (const char *Text :
       {"expand power 2", "expand power 4", "expand taylor", ""})
    for (int64_t Depth : {1, 3, 8}) {
      const Recurrence What = recurrence("", Text);
      Phi.clear();
      What.expandRow(std::vector<double>(static_cast<size_t>(Depth), 1.0), Phi);
      EXPECT_EQ(static_cast<int64_t>(Phi.size()), What.numFeatures(Depth));
    }
}

TEST_F(LinearTest, TaylorRows) {
  const Recurrence What = recurrence("", "expand taylor normalize sum");
  LinearRows Rows(1, 1, 1, 6, 6, 4, 2);
  const LinearResult R = evaluate(What, Rows.problem(0.5));
  for (int64_t I = 0; I < 6; ++I) {
    double Num = 0, Z = 0;
    for (int64_t J = 0; J <= I; ++J) {
      const double S = 0.5 * dot(Rows.Q, Rows.K, 0, I, J);
      Z += 1 + S + S * S / 2;
      Num += (1 + S + S * S / 2) * static_cast<double>(Rows.V.at(0, 0, J, 0));
    }
    EXPECT_NEAR(R.output(0, 0, I)[0], Num / Z, 1e-13);
  }
}

TEST_F(LinearTest, RowsThatSumToOne) {
  // Values of 1 come out as 1: so under a learned map, softmax features, and
  // MALA's normaliser.
  const std::string Learned = R"((%w: tensor<?x?x?xf32>)
    query(%x, %b, %h, %i, %c) {
      %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
      %e = math.exp %p : f32
      attn.features %e
    } key(%x, %b, %h, %i, %c) {
      %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
      %e = math.exp %p : f32
      attn.features %e
    } normalize )";
  for (const char *Tail :
       {"sum", "magnitude", "sum bidirectional", "magnitude bidirectional"}) {
    const Recurrence What = recurrence("attn.recurrence @r" + Learned + Tail);
    LinearRows Rows(1, 2, 2, 9, 9, 4, 3);
    std::fill(Rows.V.Data.begin(), Rows.V.Data.end(), 1.0F);
    const LinearResult R =
        evaluate(What, Rows.problem(0.5, {randomTable({2, 4, 4}, -1, 1)}));
    for (double X : R.O)
      EXPECT_NEAR(X, 1, 1e-12) << Tail;
  }
}

TEST_F(LinearTest, LearnedMaps) {
  // The bias is the same for all tokens and what is projected is not x alone.
  const Recurrence What =
      recurrence("(%w: tensor<?x?x?xf32>, %bias: tensor<?xf32>)", R"(
    query(%x, %b, %h, %i, %c) {
      %t = attn.at %bias[%c] : tensor<?xf32>
      %s = arith.mulf %x, %t : f32
      %p = attn.project %s, %w[%h] : tensor<?x?x?xf32>
      %y = arith.addf %p, %x : f32
      attn.features %y
    })");
  LinearRows Rows(1, 2, 2, 1, 1, 70, 1);
  const Operand W = randomTable({2, 70, 70}, -1, 1),
                Bias = randomTable({70}, -1, 1, 3);
  const LinearResult R = evaluate(What, Rows.problem(1, {W, Bias}));
  for (int64_t H = 0; H < 2; ++H) {
    double Want = 0;
    for (int64_t C = 0; C < 70; ++C) {
      double Y = static_cast<double>(Rows.Q.at(0, H, 0, C));
      for (int64_t T = 0; T < 70; ++T)
        Y += static_cast<double>(Rows.Q.at(0, H, 0, T)) * Bias.realAt(T) *
             W.realAt((H * 70 + T) * 70 + C);
      Want += Y * static_cast<double>(Rows.K.at(0, H, 0, C));
    }
    EXPECT_NEAR(R.output(0, H, 0)[0],
                Want * static_cast<double>(Rows.V.at(0, H, 0, 0)), 1e-11);
  }
  EXPECT_THAT(
      failure(What, Rows.problem(1, {randomTable({2, 70, 71}, 0, 1), Bias})),
      HasSubstr("recurrence 'r' maps rows of 70 elements by the "
                "parameter 'w', expected matrices of as many rows and "
                "columns, found 70x71"));
  EXPECT_THAT(failure(What, Rows.problem(1, {W, randomTable({69}, 0, 1)})),
              HasSubstr("recurrence 'r' reads index 69 along axis 0 of "
                        "parameter 'bias', which has 69 at b=0, h=0, i=0, "
                        "c=69"));
}

TEST_F(LinearTest, WindowsAreSoftmaxOrNothing) {
  LinearRows Rows(1, 1, 1, 8, 8, 4, 2);
  const std::string Maps(ExpMaps);
  const Recurrence Near =
      recurrence("(%w: index)", Maps + " normalize sum window(%w)");
  const Recurrence Linear = recurrence("", Maps + " normalize sum");
  // Of width 0 it is not there.
  EXPECT_EQ(evaluate(Near, Rows.problem(0.5, {0})).O,
            evaluate(Linear, Rows.problem(0.5)).O);
  // Wide enough it is all: a causal softmax, of rows before mapping.
  for (int64_t Width : {8, 9, 1000}) {
    const LinearResult R = evaluate(Near, Rows.problem(0.5, {Width}));
    const ReferenceResult Softmax =
        compute(variant("", CausalBody), problem(Rows.Q, Rows.K, Rows.V, 0.5));
    for (size_t I = 0; I < R.O.size(); ++I)
      EXPECT_NEAR(R.O[I], Softmax.O[I], 1e-14);
    EXPECT_THAT(R.State, testing::Each(0.0));
  }
  // Width 3 by its definition, with one normaliser and as a sum of branches.
  const Recurrence Sum = recurrence("(%w: index)", Maps + " window(%w)");
  const LinearResult R = evaluate(Near, Rows.problem(0.5, {3})),
                     S = evaluate(Sum, Rows.problem(0.5, {3}));
  for (int64_t I = 0; I < 8; ++I) {
    double Max = -Infinity, E = 0, EV = 0, Z = 0, ZV = 0;
    for (int64_t J = std::max<int64_t>(0, I - 2); J <= I; ++J)
      Max = std::max(Max, 0.5 * dot(Rows.Q, Rows.K, 0, I, J));
    for (int64_t J = 0; J <= I; ++J) {
      const double V = static_cast<double>(Rows.V.at(0, 0, J, 1));
      if (I - J < 3) {
        const double W = std::exp(0.5 * dot(Rows.Q, Rows.K, 0, I, J) - Max);
        E += W;
        EV += W * V;
        continue;
      }
      double W = 0;
      for (int64_t C = 0; C < 4; ++C)
        W += 0.5 * std::exp(static_cast<double>(Rows.Q.at(0, 0, I, C))) *
             std::exp(static_cast<double>(Rows.K.at(0, 0, J, C)));
      Z += W;
      ZV += W * V;
    }
    EXPECT_NEAR(R.output(0, 0, I)[1], (EV + ZV) / (E + Z), 1e-13);
    EXPECT_NEAR(S.output(0, 0, I)[1], EV / E + ZV, 1e-12);
  }
  EXPECT_THAT(failure(Near, Rows.problem(1, {-1})),
              HasSubstr("expected a window of at least 0 for parameter 'w', "
                        "found -1"));
}

TEST_F(LinearTest, DeltaRuleByHand) {
  // S_1 = b0 k0 v0^T; S_2 = a (S_1 - b1 k1 (k1^T S_1)) + b1 k1 v1^T.
  const Recurrence What =
      recurrence("(%gate: tensor<?x?xf32>, %beta: tensor<?x?xf32>)",
                 (TokenDecay + TokenDelta).str());
  LinearRows Rows(1, 1, 1, 2, 2, 2, 2);
  Rows.Q.Data = {1, 0, 0, 1};
  Rows.K.Data = {1, 2, 3, -1};
  Rows.V.Data = {5, 7, 11, 13};
  const LinearResult R =
      evaluate(What, Rows.problem(1, {Operand::reals({1, 2}, {0, -Infinity}),
                                      Operand::reals({1, 2}, {0.5, 0.25})}));
  EXPECT_EQ(R.output(0, 0, 0)[0], 2.5);
  EXPECT_EQ(R.output(0, 0, 0)[1], 3.5);
  // A factor of 0 leaves the new write alone.
  EXPECT_EQ(R.output(0, 0, 1)[0], -0.25 * 11);
  const LinearResult Kept =
      evaluate(What, Rows.problem(1, {Operand::reals({1, 2}, {0, 0}),
                                      Operand::reals({1, 2}, {0.5, 0.25})}));
  // S_1 = [2.5 3.5; 5 7], k1^T S_1 = [2.5 3.5].
  EXPECT_DOUBLE_EQ(Kept.State[0], 2.5 - 0.25 * 3 * 2.5 + 0.25 * 3 * 11);
  EXPECT_DOUBLE_EQ(Kept.State[3], 7 + 0.25 * 3.5 - 0.25 * 13);
  EXPECT_DOUBLE_EQ(Kept.output(0, 0, 1)[1], Kept.State[3]);
}

TEST_F(LinearTest, ErasureBeforeDecayByHand) {
  // S_2 = A (S_1 - b1 k1 (k1^T S_1)) + b1 k1 v1^T, A = diag(1/2, 0).
  const llvm::StringRef Params =
      "(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?xf32>)";
  const std::string Clauses = (ChannelDecay + TokenDelta).str();
  LinearRows Rows(1, 1, 1, 2, 2, 2, 2);
  Rows.Q.Data = {1, 0, 1, 0};
  Rows.K.Data = {1, 2, 3, -1};
  Rows.V.Data = {5, 7, 11, 13};
  const double Half = std::log(0.5);
  const OperandList Values = {
      Operand::reals({1, 2, 2}, {0, 0, Half, -Infinity}),
      Operand::reals({1, 2}, {0.5, 0.25})};
  const LinearResult R =
      evaluate(recurrence(Params, Clauses + " erase before decay"),
               Rows.problem(1, Values));
  // S_1 = [2.5 3.5; 5 7], k1^T S_1 = [2.5 3.5].
  EXPECT_NEAR(R.State[0], 0.5 * (2.5 - 0.25 * 3 * 2.5) + 0.25 * 3 * 11, 1e-6);
  EXPECT_NEAR(R.State[1], 0.5 * (3.5 - 0.25 * 3 * 3.5) + 0.25 * 3 * 13, 1e-6);
  EXPECT_DOUBLE_EQ(R.State[2], -0.25 * 11);
  EXPECT_DOUBLE_EQ(R.State[3], -0.25 * 13);
  EXPECT_DOUBLE_EQ(R.output(0, 0, 1)[0], R.State[0]);
  // The other order: k1^T A S_1 = [3.75 5.25].
  const LinearResult Other =
      evaluate(recurrence(Params, Clauses), Rows.problem(1, Values));
  EXPECT_NEAR(Other.State[0], 0.5 * 2.5 - 0.25 * 3 * 3.75 + 0.25 * 3 * 11,
              1e-6);
  EXPECT_NEAR(Other.State[2], 0.25 * 3.75 - 0.25 * 11, 1e-6);
}

TEST_F(LinearTest, ErasureBeforeDecayIsItsLoop) {
  constexpr int64_t Tokens = 11, Depth = 3, Width = 2;
  LinearRows Rows(1, 1, 1, Tokens, Tokens, Depth, Width);
  const Operand Gates = randomTable({1, Tokens, Depth}, -0.9, 0),
                Betas = randomTable({1, Tokens}, 0, 0.9, 8);
  const LinearResult R = evaluate(
      recurrence("(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?xf32>)",
                 (ChannelDecay + TokenDelta + " erase before decay").str()),
      Rows.problem(0.5, {Gates, Betas}));
  double S[Depth][Width] = {};
  for (int64_t I = 0; I < Tokens; ++I) {
    auto K = [&](int64_t C) {
      return static_cast<double>(Rows.K.at(0, 0, I, C));
    };
    const double Beta = Betas.realAt(I);
    for (int64_t T = 0; T < Width; ++T) {
      double Held = 0;
      for (int64_t C = 0; C < Depth; ++C)
        Held += K(C) * S[C][T];
      for (int64_t C = 0; C < Depth; ++C) {
        S[C][T] -= Beta * K(C) * Held;
        S[C][T] *= std::exp(Gates.realAt(I * Depth + C));
        S[C][T] += Beta * K(C) * static_cast<double>(Rows.V.at(0, 0, I, T));
      }
      double Out = 0;
      for (int64_t C = 0; C < Depth; ++C)
        Out += 0.5 * static_cast<double>(Rows.Q.at(0, 0, I, C)) * S[C][T];
      EXPECT_NEAR(R.output(0, 0, I)[T], Out, 1e-12);
    }
  }
  for (size_t C = 0; C < Depth; ++C)
    for (size_t T = 0; T < Width; ++T)
      EXPECT_NEAR(R.State[C * Width + T], S[C][T], 1e-12);
}

TEST_F(LinearTest, DeltaRuleWithUnitKeysRemembersTheLastValue) {
  const Recurrence What = recurrence("(%beta: tensor<?x?xf32>)", TokenDelta);
  LinearRows Rows(1, 1, 1, 6, 6, 4, 2);
  for (int64_t J = 0; J < 6; ++J)
    for (int64_t C = 0; C < 4; ++C) {
      Rows.K.at(0, 0, J, C) = C == J % 3 ? 1 : 0;
      Rows.Q.at(0, 0, J, C) = Rows.K.at(0, 0, J, C);
    }
  const LinearResult R =
      evaluate(What, Rows.problem(1, {Operand::reals({1, 1}, {1})}));
  for (int64_t I = 0; I < 6; ++I)
    EXPECT_EQ(R.output(0, 0, I)[1], static_cast<double>(Rows.V.at(0, 0, I, 1)));
}

TEST_F(LinearTest, Magnitude) {
  // MALA by its definition over all keys: (1 + 1/Z) w - Z/N.
  const Recurrence What =
      recurrence("", (ExpMaps + " normalize magnitude bidirectional").str());
  LinearRows Rows(1, 1, 1, 3, 5, 4, 2);
  const LinearResult R = evaluate(What, Rows.problem(0.5));
  for (int64_t I = 0; I < 3; ++I) {
    std::vector<double> W;
    double Z = 0, Want = 0;
    for (int64_t J = 0; J < 5; ++J) {
      double S = 0;
      for (int64_t C = 0; C < 4; ++C)
        S += 0.5 * std::exp(static_cast<double>(Rows.Q.at(0, 0, I, C)) +
                            static_cast<double>(Rows.K.at(0, 0, J, C)));
      W.push_back(S);
      Z += S;
    }
    for (int64_t J = 0; J < 5; ++J)
      Want += ((1 + 1 / Z) * W[static_cast<size_t>(J)] - Z / 5) *
              static_cast<double>(Rows.V.at(0, 0, J, 0));
    EXPECT_NEAR(R.output(0, 0, I)[0], Want, 1e-12);
  }
  EXPECT_EQ(R.StateRows, 5);
  EXPECT_EQ(R.Sums[4], 5);
}

TEST_F(LinearTest, NothingToSee) {
  // Z = 0: rows of zeros, through the output map.
  const Recurrence What = recurrence("", R"(
    output(%x, %b, %h, %i, %c) {
      %one = arith.constant 1.0 : f32
      %y = arith.addf %x, %one : f32
      attn.features %y
    } normalize sum bidirectional)");
  LinearRows Rows(1, 1, 1, 3, 0, 4, 2);
  const LinearResult R = evaluate(What, Rows.problem());
  EXPECT_THAT(R.O, testing::Each(1.0));
  EXPECT_THAT(R.State, testing::Each(0.0));
  LinearRows Zero(1, 1, 1, 3, 3, 4, 2);
  std::fill(Zero.K.Data.begin(), Zero.K.Data.end(), 0.0F);
  EXPECT_THAT(evaluate(What, Zero.problem()).O, testing::Each(1.0));
}

TEST_F(LinearTest, AFactorOfZeroResets) {
  const Recurrence What =
      recurrence("(%gate: tensor<?x?xf32>)", (ExpMaps + TokenDecay).str());
  LinearRows Rows(1, 1, 1, 6, 6, 4, 2);
  const LinearResult R = evaluate(
      What,
      Rows.problem(1, {Operand::reals({1, 6}, {0, 0, 0, -Infinity, 0, 0})}));
  LinearProblem Tail = Rows.problem(1, {Operand::reals({1, 1}, {0})});
  for (heddle_view *View : {&Tail.Q, &Tail.K, &Tail.V}) {
    View->data = static_cast<float *>(View->data) + 3 * View->stride[2];
    View->shape[2] = 3;
  }
  const LinearResult Alone = evaluate(What, Tail);
  for (int64_t I = 3; I < 6; ++I)
    EXPECT_EQ(R.output(0, 0, I)[0], Alone.output(0, 0, I - 3)[0]);
  EXPECT_EQ(R.State, Alone.State);
}

TEST_F(LinearTest, StrongDecayStaysFinite) {
  const Recurrence What = recurrence("(%gate: tensor<?xf32>)", HeadDecay);
  LinearRows Rows(1, 1, 1, 100000, 100000, 2, 1);
  std::fill(Rows.K.Data.begin(), Rows.K.Data.end(), 1.0F);
  std::fill(Rows.V.Data.begin(), Rows.V.Data.end(), 1.0F);
  const LinearResult R =
      evaluate(What, Rows.problem(1, {Operand::reals({1}, {std::log(0.5)})}));
  EXPECT_NEAR(R.State[0], 2, 1e-6);
  EXPECT_TRUE(llvm::all_of(R.O, [](double X) { return std::isfinite(X); }));
}

} // namespace
