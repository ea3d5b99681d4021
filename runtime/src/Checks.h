// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_CHECKS_H
#define HEDDLE_RUNTIME_SRC_CHECKS_H

#include "Plan.h"

namespace heddle::runtime {

/// Lets the kernel check the operands of a plan, which are prepared, against
/// what its pattern does with them.
heddle_error *runChecks(const heddle_plan &Plan);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_CHECKS_H
