// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches of a kernel. A carried tile is carried as the list of its
// registers.

#include "codegen/nv/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

/// The registers of a tile that can be carried, else null.
static NvBuilder::Values *registersOf(TileValue &Tile) {
  if (auto *Elements = std::get_if<Fragment>(&Tile))
    return &Elements->Regs;
  if (auto *Stats = std::get_if<RowStats>(&Tile))
    return &Stats->Regs;
  return nullptr;
}

FailureOr<TileLowering::Values> TileLowering::flatten(Operation *For,
                                                      ValueRange Carried) {
  Values Result;
  for (Value V : Carried) {
    if (!isTile(V)) {
      Result.push_back(scalar(V));
      continue;
    }
    Values *Registers = registersOf(Tiles.find(V)->second);
    if (!Registers)
      return For->emitOpError()
             << "carries a tile of rows, bits or positions; expected scores, "
                "outputs or statistics of rows on the nv target";
    llvm::append_range(Result, *Registers);
  }
  return Result;
}

void TileLowering::bind(ValueRange Old, ValueRange Like, ValueRange New) {
  for (auto [To, From] : llvm::zip_equal(Old, Like)) {
    if (!isTile(To)) {
      Scalars.map(To, New.front());
      New = New.drop_front();
      continue;
    }
    TileValue Tile = Tiles.find(From)->second;
    Values &Registers = *registersOf(Tile);
    size_t Count = Registers.size();
    Registers.assign(New.begin(), New.begin() + Count);
    New = New.drop_front(Count);
    define(To, std::move(Tile));
  }
}

namespace {
/// Lets a builder stand where another one does, for a while.
class StandAt {
public:
  StandAt(NvBuilder &B, OpBuilder &Where) : Guard(B) {
    B.restoreInsertionPoint(Where.saveInsertionPoint());
  }

private:
  OpBuilder::InsertionGuard Guard;
};
} // namespace

LogicalResult TileLowering::lower(scf::ForOp Op) {
  FailureOr<Values> Inits = flatten(Op, Op.getInitArgs());
  if (failed(Inits))
    return failure();
  LogicalResult Ok = success();
  const SharedMemory::Scope OfTurn(Shared, /*Repeated=*/true);
  auto For = scf::ForOp::create(
      B, scalar(Op.getLowerBound()), scalar(Op.getUpperBound()),
      scalar(Op.getStep()), *Inits,
      [&](OpBuilder &Nested, Location, Value Index, ValueRange Args) {
        StandAt Here(B, Nested);
        Scalars.map(Op.getInductionVar(), Index);
        bind(Op.getRegionIterArgs(), Op.getInitArgs(), Args);
        Ok = lowerBlock(*Op.getBody());
        if (failed(Ok))
          return;
        FailureOr<Values> Yielded =
            flatten(Op, Op.getBody()->getTerminator()->getOperands());
        Ok = failure(failed(Yielded));
        if (succeeded(Ok))
          scf::YieldOp::create(B, *Yielded);
      });
  if (succeeded(Ok))
    bind(Op.getResults(), Op.getInitArgs(), For.getResults());
  return Ok;
}

LogicalResult TileLowering::lower(scf::WhileOp Op) {
  if (std::optional<LogicalResult> Gathered = lowerGather(Op))
    return *Gathered;
  FailureOr<Values> Inits = flatten(Op, Op.getInits());
  if (failed(Inits))
    return failure();
  // The types of what the condition hands on are known after its block.
  auto While = scf::WhileOp::create(B, TypeRange(), *Inits);
  SmallVector<Location> Locations(Inits->size(), B.getLoc());
  const SharedMemory::Scope OfTurn(Shared, /*Repeated=*/true);
  OpBuilder::InsertionGuard Guard(B);
  B.createBlock(&While.getBefore(), {}, ValueRange(*Inits).getTypes(),
                Locations);
  bind(Op.getBeforeArguments(), Op.getInits(), While.getBeforeArguments());
  if (failed(lowerBlock(*Op.getBeforeBody())))
    return failure();
  scf::ConditionOp Condition = Op.getConditionOp();
  FailureOr<Values> Handed = flatten(Op, Condition.getArgs());
  if (failed(Handed))
    return failure();
  scf::ConditionOp::create(B, scalar(Condition.getCondition()), *Handed);

  TypeRange Types = ValueRange(*Handed).getTypes();
  Locations.assign(Handed->size(), B.getLoc());
  B.createBlock(&While.getAfter(), {}, Types, Locations);
  bind(Op.getAfterArguments(), Condition.getArgs(), While.getAfterArguments());
  if (failed(lowerBlock(*Op.getAfterBody())))
    return failure();
  FailureOr<Values> Yielded = flatten(Op, Op.getYieldOp().getOperands());
  if (failed(Yielded))
    return failure();
  scf::YieldOp::create(B, *Yielded);

  // An operation's results cannot be added later: a new one takes the regions.
  B.setInsertionPoint(While);
  auto Whole = scf::WhileOp::create(B, Types, *Inits);
  Whole.getBefore().takeBody(While.getBefore());
  Whole.getAfter().takeBody(While.getAfter());
  While.erase();
  bind(Op.getResults(), Condition.getArgs(), Whole.getResults());
  return success();
}

LogicalResult TileLowering::lower(scf::IfOp Op) {
  Operation *ThenYield = Op.thenYield();
  // The types of the results are known after the first branch.
  auto If = scf::IfOp::create(B, TypeRange(), scalar(Op.getCondition()),
                              /*addThenBlock=*/true,
                              /*addElseBlock=*/!Op.getElseRegion().empty());
  SmallVector<Type> Types;
  auto Branch = [&](Region &From, Block *To) -> LogicalResult {
    OpBuilder::InsertionGuard Guard(B);
    // Without results there is a terminator already.
    if (!To->empty())
      To->back().erase();
    B.setInsertionPointToEnd(To);
    const SharedMemory::Scope OfBranch(Shared);
    if (failed(lowerBlock(From.front())))
      return failure();
    FailureOr<Values> Yielded =
        flatten(Op, From.front().getTerminator()->getOperands());
    if (failed(Yielded))
      return failure();
    Types = llvm::to_vector(ValueRange(*Yielded).getTypes());
    scf::YieldOp::create(B, *Yielded);
    return success();
  };
  if (failed(Branch(Op.getThenRegion(), If.thenBlock())))
    return failure();
  if (!Op.getElseRegion().empty() &&
      failed(Branch(Op.getElseRegion(), If.elseBlock())))
    return failure();
  if (Types.empty())
    return success();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPoint(If);
  auto Whole = scf::IfOp::create(B, Types, If.getCondition(),
                                 /*addThenBlock=*/false,
                                 /*addElseBlock=*/false);
  Whole.getThenRegion().takeBody(If.getThenRegion());
  Whole.getElseRegion().takeBody(If.getElseRegion());
  If.erase();
  bind(Op.getResults(), ThenYield->getOperands(), Whole.getResults());
  return success();
}
