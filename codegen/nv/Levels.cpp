// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Levels.h"

#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;

static constexpr int64_t KB = 1024;

// Shared memory: CUDA C++ Programming Guide, "Technical Specifications per
// Compute Capability". Rates: the same guide's table of throughputs, and the
// data sheets of the devices (dense tensor throughput over SMs and clock).
// Parameters as const pointers (`cvta.param`) came with PTX 7.7; LLVM knows
// 7.8. PTX 8.0 knows all of sm_90 and PTX 8.7 was the first with sm_120.
static const NvLevel Levels[] = {
    {"sm_120", 120, "+ptx87", 99 * KB, 100 * KB, "RTX PRO 6000", 188, 2600,
     /*TensorFma=*/512, /*Fma=*/128, /*Special=*/16, 1792},
    {"sm_90", 90, "+ptx80", 227 * KB, 228 * KB, "H100 SXM", 132, 1830,
     /*TensorFma=*/2048, /*Fma=*/128, /*Special=*/16, 3350},
    {"sm_89", 89, "+ptx78", 99 * KB, 100 * KB, "L40S", 142, 2520,
     /*TensorFma=*/512, /*Fma=*/128, /*Special=*/16, 864},
    {"sm_86", 86, "+ptx78", 99 * KB, 100 * KB, "A40", 84, 1740,
     /*TensorFma=*/512, /*Fma=*/128, /*Special=*/16, 696},
    {"sm_80", 80, "+ptx78", 163 * KB, 164 * KB, "A100 SXM", 108, 1410,
     /*TensorFma=*/1024, /*Fma=*/64, /*Special=*/16, 2039},
};

std::string NvLevel::capability() const {
  return std::to_string(Arch / 10) + "." + std::to_string(Arch % 10);
}

llvm::ArrayRef<NvLevel> heddle::nv::nvLevels() { return Levels; }

const NvLevel *heddle::nv::findNvLevel(llvm::StringRef Name) {
  const NvLevel *It =
      llvm::find_if(Levels, [&](const NvLevel &L) { return L.Name == Name; });
  return It == std::end(Levels) ? nullptr : It;
}
