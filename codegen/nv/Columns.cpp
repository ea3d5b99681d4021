// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Columns.h"

#include "codegen/nv/Threads.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

/// Combines a value over the lanes whose bits contribute to the row of
/// accumulators, or to their column.
static Value overLanes(NvBuilder &B, Value X, bool Rows,
                       llvm::function_ref<Value(Value, Value)> Combine) {
  for (auto [Bit, Image] :
       llvm::enumerate(BlockLayout::accumulator().laneBits()))
    if ((Image.Row != 0) == Rows)
      X = Combine(X, B.shuffleXor(X, int64_t{1} << Bit));
  return X;
}

/// 0 for rows from `Rows` on.
static Fragment firstRows(NvBuilder &B, const Fragment &P, Value Rows) {
  return mapElements(B, P, [&](Value X, Value Row, Value) {
    return B.select(B.cmp(CmpIPredicate::slt, Row, Rows), X, B.f32(0.0F));
  });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

int64_t heddle::nv::columnScratchBytes(const FragmentLayout &Of) {
  return Of.Warps * Of.Columns * 4;
}

void heddle::nv::emitAddColumns(NvBuilder &B, const Fragment &P, Value Rows,
                                const RowSource &To, Value Scratch) {
  const FragmentLayout &Of = P.Of;
  Type F32 = B.getF32Type();
  auto Add = [&](Value X, Value Y) { return B.fadd(X, Y); };
  Fragment Counted = firstRows(B, P, Rows);
  B.barrier();
  // One row of sums per warp.
  Value First = BlockLayout::accumulator().laneRow(B);
  for (int64_t Block = 0; Block < Of.columnBlocks(); ++Block)
    for (int64_t Odd = 0; Odd < 2; ++Odd) {
      Value Sum;
      for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
        Value X =
            Counted.Regs[Of.registerOf(Stat / 2, Block, Stat % 2 * 2 + Odd)];
        Sum = Sum ? Add(Sum, X) : X;
      }
      Sum = overLanes(B, Sum, /*Rows=*/true, Add);
      Value At = B.add(B.mul(B.warp(), Of.Columns),
                       Of.column(B, Of.registerOf(0, Block, Odd)));
      B.branch(B.cmp(CmpIPredicate::eq, First, 0),
               [&] { B.store(Sum, B.offset(Scratch, At, F32)); });
    }
  B.barrier();
  forEachOfCta(B, Of.Columns, [&](Value Column) {
    Value Position = To.Position(B, Column);
    B.branch(To.exists(B, Position), [&] {
      Value At = To.row(B, Position);
      Value Sum = B.load(F32, At);
      for (int64_t Warp = 0; Warp < Of.Warps; ++Warp)
        Sum = Add(Sum,
                  B.load(F32, B.offset(Scratch,
                                       B.add(Column, Warp * Of.Columns), F32)));
      B.store(Sum, At);
    });
  });
}

//===----------------------------------------------------------------------===//
// Maxima
//===----------------------------------------------------------------------===//

namespace {

struct BlockRaise {
  NvBuilder &B;
  const BlockMaxima &To;

  Value quotient(Value Position, int64_t Block) const {
    return arith::DivUIOp::create(B, Position, B.i64(Block));
  }

  void raise(Value QueryBlock, Value KeyBlock, Value X) const {
    Value At = B.offset(To.Base, B.add(B.mul(QueryBlock, To.Stride), KeyBlock),
                        B.getF32Type());
    // The order of f32 that are not negative is that of their bits.
    LLVM::AtomicRMWOp::create(B, LLVM::AtomicBinOp::max, At,
                              B.bitcast(X, B.getI32Type()),
                              LLVM::AtomicOrdering::monotonic, "device");
  }

  /// One element at a time.
  void emitEach(const Fragment &P, Value Rows) const {
    const FragmentLayout &Of = P.Of;
    for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
      Value Row = Of.rowOfStat(B, Stat);
      Value Query = To.Query(B, Row);
      Value Exists = B.bitAnd(B.cmp(CmpIPredicate::slt, Row, Rows),
                              B.cmp(CmpIPredicate::sge, Query, 0));
      B.branch(Exists, [&] {
        Value QueryBlock = quotient(Query, To.QueryBlock);
        for (int64_t I = 0; I < Of.registers(); ++I) {
          if (Of.statOf(I) != Stat)
            continue;
          Value Key = To.Key(B, Of.column(B, I));
          B.branch(B.cmp(CmpIPredicate::ult, Key, To.NumKeys), [&] {
            raise(QueryBlock, quotient(Key, To.KeyBlock), P.Regs[I]);
          });
        }
      });
    }
  }

  /// The maximum of a tile that lies in one block.
  void emitAll(const Fragment &P, Value Rows, Value QueryBlock,
               Value KeyBlock) const {
    Value Most = B.f32(0.0F);
    // A NaN counts as larger than all numbers, as it does bit by bit.
    auto Larger = [&](Value X, Value Y) {
      Type I32 = B.getI32Type();
      return B.bitcast(B.max(B.bitcast(X, I32), B.bitcast(Y, I32)),
                       B.getF32Type());
    };
    Fragment Counted = mapElements(
        B, firstRows(B, P, Rows), [&](Value X, Value, Value Column) {
          return B.select(
              B.cmp(CmpIPredicate::ult, To.Key(B, Column), To.NumKeys), X,
              B.f32(0.0F));
        });
    for (Value X : Counted.Regs)
      Most = Larger(Most, X);
    Most = overLanes(B, Most, /*Rows=*/true, Larger);
    Most = overLanes(B, Most, /*Rows=*/false, Larger);
    B.branch(B.cmp(CmpIPredicate::eq, B.lane(), 0),
             [&] { raise(QueryBlock, KeyBlock, Most); });
  }
};

} // namespace

void heddle::nv::emitRaiseBlocks(NvBuilder &B, const Fragment &P, Value Rows,
                                 const BlockMaxima &To) {
  BlockRaise Raise{B, To};
  if (!To.Consecutive) {
    Raise.emitEach(P, Rows);
    return;
  }
  auto BlockOf = [&](const auto &Position, Value At, int64_t Block) {
    return Raise.quotient(Position(B, At), Block);
  };
  Value LastRow =
      B.sub(B.min(Rows, B.i32(P.Of.Warps * P.Of.WarpRows)), B.i32(1));
  Value FirstQuery = BlockOf(To.Query, B.i32(0), To.QueryBlock);
  Value LastQuery = BlockOf(To.Query, LastRow, To.QueryBlock);
  Value FirstKey = BlockOf(To.Key, B.i32(0), To.KeyBlock);
  Value LastKey = BlockOf(To.Key, B.i32(P.Of.Columns - 1), To.KeyBlock);
  Value InOne = B.bitAnd(B.cmp(CmpIPredicate::eq, FirstQuery, LastQuery),
                         B.cmp(CmpIPredicate::eq, FirstKey, LastKey));
  Value Some = B.cmp(CmpIPredicate::sgt, Rows, 0);
  B.branch(Some, [&] {
    B.branch(
        InOne, [&] { Raise.emitAll(P, Rows, FirstQuery, FirstKey); },
        [&] { Raise.emitEach(P, Rows); });
  });
}
