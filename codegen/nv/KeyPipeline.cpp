// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over the live key tiles of a tile of queries as a pipeline: the
// producer walks the tiles and starts the copies of keys and values, the
// consumer does the rest.

#include "codegen/nv/Copies.h"
#include "codegen/nv/TileLowering.h"
#include "dialect/nv/Nv.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

namespace heddle::nv {

/// Lowers one loop.
class KeyPipeline {
public:
  KeyPipeline(TileLowering &L, tile::ForeachOp Loop, attn::TilesOp Tiles)
      : L(L), B(L.B), Loop(Loop), Tiles(Tiles), KeyBox(Tiles.getKeyBox()),
        QueryBox(Tiles.getQueryBox()) {
    if (KeyBox.empty()) {
      QueryBox = {static_cast<int64_t>(Tiles.getQueryTile())};
      KeyBox = {static_cast<int64_t>(Tiles.getKeyTile())};
    }
  }

  LogicalResult run();

private:
  using Values = NvBuilder::Values;

  /// Where the walk over the tiles is: the key to look at next, one coordinate
  /// per axis (i64), the key up to which the status is known, and that status.
  struct Walk {
    Values Key;
    Value End, Status;

    Values list() const {
      Values All = Key;
      All.append({End, Status});
      return All;
    }
    static Walk from(ValueRange All) {
      Walk W;
      W.Key = llvm::to_vector(All.drop_back(2));
      W.End = All[All.size() - 2];
      W.Status = All.back();
      return W;
    }
  };

  void hoist();
  void chooseSlots();
  bool isProducible(Value V, llvm::SetVector<Operation *> &Slice);
  Walk start();
  /// Not beyond the last tile.
  Value isAlive(const Walk &W);
  /// The walk at the next live tile, or beyond the last one.
  Walk findTile(const Walk &From);
  Walk ask(const Walk &From);
  Walk nextRow(const Walk &From);
  LogicalResult produce(PipelineOp Pipeline);
  LogicalResult consume(PipelineOp Pipeline);

  TileLowering &L;
  NvBuilder &B;
  tile::ForeachOp Loop;
  attn::TilesOp Tiles;
  /// Extents of a box of keys and of queries, and of the keys, per axis.
  SmallVector<int64_t> KeyBox, QueryBox;
  Values Ends;
  SmallVector<tile::LoadOp> Loads;
  /// What the producer needs of the body to know where rows are.
  llvm::SetVector<Operation *> Slice;
};

} // namespace heddle::nv

/// Arithmetic of the loop's body that the same operands give the same for.
static bool isArithmetic(Operation &Op) {
  return isa<tile::DimOp>(Op) ||
         (isa_and_present<arith::ArithDialect>(Op.getDialect()) &&
          isMemoryEffectFree(&Op) && llvm::none_of(Op.getResults(), isTile));
}

/// What does not depend on the tile is computed ahead of the loop. Nothing of
/// it can trap: a division by zero gives some number on the device.
void KeyPipeline::hoist() {
  Block *Body = &Loop.getBodyRegion().front();
  for (Operation &Op : Body->without_terminator()) {
    bool IsOutside = llvm::all_of(Op.getOperands(), [&](Value V) {
      Operation *Source = V.getDefiningOp();
      return V.getParentBlock() != Body ||
             (Source && L.Hoisted.contains(Source));
    });
    if (IsOutside && isArithmetic(Op) && succeeded(L.lowerOp(&Op)))
      L.Hoisted.insert(&Op);
  }
}

bool KeyPipeline::isProducible(Value V, llvm::SetVector<Operation *> &Needed) {
  Operation *Op = V.getDefiningOp();
  if (V.getParentBlock() != &Loop.getBodyRegion().front() ||
      (Op && L.Hoisted.contains(Op)))
    return true;
  if (!Op)
    return llvm::is_contained(Loop.getFirstKey(), V);
  if (!isArithmetic(*Op) && !isa<tile::PositionsOp>(Op))
    return false;
  for (Value Operand : Op->getOperands())
    if (!isProducible(Operand, Needed))
      return false;
  Needed.insert(Op);
  return true;
}

/// Loads whose rows follow from the tile get a slot; others are left to the
/// consumer.
void KeyPipeline::chooseSlots() {
  for (auto Load : Loop.getBodyRegion().front().getOps<tile::LoadOp>()) {
    llvm::SetVector<Operation *> Needed = Slice;
    if (cast<RankedTensorType>(Load.getTile().getType()).getRank() != 2 ||
        !llvm::all_of(Load->getOperands(),
                      [&](Value V) { return isProducible(V, Needed); }))
      continue;
    Loads.push_back(Load);
    Slice = std::move(Needed);
  }
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

KeyPipeline::Walk KeyPipeline::start() {
  Walk W;
  W.Key.assign(KeyBox.size(), B.i64(0));
  W.End = B.i64(0);
  W.Status = B.i32(tile::Empty);
  // A grid without keys has an axis without extent, the outermost or not.
  if (Ends.size() > 1)
    for (Value End : Ends)
      W.Key.front() = B.select(B.cmp(CmpIPredicate::sle, End, 0), Ends.front(),
                               W.Key.front());
  return W;
}

Value KeyPipeline::isAlive(const Walk &W) {
  return B.cmp(CmpIPredicate::slt, W.Key.front(), Ends.front());
}

KeyPipeline::Walk KeyPipeline::ask(const Walk &From) {
  attn::Coordinates At;
  At.b = L.scalarI64(Tiles.getB());
  At.h = L.scalarI64(Tiles.getH());
  At.q = L.scalarsI64(Tiles.getQ0());
  At.k = From.Key;
  At.numKeys = L.scalarI64(Tiles.getNumKeys());
  Values Params;
  for (Value Param : Tiles.getParams()) {
    bool IsReal = Param.getType().isF32();
    Params.push_back(IsReal ? Value() : L.operand(Param));
    At.params.push_back(Param.getType().isIndex() ? Params.back() : Value());
  }
  ParameterAccess Access(L.lanes(), Params, &L.Functions);
  At.access = &Access;
  attn::EmittedStatus Answer =
      attn::emitStatus(B, B.getLoc(), Tiles.getFormula(), At, QueryBox, KeyBox);
  // A stretch without live tiles is passed over.
  Value IsEmpty = B.cmp(CmpIPredicate::eq, Answer.status, tile::Empty);
  Walk To = From;
  To.Key.back() = B.select(IsEmpty, Answer.until, From.Key.back());
  To.End = B.select(IsEmpty, Answer.until, B.min(Answer.until, Ends.back()));
  To.Status = Answer.status;
  return To;
}

KeyPipeline::Walk KeyPipeline::nextRow(const Walk &From) {
  Walk To = From;
  To.Key.back() = To.End = B.i64(0);
  Value Carry = B.i1(true);
  for (size_t Axis = KeyBox.size() - 1; Axis-- > 0;) {
    Value Next = B.add(From.Key[Axis], KeyBox[Axis]);
    To.Key[Axis] = B.select(Carry, Next, From.Key[Axis]);
    if (Axis == 0)
      break;
    Carry = B.bitAnd(Carry, B.cmp(CmpIPredicate::sge, Next, Ends[Axis]));
    To.Key[Axis] = B.select(Carry, B.i64(0), To.Key[Axis]);
  }
  return To;
}

KeyPipeline::Walk KeyPipeline::findTile(const Walk &From) {
  Values Inits = From.list();
  TypeRange Types = ValueRange(Inits).getTypes();
  auto Here = [&](OpBuilder &Nested) {
    B.restoreInsertionPoint(Nested.saveInsertionPoint());
  };
  auto While = scf::WhileOp::create(
      B, Types, Inits,
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        Here(Nested);
        Walk W = Walk::from(Args);
        Value IsUnknown = B.cmp(CmpIPredicate::sge, W.Key.back(), W.End);
        scf::ConditionOp::create(B, B.bitAnd(isAlive(W), IsUnknown), Args);
      },
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        OpBuilder::InsertionGuard Guard(B);
        Here(Nested);
        Walk W = Walk::from(Args);
        if (KeyBox.size() == 1) {
          scf::YieldOp::create(B, ask(W).list());
          return;
        }
        Value IsRowDone = B.cmp(CmpIPredicate::sge, W.Key.back(), Ends.back());
        scf::YieldOp::create(B, B.branch(
                                    IsRowDone, Types,
                                    [&] { return nextRow(W).list(); },
                                    [&] { return ask(W).list(); }));
      });
  return Walk::from(While.getResults());
}

//===----------------------------------------------------------------------===//
// The pipeline
//===----------------------------------------------------------------------===//

LogicalResult KeyPipeline::produce(PipelineOp Pipeline) {
  Block &Body = Pipeline.getProduce().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Body);
  auto Arguments = ValueRange(Body.getArguments());
  Walk At = findTile(Walk::from(Arguments.drop_front(Loads.size())));
  for (auto [Old, Key] : llvm::zip_equal(Loop.getFirstKey(), At.Key))
    L.Scalars.map(Old, B.toIndex(Key));
  for (Operation *Op : Slice)
    if (failed(L.lowerOp(Op)))
      return failure();
  Value IsLive = isAlive(At);
  B.branch(IsLive, [&] {
    for (auto [I, Load] : llvm::enumerate(Loads))
      emitCopy(B,
               L.rowSource(Load.getView(), L.scalarI64(Load.getB()),
                           L.scalarI64(Load.getH()), Load.getRow()),
               L.sharedTile(Load, Arguments[I]));
  });
  Values Tile = At.Key;
  Tile.push_back(At.Status);
  Walk Next = At;
  Next.Key.back() = B.add(At.Key.back(), KeyBox.back());
  ProducedOp::create(B, IsLive, Tile, Next.list());
  return success();
}

LogicalResult KeyPipeline::consume(PipelineOp Pipeline) {
  Block &Body = Pipeline.getConsume().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Body);
  auto Arguments = ValueRange(Body.getArguments());
  for (auto [I, Load] : llvm::enumerate(Loads))
    L.Slots[Load] = L.sharedTile(Load, Arguments[I]);
  Arguments = Arguments.drop_front(Loads.size());
  for (auto [I, Old] : llvm::enumerate(Loop.getFirstKey()))
    L.Scalars.map(Old, B.toIndex(Arguments[I]));
  L.Scalars.map(Loop.getStatus(), Arguments[KeyBox.size()]);
  L.bind(Loop.getCarried(), Loop.getInits(),
         Arguments.drop_front(KeyBox.size() + 1));
  Block &Source = Loop.getBodyRegion().front();
  if (failed(L.lowerBlock(Source)))
    return failure();
  FailureOr<Values> Yielded =
      L.flatten(Loop, Source.getTerminator()->getOperands());
  if (failed(Yielded))
    return failure();
  YieldOp::create(B, *Yielded);
  return success();
}

LogicalResult KeyPipeline::run() {
  FailureOr<Values> Inits = L.flatten(Loop, Loop.getInits());
  if (failed(Inits))
    return failure();
  for (int64_t Param : Tiles.getKeyGrid())
    Ends.push_back(L.scalarI64(Tiles.getParams()[Param]));
  if (Ends.empty())
    Ends.push_back(L.scalarI64(Tiles.getNumKeys()));
  hoist();
  chooseSlots();

  SmallVector<int64_t> Slots;
  for (tile::LoadOp Load : Loads)
    Slots.push_back(L.sharedTile(Load, Value()).bytes());
  SmallVector<Type> Tile(KeyBox.size(), B.getI64Type());
  Tile.push_back(B.getI32Type());
  auto Ring = RingType::get(B.getContext(), B.config().Stages, Slots, Tile);
  int64_t Mark = L.Shared.open();
  Value TheRing = RingOp::create(
      B, Ring, B.getI64IntegerAttr(L.Shared.reserve(Ring.getBytes())));

  Values State = start().list();
  auto Pipeline = PipelineOp::create(B, TheRing, State, *Inits);
  auto AddBlock = [&](Region &To, ArrayRef<Type> Values, ValueRange Others) {
    SmallVector<Type> Types(Loads.size(), B.ptrType(Space::Shared));
    llvm::append_range(Types, Values);
    llvm::append_range(Types, Others.getTypes());
    OpBuilder::InsertionGuard Guard(B);
    B.createBlock(&To, {}, Types,
                  SmallVector<Location>(Types.size(), B.getLoc()));
  };
  AddBlock(Pipeline.getProduce(), {}, State);
  AddBlock(Pipeline.getConsume(), Tile, *Inits);
  if (failed(produce(Pipeline)) || failed(consume(Pipeline)))
    return failure();
  L.Shared.close(Mark);
  L.bind(Loop.getResults(), Loop.getInits(), Pipeline.getResults());
  return success();
}

LogicalResult TileLowering::lower(tile::ForeachOp Op) {
  auto Tiles = Op.getTiles().getDefiningOp<attn::TilesOp>();
  if (!Tiles)
    return Op.emitOpError() << "expected tiles that come from 'attn.tiles'";
  return KeyPipeline(*this, Op, Tiles).run();
}
