// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/importers/Support.h"

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;
using testing::HasSubstr;

namespace {

class MaskTest : public ImportTest {
protected:
  Import import(const Dense &Of) {
    MaskOptions Options;
    Options.Path = writeBool(
        "mask.npy", {Of.Batch, Of.Heads, Of.Queries, Of.Keys}, Of.Pairs);
    Import Out;
    EXPECT_EQ(importMask(Options, Out), std::nullopt);
    return Out;
  }
  static int64_t bytes(const Import &Of) {
    int64_t Bytes = 0;
    for (const Operand &O : Of.Operands)
      Bytes += O.bytes();
    return Bytes;
  }
  /// Imports a mask, checks every pair and returns "name, bytes".
  std::string imported(Dense Of) {
    Import Found = import(Of);
    Dense Kept = keptPairs(Found, Of);
    EXPECT_EQ(difference(Kept, Of), "") << "as " << Found.Pattern;
    return Found.Pattern + ", " + std::to_string(bytes(Found));
  }
  /// One head.
  template <typename Keep>
  std::string imported(int64_t Queries, int64_t Keys, Keep Kept) {
    return imported(Dense(1, 1, Queries, Keys)
                        .fill([&](int64_t, int64_t, int64_t Q, int64_t K) {
                          return Kept(Q, K);
                        }));
  }
};

} // namespace

TEST_F(MaskTest, Formulas) {
  EXPECT_EQ(imported(9, 7, [](int64_t, int64_t) { return true; }), "dense, 0");
  EXPECT_EQ(imported(9, 7, [](int64_t, int64_t) { return false; }),
            "nothing, 0");
  EXPECT_EQ(imported(1, 1, [](int64_t, int64_t) { return true; }), "dense, 0");
  EXPECT_EQ(imported(40, 40, [](int64_t Q, int64_t K) { return K <= Q; }),
            "band, 0");
  // Aligned at the last query and key.
  EXPECT_EQ(imported(10, 40, [](int64_t Q, int64_t K) { return K <= Q + 30; }),
            "band, 0");
  EXPECT_EQ(imported(40, 40,
                     [](int64_t Q, int64_t K) { return K <= Q && Q - K < 7; }),
            "band, 0");
  EXPECT_EQ(
      imported(40, 40,
               [](int64_t Q, int64_t K) { return Q - K < 7 && K - Q < 3; }),
      "band, 0");
  EXPECT_EQ(imported(40, 40,
                     [](int64_t Q, int64_t K) {
                       return K <= Q && (K < 4 || Q - K < 7);
                     }),
            "a_shape, 0");
  EXPECT_EQ(
      imported(40, 40, [](int64_t Q, int64_t K) { return K <= Q || K < 11; }),
      "prefix, 0");
  EXPECT_EQ(imported(40, 40,
                     [](int64_t Q, int64_t K) {
                       return (K <= Q && Q - K < 5) || K < 11;
                     }),
            "prefix, 0");
  EXPECT_EQ(imported(40, 40,
                     [](int64_t Q, int64_t K) {
                       return K <= Q && Q - K < 20 && (Q - K) % 4 == 0;
                     }),
            "dilated, 0");
  EXPECT_EQ(imported(40, 40,
                     [](int64_t Q, int64_t K) {
                       return K <= Q && (Q - K < 6 || (Q - K) % 8 == 0);
                     }),
            "local_strided, 0");
  EXPECT_EQ(imported(40, 40,
                     [](int64_t Q, int64_t K) {
                       return K <= Q && (Q - K < 6 || K % 8 == 3);
                     }),
            "global_local, 0");
  EXPECT_EQ(
      imported(40, 40, [](int64_t Q, int64_t K) { return Q / 12 == K / 12; }),
      "block_diagonal, 0");
  EXPECT_EQ(
      imported(40, 40,
               [](int64_t Q, int64_t K) { return K <= Q && Q / 12 == K / 12; }),
      "block_diagonal, 0");
}

TEST_F(MaskTest, NumbersPerHead) {
  // Windows of 4 and 8, two heads: a table with two elements.
  EXPECT_EQ(imported(Dense(2, 2, 40, 40)
                         .fill([](int64_t, int64_t H, int64_t Q, int64_t K) {
                           return K <= Q && Q - K < 4 + 4 * H;
                         })),
            "band, 8");
  EXPECT_EQ(imported(Dense(2, 3, 40, 40)
                         .fill([](int64_t B, int64_t, int64_t Q, int64_t K) {
                           return K <= Q || K < 5 + B;
                         })),
            "prefix, 8");
  // A sink per sequence and a window per head: two and three elements.
  EXPECT_EQ(imported(Dense(2, 3, 40, 40)
                         .fill([](int64_t B, int64_t H, int64_t Q, int64_t K) {
                           return K <= Q && (Q - K < 5 + 9 * H || K < 3 + B);
                         })),
            "a_shape, 20");
}

TEST_F(MaskTest, Tables) {
  // Documents that begin at 0, 13 and 31, whose tokens are in pieces.
  const auto Document = [](int64_t T) { return T < 13 ? 0 : T < 31 ? 13 : 31; };
  EXPECT_EQ(imported(64, 64,
                     [&](int64_t Q, int64_t K) {
                       return Document(Q) == Document(K);
                     }),
            "documents, 256");
  const auto Interleaved = [](int64_t T) { return (T * T + T / 7) % 5; };
  EXPECT_EQ(imported(64, 64,
                     [&](int64_t Q, int64_t K) {
                       return K <= Q && Interleaved(Q) == Interleaved(K);
                     }),
            "documents, 256");
  // A run per row with two free ends, and with one.
  EXPECT_EQ(imported(80, 60,
                     [](int64_t Q, int64_t K) {
                       return K >= Q * Q % 31 && K < 31 + Q * 7 % 23;
                     }),
            "row_runs, 640");
  EXPECT_EQ(
      imported(80, 60, [](int64_t Q, int64_t K) { return K < Q * 7 % 53; }),
      "row_runs, 320");
  EXPECT_EQ(imported(80, 80,
                     [](int64_t Q, int64_t K) {
                       return K <= Q && K >= Q * 7 % (Q + 1);
                     }),
            "row_runs, 320");
  // The same for columns.
  EXPECT_EQ(imported(80, 80,
                     [](int64_t Q, int64_t K) {
                       return K <= Q && Q < K + 1 + K * 7 % 23;
                     }),
            "column_bounds, 320");
  EXPECT_EQ(imported(90, 60,
                     [](int64_t Q, int64_t K) {
                       return (Q < 10 + K * 7 % 23 || Q >= 40 + K * 5 % 17) &&
                              (Q < 60 + K * 3 % 7 || Q >= 70 + K * 11 % 13);
                     }),
            "column_bounds, 960");
}

TEST_F(MaskTest, Sets) {
  const auto IsColumn = [](int64_t K) { return K == 3 || K == 50 || K == 51; };
  const auto IsSlash = [](int64_t D) { return D == 0 || D == 20 || D == 33; };
  // Three columns, three diagonals, a length each.
  EXPECT_EQ(imported(100, 100,
                     [&](int64_t Q, int64_t K) {
                       return K <= Q && (IsColumn(K) || IsSlash(Q - K));
                     }),
            "vertical_slash, 32");
  // Not causal: diagonals on both sides.
  EXPECT_EQ(imported(100, 100,
                     [&](int64_t Q, int64_t K) {
                       return IsSlash(Q - K) || IsSlash(K - Q) || K == 7;
                     }),
            "vertical_slash, 32");
  const auto IsLive = [](int64_t R, int64_t C) {
    return (R * 5 + C * 3 + R * C) % 4 == 1;
  };
  Import Blocks = import(
      Dense(1, 1, 250, 500).fill([&](int64_t, int64_t, int64_t Q, int64_t K) {
        return IsLive(Q / 32, K / 64);
      }));
  EXPECT_EQ(Blocks.Pattern, "blocks_32x64");
  EXPECT_EQ(imported(256, 256,
                     [&](int64_t Q, int64_t K) {
                       return K <= Q && IsLive(Q / 16, K / 32);
                     }),
            "blocks_16x32, 128");
}

/// Whatever a mask is, it comes back, and never in more bytes than it has.
TEST_F(MaskTest, RandomMasksComeBack) {
  for (int I = 0; I < 60; ++I) {
    Dense Of(draw(1, 2), draw(1, 3), draw(1, 40), draw(1, 70));
    const int64_t Share = draw(0, 10);
    const bool SameHeads = draw(0, 1) == 1;
    Of.fill([&](int64_t B, int64_t H, int64_t Q, int64_t K) {
      if (SameHeads && H > 0)
        return Of.at(B, 0, Q, K) != 0;
      return draw(0, 9) < Share;
    });
    Import Found = import(Of);
    Dense Kept = keptPairs(Found, Of);
    ASSERT_EQ(difference(Kept, Of), "")
        << "draw " << I << ", " << Found.Pattern;
    ASSERT_LE(bytes(Found), static_cast<int64_t>(Of.Pairs.size()) /
                                (SameHeads ? Of.Heads : 1));
  }
}

/// Random members of the families, where several forms may fit.
TEST_F(MaskTest, RandomStructuredMasksComeBack) {
  for (int I = 0; I < 80; ++I) {
    const int64_t Queries = draw(1, 90),
                  Keys = draw(0, 2) ? Queries : draw(1, 90);
    const int64_t Window = draw(0, 20), Sink = draw(0, 9), Stride = draw(2, 9),
                  Shift = draw(-20, 20), Block = draw(1, 20);
    const int Family = I % 8;
    Dense Of(1, draw(1, 2), Queries, Keys);
    Of.fill([&](int64_t, int64_t H, int64_t Q, int64_t K) {
      const int64_t D = Q - K + Shift, W = Window + 3 * H;
      switch (Family) {
      case 0:
        return D >= 0 && D < W;
      case 1:
        return D >= 0 && (D < W || K < Sink);
      case 2:
        return D >= 0 || K < Sink + H;
      case 3:
        return D >= 0 && (D < Window || D % Stride == 0);
      case 4:
        return D >= 0 && (D < W || K % Stride == 1);
      case 5:
        return Q / Block == K / Block && (Sink < 5 || D >= 0);
      case 6:
        return D >= 0 && D < W * Stride && D % Stride == Sink % Stride;
      default:
        return (Q / Block + K / (2 * Block)) % 3 == 0;
      }
    });
    Import Found = import(Of);
    Dense Kept = keptPairs(Found, Of);
    ASSERT_EQ(difference(Kept, Of), "")
        << "draw " << I << ", family " << Family << ", " << Found.Pattern;
  }
}

TEST_F(MaskTest, FewerAxes) {
  MaskOptions Options;
  Import Out;
  Options.Path = writeBool("mask.npy", {2, 2}, {1, 0, 1, 1});
  ASSERT_EQ(importMask(Options, Out), std::nullopt);
  EXPECT_EQ(Out.Pattern, "band");
  EXPECT_EQ(Out.Shape.Heads, 1);
  Options.Path = writeBool("mask.npy", {3, 1, 2}, {1, 0, 1, 0, 1, 0});
  ASSERT_EQ(importMask(Options, Out), std::nullopt);
  EXPECT_EQ(Out.Shape.Heads, 3);
  EXPECT_EQ(Out.Operands.size(), 0u);
}

TEST_F(MaskTest, Errors) {
  MaskOptions Options;
  Import Out;
  auto Failure = [&] { return importMask(Options, Out).value_or(""); };
  Options.Path = writeBool("mask.npy", {4}, {1, 0, 1, 1});
  EXPECT_THAT(Failure(), HasSubstr("has shape (4,), expected (queries, keys)"));
  Options.Path = writeBool("mask.npy", {0, 4}, {});
  EXPECT_THAT(Failure(), HasSubstr("expected at least one pair"));
  Options.Path = writeI32("mask.npy", {2, 2}, {1, 0, 1, 1});
  EXPECT_THAT(Failure(), HasSubstr("convert it with .astype('|b1')"));
  Options.Path = writeText("mask.npy", "no array");
  EXPECT_THAT(Failure(), HasSubstr("is not a .npy file"));
}
