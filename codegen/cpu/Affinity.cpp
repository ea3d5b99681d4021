// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Affinity.h"

#include <pthread.h>

using namespace heddle;

std::vector<int> cpu::availableCores() {
  std::vector<int> Cores;
  cpu_set_t Set;
  CPU_ZERO(&Set);
  if (pthread_getaffinity_np(pthread_self(), sizeof(Set), &Set) == 0)
    for (int Core = 0; Core < CPU_SETSIZE; ++Core)
      if (CPU_ISSET(Core, &Set))
        Cores.push_back(Core);
  return Cores;
}

void cpu::pinTo(int Core) {
  cpu_set_t Set;
  CPU_ZERO(&Set);
  CPU_SET(Core, &Set);
  (void)pthread_setaffinity_np(pthread_self(), sizeof(Set), &Set);
}

cpu::PinScope::PinScope(int Core) {
  if (pthread_getaffinity_np(pthread_self(), sizeof(Before), &Before) != 0 ||
      !CPU_ISSET(Core, &Before))
    return;
  pinTo(Core);
  Pinned = true;
}

cpu::PinScope::~PinScope() {
  if (Pinned)
    (void)pthread_setaffinity_np(pthread_self(), sizeof(Before), &Before);
}
