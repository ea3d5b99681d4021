// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Monomials by nested loops over ascending indices, one loop per degree: each
// multiplies what is outside of it with one more element. The root of the
// multinomial coefficient p! / (m1! m2! …) is made along the way too: where the
// k-th index is the r-th in a row of equal ones it grows by the root of k / r.

#include "codegen/cpu/Expand.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace heddle::cpu;
using namespace mlir;

namespace {
/// The monomials of one degree for some vectors of rows.
class Monomials {
public:
  Monomials(KernelBuilder &B, const Expansion &E, int64_t Degree, Value Offset,
            int64_t Vectors)
      : B(B), E(E), Degree(Degree), Elements(E.Type.getDimSize(1)),
        Length(rowLength(B, E.Type)), Offset(Offset), Vectors(Vectors) {}

  /// All of them, times `Scale`, into rows from `Row` on.
  void emit(float Scale, Value Row);
  /// The elements as they are.
  void emitElements(Value Row);

  void store(ArrayRef<Value> Monomial, Value Row);

private:
  /// Index number `K`, not below `From`, which is the last of `Run` equal ones;
  /// gives the row after the last that was written.
  Value level(int64_t K, Value From, Value Run, ArrayRef<Value> Product,
              Value Row);
  KernelBuilder::Values times(ArrayRef<Value> Product, Value Factor);
  KernelBuilder::Values timesElement(ArrayRef<Value> Product, Value Index);
  /// sqrt(K / (Run + 1)), a scalar.
  Value growth(int64_t K, Value Run);
  KernelBuilder::Values load(Value Index);
  Value at(Value Tile, Value Row) {
    return B.offset(Tile, B.add(B.mul(Row, Length), Offset));
  }

  KernelBuilder &B;
  const Expansion &E;
  int64_t Degree, Elements, Length;
  Value Offset;
  int64_t Vectors;
};
} // namespace

KernelBuilder::Values Monomials::load(Value Index) {
  KernelBuilder::Values Result;
  for (int64_t J = 0; J < Vectors; ++J)
    Result.push_back(B.loadVector(B.offset(at(E.X, Index), J * B.lanes())));
  return Result;
}

void Monomials::store(ArrayRef<Value> Monomial, Value Row) {
  for (auto [J, V] : llvm::enumerate(Monomial))
    B.storeVector(V,
                  B.offset(at(E.To, Row), static_cast<int64_t>(J) * B.lanes()));
}

KernelBuilder::Values Monomials::times(ArrayRef<Value> Product, Value Factor) {
  return llvm::map_to_vector(
      Product, [&](Value V) -> Value { return B.fmul(V, B.splat(Factor)); });
}

KernelBuilder::Values Monomials::timesElement(ArrayRef<Value> Product,
                                              Value Index) {
  KernelBuilder::Values Result = load(Index);
  for (auto [X, P] : llvm::zip_equal(Result, Product))
    X = B.fmul(P, X);
  return Result;
}

Value Monomials::growth(int64_t K, Value Run) {
  Value Ratio = arith::DivFOp::create(B, B.f32(static_cast<float>(K)),
                                      B.fadd(Run, B.f32(1.0F)));
  return math::SqrtOp::create(B, Ratio);
}

Value Monomials::level(int64_t K, Value From, Value Run,
                       ArrayRef<Value> Product, Value Row) {
  Value Same = growth(K, Run);
  Value Other = B.f32(std::sqrt(static_cast<float>(K)));
  Value Count = arith::SubIOp::create(B, B.i64(Elements), From);
  if (K == Degree) {
    store(timesElement(times(Product, Same), From), Row);
    KernelBuilder::Values Scaled = times(Product, Other);
    B.loop(B.add(Count, -1), 1, [&](Value I) {
      Value Index = B.add(B.add(From, I), 1);
      store(timesElement(Scaled, Index), B.add(B.add(Row, I), 1));
    });
    return B.add(Row, Count);
  }
  return B.loop(Count, 1, Row, [&](Value I, ValueRange Next) {
    Value IsSame =
        arith::CmpIOp::create(B, arith::CmpIPredicate::eq, I, B.i64(0));
    Value Longer = B.select(IsSame, B.fadd(Run, B.f32(1.0F)), B.f32(1.0F));
    Value Index = B.add(From, I);
    KernelBuilder::Values Inner =
        timesElement(times(Product, B.select(IsSame, Same, Other)), Index);
    return KernelBuilder::Values{level(K + 1, Index, Longer, Inner, Next[0])};
  })[0];
}

void Monomials::emit(float Scale, Value Row) {
  KernelBuilder::Values Start(Vectors, B.splat(Scale));
  B.loop(Elements, 1, Row, [&](Value Index, ValueRange Next) {
    return KernelBuilder::Values{
        level(2, Index, B.f32(1.0F), timesElement(Start, Index), Next[0])};
  });
}

void Monomials::emitElements(Value Row) {
  B.loop(Elements, 1,
         [&](Value Index) { store(load(Index), B.add(Row, Index)); });
}

void heddle::cpu::emitExpansion(KernelBuilder &B, const Expansion &E) {
  constexpr int64_t VectorsAtOnce = 4;
  int64_t Length = rowLength(B, E.Type);
  int64_t AtOnce = largestDivisor(Length / B.lanes(), VectorsAtOnce);
  B.loop(Length, AtOnce * B.lanes(), [&](Value Offset) {
    Monomials M(B, E, E.Power.value_or(2), Offset, AtOnce);
    if (E.Power) {
      M.emit(1.0F, B.i64(0));
      return;
    }
    M.store(KernelBuilder::Values(AtOnce, B.splat(1.0F)), B.i64(0));
    M.emitElements(B.i64(1));
    M.emit(std::sqrt(0.5F), B.i64(1 + E.Type.getDimSize(1)));
  });
}
