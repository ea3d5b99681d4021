// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_PACKEDLAUNCH_H
#define HEDDLE_RUNTIME_SRC_PACKEDLAUNCH_H

#include "Plan.h"
#include "Pool.h"

namespace heddle::runtime {

/// Runs the tasks of a plan with packed code, and merges the parts of rows.
/// Throws std::bad_alloc before anything is written.
void runPacked(const heddle_plan &Plan, const heddle_args &Args,
               heddle_pool &Pool);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_PACKEDLAUNCH_H
