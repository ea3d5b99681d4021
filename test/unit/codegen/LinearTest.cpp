// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verbs of recurrences against their plain meaning.

#include "VerbSupport.h"

#include <algorithm>

using namespace heddle;

namespace {
class Linear : public OnEveryLevel {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Linear, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

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
    for (bool Before : {false, true})
      for (int64_t D : {5, 40}) {
        Extent E{36, D};
        Verb V(GetParam(), E, E, E, {36, 36},
               (Computed ? copied("t", "y", E) + copied("a", "u", E) : "") +
                   "  %r = tile.decayed_scores %x, " +
                   (Computed ? "%t, %a" : "%y, %u") +
                   (Before ? " before : " : " : ") + E.tile() +
                   " -> tensor<36x36xf32>");
        V.U.at(17, 2) = 0;
        V.expect([&](int64_t I, int64_t J) {
          double Sum = 0;
          const int64_t Last = Before ? I - 1 : I;
          for (int64_t C = 0; C < D && J <= Last; ++C)
            Sum += V.x(I, C) * V.y(J, C) *
                   between(J, Last, [&](int64_t T) { return V.u(T, C); });
          return Sum;
        });
      }
}

TEST_P(Linear, ProductsBeforeAndAfter) {
  for (bool Before : {false, true})
    for (int Part = 0; Part < 3; ++Part)
      for (int64_t N : {20, 48}) {
        Extent E{N, 7};
        std::string Result[] = {
            "  %r = arith.addf %f, %z : " + E.tile(),
            "  %r = arith.addf %e, %z : " + E.tile(),
            "  %r = tile.transpose %t : tensor<7xf32> -> tensor<1x7xf32>"};
        Verb V(GetParam(), E, None, None, {Part < 2 ? N : 1, 7},
               "  %z = tile.fill 0.0 : " + E.tile() +
                   "\n  %f, %e, %t = tile.cumulate %x" +
                   (Before ? " before : " : " : ") + E.tile() +
                   " -> tensor<7xf32>\n" + Result[Part]);
        V.X.at(11, 3) = 0;
        V.expect([&](int64_t I, int64_t J) {
          auto Factor = [&](int64_t T) { return V.x(T, J); };
          return Part == 0   ? between(-1, Before ? I - 1 : I, Factor)
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
