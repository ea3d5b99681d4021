// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_SCHEDULES_H
#define HEDDLE_CODEGEN_NV_SCHEDULES_H

#include "codegen/Target.h"
#include "codegen/nv/Levels.h"

namespace heddle::nv {

/// Rows of a product of tensor cores (mma.m16n8k16), and its depth: a warp has
/// so many queries, and a tile of keys is a multiple of it.
inline constexpr int64_t FragmentRows = 16;

/// What `rows` of a schedule is where tiles have any number of keys: those of a
/// group. Tiles are padded then, by keys that nobody keeps.
inline constexpr int64_t UnevenRows = 1;

// A CTA of attention has in shared memory at most: the queries, and `stages`
// tiles of keys and of values. With 16 queries and one stage, which is the
// least, keys and values take turns in one tile, and where that does not fit
// either, rows come in slices of their features.

/// Features of a row that are in shared memory at once, a multiple of 16, where
/// whole rows of a least schedule do not fit into `Limit` bytes; 0 for whole
/// rows, or if not even 16 features fit.
int64_t sliceFeatures(attn::ScheduleAttr Schedule, const KernelShape &Shape,
                      int64_t Limit);

/// What a CTA may have of it: that of the level, or less where less is asked
/// for.
int64_t sharedLimit(const NvLevel &Level, const KernelShape &Shape);

/// Empty if some schedule fits that, otherwise what is missing.
std::string checkShared(const NvLevel &Level, const KernelShape &Shape);

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
