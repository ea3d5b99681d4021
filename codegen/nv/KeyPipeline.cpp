// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/KeyPipeline.h"

#include "codegen/nv/Copies.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

/// Arithmetic of the loop's body that the same operands give the same for.
static bool isArithmetic(Operation &Op) {
  return isa<tile::DimOp>(Op) ||
         (isa_and_present<arith::ArithDialect>(Op.getDialect()) &&
          isMemoryEffectFree(&Op) && llvm::none_of(Op.getResults(), isTile));
}

/// What does not depend on the tile is computed ahead of the loop. Nothing of
/// it can trap: a division by zero gives some number on the device.
void KeyPipeline::hoist() {
  for (Operation &Op : Body.without_terminator()) {
    bool IsOutside = llvm::all_of(Op.getOperands(), [&](Value V) {
      Operation *Source = V.getDefiningOp();
      return V.getParentBlock() != &Body ||
             (Source && L.Hoisted.contains(Source));
    });
    if (IsOutside && isArithmetic(Op) && succeeded(L.lowerOp(&Op)))
      L.Hoisted.insert(&Op);
  }
}

/// Bits are made ahead of what holds the tiles' registers: scores.
void KeyPipeline::raiseBits() {
  llvm::SetVector<Operation *> First;
  std::function<bool(Operation *)> Raise = [&](Operation *Op) {
    if (!isArithmetic(*Op) && !isa<tile::PositionsOp, tile::BitsOp>(Op))
      return L.Hoisted.contains(Op);
    for (Value V : Op->getOperands())
      if (V.getParentBlock() == &Body && V.getDefiningOp() &&
          !Raise(V.getDefiningOp()))
        return false;
    First.insert(Op);
    return true;
  };
  for (auto Bits : Body.getOps<tile::BitsOp>())
    Raise(Bits);
  for (Operation *Op : llvm::reverse(First))
    Op->moveBefore(&Body.front());
}

bool KeyPipeline::isProducible(Value V, llvm::SetVector<Operation *> &Needed) {
  Operation *Op = V.getDefiningOp();
  if (V.getParentBlock() != &Body || isKnown(V))
    return true;
  if (!Op)
    return false;
  if (L.Hoisted.contains(Op))
    return true;
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
  for (auto Load : Body.getOps<tile::LoadOp>()) {
    llvm::SetVector<Operation *> Needed = Slice;
    if (cast<RankedTensorType>(Load.getTile().getType()).getRank() != 2 ||
        !llvm::all_of(Load->getOperands(),
                      [&](Value V) { return isProducible(V, Needed); }))
      continue;
    Loads.push_back(Load);
    Slice = std::move(Needed);
  }
}

/// Whether nobody looks at the rows of `V` from `At` on.
static bool isDoneBefore(Value V, Operation *At) {
  return llvm::all_of(V.getUsers(), [&](Operation *User) {
    return User->getBlock() == At->getBlock() && User->isBeforeInBlock(At) &&
           (!isa<tile::RotateOp, tile::ScaleOp>(User) ||
            isDoneBefore(User->getResult(0), At));
  });
}

void KeyPipeline::shareSlot() {
  if (!B.config().takesTurns() || Loads.size() != 2 ||
      !Loads[0]->isBeforeInBlock(Loads[1]) ||
      !isDoneBefore(Loads[0].getTile(), Loads[1]))
    return;
  Second = Loads.pop_back_val();
}

LogicalResult KeyPipeline::locateRows() {
  for (Operation *Op : Slice)
    if (failed(L.lowerOp(Op)))
      return failure();
  return success();
}

void KeyPipeline::copyRows() {
  for (auto [I, Load] : llvm::enumerate(Loads))
    emitCopy(B,
             L.rowSource(Load.getView(), scalarI64(Load.getB()),
                         scalarI64(Load.getH()), Load.getRow()),
             L.sharedTile(Load, LoadSlots[I]));
}

LogicalResult KeyPipeline::produce(PipelineOp Pipeline) {
  Block &Region = Pipeline.getProduce().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Region);
  auto Arguments = ValueRange(Region.getArguments());
  LoadSlots = Arguments.take_front(Loads.size());
  Arguments = Arguments.drop_front(Loads.size());
  size_t Others = slots().size();
  FailureOr<Found> Next =
      find(Arguments.drop_front(Others), Arguments.take_front(Others));
  if (failed(Next))
    return failure();
  ProducedOp::create(B, Next->Live, Next->Tile, Next->State);
  return success();
}

LogicalResult KeyPipeline::consume(PipelineOp Pipeline, ValueRange Inits,
                                   ValueRange Carried, ValueRange Yielded) {
  Block &Region = Pipeline.getConsume().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Region);
  auto Arguments = ValueRange(Region.getArguments());
  for (auto [I, Load] : llvm::enumerate(Loads))
    L.Slots[Load] = L.sharedTile(Load, Arguments[I]);
  if (Second)
    L.Turns[Second] = Arguments.front();
  Arguments = Arguments.drop_front(Loads.size());
  size_t Others = slots().size(), NumTile = tileTypes().size();
  bindTile(Arguments.slice(Others, NumTile), Arguments.take_front(Others));
  L.bind(Carried, Inits, Arguments.drop_front(Others + NumTile));
  if (failed(L.lowerBlock(Body)))
    return failure();
  FailureOr<Values> Registers = L.flatten(Loop, Yielded);
  if (failed(Registers))
    return failure();
  YieldOp::create(B, *Registers);
  return success();
}

LogicalResult KeyPipeline::run(ValueRange Inits, ValueRange Carried,
                               ValueRange Yielded, ValueRange Results) {
  FailureOr<Values> Registers = L.flatten(Loop, Inits);
  if (failed(Registers))
    return failure();
  hoist();
  raiseBits();
  chooseSlots();
  shareSlot();

  SmallVector<int64_t> Slots;
  for (tile::LoadOp Load : Loads)
    Slots.push_back(L.sharedTile(Load, Value()).bytes());
  if (Second)
    Slots.front() =
        std::max(Slots.front(), L.sharedTile(Second, Value()).bytes());
  llvm::append_range(Slots, slots());
  SmallVector<Type> Tile = tileTypes();
  auto Ring = RingType::get(B.getContext(), B.config().Stages, Slots, Tile);
  const SharedMemory::Scope OfLoop(L.Shared);
  SharedMemory::Part Memory = L.Shared.reserve(Ring.getBytes());
  Value TheRing = RingOp::create(B, Ring, Memory.Offset, Memory.IsFree);

  Values State = start();
  auto Pipeline = PipelineOp::create(B, TheRing, State, *Registers);
  auto AddBlock = [&](Region &To, ArrayRef<Type> First, ValueRange Others) {
    SmallVector<Type> Types(Slots.size(), B.ptrType(Space::Shared));
    llvm::append_range(Types, First);
    llvm::append_range(Types, Others.getTypes());
    OpBuilder::InsertionGuard Guard(B);
    B.createBlock(&To, {}, Types,
                  SmallVector<Location>(Types.size(), B.getLoc()));
  };
  AddBlock(Pipeline.getProduce(), {}, State);
  AddBlock(Pipeline.getConsume(), Tile, *Registers);
  const SharedMemory::Scope OfTurn(L.Shared, /*Repeated=*/true);
  if (failed(produce(Pipeline)) ||
      failed(consume(Pipeline, Inits, Carried, Yielded)))
    return failure();
  L.bind(Results, Inits, Pipeline.getResults());
  return success();
}
