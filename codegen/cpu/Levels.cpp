// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Levels.h"

#include "codegen/cpu/HostFeatures.h"
#include "codegen/cpu/KernelBuilder.h"
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

/// `Size` as a product of `Axes` factors as equal as can be, smaller ones
/// first.
static llvm::SmallVector<int64_t> boxOf(int64_t Size, unsigned Axes) {
  llvm::SmallVector<int64_t> Box;
  for (unsigned Left = Axes; Left > 1; --Left) {
    auto IsTooLarge = [&](int64_t Extent) {
      int64_t Power = 1;
      for (unsigned I = 0; I < Left; ++I)
        Power *= Extent;
      return Power > Size;
    };
    int64_t Extent = Size;
    while (Extent > 1 && (Size % Extent != 0 || IsTooLarge(Extent)))
      --Extent;
    Box.push_back(Extent);
    Size /= Extent;
  }
  if (Axes > 0)
    Box.push_back(Size);
  return Box;
}

attn::ScheduleAttr cpu::chooseSchedule(mlir::MLIRContext *Context,
                                       llvm::StringRef Level,
                                       const KernelShape &Shape) {
  const CpuLevel *L = findCpuLevel(Level);
  int64_t KeyTile = Shape.Group;
  if (KeyTile == 0) {
    // Four tiles live in the cache together: q and o, 48 queries wide, k and v.
    // With very wide heads a shorter key tile keeps them within half a
    // megabyte.
    KeyTile = L->KeyTile;
    while (KeyTile > 32 &&
           (L->QueryTile + KeyTile) * (Shape.Qk + Shape.V) * 4 > 512 * 1024)
      KeyTile /= 2;
  }
  // A query tile that straddles two rows of blocks computes what either keeps:
  // the largest one that does not wins from a density of about a half on.
  int64_t QueryTile = L->QueryTile;
  if (Shape.QueryBlock > 0 && Shape.Axes == 0)
    for (int64_t Tile = L->QueryTile; Tile > 0; Tile -= L->Lanes)
      if (Shape.QueryBlock % Tile == 0) {
        QueryTile = Tile;
        break;
      }
  return attn::ScheduleAttr::get(
      Context, QueryTile, KeyTile, largestDivisor(KeyTile, L->Rows), L->Lanes,
      largestDivisor(KeyTile, L->Unroll), boxOf(QueryTile, Shape.Axes),
      boxOf(KeyTile, Shape.Axes));
}
