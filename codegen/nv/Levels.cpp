// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Levels.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace heddle::nv;

static constexpr int64_t KB = 1024;

// Shared memory, threads and CTAs: CUDA C++ Programming Guide, "Technical
// Specifications per Compute Capability". Rates: the same guide's table of
// throughputs, and the data sheets of the devices (dense tensor throughput over
// SMs and clock). Parameters as const pointers (`cvta.param`) came with
// PTX 7.7; LLVM knows 7.8. PTX 8.0 knows all of sm_90 and PTX 8.7 was the first
// with sm_120.
static const NvLevel Levels[] = {
    {"sm_120", 120, "+ptx87", 99 * KB, 100 * KB, 1536, 24, "RTX PRO 6000", 188,
     2600,
     /*TensorFma=*/512, /*Fma=*/128, /*Special=*/16, 1792},
    {"sm_90", 90, "+ptx80", 227 * KB, 228 * KB, 2048, 32, "H100 SXM", 132, 1830,
     /*TensorFma=*/2048, /*Fma=*/128, /*Special=*/16, 3350},
    {"sm_89", 89, "+ptx78", 99 * KB, 100 * KB, 1536, 24, "L40S", 142, 2520,
     /*TensorFma=*/512, /*Fma=*/128, /*Special=*/16, 864},
    {"sm_86", 86, "+ptx78", 99 * KB, 100 * KB, 1536, 16, "A40", 84, 1740,
     /*TensorFma=*/512, /*Fma=*/128, /*Special=*/16, 696},
    {"sm_80", 80, "+ptx78", 163 * KB, 164 * KB, 2048, 32, "A100 SXM", 108, 1410,
     /*TensorFma=*/1024, /*Fma=*/64, /*Special=*/16, 2039},
};

std::string NvLevel::capability() const {
  return std::to_string(Arch / 10) + "." + std::to_string(Arch % 10);
}

// The occupancy calculator of the CUDA toolkit: each of the four parts of an SM
// has 16384 registers, given to warps 256 at a time, and every CTA takes 1 KB
// of shared memory for the system.
int64_t NvLevel::countResident(int64_t Threads, int64_t Registers,
                               int64_t SharedBytes) const {
  constexpr int64_t Parts = 4, RegistersPerPart = 16384, RegisterUnit = 256,
                    WarpThreads = 32, SystemShared = KB, SharedUnit = 128;
  const auto Warps =
      static_cast<int64_t>(llvm::divideCeil(Threads, WarpThreads));
  const auto OfWarp = static_cast<int64_t>(llvm::alignTo(
      std::max<int64_t>(1, Registers) * WarpThreads, RegisterUnit));
  const auto OfCta = static_cast<int64_t>(
      llvm::alignTo(SharedBytes + SystemShared, SharedUnit));
  return std::min({CtasPerSm, ThreadsPerSm / (Warps * WarpThreads),
                   RegistersPerPart / OfWarp * Parts / Warps,
                   SharedPerSm / OfCta});
}

llvm::ArrayRef<NvLevel> heddle::nv::nvLevels() { return Levels; }

const NvLevel *heddle::nv::findNvLevel(llvm::StringRef Name) {
  const NvLevel *It =
      llvm::find_if(Levels, [&](const NvLevel &L) { return L.Name == Name; });
  return It == std::end(Levels) ? nullptr : It;
}
