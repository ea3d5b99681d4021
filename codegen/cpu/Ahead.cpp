// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which rows a product asks the memory for. Products read a few elements of
// many rows at a time, which no hardware prefetcher follows far enough; their
// time is just right to bring in the other tensor's rows of the same tile, or
// the keys of the next one: in the run, or the first of the next run, where the
// loop over runs carries its first key ahead of everything else.

#include "codegen/cpu/TileLowering.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// The only operation of its kind in the block of `Op`.
template <typename Wanted> static Wanted findBeside(Operation *Op) {
  auto Found = Op->getBlock()->getOps<Wanted>();
  return Found.empty() ? Wanted() : *Found.begin();
}

/// The operation in whose region the keys of a product are loaded.
static Operation *homeOfKeys(Operation *Product) {
  Operation *Parent = Product->getParentOp();
  return isa<tile::EachHeadOp>(Parent) ? Parent->getParentOp() : Parent;
}

/// The load behind rows of keys, turned or not.
static tile::LoadOp loadOf(Value Rows) {
  if (auto Rotate = Rows.getDefiningOp<tile::RotateOp>())
    Rows = Rotate.getTile();
  return Rows.getDefiningOp<tile::LoadOp>();
}

RowsAhead TileLowering::rowsAhead(tile::LoadOp Load, Value First) {
  RowSource From =
      rowSource(Load.getView(), Load.getB(), Load.getH(), Load.getRow());
  auto Type = cast<RankedTensorType>(Load.getTile().getType());
  int64_t ElementBytes =
      static_cast<int64_t>(From.Element.getIntOrFloatBitWidth()) / 8;
  RowsAhead Ahead;
  Ahead.Rows = Type.getDimSize(0);
  Ahead.Bytes = Type.getDimSize(1) * ElementBytes;
  Ahead.Stride = B.mul(From.Stride, ElementBytes);
  Ahead.Positions = From.Positions;
  Ahead.Base = From.Base;
  if (!From.Positions) {
    Ahead.Base = From.row(B, First);
    Ahead.Last = B.add(arith::SubIOp::create(B, From.Length, First), -1);
  }
  return Ahead;
}

RowsAhead TileLowering::valuesAhead(tile::ScoresOp Op) {
  auto Accumulate = findBeside<tile::AccumulateOp>(Op);
  if (!Accumulate)
    return {};
  auto Load = Accumulate.getV().getDefiningOp<tile::LoadOp>();
  if (!Load)
    return {};
  // Copies that were made for all heads of a task are here.
  if (auto Known = Tiles.find(Accumulate.getV());
      Known != Tiles.end() && Known->second.InPlace &&
      !storageType(Load.getView()).isF32() &&
      Load->getBlock() != Op->getBlock())
    return {};
  // What says where they are must be known by now.
  for (Value Operand : Load->getOperands().drop_front())
    if (!Scalars.contains(Operand) && !Tiles.contains(Operand))
      return {};
  return rowsAhead(Load,
                   isTile(Load.getRow()) ? Value() : scalarI64(Load.getRow()));
}

Value TileLowering::firstKeyOfNextRun(scf::ForOp Run) {
  auto Runs = dyn_cast<scf::WhileOp>(Run->getParentOp());
  if (!Runs || Runs.getAfterArguments().empty() ||
      Run.getLowerBound() != Runs.getAfterArguments().front())
    return {};
  Value Next = Runs.getYieldOp().getOperand(0);
  return Scalars.contains(Next) ? Next : Value();
}

RowsAhead TileLowering::keysAhead(tile::AccumulateOp Op) {
  auto Scores = findBeside<tile::ScoresOp>(Op);
  auto Loop = dyn_cast<scf::ForOp>(homeOfKeys(Op));
  tile::LoadOp Load = Scores ? loadOf(Scores.getK()) : tile::LoadOp();
  if (!Load || !Loop || Load.getRow() != Loop.getInductionVar())
    return {};
  Value This = scalarI64(Loop.getInductionVar());
  Value Next = B.add(This, scalarI64(Loop.getStep()));
  // After the last tile of the run, where no more is known, its own rows, which
  // cost nothing.
  Value Behind = firstKeyOfNextRun(Loop);
  Value After = Behind ? scalarI64(Behind) : This;
  Value IsLast = arith::CmpIOp::create(B, arith::CmpIPredicate::sge, Next,
                                       scalarI64(Loop.getUpperBound()));
  Next = B.select(IsLast, After, Next);
  RowsAhead Keys = rowsAhead(Load, Next);
  auto Values = Op.getV().getDefiningOp<tile::LoadOp>();
  // From page to page within a run the processor follows by itself.
  if (Behind && Values && Values.getRow() == Loop.getInductionVar())
    B.branch(
        IsLast,
        [&] {
          Keys.askForPages(B);
          rowsAhead(Values, Next).askForPages(B);
        },
        [] {});
  return Keys;
}

//===----------------------------------------------------------------------===//
// Of few rows
//===----------------------------------------------------------------------===//

/// The loop over a run of tiles of which a load is one; null where there is
/// none.
static scf::ForOp runOf(tile::LoadOp Load) {
  auto Loop = dyn_cast<scf::ForOp>(Load->getParentOp());
  return Loop && Load.getRow() == Loop.getInductionVar() ? Loop : scf::ForOp();
}

Value TileLowering::rowsInRun(Value Rows) {
  auto Load = Rows.getDefiningOp<tile::LoadOp>();
  scf::ForOp Run = runOf(Load);
  if (!Run)
    return {};
  Value Left = arith::SubIOp::create(B, scalarI64(Run.getUpperBound()),
                                     scalarI64(Run.getInductionVar()));
  return arith::MaxSIOp::create(
      B, Left, B.i64(cast<RankedTensorType>(Rows.getType()).getDimSize(0)));
}

RowsToCome TileLowering::valuesToCome(tile::ScoresOp Op) {
  RowsToCome Next;
  Next.Rows = valuesAhead(Op);
  if (!Next.Rows.Base)
    return {};
  auto Load =
      findBeside<tile::AccumulateOp>(Op).getV().getDefiningOp<tile::LoadOp>();
  Next.Begin = B.i64(0);
  Next.End = Next.Rows.Rows;
  if (!isFetchedByProduct(Load))
    return Next;
  // The tile before has asked for the first ones. The others keep the memory
  // busy while the weights are computed, when nothing is read.
  int64_t Known = rowsInAdvance(Next.Rows.Bytes);
  Next.End = std::min(Next.End, 2 * Known);
  if (scf::ForOp Run = runOf(Load)) {
    Value IsFirst = arith::CmpIOp::create(B, arith::CmpIPredicate::eq,
                                          scalarI64(Run.getInductionVar()),
                                          scalarI64(Run.getLowerBound()));
    Next.Begin = B.select(IsFirst, Next.Begin, B.i64(Known));
  }
  return Next;
}

RowsToCome TileLowering::keysToCome(tile::AccumulateOp Op) {
  RowsToCome Next;
  auto Scores = findBeside<tile::ScoresOp>(Op);
  Next.Begin = B.i64(0);
  // Their product asks for them to the end of the run, unless they are turned
  // first.
  if (Scores && Scores.getK().getDefiningOp<tile::RotateOp>()) {
    Next.Rows = keysAhead(Op);
    Next.End = Next.Rows.Rows;
    return Next;
  }
  auto Load =
      Scores ? Scores.getK().getDefiningOp<tile::LoadOp>() : tile::LoadOp();
  scf::ForOp Run = Load ? runOf(Load) : scf::ForOp();
  Value Behind = Run ? firstKeyOfNextRun(Run) : Value();
  if (!Behind)
    return Next;
  Next.Rows = rowsAhead(Load, scalarI64(Behind));
  Next.End = std::min(Next.Rows.Rows, rowsInAdvance(Next.Rows.Bytes));
  Value After =
      B.add(scalarI64(Run.getInductionVar()), scalarI64(Run.getStep()));
  Value IsLast = arith::CmpIOp::create(B, arith::CmpIPredicate::sge, After,
                                       scalarI64(Run.getUpperBound()));
  Next.Begin = B.select(IsLast, Next.Begin, B.i64(Next.End));
  return Next;
}
