// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Pipeline.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

void heddle::buildAttnPipeline(OpPassManager &passes) {
  passes.addPass(createAttnFuseMerge());
  passes.addPass(createAttnPackHeads());
  passes.addPass(createAttnNormalizePattern());
  passes.addPass(createAttnAssignSchedule());
}

void heddle::buildTilePipeline(OpPassManager &passes, bool quadratic) {
  if (quadratic) {
    passes.addPass(createAttnExpandLinear());
  } else {
    passes.addPass(createAttnStepLinear());
    passes.addPass(createAttnChunkLinear());
  }
  passes.addPass(createAttnTile());
  passes.addPass(createAttnExpandTiles());
  passes.addPass(createTileSimplify());
  // Kernels only: what the region of a pattern asks says what its parameters
  // are, and is read once more when the descriptor is written.
  passes.addNestedPass<func::FuncOp>(mlir::createCSEPass());
  passes.addPass(createAttnOutlineDevices());
}
