// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_LINEARLAUNCH_H
#define HEDDLE_RUNTIME_SRC_LINEARLAUNCH_H

#include "Plan.h"
#include "Pool.h"

namespace heddle::runtime {

/// Checks the tensors of a launch of a linear kernel and runs it. Throws
/// std::bad_alloc before anything is written.
heddle_error *launchLinear(const heddle_plan &Plan,
                           const heddle_tensors &Tensors, heddle_pool &Pool);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_LINEARLAUNCH_H
