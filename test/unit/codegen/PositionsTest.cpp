// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of listed tokens, and what positions do to rows.

#include "KernelSupport.h"

#include <cmath>
#include <cstddef>

using namespace heddle;

namespace {
class Positions : public OnEveryLevel {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Positions, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

TEST_P(Positions, BoxesOfAGridAreReadAndWrittenInPlace) {
  // A grid of 2 x 5 x 7 tokens and the box of 2 x 2 x 4 at (1, 4, 5), most of
  // which is outside.
  LoadedKernel Kernel(GetParam(), "3xf16;3xf32;3xf32;3xf32",
                      ", %z: index, %y: index, %x: index", R"(
  %c2 = arith.constant 2 : index
  %c5 = arith.constant 5 : index
  %c7 = arith.constant 7 : index
  %p = tile.positions at(%z, %y, %x) of(%c2, %c5, %c7) box [2, 2, 4]
    : tensor<16xindex>
  %t = tile.load %q[%b, %h, %p : tensor<16xindex>]
    : !attn.view<3xf16> -> tensor<16x3xf32>
  tile.store %t, %o[%b, %h, %p : tensor<16xindex>]
    : tensor<16x3xf32>, !attn.view<3xf32>
  return)");
  ASSERT_TRUE(Kernel);
  Data<uint16_t> From(1, 1, 70, 3);
  for (size_t I = 0; I < From.Elements.size(); ++I)
    From.Elements[I] = static_cast<uint16_t>(I + 1); // Subnormal: times 2^-24.
  Data<float> To(1, 1, 70, 3), Expected(1, 1, 70, 3);
  Arguments A;
  A.Args.q = From.view();
  A.Args.o = To.view();
  for (int64_t Z : {0, 1})
    for (int64_t Y : {0, 4})
      for (int64_t X : {1, 5}) {
        A.operand(0).integer = Z;
        A.operand(1).integer = Y;
        A.operand(2).integer = X;
        Kernel.run(A.Args, 0, 0, 0);
        for (int64_t I = Z; I < std::min<int64_t>(2, Z + 2); ++I)
          for (int64_t J = Y; J < std::min<int64_t>(5, Y + 2); ++J)
            for (int64_t K = X; K < std::min<int64_t>(7, X + 4); ++K)
              for (int64_t F = 0; F < 3; ++F) {
                int64_t Row = (I * 5 + J) * 7 + K;
                Expected.at(Row, F) = static_cast<float>(
                    std::ldexp(static_cast<double>(From.at(Row, F)), -24));
              }
        ASSERT_EQ(To.Elements, Expected.Elements) << Z << Y << X;
      }
}

TEST_P(Positions, ListedKeysAreGathered) {
  LoadedKernel Kernel(GetParam(), "5xf32;5xf32;5xf32;6xf32", ", %at: index",
                      R"(
  %c4 = arith.constant 4 : index
  %p = tile.positions at(%at, %at) of(%c4, %c4) box [2, 3] : tensor<6xindex>
  %x = tile.load %q[%b, %h, %tile] : !attn.view<5xf32> -> tensor<5x5xf32>
  %y = tile.load %k[%b, %h, %p : tensor<6xindex>]
    : !attn.view<5xf32> -> tensor<6x5xf32>
  %s = tile.scores %x, %y : tensor<5x5xf32>, tensor<6x5xf32> -> tensor<5x6xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<5x6xf32>, !attn.view<6xf32>
  return)");
  ASSERT_TRUE(Kernel);
  Data<float> Identity(1, 1, 5, 5), Keys(1, 1, 16, 5), To(1, 1, 5, 6);
  for (int64_t I = 0; I < 5; ++I)
    Identity.at(I, I) = 1;
  number(Keys);
  Arguments A;
  A.Args.q = Identity.view();
  A.Args.o = To.view();
  A.Source.k = Keys.view();
  A.operand(0).integer = 2;
  Kernel.run(A.Args, 0, 0, 0);
  const int64_t Tokens[] = {10, 11, -1, 14, 15, -1};
  for (int64_t Key = 0; Key < 6; ++Key)
    for (int64_t I = 0; I < 5; ++I)
      EXPECT_EQ(To.at(I, Key), Tokens[Key] < 0 ? 0 : Keys.at(Tokens[Key], I))
          << Key << " " << I;
}

namespace {

/// Members of one set, and the two questions to it that a walk needs.
struct Members {
  std::vector<int64_t> Sorted;
  heddle_set Set = {};

  static const Members &of(const heddle_set *Set) {
    return *reinterpret_cast<const Members *>(
        reinterpret_cast<const char *>(Set) - offsetof(Members, Set));
  }
  static int64_t rank(const heddle_set *Set, int64_t Row, int64_t X) {
    EXPECT_EQ(Row, 3);
    const std::vector<int64_t> &S = of(Set).Sorted;
    return std::lower_bound(S.begin(), S.end(), X) - S.begin();
  }
  static int64_t member(const heddle_set *Set, int64_t Row, int64_t Rank) {
    EXPECT_EQ(Row, 3);
    const std::vector<int64_t> &S = of(Set).Sorted;
    return Rank < static_cast<int64_t>(S.size()) ? S[static_cast<size_t>(Rank)]
                                                 : int64_t(1) << 62;
  }
};

} // namespace

// Key tiles of sixteen keys, every third of which something else visits. Row r
// of q holds r + 1; what is gathered is written one list after the other.
TEST_P(Positions, CollectTakesWhatNoTileCovers) {
  LoadedKernel Kernel(GetParam(), "1xf32;1xf32;1xf32;1xf32",
                      ", %cols: !attn.set, %n: index, %one: index", R"(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %c48 = arith.constant 48 : index
  %end = attn.rank %cols[%one] below %n
  %r:2 = scf.while (%cursor = %c0, %list = %c0) : (index, index) -> (index, index) {
    %more = arith.cmpi slt, %cursor, %end : index
    scf.condition(%more) %cursor, %list : index, index
  } do {
  ^bb0(%cursor: index, %list: index):
    %p, %next = tile.collect %cols[%one] from %cursor below %n tile 16 {
    ^bb1(%k0: index):
      %phase = arith.remui %k0, %c48 : index
      %free = arith.cmpi ne, %phase, %c32 : index
      %until = arith.addi %k0, %c16 : index
      tile.yield %free, %until : i1, index
    } : tensor<4xindex>
    %t = tile.load %q[%b, %h, %p : tensor<4xindex>]
      : !attn.view<1xf32> -> tensor<4x1xf32>
    %row = arith.muli %list, %c4 : index
    tile.store %t, %o[%b, %h, %row] : tensor<4x1xf32>, !attn.view<1xf32>
    %list1 = arith.addi %list, %c1 : index
    scf.yield %next, %list1 : index, index
  }
  return)");
  ASSERT_TRUE(Kernel);
  Members Some;
  Some.Set.rank = 1;
  Some.Set.shape[0] = 2;
  Some.Set.stride[0] = 3;
  heddle_index Questions = {};
  Questions.rank = Members::rank;
  Questions.member = Members::member;
  const int64_t Keys = 200;
  Data<float> From(1, 1, Keys, 1);
  number(From);
  Arguments A;
  A.Args.q = From.view();
  A.Args.index = &Questions;
  A.operand(0).set = &Some.Set;
  A.operand(2).integer = 1;
  std::vector<std::vector<int64_t>> Cases = {{},
                                             {0},
                                             {199},
                                             {32},
                                             {47, 48},
                                             {0, 1, 2, 3},
                                             {0, 1, 2, 3, 40},
                                             {31, 32, 47, 48},
                                             {33, 34, 81, 82, 130, 131}};
  Cases.emplace_back();
  for (int64_t X = 0; X < Keys; X += 1 + X % 3)
    Cases.back().push_back(X);
  Cases.emplace_back();
  for (int64_t X = 0; X < Keys; ++X)
    Cases.back().push_back(X);
  for (const std::vector<int64_t> &Case : Cases)
    for (int64_t Below : {int64_t(0), int64_t(40), Keys}) {
      Some.Sorted = Case;
      A.operand(1).integer = Below;
      // Full lists but for the last one, which may be empty.
      std::vector<float> Expected;
      for (int64_t X : Case)
        if (X < Below && X % 48 < 32)
          Expected.push_back(static_cast<float>(X + 1));
      Data<float> To(1, 1, 256, 1, -1.0F);
      A.Args.o = To.view();
      Kernel.run(A.Args, 0, 0, 0);
      bool Any = !Case.empty() && Case.front() < Below;
      size_t Lists = std::max<size_t>((Expected.size() + 3) / 4, Any);
      Expected.resize(4 * Lists, 0.0F);
      Expected.resize(256, -1.0F);
      EXPECT_EQ(To.Elements, Expected) << Below;
    }
}

namespace {

/// A table of reals with axes (position, feature).
heddle_table tableOf(const std::vector<float> &Elements, int64_t Rows,
                     int64_t Columns, int64_t RowStride, int64_t Step) {
  heddle_table Table = {};
  Table.data = Elements.data();
  Table.rank = 2;
  Table.shape[0] = Rows;
  Table.shape[1] = Columns;
  Table.stride[0] = RowStride;
  Table.stride[1] = Step;
  return Table;
}

/// `Text` with $W replaced.
std::string withWidth(std::string Text, int64_t Width) {
  for (size_t At; (At = Text.find("$W")) != std::string::npos;)
    Text.replace(At, 2, std::to_string(Width));
  return Text;
}

} // namespace

// Queries are a stretch of rows, keys a list of them in f16; both pass the end
// of the tables, where the last row stands for all further ones.
TEST_P(Positions, RowsAreRotatedByTheirPositions) {
  constexpr int64_t Rows = 12, TableRows = 9, From = 3, Count = 8;
  for (int64_t Width : {2, 6, 40, 64}) {
    LoadedKernel Kernel(
        GetParam(), withWidth("$Wxf32;$Wxf16;8xf32;$Wxf32", Width),
        ", %cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>, %at: index",
        withWidth(R"(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c12 = arith.constant 12 : index
  %p = tile.positions at(%c0, %at) of(%c1, %c12) box [1, 8] : tensor<8xindex>
  %x = tile.load %q[%b, %h, %at] : !attn.view<$Wxf32> -> tensor<8x$Wxf32>
  %y = tile.load %k[%b, %h, %p : tensor<8xindex>]
    : !attn.view<$Wxf16> -> tensor<8x$Wxf32>
  %u = tile.rotate %x at %at : index by(%cos, %sin)
    : tensor<8x$Wxf32>, tensor<?x?xf32>, tensor<?x?xf32>
  %w = tile.rotate %y at %p : tensor<8xindex> by(%cos, %sin)
    : tensor<8x$Wxf32>, tensor<?x?xf32>, tensor<?x?xf32>
  tile.store %u, %o[%b, %h, %at] : tensor<8x$Wxf32>, !attn.view<$Wxf32>
  %s = tile.scores %u, %w : tensor<8x$Wxf32>, tensor<8x$Wxf32> -> tensor<8x8xf32>
  tile.store %s, %v[%b, %h, %c0] : tensor<8x8xf32>, !attn.view<8xf32>
  return)",
                  Width));
    ASSERT_TRUE(Kernel);
    Data<float> Queries(1, 1, Rows, Width), Turned(1, 1, Rows, Width, -1.0F);
    Data<uint16_t> Keys(1, 1, Rows, Width, 0x3c00); // 1
    Data<float> Scores(1, 1, 8, 8);
    number(Queries);
    const int64_t Half = Width / 2;
    for (int64_t Step : {1, 2}) {
      std::vector<float> Cos(static_cast<size_t>(TableRows * Half * Step)),
          Sin(Cos.size());
      for (size_t I = 0; I < Cos.size(); ++I) {
        Cos[I] = std::cos(0.1F * static_cast<float>(I));
        Sin[I] = std::sin(0.3F * static_cast<float>(I));
      }
      heddle_table CosTable = tableOf(Cos, TableRows, Half, Half * Step, Step);
      heddle_table SinTable = tableOf(Sin, TableRows, Half, Half * Step, Step);
      Arguments A;
      A.Args.q = Queries.view();
      A.Source.k = Keys.view();
      A.Source.v = Scores.view();
      A.Args.o = Turned.view();
      A.operand(0).table = &CosTable;
      A.operand(1).table = &SinTable;
      A.operand(2).integer = From;
      Kernel.run(A.Args, 0, 0, 0);
      // The rotation of a row x.
      auto Turn = [&](auto X, int64_t Row) {
        std::vector<double> Result(static_cast<size_t>(Width));
        for (int64_t T = 0; T < Half; ++T) {
          auto At = static_cast<size_t>(
              (std::min(Row, TableRows - 1) * Half + T) * Step);
          Result[static_cast<size_t>(T)] =
              X(T) * Cos[At] - X(T + Half) * Sin[At];
          Result[static_cast<size_t>(T + Half)] =
              X(T + Half) * Cos[At] + X(T) * Sin[At];
        }
        return Result;
      };
      for (int64_t I = 0; I < Count; ++I) {
        std::vector<double> Q =
            Turn([&](int64_t T) { return Queries.at(From + I, T); }, From + I);
        for (int64_t T = 0; T < Width; ++T)
          EXPECT_NEAR(Turned.at(From + I, T), Q[static_cast<size_t>(T)], 1e-3)
              << Width << " " << Step << " " << I << " " << T;
        for (int64_t J = 0; J < Count; ++J) {
          std::vector<double> K = Turn([](int64_t) { return 1.0; }, From + J);
          double Sum = 0;
          for (size_t T = 0; T < K.size(); ++T)
            Sum += Q[T] * K[T];
          EXPECT_NEAR(Scores.at(I, J), Sum, 1e-2) << Width << " " << Step;
        }
      }
    }
  }
}
