// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Machine.h"

#include "codegen/cpu/HostFeatures.h"
#include "llvm/TargetParser/Host.h"

#include <unistd.h>

using namespace heddle;
using namespace heddle::cpu;

Machine cpu::assumedMachine(const CpuLevel &Level) {
  Machine M;
  M.Lanes = Level.Lanes;
  M.Registers = Level.Registers;
  M.ProductScratch = Level.ProductScratch;
  // What server processors have had at least for ten years.
  M.L1 = 32 * 1024;
  M.L2 = 1024 * 1024;
  M.L3 = 16 * 1024 * 1024;
  return M;
}

/// A cache of this machine, or `Otherwise` where the system does not tell.
static int64_t cacheSize(int Name, int64_t Otherwise) {
  long Size = Name >= 0 ? sysconf(Name) : 0;
  return Size > 0 ? Size : Otherwise;
}

Machine cpu::machineHere(const CpuLevel &Level) {
  Machine M = assumedMachine(Level);
  if (!missingFeatures(Level.featureList()).empty())
    return M;
  M.IsHere = true;
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE) &&       \
    defined(_SC_LEVEL3_CACHE_SIZE)
  M.L1 = cacheSize(_SC_LEVEL1_DCACHE_SIZE, M.L1);
  M.L2 = cacheSize(_SC_LEVEL2_CACHE_SIZE, M.L2);
  M.L3 = cacheSize(_SC_LEVEL3_CACHE_SIZE, M.L3);
#endif
  llvm::StringRef Name = llvm::sys::getHostCPUName();
  if (Name.starts_with("znver")) {
    // Two units multiply, two others add.
    M.Arithmetic = 2;
    // Up to the fourth generation a vector of 512 bits occupies both for a
    // cycle.
    if (Name != "znver5" && Level.Lanes == 16)
      M.Latency /= 2;
  }
  return M;
}
