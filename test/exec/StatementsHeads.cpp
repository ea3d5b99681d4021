// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about patterns that differ by head (S2-Attention, DuoAttention,
// MoA, RazorAttention), and about results merged from parts (LeanAttention).

#include "test/exec/Statement.h"

#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// Heads [First, First + Count) of a result with one sequence.
Outputs pickHeads(const Inputs &In, const Outputs &From, int64_t First,
                  int64_t Count) {
  Outputs Out;
  const int64_t Row = In.Queries * In.Depth;
  Out.O.assign(From.O.begin() + First * Row,
               From.O.begin() + (First + Count) * Row);
  Out.Lse.assign(From.Lse.begin() + First * In.Queries,
                 From.Lse.begin() + (First + Count) * In.Queries);
  return Out;
}

TEST(S2, HeadsHaveShardsThatTogetherAreCausal) {
  const Statement What = Statement::example("s2_offsets");
  constexpr int64_t Heads = 8, Blocks = 12, N = 64 * Blocks - 30;
  const Inputs In(1, Heads, 1, N, N);
  for (int64_t Step : {1, 3}) {
    std::vector<int64_t> Offsets, Local(Heads, 0);
    for (int64_t H = 0; H < Heads; ++H)
      Offsets.push_back(H * Step + 1);
    const Values Params = {{"offset", Value::table({Heads}, Offsets)},
                           {"local", Value::table({Heads}, Local)}};
    auto InShard = [&](int64_t H, int64_t Q, int64_t K) {
      return K <= Q && (K / 64 + H * Step + 1) % 8 == 0;
    };
    EXPECT_TRUE(What.equals(
        In, Params, [&](const Pair &P) { return InShard(P.H, P.Q, P.K); }));

    // The blocks that the kernel gives a weight to, as CSR, and what the rule
    // of the paper lists.
    OutputOptions Wanted;
    Wanted.BlockQ = Wanted.BlockK = 64;
    Outputs Found;
    ASSERT_TRUE(What.run(In, Params, Found, "", Wanted));
    std::vector<int> Union(static_cast<size_t>(Blocks * Blocks));
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t Row = 0; Row < Blocks; ++Row) {
        std::vector<int64_t> Indices, Rule;
        for (int64_t Column = 0; Column < Blocks; ++Column) {
          const bool Is = Found.BlockMax[static_cast<size_t>(
                              (H * Blocks + Row) * Blocks + Column)] > 0;
          if (Is)
            Indices.push_back(Column);
          if (InShard(H, 64 * Row + 63, 64 * Column))
            Rule.push_back(Column);
          Union[static_cast<size_t>(Row * Blocks + Column)] += Is;
        }
        EXPECT_EQ(Indices, Rule) << "head " << H << ", row " << Row;
      }
    for (int64_t Row = 0; Row < Blocks; ++Row)
      for (int64_t Column = 0; Column < Blocks; ++Column)
        EXPECT_EQ(Union[static_cast<size_t>(Row * Blocks + Column)],
                  Column <= Row)
            << "each causal block is in exactly one of eight shards";
  }
}

TEST(S2, LocalBlocksAndDenseHeads) {
  const Statement What = Statement::example("s2_offsets");
  constexpr int64_t N = 700;
  const std::vector<int64_t> Offsets = {5, 0, 2, 7}, Local = {1, 4, 100, 0};
  EXPECT_TRUE(What.equals(Inputs(2, 4, 2, N, N),
                          {{"offset", Value::table({4}, Offsets)},
                           {"local", Value::table({4}, Local)}},
                          [&](const Pair &P) {
                            const auto H = static_cast<size_t>(P.H);
                            return P.K <= P.Q &&
                                   (P.Q / 64 - P.K / 64 < Local[H] ||
                                    (P.K / 64 + Offsets[H]) % 8 == 0);
                          }));
}

TEST(Duo, MixedLaunchEqualsSeparateLaunches) {
  const Statement What = Statement::example("duo_attention");
  const std::vector<int64_t> Kinds = {1, 0, 0, 1};
  const Values Sizes = {{"sink", 16}, {"window", 60}};
  for (int64_t N : {1, 65, 333}) {
    Inputs In(1, 4, 4, N, N, 3);
    for (int64_t Origin : {0, 50}) {
      In.Origin = {Origin};
      Values Params = Sizes;
      Params.emplace("retrieval", Value::table({4}, Kinds));
      EXPECT_TRUE(What.equals(In, Params, [&](const Pair &P) {
        return P.K <= P.Q && (Kinds[static_cast<size_t>(P.H)] == 1 ||
                              P.K < 16 || P.Q - P.K < 60);
      }));
      const Outputs Mixed = What.result(In, Params),
                    Retrieval = Statement::example("causal").result(In, {}),
                    Streaming = Statement::example("a_shape").result(In, Sizes);
      for (int64_t H = 0; H < 4; ++H)
        EXPECT_TRUE(agree(
            pickHeads(In, Mixed, H, 1),
            pickHeads(In, Kinds[static_cast<size_t>(H)] ? Retrieval : Streaming,
                      H, 1)))
            << "head " << H << ", length " << N << ", origin " << Origin;
    }
  }
}

/// A cache of sink + ring slots at any position gives what the whole sequence
/// gives under the streaming mask, whether the ring is as long as the window or
/// still holds tokens that have left it.
TEST(Duo, RingCacheDecodes) {
  const Statement What = Statement::example("duo_ring");
  constexpr int64_t Sink = 8, Window = 24, N = 200;
  const Inputs Whole(1, 2, 1, N, N, 4);
  const Outputs Expected = attend(Whole, [](const Pair &P) {
    return P.K <= P.Q && (P.K < Sink || P.Q - P.K < Window);
  });
  for (int64_t Ring : {Window, Window + 9})
    for (int64_t At : {0, 5, 8, 31, 32, 33, 40, 100, 199}) {
      const int64_t Slots = Sink + Ring;
      Inputs Step(1, 2, 1, 1, Slots, 5);
      Step.Origin = {At};
      for (int64_t H = 0; H < 2; ++H)
        std::copy_n(Whole.query(0, H, At), Whole.Depth,
                    Step.Q.begin() + H * Whole.Depth);
      std::vector<int64_t> Positions(static_cast<size_t>(Slots), -1);
      for (int64_t P = 0; P <= At; ++P) {
        const int64_t Slot = P < Sink ? P : Sink + (P - Sink) % Ring;
        Positions[static_cast<size_t>(Slot)] = P;
        const size_t From = Whole.row(0, 0, P), To = Step.row(0, 0, Slot);
        for (int64_t D = 0; D < Whole.Depth; ++D) {
          const auto Feature = static_cast<size_t>(D);
          Step.Sources[0].K[To + Feature] = Whole.Sources[0].K[From + Feature];
          Step.Sources[0].V[To + Feature] = Whole.Sources[0].V[From + Feature];
        }
      }
      const Outputs Found =
          What.result(Step, {{"pos", Value::table({1, Slots}, Positions)},
                             {"sink", Sink},
                             {"window", Window}});
      for (int64_t H = 0; H < 2; ++H)
        EXPECT_TRUE(
            agree(pickRow(Step, Found, H, 0), pickRow(Whole, Expected, H, At)))
            << "position " << At << ", head " << H << ", ring of " << Ring;
    }
}

/// Spans alpha + beta * (N - alpha), for several N with one kernel.
TEST(Moa, SpansFollowTheLength) {
  const Statement What = Statement::example("moa_spans");
  const double Alpha[] = {16, 40, 100, 333}, Beta[] = {0.5, 0.25, 0, 1};
  for (int64_t N : {20, 64, 200, 500}) {
    std::vector<int64_t> Spans;
    for (size_t H = 0; H < 4; ++H) {
      const auto Length = static_cast<double>(N);
      Spans.push_back(static_cast<int64_t>(
          Alpha[H] + Beta[H] * std::max(0.0, Length - Alpha[H])));
    }
    const Inputs In(1, 4, 2, N, N);
    const Values Params = {{"span", Value::table({4}, Spans)}, {"sink", 8}};
    EXPECT_TRUE(What.equals(In, Params, [&](const Pair &P) {
      return P.K <= P.Q &&
             (P.K < 8 || P.Q - P.K < Spans[static_cast<size_t>(P.H)]);
    })) << N;
    const Outputs Mixed = What.result(In, Params);
    for (int64_t H = 0; H < 4; ++H) {
      const Outputs Alone = Statement::example("a_shape").result(
          In, {{"sink", 8}, {"window", Spans[static_cast<size_t>(H)]}});
      EXPECT_TRUE(
          agree(pickHeads(In, Mixed, H, 1), pickHeads(In, Alone, H, 1)));
    }
  }
}

TEST(HeadWindows, EqualTheirMask) {
  const std::vector<int64_t> Sinks = {0, 5, 64, 1}, Windows = {1, 0, 30, 1000};
  EXPECT_TRUE(Statement::example("head_windows")
                  .equals(Inputs(2, 4, 1, 150, 150),
                          {{"sink", Value::table({4}, Sinks)},
                           {"window", Value::table({4}, Windows)}},
                          [&](const Pair &P) {
                            const auto H = static_cast<size_t>(P.H);
                            return P.K <= P.Q &&
                                   (P.K < Sinks[H] || P.Q - P.K < Windows[H]);
                          }));
}

/// One to many uneven pieces, empty ones among them, of two patterns.
TEST(Lean, PiecesMergeToTheWhole) {
  const Statement Causal = Statement::example("lean_split");
  const Statement Power = Causal.with(
      "  attn.keep %past\n", "  %power = attn.in %d, #attn.pow2\n"
                             "  %c9 = arith.constant 9 : index\n"
                             "  %near = arith.cmpi slt, %d, %c9 : index\n"
                             "  %either = arith.ori %power, %near : i1\n"
                             "  %both = arith.andi %past, %either : i1\n"
                             "  attn.keep %both\n");
  std::mt19937_64 Random(6);
  for (const Statement *What : {&Causal, &Power})
    for (int64_t Pieces : {1, 2, 3, 7, 40}) {
      constexpr int64_t N = 500;
      Inputs In(2, 2, 1, 3, N, Random());
      In.Origin = {N - 3, 200};
      const Outputs Whole = What->result(In, {{"lo", 0}, {"hi", N}});
      EXPECT_TRUE(agree(Whole, attend(In, [&](const Pair &P) {
                          const int64_t D = P.Q - P.K;
                          return D >= 0 &&
                                 (What == &Causal || D < 9 || isPowerOfTwo(D));
                        })));
      std::vector<int64_t> Cuts = chooseMembers(Random, N, Pieces - 1);
      // A piece of no key at all.
      Cuts.push_back(Cuts.empty() ? 0 : Cuts.back());
      Cuts.insert(Cuts.begin(), 0);
      Cuts.push_back(N);
      std::vector<Outputs> Parts;
      for (size_t I = 0; I + 1 < Cuts.size(); ++I)
        Parts.push_back(
            What->result(In, {{"lo", Cuts[I]}, {"hi", Cuts[I + 1]}}));
      EXPECT_TRUE(agree(merge(In, Parts), Whole)) << Pieces << " pieces";
    }
}

/// Makes the one key of source 1 the mean of keys [From, To) of source 0.
void setMean(Inputs &In, int64_t From, int64_t To) {
  for (int64_t H = 0; H < In.HeadsKv; ++H)
    for (int64_t D = 0; D < In.Depth; ++D) {
      const int64_t Group = In.HeadsQ / In.HeadsKv;
      double K = 0, V = 0;
      for (int64_t J = From; J < To; ++J) {
        const size_t At = In.row(0, H * Group, J) + static_cast<size_t>(D);
        K += static_cast<double>(In.Sources[0].K[At]);
        V += static_cast<double>(In.Sources[0].V[At]);
      }
      const auto Count = static_cast<double>(std::max<int64_t>(1, To - From));
      const size_t At = In.row(0, H * Group, 0, 1) + static_cast<size_t>(D);
      In.Sources[1].K[At] = static_cast<float>(K / Count);
      In.Sources[1].V[At] = static_cast<float>(V / Count);
    }
}

TEST(Razor, EqualsWindowAndMeanKey) {
  const Statement What = Statement::example("razor");
  constexpr int64_t Sink = 10, N = 200;
  Inputs In(1, 4, 2, 5, N, 7);
  In.add(1).Origin = {N - 5};
  setMean(In, Sink, 120);
  const std::vector<int64_t> Cuts = {120, 120, 0, 10};
  EXPECT_TRUE(What.equals(
      In, {{"cut", Value::table({1, 4}, Cuts)}, {"sink", Sink}},
      [&](const Pair &P) {
        const int64_t Cut = Cuts[static_cast<size_t>(P.H)];
        return P.Source == 1 ? Cut > Sink
                             : P.K <= P.Q && (P.K >= Cut || P.K < Sink);
      },
      [&](double S, const Pair &P) {
        return P.Source == 1 ? S + std::log(static_cast<double>(
                                       Cuts[static_cast<size_t>(P.H)] - Sink))
                             : S;
      }));
}

TEST(Razor, ExactWhereNothingIsLost) {
  const Statement What = Statement::example("razor");
  constexpr int64_t Sink = 10, Cut = 150, N = 200;
  auto IsPast = [](const Pair &P) { return P.Source == 0 && P.K <= P.Q; };
  Inputs In(1, 2, 1, 5, N, 8);
  In.add(1).Origin = {N - 5};
  for (int64_t Nothing : {int64_t{0}, Sink})
    EXPECT_TRUE(agree(
        What.result(
            In, {{"cut", Value::table({1, 1}, std::vector<int64_t>{Nothing})},
                 {"sink", Sink}}),
        attend(In, IsPast)))
        << "nothing is dropped";
  // All dropped keys alike, with one value.
  for (int64_t J = Sink; J < Cut; ++J)
    for (std::vector<float> *Rows : {&In.Sources[0].K, &In.Sources[0].V})
      std::copy_n(Rows->begin() + static_cast<int64_t>(In.row(0, 0, Sink)),
                  In.Depth,
                  Rows->begin() + static_cast<int64_t>(In.row(0, 0, J)));
  setMean(In, Sink, Cut);
  EXPECT_TRUE(agree(
      What.result(In, {{"cut", Value::table({1, 1}, std::vector<int64_t>{Cut})},
                       {"sink", Sink}}),
      attend(In, IsPast)))
      << "what is dropped is all alike";
}

} // namespace
