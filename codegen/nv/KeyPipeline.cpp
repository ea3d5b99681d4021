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
    if (L.Hoisted.contains(&Op))
      continue;
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
  // Slices are for the consumer as well.
  if (L.isSliced())
    return;
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

void KeyPipeline::shareSlot() {
  if (!B.config().takesTurns() || Loads.size() != 2 ||
      !Loads[0]->isBeforeInBlock(Loads[1]) ||
      !isDoneBefore(Loads[0].getTile(), Loads[1]))
    return;
  Second = Loads.pop_back_val();
}

/// Scores of keys that nothing else looks at, and of queries that are there
/// before the loop: neither the tile's status nor what is carried matters.
void KeyPipeline::chooseAhead() {
  auto All = Body.getOps<tile::ScoresOp>();
  if (!B.config().ScoresAhead || !knowsPrevious() ||
      !llvm::hasSingleElement(All))
    return;
  tile::ScoresOp Op = *All.begin();
  auto Load = Op.getK().getDefiningOp<tile::LoadOp>();
  if (!llvm::is_contained(Loads, Load) || !Op.getK().hasOneUse() ||
      Op.getQ().getParentBlock() == &Body)
    return;
  Scores = Op;
  Keys = Load;
  L.Hoisted.insert(Scores);
  L.Hoisted.insert(Keys);
}

/// Where in the body the scores of the next tile are computed: beside the
/// exponentials, with no branch in between.
Operation *KeyPipeline::besideWeights() {
  Operation *Modify = nullptr, *Product = Body.getTerminator();
  for (Operation &Op : Body) {
    if (isa<tile::SoftmaxStepOp>(Op))
      return &Op;
    if (isa<tile::ModifyOp>(Op) && !Modify)
      Modify = &Op;
    if (isa<tile::AccumulateOp>(Op))
      Product = &Op;
  }
  return Modify ? Modify : Product;
}

FailureOr<Fragment> KeyPipeline::computeScores(ValueRange Slots) {
  const auto Number = std::distance(Loads.begin(), llvm::find(Loads, Keys));
  L.Slots[Keys] = L.sharedTile(Keys, Slots[Number]);
  const Location Before = B.getLoc();
  B.setLoc(Scores.getLoc());
  if (failed(L.lowerOp(Keys)) || failed(L.lowerOp(Scores)))
    return failure();
  B.setLoc(Before);
  return L.get<Fragment>(Scores.getS());
}

LogicalResult KeyPipeline::locateRows() {
  for (Operation *Op : Slice)
    if (failed(L.lowerOp(Op)))
      return failure();
  return success();
}

void KeyPipeline::copyRows(bool Delayed) {
  for (auto [I, Load] : llvm::enumerate(Loads))
    if ((Scores && Load != Keys) == Delayed)
      emitCopy(B, L.loadSource(Load), L.sharedTile(Load, LoadSlots[I]));
}

/// Of the tile before this one, what is not ahead.
LogicalResult KeyPipeline::delay(const Found &Now, const Found &Before) {
  LogicalResult Ok = success();
  B.branch(Before.Live, [&] {
    if (succeeded(Ok = bindTile(Before.Tile, {})) &&
        succeeded(Ok = locateRows()))
      copyRows(/*Delayed=*/true);
  });
  // Behind the last tile scores are computed too, and not looked at.
  B.branch(B.bitXor(Now.Live, B.i1(true)), [&] {
    const auto Number = std::distance(Loads.begin(), llvm::find(Loads, Keys));
    emitZero(B, L.sharedTile(Keys, LoadSlots[Number]));
  });
  return Ok;
}

LogicalResult KeyPipeline::produce(PipelineOp Pipeline) {
  Block &Region = Pipeline.getProduce().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Region);
  auto Arguments = ValueRange(Region.getArguments());
  LoadSlots = Arguments.take_front(Loads.size());
  Arguments = Arguments.drop_front(Loads.size());
  size_t Others = slots().size();
  ValueRange State = Arguments.drop_front(Others);
  FailureOr<Found> Next = find(State, Arguments.take_front(Others));
  if (failed(Next))
    return failure();
  Found Told = *Next;
  if (Scores) {
    Told = previous(State);
    if (failed(delay(*Next, Told)))
      return failure();
  }
  ProducedOp::create(B, Told.Live, Told.Tile, Next->State);
  return success();
}

LogicalResult KeyPipeline::readFirst(PipelineOp Pipeline) {
  Block &Region = Pipeline.getFirst().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Region);
  FailureOr<Fragment> Made = computeScores(Region.getArguments());
  if (failed(Made))
    return failure();
  YieldOp::create(B, Made->Regs);
  return success();
}

/// Lowers the body with scores that were carried; gives those of the next tile.
FailureOr<KeyPipeline::Values>
KeyPipeline::lowerWithScores(ValueRange Slots, ValueRange Carried) {
  Fragment Now = L.get<Fragment>(Scores.getS());
  Now.Regs = llvm::to_vector(Carried);
  L.define(Scores.getS(), Now);
  Block::iterator Beside(besideWeights());
  if (failed(L.lowerOps({Body.begin(), Beside})))
    return failure();
  FailureOr<Fragment> Next = computeScores(Slots);
  if (failed(Next))
    return failure();
  L.define(Scores.getS(), Now);
  if (failed(L.lowerOps({Beside, Body.end()})))
    return failure();
  return Next->Regs;
}

LogicalResult KeyPipeline::consume(PipelineOp Pipeline, const Carry &Of) {
  Block &Region = Pipeline.getConsume().front();
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointToEnd(&Region);
  auto Arguments = ValueRange(Region.getArguments());
  const ValueRange AllSlots = Arguments.take_front(Loads.size());
  for (auto [I, Load] : llvm::enumerate(Loads))
    L.Slots[Load] = L.sharedTile(Load, Arguments[I]);
  if (Second)
    L.Turns[Second] = Arguments.front();
  Arguments = Arguments.drop_front(Loads.size());
  size_t Others = slots().size(), NumTile = tileTypes().size();
  if (failed(bindTile(Arguments.slice(Others, NumTile),
                      Arguments.take_front(Others))))
    return failure();
  Arguments = Arguments.drop_front(Others + NumTile);
  const size_t NumAhead =
      Scores ? L.get<Fragment>(Scores.getS()).Regs.size() : 0;
  L.bind(Of.Carried, Of.Inits, Arguments.drop_back(NumAhead));
  FailureOr<Values> Ahead = Values();
  if (Scores)
    Ahead = lowerWithScores(AllSlots, Arguments.take_back(NumAhead));
  else if (failed(L.lowerBlock(Body)))
    return failure();
  FailureOr<Values> Registers = L.flatten(Loop, Of.Yielded);
  if (failed(Ahead) || failed(Registers))
    return failure();
  llvm::append_range(*Registers, *Ahead);
  YieldOp::create(B, *Registers);
  return success();
}

LogicalResult KeyPipeline::run() {
  const Carry Of = carry();
  FailureOr<Values> Registers = L.flatten(Loop, Of.Inits);
  if (failed(Registers))
    return failure();
  hoist();
  raiseBits();
  chooseSlots();
  shareSlot();
  chooseAhead();

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
  if (Scores) {
    AddBlock(Pipeline.getFirst(), {}, {});
    if (failed(readFirst(Pipeline)))
      return failure();
    llvm::append_range(
        *Registers, Pipeline.getFirst().front().getTerminator()->getOperands());
  }
  AddBlock(Pipeline.getConsume(), Tile, *Registers);
  const SharedMemory::Scope OfTurn(L.Shared, /*Repeated=*/true);
  if (failed(produce(Pipeline)) || failed(consume(Pipeline, Of)))
    return failure();
  L.bind(Of.Results, Of.Inits, Pipeline.getResults());
  return success();
}
