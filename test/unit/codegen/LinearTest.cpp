// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verbs of recurrences against their plain meaning.

#include "KernelSupport.h"

#include <cmath>
#include <functional>
#include <random>

using namespace heddle;

namespace {

/// Rows and columns of a tile, and how its type is written.
struct Extent {
  int64_t Rows, Columns;
  std::string tile() const {
    return "tensor<" + std::to_string(Rows) + "x" + std::to_string(Columns) +
           "xf32>";
  }
  std::string view() const {
    return "!attn.view<" + std::to_string(Columns) + "xf32>";
  }
};

/// The element of a result.
using Meaning = std::function<double(int64_t Row, int64_t Column)>;

/// A kernel that loads %x, %y and %u and stores the tile %r it makes of them.
/// The operands are a table p0 of rank 3, a real p1 and an integer p2.
class Verb {
public:
  Verb(const std::string &Level, Extent X, Extent Y, Extent U, Extent R,
       const std::string &Body)
      : X(1, 1, X.Rows, X.Columns), Y(1, 1, Y.Rows, Y.Columns),
        U(1, 1, U.Rows, U.Columns), R(1, 1, R.Rows, R.Columns, -77),
        Kernel(Level, views({X, Y, U, R}),
               ", %p0: tensor<?x?x?xf32>, %p1: f32, %p2: index",
               "  %c0 = arith.constant 0 : index\n" + load("x", "q", X) +
                   load("y", "k", Y) + load("u", "v", U) + Body +
                   "\n  tile.store %r, %o[%b, %h, %c0] : " + R.tile() + ", " +
                   R.view() + "\n  return") {
    std::mt19937_64 Random(42);
    std::uniform_real_distribution<float> Draw(0.2F, 1);
    for (Data<float> *Each : {&this->X, &this->Y, &this->U})
      for (float &Element : Each->Elements)
        Element = Draw(Random);
    A.Args.q = this->X.view();
    A.Source.k = this->Y.view();
    A.Source.v = this->U.view();
    A.Args.o = this->R.view();
    A.operand(1).real = 0.375;
    A.operand(2).integer = 3;
  }

  double x(int64_t I, int64_t J) { return X.at(I, J); }
  double y(int64_t I, int64_t J) { return Y.at(I, J); }
  double u(int64_t I, int64_t J) { return U.at(I, J); }

  void expect(const Meaning &Want, double Tolerance = 1e-5) {
    ASSERT_TRUE(Kernel);
    Kernel.run(A.Args, 0, 0, 0);
    for (int64_t I = 0; I < R.Rows; ++I)
      for (int64_t J = 0; J < R.Width; ++J) {
        auto Got = static_cast<double>(R.at(I, J));
        double Exact = Want(I, J);
        ASSERT_TRUE((std::isnan(Got) && std::isnan(Exact)) || Got == Exact ||
                    std::abs(Got - Exact) <= Tolerance * (1 + std::abs(Exact)))
            << "row " << I << ", column " << J << ": " << Got << ", expected "
            << Exact;
      }
  }

  Data<float> X, Y, U, R;
  Arguments A;

private:
  static std::string views(const std::vector<Extent> &All) {
    std::string Text;
    for (const Extent &E : All)
      Text += std::to_string(E.Columns) + "xf32;";
    Text.pop_back();
    return Text;
  }
  static std::string load(const std::string &Name, const std::string &View,
                          Extent E) {
    return "  %" + Name + " = tile.load %" + View +
           "[%b, %h, %c0] : " + E.view() + " -> " + E.tile() + "\n";
  }

  LoadedKernel Kernel;
};

/// A map that makes a copy along the lanes.
std::string copied(const std::string &To, const std::string &From, Extent Of) {
  return "  %" + To + " = tile.map %" + From +
         " at(%b, %h) from(%c0, %c0) {\n  ^bb0(%e: f32, %i0: index, %i1: "
         "index, %i2: index, %i3: index):\n    tile.yield %e : f32\n  } : (" +
         Of.tile() + ") -> " + Of.tile() + "\n";
}

class Linear : public OnEveryLevel {};

constexpr Extent None{1, 1};

} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Linear, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

TEST_P(Linear, TransposesOfRowsAndOfTiles) {
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

TEST_P(Linear, RowsVectorsAndElements) {
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

TEST_P(Linear, AViewKeepsWhatItShows) {
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

TEST_P(Linear, MatricesOfTables) {
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

TEST_P(Linear, ScoresOfComputedKeys) {
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

TEST_P(Linear, SumsWithEveryKindOfOperand) {
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

TEST_P(Linear, SumsOntoScaledTiles) {
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

TEST_P(Linear, SumsOfEarlierTokens) {
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

TEST_P(Linear, MapsThatHideLaterTokens) {
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

//===----------------------------------------------------------------------===//
// Element by element, and over rows and columns
//===----------------------------------------------------------------------===//

TEST_P(Linear, MapsWithBroadcastsAndCoordinates) {
  Verb V(GetParam(), {20, 10}, {20, 4}, {3, 10}, {20, 10}, R"(
  %s = tile.reduce sum %y along 1 : tensor<20x4xf32> -> tensor<20xf32>
  %m = tile.reduce max %u along 0 : tensor<3x10xf32> -> tensor<10xf32>
  %n = tile.transpose %m : tensor<10xf32> -> tensor<1x10xf32>
  %two:2 = tile.map %x, %s, %n at(%b, %h) from(%p2, %c0) params(%p1 : f32) {
  ^bb0(%e: f32, %row: f32, %col: f32, %bb: index, %hh: index, %i: index, %c: index,
       %p: f32):
    %ii = arith.index_cast %i : index to i64
    %f = arith.sitofp %ii : i64 to f32
    %l = arith.index_cast %c : index to i64
    %g = arith.sitofp %l : i64 to f32
    %a = arith.mulf %e, %row : f32
    %d = arith.addf %a, %col : f32
    %fp = arith.mulf %f, %p : f32
    %dd = arith.addf %d, %fp : f32
    %oo = arith.addf %dd, %g : f32
    %scaled = arith.mulf %oo, %p1 : f32
    tile.yield %oo, %scaled : f32, f32
  } : (tensor<20x10xf32>, tensor<20xf32>, tensor<1x10xf32>)
    -> (tensor<20x10xf32>, tensor<20x10xf32>)
  %r = arith.addf %two#0, %two#1 : tensor<20x10xf32>)");
  V.expect([&](int64_t I, int64_t J) {
    double Row = 0, Column = 0;
    for (int64_t T = 0; T < 4; ++T)
      Row += V.y(I, T);
    for (int64_t T = 0; T < 3; ++T)
      Column = std::max(Column, V.u(T, J));
    double Value = V.x(I, J) * Row + Column +
                   static_cast<double>(I + 3) * 0.375 + static_cast<double>(J);
    return Value * 1.375;
  });
}

TEST_P(Linear, MapsThatReadRowsOfTables) {
  Verb V(GetParam(), {20, 10}, None, None, {20, 10}, R"(
  %c1 = arith.constant 1 : index
  %r = tile.map %x at(%c1, %h) from(%p2, %c1) params(%p0 : tensor<?x?x?xf32>) {
  ^bb0(%e: f32, %bb: index, %hh: index, %i: index, %c: index, %t: tensor<?x?x?xf32>):
    %w = attn.at %t[%bb, %i, %c] : tensor<?x?x?xf32>
    %ew = arith.mulf %e, %w : f32
    tile.yield %ew : f32
  } : (tensor<20x10xf32>) -> tensor<20x10xf32>)");
  std::vector<float> Elements(4000);
  for (size_t I = 0; I < Elements.size(); ++I)
    Elements[I] = static_cast<float>(I % 37) / 37;
  auto Run = [&](int64_t S0, int64_t S1, int64_t S2, int64_t Rows,
                 int64_t Columns) {
    heddle_table T = {};
    T.data = Elements.data();
    T.rank = 3;
    int64_t Strides[] = {S0, S1, S2}, Shape[] = {2, Rows, Columns};
    std::copy_n(Strides, 3, T.stride);
    std::copy_n(Shape, 3, T.shape);
    V.A.operand(0).table = &T;
    V.expect([&](int64_t I, int64_t J) {
      int64_t Row = std::min(I + 3, Rows - 1);
      int64_t Column = std::min(J + 1, Columns - 1);
      return V.x(I, J) *
             static_cast<double>(
                 Elements[static_cast<size_t>(S0 + Row * S1 + Column * S2)]);
    });
  };
  Run(1000, 12, 1, 30, 12);
  Run(1000, 1, 30, 30, 12);
  Run(1000, 0, 1, int64_t(1) << 31, 12);
  Run(1000, 12, 0, 30, int64_t(1) << 31);
  // Beyond the last row and the last column the last ones are meant.
  Run(1000, 12, 1, 15, 12);
  Run(1000, 12, 1, 30, 5);
}

TEST_P(Linear, MapsWithoutInputs) {
  Verb V(GetParam(), None, None, None, {1, 20}, R"(
  %n = tile.map at(%b, %h) from(%p2, %c0) {
  ^bb0(%bb: index, %hh: index, %i: index, %c: index):
    %ii = arith.index_cast %i : index to i64
    %f = arith.sitofp %ii : i64 to f32
    tile.yield %f : f32
  } : () -> tensor<20xf32>
  %r = tile.transpose %n : tensor<20xf32> -> tensor<1x20xf32>)");
  V.expect([](int64_t, int64_t J) { return static_cast<double>(J + 3); });
}

TEST_P(Linear, SumsAndMaximaOfRowsAndColumns) {
  for (bool Sum : {true, false})
    for (int64_t Axis : {0, 1}) {
      int64_t Count = Axis == 0 ? 10 : 21;
      std::string Type = "tensor<" + std::to_string(Count) + "xf32>";
      Verb V(GetParam(), {21, 10}, None, None, {1, Count},
             std::string("  %n = tile.reduce ") + (Sum ? "sum" : "max") +
                 " %x along " + std::to_string(Axis) +
                 " : tensor<21x10xf32> -> " + Type +
                 "\n  %r = tile.transpose %n : " + Type + " -> tensor<1x" +
                 std::to_string(Count) + "xf32>");
      V.expect([&](int64_t, int64_t J) {
        double Result = 0;
        for (int64_t T = 0; T < (Axis == 0 ? 21 : 10); ++T) {
          double X = Axis == 0 ? V.x(T, J) : V.x(J, T);
          Result = Sum ? Result + X : std::max(Result, X);
        }
        return Result;
      });
    }
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

/// The product of factors of tokens (J, I].
static double between(int64_t J, int64_t I,
                      const std::function<double(int64_t)> &Factor) {
  double Product = 1;
  for (int64_t T = J + 1; T <= I; ++T)
    Product *= Factor(T);
  return Product;
}

TEST_P(Linear, Decays) {
  // Rows of w, then from_start, to_end and the total.
  for (int64_t N : {16, 20, 48}) {
    std::string C = std::to_string(N);
    std::string Vector = "tensor<" + C + "xf32>";
    std::string Square = "tensor<" + C + "x" + C + "xf32>";
    std::string Names[] = {"w", "f", "e", "t"};
    for (int Part = 0; Part < 4; ++Part) {
      std::string Result;
      if (Part == 0)
        Result = "  %z = tile.fill 0.0 : " + Square +
                 "\n  %r = arith.addf %w, %z : " + Square;
      else if (Part < 3)
        Result = "  %r = tile.transpose %" + Names[Part] + " : " + Vector +
                 " -> tensor<1x" + C + "xf32>";
      else
        Result = "  %o1 = tile.fill 1.0 : tensor<1x" + C +
                 "xf32>\n  %r = tile.scale %o1, %t : tensor<1x" + C + "xf32>";
      Verb V(GetParam(), {N, 1}, None, None, {Part == 0 ? N : 1, N},
             "  %a = tile.reduce sum %x along 1 : tensor<" + C + "x1xf32> -> " +
                 Vector + "\n  %w, %f, %e, %t = tile.decays %a : " + Vector +
                 " -> " + Square + "\n" + Result);
      V.X.at(N / 2, 0) = 0;
      auto Factor = [&](int64_t T) { return V.x(T, 0); };
      V.expect([&](int64_t I, int64_t J) {
        switch (Part) {
        case 0:
          return J > I ? 0 : between(J, I, Factor);
        case 1:
          return between(-1, J, Factor);
        case 2:
          return between(J, N - 1, Factor);
        default:
          return between(-1, N - 1, Factor);
        }
      });
    }
  }
}

TEST_P(Linear, ScoresWithAFactorPerFeature) {
  for (bool Computed : {false, true})
    for (int64_t D : {5, 40}) {
      Extent E{36, D};
      Verb V(GetParam(), E, E, E, {36, 36},
             (Computed ? copied("t", "y", E) + copied("a", "u", E) : "") +
                 "  %r = tile.decayed_scores %x, " +
                 (Computed ? "%t, %a" : "%y, %u") + " : " + E.tile() +
                 " -> tensor<36x36xf32>");
      V.U.at(17, 2) = 0;
      V.expect([&](int64_t I, int64_t J) {
        double Sum = 0;
        for (int64_t C = 0; C < D && J <= I; ++C)
          Sum += V.x(I, C) * V.y(J, C) *
                 between(J, I, [&](int64_t T) { return V.u(T, C); });
        return Sum;
      });
    }
}

TEST_P(Linear, ProductsBeforeAndAfter) {
  for (int Part = 0; Part < 3; ++Part)
    for (int64_t N : {20, 48}) {
      Extent E{N, 7};
      std::string Result[] = {
          "  %r = arith.addf %f, %z : " + E.tile(),
          "  %r = arith.addf %e, %z : " + E.tile(),
          "  %r = tile.transpose %t : tensor<7xf32> -> tensor<1x7xf32>"};
      Verb V(GetParam(), E, None, None, {Part < 2 ? N : 1, 7},
             "  %z = tile.fill 0.0 : " + E.tile() +
                 "\n  %f, %e, %t = tile.cumulate %x : " + E.tile() +
                 " -> tensor<7xf32>\n" + Result[Part]);
      V.X.at(11, 3) = 0;
      V.expect([&](int64_t I, int64_t J) {
        auto Factor = [&](int64_t T) { return V.x(T, J); };
        return Part == 0   ? between(-1, I, Factor)
               : Part == 1 ? between(I, N - 1, Factor)
                           : between(-1, N - 1, Factor);
      });
    }
}

TEST_P(Linear, Substitution) {
  for (int64_t N : {16, 21, 64})
    for (int64_t D : {5, 64}) {
      Extent A{N, N}, R{D, N};
      Verb V(GetParam(), A, R, None, R,
             copied("a", "x", A) + "  %r = tile.solve %a, %y : " + A.tile() +
                 ", " + R.tile());
      for (float &X : V.X.Elements)
        X = (X - 0.6F) / 4;
      std::vector<double> U(static_cast<size_t>(N * D));
      auto At = [&](int64_t Row, int64_t I) -> double & {
        return U[static_cast<size_t>(Row * N + I)];
      };
      for (int64_t Row = 0; Row < D; ++Row)
        for (int64_t I = 0; I < N; ++I) {
          At(Row, I) = V.y(Row, I);
          for (int64_t J = 0; J < I; ++J)
            At(Row, I) -= V.x(I, J) * At(Row, J);
        }
      V.expect(At, 1e-4);
    }
}

TEST_P(Linear, Expansion) {
  // phi(x) . phi(y) is the function of x . y.
  struct Form {
    std::string Text;
    int64_t D, Features;
    std::function<double(double)> Of;
  } Forms[] = {
      {"power 2", 6, 21, [](double S) { return S * S; }},
      {"power 3", 4, 20, [](double S) { return S * S * S; }},
      {"power 5", 3, 21, [](double S) { return std::pow(S, 5); }},
      {"power 8", 2, 9, [](double S) { return std::pow(S, 8); }},
      {"taylor", 6, 28, [](double S) { return 1 + S + S * S / 2; }},
  };
  for (const Form &F : Forms) {
    Extent X{20, F.D}, Phi{20, F.Features};
    std::string Types = " : " + X.tile() + " -> " + Phi.tile() + "\n";
    Verb V(GetParam(), X, X, None, {20, 20},
           "  %f = tile.expand %x " + F.Text + Types +
               "  %g = tile.expand %y " + F.Text + Types +
               "  %r = tile.scores %f, %g : " + Phi.tile() + ", " + Phi.tile() +
               " -> tensor<20x20xf32>");
    V.expect(
        [&](int64_t I, int64_t J) {
          double S = 0;
          for (int64_t T = 0; T < F.D; ++T)
            S += V.x(I, T) * V.y(J, T);
          return F.Of(S);
        },
        1e-4);
  }
}

TEST_P(Linear, OrderOfMonomials) {
  Verb V(GetParam(), {3, 3}, None, None, {3, 10},
         "  %r = tile.expand %x power 3 : tensor<3x3xf32> -> tensor<3x10xf32>");
  V.expect([&](int64_t Row, int64_t Feature) {
    for (int64_t I = 0; I < 3; ++I)
      for (int64_t J = I; J < 3; ++J)
        for (int64_t K = J; K < 3; ++K)
          if (Feature-- == 0) {
            double Orders = I == K ? 1 : I == J || J == K ? 3 : 6;
            return std::sqrt(Orders) * V.x(Row, I) * V.x(Row, J) * V.x(Row, K);
          }
    return 0.0;
  });
}

//===----------------------------------------------------------------------===//
// A recurrence by chunks and by tokens
//===----------------------------------------------------------------------===//

namespace {
/// S' = a S + k v^T and o = q^T S' over all tokens, from zero.
class DecayedSums {
public:
  static constexpr int64_t Tokens = 90, Width = 12, Values = 10;

  DecayedSums()
      : Q(1, 1, Tokens, Width), K(1, 1, Tokens, Width), V(1, 1, Tokens, Values),
        O(1, 1, Tokens, Values, -77) {
    std::mt19937_64 Random(7);
    std::uniform_real_distribution<float> Draw(-1, 1);
    for (Data<float> *Each : {&Q, &K, &V})
      for (float &X : Each->Elements)
        X = Draw(Random);
    A.Args.q = Q.view();
    A.Source.k = K.view();
    A.Source.v = V.view();
    A.Args.o = O.view();
  }

  static double factor(int64_t T) { return 1 - 0.01 * static_cast<double>(T); }

  void run(const LoadedKernel &Kernel) {
    ASSERT_TRUE(Kernel);
    Kernel.run(A.Args, 0, 0, 0);
    std::vector<double> S(static_cast<size_t>(Width * Values));
    for (int64_t T = 0; T < Tokens; ++T)
      for (int64_t J = 0; J < Values; ++J) {
        double Sum = 0;
        for (int64_t C = 0; C < Width; ++C) {
          double &State = S[static_cast<size_t>(C * Values + J)];
          State = State * factor(T) + static_cast<double>(K.at(T, C)) *
                                          static_cast<double>(V.at(T, J));
          Sum += static_cast<double>(Q.at(T, C)) * State;
        }
        ASSERT_NEAR(static_cast<double>(O.at(T, J)), Sum, 1e-4)
            << "token " << T << ", value " << J;
      }
  }

  Data<float> Q, K, V, O;
  Arguments A;
};

/// Keys of tokens past the end become 0, their factors 1.
constexpr const char *Begin = R"(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %chunk = arith.constant 32 : index
  %n = tile.dim position of %q : !attn.view<12xf32>
  %s0 = tile.fill 0.0 : tensor<10x12xf32>
  %end = scf.for %t0 = %c0 to %n step %chunk iter_args(%s = %s0)
      -> tensor<10x12xf32> {
    %x = tile.load %q[%b, %h, %t0] : !attn.view<12xf32> -> tensor<32x12xf32>
    %kk = tile.load %k[%b, %h, %t0] : !attn.view<12xf32> -> tensor<32x12xf32>
    %vv = tile.load %v[%b, %h, %t0] : !attn.view<10xf32> -> tensor<32x10xf32>
    %y = tile.map %kk at(%b, %h) from(%t0, %c0) {
    ^bb0(%e: f32, %bb: index, %hh: index, %i: index, %c: index):
      %zero = arith.constant 0.0 : f32
      %is = arith.cmpi slt, %i, %n : index
      %ee = arith.select %is, %e, %zero : f32
      tile.yield %ee : f32
    } : (tensor<32x12xf32>) -> tensor<32x12xf32>
    %a = tile.map at(%b, %h) from(%t0, %c0) {
    ^bb0(%bb: index, %hh: index, %i: index, %c: index):
      %one = arith.constant 1.0 : f32
      %hundredth = arith.constant 0.01 : f32
      %ii = arith.index_cast %i : index to i64
      %f = arith.sitofp %ii : i64 to f32
      %g = arith.mulf %f, %hundredth : f32
      %d = arith.subf %one, %g : f32
      %is = arith.cmpi slt, %i, %n : index
      %dd = arith.select %is, %d, %one : f32
      tile.yield %dd : f32
    } : () -> tensor<32xf32>
)";
} // namespace

TEST_P(Linear, Chunks) {
  LoadedKernel Kernel(GetParam(), "12xf32;12xf32;10xf32;10xf32", "",
                      std::string(Begin) + R"(
    %w, %f, %e, %total = tile.decays %a : tensor<32xf32> -> tensor<32x32xf32>
    %xy = tile.scores %x, %y
      : tensor<32x12xf32>, tensor<32x12xf32> -> tensor<32x32xf32>
    %p = arith.mulf %xy, %w : tensor<32x32xf32>
    %o0 = tile.scores %x, %s
      : tensor<32x12xf32>, tensor<10x12xf32> -> tensor<32x10xf32>
    %o1 = tile.rescale %o0, %f : tensor<32x10xf32>, tensor<32xf32>
    %size = arith.constant 32 : index
    %partial = arith.constant 1 : i32
    %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %h)
      queries(%c0) keys(%c0) of %size status(%partial) : tensor<32x32xi1>
    %o2 = tile.accumulate %o1, %p, %vv where %bits
      : tensor<32x10xf32>, tensor<32x32xf32>, tensor<32x10xf32>, tensor<32x32xi1>
    %vt = tile.transpose %vv : tensor<32x10xf32> -> tensor<10x32xf32>
    %et = tile.transpose %e : tensor<32xf32> -> tensor<1x32xf32>
    %ve = tile.map %vt, %et at(%b, %h) from(%c0, %c0) {
    ^bb0(%l: f32, %m: f32, %bb: index, %hh: index, %i: index, %c: index):
      %lm = arith.mulf %l, %m : f32
      tile.yield %lm : f32
    } : (tensor<10x32xf32>, tensor<1x32xf32>) -> tensor<10x32xf32>
    %s1 = tile.scale %s, %total : tensor<10x12xf32>
    %s2 = tile.accumulate %s1, %ve, %y
      : tensor<10x12xf32>, tensor<10x32xf32>, tensor<32x12xf32>
    tile.store %o2, %o[%b, %h, %t0] : tensor<32x10xf32>, !attn.view<10xf32>
    scf.yield %s2 : tensor<10x12xf32>
  }
  return)");
  DecayedSums().run(Kernel);
}

TEST_P(Linear, Steps) {
  LoadedKernel Kernel(GetParam(), "12xf32;12xf32;10xf32;10xf32", "",
                      std::string(Begin) + R"(
    %left = arith.subi %n, %t0 : index
    %count = arith.minsi %left, %chunk : index
    %s9 = scf.for %t = %c0 to %count step %c1 iter_args(%u = %s)
        -> tensor<10x12xf32> {
      %at = tile.element %a[%t] : tensor<32xf32>
      %xt = tile.row %x[%t] : tensor<32x12xf32> -> tensor<1x12xf32>
      %yt = tile.row %y[%t] : tensor<32x12xf32> -> tensor<1x12xf32>
      %vt = tile.row %vv[%t] : tensor<32x10xf32> -> tensor<1x10xf32>
      %vc = tile.transpose %vt : tensor<1x10xf32> -> tensor<10x1xf32>
      %xc = tile.transpose %xt : tensor<1x12xf32> -> tensor<12x1xf32>
      %u1 = tile.scale %u, %at : tensor<10x12xf32>
      %u2 = tile.accumulate %u1, %vc, %yt
        : tensor<10x12xf32>, tensor<10x1xf32>, tensor<1x12xf32>
      %z = tile.fill 0.0 : tensor<10x1xf32>
      %oc = tile.accumulate %z, %u2, %xc
        : tensor<10x1xf32>, tensor<10x12xf32>, tensor<12x1xf32>
      %or = tile.transpose %oc : tensor<10x1xf32> -> tensor<1x10xf32>
      %i = arith.addi %t0, %t : index
      tile.store %or, %o[%b, %h, %i] : tensor<1x10xf32>, !attn.view<10xf32>
      scf.yield %u2 : tensor<10x12xf32>
    }
    scf.yield %s9 : tensor<10x12xf32>
  }
  return)");
  DecayedSums().run(Kernel);
}
