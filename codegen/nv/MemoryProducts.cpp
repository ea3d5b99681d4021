// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/MemoryProducts.h"

#include "codegen/nv/TensorProducts.h"
#include "codegen/nv/Turns.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

Value heddle::nv::reduceWarp(NvBuilder &B, Value X,
                             function_ref<Value(Value, Value)> F) {
  for (int64_t Mask = WarpSize / 2; Mask > 0; Mask /= 2)
    X = F(X, B.shuffleXor(X, Mask));
  return X;
}

Value heddle::nv::foldByLanes(NvBuilder &B, int64_t Count, Value Start,
                              function_ref<Value(Value)> Read,
                              function_ref<Value(Value, Value, Value)> F) {
  return inTurns(
      B, {B.lane(), WarpSize}, Count, Start,
      [&](Value Number) -> NvBuilder::Values { return {Read(Number)}; },
      [&](Value Number, ValueRange X, ValueRange Before) -> NvBuilder::Values {
        return {F(Number, X.front(), Before.front())};
      })[0];
}

Value MemoryProduct::start(NvBuilder &B, Value Row, Value Column,
                           Value Exists) const {
  if (!From)
    return B.f32(Start);
  auto Read = [&] { return From->load(B, Row, Column); };
  if (!Exists)
    return Read();
  return B.branch(
      Exists, {B.getF32Type()}, [&]() -> NvBuilder::Values { return {Read()}; },
      [&]() -> NvBuilder::Values { return {B.f32(0.0F)}; })[0];
}

namespace {

/// A product by multiply-adds: every thread has some rows and columns, equally
/// far from one another, so that neighbours read neighbours.
class FmaProduct {
public:
  FmaProduct(NvBuilder &B, const MemoryProduct &P) : B(B), P(P) {
    // As many elements to a thread as leave no thread without.
    auto Blocks = [&] {
      return (P.To.Rows + Rows - 1) / Rows *
             ((P.To.Columns + Columns - 1) / Columns);
    };
    while (Rows * Columns > 1 && Blocks() < B.config().threads())
      (Rows >= Columns ? Rows : Columns) /= 2;
    RowBlocks = (P.To.Rows + Rows - 1) / Rows;
    ColumnBlocks = (P.To.Columns + Columns - 1) / Columns;
  }

  void emit() {
    forEachElement(B, RowBlocks, ColumnBlocks, /*ByRows=*/P.To.isTransposed(),
                   [&](Value Row, Value Column) { emitBlock(Row, Column); });
  }

private:
  /// Numbers of a thread's rows or columns, and whether each exists (null:
  /// certainly). Those that do not stand for the last one.
  struct Places {
    SmallVector<Value> At, Exists;
  };
  Places placesOf(Value Block, int64_t Count, int64_t Blocks, int64_t Extent);
  void emitBlock(Value RowBlock, Value ColumnBlock);

  NvBuilder &B;
  const MemoryProduct &P;
  int64_t Rows = 4, Columns = 4;
  int64_t RowBlocks, ColumnBlocks;
};

} // namespace

FmaProduct::Places FmaProduct::placesOf(Value Block, int64_t Count,
                                        int64_t Blocks, int64_t Extent) {
  Places Result;
  for (int64_t I = 0; I < Count; ++I) {
    Value At = B.add(Block, I * Blocks), Exists;
    if ((I + 1) * Blocks > Extent) {
      Exists = B.cmp(CmpIPredicate::slt, At, Extent);
      At = B.min(At, B.i32(Extent - 1));
    }
    Result.At.push_back(At);
    Result.Exists.push_back(Exists);
  }
  return Result;
}

void FmaProduct::emitBlock(Value RowBlock, Value ColumnBlock) {
  const Places Of = placesOf(RowBlock, Rows, RowBlocks, P.To.Rows);
  const Places By = placesOf(ColumnBlock, Columns, ColumnBlocks, P.To.Columns);
  NvBuilder::Values Sums;
  SmallVector<Value> Exists;
  for (auto [Row, HasRow] : llvm::zip_equal(Of.At, Of.Exists))
    for (auto [Column, HasColumn] : llvm::zip_equal(By.At, By.Exists)) {
      Exists.push_back(HasRow && HasColumn ? B.bitAnd(HasRow, HasColumn)
                       : HasRow            ? HasRow
                                           : HasColumn);
      Sums.push_back(P.start(B, Row, Column, Exists.back()));
    }
  // Where pairs are left out it next to never runs.
  const int64_t Together = P.IsKept || Rows * Columns > 4 ? 1 : 4;
  Sums = inTurns(
      B, {B.i32(0), 1, Together}, P.Left.Columns, Sums,
      [&](Value K) {
        NvBuilder::Values Read;
        for (Value Column : By.At)
          Read.push_back(P.Right.load(B, K, Column));
        for (Value Row : Of.At)
          Read.push_back(P.Left.load(B, Row, K));
        return Read;
      },
      [&](Value K, ValueRange Read, ValueRange Before) {
        ValueRange Right = Read.take_front(By.At.size());
        NvBuilder::Values After;
        for (auto [Row, Left] :
             llvm::zip_equal(Of.At, Read.drop_front(By.At.size()))) {
          Value Kept = P.IsKept ? P.IsKept(Row, K) : Value();
          for (Value X : Right) {
            Value Old = Before[After.size()];
            Value Sum = B.fma(Left, X, Old);
            After.push_back(Kept ? B.select(Kept, Sum, Old) : Sum);
          }
        }
        return After;
      });
  size_t Next = 0;
  for (Value Row : Of.At)
    for (Value Column : By.At) {
      Value Sum = Sums[Next];
      auto Store = [&] { P.To.store(B, Sum, Row, Column); };
      if (Value Condition = Exists[Next++])
        B.branch(Condition, Store);
      else
        Store();
    }
}

/// True in all threads where an element is infinite or NaN.
static Value hasNonFinite(NvBuilder &B, const MemoryTile &Tile) {
  constexpr int64_t Exponent = 0x7f800000;
  const int64_t Elements = Tile.Rows * Tile.Columns, Inner = Tile.Columns;
  Value Any = inTurns(
      B, {B.thread(), B.config().threads()}, Elements, B.i1(false),
      [&](Value Number) -> NvBuilder::Values {
        return {Tile.load(B, B.div(Number, Inner), B.rem(Number, Inner))};
      },
      [&](Value, ValueRange X, ValueRange Before) -> NvBuilder::Values {
        Value Bits = B.bitAnd(B.bitcast(X.front(), B.getI32Type()), Exponent);
        return {
            B.bitOr(Before.front(), B.cmp(CmpIPredicate::eq, Bits, Exponent))};
      })[0];
  return B.anyOfCta(Any);
}

void heddle::nv::emitMemoryProduct(NvBuilder &B, const MemoryProduct &P) {
  auto ByFma = [&] { FmaProduct(B, P).emit(); };
  // Less than half a block of a tensor core is wasted on it.
  if (P.To.Rows < 8 || P.To.Columns < 4 || P.Left.Columns < 4)
    return ByFma();
  if (!P.IsKept)
    return emitTensorProduct(B, P);
  B.branch(hasNonFinite(B, P.Right), ByFma, [&] { emitTensorProduct(B, P); });
}
