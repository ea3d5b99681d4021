// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Levels.h"

#include "codegen/cpu/HostFeatures.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace heddle;
using namespace heddle::cpu;

static std::vector<CpuLevel> makeLevels() {
  std::string_view Arch = hostArch();
  if (Arch == "x86_64")
    return {
        {"cpu-avx512",
         "x86-64",
         {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "avx2",
          "avx", "fma", "f16c", "bmi", "bmi2", "lzcnt", "popcnt", "movbe"},
         /*Lanes=*/16,
         /*Registers=*/32,
         /*ProductScratch=*/0,
         /*ConvertsHalf=*/true,
         /*ScalesBy2=*/true,
         /*QueryTile=*/48,
         /*KeyTile=*/64,
         /*Rows=*/8,
         /*Unroll=*/1},
        {"cpu-avx2",
         "x86-64",
         {"avx2", "avx", "fma", "f16c", "bmi", "bmi2", "lzcnt", "popcnt",
          "movbe"},
         /*Lanes=*/8,
         /*Registers=*/16,
         /*ProductScratch=*/0,
         /*ConvertsHalf=*/true,
         /*ScalesBy2=*/false,
         /*QueryTile=*/48,
         /*KeyTile=*/64,
         /*Rows=*/4,
         /*Unroll=*/2},
        {"cpu-baseline",
         "x86-64",
         {},
         /*Lanes=*/4,
         /*Registers=*/16,
         /*ProductScratch=*/1,
         /*ConvertsHalf=*/false,
         /*ScalesBy2=*/false,
         /*QueryTile=*/24,
         /*KeyTile=*/64,
         /*Rows=*/4,
         /*Unroll=*/2},
    };
  // 128-bit vectors and 32 registers are what the generic processors of the
  // other architectures offer; code for fewer is still correct there.
  return {{"cpu-baseline",
           Arch == "riscv64" ? "generic-rv64" : "generic",
           {},
           /*Lanes=*/4,
           /*Registers=*/32,
           /*ProductScratch=*/0,
           /*ConvertsHalf=*/Arch == "aarch64",
           /*ScalesBy2=*/false,
           /*QueryTile=*/24,
           /*KeyTile=*/64,
           /*Rows=*/8,
           /*Unroll=*/2}};
}

std::string CpuLevel::featureList() const { return llvm::join(Features, ","); }

llvm::ArrayRef<CpuLevel> cpu::cpuLevels() {
  static const std::vector<CpuLevel> Levels = makeLevels();
  return Levels;
}

const CpuLevel *cpu::findCpuLevel(llvm::StringRef Name) {
  llvm::ArrayRef<CpuLevel> Levels = cpuLevels();
  const auto *It =
      llvm::find_if(Levels, [&](const CpuLevel &L) { return L.Name == Name; });
  return It == Levels.end() ? nullptr : It;
}

const CpuLevel &cpu::bestHostLevel() {
  llvm::ArrayRef<CpuLevel> Levels = cpuLevels();
  const auto *It = llvm::find_if(Levels, [](const CpuLevel &L) {
    return missingFeatures(L.featureList()).empty();
  });
  return It == Levels.end() ? Levels.back() : *It;
}
