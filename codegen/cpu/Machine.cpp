// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Machine.h"

#include "codegen/cpu/HostFeatures.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

#include <string>

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

/// A cache that the first core of this machine reaches, or `Otherwise` where
/// the kernel does not tell. The C library is not asked: on some machines it
/// counts a shared cache once per core.
static int64_t cacheSize(unsigned Level, int64_t Otherwise) {
  for (unsigned Index = 0; Index < 8; ++Index) {
    std::string Folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(Index);
    auto Read = [&](llvm::StringRef File) -> std::string {
      auto Buffer = llvm::MemoryBuffer::getFileAsStream(Folder + "/" + File);
      return Buffer ? (*Buffer)->getBuffer().trim().str() : "";
    };
    if (Read("level") != std::to_string(Level) || Read("type") == "Instruction")
      continue;
    std::string Text = Read("size");
    llvm::StringRef Size(Text);
    int64_t Kilobytes = 0;
    if (Size.consume_back("K") && !Size.getAsInteger(10, Kilobytes))
      return Kilobytes * 1024;
  }
  return Otherwise;
}

Machine cpu::machineHere(const CpuLevel &Level) {
  Machine M = assumedMachine(Level);
  if (!missingFeatures(Level.featureList()).empty())
    return M;
  M.IsHere = true;
  M.L1 = cacheSize(1, M.L1);
  M.L2 = cacheSize(2, M.L2);
  M.L3 = cacheSize(3, M.L3);
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
