// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chunks of recurrences on a device.

#ifndef HEDDLE_CODEGEN_NV_STATESCHEDULES_H
#define HEDDLE_CODEGEN_NV_STATESCHEDULES_H

#include "codegen/Target.h"
#include "codegen/nv/Levels.h"

namespace heddle::nv {

/// What the tiles of a chunk of so many tokens take of shared memory, about, in
/// bytes. What does not fit lies in the device's memory.
int64_t stateSharedBytes(int64_t Tokens, const KernelShape &Shape);

std::vector<ScheduleChoice> weighStateChunks(mlir::MLIRContext *Context,
                                             const NvLevel &Level,
                                             const KernelShape &Shape);

/// Of one chunk of one head.
KernelCost estimateStateChunk(int64_t Tokens, const NvLevel &Level,
                              const KernelShape &Shape);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_STATESCHEDULES_H
