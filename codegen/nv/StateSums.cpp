// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of rows, products of factors over tokens, and what a delta rule and an
// expansion take.

#include "codegen/nv/Expansion.h"
#include "codegen/nv/MemoryProducts.h"
#include "codegen/nv/StateLowering.h"
#include "codegen/nv/Turns.h"

#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

void StateLowering::lower(tile::ReduceOp Op) {
  const bool IsSum = Op.getKind() == tile::Reduction::Sum;
  MemoryTile From = get(Op.getTile());
  if (Op.getAxis() == 0)
    From = From.transposed();
  MemoryTile To = allocate(Op.getResult());
  Value Start = B.f32(IsSum ? 0.0F : -std::numeric_limits<float>::infinity());
  auto Join = [&](Value X, Value Y) -> Value {
    // A NaN wins.
    return IsSum ? B.fadd(X, Y)
                 : arith::MaximumFOp::create(B, X, Y).getResult();
  };
  Arena->access({From}, {To});
  forEachOfWarps(B, From.Rows, [&](Value Row) {
    Value OfLane = foldByLanes(
        B, From.Columns, Start,
        [&](Value Column) { return From.load(B, Row, Column); },
        [&](Value, Value Y, Value X) { return Join(X, Y); });
    Value All = reduceWarp(B, OfLane, Join);
    B.branch(B.cmp(CmpIPredicate::eq, B.lane(), 0),
             [&] { To.store(B, All, Row, B.i32(0)); });
  });
  define(Op.getResult(), To);
}

//===----------------------------------------------------------------------===//
// Factors
//===----------------------------------------------------------------------===//

void StateLowering::lower(tile::DecaysOp Op) {
  const MemoryTile A = get(Op.getA());
  MemoryTile W = allocate(Op.getW());
  MemoryTile FromStart = allocate(Op.getFromStart());
  MemoryTile ToEnd = allocate(Op.getToEnd());
  Arena->access({A}, {W, FromStart, ToEnd});
  Value None = B.i32(0), One = B.f32(1.0F), Zero = B.f32(0.0F);
  Value Last = B.i32(W.Columns - 1);
  // A thread goes down a row: what it has come to is the product so far.
  forEachOfThreads(B, W.Rows, [&](Value I) {
    Value IsLast = B.cmp(CmpIPredicate::eq, I, W.Rows - 1);
    Value Whole = inTurns(
        B, {None}, W.Columns, One,
        [&](Value Step) -> Values {
          return {A.load(B, B.sub(Last, Step), None)};
        },
        [&](Value Step, ValueRange Read, ValueRange Before) -> Values {
          Value J = B.sub(Last, Step);
          Value IsLater = B.cmp(CmpIPredicate::sgt, J, I);
          Value X = Before.front();
          W.store(B, B.select(IsLater, Zero, X), I, J);
          B.branch(IsLast, [&] { ToEnd.store(B, X, J, None); });
          return {B.select(IsLater, X, B.fmul(X, Read.front()))};
        })[0];
    FromStart.store(B, Whole, I, None);
  });
  define(Op.getW(), W);
  define(Op.getFromStart(), FromStart);
  define(Op.getToEnd(), ToEnd);
  if (Op.getTotal().use_empty())
    return;
  Arena->access({FromStart}, {});
  Scalars.map(Op.getTotal(), FromStart.load(B, B.i32(W.Rows - 1), None));
}

void StateLowering::lower(tile::DecayedScoresOp Op) {
  const MemoryTile Q = get(Op.getQ()), K = get(Op.getK()), A = get(Op.getA());
  MemoryTile S = allocate(Op.getS());
  Arena->access({Q, K, A}, {S});
  const int64_t Tokens = Q.Rows;
  const int64_t Features = (Q.Columns + WarpSize - 1) / WarpSize;
  // Query i sees the keys before i + Ahead.
  const int64_t Ahead = Op.getBefore() ? 0 : 1;
  Value Zero = B.f32(0.0F);
  // A warp goes down the keys of a query. In registers are the query's
  // features times the factors between it and the key.
  forEachOfWarps(B, Tokens, [&](Value I) {
    SmallVector<Value> At, Exists;
    Values Query;
    for (int64_t F = 0; F < Features; ++F) {
      Value Feature = B.add(B.lane(), F * WarpSize);
      Value Inside;
      if ((F + 1) * WarpSize > Q.Columns) {
        Inside = B.cmp(CmpIPredicate::slt, Feature, Q.Columns);
        Feature = B.min(Feature, B.i32(Q.Columns - 1));
      }
      Value X = Q.load(B, I, Feature);
      At.push_back(Feature);
      Exists.push_back(Inside);
      Query.push_back(X);
    }
    Value Seen = B.add(I, Ahead);
    auto Key = [&](Value Step) { return B.add(B.sub(Seen, Step), -1); };
    inTurns(
        B, Seen, Query,
        [&](Value Step) {
          Values Read;
          for (Value Feature : At)
            Read.append(
                {K.load(B, Key(Step), Feature), A.load(B, Key(Step), Feature)});
          return Read;
        },
        [&](Value Step, ValueRange Read, ValueRange Before) {
          Value Sum;
          Values After;
          for (auto [Inside, X] : llvm::zip_equal(Exists, Before)) {
            Value Product = B.fmul(X, Read[0]);
            if (Inside)
              Product = B.select(Inside, Product, Zero);
            Sum = Sum ? B.fadd(Sum, Product) : Product;
            After.push_back(B.fmul(X, Read[1]));
            Read = Read.drop_front(2);
          }
          Sum = reduceWarp(B, Sum,
                           [&](Value X, Value Y) { return B.fadd(X, Y); });
          B.branch(B.cmp(CmpIPredicate::eq, B.lane(), 0),
                   [&] { S.store(B, Sum, I, Key(Step)); });
          return After;
        });
    // Keys after those.
    B.loop(B.add(Seen, B.lane()), B.i32(Tokens), WarpSize,
           [&](Value J) { S.store(B, Zero, I, J); });
  });
  define(Op.getS(), S);
}

void StateLowering::lower(tile::CumulateOp Op) {
  const MemoryTile A = get(Op.getA());
  MemoryTile FromStart = allocate(Op.getFromStart());
  MemoryTile ToEnd = allocate(Op.getToEnd());
  MemoryTile Total = allocate(Op.getTotal());
  const bool IsBefore = Op.getBefore();
  Arena->access({A}, {FromStart, ToEnd, Total});
  Value None = B.i32(0), One = B.f32(1.0F);
  forEachOfThreads(B, A.Columns, [&](Value C) {
    Value All = inTurns(
        B, {None}, A.Rows, One,
        [&](Value I) -> Values { return {A.load(B, I, C)}; },
        [&](Value I, ValueRange Read, ValueRange Before) -> Values {
          Value X = B.fmul(Before.front(), Read.front());
          FromStart.store(B, IsBefore ? Before.front() : X, I, C);
          return {X};
        })[0];
    Total.store(B, All, C, None);
    auto Row = [&](Value Step) { return B.sub(B.i32(A.Rows - 1), Step); };
    inTurns(
        B, {None}, A.Rows, One,
        [&](Value Step) -> Values { return {A.load(B, Row(Step), C)}; },
        [&](Value Step, ValueRange Read, ValueRange Before) -> Values {
          ToEnd.store(B, Before.front(), Row(Step), C);
          return {B.fmul(Before.front(), Read.front())};
        });
  });
  define(Op.getFromStart(), FromStart);
  define(Op.getToEnd(), ToEnd);
  define(Op.getTotal(), Total);
}

//===----------------------------------------------------------------------===//
// Systems and expansions
//===----------------------------------------------------------------------===//

void StateLowering::lower(tile::SolveOp Op) {
  const MemoryTile A = get(Op.getA()), R = get(Op.getR());
  MemoryTile U = successor(Op.getR(), Op);
  Arena->access({A, R}, {U});
  // A thread has a row of u, which nobody else looks at.
  forEachOfThreads(B, U.Rows, [&](Value Row) {
    B.loop(U.Columns, 1, [&](Value I) {
      Value X = inTurns(
          B, I, R.load(B, Row, I),
          [&](Value J) -> Values {
            return {A.load(B, I, J), U.load(B, Row, J)};
          },
          [&](Value, ValueRange Read, ValueRange Before) -> Values {
            Value Known = arith::NegFOp::create(B, Read[1]);
            return {B.fma(Read[0], Known, Before.front())};
          })[0];
      U.store(B, X, Row, I);
    });
  });
  define(Op.getU(), U);
}

void StateLowering::lower(tile::ExpandOp Op) {
  TileExpansion E;
  E.X = get(Op.getX());
  if (std::optional<uint64_t> Power = Op.getPower())
    E.Power = static_cast<int64_t>(*Power);
  E.To = allocate(Op.getResult());
  Arena->access({E.X}, {E.To});
  emitTileExpansion(B, E);
  define(Op.getResult(), E.To);
}
