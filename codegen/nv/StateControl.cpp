// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches of kernels with a state.

#include "codegen/nv/StateLowering.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

StateLowering::Values StateLowering::carriedScalars(ValueRange Carried) {
  Values Result;
  for (Value V : Carried)
    if (!isTile(V))
      Result.push_back(scalar(V));
  return Result;
}

SmallVector<Type> StateLowering::scalarTypes(ValueRange Carried) {
  SmallVector<Type> Types;
  for (Value V : Carried)
    if (!isTile(V))
      Types.push_back(V.getType());
  return Types;
}

StateLowering::CarriedTiles StateLowering::takeOver(ValueRange Carried,
                                                    Operation *User) {
  CarriedTiles Result;
  for (Value V : Carried) {
    if (!isTile(V))
      continue;
    MemoryTile Own = successor(V, User);
    if (Own.Place != get(V).Place)
      copy(get(V), Own);
    auto Owner = Owners.find(Own.Place);
    Result.push_back({Own, Owner != Owners.end() && !Owner->second});
    Owners[Own.Place] = Value();
  }
  return Result;
}

static bool isSameView(const MemoryTile &X, const MemoryTile &Y) {
  return X.Place == Y.Place && X.RowStride == Y.RowStride &&
         X.ColumnStride == Y.ColumnStride;
}

void StateLowering::moveTiles(ValueRange Carried, ArrayRef<CarriedTile> To) {
  struct Move {
    MemoryTile From, To;
  };
  SmallVector<Move> Moves;
  size_t Next = 0;
  for (Value V : Carried)
    if (isTile(V))
      if (Move M{get(V), To[Next++].Tile}; !isSameView(M.From, M.To))
        Moves.push_back(M);
  // What a move would overwrite is put aside first.
  SmallVector<int> Aside;
  for (Move &M : Moves) {
    if (llvm::none_of(
            Moves, [&](const Move &N) { return N.To.Place == M.From.Place; }))
      continue;
    MemoryTile Copy = Arena->allocate(M.From.Rows, M.From.Columns);
    copy(M.From, Copy);
    Aside.push_back(Copy.Place);
    M.From = Copy;
  }
  for (const Move &M : Moves)
    copy(M.From, M.To);
  for (int Place : Aside)
    Arena->release(Place);
}

void StateLowering::bind(ValueRange Old, ValueRange NewScalars,
                         ArrayRef<CarriedTile> NewTiles, bool Inside) {
  for (Value V : Old) {
    if (!isTile(V)) {
      Scalars.map(V, NewScalars.front());
      NewScalars = NewScalars.drop_front();
      continue;
    }
    const CarriedTile &Carried = NewTiles.front();
    Tiles[V] = Carried.Tile;
    Owners[Carried.Tile.Place] = Inside || Carried.IsOuter ? Value() : V;
    NewTiles = NewTiles.drop_front();
  }
}

namespace {
/// Lets a builder stand where another one does, for a while.
class StandBeside {
public:
  StandBeside(NvBuilder &B, OpBuilder &Where) : Guard(B) {
    B.restoreInsertionPoint(Where.saveInsertionPoint());
  }

private:
  OpBuilder::InsertionGuard Guard;
};
} // namespace

LogicalResult StateLowering::lower(scf::ForOp Op) {
  CarriedTiles Carried = takeOver(Op.getInitArgs(), Op);
  LogicalResult Ok = success();
  Arena->settle();
  auto For = scf::ForOp::create(
      B, scalar(Op.getLowerBound()), scalar(Op.getUpperBound()),
      scalar(Op.getStep()), carriedScalars(Op.getInitArgs()),
      [&](OpBuilder &Nested, Location, Value Index, ValueRange Args) {
        StandBeside Here(B, Nested);
        Scalars.map(Op.getInductionVar(), Index);
        bind(Op.getRegionIterArgs(), Args, Carried, /*Inside=*/true);
        Ok = lowerBlock(*Op.getBody());
        if (failed(Ok))
          return;
        Operation *Yield = Op.getBody()->getTerminator();
        moveTiles(Yield->getOperands(), Carried);
        releaseAfter(Yield);
        Arena->settle();
        scf::YieldOp::create(B, carriedScalars(Yield->getOperands()));
      });
  if (succeeded(Ok))
    bind(Op.getResults(), For.getResults(), Carried, /*Inside=*/false);
  return Ok;
}

LogicalResult StateLowering::lower(scf::WhileOp Op) {
  CarriedTiles Before = takeOver(Op.getInits(), Op);
  CarriedTiles After;
  LogicalResult Ok = success();
  Arena->settle();
  auto While = scf::WhileOp::create(
      B, scalarTypes(Op.getResults()), carriedScalars(Op.getInits()),
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        StandBeside Here(B, Nested);
        bind(Op.getBeforeArguments(), Args, Before, /*Inside=*/true);
        Ok = lowerBlock(*Op.getBeforeBody());
        if (failed(Ok))
          return;
        scf::ConditionOp Condition = Op.getConditionOp();
        After = takeOver(Condition.getArgs(), Condition);
        for (CarriedTile &To : After)
          for (const CarriedTile &From : Before)
            if (From.Tile.Place == To.Tile.Place)
              To.IsOuter = From.IsOuter;
        releaseAfter(Condition);
        Arena->settle();
        scf::ConditionOp::create(B, scalar(Condition.getCondition()),
                                 carriedScalars(Condition.getArgs()));
      },
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        if (failed(Ok))
          return;
        StandBeside Here(B, Nested);
        bind(Op.getAfterArguments(), Args, After, /*Inside=*/true);
        Ok = lowerBlock(*Op.getAfterBody());
        if (failed(Ok))
          return;
        scf::YieldOp Yield = Op.getYieldOp();
        moveTiles(Yield.getOperands(), Before);
        releaseAfter(Yield);
        Arena->settle();
        scf::YieldOp::create(B, carriedScalars(Yield.getOperands()));
      });
  if (failed(Ok))
    return failure();
  // The results are in what the condition handed over; memory that only goes
  // into it ends here.
  bind(Op.getResults(), While.getResults(), After, /*Inside=*/false);
  for (const CarriedTile &C : Before)
    if (!C.IsOuter && llvm::none_of(After, [&](const CarriedTile &Other) {
          return Other.Tile.Place == C.Tile.Place;
        }))
      Arena->release(C.Tile.Place);
  return success();
}

LogicalResult StateLowering::lower(scf::IfOp Op) {
  CarriedTiles Joined;
  LogicalResult Ok = success();
  Arena->settle();
  auto If = scf::IfOp::create(B, scalarTypes(Op.getResults()),
                              scalar(Op.getCondition()),
                              /*addThenBlock=*/true,
                              /*addElseBlock=*/!Op.getElseRegion().empty());
  auto Branch = [&](Region &Region, Block *To, bool IsFirst) {
    OpBuilder::InsertionGuard Guard(B);
    // Without results there is a terminator already.
    if (!To->empty())
      To->back().erase();
    B.setInsertionPointToEnd(To);
    Ok = lowerBlock(Region.front());
    if (failed(Ok))
      return;
    Operation *Yield = Region.front().getTerminator();
    // The first branch says where the results are, the second moves its own
    // there.
    if (IsFirst)
      Joined = takeOver(Yield->getOperands(), Yield);
    else
      moveTiles(Yield->getOperands(), Joined);
    releaseAfter(Yield);
    Arena->settle();
    scf::YieldOp::create(B, carriedScalars(Yield->getOperands()));
  };
  Branch(Op.getThenRegion(), If.thenBlock(), true);
  if (succeeded(Ok) && !Op.getElseRegion().empty())
    Branch(Op.getElseRegion(), If.elseBlock(), false);
  if (succeeded(Ok))
    bind(Op.getResults(), If.getResults(), Joined, /*Inside=*/false);
  return Ok;
}
