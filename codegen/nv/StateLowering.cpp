// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/StateLowering.h"

#include "codegen/nv/RolledLoops.h"
#include "codegen/nv/SharedCode.h"
#include "heddle/abi.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

/// What is unrolled is text that ptxas works on: the more verbs a kernel has,
/// the less of each.
static Config withTurns(func::FuncOp Kernel, Config C) {
  constexpr int64_t Many = 110, VeryMany = 160;
  int64_t Verbs = 0;
  Kernel.walk([&](Operation *Op) {
    Verbs += isa<tile::TileDialect>(Op->getDialect()) ? 1 : 0;
  });
  C.ElementsTogether = Verbs > VeryMany ? 1 : Verbs > Many ? 2 : 4;
  C.StepsTogether = Verbs > Many ? 1 : 2;
  return C;
}

StateLowering::StateLowering(func::FuncOp Kernel, Block *Entry,
                             tile::KernelKind Kind, const Config &C)
    : KernelCode(Kernel, Entry, Kind, withTurns(Kernel, C)) {}

LogicalResult StateLowering::run() {
  mapArguments();
  Value Workspace = argument(offsetof(heddle_device_launch, workspace),
                             B.ptrType(Space::Global));
  WorkspaceSize = arith::ConstantOp::create(B, B.getI64IntegerAttr(0));
  Arena.emplace(B, B.bytes(Workspace, B.mul(B.toI64(B.cta()), WorkspaceSize)),
                B.config().SharedLimit);
  if (failed(lowerBlock(Kernel.getBody().front())))
    return failure();
  WorkspaceSize.setValueAttr(B.getI64IntegerAttr(workspaceBytes()));
  auto Function = cast<LLVM::LLVMFuncOp>(Entry->getParentOp());
  Function.setPassthroughAttr(B.getStrArrayAttr({RolledAttr}));
  shareCode(Function, Pieces);
  return success();
}

void StateLowering::collectPieces(Operation *Before) {
  Block &Here = *B.getInsertionBlock();
  auto First = Before ? std::next(Before->getIterator()) : Here.begin();
  for (Operation &Op : llvm::make_range(First, B.getInsertionPoint()))
    if (isa<scf::ForOp, scf::IfOp>(Op) && Op.getNumResults() == 0)
      Pieces.push_back(&Op);
}

LogicalResult StateLowering::lowerBlock(Block &Block) {
  findLastUses(Block);
  for (Operation &Op : Block) {
    // The terminators of regions belong to whoever has the region.
    if (isa<scf::YieldOp, scf::ConditionOp, tile::YieldOp>(Op))
      continue;
    B.setLoc(Op.getLoc());
    // What is made ahead of this operation serves it and those after it.
    if (&Block == &Kernel.getBody().front())
      Top = &Entry->back();
    Operation *Before = B.getInsertionPoint() == B.getInsertionBlock()->begin()
                            ? nullptr
                            : &*std::prev(B.getInsertionPoint());
    if (failed(lowerOp(&Op)))
      return failure();
    if (!isa<scf::ForOp, scf::WhileOp, scf::IfOp>(Op))
      collectPieces(Before);
    releaseAfter(&Op);
  }
  return success();
}

LogicalResult StateLowering::lowerOp(Operation *Op) {
  auto Verb = [&](auto Op) {
    lower(Op);
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(Op)
      .Case<tile::DimOp, tile::LoadOp, tile::StoreOp, tile::LoadTableOp,
            tile::FillOp, tile::TransposeOp, tile::RowOp, tile::ElementOp,
            tile::ScaleOp, tile::RescaleOp, tile::ScoresOp, tile::MaskOp,
            tile::SoftmaxStepOp, tile::FinishOp, tile::ReduceOp, tile::DecaysOp,
            tile::DecayedScoresOp, tile::CumulateOp, tile::SolveOp,
            tile::ExpandOp>(Verb)
      .Case([&](tile::AccumulateOp Sum) {
        return failed(checkSum(Sum)) ? failure() : Verb(Sum);
      })
      .Case<attn::AtOp, attn::SpanOp, attn::SeekOp, attn::ProbeOp, attn::RankOp,
            attn::MemberOp, attn::ExtentOp>(Verb)
      // Made where somebody wants them.
      .Case([](tile::BitsOp) { return success(); })
      .Case<scf::ForOp, scf::WhileOp, scf::IfOp, tile::MapOp>(
          [&](auto Op) { return lower(Op); })
      .Case<arith::AddFOp, arith::SubFOp, arith::MulFOp>([&](Operation *Op) {
        return isTile(Op->getResult(0)) ? lowerElementwise(Op)
                                        : lowerScalarOp(Op);
      })
      .Case([&](func::ReturnOp) {
        LLVM::ReturnOp::create(B, ValueRange());
        return success();
      })
      .Default([&](Operation *Op) { return lowerScalarOp(Op); });
}
