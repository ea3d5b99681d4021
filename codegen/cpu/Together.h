// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_TOGETHER_H
#define HEDDLE_CODEGEN_CPU_TOGETHER_H

#include <functional>

namespace heddle::cpu {

/// Calls `Work` with 0, 1, ... on `Threads` threads, one core each where there
/// are enough, which start at the same time. Returns the seconds until the last
/// one is done, 0 when so many threads cannot be started.
double secondsTogether(int Threads, const std::function<void(int)> &Work);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TOGETHER_H
