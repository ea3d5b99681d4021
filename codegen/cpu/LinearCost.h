// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a chunk of tokens of a linear attention costs, and which length of
// chunks is the best. Long chunks have more pairs of tokens, short ones touch
// the whole state more often and fill fewer registers.

#ifndef HEDDLE_CODEGEN_CPU_LINEARCOST_H
#define HEDDLE_CODEGEN_CPU_LINEARCOST_H

#include "codegen/cpu/CostModel.h"

namespace heddle::cpu {

/// `Full` is a chunk, `Task` comes once per stretch of them.
KernelCost estimateChunk(const Machine &M, const Blocking &Sizes,
                         const KernelShape &Shape, int64_t KeyBytes);

/// The chunks that the cost model compares, the usual one first.
std::vector<ScheduleChoice> weighChunks(mlir::MLIRContext *Context,
                                        const CpuLevel &Level,
                                        const KernelShape &Shape);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_LINEARCOST_H
