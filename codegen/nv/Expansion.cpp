// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Monomials by nested loops over ascending indices. A thread has a token and
// the first index; every further degree is a loop in it, which multiplies what
// is outside of it with one more element. The root of the multinomial
// coefficient p! / (m1! m2! ...) is made along the way too: where the k-th
// index is the r-th in a row of equal ones it grows by the root of k / r.

#include "codegen/nv/Expansion.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

namespace {
class TokenMonomials {
public:
  TokenMonomials(NvBuilder &B, const TileExpansion &E, int64_t Degree,
                 Value Token)
      : B(B), E(E), Degree(Degree), Elements(E.X.Columns), Token(Token) {}

  /// Those whose first index is `First`, times `Scale`, into columns from
  /// `Column` on, where those of index 0 begin.
  void emit(float Scale, Value First, int64_t Column);

private:
  /// Index number `K`, not below `From`, which is the last of `Run` equal ones;
  /// gives the column after the last that was written.
  Value level(int64_t K, Value From, Value Run, Value Product, Value Column);
  /// sqrt(K / (Run + 1)).
  Value growth(int64_t K, Value Run);
  /// How many monomials indices from `First` on make.
  Value count(Value First);
  Value times(Value Product, Value Index) {
    return B.fmul(Product, E.X.load(B, Token, Index));
  }

  NvBuilder &B;
  const TileExpansion &E;
  int64_t Degree, Elements;
  Value Token;
};
} // namespace

Value TokenMonomials::growth(int64_t K, Value Run) {
  Value Ratio = B.fdiv(B.f32(static_cast<float>(K)), B.fadd(Run, B.f32(1.0F)));
  return math::SqrtOp::create(B, Ratio);
}

Value TokenMonomials::count(Value First) {
  // Every product is a multiple of the number it is divided by.
  Value Left = B.sub(B.i32(Elements), First), Result = Left;
  for (int64_t K = 2; K <= Degree; ++K)
    Result = B.div(B.mul(Result, B.add(Left, K - 1)), K);
  return Result;
}

Value TokenMonomials::level(int64_t K, Value From, Value Run, Value Product,
                            Value Column) {
  Value Same = growth(K, Run);
  Value Other = B.f32(std::sqrt(static_cast<float>(K)));
  Value Count = B.sub(B.i32(Elements), From);
  if (K == Degree) {
    E.To.store(B, times(B.fmul(Product, Same), From), Token, Column);
    Value Scaled = B.fmul(Product, Other);
    B.loop(B.i32(1), Count, 1, [&](Value I) {
      E.To.store(B, times(Scaled, B.add(From, I)), Token, B.add(Column, I));
    });
    return B.add(Column, Count);
  }
  return B.loop(
      Count, 1, Column, [&](Value I, ValueRange Next) -> NvBuilder::Values {
        Value IsSame = B.cmp(CmpIPredicate::eq, I, 0);
        Value Longer = B.select(IsSame, B.fadd(Run, B.f32(1.0F)), B.f32(1.0F));
        Value Index = B.add(From, I);
        Value Inner =
            times(B.fmul(Product, B.select(IsSame, Same, Other)), Index);
        return {level(K + 1, Index, Longer, Inner, Next.front())};
      })[0];
}

void TokenMonomials::emit(float Scale, Value First, int64_t Column) {
  Value Before = B.sub(count(B.i32(0)), count(First));
  level(2, First, B.f32(1.0F), times(B.f32(Scale), First),
        B.add(Before, Column));
}

void heddle::nv::emitTileExpansion(NvBuilder &B, const TileExpansion &E) {
  const int64_t Elements = E.X.Columns;
  forEachElement(B, E.X, [&](Value Token, Value First) {
    TokenMonomials M(B, E, E.Power.value_or(2), Token);
    if (E.Power) {
      M.emit(1.0F, First, 0);
      return;
    }
    B.branch(B.cmp(CmpIPredicate::eq, First, 0),
             [&] { E.To.store(B, B.f32(1.0F), Token, B.i32(0)); });
    E.To.store(B, E.X.load(B, Token, First), Token, B.add(First, 1));
    M.emit(std::sqrt(0.5F), First, 1 + Elements);
  });
}
