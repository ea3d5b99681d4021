// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_PROBLEM_H
#define HEDDLE_RUNTIME_SRC_PROBLEM_H

#include "Error.h"

namespace heddle::runtime {

/// Checks the sizes, sequences and origins of a problem for one kernel. After
/// it, every product of sizes and every position that a kernel computes fits 64
/// bits, and there is a list of parameters if the kernel has any.
heddle_error *checkProblem(const heddle_entry &Entry,
                           const heddle_problem &Problem);

/// Checks that the token grids of a kernel that has them lay out all of the
/// queries and keys. The integer parameters have been found in range.
heddle_error *checkGrid(const heddle_entry &Entry,
                        const heddle_problem &Problem);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_PROBLEM_H
