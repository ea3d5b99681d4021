// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two loops over tiles of keys, one after the other, as one: its producer goes
// on with the tiles of the second when the first has no more, and what is done
// with a tile is in the kernel once. Only who is kept differs, and is asked for
// under a branch.

#include "codegen/nv/KeyPipeline.h"
#include "llvm/ADT/STLExtras.h"

namespace heddle::nv {

using namespace mlir;

/// A loop is what its first one is, besides.
class JoinedTiles final : public KeyPipeline {
public:
  JoinedTiles(TileLowering &L, Operation *Loop, Block &Body,
              std::unique_ptr<KeyPipeline> First,
              std::unique_ptr<KeyPipeline> Second)
      : KeyPipeline(L, Loop, Body), First(std::move(First)),
        Second(std::move(Second)) {}

  /// As `joinedTiles`.
  static std::unique_ptr<KeyPipeline>
  make(TileLowering &L, tile::ForeachOp Loop, attn::TilesOp Tiles);

private:
  /// Whether both do the same with their tiles. What does not depend on a tile
  /// is computed in any case.
  bool isPossible();
  /// Computes what stands between two loops ahead of both; false where that is
  /// not possible.
  static bool computeAhead(TileLowering &L, Operation *First, Operation *Next);
  Carry carry() override {
    const Carry Of = First->carry();
    return {Of.Inits, Of.Carried, Of.Yielded, Second->carry().Results};
  }
  Values start() override;
  /// Those of both, and whether the tile is one of the second (i32).
  SmallVector<Type> tileTypes() override;
  SmallVector<int64_t> slots() override;
  bool isKnown(Value V) override { return First->isKnown(V); }
  FailureOr<Found> find(ValueRange State, ValueRange Slots) override;
  LogicalResult bindTile(ValueRange Tile, ValueRange Slots) override;

  /// The bits of a loop whose operands come first in its body; null where there
  /// are none, several, or others.
  static tile::BitsOp onlyBits(KeyPipeline &Of);
  /// Words that say who is kept, and whether not everybody is.
  Values keptOf(tile::BitsOp Bits);

  Values zeros(TypeRange Types) {
    return llvm::map_to_vector<4>(Types, [&](Type T) -> Value {
      return B.constant(B.getIntegerAttr(T, 0));
    });
  }

  std::unique_ptr<KeyPipeline> First, Second;
  /// How much of the state is the first one's.
  size_t FirstState = 0;
};

/// Whether `Other` does with its operands what `One` does. Where rows come from
/// and who is kept may differ.
static bool isAlike(Operation &One, Operation &Other, const IRMapping &Known) {
  if (One.getName() != Other.getName() || One.getNumRegions() != 0 ||
      One.getResultTypes() != Other.getResultTypes())
    return false;
  if (isa<tile::BitsOp>(One))
    return true;
  if (auto Load = dyn_cast<tile::LoadOp>(One))
    return Load.getView().getType() ==
           cast<tile::LoadOp>(Other).getView().getType();
  if (One.getDiscardableAttrDictionary() !=
          Other.getDiscardableAttrDictionary() ||
      One.getPropertiesAsAttribute() != Other.getPropertiesAsAttribute() ||
      One.getNumOperands() != Other.getNumOperands())
    return false;
  return llvm::all_of(
      llvm::zip_equal(One.getOperands(), Other.getOperands()), [&](auto Pair) {
        return Known.lookupOrDefault(std::get<0>(Pair)) == std::get<1>(Pair);
      });
}

/// Operations on tiles: all that is not there to say which tile it is.
static SmallVector<Operation *> verbs(Block &Body) {
  SmallVector<Operation *> Result;
  for (Operation &Op : Body.without_terminator())
    if (!isa<tile::PositionsOp, tile::CollectOp>(Op) &&
        llvm::any_of(Op.getResults(), isTile))
      Result.push_back(&Op);
  return Result;
}

tile::BitsOp JoinedTiles::onlyBits(KeyPipeline &Of) {
  auto All = Of.Body.getOps<tile::BitsOp>();
  if (!llvm::hasSingleElement(All))
    return {};
  tile::BitsOp Bits = *All.begin();
  for (Operation &Op : llvm::make_range(Of.Body.begin(), Bits->getIterator()))
    if (llvm::any_of(Op.getResults(), isTile) &&
        !isa<tile::PositionsOp, tile::CollectOp>(Op))
      return {};
  return Bits;
}

bool JoinedTiles::isPossible() {
  const Carry Of = First->carry(), Then = Second->carry();
  // The one goes on with what the other has ended with, and nobody else looks
  // at that.
  if (Of.Results != Then.Inits ||
      !llvm::all_of(Of.Results, [](Value V) { return V.hasOneUse(); }))
    return false;
  IRMapping Known;
  Known.map(ValueRange(Of.Carried), ValueRange(Then.Carried));
  SmallVector<Operation *> One = verbs(First->Body),
                           Other = verbs(Second->Body);
  if (One.size() != Other.size())
    return false;
  for (auto [A, B] : llvm::zip_equal(One, Other)) {
    if (!isAlike(*A, *B, Known))
      return false;
    Known.map(A->getResults(), B->getResults());
  }
  if (!llvm::equal(
          llvm::map_range(Of.Yielded,
                          [&](Value V) { return Known.lookupOrDefault(V); }),
          Then.Yielded))
    return false;
  for (KeyPipeline *Each : {First.get(), Second.get()}) {
    Each->hoist();
    Each->raiseBits();
    Each->chooseSlots();
    if (!onlyBits(*Each))
      return false;
  }
  return First->Loads.size() == Second->Loads.size() &&
         llvm::all_of(llvm::zip_equal(First->Loads, Second->Loads),
                      [&](auto Pair) {
                        return Known.lookup(std::get<0>(Pair).getTile()) ==
                               std::get<1>(Pair).getTile();
                      });
}

KeyPipeline::Values JoinedTiles::start() {
  Values All = First->start();
  FirstState = All.size();
  llvm::append_range(All, Second->start());
  return All;
}

SmallVector<Type> JoinedTiles::tileTypes() {
  SmallVector<Type> All = First->tileTypes();
  llvm::append_range(All, Second->tileTypes());
  All.push_back(B.getI32Type());
  return All;
}

SmallVector<int64_t> JoinedTiles::slots() {
  SmallVector<int64_t> All = First->slots();
  llvm::append_range(All, Second->slots());
  return All;
}

FailureOr<KeyPipeline::Found> JoinedTiles::find(ValueRange State,
                                                ValueRange Slots) {
  First->LoadSlots = Second->LoadSlots = LoadSlots;
  const size_t FirstSlots = First->slots().size(),
               NumTile = Second->tileTypes().size();
  FailureOr<Found> Next =
      First->find(State.take_front(FirstState), Slots.take_front(FirstSlots));
  if (failed(Next))
    return failure();
  const ValueRange Rest = State.drop_front(FirstState);
  SmallVector<Type> Types = Second->tileTypes();
  Types.push_back(B.getI1Type());
  llvm::append_range(Types, Rest.getTypes());
  LogicalResult Ok = success();
  auto None = [&] {
    Values All = zeros(ArrayRef(Types).take_front(NumTile + 1));
    llvm::append_range(All, Rest);
    return All;
  };
  Values Then = B.branch(Next->Live, Types, None, [&] {
    FailureOr<Found> Other = Second->find(Rest, Slots.drop_front(FirstSlots));
    if (failed(Other)) {
      Ok = failure();
      return None();
    }
    Values All = Other->Tile;
    All.push_back(Other->Live);
    llvm::append_range(All, Other->State);
    return All;
  });
  if (failed(Ok))
    return failure();
  Value IsSecond = Then[NumTile];
  Found All = *Next;
  All.Live = B.bitOr(Next->Live, IsSecond);
  All.Tile.append(Then.begin(), Then.begin() + NumTile);
  All.Tile.push_back(B.toI32(IsSecond));
  All.State.append(Then.begin() + NumTile + 1, Then.end());
  return All;
}

KeyPipeline::Values JoinedTiles::keptOf(tile::BitsOp Bits) {
  const KeptBits &Kept = L.get<KeptBits>(Bits.getBits());
  Values All = Kept.Words;
  if (All.empty())
    All.assign(Kept.Of.stats() * Kept.words(), B.i32(-1));
  All.push_back(Kept.IsPartial ? Kept.IsPartial : B.i1(true));
  return All;
}

LogicalResult JoinedTiles::bindTile(ValueRange Tile, ValueRange Slots) {
  const size_t FirstTile = First->tileTypes().size(),
               FirstSlots = First->slots().size();
  Value IsSecond = B.cmp(arith::CmpIPredicate::ne, Tile.back(), 0);
  tile::BitsOp Here = onlyBits(*First), There = onlyBits(*Second);
  if (failed(First->bindTile(Tile.take_front(FirstTile),
                             Slots.take_front(FirstSlots))))
    return failure();
  // What bits are made of may be looked at by others too.
  if (failed(L.lowerOps({Body.begin(), Here->getIterator()})))
    return failure();
  LogicalResult Ok = success();
  const FragmentLayout Of = L.layout(Here.getBits());
  SmallVector<Type> Types(Of.stats() * KeptBits{Of, Value(), {}}.words(),
                          B.getI32Type());
  Types.push_back(B.getI1Type());
  Values Kept = B.branch(
      IsSecond, Types,
      [&] {
        Ok = Second->bindTile(Tile.drop_front(FirstTile).drop_back(),
                              Slots.drop_front(FirstSlots));
        if (succeeded(Ok))
          Ok = L.lowerOps(
              {Second->Body.begin(), std::next(There->getIterator())});
        return succeeded(Ok) ? keptOf(There) : zeros(Types);
      },
      [&] {
        if (succeeded(Ok))
          Ok = L.lowerOp(Here);
        return succeeded(Ok) ? keptOf(Here) : zeros(Types);
      });
  Value IsPartial = Kept.pop_back_val();
  L.define(Here.getBits(), KeptBits{Of, IsPartial, Kept});
  for (Operation &Op :
       llvm::make_range(Body.begin(), std::next(Here->getIterator())))
    skip(&Op);
  return Ok;
}

/// The loop that goes on where `Loop` ends; null where there is none.
static Operation *loopBehind(tile::ForeachOp Loop) {
  if (Loop.getNumResults() == 0 || !Loop.getResult(0).hasOneUse())
    return nullptr;
  Operation *Next = *Loop.getResult(0).user_begin();
  return Next->getBlock() == Loop->getBlock() ? Next : nullptr;
}

bool JoinedTiles::computeAhead(TileLowering &L, Operation *First,
                               Operation *Next) {
  auto Between =
      llvm::make_range(std::next(First->getIterator()), Next->getIterator());
  if (llvm::any_of(Between, [&](Operation &Op) {
        return !isMemoryEffectFree(&Op) || Op.getNumRegions() != 0 ||
               llvm::is_contained(First->getUsers(), &Op);
      }))
    return false;
  for (Operation &Op : Between) {
    if (failed(L.lowerOp(&Op)))
      return false;
    L.Hoisted.insert(&Op);
  }
  return true;
}

std::unique_ptr<KeyPipeline>
JoinedTiles::make(TileLowering &L, tile::ForeachOp Loop, attn::TilesOp Tiles) {
  const Config &C = L.B.config();
  Operation *Next = loopBehind(Loop);
  // Slices and turns are up to the consumer.
  if (!Next || C.Slice > 0 || C.takesTurns())
    return nullptr;
  // Between loops over live tiles, scores of the next tile beside the softmax
  // are worth more.
  auto Live = dyn_cast<tile::ForeachOp>(Next);
  auto More = Live ? Live.getTiles().getDefiningOp<attn::TilesOp>() : Tiles;
  if (!isa<scf::WhileOp, tile::ForeachOp>(Next) || !More ||
      (Live && C.ScoresAhead) || !computeAhead(L, Loop, Next))
    return nullptr;
  std::unique_ptr<KeyPipeline> Second =
      Live ? liveTiles(L, Live, More)
           : gatheredTiles(L, cast<scf::WhileOp>(Next));
  if (!Second)
    return nullptr;
  auto Joined = std::make_unique<JoinedTiles>(
      L, Loop, Loop.getBodyRegion().front(), liveTiles(L, Loop, Tiles),
      std::move(Second));
  if (!Joined->isPossible())
    return nullptr;
  L.Hoisted.insert(Next);
  return Joined;
}

std::unique_ptr<KeyPipeline> joinedTiles(TileLowering &L, tile::ForeachOp Loop,
                                         attn::TilesOp Tiles) {
  return JoinedTiles::make(L, Loop, Tiles);
}

} // namespace heddle::nv
