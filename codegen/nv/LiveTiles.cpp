// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over the live tiles of a formula: the producer asks for the status
// of stretches of tiles and passes over those that keep nothing.

#include "codegen/nv/KeyPipeline.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

namespace {

class LiveTiles final : public KeyPipeline {
public:
  LiveTiles(TileLowering &L, tile::ForeachOp Loop, attn::TilesOp Tiles)
      : KeyPipeline(L, Loop, Loop.getBodyRegion().front()), Foreach(Loop),
        Tiles(Tiles), KeyBox(Tiles.getKeyBox()), QueryBox(Tiles.getQueryBox()) {
    if (KeyBox.empty()) {
      QueryBox = {static_cast<int64_t>(Tiles.getQueryTile())};
      KeyBox = {static_cast<int64_t>(Tiles.getKeyTile())};
    }
    for (int64_t Param : this->Tiles.getKeyGrid())
      Ends.push_back(scalarI64(this->Tiles.getParams()[Param]));
    if (Ends.empty())
      Ends.push_back(scalarI64(this->Tiles.getNumKeys()));
  }

private:
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

  Carry carry() override {
    return {Foreach.getInits(), llvm::to_vector_of<Value>(Foreach.getCarried()),
            Body.getTerminator()->getOperands(), Foreach.getResults()};
  }
  Values start() override;
  SmallVector<Type> tileTypes() override {
    SmallVector<Type> Types(KeyBox.size(), B.getI64Type());
    Types.push_back(B.getI32Type());
    return Types;
  }
  bool isKnown(Value V) override {
    return llvm::is_contained(Foreach.getFirstKey(), V);
  }
  bool knowsPrevious() const override { return true; }
  Found previous(ValueRange State) override;
  FailureOr<Found> find(ValueRange State, ValueRange Slots) override;
  LogicalResult bindTile(ValueRange Tile, ValueRange Slots) override;

  void bindKey(ValueRange Key) {
    for (auto [Old, New] : llvm::zip_equal(Foreach.getFirstKey(), Key))
      mapScalar(Old, B.toIndex(New));
  }
  /// Not beyond the last tile.
  Value isAlive(const Walk &W) {
    return B.cmp(CmpIPredicate::slt, W.Key.front(), Ends.front());
  }
  /// The walk at the next live tile, or beyond the last one.
  Walk findTile(const Walk &From);
  Walk ask(const Walk &From);
  Walk nextRow(const Walk &From);

  tile::ForeachOp Foreach;
  attn::TilesOp Tiles;
  /// Extents of a box of keys and of queries, and of the keys, per axis.
  SmallVector<int64_t> KeyBox, QueryBox;
  Values Ends;
};

} // namespace

LiveTiles::Values LiveTiles::start() {
  Walk W;
  W.Key.assign(KeyBox.size(), B.i64(0));
  W.End = B.i64(0);
  W.Status = B.i32(tile::Empty);
  // A grid without keys has an axis without extent, the outermost or not.
  if (Ends.size() > 1)
    for (Value End : Ends)
      W.Key.front() = B.select(B.cmp(CmpIPredicate::sle, End, 0), Ends.front(),
                               W.Key.front());
  return W.list();
}

LiveTiles::Walk LiveTiles::ask(const Walk &From) {
  attn::Coordinates At;
  At.b = scalarI64(Tiles.getB());
  At.h = scalarI64(Tiles.getH());
  At.q = scalarsI64(Tiles.getQ0());
  At.k = From.Key;
  At.numKeys = scalarI64(Tiles.getNumKeys());
  Values Params;
  for (Value Param : Tiles.getParams()) {
    bool IsReal = Param.getType().isF32();
    Params.push_back(IsReal ? Value() : operand(Param));
    At.params.push_back(Param.getType().isIndex() ? Params.back() : Value());
  }
  const Location Before = B.getLoc();
  B.setLoc(Tiles.getLoc());
  ParameterAccess Access(lanes(), Params, &functions(),
                         OperandMemory::Fields::Here);
  At.access = &Access;
  attn::EmittedStatus Answer =
      attn::emitStatus(B, B.getLoc(), Tiles.getFormula(), At, QueryBox, KeyBox);
  B.setLoc(Before);
  // A stretch without live tiles is passed over.
  Value IsEmpty = B.cmp(CmpIPredicate::eq, Answer.status, tile::Empty);
  Walk To = From;
  To.Key.back() = B.select(IsEmpty, Answer.until, From.Key.back());
  To.End = B.select(IsEmpty, Answer.until, B.min(Answer.until, Ends.back()));
  To.Status = Answer.status;
  return To;
}

LiveTiles::Walk LiveTiles::nextRow(const Walk &From) {
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

LiveTiles::Walk LiveTiles::findTile(const Walk &From) {
  Values Inits = From.list();
  TypeRange Types = ValueRange(Inits).getTypes();
  auto While = scf::WhileOp::create(
      B, Types, Inits,
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        at(Nested, [&] {
          Walk W = Walk::from(Args);
          Value IsUnknown = B.cmp(CmpIPredicate::sge, W.Key.back(), W.End);
          scf::ConditionOp::create(B, B.bitAnd(isAlive(W), IsUnknown), Args);
        });
      },
      [&](OpBuilder &Nested, Location, ValueRange Args) {
        at(Nested, [&] {
          Walk W = Walk::from(Args);
          if (KeyBox.size() == 1) {
            scf::YieldOp::create(B, ask(W).list());
            return;
          }
          Value IsRowDone =
              B.cmp(CmpIPredicate::sge, W.Key.back(), Ends.back());
          Values Next = B.branch(
              IsRowDone, Types, [&] { return nextRow(W).list(); },
              [&] { return ask(W).list(); });
          scf::YieldOp::create(B, Next);
        });
      });
  return Walk::from(While.getResults());
}

FailureOr<KeyPipeline::Found> LiveTiles::find(ValueRange State, ValueRange) {
  Walk At = findTile(Walk::from(State));
  bindKey(At.Key);
  if (failed(locateRows()))
    return failure();
  Found Next;
  Next.Live = isAlive(At);
  B.branch(Next.Live, [&] { copyRows(); });
  Next.Tile = At.Key;
  Next.Tile.push_back(At.Status);
  At.Key.back() = B.add(At.Key.back(), KeyBox.back());
  Next.State = At.list();
  return Next;
}

KeyPipeline::Found LiveTiles::previous(ValueRange State) {
  Walk Now = Walk::from(State);
  // The walk starts with less behind it than a tile.
  Value IsBegun = B.cmp(CmpIPredicate::sge, Now.Key.back(), KeyBox.back());
  Now.Key.back() = B.sub(Now.Key.back(), B.i64(KeyBox.back()));
  Found Before;
  Before.Live = B.bitAnd(IsBegun, isAlive(Now));
  Before.Tile = Now.Key;
  Before.Tile.push_back(Now.Status);
  return Before;
}

LogicalResult LiveTiles::bindTile(ValueRange Tile, ValueRange) {
  bindKey(Tile.drop_back());
  mapScalar(Foreach.getStatus(), Tile.back());
  return success();
}

std::unique_ptr<KeyPipeline> heddle::nv::liveTiles(TileLowering &L,
                                                   tile::ForeachOp Loop,
                                                   attn::TilesOp Tiles) {
  return std::make_unique<LiveTiles>(L, Loop, Tiles);
}

LogicalResult TileLowering::lower(tile::ForeachOp Op) {
  auto Tiles = Op.getTiles().getDefiningOp<attn::TilesOp>();
  if (!Tiles)
    return Op.emitOpError() << "expected tiles that come from 'attn.tiles'";
  if (std::unique_ptr<KeyPipeline> Joined = joinedTiles(*this, Op, Tiles))
    return Joined->run();
  return liveTiles(*this, Op, Tiles)->run();
}
