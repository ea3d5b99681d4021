// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Columns.h"

#include "codegen/cpu/Masks.h"
#include "codegen/lanes/LaneMath.h"
#include "codegen/lanes/Ramp.h"

#include <limits>

using namespace heddle::cpu;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

void heddle::cpu::emitColumnWeights(KernelBuilder &B, const ColumnWeights &W) {
  int64_t Length = rowLength(B, W.Scores);
  Value Zero = B.splat(0.0F);
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  B.loop(Length, B.lanes(), [&](Value Offset) {
    Value Lse = B.loadVector(B.offset(W.Lse, Offset));
    Value Empty = B.cmp(CmpFPredicate::OEQ, Lse, Minus);
    // Not the infinite one: -inf - -inf would be NaN.
    Value Reference =
        B.select(Empty, Zero, B.fmul(Lse, B.splat(0x1.715476p+0F)));
    B.loop(W.Scores.getDimSize(1), 1, [&](Value Key) {
      Value At = B.add(B.mul(Key, Length), Offset);
      Value Word = arith::DivUIOp::create(B, At, B.i64(B.lanes()));
      Value Kept = loadMask(B, B.offset(W.Words, Word, wordType(B)));
      Value S = B.loadVector(B.offset(W.S, At));
      Value P = emitAnyExp2(B, B.fsub(S, Reference));
      P = B.select(Kept, B.select(Empty, Zero, P), Zero);
      B.storeVector(P, B.offset(W.P, At));
    });
  });
}

/// Weights at `At`, a vector whose first row is `FirstRow` of the tile, with 0
/// outside of rows [Begin, End).
static Value rowsBetween(KernelBuilder &B, Value Base, Value At, Value FirstRow,
                         Value Begin, Value End) {
  Value Row = B.add(B.splat(FirstRow), iota(B));
  Value Inside = arith::AndIOp::create(
      B, arith::CmpIOp::create(B, CmpIPredicate::sge, Row, B.splat(Begin)),
      arith::CmpIOp::create(B, CmpIPredicate::slt, Row, B.splat(End)));
  return B.select(Inside, B.loadVector(B.offset(Base, At)), B.splat(0.0F));
}

void heddle::cpu::emitColumnSums(KernelBuilder &B, const ColumnSums &Sums) {
  int64_t Length = rowLength(B, Sums.Weights);
  auto AddKey = [&](Value Key, Value Position) {
    Value Start = B.mul(Key, Length);
    Value Lanes = B.loop(Length, B.lanes(), B.splat(0.0F),
                         [&](Value Offset, ValueRange Carried) {
                           Value P =
                               rowsBetween(B, Sums.P, B.add(Start, Offset),
                                           Offset, B.i64(0), Sums.Rows);
                           return KernelBuilder::Values{B.fadd(Carried[0], P)};
                         })[0];
    // The order is the machine's, and the same every time.
    Value Sum = vector::ReductionOp::create(
        B, vector::CombiningKind::ADD, Lanes, arith::FastMathFlags::reassoc);
    Value To = Sums.To.row(B, Position);
    B.storeScalar(B.fadd(B.loadScalar(To), Sum), To);
  };
  B.loop(Sums.Weights.getDimSize(1), 1, [&](Value Key) {
    Value Position = Sums.To.position(B, Key);
    B.branch(Sums.To.exists(B, Position), [&] { AddKey(Key, Position); });
  });
}

/// The larger one, and Y where X is NaN.
static Value larger(KernelBuilder &B, Value X, Value Y) {
  return B.select(B.cmp(CmpFPredicate::OGT, X, Y), X, Y);
}

/// Queries and keys one after the other: reduced over both before the one
/// access to a block, which no other thread has.
static void emitStretchMaxima(KernelBuilder &B, const BlockMaxima &Maxima) {
  int64_t Length = rowLength(B, Maxima.Weights);
  int64_t Keys = Maxima.Weights.getDimSize(1);
  // Blocks that the rows and the keys of the tile reach into, each with what it
  // has of them.
  auto ForEachBlock =
      [&](Value First, Value Count, int64_t Block,
          function_ref<void(Value Number, Value Begin, Value End)> Body) {
        Value Size = B.i64(Block);
        Value Start = arith::DivUIOp::create(B, First, Size);
        Value Last =
            arith::DivUIOp::create(B, B.add(B.add(First, Count), -1), Size);
        Value Blocks = B.add(arith::SubIOp::create(B, Last, Start), 1);
        Value None =
            arith::CmpIOp::create(B, CmpIPredicate::sle, Count, B.i64(0));
        Blocks = B.select(None, B.i64(0), Blocks);
        B.loop(Blocks, 1, [&](Value I) {
          Value Number = B.add(Start, I);
          Value Begin = arith::SubIOp::create(B, B.mul(Number, Block), First);
          Value End = B.min(B.add(Begin, Block), Count);
          Body(Number, arith::MaxSIOp::create(B, Begin, B.i64(0)), End);
        });
      };
  ForEachBlock(
      Maxima.Keys.First, B.i64(Keys), Maxima.BlockK,
      [&](Value Column, Value FirstKey, Value LastKey) {
        // A tile may reach past the last key, and so past the last block.
        Value Exists = arith::CmpIOp::create(B, CmpIPredicate::slt, Column,
                                             Maxima.Columns);
        Value Rows = B.select(Exists, Maxima.Rows, B.i64(0));
        Value NumKeys = arith::SubIOp::create(B, LastKey, FirstKey);
        ForEachBlock(
            Maxima.Queries.First, Rows, Maxima.BlockQ,
            [&](Value Row, Value Begin, Value End) {
              Value Lanes = B.loop(
                  NumKeys, 1, B.splat(0.0F), [&](Value Key, ValueRange Outer) {
                    Value Start = B.mul(B.add(FirstKey, Key), Length);
                    return B.loop(
                        Length, B.lanes(), Outer,
                        [&](Value Offset, ValueRange Inner) {
                          Value P =
                              rowsBetween(B, Maxima.P, B.add(Start, Offset),
                                          Offset, Begin, End);
                          return KernelBuilder::Values{larger(B, P, Inner[0])};
                        });
                  })[0];
              Value Most = vector::ReductionOp::create(
                  B, vector::CombiningKind::MAXNUMF, Lanes);
              Value To =
                  B.offset(Maxima.To, B.add(B.mul(Row, Maxima.Stride), Column));
              B.storeScalar(larger(B, Most, B.loadScalar(To)), To);
            });
      });
}

static Value placeOf(KernelBuilder &B, const TilePlaces &Places, Value Number) {
  if (!Places.List)
    return B.add(Places.First, Number);
  return B.loadScalar(B.offset(Places.List, Number, B.getI64Type()),
                      B.getI64Type());
}

/// Raises an element that other threads may raise at the same time to a
/// positive number. The bits of such numbers have the order of the numbers.
static void emitAtomicRaise(KernelBuilder &B, Value To, Value Number) {
  Type F32 = B.getF32Type(), I32 = B.getI32Type();
  constexpr unsigned Alignment = 4;
  Value Bits = LLVM::LoadOp::create(
      B, I32, To, Alignment, /*isVolatile=*/false, /*isNonTemporal=*/false,
      /*isInvariant=*/false, /*isInvariantGroup=*/false,
      LLVM::AtomicOrdering::monotonic);
  // Most numbers are no maximum, and need no exclusive access.
  Value Old = arith::BitcastOp::create(B, F32, Bits);
  B.branch(B.cmp(CmpFPredicate::OGT, Number, Old), [&] {
    LLVM::AtomicRMWOp::create(B, LLVM::AtomicBinOp::umax, To,
                              arith::BitcastOp::create(B, I32, Number),
                              LLVM::AtomicOrdering::monotonic,
                              /*syncscope=*/llvm::StringRef(), Alignment);
  });
}

/// Listed queries or keys. Neighbours in the list of keys often share a column
/// of blocks: they are reduced to one line first.
static void emitScatteredMaxima(KernelBuilder &B, const BlockMaxima &Maxima) {
  int64_t Length = rowLength(B, Maxima.Weights);
  int64_t Keys = Maxima.Weights.getDimSize(1);
  // A key that is nowhere is in a column that does not exist.
  auto ColumnOf = [&](Value Key) -> Value {
    return arith::DivUIOp::create(B, placeOf(B, Maxima.Keys, Key),
                                  B.i64(Maxima.BlockK));
  };
  auto Compare = [&](CmpIPredicate P, Value X, Value Y) -> Value {
    return arith::CmpIOp::create(B, P, X, Y);
  };
  // Whether a key is in another column than its neighbour, or has none.
  auto IsApart = [&](Value Key, Value Column, Value Neighbour, int64_t End) {
    return arith::OrIOp::create(
        B, Compare(CmpIPredicate::eq, Key, B.i64(End)),
        Compare(CmpIPredicate::ne, Column, ColumnOf(Neighbour)));
  };
  auto Flush = [&](Value Column) {
    B.loop(Maxima.Rows, 1, [&](Value Row) {
      Value Query = placeOf(B, Maxima.Queries, Row);
      Value Most = B.loadScalar(B.offset(Maxima.Line, Row));
      Value Counts =
          arith::AndIOp::create(B, Compare(CmpIPredicate::sge, Query, B.i64(0)),
                                B.cmp(CmpFPredicate::OGT, Most, B.f32(0.0F)));
      B.branch(Counts, [&] {
        Value BlockRow = arith::DivUIOp::create(B, Query, B.i64(Maxima.BlockQ));
        Value At = B.add(B.mul(BlockRow, Maxima.Stride), Column);
        emitAtomicRaise(B, B.offset(Maxima.To, At), Most);
      });
    });
  };
  B.loop(Keys, 1, [&](Value Key) {
    Value Column = ColumnOf(Key);
    Value Before = arith::MaxSIOp::create(B, B.add(Key, -1), B.i64(0));
    Value After = B.min(B.add(Key, 1), B.i64(Keys - 1));
    Value IsFirst = IsApart(Key, Column, Before, 0);
    Value IsLast = IsApart(Key, Column, After, Keys - 1);
    B.branch(Compare(CmpIPredicate::ult, Column, Maxima.Columns), [&] {
      Value Start = B.mul(Key, Length);
      B.loop(Length, B.lanes(), [&](Value Offset) {
        Value P = B.loadVector(B.offset(Maxima.P, B.add(Start, Offset)));
        Value To = B.offset(Maxima.Line, Offset);
        Value Old = B.select(IsFirst, B.splat(0.0F), B.loadVector(To));
        B.storeVector(larger(B, P, Old), To);
      });
      B.branch(IsLast, [&] { Flush(Column); });
    });
  });
}

void heddle::cpu::emitBlockMaxima(KernelBuilder &B, const BlockMaxima &Maxima) {
  if (Maxima.isScattered())
    emitScatteredMaxima(B, Maxima);
  else
    emitStretchMaxima(B, Maxima);
}
