// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches of a kernel. What lives in memory vanishes from the lists
// of carried values: one buffer for each holds its value wherever control
// arrives.

#include "codegen/cpu/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

TileLowering::Values TileLowering::carriedScalars(ValueRange Carried) {
  Values Result;
  for (Value V : Carried)
    if (!isStored(V))
      Result.push_back(scalar(V));
  return Result;
}

SmallVector<Buffer> TileLowering::takeOver(ValueRange Carried,
                                           Operation *User) {
  SmallVector<Buffer> Result;
  for (Value V : Carried) {
    if (!isStored(V))
      continue;
    const Tile &T = Tiles.find(V)->second;
    if (T.inWorkspace() && endsLife(User, V)) {
      Result.push_back(T.Data);
      continue;
    }
    Buffer Own = allocate(V);
    copyStored(V.getType(), stored(V), Own);
    Result.push_back(Own);
  }
  return Result;
}

void TileLowering::moveTiles(ValueRange Carried, ArrayRef<Buffer> To) {
  struct Move {
    mlir::Type Of;
    Buffer From, To;
  };
  SmallVector<Move> Moves;
  size_t Next = 0;
  for (Value V : Carried) {
    if (!isStored(V))
      continue;
    Buffer From = stored(V);
    Buffer Target = To[Next++];
    if (!(From == Target))
      Moves.push_back({V.getType(), From, Target});
  }
  // What another move would overwrite is put aside first.
  for (Move &M : Moves) {
    bool Overwritten =
        llvm::any_of(Moves, [&](const Move &N) { return N.To == M.From; });
    if (!Overwritten)
      continue;
    Buffer Aside = Scratch->allocate(M.From.Bytes);
    copyStored(M.Of, M.From, Aside);
    M.From = Aside;
  }
  for (const Move &M : Moves)
    copyStored(M.Of, M.From, M.To);
}

void TileLowering::bind(ValueRange Old, ValueRange NewScalars,
                        ArrayRef<Buffer> NewTiles) {
  size_t NextScalar = 0;
  size_t NextTile = 0;
  for (Value V : Old) {
    if (isStored(V))
      define(V, NewTiles[NextTile++]);
    else
      Scalars.map(V, NewScalars[NextScalar++]);
  }
}

SmallVector<Type> TileLowering::scalarTypes(ValueRange Carried) {
  SmallVector<Type> Types;
  for (Value V : Carried)
    if (!isStored(V))
      Types.push_back(isTableOrSet(V) ? B.ptrType() : V.getType());
  return Types;
}

LogicalResult TileLowering::lower(scf::ForOp Op) {
  SmallVector<Buffer> Carried = takeOver(Op.getInitArgs(), Op);
  LogicalResult Ok = success();
  size_t Mark = Scratch->open();
  auto For = scf::ForOp::create(
      B, scalar(Op.getLowerBound()), scalar(Op.getUpperBound()),
      scalar(Op.getStep()), carriedScalars(Op.getInitArgs()),
      [&](OpBuilder &Nested, Location, Value Index, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        Scalars.map(Op.getInductionVar(), Index);
        bind(Op.getRegionIterArgs(), Args, Carried);
        Ok = lowerBlock(*Op.getBody());
        if (failed(Ok))
          return;
        ValueRange Yielded = Op.getBody()->getTerminator()->getOperands();
        moveTiles(Yielded, Carried);
        scf::YieldOp::create(B, carriedScalars(Yielded));
      });
  Scratch->close(Mark);
  bind(Op.getResults(), For.getResults(), Carried);
  return Ok;
}

LogicalResult TileLowering::lower(scf::WhileOp Op) {
  SmallVector<Buffer> Before = takeOver(Op.getInits(), Op);
  SmallVector<Buffer> After;
  LogicalResult Ok = success();
  size_t Mark = Scratch->open();
  auto While = scf::WhileOp::create(
      B, scalarTypes(Op.getResults()), carriedScalars(Op.getInits()),
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        bind(Op.getBeforeArguments(), Args, Before);
        Ok = lowerBlock(*Op.getBeforeBody());
        if (failed(Ok))
          return;
        scf::ConditionOp Condition = Op.getConditionOp();
        After = takeOver(Condition.getArgs(), Condition);
        scf::ConditionOp::create(B, scalar(Condition.getCondition()),
                                 carriedScalars(Condition.getArgs()));
      },
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        if (failed(Ok))
          return;
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        bind(Op.getAfterArguments(), Args, After);
        Ok = lowerBlock(*Op.getAfterBody());
        if (failed(Ok))
          return;
        ValueRange Yielded = Op.getYieldOp().getOperands();
        moveTiles(Yielded, Before);
        scf::YieldOp::create(B, carriedScalars(Yielded));
      });
  // The results are in what the condition handed over.
  Scratch->close(Mark, After);
  bind(Op.getResults(), While.getResults(), After);
  return Ok;
}

LogicalResult TileLowering::lower(scf::IfOp Op) {
  SmallVector<Buffer> Joined;
  SmallVector<Type> Types = scalarTypes(Op.getResults());
  LogicalResult Ok = success();
  auto Branch = [&](Region &Region, bool First) {
    size_t Mark = Scratch->open();
    Ok = lowerBlock(Region.front());
    if (failed(Ok))
      return;
    Operation *Yield = Region.front().getTerminator();
    // The first branch says where the results are, the second moves its own
    // there.
    if (First)
      Joined = takeOver(Yield->getOperands(), Yield);
    else
      moveTiles(Yield->getOperands(), Joined);
    scf::YieldOp::create(B, carriedScalars(Yield->getOperands()));
    Scratch->close(Mark, Joined);
  };
  auto If = scf::IfOp::create(B, Types, scalar(Op.getCondition()),
                              /*addThenBlock=*/true,
                              /*addElseBlock=*/!Op.getElseRegion().empty());
  {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(If.thenBlock());
    Branch(Op.getThenRegion(), true);
    if (succeeded(Ok) && !Op.getElseRegion().empty()) {
      B.setInsertionPointToStart(If.elseBlock());
      Branch(Op.getElseRegion(), false);
    }
  }
  bind(Op.getResults(), If.getResults(), Joined);
  return Ok;
}
