// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Normalize.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/FoldUtils.h"
#include "passes/Passes.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNNORMALIZEPATTERN
#include "passes/Passes.h.inc"

namespace {

/// Folds a score region and drops what it does not do: a factor of one, and the
/// whole region where it leaves every score as it is.
void simplifyScore(attn::PatternOp pattern) {
  Block &block = pattern.getScore().front();
  OperationFolder folder(pattern.getContext());
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator()))
    (void)folder.tryToFold(&op);
  auto score = cast<attn::ScoreOp>(block.getTerminator());
  if (score.getFactor() && matchPattern(score.getFactor(), m_OneFloat()))
    score.getFactorMutable().clear();
  if (!score.getFactor() &&
      score.getScore() == block.getArgument(pattern.getNumParams()))
    return block.erase();
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(block.without_terminator())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

struct AttnNormalizePattern
    : impl::AttnNormalizePatternBase<AttnNormalizePattern> {
  void runOnOperation() override {
    // Every pattern is looked at, so that one run reports every mistake.
    getOperation().walk([&](attn::PatternOp pattern) {
      FailureOr<attn::FormulaAttr> formula = attn::normalize(pattern);
      if (failed(formula))
        return signalPassFailure();
      pattern.setFormulaAttr(*formula);
      if (pattern.hasScore())
        simplifyScore(pattern);
    });
  }
};
} // namespace
} // namespace heddle
