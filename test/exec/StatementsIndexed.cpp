// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A-shape, and patterns given by indices at run time: vertical-slash
// (MInference), block maps (MInference, SeerAttention, VMoBA), chunks (DHSA),
// stripes (AnchorAttention).

#include "test/exec/Statement.h"

#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

using Lists = std::vector<std::vector<int64_t>>;

/// Columns and distances for every sequence and head; the first draws are the
/// corners: nothing, everything, the first and last only.
Lists drawLists(std::mt19937_64 &Random, int64_t Rows, int64_t Size,
                int64_t Draw) {
  if (Draw == 0)
    return Lists(static_cast<size_t>(Rows));
  if (Draw == 1)
    return Lists(static_cast<size_t>(Rows), chooseMembers(Random, Size, Size));
  if (Draw == 2)
    return Lists(static_cast<size_t>(Rows),
                 Size > 1 ? std::vector<int64_t>{0, Size - 1}
                          : std::vector<int64_t>{0});
  return randomSets(Random, Rows, Size, std::max<int64_t>(1, Size / 8));
}

constexpr int64_t Lengths[] = {1, 63, 64, 65, 200, 333};

TEST(AShape, EqualsItsMask) {
  const Statement What = Statement::example("a_shape");
  for (int64_t N : Lengths)
    for (auto [Sink, Window] :
         {std::pair<int64_t, int64_t>{0, 1}, {5, 64}, {70, 0}, {400, 400}}) {
      const Inputs In(2, 2, 1, N, N);
      EXPECT_TRUE(What.equals(In, {{"sink", Sink}, {"window", Window}},
                              [S = Sink, W = Window](const Pair &P) {
                                return P.K <= P.Q && (P.K < S || P.Q - P.K < W);
                              }))
          << "length " << N << ", sink " << Sink << ", window " << Window;
    }
}

TEST(VerticalSlash, ExactEqualsItsMask) {
  const Statement What = Statement::example("vertical_slash");
  std::mt19937_64 Random(1);
  for (int64_t N : Lengths)
    for (int64_t Draw = 0; Draw < 6; ++Draw) {
      const Inputs In(2, 2, 1, N, N, Random());
      const Lists Cols = drawLists(Random, 4, N, Draw),
                  Diags = drawLists(Random, 4, N, (Draw + 2) % 6);
      EXPECT_TRUE(
          What.equals(In,
                      {{"cols", Value::sets({2, 2}, N, Cols)},
                       {"diags", Value::sets({2, 2}, N, Diags)}},
                      [&](const Pair &P) {
                        const auto Row = static_cast<size_t>(2 * P.B + P.H);
                        return P.K <= P.Q && (contains(Cols[Row], P.K) ||
                                              contains(Diags[Row], P.Q - P.K));
                      }))
          << "length " << N << ", draw " << Draw;
    }
}

/// One run of spans of a block of rows: keys [Begin, End).
struct KeySpan {
  int64_t Begin, End;
};

/// What MInference's index builder makes of the slashes for the 64 rows that
/// end before `End`, after its public source: largest distance first, spans
/// that would begin before key 0 moved to it, and spans closer than 64 keys to
/// the run before them merged into it in steps of 64 keys.
std::vector<KeySpan> buildRuns(int64_t End, const std::vector<int64_t> &Diags) {
  std::vector<KeySpan> Runs;
  for (size_t I = Diags.size(); I-- > 0;) {
    if (Diags[I] >= End)
      continue;
    const int64_t Last = std::max<int64_t>(End - Diags[I], 64);
    if (Runs.empty() || Last > Runs.back().End + 64)
      Runs.push_back({Last - 64, Last});
    else if (Last > Runs.back().End)
      Runs.back().End += 64;
  }
  return Runs;
}

bool covers(const std::vector<KeySpan> &Runs, int64_t K) {
  for (const KeySpan &R : Runs)
    if (R.Begin <= K && K < R.End)
      return true;
  return false;
}

/// Value slash 0, its kernel computes the runs, causally, and the columns that
/// it lists: those in no run and before the end of the last, not masked at all.
TEST(VerticalSlash, CoverEqualsTheIndexBuilder) {
  const Statement What = Statement::example("vertical_slash_cover");
  std::mt19937_64 Random(2);
  for (int64_t N : {64, 65, 200, 333, 640})
    for (int Draw = 0; Draw < 8; ++Draw) {
      const Inputs In(1, 2, 2, N, N, Random());
      const Lists Cols = randomSets(Random, 2, N, N / 8 + 1);
      Lists Diags = randomSets(Random, 2, N, Draw < 4 ? 6 : 40);
      for (std::vector<int64_t> &Row : Diags)
        if (!contains(Row, 0))
          Row.insert(Row.begin(), 0);
      const int64_t Blocks = (N + 63) / 64;
      Lists Spans;
      std::vector<std::vector<KeySpan>> Runs;
      for (int64_t H = 0; H < 2; ++H)
        for (int64_t Block = 0; Block < Blocks; ++Block) {
          const int64_t End = 64 * (Block + 1);
          Runs.push_back(buildRuns(End, Diags[static_cast<size_t>(H)]));
          std::vector<int64_t> Row;
          for (int64_t Back = 0; Back < End; ++Back)
            if (covers(Runs.back(), End - 1 - Back))
              Row.push_back(Back);
          Spans.push_back(Row);
        }
      auto IsBuilt = [&](const Pair &P) {
        const std::vector<KeySpan> &Row =
            Runs[static_cast<size_t>(P.H * Blocks + P.Q / 64)];
        const bool Listed = contains(Cols[static_cast<size_t>(P.H)], P.K) &&
                            !covers(Row, P.K) && P.K < Row.back().End;
        return Listed || (P.K <= P.Q && covers(Row, P.K));
      };
      EXPECT_TRUE(What.equals(
          In,
          {{"cols", Value::sets({1, 2}, N, Cols)},
           {"spans", Value::sets({1, 2, Blocks}, 64 * Blocks, Spans)}},
          IsBuilt))
          << "length " << N << ", draw " << Draw;
    }
}

/// With or without slash 0: the spans as the paper has them, never a key after
/// the query, never a missing column, never less than the exact form.
TEST(VerticalSlash, CoverIsDefinedForAnySlashes) {
  const Statement What = Statement::example("vertical_slash_cover");
  std::mt19937_64 Random(3);
  for (int64_t N : Lengths)
    for (int64_t Draw = 0; Draw < 6; ++Draw) {
      const Inputs In(1, 2, 1, N, N, Random());
      const Lists Cols = drawLists(Random, 2, N, (Draw + 3) % 6),
                  Diags = drawLists(Random, 2, N, Draw);
      Lists Spans(2);
      for (size_t H = 0; H < 2; ++H)
        for (int64_t Back = 0; Back < N + 64; ++Back)
          for (int64_t S : Diags[H])
            if (S <= Back && Back < S + 64) {
              Spans[H].push_back(Back);
              break;
            }
      auto IsCovered = [&](const Pair &P) {
        const int64_t End = 64 * (P.Q / 64 + 1);
        const auto H = static_cast<size_t>(P.H);
        bool Span = false;
        for (int64_t S : Diags[H])
          Span = Span || (End - S - 64 <= P.K && P.K < End - S);
        return P.K <= P.Q && (Span || contains(Cols[H], P.K));
      };
      for (int64_t H = 0; H < 2; ++H)
        for (int64_t Q = 0; Q < N; ++Q)
          for (int64_t K = 0; K <= Q; ++K)
            if (contains(Cols[static_cast<size_t>(H)], K) ||
                contains(Diags[static_cast<size_t>(H)], Q - K))
              ASSERT_TRUE(IsCovered({0, H, Q, K}));
      EXPECT_TRUE(
          What.equals(In,
                      {{"cols", Value::sets({1, 2}, N, Cols)},
                       {"spans", Value::sets({1, 2, 1}, N + 64, Spans)}},
                      IsCovered))
          << "length " << N << ", draw " << Draw;
    }
}

/// The same text with other constants.
Statement blockSparse(const std::string &Name, int64_t Rows, int64_t Columns) {
  return Statement::example(Name)
      .with("%c64 = arith.constant 64 : index",
            "%rowsize = arith.constant " + std::to_string(Rows) +
                " : index\n  %columnsize = arith.constant " +
                std::to_string(Columns) + " : index")
      .with("%q, %c64", "%q, %rowsize")
      .with("%k, %c64", "%k, %columnsize");
}

TEST(BlockSparse, EveryBlockSizeEqualsTheMaskOfItsMap) {
  std::mt19937_64 Random(4);
  const std::pair<int64_t, int64_t> Sizes[] = {
      {16, 16}, {32, 32}, {64, 64}, {128, 128}, {256, 256}, {64, 32}, {48, 80}};
  for (auto [Rows, Columns] : Sizes)
    for (int64_t N : {64, 333, 600}) {
      const Statement What = blockSparse("block_sparse", Rows, Columns);
      const Inputs In(2, 2, 1, N, N, Random());
      const int64_t Down = (N + Rows - 1) / Rows,
                    Across = (N + Columns - 1) / Columns;
      const Lists Map = randomSets(Random, 4 * Down, Across, Across);
      EXPECT_TRUE(What.equals(
          In, {{"rows", Value::sets({2, 2, Down}, Across, Map)}},
          [&, Rows = Rows, Columns = Columns](const Pair &P) {
            return P.K <= P.Q &&
                   contains(Map[static_cast<size_t>((2 * P.B + P.H) * Down +
                                                    P.Q / Rows)],
                            P.K / Columns);
          }))
          << Rows << "x" << Columns << ", length " << N;
    }
}

TEST(Seer, EmptyRowsAndBlockMaxima) {
  const Statement What = Statement::example("seer");
  std::mt19937_64 Random(5);
  constexpr int64_t N = 300, Blocks = 5;
  const Inputs In(1, 2, 1, N, N, 6);
  Lists Map = randomSets(Random, 2 * Blocks, Blocks, Blocks);
  Map[3].clear();
  Map[7].clear();
  const Values Params = {{"gate", Value::sets({1, 2, Blocks}, Blocks, Map)}};
  auto IsOpen = [&](const Pair &P) {
    return P.K <= P.Q &&
           contains(Map[static_cast<size_t>(P.H * Blocks + P.Q / 64)],
                    P.K / 64);
  };
  EXPECT_TRUE(What.equals(In, Params, IsOpen));

  const Outputs Expected = attend(In, IsOpen);
  std::vector<float> Largest(static_cast<size_t>(2 * Blocks * Blocks), 0);
  int64_t EmptyRows = 0;
  for (int64_t H = 0; H < 2; ++H)
    for (int64_t Q = 0; Q < N; ++Q) {
      const float Lse = Expected.Lse[static_cast<size_t>(H * N + Q)];
      EmptyRows += std::isinf(Lse);
      for (int64_t K = 0; K < N; ++K)
        if (IsOpen({0, H, Q, K})) {
          float &Block = Largest[static_cast<size_t>(
              (H * Blocks + Q / 64) * Blocks + K / 64)];
          Block = std::max(
              Block, static_cast<float>(std::exp(In.score(0, H, Q, K) -
                                                 static_cast<double>(Lse))));
        }
    }
  ASSERT_GE(EmptyRows, 128) << "two rows of blocks were emptied";
  OutputOptions Wanted;
  Wanted.BlockQ = Wanted.BlockK = 64;
  for (const std::string &Level : levels()) {
    Outputs Found;
    ASSERT_TRUE(What.run(In, Params, Found, Level, Wanted));
    EXPECT_TRUE(agree(Found, Expected));
    ASSERT_EQ(Found.BlockMax.size(), Largest.size());
    for (size_t I = 0; I < Largest.size(); ++I)
      EXPECT_NEAR(Found.BlockMax[I], Largest[I], 2e-5) << Level << " " << I;
  }
}

/// Halving the live blocks halves the tiles.
TEST(Seer, WorkFollowsTheMap) {
  const Statement What = Statement::example("seer");
  std::mt19937_64 Random(7);
  constexpr int64_t N = 2048, Blocks = N / 64;
  const Inputs In(1, 1, 1, N, N);
  auto CountTiles = [&](int64_t PerRow) {
    Lists Map;
    for (int64_t Row = 0; Row < Blocks; ++Row)
      Map.push_back(chooseMembers(Random, Row + 1, std::min(PerRow, Row + 1)));
    return What.result(In, {{"gate", Value::sets({1, 1, Blocks}, Blocks, Map)}})
        .liveTiles();
  };
  const int64_t Many = CountTiles(16), Few = CountTiles(4);
  EXPECT_LT(Few, Many / 2) << "a quarter of the blocks, nearly";
}

/// Block ids from (t, h, w) cut along one, two and three axes.
TEST(Vmoba, EveryPartitionEqualsItsMap) {
  const Statement What = Statement::example("vmoba");
  std::mt19937_64 Random(8);
  constexpr int64_t T = 5, H = 9, W = 11, N = T * H * W;
  struct Cut {
    int64_t T, H, W; ///< extents of a block
  };
  for (const Cut &Of : {Cut{2, H, W}, Cut{T, 4, 4}, Cut{2, 4, 3}}) {
    const int64_t Down = (H + Of.H - 1) / Of.H, Across = (W + Of.W - 1) / Of.W;
    auto BlockOf = [&](int64_t I) {
      const int64_t Time = I / (H * W), Y = I / W % H, X = I % W;
      return (Time / Of.T * Down + Y / Of.H) * Across + X / Of.W;
    };
    const int64_t Blocks = (T + Of.T - 1) / Of.T * Down * Across;
    std::vector<int64_t> Ids;
    for (int64_t I = 0; I < N; ++I)
      Ids.push_back(BlockOf(I));
    const Lists Map = randomSets(Random, 2 * Blocks, Blocks, Blocks / 2);
    EXPECT_TRUE(What.equals(
        Inputs(1, 2, 2, N, N, Random()),
        {{"block", Value::table({N}, Ids)},
         {"rows", Value::sets({1, 2, Blocks}, Blocks, Map)}},
        [&](const Pair &P) {
          return contains(Map[static_cast<size_t>(P.H * Blocks + BlockOf(P.Q))],
                          BlockOf(P.K));
        }))
        << Of.T << "x" << Of.H << "x" << Of.W;
  }
}

TEST(Dhsa, RaggedChunksEqualTheirTokenMask) {
  const Statement What = Statement::example("dhsa");
  std::mt19937_64 Random(9);
  for (int64_t N : {1, 100, 333}) {
    const int64_t Chunks = std::min<int64_t>(N, 12);
    std::vector<int64_t> Ids;
    for (int64_t B = 0; B < 2; ++B) {
      const std::vector<int64_t> Cuts = chooseMembers(Random, N, Chunks - 1);
      for (int64_t I = 0; I < N; ++I)
        Ids.push_back(std::upper_bound(Cuts.begin(), Cuts.end(), I) -
                      Cuts.begin());
    }
    const Lists Map = randomSets(Random, 4 * Chunks, Chunks, Chunks / 2);
    EXPECT_TRUE(What.equals(
        Inputs(2, 2, 1, N, N, Random()),
        {{"chunk", Value::table({2, N}, Ids)},
         {"rows", Value::sets({2, 2, Chunks}, Chunks, Map)}},
        [&](const Pair &P) {
          const int64_t I = Ids[static_cast<size_t>(P.B * N + P.Q)],
                        J = Ids[static_cast<size_t>(P.B * N + P.K)];
          return P.K <= P.Q &&
                 (I == J ||
                  contains(
                      Map[static_cast<size_t>((2 * P.B + P.H) * Chunks + I)],
                      J));
        }))
        << N;
  }
}

/// Single keys in the past of 128 queries, beside the first block and a window.
TEST(Anchor, StripesEqualTheMaskAndReuseTheAnchorPass) {
  const Statement What = Statement::example("anchor");
  const Statement Regions(What.text(), "anchor_regions");
  const Statement Rest = What.with("%either = arith.ori %near, %stripe : i1",
                                   "%true = arith.constant true\n"
                                   "  %far = arith.xori %near, %true : i1\n"
                                   "  %either = arith.andi %far, %stripe : i1");
  std::mt19937_64 Random(10);
  for (int64_t N : {100, 333, 700}) {
    const Inputs In(1, 2, 1, N, N, Random());
    const int64_t Blocks = (N + 127) / 128;
    const Lists Stripes = randomSets(Random, 2 * Blocks, N, N / 8);
    const Values Sizes = {{"first", 32}, {"window", 50}};
    Values Params = Sizes;
    Params.emplace("stripes", Value::sets({1, 2, Blocks}, N, Stripes));
    auto IsKept = [&](const Pair &P) {
      const std::vector<int64_t> &Row =
          Stripes[static_cast<size_t>(P.H * Blocks + P.Q / 128)];
      return P.K <= P.Q && (P.K < 32 || P.Q - P.K < 50 || contains(Row, P.K));
    };
    EXPECT_TRUE(What.equals(In, Params, IsKept)) << N;
    EXPECT_TRUE(
        agree(merge(In, {Regions.result(In, Sizes), Rest.result(In, Params)}),
              attend(In, IsKept)))
        << N;
  }
}

} // namespace
