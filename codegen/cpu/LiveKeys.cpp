// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys of a partial tile that none of its queries keeps are neither multiplied
// nor weighed, as far as they lie before the first or behind the last that one
// does: half of a tile on a diagonal.

#include "codegen/cpu/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// True if `Op` could stand where `Place` does, later in the same block.
static bool isKnownAt(Operation *Op, Operation *Place) {
  return llvm::all_of(Op->getOperands(), [&](Value V) {
    Operation *Def = V.getDefiningOp();
    return !Def || Def->getBlock() != Place->getBlock() ||
           Def->isBeforeInBlock(Place);
  });
}

/// True if `Op` is in the block of `Place`, or made for all heads before what
/// each of them does there.
static bool isBesideOrShared(Operation *Op, Operation *Place) {
  if (isa<tile::EachHeadOp>(Place->getParentOp()) &&
      Op->getBlock() != Place->getBlock())
    Place = Place->getParentOp();
  return Op->getBlock() == Place->getBlock();
}

/// The only user of a value, if it is of this kind and of its block.
template <typename Verb> static Verb onlyUser(Value V) {
  if (!V.hasOneUse())
    return {};
  auto User = dyn_cast<Verb>(*V.user_begin());
  return User && User->getBlock() == V.getParentBlock() ? User : Verb();
}

void TileLowering::findSpans() {
  // Products of few rows take all keys.
  if (Few)
    return;
  Kernel.walk([&](tile::BitsOp Op) {
    tile::MaskOp Mask;
    SmallVector<tile::AccumulateOp> Sums;
    for (Operation *User : Op.getBits().getUsers()) {
      if (auto Sum = dyn_cast<tile::AccumulateOp>(User))
        Sums.push_back(Sum);
      else if (isa<tile::MaskOp>(User) && !Mask)
        Mask = cast<tile::MaskOp>(User);
      else
        return;
    }
    auto Step = Mask ? onlyUser<tile::SoftmaxStepOp>(Mask.getResult())
                     : tile::SoftmaxStepOp();
    if (!Step || Step.getS() != Mask.getResult() ||
        !isBesideOrShared(Op, Mask) || isOfChunk(Mask))
      return;
    // What is left out has no weight: the sums must not look at it either.
    for (OpOperand &Use : Step.getP().getUses()) {
      auto Sum = dyn_cast<tile::AccumulateOp>(Use.getOwner());
      if (!Sum || !llvm::is_contained(Sums, Sum) ||
          Use.getOperandNumber() != Sum.getPMutable().getOperandNumber())
        return;
    }
    if (!llvm::all_of(Sums, [&](tile::AccumulateOp Sum) {
          return Sum.getP() == Step.getP() &&
                 Sum->getBlock() == Mask->getBlock();
        }))
      return;
    SpannedBy[Mask] = SpannedBy[Step] = Op.getBits();
    for (tile::AccumulateOp Sum : Sums)
      SpannedBy[Sum] = Op.getBits();
    auto Scores = Mask.getS().getDefiningOp<tile::ScoresOp>();
    if (Scores && onlyUser<tile::MaskOp>(Scores.getS()) &&
        isKnownAt(Op, Scores))
      SpannedBy[Scores] = Op.getBits();
  });
}

KeySpan TileLowering::keySpan(Operation *Verb, int64_t Keys) {
  // Full tiles share the code.
  if (SpannedBy.empty())
    return {};
  if (Value Bits = SpannedBy.lookup(Verb))
    return Spans.lookup(Bits);
  return {B.i64(0), B.i64(Keys)};
}
