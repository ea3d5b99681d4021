// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lists of tokens: those of a box, and the members of a set that are left over.

#include "codegen/nv/TileLowering.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

Places TileLowering::places(Value Row) {
  if (isTile(Row))
    return get<Places>(Row);
  return {RowSource::from(scalarI64(Row))};
}

/// The number of a row's token on the grid of `Extents`, or -1 outside of it.
/// All that does not depend on the row is the same for every row, and what
/// does are numbers in the box, of 32 bits: rows that differ by constants share
/// most of it.
static Value tokenInBox(NvBuilder &B, ValueRange Start, ValueRange Extents,
                        ArrayRef<int64_t> Box, Value Row) {
  Value Token = B.i64(0), Inside = B.i1(true), TokensBelow = B.i64(1);
  int64_t Below = 1;
  for (size_t Axis = Box.size(); Axis-- > 0;) {
    const int64_t Size = Box[Axis];
    Value Number = B.rem(B.div(Row, Below), Size);
    Below *= Size;
    auto Clamp = [&](Value X) {
      return B.toI32(B.min(B.max(X, B.i64(0)), B.i64(Size)));
    };
    // Numbers [First, End) are on the grid.
    Value First = Clamp(B.sub(B.i64(0), Start[Axis]));
    Value End = B.max(First, Clamp(B.sub(Extents[Axis], Start[Axis])));
    Inside = B.bitAnd(Inside, B.cmp(CmpIPredicate::ult, B.sub(Number, First),
                                    B.sub(End, First)));
    Token = B.add(Token, B.mul(Start[Axis], TokensBelow));
    Token = B.add(Token, B.mul(B.toI64(Number), TokensBelow));
    TokensBelow = B.mul(TokensBelow, Extents[Axis]);
  }
  return B.select(Inside, Token, B.i64(-1));
}

void TileLowering::lower(tile::PositionsOp Op) {
  Values Start = scalarsI64(Op.getCoordinates());
  Values Extents = scalarsI64(Op.getExtents());
  auto Box = llvm::to_vector(Op.getBox());
  define(Op.getPositions(),
         Places{[Start, Extents, Box](NvBuilder &B, Value Row) {
           return tokenInBox(B, Start, Extents, Box, Row);
         }});
}

/// Of a token in a list.
static constexpr int64_t TokenBytes = 8;
/// What the columns of a tile are padded to.
static constexpr int64_t ColumnsOfBlock = 16;

static Value entryOf(NvBuilder &B, Value List, Value Number) {
  return B.offset(List, Number, B.getI64Type());
}

Places heddle::nv::listedPlaces(Value List, int64_t Count) {
  return {[List, Count](NvBuilder &B, Value Row) {
    auto Load = [&](Value Number) {
      return B.load(B.getI64Type(), entryOf(B, List, Number));
    };
    if (Count % ColumnsOfBlock == 0)
      return Load(Row);
    return B.select(B.cmp(CmpIPredicate::slt, Row, Count),
                    Load(B.min(Row, B.i32(Count - 1))), B.i64(-1));
  }};
}

int64_t heddle::nv::listLength(tile::CollectOp Op) {
  return cast<RankedTensorType>(Op.getPositions().getType()).getDimSize(0);
}

int64_t heddle::nv::listBytes(tile::CollectOp Op) {
  return listLength(Op) * TokenBytes;
}

// All threads walk the members together; each writes its share of the list.
// Cursor and number found so far are carried. The member at the cursor asks
// about its key tile: if that is free, so are all members up to where the
// answer may change, and they are taken as far as there is room; if not, they
// are skipped. A free member that there is no room for ends the walk: the
// cursor only stops where there is more to find.
FailureOr<Value> TileLowering::collect(tile::CollectOp Op, Value List) {
  int64_t Room = listLength(Op);
  Value Set = scalar(Op.getSet());
  Values Indices = scalarsI64(Op.getIndices());
  Value NumKeys = scalarI64(Op.getNumKeys());
  Value Cursor = scalarI64(Op.getCursor());
  Value Thread = B.toI64(B.thread());
  int64_t Threads = B.config().threads();
  Value End = operands().rank(Set, Indices, NumKeys);

  LogicalResult Ok = success();
  // One step from a cursor below the end; the third value says whether to go
  // on.
  auto Step = [&](Value Cursor, Value Found) -> Values {
    Value Member = operands().member(Set, Indices, Cursor);
    auto KeyTile = static_cast<int64_t>(Op.getKeyTile());
    Value FirstKey = B.mul(B.div(Member, KeyTile), KeyTile);
    Block &Body = Op.getBody().front();
    Scalars.map(Body.getArgument(0), B.toIndex(FirstKey));
    Ok = lowerBlock(Body);
    if (failed(Ok))
      return {Cursor, Found, B.i1(false)};
    Operation *Answer = Body.getTerminator();
    Value Free = scalar(Answer->getOperand(0));
    Value Until = B.min(scalarI64(Answer->getOperand(1)), NumKeys);
    Value Stop = operands().rank(Set, Indices, Until);
    Value Take = B.select(
        Free, B.min(B.sub(Stop, Cursor), B.sub(B.i64(Room), Found)), B.i64(0));
    B.loop(Thread, Take, Threads, [&](Value I) {
      Value Token = operands().member(Set, Indices, B.add(Cursor, I));
      B.store(Token, entryOf(B, List, B.add(Found, I)));
    });
    Value Next = B.select(Free, B.add(Cursor, Take), Stop);
    return {Next, B.add(Found, Take), B.cmp(CmpIPredicate::ne, Next, Cursor)};
  };

  Values Inits{Cursor, B.i64(0), B.i1(true)};
  auto While = scf::WhileOp::create(
      B, ValueRange(Inits).getTypes(), Inits,
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        Value More = B.bitAnd(Args[2], B.cmp(CmpIPredicate::slt, Args[0], End));
        scf::ConditionOp::create(B, More, Args);
      },
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        scf::YieldOp::create(B, Step(Args[0], Args[1]));
      });
  B.loop(B.add(While.getResult(1), Thread), B.i64(Room), Threads,
         [&](Value I) { B.store(B.i64(-1), entryOf(B, List, I)); });
  Shared.barrier();
  if (failed(Ok))
    return failure();
  return B.toIndex(While.getResult(0));
}

LogicalResult TileLowering::lower(tile::CollectOp Op) {
  SharedMemory::Part Memory = Shared.reserve(listBytes(Op));
  Value List = Shared.at(Memory.Offset);
  // Somebody may still be reading the list before.
  Shared.barrierUnlessFree(Memory);
  FailureOr<Value> Next = collect(Op, List);
  if (failed(Next))
    return failure();
  define(Op.getPositions(), listedPlaces(List, listLength(Op)));
  Scalars.map(Op.getNext(), *Next);
  return success();
}
