// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Passes.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_TILESIMPLIFY
#include "passes/Passes.h.inc"

namespace {
struct TileSimplify : impl::TileSimplifyBase<TileSimplify> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    auto *dialect = context->getLoadedDialect<tile::TileDialect>();
    for (RegisteredOperationName name : context->getRegisteredOperations())
      if (&name.getDialect() == dialect)
        name.getCanonicalizationPatterns(owned, context);
    patterns = FrozenRewritePatternSet(std::move(owned));
    return success();
  }

  void runOnOperation() override {
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal(true);
    // Kernels only: the regions of patterns stay as they were written.
    getOperation().walk([&](func::FuncOp function) {
      if (failed(applyPatternsGreedily(function, patterns, config)))
        signalPassFailure();
    });
  }

  FrozenRewritePatternSet patterns;
};
} // namespace
} // namespace heddle
