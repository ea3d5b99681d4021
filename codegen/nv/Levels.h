// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The levels of the NVIDIA target: one per compute capability whose code
// differs, with what its machines have.

#ifndef HEDDLE_CODEGEN_NV_LEVELS_H
#define HEDDLE_CODEGEN_NV_LEVELS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace heddle::nv {

struct NvLevel {
  /// "sm_80": also what LLVM and ptxas call the processor.
  llvm::StringRef Name;
  /// 10 * major + minor of the compute capability.
  int Arch;
  /// The version of PTX that the code is written in, as LLVM names it: the
  /// oldest that knows this level and takes the address of a parameter, so that
  /// old drivers take the code.
  llvm::StringRef PtxFeature;
  /// Bytes of shared memory that one CTA can have, and that an SM has.
  int64_t SharedLimit, SharedPerSm;
  /// Threads and CTAs that an SM holds at once, at most.
  int64_t ThreadsPerSm, CtasPerSm;
  // What the model of costs goes by: the device of this level that is most
  // common in data centres, or on desks where there is none.
  llvm::StringRef Device;
  int64_t Sms;
  double Megahertz;
  /// Operations per clock and SM: multiply-adds of f16 tensor cores and of f32
  /// units, and special functions (exp2).
  double TensorFma, Fma, Special;
  /// Gigabytes per second from memory.
  double Bandwidth;

  /// "8.0".
  std::string capability() const;
  /// CTAs of a kernel that an SM holds at once; 0 where not even one fits.
  /// `Registers` are those of a thread, `SharedBytes` those of a CTA.
  int64_t countResident(int64_t Threads, int64_t Registers,
                        int64_t SharedBytes) const;
};

/// Best first.
llvm::ArrayRef<NvLevel> nvLevels();

/// The level called `Name`, or null.
const NvLevel *findNvLevel(llvm::StringRef Name);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_LEVELS_H
