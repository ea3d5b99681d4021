// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scores that become weights as soon as a register tile is done. A softmax may
// measure its weights from anything: what counts is o / l and m + log l. So m
// stays what it is, the register tiles of the scores end as 2^(s - m), and
// nobody looks for the largest score. What that needs is checked once per tile:
// that m is above -infinity, and that no sum of weights is beyond `LargestSum`.
// Else the step that moves m (Milakov and Gimelshein's) does the tile anew, as
// it does the first one of every row; it moves m beyond the largest score, by
// `Margin`, so that it is seldom needed again.

#include "codegen/cpu/Causal.h"
#include "codegen/cpu/Softmax.h"
#include "codegen/cpu/TileLowering.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// Of the weights of a tile. With weights up to 1 the largest of values can be
/// summed up as if m were the largest score.
static constexpr float LargestSum = 1;

/// In units of log2: room for scores to rise, at the price of as many powers of
/// two at the lower end of values and weights.
static constexpr float Margin = 12;

/// The values that the operand becomes where control goes next, or nothing for
/// an operation that hands nothing on.
static SmallVector<Value> handedOn(OpOperand &Use) {
  Operation *User = Use.getOwner();
  unsigned Number = Use.getOperandNumber();
  return llvm::TypeSwitch<Operation *, SmallVector<Value>>(User)
      .Case([&](scf::ForOp Op) -> SmallVector<Value> {
        return {Op.getTiedLoopRegionIterArg(&Use), Op.getTiedLoopResult(&Use)};
      })
      .Case([&](scf::WhileOp Op) -> SmallVector<Value> {
        return {Op.getBeforeArguments()[Number]};
      })
      .Case([&](scf::ConditionOp Op) -> SmallVector<Value> {
        auto While = cast<scf::WhileOp>(Op->getParentOp());
        return {While.getAfterArguments()[Number - 1],
                While.getResult(Number - 1)};
      })
      .Case([&](tile::EachHeadOp Op) -> SmallVector<Value> {
        unsigned Tile = Number - 2;
        SmallVector<Value> Next = {Op.getBody().getArgument(1 + Tile)};
        if (Tile >= Op.getReads().size())
          Next.push_back(Op.getResult(Tile - Op.getReads().size()));
        return Next;
      })
      .Case([&](tile::YieldOp Op) -> SmallVector<Value> {
        if (!isa<tile::EachHeadOp>(Op->getParentOp()))
          return {};
        return {Op->getParentOp()->getResult(Number)};
      })
      .Case([&](scf::YieldOp Op) -> SmallVector<Value> {
        Operation *Parent = Op->getParentOp();
        if (auto For = dyn_cast<scf::ForOp>(Parent))
          return {For.getRegionIterArg(Number), For.getResult(Number)};
        if (auto While = dyn_cast<scf::WhileOp>(Parent))
          return {While.getBeforeArguments()[Number]};
        return {Parent->getResult(Number)};
      })
      .Default([](Operation *) { return SmallVector<Value>(); });
}

/// True if nothing but the end of a row, where the reference cancels out, sees
/// what a step results in.
static bool isReferenceFree(tile::SoftmaxStepOp Step) {
  SmallVector<Value> Left = llvm::to_vector_of<Value>(Step->getResults());
  llvm::DenseSet<Value> Known(Left.begin(), Left.end());
  while (!Left.empty()) {
    for (OpOperand &Use : Left.pop_back_val().getUses()) {
      Operation *User = Use.getOwner();
      unsigned Number = Use.getOperandNumber();
      if (isa<tile::FinishOp>(User))
        continue;
      bool IsPassed =
          llvm::TypeSwitch<Operation *, bool>(User)
              .Case([&](tile::SoftmaxStepOp Op) {
                return Number != Op.getSMutable().getOperandNumber();
              })
              .Case([&](tile::AccumulateOp Op) {
                return Number != Op.getVMutable().getOperandNumber();
              })
              .Case([](tile::RescaleOp) { return true; })
              .Default([](Operation *) { return false; });
      SmallVector<Value> Next = handedOn(Use);
      if (IsPassed)
        llvm::append_range(Next, User->getResults());
      if (Next.empty())
        return false;
      for (Value V : Next)
        if (Known.insert(V).second)
          Left.push_back(V);
    }
  }
  return true;
}

std::optional<TileLowering::LazyStep>
TileLowering::lazyStep(tile::ScoresOp Op) {
  auto Step = dyn_cast_or_null<tile::SoftmaxStepOp>(Op->getNextNode());
  if (!Step || Step.getS() != Op.getS() || !Op.getS().hasOneUse() ||
      isOfChunk(Op) || needsLowerOnly(Op.getS()))
    return {};
  // Without an earlier tile there is no reference; sums of few rows are scaled
  // where they are added to.
  if (!isa<BlockArgument>(Step.getM()) || Few)
    return {};
  // The sums are left alone as a rule, and brought to another reference where
  // they are.
  if (!Step.getAlpha().hasOneUse())
    return {};
  auto Rescale = dyn_cast<tile::RescaleOp>(*Step.getAlpha().user_begin());
  if (!Rescale || Rescale->getBlock() != Op->getBlock() ||
      Rescale.getAlpha() != Step.getAlpha())
    return {};
  auto Sums = Tiles.find(Rescale.getO());
  if (Sums == Tiles.end() || !Sums->second.inWorkspace() ||
      !endsLife(Rescale, Rescale.getO()) ||
      !isUntouched(Rescale.getO(), Op, Rescale) || !isReferenceFree(Step))
    return {};
  return LazyStep{Step, Rescale};
}

Value TileLowering::marginOf(tile::SoftmaxStepOp Step) {
  if (!Weighs)
    return {};
  return B.f32(isReferenceFree(Step) ? Margin : 0.0F);
}

void TileLowering::leaveUnweighed(Product &P) {
  if (P.Counting != Part::All)
    return;
  P.Weigh.IsOff = B.constant(B.getBoolAttr(true));
  // Anything that can be read.
  P.Weigh.Reference = P.B;
  P.Weigh.Sums = P.C;
}

void TileLowering::lowerLazily(tile::ScoresOp Op, LazyStep Lazy) {
  Weighs = true;
  tile::SoftmaxStepOp Verb = Lazy.Step;
  Product P = productOf(Op);
  SoftmaxStep Step;
  Step.Scores = cast<RankedTensorType>(Op.getS().getType());
  Buffer To = allocate(Op.getS());
  P.C = Step.S = Step.P = To.Base;
  // What succeeds m and l begins with their values.
  auto Succeed = [&](Value Old, Value New) {
    auto Type = cast<RankedTensorType>(New.getType());
    Buffer Before = stored(Old);
    Buffer Own = successor(Old, Verb);
    copyBuffer(B, Type, Before, Own);
    define(New, Own);
    return Own.Base;
  };
  Step.M = Step.NewM = Succeed(Verb.getM(), Verb.getNewM());
  Step.L = Step.NewL = Succeed(Verb.getL(), Verb.getNewL());
  Buffer Alpha = allocate(Verb.getAlpha());
  Step.Alpha = Alpha.Base;
  Step.Margin = marginOf(Verb);
  Step.Keys = keySpan(Verb, Step.Scores.getDimSize(1));
  define(Verb.getAlpha(), Alpha);
  define(Verb.getP(), To);

  int64_t Length = rowLength(B, Step.Scores);
  auto EachVector = [&](function_ref<void(int64_t)> Body) {
    for (int64_t At = 0; At < Length; At += B.lanes())
      Body(At);
  };
  // The sums of the tile are where alpha is otherwise.
  auto Weighed = scf::IfOp::create(
      B, TypeRange{B.getI1Type()}, emitHasReferences(B, Length, Step.M),
      /*addThenBlock=*/true, /*addElseBlock=*/true);
  {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(Weighed.thenBlock());
    EachVector([&](int64_t At) {
      B.storeVector(B.splat(0.0F), B.offset(Step.Alpha, At));
    });
    P.Weigh.IsOff = B.constant(B.getBoolAttr(false));
    P.Weigh.Reference = Step.M;
    P.Weigh.Sums = Step.Alpha;
    callProduct("scores", P);
    scf::YieldOp::create(B, emitIsWithin(B, Length, Step.Alpha, LargestSum));
    B.setInsertionPointToStart(Weighed.elseBlock());
    scf::YieldOp::create(B, ValueRange{B.constant(B.getBoolAttr(false))});
  }
  B.branch(
      Weighed.getResult(0),
      [&] {
        EachVector([&](int64_t At) {
          Value L = B.offset(Step.L, At);
          Value Sum = B.loadVector(B.offset(Step.Alpha, At));
          B.storeVector(B.fadd(B.loadVector(L), Sum), L);
        });
      },
      [&] {
        leaveUnweighed(P);
        callProduct("scores", P);
        callSoftmaxStep(Step);
        Tile Sums = Tiles.lookup(Lazy.Rescale.getO());
        Sums.Factor.PerQuery = Step.Alpha;
        scale(Sums, Sums.Data);
      });
  Rescaled.insert(Lazy.Rescale);
}
