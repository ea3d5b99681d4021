// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNASSIGNSCHEDULE
#include "passes/Passes.h.inc"

namespace {

/// The best level of any target that this machine can run.
std::string bestLevelHere() {
  for (const Target *target : targets())
    for (const Level &level : target->levels())
      if (level.runsHere())
        return level.Name;
  return {};
}

struct AttnAssignSchedule : impl::AttnAssignScheduleBase<AttnAssignSchedule> {
  using AttnAssignScheduleBase::AttnAssignScheduleBase;

  void runOnOperation() override {
    getOperation().walk([&](func::FuncOp function) {
      auto attentions = function.getOps<attn::AttentionOp>();
      if (attentions.empty())
        return;
      if (failed(assign(function, *attentions.begin())))
        signalPassFailure();
    });
  }

  LogicalResult assign(func::FuncOp function, attn::AttentionOp attention) {
    std::string levelName = level;
    if (auto attribute = function->getAttrOfType<StringAttr>(LevelAttr))
      levelName = attribute.str();
    if (levelName.empty())
      levelName = bestLevelHere();
    const Target *target = findTargetOfLevel(levelName);
    if (!target)
      return function.emitError()
             << "expected the name of a target level, found '" << levelName
             << "'";

    auto headDim = [](Value tensor) {
      return cast<RankedTensorType>(tensor.getType()).getDimSize(3);
    };
    int64_t qk = headDim(attention.getQ()), v = headDim(attention.getV());
    attn::ScheduleAttr schedule = attention.getScheduleAttr();
    if (!schedule)
      schedule = target->chooseSchedule(&getContext(), levelName, qk, v);
    std::string problem = target->checkSchedule(schedule, levelName);
    if (!problem.empty())
      return attention.emitOpError()
             << "has a schedule that level '" << levelName
             << "' can't build: " << problem;

    StringRef name = function.getName();
    if (auto attribute = function->getAttrOfType<StringAttr>(KernelNameAttr))
      name = attribute.getValue();
    function->setAttr(tile::kEntryAttr,
                      attn::EntryAttr::get(&getContext(), name,
                                           attention.getPatternAttr(),
                                           levelName, qk, v, schedule));
    function->removeAttr(LevelAttr);
    function->removeAttr(KernelNameAttr);
    attention.removeScheduleAttr();
    return success();
  }
};

} // namespace
} // namespace heddle
