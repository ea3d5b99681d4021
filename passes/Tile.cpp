// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Passes.h"
#include "passes/TileKernels.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNTILE
#include "passes/Passes.h.inc"

namespace {

struct AttnTile : impl::AttnTileBase<AttnTile> {
  void runOnOperation() override {
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      auto entry = function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
      if (!entry || entry.getState() || function->hasAttr(tile::kKernelAttr))
        continue;
      if (failed(lower(function, entry)))
        return signalPassFailure();
    }
  }

  /// The attention of a function that does nothing else.
  static FailureOr<attn::AttentionOp> onlyAttention(func::FuncOp function) {
    Block &body = function.getBody().front();
    auto attention = dyn_cast<attn::AttentionOp>(body.front());
    if (!attention || std::next(body.begin(), 2) != body.end() ||
        body.back().getOperands() != attention.getResults())
      return function.emitError()
             << "expected a kernel function that holds one 'attn.attention' "
                "and returns its results";
    for (Value operand : attention.getOperands())
      if (!isa<BlockArgument>(operand))
        return attention.emitOpError()
               << "expected arguments of the kernel function as operands";
    return attention;
  }

  /// What this level has no words for.
  static LogicalResult checkClauses(attn::AttentionOp attention,
                                    const KernelSpec &spec) {
    for (const KernelSource &source : spec.sources) {
      attn::PatternOp pattern = source.pattern;
      if (!pattern.getRotate().empty() && spec.entry.getQk() % 2 != 0)
        return attention.emitOpError()
               << "has head dim " << spec.entry.getQk()
               << "; expected an even one for the rotation of pattern '"
               << pattern.getSymName() << "'";
      if (pattern.hasGrid() &&
          spec.normalizer().getKind() == attn::NormalizerKind::Grouped)
        return pattern.emitOpError()
               << "groups the keys of a token grid; expected a plain sequence";
    }
    return success();
  }

  static LogicalResult lower(func::FuncOp function, attn::EntryAttr entry) {
    FailureOr<attn::AttentionOp> attention = onlyAttention(function);
    if (failed(attention))
      return failure();
    FailureOr<KernelSpec> spec = findKernelSpec(function, entry);
    if (failed(spec) || failed(checkClauses(*attention, *spec)))
      return failure();
    KernelFrame frame(function, *spec);
    buildTaskKernel(frame);
    buildCountKernel(frame);
    // A problem is checked once, by the kernel's ordinary code.
    if (!entry.getPacked())
      buildCheckKernel(frame);
    if (spec->outputs().hasColumns())
      buildColumnsKernel(frame);
    function.erase();
    return success();
  }
};

} // namespace
} // namespace heddle
