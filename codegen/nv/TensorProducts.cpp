// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/TensorProducts.h"

#include "codegen/nv/Turns.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"

#include <array>
#include <cstdint>
#include <limits>

using namespace heddle::nv;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

// PTX ISA, "Matrix Fragments for mma.m16n8k8" with .tf32: lane 4 g + t holds of
// A the elements (g, t), (g + 8, t), (g, t + 4) and (g + 8, t + 4), of B (t, g)
// and (t + 4, g), of C and D (g, 2 t), (g, 2 t + 1) and those of row g + 8.
static constexpr int64_t BlockRows = 16, BlockColumns = 8, Depth = 8;
static constexpr int64_t HalfRows = 8, HalfDepth = 4;

namespace {

/// Elements of an operand in registers (i32): their upper bits, and what is
/// left; nothing where there is nothing left.
struct SplitOperand {
  NvBuilder::Values Upper, Lower;
};

/// Rows or columns of a tile that a lane looks at. Those beyond the last one
/// stand for that.
struct LanePlaces {
  SmallVector<Value> At;
  /// i1; null: certainly.
  SmallVector<Value> Exists;
};

class TensorProduct {
public:
  TensorProduct(NvBuilder &B, const MemoryProduct &P) : B(B), P(P) {
    RowBlocks = roundUp(P.To.Rows, BlockRows) / BlockRows;
    const int64_t Columns = roundUp(P.To.Columns, BlockColumns) / BlockColumns;
    // As wide as leaves no warp without: an element of A serves all columns.
    while (Width > 1 &&
           RowBlocks * ((Columns + Width - 1) / Width) < B.config().Warps)
      Width /= 2;
    ColumnBlocks = (Columns + Width - 1) / Width;
  }

  void emit();

private:
  LanePlaces placesOf(ArrayRef<Value> At, int64_t Last, int64_t Extent);
  void emitBlock(Value RowBlock, Value ColumnBlock);
  /// Rows `K` of `Right` that a lane looks at in one step of the sums; `Count`
  /// rows are left.
  LanePlaces stepPlaces(Value K, int64_t Count);
  NvBuilder::Values readStep(Value K, int64_t Count);
  NvBuilder::Values step(Value K, int64_t Count, ValueRange Read,
                         ValueRange Before);
  SplitOperand split(ArrayRef<Value> Elements, bool IsExact);
  void multiply(ArrayRef<Value> A, ArrayRef<Value> Other,
                MutableArrayRef<Value> D);

  NvBuilder &B;
  const MemoryProduct &P;
  /// Blocks of columns that a warp computes together.
  int64_t Width = 4;
  int64_t RowBlocks, ColumnBlocks;
  // Of the warp's part.
  Value Group, Member;
  LanePlaces Rows, Columns;
};

} // namespace

LanePlaces TensorProduct::placesOf(ArrayRef<Value> At, int64_t Step,
                                   int64_t Extent) {
  LanePlaces Result;
  const bool IsWhole = Extent % Step == 0;
  for (Value Place : At) {
    Result.At.push_back(IsWhole ? Place : B.min(Place, B.i32(Extent - 1)));
    Result.Exists.push_back(IsWhole ? Value()
                                    : B.cmp(CmpIPredicate::slt, Place, Extent));
  }
  return Result;
}

SplitOperand TensorProduct::split(ArrayRef<Value> Elements, bool IsExact) {
  constexpr int32_t UpperBits = ~0x1fff, HalfOfLast = 0x1000;
  const float Infinite = std::numeric_limits<float>::infinity();
  SplitOperand Result;
  for (Value X : Elements) {
    Value Bits = B.bitcast(X, B.getI32Type());
    if (IsExact) {
      Result.Upper.push_back(Bits);
      continue;
    }
    // To nearest: what is left has either sign, and what is left out of the
    // product, twice that, no bias. A NaN may become a number here, but what
    // is left of it is one.
    Value Upper = B.bitAnd(B.add(Bits, HalfOfLast), UpperBits);
    Value Rest = B.fsub(X, B.bitcast(Upper, B.getF32Type()));
    // Nothing is left of an infinity.
    Value Size = math::AbsFOp::create(B, X);
    Rest = B.select(B.cmp(CmpFPredicate::OEQ, Size, B.f32(Infinite)),
                    B.f32(0.0F), Rest);
    Result.Upper.push_back(Upper);
    Result.Lower.push_back(
        B.bitAnd(B.bitcast(Rest, B.getI32Type()), UpperBits));
  }
  return Result;
}

void TensorProduct::multiply(ArrayRef<Value> A, ArrayRef<Value> Other,
                             MutableArrayRef<Value> D) {
  auto Result = LLVM::LLVMStructType::getLiteral(
      B.getContext(), SmallVector<Type>(4, B.getF32Type()));
  constexpr NVVM::MMATypes Type = NVVM::MMATypes::tf32;
  Value Sums = NVVM::MmaOp::create(
      B, Result, A, Other, ValueRange(SmallVector<Value>(D)),
      ArrayRef<int64_t>{BlockRows, BlockColumns, Depth}, std::nullopt,
      std::nullopt, std::array<NVVM::MMATypes, 2>{Type, Type},
      std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                     NVVM::MMALayout::col});
  for (auto [I, Sum] : llvm::enumerate(D))
    Sum = LLVM::ExtractValueOp::create(B, Sums, static_cast<int64_t>(I));
}

LanePlaces TensorProduct::stepPlaces(Value K, int64_t Count) {
  LanePlaces Steps;
  Value First = B.add(Member, K);
  for (int64_t Half : {int64_t(0), HalfDepth}) {
    Value At = B.add(First, Half), Exists;
    if (Count < Half + HalfDepth) {
      Exists = B.cmp(CmpIPredicate::slt, At, P.Left.Columns);
      At = B.min(At, B.i32(P.Left.Columns - 1));
    }
    Steps.At.push_back(At);
    Steps.Exists.push_back(Exists);
  }
  return Steps;
}

NvBuilder::Values TensorProduct::readStep(Value K, int64_t Count) {
  const LanePlaces Steps = stepPlaces(K, Count);
  NvBuilder::Values Read;
  for (Value At : Steps.At)
    for (Value Row : Rows.At)
      Read.push_back(P.Left.load(B, Row, At));
  for (Value Column : Columns.At)
    for (Value At : Steps.At)
      Read.push_back(P.Right.load(B, At, Column));
  return Read;
}

NvBuilder::Values TensorProduct::step(Value K, int64_t Count, ValueRange Read,
                                      ValueRange Before) {
  NvBuilder::Values Sums(Before);
  Value Zero = B.f32(0.0F);
  const LanePlaces Steps = stepPlaces(K, Count);
  auto Next = [&] {
    Value X = Read.front();
    Read = Read.drop_front();
    return X;
  };
  NvBuilder::Values A;
  for (auto [At, Exists] : llvm::zip_equal(Steps.At, Steps.Exists))
    for (Value Row : Rows.At) {
      Value X = Next();
      if (P.IsKept)
        X = B.select(P.IsKept(Row, At), X, Zero);
      A.push_back(Exists ? B.select(Exists, X, Zero) : X);
    }
  const SplitOperand Left = split(A, P.LeftIsExact);
  for (int64_t J = 0; J < Width; ++J) {
    NvBuilder::Values Other;
    for (Value Exists : Steps.Exists) {
      Value X = Next();
      Other.push_back(Exists ? B.select(Exists, X, Zero) : X);
    }
    const SplitOperand Right = split(Other, P.RightIsExact);
    auto D = MutableArrayRef<Value>(Sums).slice(J * 4, 4);
    // The small ones first.
    if (!Left.Lower.empty())
      multiply(Left.Lower, Right.Upper, D);
    if (!Right.Lower.empty())
      multiply(Left.Upper, Right.Lower, D);
    multiply(Left.Upper, Right.Upper, D);
  }
  return Sums;
}

void TensorProduct::emitBlock(Value RowBlock, Value ColumnBlock) {
  Value FirstRow = B.mul(RowBlock, BlockRows);
  Value FirstColumn = B.mul(ColumnBlock, Width * BlockColumns);
  Value Row = B.add(FirstRow, Group);
  Rows = placesOf({Row, B.add(Row, HalfRows)}, BlockRows, P.To.Rows);
  // Where columns of B lie in its fragments, and of the sums in theirs.
  SmallVector<Value> OfRight, OfSums;
  for (int64_t J = 0; J < Width; ++J) {
    Value First = B.add(FirstColumn, J * BlockColumns);
    OfRight.push_back(B.add(First, Group));
    Value Pair = B.add(First, B.shl(Member, 1));
    OfSums.push_back(Pair);
    OfSums.push_back(B.add(Pair, 1));
  }
  const int64_t Part = Width * BlockColumns;
  Columns = placesOf(OfRight, Part, P.To.Columns);
  const LanePlaces Targets = placesOf(OfSums, Part, P.To.Columns);

  NvBuilder::Values Sums;
  SmallVector<Value> Exists;
  for (int64_t J = 0; J < Width; ++J)
    for (auto [At, HasRow] : llvm::zip_equal(Rows.At, Rows.Exists))
      for (int64_t I = 0; I < 2; ++I) {
        Value HasColumn = Targets.Exists[2 * J + I];
        Exists.push_back(HasRow && HasColumn ? B.bitAnd(HasRow, HasColumn)
                         : HasRow            ? HasRow
                                             : HasColumn);
        Sums.push_back(P.start(B, At, Targets.At[2 * J + I], Exists.back()));
      }
  const int64_t Whole = P.Left.Columns / Depth * Depth;
  Sums = inTurns(
      B, {B.i32(0), Depth, B.config().StepsTogether}, Whole, Sums,
      [&](Value K) { return readStep(K, Depth); },
      [&](Value K, ValueRange Read, ValueRange Before) {
        return step(K, Depth, Read, Before);
      });
  if (const int64_t Rest = P.Left.Columns - Whole) {
    Value K = B.i32(Whole);
    Sums = step(K, Rest, readStep(K, Rest), Sums);
  }

  size_t Next = 0;
  for (int64_t J = 0; J < Width; ++J)
    for (Value At : Rows.At)
      for (int64_t I = 0; I < 2; ++I) {
        Value Sum = Sums[Next];
        auto Store = [&] { P.To.store(B, Sum, At, Targets.At[2 * J + I]); };
        if (Value Condition = Exists[Next++])
          B.branch(Condition, Store);
        else
          Store();
      }
}

void TensorProduct::emit() {
  Group = B.shr(B.lane(), 2);
  Member = B.bitAnd(B.lane(), 3);
  forEachOfWarps(B, RowBlocks * ColumnBlocks, [&](Value Number) {
    emitBlock(B.div(Number, ColumnBlocks), B.rem(Number, ColumnBlocks));
  });
}

void heddle::nv::emitTensorProduct(NvBuilder &B, const MemoryProduct &P) {
  TensorProduct(B, P).emit();
}
