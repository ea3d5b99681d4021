// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel functions of an entry at the tile level. Each call adds one
// function.

#ifndef HEDDLE_PASSES_TILEKERNELS_H
#define HEDDLE_PASSES_TILEKERNELS_H

#include "passes/KernelFrame.h"

namespace heddle {

/// Rows of the output for one tile of queries.
void buildTaskKernel(KernelFrame &frame);

/// What the task of a tile of queries visits: full and partial key tiles, and
/// on demand kept pairs.
void buildCountKernel(KernelFrame &frame);

/// Sums and maxima over columns for one tile of keys, when all tasks are done.
void buildColumnsKernel(KernelFrame &frame);

/// The checks of Checks.h on one problem.
void buildCheckKernel(KernelFrame &frame);

} // namespace heddle

#endif // HEDDLE_PASSES_TILEKERNELS_H
