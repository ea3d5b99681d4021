// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/RowIndex.h"
#include "test/unit/importers/Support.h"

#include <algorithm>
#include <set>

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;
using testing::HasSubstr;

namespace {

/// Columns and diagonals as MInference gives them.
struct Choice {
  int64_t Batch, Heads, Length, NumColumns, NumDiagonals;
  std::vector<int32_t> Columns, Diagonals;
};

/// MInference's index for one block of 64 rows, found key by key: every end of
/// a span is looked for, from the first possible one on. Independent of
/// `buildRowIndex`. Needs the diagonal 0.
struct SlowIndex {
  std::vector<int64_t> Offsets, Columns;

  SlowIndex(const std::set<int32_t> &V, const std::set<int32_t> &S,
            int64_t Block) {
    const int64_t End = 64 * (Block + 1);
    std::vector<bool> IsEnd(static_cast<size_t>(End + 1));
    for (int64_t D : S)
      if (D < End)
        IsEnd[static_cast<size_t>(End - D < 64 ? 64 : End - D)] = true;
    // First free key after the blocks placed so far.
    int64_t Free = -65;
    std::vector<bool> Held(static_cast<size_t>(End + 64));
    auto Place = [&](int64_t First) {
      Offsets.push_back(First);
      for (int64_t Key = First; Key < First + 64; ++Key)
        Held[static_cast<size_t>(Key)] = true;
      Free = First + 64;
    };
    for (int64_t Key = 64; Key <= End; ++Key)
      if (IsEnd[static_cast<size_t>(Key)] && Key > Free)
        Place(Free >= 0 && Key <= Free + 64 ? Free : Key - 64);
    for (int32_t Column : V)
      if (Column < End && !Held[static_cast<size_t>(Column)])
        Columns.push_back(Column);
  }
};

class VerticalSlashTest : public ImportTest {
protected:
  Choice choose(bool WithDiagonal, int64_t Step = 1) {
    Choice C;
    C.Batch = draw(1, 2);
    C.Heads = draw(1, 3);
    C.Length = draw(1, 500);
    C.NumColumns = draw(0, 20);
    C.NumDiagonals = draw(WithDiagonal ? 1 : 0, draw(0, 1) ? 4 : 25);
    for (int64_t I = 0; I < C.Batch * C.Heads; ++I) {
      for (int64_t J = 0; J < C.NumColumns; ++J)
        C.Columns.push_back(static_cast<int32_t>(draw(0, C.Length - 1)));
      for (int64_t J = 0; J < C.NumDiagonals; ++J)
        C.Diagonals.push_back(static_cast<int32_t>(
            J == 0 && WithDiagonal ? 0 : draw(0, C.Length - 1) / Step * Step));
      // In no order.
      std::shuffle(C.Diagonals.end() - C.NumDiagonals, C.Diagonals.end(),
                   Random);
    }
    return C;
  }

  Import import(const Choice &C, SlashCover Cover) {
    VerticalSlashOptions Options;
    Options.Length = C.Length;
    Options.Cover = Cover;
    if (draw(0, 1)) {
      Options.Vertical =
          writeI32("v.npy", {C.Batch, C.Heads, C.NumColumns}, C.Columns);
      Options.Slash = writeI64("s.npy", {C.Batch, C.Heads, C.NumDiagonals},
                               {C.Diagonals.begin(), C.Diagonals.end()});
    } else {
      Options.Vertical = writeI64("v.npy", {C.Batch, C.Heads, C.NumColumns},
                                  {C.Columns.begin(), C.Columns.end()});
      Options.Slash =
          writeI32("s.npy", {C.Batch, C.Heads, C.NumDiagonals}, C.Diagonals);
    }
    Import Result;
    EXPECT_EQ(importVerticalSlash(Options, Result), std::nullopt);
    return Result;
  }

  static std::set<int32_t> members(const std::vector<int32_t> &Of,
                                   int64_t Count, int64_t Row) {
    return {Of.begin() + Row * Count, Of.begin() + (Row + 1) * Count};
  }
  static Dense shapeOf(const Choice &C) {
    return {C.Batch, C.Heads, C.Length, C.Length};
  }
  /// What the definition says, for `Meets(diagonals, q, k)`.
  template <typename Meets> static Dense expected(const Choice &C, Meets Met) {
    Dense Result = shapeOf(C);
    for (int64_t B = 0; B < C.Batch; ++B)
      for (int64_t H = 0; H < C.Heads; ++H) {
        std::set<int32_t> V = members(C.Columns, C.NumColumns, B * C.Heads + H);
        std::set<int32_t> S =
            members(C.Diagonals, C.NumDiagonals, B * C.Heads + H);
        for (int64_t Q = 0; Q < C.Length; ++Q)
          for (int64_t K = 0; K <= Q; ++K)
            Result.at(B, H, Q, K) =
                V.count(static_cast<int32_t>(K)) || Met(S, Q, K);
      }
    return Result;
  }

  /// All pairs that MInference's kernel computes with its index: blocks are
  /// masked by the diagonal, columns are not.
  static Dense indexed(const Choice &C) {
    Dense Result = shapeOf(C);
    for (int64_t B = 0; B < C.Batch; ++B)
      for (int64_t H = 0; H < C.Heads; ++H)
        for (int64_t Block = 0; 64 * Block < C.Length; ++Block) {
          SlowIndex Index(members(C.Columns, C.NumColumns, B * C.Heads + H),
                          members(C.Diagonals, C.NumDiagonals, B * C.Heads + H),
                          Block);
          for (int64_t Q = 64 * Block; Q < std::min(64 * Block + 64, C.Length);
               ++Q) {
            for (int64_t Offset : Index.Offsets)
              for (int64_t K = Offset; K < std::min(Offset + 64, Q + 1); ++K)
                Result.at(B, H, Q, K) = 1;
            for (int64_t K : Index.Columns)
              Result.at(B, H, Q, K) = 1;
          }
        }
    return Result;
  }
};

bool inSpan(const std::set<int32_t> &S, int64_t Q, int64_t K) {
  const int64_t End = Q / 64 * 64 + 64;
  return std::any_of(S.begin(), S.end(), [&](int64_t D) {
    const int64_t SpanEnd = std::max<int64_t>(64, End - D);
    return D < End && K >= SpanEnd - 64 && K < SpanEnd;
  });
}

} // namespace

TEST_F(VerticalSlashTest, ExactIsTheUnionOfColumnsAndDiagonals) {
  for (int I = 0; I < 40; ++I) {
    Choice C = choose(I % 2 == 0);
    Dense Want = expected(C, [](const auto &S, int64_t Q, int64_t K) {
      return S.count(static_cast<int32_t>(Q - K)) > 0;
    });
    Dense Found = keptPairs(import(C, SlashCover::Exact), Want);
    ASSERT_EQ(difference(Found, Want), "") << "draw " << I;
  }
}

TEST_F(VerticalSlashTest, CoverBySpansIsTheUnionOfSpans) {
  for (int I = 0; I < 40; ++I) {
    Choice C = choose(I % 2 == 0);
    Dense Want = expected(C, inSpan);
    Dense Found = keptPairs(import(C, SlashCover::Spans), Want);
    ASSERT_EQ(difference(Found, Want), "") << "draw " << I;
  }
}

TEST_F(VerticalSlashTest, CoverByIndexEqualsTheIndexBuilder) {
  for (int I = 0; I < 60; ++I) {
    Choice C = choose(true);
    Dense Want = indexed(C);
    Dense Found = keptPairs(import(C, SlashCover::Index), Want);
    ASSERT_EQ(difference(Found, Want), "") << "draw " << I;
  }
}

/// Spans that begin 64 keys apart leave nothing to be merged.
TEST_F(VerticalSlashTest, SpansEqualTheIndexWhereDiagonalsAreWholeBlocks) {
  for (int I = 0; I < 30; ++I) {
    Choice C = choose(true, 64);
    Dense Want = indexed(C);
    Dense Found = keptPairs(import(C, SlashCover::Spans), Want);
    ASSERT_EQ(difference(Found, Want), "") << "draw " << I;
  }
}

/// Without the diagonal 0 too, both covers are causal, keep every exact pair,
/// and the index keeps every span.
TEST_F(VerticalSlashTest, CoversAreDefinedWithoutTheDiagonal) {
  for (int I = 0; I < 30; ++I) {
    Choice C = choose(false);
    Dense Exact = keptPairs(import(C, SlashCover::Exact), shapeOf(C));
    Dense Spans = keptPairs(import(C, SlashCover::Spans), shapeOf(C));
    Dense Index = keptPairs(import(C, SlashCover::Index), shapeOf(C));
    for (int64_t B = 0; B < C.Batch; ++B)
      for (int64_t H = 0; H < C.Heads; ++H)
        for (int64_t Q = 0; Q < C.Length; ++Q)
          for (int64_t K = 0; K < C.Length; ++K) {
            ASSERT_LE(Exact.at(B, H, Q, K), Spans.at(B, H, Q, K));
            ASSERT_LE(Spans.at(B, H, Q, K), Index.at(B, H, Q, K));
            if (K > Q)
              ASSERT_EQ(Index.at(B, H, Q, K), 0);
          }
  }
}

TEST_F(VerticalSlashTest, RowIndexListsTheBuildersBlocksAndColumns) {
  for (int I = 0; I < 200; ++I) {
    std::set<int32_t> V, S = {0};
    const int64_t Length = draw(1, 700);
    for (int64_t J = draw(0, 30); J > 0; --J)
      V.insert(static_cast<int32_t>(draw(0, Length - 1)));
    for (int64_t J = draw(0, 12); J > 0; --J)
      S.insert(static_cast<int32_t>(draw(0, Length - 1)));
    for (int64_t Block = 0; 64 * Block < Length; ++Block) {
      SlowIndex Want(V, S, Block);
      RowIndex Found =
          buildRowIndex({V.begin(), V.end()}, {S.begin(), S.end()}, Block);
      ASSERT_EQ(Found.blockOffsets(), Want.Offsets) << "draw " << I;
      ASSERT_EQ(Found.Columns, Want.Columns) << "draw " << I;
    }
  }
}

/// By hand: 128 rows, diagonals 0, 1 and 100.
TEST_F(VerticalSlashTest, RowIndexMergesInSteps) {
  RowIndex First = buildRowIndex({3, 70, 120}, {0, 1, 100}, 0);
  EXPECT_THAT(First.blockOffsets(), testing::ElementsAre(0));
  EXPECT_THAT(First.Columns, testing::ElementsAre());
  // Spans [0, 64) of 100 (shifted), [63, 127) of 1 and [64, 128) of 0: the
  // second one extends the first.
  RowIndex Second = buildRowIndex({3, 70, 120}, {0, 1, 100}, 1);
  EXPECT_THAT(Second.blockOffsets(), testing::ElementsAre(0, 64));
  RowIndex Third = buildRowIndex({3, 70, 120, 200}, {0}, 2);
  EXPECT_THAT(Third.blockOffsets(), testing::ElementsAre(128));
  EXPECT_THAT(Third.Columns, testing::ElementsAre(3, 70, 120));
}

TEST_F(VerticalSlashTest, Errors) {
  VerticalSlashOptions Options;
  Options.Length = 10;
  Options.Vertical = writeI32("v.npy", {1, 2, 2}, {1, 2, 3, 10});
  Options.Slash = writeI32("s.npy", {1, 2, 1}, {0, 0});
  Import Out;
  EXPECT_THAT(importVerticalSlash(Options, Out).value_or(""),
              HasSubstr("v.npy' has 10 at (0, 1, 1), expected 0 to 9"));
  Options.Vertical = writeI32("v.npy", {1, 2, 2}, {1, 2, 3, -1});
  EXPECT_THAT(importVerticalSlash(Options, Out).value_or(""),
              HasSubstr("has -1 at (0, 1, 1)"));
  Options.Vertical = writeI32("v.npy", {2, 2}, {1, 2, 3, 4});
  EXPECT_THAT(importVerticalSlash(Options, Out).value_or(""),
              HasSubstr("has shape (2, 2), expected (batch, heads, count)"));
  Options.Vertical = writeI32("v.npy", {1, 4, 1}, {1, 2, 3, 4});
  EXPECT_THAT(importVerticalSlash(Options, Out).value_or(""),
              HasSubstr("is for 1 x 4 (batch x heads)"));
  Options.Vertical = writeBool("v.npy", {1, 2, 1}, {1, 0});
  EXPECT_THAT(importVerticalSlash(Options, Out).value_or(""),
              HasSubstr("has dtype '|b1'"));
  Options.Vertical = path("absent.npy");
  EXPECT_THAT(importVerticalSlash(Options, Out).value_or(""),
              HasSubstr("cannot open"));
}
