// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Normalize.h"
#include "passes/Passes.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNNORMALIZEPATTERN
#include "passes/Passes.h.inc"

namespace {
struct AttnNormalizePattern
    : impl::AttnNormalizePatternBase<AttnNormalizePattern> {
  void runOnOperation() override {
    // Every pattern is looked at, so that one run reports every mistake.
    getOperation().walk([&](attn::PatternOp pattern) {
      FailureOr<attn::FormulaAttr> formula = attn::normalize(pattern);
      if (failed(formula))
        signalPassFailure();
      else
        pattern.setFormulaAttr(*formula);
    });
  }
};
} // namespace
} // namespace heddle
