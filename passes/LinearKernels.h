// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a linear attention, one file each.

#ifndef HEDDLE_PASSES_LINEARKERNELS_H
#define HEDDLE_PASSES_LINEARKERNELS_H

#include "passes/LinearFrame.h"

namespace heddle {

/// Calls `build` with a frame for every function that holds one `attn.linear`
/// and has an entry. Fails, with a diagnostic, where such a function does more,
/// or where `build` does.
mlir::LogicalResult forEachLinear(
    mlir::ModuleOp module,
    llvm::function_ref<mlir::LogicalResult(mlir::func::FuncOp, LinearFrame &)>
        build);

/// All rows of a head, chunk by chunk: "task", or for some of the values
/// "slice".
void buildChunkTask(LinearFrame &frame, llvm::StringRef kind = "task");
/// The state after a stretch of keys, and the product of its factors.
void buildStateKernel(LinearFrame &frame);

} // namespace heddle

#endif // HEDDLE_PASSES_LINEARKERNELS_H
