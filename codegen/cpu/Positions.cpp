// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lists of tokens: those of a box, and the members of a set that are left over.

#include "codegen/cpu/TileLowering.h"
#include "codegen/lanes/IndexAccess.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;
using arith::CmpIPredicate;

static Value compare(KernelBuilder &B, CmpIPredicate P, Value X, Value Y) {
  return arith::CmpIOp::create(B, P, X, Y);
}

static Value both(KernelBuilder &B, Value X, Value Y) {
  return arith::AndIOp::create(B, X, Y);
}

namespace {

/// One loop per axis of a box, the outermost first.
struct BoxLoops {
  KernelBuilder::Values Start, Extents;
  ArrayRef<int64_t> Box;
  Buffer To;

  /// The axes from `Axis` on. `Number` is what the outer axes contribute to a
  /// token's number and `Row` to its place in the list, both in units of the
  /// last of them; `Inside` says whether they are on the grid.
  void emit(KernelBuilder &B, size_t Axis, Value Number, Value Row,
            Value Inside) {
    if (Axis == Box.size()) {
      B.storeScalar(B.select(Inside, Number, B.i64(-1)),
                    B.offset(To.Base, Row, B.getI64Type()));
      return;
    }
    B.loop(Box[Axis], 1, [&](Value I) {
      Value At = B.add(Start[Axis], I);
      emit(B, Axis + 1, B.add(B.mul(Number, Extents[Axis]), At),
           B.add(B.mul(Row, Box[Axis]), I),
           both(B, Inside, compare(B, CmpIPredicate::ult, At, Extents[Axis])));
    });
  }
};

} // namespace

void TileLowering::lower(tile::PositionsOp Op) {
  BoxLoops Loops{{}, {}, Op.getBox(), allocate(Op.getPositions())};
  for (Value Start : Op.getCoordinates())
    Loops.Start.push_back(scalarI64(Start));
  for (Value Extent : Op.getExtents())
    Loops.Extents.push_back(scalarI64(Extent));
  SmallVector<Value *> Inputs = {&Loops.To.Base};
  for (Values *Some : {&Loops.Start, &Loops.Extents})
    for (Value &V : *Some)
      Inputs.push_back(&V);
  Shared.call(B, "positions", Loops.Box, Inputs, [&](KernelBuilder &Inside) {
    Loops.emit(Inside, 0, Inside.i64(0), Inside.i64(0),
               Inside.constant(Inside.getBoolAttr(true)));
  });
  define(Op.getPositions(), Loops.To);
}

// Cursor and number found so far are carried. The member at the cursor asks
// about its key tile: if that is free, so are all members up to where the
// answer may change, and they are taken as far as there is room; if not, they
// are skipped. A free member that there is no room for ends the walk: the
// cursor only stops where there is more to find.
LogicalResult TileLowering::lower(tile::CollectOp Op) {
  auto Type = cast<RankedTensorType>(Op.getPositions().getType());
  Buffer To = allocate(Op.getPositions());
  Value Room = B.i64(Type.getDimSize(0));
  B.loop(Type.getDimSize(0), 1, [&](Value I) {
    B.storeScalar(B.i64(-1), B.offset(To.Base, I, B.getI64Type()));
  });

  OperandMemory &Memory = operands();
  Value Set = scalar(Op.getSet());
  Values Indices;
  for (Value Index : Op.getIndices())
    Indices.push_back(scalarI64(Index));
  Value NumKeys = scalarI64(Op.getNumKeys());
  Value End = Memory.rank(Set, Indices, NumKeys);

  LogicalResult Ok = success();
  // One step from a cursor below the end; the third value says whether to go
  // on.
  auto Step = [&](Value Cursor, Value Found) -> Values {
    Value Member = Memory.member(Set, Indices, Cursor);
    Value KeyTile = B.i64(static_cast<int64_t>(Op.getKeyTile()));
    Value FirstKey = B.mul(arith::DivUIOp::create(B, Member, KeyTile), KeyTile);
    Block &Body = Op.getBody().front();
    Scalars.map(Body.getArgument(0), B.toIndex(FirstKey));
    Ok = lowerBlock(Body);
    if (failed(Ok))
      return {Cursor, Found, B.constant(B.getBoolAttr(false))};
    Operation *Answer = Body.getTerminator();
    Value Free = scalar(Answer->getOperand(0));
    Value Until = B.min(scalarI64(Answer->getOperand(1)), NumKeys);
    Value Stop = Memory.rank(Set, Indices, Until);
    Value Left = arith::SubIOp::create(B, Room, Found);
    Value Take = B.select(
        Free, B.min(arith::SubIOp::create(B, Stop, Cursor), Left), B.i64(0));
    B.loop(Take, 1, [&](Value I) {
      B.storeScalar(Memory.member(Set, Indices, B.add(Cursor, I)),
                    B.offset(To.Base, B.add(Found, I), B.getI64Type()));
    });
    Value Next = B.select(Free, B.add(Cursor, Take), Stop);
    Value Moved = compare(B, CmpIPredicate::ne, Next, Cursor);
    return {Next, B.add(Found, Take), Moved};
  };

  Value Cursor = scalarI64(Op.getCursor());
  Values Inits{Cursor, B.i64(0), B.constant(B.getBoolAttr(true))};
  auto While = scf::WhileOp::create(
      B, ValueRange(Inits).getTypes(), Inits,
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        Value More =
            both(B, Args[2], compare(B, CmpIPredicate::slt, Args[0], End));
        scf::ConditionOp::create(B, More, Args);
      },
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        scf::YieldOp::create(B, Step(Args[0], Args[1]));
      });
  define(Op.getPositions(), To);
  Scalars.map(Op.getNext(), B.toIndex(While.getResult(0)));
  return Ok;
}
