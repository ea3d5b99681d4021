// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_AFFINITY_H
#define HEDDLE_CODEGEN_CPU_AFFINITY_H

#include <sched.h>
#include <vector>

namespace heddle::cpu {

/// The cores that the calling thread may run on; empty when unknown.
std::vector<int> availableCores();

/// Keeps the calling thread on a core from now on. A refusal costs speed only.
void pinTo(int Core);

/// Keeps the calling thread on one core, if it may run there, for the time of
/// a scope.
class PinScope {
public:
  explicit PinScope(int Core);
  ~PinScope();
  PinScope(const PinScope &) = delete;
  PinScope &operator=(const PinScope &) = delete;

private:
  cpu_set_t Before;
  bool Pinned = false;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_AFFINITY_H
