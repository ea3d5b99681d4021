// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_SCHEDULES_H
#define HEDDLE_CODEGEN_NV_SCHEDULES_H

#include "codegen/Target.h"
#include "codegen/nv/Levels.h"

namespace heddle::nv {

/// Rows of a product of tensor cores (mma.m16n8k16), and its depth: a warp has
/// so many queries, and a tile of keys is a multiple of it.
inline constexpr int64_t FragmentRows = 16;

/// What a CTA of attention needs of shared memory, in bytes: the queries, and
/// `stages` tiles of keys and of values.
int64_t sharedBytes(attn::ScheduleAttr Schedule, const KernelShape &Shape);

attn::ScheduleAttr chooseSchedule(mlir::MLIRContext *Context,
                                  const NvLevel &Level,
                                  const KernelShape &Shape);

std::vector<ScheduleChoice> weighSchedules(mlir::MLIRContext *Context,
                                           const NvLevel &Level,
                                           const KernelShape &Shape);

KernelCost estimateCost(attn::ScheduleAttr Schedule, const NvLevel &Level,
                        const KernelShape &Shape);

/// See Target::checkSchedule.
std::string checkSchedule(attn::ScheduleAttr Schedule, const NvLevel &Level);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_SCHEDULES_H
