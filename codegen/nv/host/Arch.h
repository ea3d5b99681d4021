// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which code runs on which device. Architectures are 10 major + minor of the
// compute capability.

#ifndef HEDDLE_CODEGEN_NV_HOST_ARCH_H
#define HEDDLE_CODEGEN_NV_HOST_ARCH_H

#include <cstdint>
#include <string>

namespace heddle::nv {

/// The name of the target in a bundle.
inline constexpr const char *TargetName = "nv";

/// What devices are called where one is chosen: "cuda:1".
inline constexpr const char *DeviceName = "cuda";

/// "sm_90"
inline std::string archName(int32_t Arch) {
  return "sm_" + std::to_string(Arch);
}

/// Machine code runs on later minor versions of one major version (CUDA C++
/// Programming Guide, "Binary Compatibility").
inline bool runsBinary(int32_t Code, int32_t Device) {
  return Code / 10 == Device / 10 && Code <= Device;
}

/// PTX is compiled for the device that is there or any later one (the same,
/// "PTX Compatibility").
inline bool runsPtx(int32_t Code, int32_t Device) { return Code <= Device; }

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_HOST_ARCH_H
