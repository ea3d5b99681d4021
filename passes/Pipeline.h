// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_PASSES_PIPELINE_H
#define HEDDLE_PASSES_PIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace heddle {

/// Pattern text to schedules: the end of the `attn` level.
void buildAttnPipeline(mlir::OpPassManager &passes);
/// The `tile` level, ready for a target's lowering; what is for other devices
/// is in modules of its own. Recurrences go by chunks and by tokens or, if
/// `quadratic`, over pairs of tokens.
void buildTilePipeline(mlir::OpPassManager &passes, bool quadratic);

} // namespace heddle

#endif // HEDDLE_PASSES_PIPELINE_H
