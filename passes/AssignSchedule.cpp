// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/KernelSpec.h"
#include "passes/Passes.h"
#include "llvm/ADT/STLExtras.h"

#include <numeric>

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
      auto linears = function.getOps<attn::LinearOp>();
      LogicalResult done = success();
      if (!attentions.empty())
        done = assign(function, *attentions.begin());
      else if (!linears.empty())
        done = assign(function, *linears.begin());
      if (failed(done))
        signalPassFailure();
    });
  }

  /// Whether tiles of keys cut blocks that they must not cut: one task has the
  /// maxima of a block's columns to itself, but on a grid, where boxes and
  /// blocks cut one another, and on a device, where many tasks raise a maximum
  /// at once.
  static bool cutsBlocks(attn::ScheduleAttr schedule, const KernelShape &shape,
                         attn::OutputsAttr outputs, const Target &target) {
    return outputs.hasBlockMax() && shape.Axes == 0 && !target.isDevice() &&
           schedule.getKeyTile() % outputs.getBlockK() != 0;
  }

  /// What the pattern and the outputs ask of any schedule; empty if it is met.
  static std::string findMisfit(attn::ScheduleAttr schedule,
                                const KernelShape &shape,
                                attn::OutputsAttr outputs,
                                const Target &target) {
    auto number = [](int64_t value) { return std::to_string(value); };
    if (schedule.getKeyBox().size() != shape.Axes)
      return "its boxes have " + number(schedule.getKeyBox().size()) +
             " axes, expected the " + number(shape.Axes) +
             " of the pattern's token grid";
    if (shape.Group && schedule.getKeyTile() != shape.Group)
      return "'key_tile' is " + number(schedule.getKeyTile()) +
             ", expected the " + number(shape.Group) + " keys of a group";
    if (schedule.getHeads() > 1 && shape.IsPacked)
      return "its tasks take " + number(schedule.getHeads()) +
             " heads, expected 1 where rows are heads";
    if (schedule.getHeads() > 1 && !shape.HeadsAgree)
      return "its tasks take " + number(schedule.getHeads()) +
             " heads, expected 1 for a pattern whose kept pairs depend on the "
             "head";
    if (cutsBlocks(schedule, shape, outputs, target))
      return "'key_tile' is " + number(schedule.getKeyTile()) +
             ", expected a multiple of the " + number(outputs.getBlockK()) +
             " columns of a block";
    return {};
  }

  attn::ScheduleAttr choose(const Target &target, StringRef level,
                            KernelShape shape, attn::OutputsAttr outputs) {
    if (outputs.hasBlockMax())
      shape.KeyBlock = std::gcd(shape.KeyBlock, outputs.getBlockK());
    attn::ScheduleAttr schedule =
        target.chooseSchedule(&getContext(), level, shape);
    // Blocks that the usual tile would cut decide the tile, as groups do.
    if (!shape.Group && cutsBlocks(schedule, shape, outputs, target)) {
      shape.Group = outputs.getBlockK();
      schedule = target.chooseSchedule(&getContext(), level, shape);
    }
    return schedule;
  }

  /// The level a function is for, and the target that serves it.
  const Target *findTarget(func::FuncOp function, std::string &levelName) {
    levelName = level;
    if (auto attribute = function->getAttrOfType<StringAttr>(LevelAttr))
      levelName = attribute.str();
    if (levelName.empty())
      levelName = bestLevelHere();
    const Target *target = findTargetOfLevel(levelName);
    if (!target)
      function.emitError() << "expected the name of a target level, found '"
                           << levelName << "'";
    return target;
  }

  static LogicalResult checkShape(Operation *op, const Target &target,
                                  StringRef level, const KernelShape &shape) {
    if (shape.Tf32 && !target.hasTf32())
      return op->emitOpError() << "is to have products of tf32, and level '"
                               << level << "' has none";
    if (shape.Tf32 && shape.ElementBytes != sizeof(float))
      return op->emitOpError()
             << "is to have products of tf32, expected elements of f32";
    if (std::string problem = target.checkShape(shape, level); !problem.empty())
      return op->emitOpError() << "has no code: " << problem;
    return success();
  }

  static LogicalResult refuse(Operation *op, StringRef level,
                              const std::string &problem) {
    return op->emitOpError() << "has a schedule that level '" << level
                             << "' can't build: " << problem;
  }

  static StringRef nameOf(func::FuncOp function) {
    auto attribute = function->getAttrOfType<StringAttr>(KernelNameAttr);
    return attribute ? attribute.getValue() : function.getName();
  }

  /// Puts the entry in the place of what it came from.
  static void setEntry(func::FuncOp function, attn::EntryAttr entry) {
    function->setAttr(tile::kEntryAttr, entry);
    function->removeAttr(PackedAttr);
    function->removeAttr(Tf32Attr);
    function->removeAttr(LevelAttr);
    function->removeAttr(KernelNameAttr);
  }

  LogicalResult assign(func::FuncOp function, attn::AttentionOp attention) {
    std::string levelName;
    const Target *target = findTarget(function, levelName);
    if (!target)
      return failure();

    SmallVector<attn::PatternOp> patterns =
        findPatterns(attention, attention.getPatternAttr());
    assert(!patterns.empty() && "the operation is valid");
    KernelShape shape =
        describeKernel(patterns, tensorType(attention.getQ()).getDimSize(3),
                       tensorType(attention.getV()).getDimSize(3),
                       tensorType(attention.getQ()).getElementType());
    shape.IsPacked = function->hasAttr(PackedAttr);
    shape.Tf32 = function->hasAttr(Tf32Attr);
    if (auto limit = function->getAttrOfType<IntegerAttr>(SharedMemoryAttr))
      shape.SharedLimit = limit.getInt();
    if (failed(checkShape(attention, *target, levelName, shape)))
      return failure();
    attn::OutputsAttr outputs = attention.getRequestedOutputs();
    attn::ScheduleAttr schedule = attention.getScheduleAttr();
    if (!schedule)
      schedule = choose(*target, levelName, shape, outputs);
    std::string problem = target->checkSchedule(schedule, levelName);
    if (problem.empty())
      problem = findMisfit(schedule, shape, outputs, *target);
    if (!problem.empty())
      return refuse(attention, levelName, problem);
    setEntry(function,
             attn::EntryAttr::get(
                 &getContext(), nameOf(function), attention.getPatternAttr(),
                 levelName, shape.Qk, shape.V,
                 tensorType(attention.getQ()).getElementType(),
                 tensorType(attention.getO()).getElementType(), outputs,
                 schedule, shape.IsPacked, shape.Tf32));
    attention.removeScheduleAttr();
    return success();
  }

  LogicalResult assign(func::FuncOp function, attn::LinearOp linear) {
    std::string levelName;
    const Target *target = findTarget(function, levelName);
    if (!target)
      return failure();

    auto recurrence = SymbolTable::lookupNearestSymbolFrom<attn::RecurrenceOp>(
        linear, linear.getRecurrenceAttr());
    assert(recurrence && "the operation is valid");
    RankedTensorType q = tensorType(linear.getQ()),
                     o = tensorType(linear.getO());
    KernelShape shape = describeKernel(recurrence, q.getDimSize(3),
                                       o.getDimSize(3), q.getElementType());
    if (failed(checkShape(linear, *target, levelName, shape)))
      return failure();
    attn::ScheduleAttr schedule = linear.getScheduleAttr();
    if (!schedule)
      schedule = target->chooseSchedule(&getContext(), levelName, shape);
    std::string problem = target->checkSchedule(schedule, levelName);
    if (problem.empty() && schedule.getQueryTile() != schedule.getKeyTile())
      problem = "'query_tile' is " + std::to_string(schedule.getQueryTile()) +
                " and 'key_tile' " + std::to_string(schedule.getKeyTile()) +
                ", expected one length for the chunks of a recurrence";
    if (problem.empty() && !schedule.getKeyBox().empty())
      problem = "it has boxes, expected plain chunks";
    if (problem.empty() && schedule.getHeads() != 1)
      problem = "its tasks take " + std::to_string(schedule.getHeads()) +
                " heads, expected 1 for a recurrence";
    if (!problem.empty())
      return refuse(linear, levelName, problem);
    auto state = attn::StateAttr::get(
        &getContext(), recurrence.numStateRows(shape.Qk), recurrence.hasSums(),
        !recurrence.isBidirectional());
    setEntry(function,
             attn::EntryAttr::get(
                 &getContext(), nameOf(function), linear.getRecurrenceAttr(),
                 levelName, shape.Qk, shape.V, q.getElementType(),
                 o.getElementType(),
                 attn::OutputsAttr::get(&getContext(), /*rowMax=*/false,
                                        /*columnSums=*/false, 0, 0),
                 schedule, /*packed=*/false, /*tf32=*/false, state));
    linear.removeScheduleAttr();
    return success();
  }
};

} // namespace
} // namespace heddle
