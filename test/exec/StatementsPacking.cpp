// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about ids and bounds of tokens: several prompts in one sequence
// (Prepacking), frames (TC-LLaVA, Video-CCAM), modalities (AKI, SAISA), column
// bounds (FlashMask), clusters (Routing Transformer).

#include "test/exec/Statement.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

//===----------------------------------------------------------------------===//
// Prompts
//===----------------------------------------------------------------------===//

/// Prompts one after the other in one sequence.
struct Packing {
  explicit Packing(const std::vector<int64_t> &Lengths) : Lengths(Lengths) {
    for (size_t D = 0; D < Lengths.size(); ++D) {
      Starts.push_back(static_cast<int64_t>(Doc.size()));
      for (int64_t I = 0; I < Lengths[D]; ++I) {
        Doc.push_back(static_cast<int64_t>(D));
        Position.push_back(I);
        Length.push_back(Lengths[D]);
      }
    }
  }

  int64_t size() const { return static_cast<int64_t>(Doc.size()); }
  Value table(const std::vector<int64_t> &Of) const {
    return Value::table({1, size()}, Of);
  }
  /// Prompt D of packed inputs, alone.
  Inputs alone(const Inputs &Packed, size_t D) const {
    const int64_t N = Lengths[D];
    Inputs One(1, Packed.HeadsQ, Packed.HeadsKv, N, N);
    auto Copy = [&](const std::vector<float> &From, std::vector<float> &To,
                    int64_t Heads) {
      for (int64_t H = 0; H < Heads; ++H)
        std::copy_n(From.begin() + (H * size() + Starts[D]) * Packed.Depth,
                    N * Packed.Depth, To.begin() + H * N * Packed.Depth);
    };
    Copy(Packed.Q, One.Q, Packed.HeadsQ);
    Copy(Packed.Sources[0].K, One.Sources[0].K, Packed.HeadsKv);
    Copy(Packed.Sources[0].V, One.Sources[0].V, Packed.HeadsKv);
    return One;
  }
  /// The rows of prompt D in a packed result.
  Outputs pick(const Inputs &Packed, const Outputs &From, size_t D) const {
    Outputs Out;
    for (int64_t H = 0; H < Packed.HeadsQ; ++H) {
      const int64_t Row = H * size() + Starts[D];
      Out.O.insert(Out.O.end(), From.O.begin() + Row * Packed.Depth,
                   From.O.begin() + (Row + Lengths[D]) * Packed.Depth);
      Out.Lse.insert(Out.Lse.end(), From.Lse.begin() + Row,
                     From.Lse.begin() + Row + Lengths[D]);
    }
    return Out;
  }

  std::vector<int64_t> Lengths, Starts, Doc, Position, Length;
};

/// The patterns that are packed: the example, how a prompt's pattern is written
/// after it, and the values of the example's parameters.
struct Inner {
  const char *Example;
  const char *Body;
  Values Params;
};

const char *const Past = "  %d = arith.subi %q, %k : index\n"
                         "  %past = attn.in %d, #attn.interval<0, inf>\n";

/// @prepacking with another pattern for the prompts; it also gets the prompt's
/// length.
Statement packed(const std::string &Body) {
  return Statement(R"(
attn.pattern @packed(%doc: tensor<?x?xindex>, %pos: tensor<?x?xindex>,
                     %len: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %qp = attn.at %pos[%b, %q] : tensor<?x?xindex>
  %kp = attn.at %pos[%b, %k] : tensor<?x?xindex>
  %n = attn.at %len[%b, %q] : tensor<?x?xindex>
  %inner = attn.apply @prompt(%n : index) at(%b, %h, %qp, %kp)
  %kept = arith.andi %same, %inner : i1
  attn.keep %kept
}
attn.pattern @prompt(%n: index) keep(%b, %h, %q, %k) {
)" + Body + "}\n",
                   "packed");
}

TEST(Prepacking, EveryPromptEqualsItselfAlone) {
  const std::string PastText = Past;
  const Inner All[] = {
      {"causal", "  attn.keep %past\n", {}},
      {"a_shape",
       "  %c5 = arith.constant 5 : index\n"
       "  %c30 = arith.constant 30 : index\n"
       "  %first = arith.cmpi slt, %k, %c5 : index\n"
       "  %near = arith.cmpi slt, %d, %c30 : index\n"
       "  %either = arith.ori %first, %near : i1\n"
       "  %kept = arith.andi %past, %either : i1\n"
       "  attn.keep %kept\n",
       {{"sink", 5}, {"window", 30}}},
      {"power_token",
       "  %c3 = arith.constant 3 : index\n"
       "  %c10 = arith.constant 10 : index\n"
       "  %power = attn.in %d, #attn.pow2\n"
       "  %near = arith.cmpi slt, %d, %c10 : index\n"
       "  %first = arith.cmpi slt, %k, %c3 : index\n"
       "  %local = arith.ori %near, %first : i1\n"
       "  %either = arith.ori %power, %local : i1\n"
       "  %kept = arith.andi %past, %either : i1\n"
       "  attn.keep %kept\n",
       {{"sink", 3}, {"window", 10}}},
      {"neighborhood_1d",
       "  %c0 = arith.constant 0 : index\n"
       "  %c7 = arith.constant 7 : index\n"
       "  %c15 = arith.constant 15 : index\n"
       "  %centred = arith.subi %q, %c7 : index\n"
       "  %last = arith.subi %n, %c15 : index\n"
       "  %before = arith.minsi %centred, %last : index\n"
       "  %start = arith.maxsi %before, %c0 : index\n"
       "  %end = arith.addi %start, %c15 : index\n"
       "  %after = arith.cmpi sge, %k, %start : index\n"
       "  %inside = arith.cmpi slt, %k, %end : index\n"
       "  %kept = arith.andi %after, %inside : i1\n"
       "  attn.keep %kept\n",
       {{"window", 15}}},
  };
  const Packing Prompts({1, 70, 33, 128, 15, 64, 2});
  const Inputs In(1, 2, 1, Prompts.size(), Prompts.size());
  for (const Inner &Of : All) {
    const Statement What = packed(PastText + Of.Body);
    const Statement Alone = Statement::example(Of.Example);
    const Outputs Found =
        What.result(In, {{"doc", Prompts.table(Prompts.Doc)},
                         {"pos", Prompts.table(Prompts.Position)},
                         {"len", Prompts.table(Prompts.Length)}});
    for (size_t D = 0; D < Prompts.Lengths.size(); ++D)
      EXPECT_TRUE(agree(Prompts.pick(In, Found, D),
                        Alone.result(Prompts.alone(In, D), Of.Params)))
          << Of.Example << ", prompt " << D;
  }
}

TEST(Prepacking, EqualsItsMaskInAnyOrderOfIds) {
  const Statement What = Statement::example("prepacking");
  Packing Prompts({40, 90, 1, 64, 100});
  // Ids need not ascend, nor be those of a range.
  for (int64_t &D : Prompts.Doc)
    D = (D * 37 + 5) % 11 - 3;
  const int64_t N = Prompts.size();
  EXPECT_TRUE(What.equals(Inputs(1, 2, 1, N, N),
                          {{"doc", Prompts.table(Prompts.Doc)},
                           {"pos", Prompts.table(Prompts.Position)},
                           {"sink", 4},
                           {"window", 20}},
                          [&](const Pair &P) {
                            const auto Q = static_cast<size_t>(P.Q),
                                       K = static_cast<size_t>(P.K);
                            return Prompts.Doc[Q] == Prompts.Doc[K] &&
                                   P.K <= P.Q &&
                                   (Prompts.Position[K] < 4 || P.Q - P.K < 20);
                          }));
}

/// Only tiles that hold a pair of one prompt, and one that is not after its
/// query, are visited, so work is that of the prompts and not of the square of
/// their sum.
TEST(Prepacking, NoTileAcrossABorderIsVisited) {
  const Statement What = Statement::example("prepacking");
  for (int64_t Each : {100, 256, 300}) {
    const Packing Prompts(std::vector<int64_t>(8, Each));
    const int64_t N = Prompts.size();
    const Inputs In(1, 1, 1, N, N, 1, 4);
    const Outputs Found =
        What.result(In, {{"doc", Prompts.table(Prompts.Doc)},
                         {"pos", Prompts.table(Prompts.Position)},
                         {"sink", 0},
                         {"window", Each}});
    auto IsPast = [](const Pair &P) { return P.K <= P.Q; };
    auto Meets = [&](const Pair &P) { return P.K / Each == P.Q / Each; };
    EXPECT_LE(Found.liveTiles(), countTiles(In, Found, IsPast, Meets)) << Each;
    const Outputs Whole = Statement::example("causal").result(In, {});
    EXPECT_LT(Found.liveTiles(), Whole.liveTiles() / 2) << Each;
  }
}

//===----------------------------------------------------------------------===//
// Frames and modalities
//===----------------------------------------------------------------------===//

/// Ascending ids, each for one to `Most` tokens.
std::vector<int64_t> sortedIds(std::mt19937_64 &Random, int64_t N,
                               int64_t Most) {
  std::vector<int64_t> Ids;
  for (int64_t Id = 0; static_cast<int64_t>(Ids.size()) < N; ++Id)
    Ids.resize(
        std::min(static_cast<size_t>(N),
                 Ids.size() + 1 + Random() % static_cast<uint64_t>(Most)),
        Id);
  return Ids;
}

TEST(TcLlava, FramesEqualTheirMask) {
  const Statement What = Statement::example("tc_llava");
  std::mt19937_64 Random(1);
  for (int64_t N : {1, 64, 333, 700})
    for (int64_t Most : {1, 10, 200}) {
      std::vector<int64_t> Frames = sortedIds(Random, N, Most);
      const std::vector<int64_t> Other = sortedIds(Random, N, Most);
      Frames.insert(Frames.end(), Other.begin(), Other.end());
      auto At = [&](int64_t B, int64_t I) {
        return Frames[static_cast<size_t>(B * N + I)];
      };
      EXPECT_TRUE(What.equals(
          Inputs(2, 2, 1, N, N, Random()),
          {{"frame", Value::table({2, N}, Frames)}},
          [&](const Pair &P) { return At(P.B, P.K) <= At(P.B, P.Q); }))
          << "length " << N << ", frames of up to " << Most;
    }
}

TEST(TcLlava, AllEqualIsBidirectionalAllDifferentIsCausal) {
  const Statement What = Statement::example("tc_llava");
  constexpr int64_t N = 300;
  const Inputs In(1, 2, 1, N, N);
  std::vector<int64_t> Equal(N, 7), Ascending(N);
  for (int64_t I = 0; I < N; ++I)
    Ascending[static_cast<size_t>(I)] = 3 * I - 100;
  EXPECT_TRUE(agree(What.result(In, {{"frame", Value::table({1, N}, Equal)}}),
                    Statement::example("dense").result(In, {})));
  EXPECT_TRUE(
      agree(What.result(In, {{"frame", Value::table({1, N}, Ascending)}}),
            Statement::example("causal").result(In, {})));
}

TEST(TcLlava, TileClassesAgreeWithBruteForce) {
  const Statement What = Statement::example("tc_llava");
  std::mt19937_64 Random(2);
  for (int Draw = 0; Draw < 4; ++Draw) {
    constexpr int64_t N = 960; // whole tiles for all tile sizes in use
    const std::vector<int64_t> Frames = sortedIds(Random, N, 150);
    const Inputs In(1, 1, 1, N, N, 1, 4);
    const Outputs Found =
        What.result(In, {{"frame", Value::table({1, N}, Frames)}});
    ASSERT_EQ(N % Found.QueryTile, 0);
    ASSERT_EQ(N % Found.KeyTile, 0);
    const TileCount Count = countTiles(In, Found, [&](const Pair &P) {
      return Frames[static_cast<size_t>(P.K)] <=
             Frames[static_cast<size_t>(P.Q)];
    });
    EXPECT_EQ(Found.liveTiles(), Count.Live);
    EXPECT_EQ(Found.FullTiles, Count.Full);
  }
}

TEST(VideoCcam, QueriesSeeFramesInOrder) {
  const Statement What = Statement::example("video_ccam");
  std::mt19937_64 Random(3);
  constexpr int64_t Queries = 60, Keys = 500;
  std::vector<int64_t> Frames = sortedIds(Random, Keys, 60);
  const std::vector<int64_t> Other = sortedIds(Random, Keys, 60);
  Frames.insert(Frames.end(), Other.begin(), Other.end());
  const std::vector<int64_t> Last = sortedIds(Random, Queries, 8);
  EXPECT_TRUE(
      What.equals(Inputs(2, 2, 2, Queries, Keys),
                  {{"frame", Value::table({2, Keys}, Frames)},
                   {"last", Value::table({Queries}, Last)}},
                  [&](const Pair &P) {
                    return Frames[static_cast<size_t>(P.B * Keys + P.K)] <=
                           Last[static_cast<size_t>(P.Q)];
                  }));
}

/// Tokens of text and of one or more images.
std::vector<int64_t> imageTokens(std::mt19937_64 &Random, int64_t N) {
  std::vector<int64_t> Is = sortedIds(Random, N, 90);
  for (int64_t &X : Is)
    X %= 2;
  return Is;
}

TEST(Modalities, AkiAndNaavitEqualTheirMasks) {
  std::mt19937_64 Random(4);
  for (int64_t N : {1, 200, 333}) {
    const std::vector<int64_t> Image = imageTokens(Random, N);
    auto Is = [&](int64_t I) { return Image[static_cast<size_t>(I)] == 1; };
    const Values Params = {{"image", Value::table({1, N}, Image)}};
    const Inputs In(2, 2, 1, N, N);
    auto IsAki = [&](const Pair &P) {
      return P.K <= P.Q || (Is(P.Q) && !Is(P.K));
    };
    EXPECT_TRUE(Statement::example("aki").equals(In, Params, IsAki)) << N;
    auto IsNaavit = [&](const Pair &P) {
      return P.K <= P.Q && !(Is(P.Q) && Is(P.K));
    };
    EXPECT_TRUE(Statement::example("naavit").equals(In, Params, IsNaavit)) << N;
  }
}

/// A prompt of one image and text: the square of image pairs is not visited.
TEST(Modalities, ImagePairsCostNothing) {
  constexpr int64_t N = 960, Image = 720;
  std::vector<int64_t> Is(N, 0);
  std::fill_n(Is.begin(), Image, 1);
  const Inputs In(1, 1, 1, N, N, 1, 4);
  const Outputs Found = Statement::example("naavit").result(
      In, {{"image", Value::table({1, N}, Is)}});
  EXPECT_LE(Found.liveTiles(),
            countTiles(
                In, Found, [](const Pair &P) { return P.K <= P.Q; },
                [](const Pair &P) { return P.K >= Image || P.Q >= Image; }));
}

//===----------------------------------------------------------------------===//
// Bounds and clusters
//===----------------------------------------------------------------------===//

TEST(FlashMask, ColumnBoundsEqualTheirMask) {
  const Statement What = Statement::example("flashmask");
  std::mt19937_64 Random(5);
  for (int64_t N : {1, 150, 333}) {
    std::vector<int64_t> Start, End;
    for (int64_t I = 0; I < 2 * N; ++I) {
      Start.push_back(
          static_cast<int64_t>(Random() % static_cast<uint64_t>(N)));
      End.push_back(Start.back() +
                    static_cast<int64_t>(Random() % static_cast<uint64_t>(N)));
    }
    EXPECT_TRUE(
        What.equals(Inputs(2, 2, 1, N, N),
                    {{"start", Value::table({2, 1, N}, Start)},
                     {"end", Value::table({2, 1, N}, End)}},
                    [&](const Pair &P) {
                      const auto At = static_cast<size_t>(P.B * N + P.K);
                      return P.K <= P.Q && !(Start[At] <= P.Q && P.Q < End[At]);
                    }))
        << N;
  }
}

TEST(Routing, ClustersEqualTheirMaskUnderAnyNames) {
  const Statement What = Statement::example("routing");
  std::mt19937_64 Random(6);
  for (int64_t N : {1, 100, 333}) {
    constexpr int64_t Clusters = 7;
    std::vector<int64_t> Ids, Renamed;
    for (int64_t I = 0; I < 4 * N; ++I) {
      Ids.push_back(static_cast<int64_t>(Random() % (Clusters + 1)) - 1);
      Renamed.push_back(Ids.back() < 0 ? -1 : (Ids.back() * 3 + 2) % Clusters);
    }
    const Inputs In(2, 2, 1, N, N);
    const Values Params = {{"cluster", Value::table({2, 2, N}, Ids)}};
    EXPECT_TRUE(What.equals(In, Params, [&](const Pair &P) {
      const int64_t Row = (2 * P.B + P.H) * N;
      const int64_t I = Ids[static_cast<size_t>(Row + P.Q)];
      return I >= 0 && I == Ids[static_cast<size_t>(Row + P.K)] && P.K <= P.Q;
    })) << N;
    EXPECT_TRUE(
        agree(What.result(In, Params),
              What.result(In, {{"cluster", Value::table({2, 2, N}, Renamed)}})))
        << "what clusters are called, and so their order, does not matter";
  }
}

} // namespace
