// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verbs one at a time: a kernel that loads a few tiles and stores one.

#ifndef HEDDLE_TEST_UNIT_CODEGEN_VERBSUPPORT_H
#define HEDDLE_TEST_UNIT_CODEGEN_VERBSUPPORT_H

#include "KernelSupport.h"

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace heddle {

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
inline std::string copied(const std::string &To, const std::string &From,
                          Extent Of) {
  return "  %" + To + " = tile.map %" + From +
         " at(%b, %h) from(%c0, %c0) {\n  ^bb0(%e: f32, %i0: index, %i1: "
         "index, %i2: index, %i3: index):\n    tile.yield %e : f32\n  } : (" +
         Of.tile() + ") -> " + Of.tile() + "\n";
}

/// A tile that nobody looks at.
inline constexpr Extent None{1, 1};

} // namespace heddle

#endif // HEDDLE_TEST_UNIT_CODEGEN_VERBSUPPORT_H
