// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/KernelSpec.h"
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

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
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

  /// What the pattern and the outputs ask of any schedule; empty if it is met.
  static std::string findMisfit(attn::ScheduleAttr schedule,
                                const KernelShape &shape,
                                attn::OutputsAttr outputs) {
    auto number = [](int64_t value) { return std::to_string(value); };
    if (schedule.getKeyBox().size() != shape.Axes)
      return "its boxes have " + number(schedule.getKeyBox().size()) +
             " axes, expected the " + number(shape.Axes) +
             " of the pattern's token grid";
    if (shape.Group && schedule.getKeyTile() != shape.Group)
      return "'key_tile' is " + number(schedule.getKeyTile()) +
             ", expected the " + number(shape.Group) + " keys of a group";
    // One task has the maxima of a block's columns to itself, but on a grid,
    // where boxes and blocks cut one another.
    if (outputs.hasBlockMax() && shape.Axes == 0 &&
        schedule.getKeyTile() % outputs.getBlockK() != 0)
      return "'key_tile' is " + number(schedule.getKeyTile()) +
             ", expected a multiple of the " + number(outputs.getBlockK()) +
             " columns of a block";
    return {};
  }

  attn::ScheduleAttr choose(const Target &target, StringRef level,
                            KernelShape shape, attn::OutputsAttr outputs) {
    attn::ScheduleAttr schedule =
        target.chooseSchedule(&getContext(), level, shape);
    // Blocks that the usual tile would cut decide the tile, as groups do.
    if (!shape.Group && outputs.hasBlockMax() && shape.Axes == 0 &&
        schedule.getKeyTile() % outputs.getBlockK() != 0) {
      shape.Group = outputs.getBlockK();
      schedule = target.chooseSchedule(&getContext(), level, shape);
    }
    return schedule;
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

    SmallVector<attn::PatternOp> patterns =
        findPatterns(attention, attention.getPatternAttr());
    assert(!patterns.empty() && "the operation is valid");
    KernelShape shape =
        describeKernel(patterns, tensorType(attention.getQ()).getDimSize(3),
                       tensorType(attention.getV()).getDimSize(3),
                       tensorType(attention.getQ()).getElementType());
    shape.IsPacked = function->hasAttr(PackedAttr);
    attn::OutputsAttr outputs = attention.getRequestedOutputs();
    attn::ScheduleAttr schedule = attention.getScheduleAttr();
    if (!schedule)
      schedule = choose(*target, levelName, shape, outputs);
    std::string problem = target->checkSchedule(schedule, levelName);
    if (problem.empty())
      problem = findMisfit(schedule, shape, outputs);
    if (!problem.empty())
      return attention.emitOpError()
             << "has a schedule that level '" << levelName
             << "' can't build: " << problem;

    StringRef name = function.getName();
    if (auto attribute = function->getAttrOfType<StringAttr>(KernelNameAttr))
      name = attribute.getValue();
    function->setAttr(
        tile::kEntryAttr,
        attn::EntryAttr::get(&getContext(), name, attention.getPatternAttr(),
                             levelName, shape.Qk, shape.V,
                             tensorType(attention.getQ()).getElementType(),
                             tensorType(attention.getO()).getElementType(),
                             outputs, schedule, shape.IsPacked));
    function->removeAttr(PackedAttr);
    function->removeAttr(LevelAttr);
    function->removeAttr(KernelNameAttr);
    attention.removeScheduleAttr();
    return success();
  }
};

} // namespace
} // namespace heddle
