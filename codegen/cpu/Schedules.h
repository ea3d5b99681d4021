// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_SCHEDULES_H
#define HEDDLE_CODEGEN_CPU_SCHEDULES_H

#include "codegen/cpu/Levels.h"

namespace heddle::cpu {

/// The schedules that the cost model compares for a kernel at `Level`, which
/// must exist. The first is that of the level; it is chosen unless another is
/// expected to be faster by more than the model can be trusted.
std::vector<ScheduleChoice> weighSchedules(mlir::MLIRContext *Context,
                                           llvm::StringRef Level,
                                           const KernelShape &Shape);

/// The chosen one of them.
attn::ScheduleAttr chooseSchedule(mlir::MLIRContext *Context,
                                  llvm::StringRef Level,
                                  const KernelShape &Shape);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_SCHEDULES_H
