// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_PROBLEM_H
#define HEDDLE_RUNTIME_SRC_PROBLEM_H

#include "Error.h"

namespace heddle::runtime {

/// Checks the sizes and scalars of a problem for one kernel. After it, every
/// product of sizes and every position that a kernel computes fits 64 bits.
heddle_error *checkProblem(const heddle_entry &Entry,
                           const heddle_problem &Problem);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_PROBLEM_H
