// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop over gathered columns: the producer collects the next tokens into a
// list in the stage, where the consumer finds them too.

#include "codegen/nv/KeyPipeline.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

namespace {

/// A loop whose body collects tokens from where the one before stopped, and
/// whose condition says where to go on from.
struct GatherLoop {
  tile::CollectOp Collect;
  /// Which of the carried values the cursor is.
  unsigned Cursor = 0;

  static std::optional<GatherLoop> match(scf::WhileOp Op);
};

class GatheredTiles final : public KeyPipeline {
public:
  GatheredTiles(TileLowering &L, scf::WhileOp Op, const GatherLoop &Gather)
      : KeyPipeline(L, Op, *Op.getAfterBody()), Op(Op), Gather(Gather),
        Initial(scalar(Op.getInits()[Gather.Cursor])) {
    // The producer does it.
    skip(this->Gather.Collect);
  }

private:
  Carry carry() override {
    return {without(Op.getInits()), without(Op.getAfterArguments()),
            without(Op.getYieldOp().getOperands()), without(Op.getResults())};
  }
  Values start() override { return {Initial}; }
  SmallVector<Type> tileTypes() override { return {B.getIndexType()}; }
  SmallVector<int64_t> slots() override {
    return {roundUp(listBytes(Gather.Collect), kSlotAlignment)};
  }
  bool isKnown(Value V) override { return V == Gather.Collect.getPositions(); }
  FailureOr<Found> find(ValueRange State, ValueRange Slots) override;
  LogicalResult bindTile(ValueRange, ValueRange Slots) override {
    definePlaces(Gather.Collect.getPositions(),
                 listedPlaces(Slots.front(), listLength(Gather.Collect)));
    return success();
  }
  /// All but the cursor.
  Values without(ValueRange Of) const {
    Values Result = llvm::to_vector(Of);
    Result.erase(Result.begin() + Gather.Cursor);
    return Result;
  }

  scf::WhileOp Op;
  GatherLoop Gather;
  Value Initial;
};

} // namespace

std::optional<GatherLoop> GatherLoop::match(scf::WhileOp Op) {
  Block &Body = *Op.getAfterBody();
  auto Collects = Body.getOps<tile::CollectOp>();
  if (Collects.empty() || std::next(Collects.begin()) != Collects.end())
    return std::nullopt;
  GatherLoop Found;
  Found.Collect = *Collects.begin();
  auto Cursor = dyn_cast<BlockArgument>(Found.Collect.getCursor());
  if (!Cursor || Cursor.getOwner() != &Body || !Cursor.hasOneUse())
    return std::nullopt;
  Found.Cursor = Cursor.getArgNumber();
  // All else that is collected with is the same for every tile.
  for (Value V : Found.Collect->getOperands())
    if (V != Cursor && V.getParentBlock() == &Body)
      return std::nullopt;
  scf::ConditionOp Condition = Op.getConditionOp();
  if (Op.getYieldOp()->getOperand(Found.Cursor) != Found.Collect.getNext() ||
      !Found.Collect.getNext().hasOneUse() ||
      !Op.getResult(Found.Cursor).use_empty() ||
      Condition.getArgs().size() != Op.getInits().size())
    return std::nullopt;
  // The condition looks at the cursor alone and hands on the rest.
  for (auto [I, Handed] : llvm::enumerate(Condition.getArgs())) {
    Value Argument = Op.getBeforeArguments()[I];
    if (I != Found.Cursor && (Handed != Argument || !Argument.hasOneUse()))
      return std::nullopt;
  }
  return Found;
}

FailureOr<KeyPipeline::Found> GatheredTiles::find(ValueRange State,
                                                  ValueRange Slots) {
  mapScalar(Op.getBeforeArguments()[Gather.Cursor], State.front());
  if (failed(lowerBlock(*Op.getBeforeBody())))
    return failure();
  scf::ConditionOp Condition = Op.getConditionOp();
  Found Next;
  Next.Live = scalar(Condition.getCondition());
  Value Cursor = scalar(Condition.getArgs()[Gather.Cursor]);
  Next.Tile = {Cursor};
  LogicalResult Ok = success();
  Next.State = B.branch(
      Next.Live, {B.getIndexType()},
      [&]() -> Values {
        mapScalar(Gather.Collect.getCursor(), Cursor);
        FailureOr<Value> After = collect(Gather.Collect, Slots.front());
        if (failed(After) || failed(locateRows())) {
          Ok = failure();
          return {Cursor};
        }
        definePlaces(Gather.Collect.getPositions(),
                     listedPlaces(Slots.front(), listLength(Gather.Collect)));
        copyRows();
        return {*After};
      },
      [&]() -> Values { return {Cursor}; });
  if (failed(Ok))
    return failure();
  return Next;
}

std::unique_ptr<KeyPipeline> heddle::nv::gatheredTiles(TileLowering &L,
                                                       scf::WhileOp Loop) {
  std::optional<GatherLoop> Gather = GatherLoop::match(Loop);
  if (!Gather)
    return nullptr;
  return std::make_unique<GatheredTiles>(L, Loop, *Gather);
}

std::optional<LogicalResult> TileLowering::lowerGather(scf::WhileOp Op) {
  std::unique_ptr<KeyPipeline> Tiles = gatheredTiles(*this, Op);
  if (!Tiles)
    return std::nullopt;
  return Tiles->run();
}
