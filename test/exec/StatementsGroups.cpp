// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about keys that stand for others: the grouped softmax (Landmark
// Attention), sampled keys (HyperAttention), pooled keys (CCA-Attention).

#include "test/exec/Statement.h"

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

double valueAt(const std::vector<float> &Table, int64_t I) {
  return static_cast<double>(Table[static_cast<size_t>(I)]);
}

/// The two softmaxes of the paper, one after the other.
Outputs attendGrouped(const Inputs &In, int64_t Group) {
  Outputs Out;
  const int64_t Keys = In.Sources[0].Keys;
  for (int64_t H = 0; H < In.HeadsQ; ++H)
    for (int64_t I = 0; I < In.Queries; ++I) {
      const int64_t Position = In.Origin[0] + I,
                    Last = std::min(Position, Keys - 1);
      auto Exp = [&](int64_t J) { return std::exp(In.score(0, H, I, J)); };
      std::vector<double> Weights(static_cast<size_t>(Keys));
      double Sum = 0;
      for (int64_t Begin = 0; Begin <= Last; Begin += Group) {
        const int64_t Landmark = Begin + Group - 1;
        if (Position / Group == Begin / Group) {
          for (int64_t J = Begin; J <= std::min(Last, Landmark - 1); ++J)
            Sum += Weights[static_cast<size_t>(J)] = Exp(J);
          continue;
        }
        if (Landmark > Last)
          continue;
        double Inside = 0;
        for (int64_t J = Begin; J < Landmark; ++J)
          Inside += Exp(J);
        for (int64_t J = Begin; J < Landmark; ++J)
          Sum += Weights[static_cast<size_t>(J)] =
              Exp(Landmark) * Exp(J) / Inside;
      }
      double Total = 0;
      std::vector<double> Row(static_cast<size_t>(In.Depth));
      for (int64_t J = 0; J < Keys && Sum > 0; ++J) {
        const double Weight = Weights[static_cast<size_t>(J)] / Sum;
        Total += Weight;
        for (int64_t D = 0; D < In.Depth; ++D)
          Row[static_cast<size_t>(D)] +=
              Weight * valueAt(In.Sources[0].V,
                               static_cast<int64_t>(In.row(0, H, J)) + D);
      }
      if (Sum > 0)
        EXPECT_NEAR(Total, 1, 1e-12) << "rows of weights sum to one";
      for (double X : Row)
        Out.O.push_back(static_cast<float>(X));
      Out.Lse.push_back(static_cast<float>(
          Sum > 0 ? std::log(Sum) : -std::numeric_limits<double>::infinity()));
    }
  return Out;
}

TEST(Landmark, EqualsTwoSoftmaxes) {
  for (int64_t Group : {2, 16, 64, 100}) {
    const Statement What =
        Statement::example("landmark")
            .with("grouped 64", "grouped " + std::to_string(Group));
    for (int64_t N : {1, 2, 64, 130, 333}) {
      Inputs In(1, 2, 1, N, N, 8);
      const Outputs Expected = attendGrouped(In, Group);
      for (const std::string &Level : levels()) {
        Outputs Found;
        ASSERT_TRUE(What.run(In, {}, Found, Level));
        EXPECT_TRUE(agree(Found, Expected))
            << Level << ", group " << Group << ", length " << N;
      }
      // One query at the end over the same keys.
      Inputs Step(1, 2, 1, 1, N, 9);
      Step.Origin = {N - 1};
      Step.Sources = In.Sources;
      for (int64_t H = 0; H < 2; ++H)
        std::copy_n(In.query(0, H, N - 1), In.Depth,
                    Step.Q.begin() + H * In.Depth);
      const Outputs Decoded = What.result(Step, {});
      for (int64_t H = 0; H < 2; ++H)
        EXPECT_TRUE(agree(pickRow(Step, Decoded, H, 0),
                          pickRow(In, Expected, H, N - 1)))
            << "decoding, group " << Group << ", length " << N;
    }
  }
}

TEST(Hyper, BlocksAfterAPermutationAndSamples) {
  const Statement What = Statement::example("hyper");
  std::mt19937_64 Random(10);
  for (int64_t N : {1, 64, 200, 333}) {
    std::vector<int64_t> RankQ, RankK;
    for (std::vector<int64_t> *Ranks : {&RankQ, &RankK})
      for (int64_t H = 0; H < 2; ++H) {
        std::vector<int64_t> Order = chooseMembers(Random, N, N);
        std::shuffle(Order.begin(), Order.end(), Random);
        Ranks->insert(Ranks->end(), Order.begin(), Order.end());
      }
    auto Same = [&](const Pair &P, int64_t Block) {
      return RankQ[static_cast<size_t>(P.H * N + P.Q)] / Block ==
             RankK[static_cast<size_t>(P.H * N + P.K)] / Block;
    };
    const std::vector<std::vector<int64_t>> Samples =
        randomSets(Random, 2, N, N / 8);
    const Inputs In(1, 2, 1, N, N);
    Values Params = {{"rank_q", Value::table({1, 2, N}, RankQ)},
                     {"rank_k", Value::table({1, 2, N}, RankK)},
                     {"sampled", Value::sets({1, 2}, N, Samples)},
                     {"weight", Value(1.75)}};
    EXPECT_TRUE(What.equals(
        In, Params,
        [&](const Pair &P) {
          return Same(P, 64) ||
                 contains(Samples[static_cast<size_t>(P.H)], P.K);
        },
        [&](double S, const Pair &P) { return Same(P, 64) ? S : S + 1.75; }))
        << N;
    Params.insert_or_assign(
        "sampled",
        Value::sets({1, 2}, N, std::vector<std::vector<int64_t>>(2)));
    EXPECT_TRUE(What.equals(In, Params, [&](const Pair &P) {
      return Same(P, 64);
    })) << "the block part alone";
    EXPECT_TRUE(agree(
        What.with("arith.constant 64", "arith.constant 512").result(In, Params),
        Statement::example("dense").result(In, {})))
        << "one block as long as the sequence";
  }
}

TEST(Cca, CoreKeysBeforeAWindow) {
  for (int64_t Group : {1, 16, 24}) {
    const Statement What =
        Statement::example("cca_core")
            .with("%c16 = arith.constant 16",
                  "%c16 = arith.constant " + std::to_string(Group));
    for (int64_t N : {1, 100, 333})
      for (int64_t Window : {1, 50, 400}) {
        Inputs In(2, 2, 1, N, N, 11);
        In.add(N / Group);
        if (Group == 1)
          In.Sources[1] = In.Sources[0];
        auto StartOf = [&](const Pair &P) {
          return std::max<int64_t>(0, P.Q - Window + 1) / Group;
        };
        const Values Params = {{"window", Window}};
        EXPECT_TRUE(What.equals(In, Params,
                                [&](const Pair &P) {
                                  return P.Source == 1
                                             ? P.K < StartOf(P)
                                             : P.K <= P.Q &&
                                                   P.K >= Group * StartOf(P);
                                }))
            << "groups of " << Group << ", window " << Window << ", length "
            << N;
        if (Group != 1)
          continue;
        EXPECT_TRUE(agree(
            What.result(In, Params),
            attend(In,
                   [](const Pair &P) { return P.Source == 0 && P.K <= P.Q; })))
            << "groups of one are the keys themselves";
      }
  }
}

} // namespace
