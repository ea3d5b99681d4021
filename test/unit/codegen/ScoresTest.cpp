// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Score regions with tables and coordinates, landmarks, and the sweep over
// columns, against their plain meaning.

#include "KernelSupport.h"

#include <cmath>
#include <functional>
#include <limits>
#include <random>

using namespace heddle;

namespace {

constexpr int64_t Queries = 32, Keys = 16;
constexpr double Infinity = std::numeric_limits<double>::infinity();

/// A table of reals with two axes, and a read of it.
struct RealTable {
  RealTable(std::mt19937_64 &Random, int64_t Rows, int64_t Columns)
      : Elements(static_cast<size_t>(Rows * Columns)) {
    std::uniform_real_distribution<float> Draw(-2, 2);
    for (float &X : Elements)
      X = Draw(Random);
    Table.data = Elements.data();
    Table.rank = 2;
    Table.shape[0] = Rows;
    Table.shape[1] = Table.stride[0] = Columns;
    Table.stride[1] = 1;
  }
  RealTable(const RealTable &) = delete;
  RealTable &operator=(const RealTable &) = delete;

  double at(int64_t I, int64_t J) const {
    I = std::clamp<int64_t>(I, 0, Table.shape[0] - 1);
    J = std::clamp<int64_t>(J, 0, Table.shape[1] - 1);
    return static_cast<double>(
        Elements[static_cast<size_t>(I * Table.stride[0] + J)]);
  }

  std::vector<float> Elements;
  heddle_table Table = {};
};

/// Scores of one tile at random, and what a kernel makes of them. The operands
/// are a table p0, a real p1 and the first key p2.
struct Problem {
  explicit Problem(uint64_t Seed)
      : Random(Seed), Table(Random, draw(1, 4), draw(1, 80)), B(draw(0, 2)),
        H(draw(0, 3)), FirstQuery(draw(0, 50)), FirstKey(draw(0, 50)),
        NumKeys(FirstKey + draw(1, 20)), Scores(2, 3, Queries, Keys),
        Result(2, 3, Queries, Keys), NoKeys(2, 3, NumKeys, 1) {
    std::uniform_real_distribution<float> Draw(-4, 4);
    for (float &X : Scores.Elements)
      X = Draw(Random);
    A.operand(0).table = &Table.Table;
    A.operand(1).real = 0.375;
    A.operand(2).integer = FirstKey;
    A.Args.q = Scores.view();
    A.Args.o = Result.view();
    A.Source.k = NoKeys.view();
    std::fill(A.Origins.begin(), A.Origins.end(), FirstQuery);
  }

  int64_t draw(int64_t From, int64_t To) {
    return From +
           static_cast<int64_t>(Random() % static_cast<uint64_t>(To - From));
  }
  double score(int64_t I, int64_t J) {
    return static_cast<double>(Scores.at(I, J, H, B));
  }
  void expect(const std::function<double(int64_t, int64_t)> &Want,
              double Tolerance = 1e-5) {
    for (int64_t I = 0; I < Queries; ++I)
      for (int64_t J = 0; J < Keys; ++J) {
        auto Got = static_cast<double>(Result.at(I, J, H, B));
        double Exact = Want(I, J);
        ASSERT_TRUE(Got == Exact ||
                    std::abs(Got - Exact) <= Tolerance * (1 + std::abs(Exact)))
            << "query " << I << ", key " << J << " of the tile at "
            << FirstQuery << " and " << FirstKey << ": " << Got << ", expected "
            << Exact;
      }
  }

  std::mt19937_64 Random;
  RealTable Table;
  int64_t B, H, FirstQuery, FirstKey, NumKeys;
  Data<float> Scores, Result, NoKeys;
  Arguments A;
};

/// A kernel that loads %s, makes %r of it and stores that.
LoadedKernel kernel(const std::string &Level, const std::string &Body,
                    const std::string &Kind = "task") {
  return LoadedKernel(Level, "16xf32;1xf32;1xf32;16xf32",
                      ", %p0: tensor<?x?xf32>, %p1: f32, %k0: index",
                      R"(
  %n = tile.dim position of %k : !attn.view<1xf32>
  %partial = arith.constant 1 : i32
  %s = tile.load %q[%b, %h, %tile] : !attn.view<16xf32> -> tensor<32x16xf32>
  %bits = tile.bits #attn.formula<all(q - k in residue<0, 2>, k in interval<-inf, n>)>
    at(%b, %h) queries(%origin) keys(%k0) of %n status(%partial) : tensor<32x16xi1>
)" + Body + R"(
  tile.store %r, %o[%b, %h, %tile] : tensor<32x16xf32>, !attn.view<16xf32>
  return)",
                      Kind);
}

/// `Region` uses a score %x, coordinates %c0, %c1 of batch and head and those
/// named in `Names`, the table %t and the real %a.
LoadedKernel region(const std::string &Level, const std::string &Region,
                    const std::string &Where = "queries(%origin) keys(%k0)",
                    const std::string &Names = "%i: index, %j: index",
                    const std::string &Boxes = "") {
  return kernel(Level, "  %r = tile.modify %s at(%b, %h) " + Where +
                           " params(%p0, %p1 : tensor<?x?xf32>, f32) " + Boxes +
                           " {\n  ^bb0(%x: f32, %c0: index, %c1: index, " +
                           Names + ", %t: tensor<?x?xf32>, %a: f32):\n" +
                           Region +
                           "\n    tile.yield %y : f32\n"
                           "  } : tensor<32x16xf32> -> tensor<32x16xf32>");
}

class Scores : public OnEveryLevel {};

} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Scores, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

TEST_P(Scores, DistancesAndTables) {
  LoadedKernel Kernel = region(GetParam(), R"(
    %d = arith.subi %i, %j : index
    %l = arith.index_cast %d : index to i64
    %f = arith.sitofp %l : i64 to f32
    %g = arith.mulf %f, %a : f32
    %u = attn.at %t[%c1, %i] : tensor<?x?xf32>
    %e = attn.at %t[%c0, %j] : tensor<?x?xf32>
    %w = attn.at %t[%j, %d] : tensor<?x?xf32>
    %near = arith.cmpi slt, %d, %n : index
    %uv = arith.select %near, %u, %e : f32
    %xu = arith.mulf %x, %uv : f32
    %xw = arith.addf %xu, %w : f32
    %y = arith.subf %xw, %g : f32)");
  ASSERT_TRUE(Kernel);
  for (uint64_t Seed = 0; Seed < 50; ++Seed) {
    Problem P(Seed);
    Kernel.run(P.A.Args, P.B, P.H, 0);
    P.expect([&](int64_t I, int64_t J) {
      int64_t Q = P.FirstQuery + I, K = P.FirstKey + J;
      double Factor =
          Q - K < P.NumKeys ? P.Table.at(P.H, Q) : P.Table.at(P.B, K);
      return P.score(I, J) * Factor + P.Table.at(K, Q - K) -
             0.375 * static_cast<double>(Q - K);
    });
  }
}

TEST_P(Scores, CoordinatesOfAGrid) {
  for (int64_t Width : {16, 4}) {
    LoadedKernel Kernel = region(GetParam(), R"(
    %u = attn.at %t[%i1, %j1] : tensor<?x?xf32>
    %e = attn.at %t[%i, %j] : tensor<?x?xf32>
    %uv = arith.addf %u, %e : f32
    %y = arith.addf %uv, %x : f32)",
                                 "queries(%tile, %origin) keys(%tile, %k0)",
                                 "%i1: index, %i: index, %j1: index, %j: index",
                                 "boxes [" + std::to_string(Queries / Width) +
                                     ", " + std::to_string(Width) + "] [4, 4]");
    ASSERT_TRUE(Kernel);
    for (uint64_t Seed = 0; Seed < 20; ++Seed) {
      Problem P(Seed);
      Kernel.run(P.A.Args, P.B, P.H, 0);
      P.expect([&](int64_t I, int64_t J) {
        return P.score(I, J) + P.Table.at(I / Width, J / 4) +
               P.Table.at(P.FirstQuery + I % Width, P.FirstKey + J % 4);
      });
    }
  }
}

TEST_P(Scores, TwoResults) {
  LoadedKernel Kernel = kernel(GetParam(), R"(
  %r0, %r1 = tile.modify %s at(%b, %h) queries(%origin) keys(%k0)
    params(%p0, %p1 : tensor<?x?xf32>, f32) {
  ^bb0(%x: f32, %c0: index, %c1: index, %i: index, %j: index,
       %t: tensor<?x?xf32>, %a: f32):
    %e = math.exp %a : f32
    %y = arith.mulf %x, %e : f32
    %z = attn.at %t[%c0, %j] : tensor<?x?xf32>
    tile.yield %y, %z : f32, f32
  } : tensor<32x16xf32> -> tensor<32x16xf32>, tensor<32x16xf32>
  %r = arith.mulf %r0, %r1 : tensor<32x16xf32>)");
  ASSERT_TRUE(Kernel);
  Problem P(1);
  Kernel.run(P.A.Args, P.B, P.H, 0);
  P.expect([&](int64_t I, int64_t J) {
    return P.score(I, J) * std::exp(0.375) * P.Table.at(P.B, P.FirstKey + J);
  });
}

TEST_P(Scores, GroupsShareTheirLandmark) {
  LoadedKernel Kernel =
      kernel(GetParam(), "  %r = tile.regroup %s, %bits at(%origin, %k0)\n"
                         "    : tensor<32x16xf32>, tensor<32x16xi1>");
  ASSERT_TRUE(Kernel);
  for (uint64_t Seed = 0; Seed < 50; ++Seed) {
    Problem P(Seed);
    Kernel.run(P.A.Args, P.B, P.H, 0);
    auto Kept = [&](int64_t I, int64_t J) {
      int64_t Key = P.FirstKey + J;
      return (P.FirstQuery + I - Key) % 2 == 0 && Key < P.NumKeys;
    };
    P.expect([&](int64_t I, int64_t J) {
      int64_t Own = P.FirstQuery + I - P.FirstKey;
      if (J == Keys - 1 || !Kept(I, J))
        return -Infinity;
      if (Own >= 0 && Own < Keys)
        return P.score(I, J);
      if (!Kept(I, Keys - 1))
        return -Infinity;
      double Sum = 0;
      for (int64_t Other = 0; Other < Keys - 1; ++Other)
        if (Kept(I, Other))
          Sum += std::exp2(P.score(I, Other));
      return P.score(I, J) - std::log2(Sum) + P.score(I, Keys - 1);
    });
  }
}

TEST_P(Scores, ColumnsAndBlocksOfListedTokens) {
  // A box of queries and one of keys that reach over the edges of a grid,
  // blocks that follow the numbers of tokens, and the first 29 rows.
  constexpr int64_t Rows = 29, BlockQ = 5, BlockK = 3;
  LoadedKernel Kernel(GetParam(), "16xf32;1xf32;1xf32;16xf32",
                      ", %y: index, %x: index, %ky: index, %kx: index, %H: "
                      "index, %W: index",
                      R"(
  %rows = arith.constant 29 : index
  %s = tile.load %q[%b, %h, %tile] : !attn.view<16xf32> -> tensor<32x16xf32>
  %queries = tile.positions at(%y, %x) of(%H, %W) box [4, 8] : tensor<32xindex>
  %keys = tile.positions at(%ky, %kx) of(%H, %W) box [4, 4] : tensor<16xindex>
  tile.add_columns %s rows %rows, %sums[%b, %h, %keys : tensor<16xindex>]
    : tensor<32x16xf32>, !attn.view<1xf32>
  tile.raise_blocks %s rows %rows, %blocks[%b, %h]
    at(%queries : tensor<32xindex>, %keys : tensor<16xindex>) by 5 x 3
    : tensor<32x16xf32>, !attn.view<1xf32>
  return)",
                      "columns");
  ASSERT_TRUE(Kernel);
  for (uint64_t Seed = 0; Seed < 50; ++Seed) {
    Problem P(Seed);
    const int64_t H = P.draw(1, 12), W = P.draw(1, 12), Tokens = H * W;
    const int64_t At[4] = {P.draw(0, H), P.draw(0, W), P.draw(0, H),
                           P.draw(0, W)};
    for (size_t I = 0; I < 4; ++I)
      P.A.operand(I).integer = At[I];
    P.A.operand(4).integer = H;
    P.A.operand(5).integer = W;
    auto Token = [&](int64_t Y, int64_t X) {
      return Y < H && X < W ? Y * W + X : -1;
    };
    const int64_t BlockRows = (Tokens + BlockQ - 1) / BlockQ,
                  BlockColumns = (Tokens + BlockK - 1) / BlockK;
    Data<float> Sums(2, 3, Tokens, 1, 1.0F),
        Blocks(2, 3, BlockRows, BlockColumns, 0.125F);
    // Nobody wants them: nothing is written.
    Kernel.run(P.A.Args, P.B, P.H, 0);
    P.A.Source.column_sums = Sums.view();
    P.A.Source.block_max = Blocks.view();
    Kernel.run(P.A.Args, P.B, P.H, 0);

    std::vector<double> WantSums(Sums.Elements.size(), 1.0);
    std::vector<double> WantBlocks(Blocks.Elements.size(), 0.125);
    const int64_t Head = P.B * 3 + P.H;
    for (int64_t J = 0; J < Keys; ++J) {
      const int64_t Key = Token(At[2] + J / 4, At[3] + J % 4);
      for (int64_t I = 0; Key >= 0 && I < Rows; ++I) {
        const int64_t Query = Token(At[0] + I / 8, At[1] + I % 8);
        WantSums[static_cast<size_t>(Head * Tokens + Key)] += P.score(I, J);
        if (Query < 0)
          continue;
        double &Most = WantBlocks[static_cast<size_t>(
            (Head * BlockRows + Query / BlockQ) * BlockColumns + Key / BlockK)];
        Most = std::max(Most, P.score(I, J));
      }
    }
    for (size_t I = 0; I < WantSums.size(); ++I)
      ASSERT_NEAR(static_cast<double>(Sums.Elements[I]), WantSums[I], 1e-4)
          << Seed << " " << I;
    for (size_t I = 0; I < WantBlocks.size(); ++I)
      ASSERT_EQ(static_cast<double>(Blocks.Elements[I]), WantBlocks[I])
          << Seed << " " << I;
  }
}

TEST_P(Scores, ColumnsAddUpAndBlocksRise) {
  LoadedKernel Kernel = kernel(GetParam(), R"(
  %rows = tile.dim position of %lse : !attn.view<1xf32>
  %zero = tile.fill 0.0 : tensor<32xf32>
  %ones = tile.fill 1.0 : tensor<32x16xf32>
  %m = tile.fill 0xFF800000 : tensor<32xf32>
  %masked = tile.mask %s, %bits : tensor<32x16xf32>, tensor<32x16xi1>
  %p0s, %m1, %l1, %alpha = tile.softmax_step %masked, %m, %zero
    : tensor<32x16xf32>, tensor<32xf32>
  %unused, %known = tile.finish %ones, %m1, %l1 : tensor<32x16xf32>, tensor<32xf32>
  %r = tile.weights %s, %known where %bits
    : tensor<32x16xf32>, tensor<32xf32>, tensor<32x16xi1>
  tile.add_columns %r rows %rows, %sums[%b, %h, %k0]
    : tensor<32x16xf32>, !attn.view<1xf32>
  tile.raise_blocks %r rows %rows, %blocks[%b, %h] at(%origin, %k0) by 5 x 3
    : tensor<32x16xf32>, !attn.view<1xf32>)",
                               "columns");
  ASSERT_TRUE(Kernel);
  for (uint64_t Seed = 0; Seed < 50; ++Seed) {
    Problem P(Seed);
    int64_t Rows = P.draw(1, Queries + 1);
    int64_t BlockRows = (P.FirstQuery + Rows + 4) / 5,
            BlockColumns = (P.NumKeys + 2) / 3;
    Data<float> Lse(2, 3, Rows, 1), Sums(2, 3, P.NumKeys, 1, 1.0F),
        Blocks(2, 3, BlockRows, BlockColumns, 0.125F);
    P.A.Args.lse = Lse.view();
    // Nobody wants them: nothing is written.
    Kernel.run(P.A.Args, P.B, P.H, 0);
    P.A.Source.column_sums = Sums.view();
    P.A.Source.block_max = Blocks.view();
    Kernel.run(P.A.Args, P.B, P.H, 0);

    auto Weight = [&](int64_t I, int64_t J) {
      auto Kept = [&](int64_t Other) {
        int64_t Key = P.FirstKey + Other;
        return (P.FirstQuery + I - Key) % 2 == 0 && Key < P.NumKeys;
      };
      double Sum = 0;
      for (int64_t Other = 0; Other < Keys; ++Other)
        if (Kept(Other))
          Sum += std::exp2(P.score(I, Other));
      return Kept(J) ? std::exp2(P.score(I, J)) / Sum : 0.0;
    };
    P.expect(Weight);
    std::vector<double> WantSums(Sums.Elements.size(), 1.0);
    std::vector<double> WantBlocks(Blocks.Elements.size(), 0.125);
    int64_t Head = P.B * 3 + P.H;
    for (int64_t I = 0; I < Rows; ++I)
      for (int64_t J = 0; J < Keys && P.FirstKey + J < P.NumKeys; ++J) {
        double W = Weight(I, J);
        WantSums[static_cast<size_t>(Head * P.NumKeys + P.FirstKey + J)] += W;
        double &Most = WantBlocks[static_cast<size_t>(
            (Head * BlockRows + (P.FirstQuery + I) / 5) * BlockColumns +
            (P.FirstKey + J) / 3)];
        Most = std::max(Most, W);
      }
    for (size_t I = 0; I < WantSums.size(); ++I)
      ASSERT_NEAR(static_cast<double>(Sums.Elements[I]), WantSums[I], 1e-4)
          << Seed << " " << I;
    for (size_t I = 0; I < WantBlocks.size(); ++I)
      ASSERT_NEAR(static_cast<double>(Blocks.Elements[I]), WantBlocks[I], 1e-5)
          << Seed << " " << I;
  }
}
