// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles as views of one another, and products of every kind of them.

#include "VerbSupport.h"

using namespace heddle;

namespace {
class Tiles : public OnEveryLevel {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Tiles, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

TEST_P(Tiles, TransposesOfRowsAndOfTiles) {
  Extent X{20, 10}, R{10, 20};
  Verb Loaded(GetParam(), X, None, None, R,
              "  %r = tile.transpose %x : " + X.tile() + " -> " + R.tile());
  Loaded.expect([&](int64_t I, int64_t J) { return Loaded.x(J, I); });
  Verb Stored(GetParam(), X, None, None, R,
              copied("s", "x", X) + "  %r = tile.transpose %s : " + X.tile() +
                  " -> " + R.tile());
  Stored.expect([&](int64_t I, int64_t J) { return Stored.x(J, I); });
  // Along the lanes both before and after.
  Verb Turned(GetParam(), X, None, None, R,
              copied("s", "x", X) + "  %t = tile.transpose %s : " + X.tile() +
                  " -> " + R.tile() + "\n" + copied("r", "t", R));
  Turned.expect([&](int64_t I, int64_t J) { return Turned.x(J, I); });
  Verb Row(GetParam(), X, None, None, R,
           "  %t = tile.transpose %x : " + X.tile() + " -> " + R.tile() + "\n" +
               copied("r", "t", R));
  Row.expect([&](int64_t I, int64_t J) { return Row.x(J, I); });
}

TEST_P(Tiles, RowsVectorsAndElements) {
  Extent X{20, 10}, R{1, 10};
  for (bool Computed : {false, true}) {
    std::string From = Computed ? copied("s", "x", X) : "";
    std::string Name = Computed ? "%s" : "%x";
    Verb Row(GetParam(), X, None, None, R,
             From + "  %r = tile.row " + Name + "[%p2] : " + X.tile() +
                 " -> tensor<1x10xf32>");
    Row.expect([&](int64_t, int64_t J) { return Row.x(3, J); });
    Verb Vector(GetParam(), X, None, None, R,
                From + "  %t = tile.row " + Name + "[%p2] : " + X.tile() +
                    R"( -> tensor<1x10xf32>
  %n = tile.transpose %t : tensor<1x10xf32> -> tensor<10xf32>
  %e = tile.element %n[%p2] : tensor<10xf32>
  %w = tile.transpose %n : tensor<10xf32> -> tensor<1x10xf32>
  %r = tile.map %w at(%b, %h) from(%c0, %c0) {
  ^bb0(%a: f32, %i0: index, %i1: index, %i2: index, %i3: index):
    %z = arith.addf %a, %e : f32
    tile.yield %z : f32
  } : (tensor<1x10xf32>) -> tensor<1x10xf32>)");
    Vector.expect(
        [&](int64_t, int64_t J) { return Vector.x(3, J) + Vector.x(3, 3); });
  }
}

TEST_P(Tiles, AViewKeepsWhatItShows) {
  // The scaled tile must not go where the transposed one still lies.
  Extent X{20, 10};
  Verb V(GetParam(), X, None, None, {20, 20}, copied("s", "x", X) + R"(
  %t = tile.transpose %s : tensor<20x10xf32> -> tensor<10x20xf32>
  %two = arith.constant 2.0 : f32
  %d = tile.scale %s, %two : tensor<20x10xf32>
  %z = tile.fill 0.0 : tensor<20x20xf32>
  %r = tile.accumulate %z, %d, %t
    : tensor<20x20xf32>, tensor<20x10xf32>, tensor<10x20xf32>)");
  V.expect([&](int64_t I, int64_t J) {
    double Sum = 0;
    for (int64_t T = 0; T < 10; ++T)
      Sum += 2 * V.x(I, T) * V.x(J, T);
    return Sum;
  });
}

TEST_P(Tiles, MatricesOfTables) {
  Extent X{20, 10};
  Verb V(GetParam(), X, None, None, X, R"(
  %w = tile.load_table %p0[%p2] : tensor<?x?x?xf32> -> tensor<10x10xf32>
  %z = tile.fill 0.0 : tensor<20x10xf32>
  %r = tile.accumulate %z, %x, %w
    : tensor<20x10xf32>, tensor<20x10xf32>, tensor<10x10xf32>)");
  std::vector<float> Elements(1000);
  for (size_t I = 0; I < Elements.size(); ++I)
    Elements[I] = static_cast<float>(I % 37) / 37;
  auto Run = [&](int64_t S0, int64_t S1, int64_t S2, int64_t Extent2) {
    heddle_table T = {};
    T.data = Elements.data();
    T.rank = 3;
    int64_t Strides[] = {S0, S1, S2}, Shape[] = {5, 10, Extent2};
    std::copy_n(Strides, 3, T.stride);
    std::copy_n(Shape, 3, T.shape);
    V.A.operand(0).table = &T;
    V.expect([&](int64_t I, int64_t J) {
      double Sum = 0;
      for (int64_t K = 0; K < 10; ++K)
        Sum += V.x(I, K) *
               static_cast<double>(
                   Elements[static_cast<size_t>(3 * S0 + K * S1 + J * S2)]);
      return Sum;
    });
  };
  Run(100, 10, 1, 10);
  Run(100, 1, 10, 10);
  Run(100, 11, 1, 12);
  Run(0, 10, 1, 10);
  Run(100, 10, 0, int64_t(1) << 31);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

TEST_P(Tiles, ScoresOfComputedKeys) {
  Extent X{20, 12}, Y{9, 12};
  for (bool Computed : {false, true}) {
    Verb V(GetParam(), X, Y, None, {20, 9},
           copied("s", "x", X) + copied("t", "y", Y) +
               "  %r = tile.scores %s, " + (Computed ? "%t" : "%y") +
               " : tensor<20x12xf32>, tensor<9x12xf32> -> tensor<20x9xf32>");
    V.expect([&](int64_t I, int64_t J) {
      double Sum = 0;
      for (int64_t T = 0; T < 12; ++T)
        Sum += V.x(I, T) * V.y(J, T);
      return Sum;
    });
  }
}

TEST_P(Tiles, SumsWithEveryKindOfOperand) {
  // o: 20 x 7, p: 20 x 9, v: 9 x 7; p and v computed, transposed or loaded.
  for (int Kind = 0; Kind < 4; ++Kind) {
    bool Turned = (Kind & 1) != 0, Computed = (Kind & 2) != 0;
    Extent P = Turned ? Extent{9, 20} : Extent{20, 9};
    Extent Q = Turned ? Extent{7, 9} : Extent{9, 7};
    std::string Text;
    std::string Left = "%y", Right = "%u";
    if (Computed) {
      Text += copied("y1", "y", P) + copied("u1", "u", Q);
      Left = "%y1";
      Right = "%u1";
    }
    if (Turned) {
      Text += "  %y2 = tile.transpose " + Left +
              " : tensor<9x20xf32> -> tensor<20x9xf32>\n  %u2 = "
              "tile.transpose " +
              Right + " : tensor<7x9xf32> -> tensor<9x7xf32>\n";
      Left = "%y2";
      Right = "%u2";
    }
    Verb V(GetParam(), {20, 7}, P, Q, {20, 7},
           Text + "  %r = tile.accumulate %x, " + Left + ", " + Right +
               " : tensor<20x7xf32>, tensor<20x9xf32>, tensor<9x7xf32>");
    V.expect([&](int64_t I, int64_t J) {
      double Sum = V.x(I, J);
      for (int64_t T = 0; T < 9; ++T)
        Sum +=
            (Turned ? V.y(T, I) : V.y(I, T)) * (Turned ? V.u(J, T) : V.u(T, J));
      return Sum;
    });
  }
}

TEST_P(Tiles, SumsOntoScaledTiles) {
  const char *Products[] = {
      "  %d = tile.scale %x, %p1 : tensor<20x7xf32>\n",
      R"(  %f = tile.row %u[%p2] : tensor<9x7xf32> -> tensor<1x7xf32>
  %d = tile.map %x, %f at(%b, %h) from(%c0, %c0) {
  ^bb0(%m: f32, %n: f32, %i0: index, %i1: index, %i2: index, %i3: index):
    %mn = arith.mulf %m, %n : f32
    tile.yield %mn : f32
  } : (tensor<20x7xf32>, tensor<1x7xf32>) -> tensor<20x7xf32>
)",
      R"(  %s = tile.reduce sum %y along 1 : tensor<20x9xf32> -> tensor<20xf32>
  %d = tile.map %x, %s at(%b, %h) from(%c0, %c0) {
  ^bb0(%m: f32, %n: f32, %i0: index, %i1: index, %i2: index, %i3: index):
    %mn = arith.mulf %m, %n : f32
    tile.yield %mn : f32
  } : (tensor<20x7xf32>, tensor<20xf32>) -> tensor<20x7xf32>
)"};
  for (int Kind = 0; Kind < 3; ++Kind)
    for (bool Reused : {false, true}) {
      std::string Text = Products[Kind];
      Text += R"(  %a = tile.accumulate %d, %y, %u
    : tensor<20x7xf32>, tensor<20x9xf32>, tensor<9x7xf32>
)";
      // With another user the product is made.
      Text += Reused ? "  %r = arith.addf %a, %d : tensor<20x7xf32>"
                     : "  %r = arith.addf %a, %a : tensor<20x7xf32>";
      Verb V(GetParam(), {20, 7}, {20, 9}, {9, 7}, {20, 7}, Text);
      V.expect([&](int64_t I, int64_t J) {
        double Factor = Kind == 0 ? 0.375 : V.u(3, J);
        if (Kind == 2) {
          Factor = 0;
          for (int64_t T = 0; T < 9; ++T)
            Factor += V.y(I, T);
        }
        double Scaled = V.x(I, J) * Factor;
        double Sum = Scaled;
        for (int64_t T = 0; T < 9; ++T)
          Sum += V.y(I, T) * V.u(T, J);
        return Sum + (Reused ? Scaled : Sum);
      });
    }
}

TEST_P(Tiles, SumsOfEarlierTokens) {
  // Of the square only keys up to the query count: NaN in a later value stays
  // there.
  for (int64_t N : {16, 20, 48, 64}) {
    Extent X{N, 12}, U{N, 10};
    std::string Square = std::to_string(N) + "x" + std::to_string(N);
    std::string Type = "tensor<" + Square + "xf32>";
    Verb V(GetParam(), X, X, U, U,
           "  %s = tile.scores %x, %y : " + X.tile() + ", " + X.tile() +
               " -> " + Type + "\n  %n = arith.constant " + std::to_string(N) +
               " : index\n  %partial = arith.constant 1 : i32\n"
               "  %bits = tile.bits #attn.formula<q - k in interval<0, inf>> "
               "at(%b, %h) queries(%c0) keys(%c0) of %n status(%partial) : "
               "tensor<" +
               Square + "xi1>\n  %z = tile.fill 0.0 : " + U.tile() +
               "\n  %r = tile.accumulate %z, %s, %u where %bits : " + U.tile() +
               ", " + Type + ", " + U.tile() + ", tensor<" + Square + "xi1>");
    V.U.at(N - 1, 3) = std::nanf("");
    V.expect([&](int64_t I, int64_t J) {
      double Sum = 0;
      for (int64_t K = 0; K <= I; ++K)
        for (int64_t C = 0; C < 12; ++C)
          Sum += V.x(I, C) * V.y(K, C) * V.u(K, J);
      return Sum;
    });
  }
}

TEST_P(Tiles, SumsOfAnUpperTriangle) {
  // The same with values along the lanes, o: 10 x N. NaN of a later value, or
  // below the diagonal, stays there. Weights turned, or as they are.
  for (int64_t N : {16, 20, 48, 64})
    for (bool Turned : {false, true}) {
      Extent X{N, 12}, O{10, N};
      std::string Square =
          "tensor<" + std::to_string(N) + "x" + std::to_string(N) + "xf32>";
      std::string Scores = Turned ? "  %s1 = tile.scores %x, %y : "
                                  : "  %s = tile.scores %y, %x : ";
      Scores += X.tile() + ", " + X.tile() + " -> " + Square + "\n";
      if (Turned)
        Scores +=
            "  %s = tile.transpose %s1 : " + Square + " -> " + Square + "\n";
      Verb V(GetParam(), X, X, O, O,
             Scores + "  %z = tile.fill 0.0 : " + O.tile() +
                 "\n  %r = tile.accumulate %z, %u, upper %s : " + O.tile() +
                 ", " + O.tile() + ", " + Square);
      V.U.at(3, N - 1) = std::nanf("");
      if (!Turned)
        V.Y.at(N - 1, 5) = std::nanf("");
      V.expect([&](int64_t J, int64_t I) {
        double Sum = 0;
        for (int64_t K = 0; K <= I; ++K)
          for (int64_t C = 0; C < 12; ++C)
            Sum += V.x(I, C) * V.y(K, C) * V.u(J, K);
        return Sum;
      });
    }
}

TEST_P(Tiles, MapsThatHideLaterTokens) {
  for (int64_t N : {20, 64}) {
    Extent X{N, 12}, R{N, N};
    Verb V(GetParam(), X, X, None, R,
           "  %s = tile.scores %x, %y : " + X.tile() + ", " + X.tile() +
               " -> " + R.tile() + R"(
  %r = tile.map %s at(%b, %h) from(%c0, %c0) {
  ^bb0(%e: f32, %bb: index, %hh: index, %i: index, %j: index):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %later = arith.cmpi slt, %i, %j : index
    %more = arith.addf %e, %one : f32
    %f = arith.select %later, %zero, %more : f32
    tile.yield %f : f32
  } : ()" + R.tile() +
               ") -> " + R.tile());
    V.expect([&](int64_t I, int64_t J) {
      double Sum = J > I ? 0 : 1;
      for (int64_t C = 0; C < 12 && J <= I; ++C)
        Sum += V.x(I, C) * V.y(J, C);
      return Sum;
    });
  }
}
