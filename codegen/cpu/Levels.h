// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The levels of the CPU target: which instruction-set extensions its code may
// use, and the register tile that suits them.

#ifndef HEDDLE_CODEGEN_CPU_LEVELS_H
#define HEDDLE_CODEGEN_CPU_LEVELS_H

#include "codegen/Target.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace heddle::cpu {

struct CpuLevel {
  llvm::StringRef Name;
  /// LLVM's name of the processor whose instructions every host of this
  /// architecture has.
  llvm::StringRef TargetCpu;
  /// What the code needs beyond `TargetCpu`, as LLVM names it.
  std::vector<llvm::StringRef> Features;
  /// f32 elements of a vector register, and how many registers there are.
  int64_t Lanes;
  int64_t Registers;
  /// Registers that one product a * b + c needs besides a, b and c: none where
  /// there is a fused multiply-add.
  int64_t ProductScratch;
  /// Conversions between f16 and f32 are instructions.
  bool ConvertsHalf;
  /// x 2^n of a vector register is an instruction.
  bool ScalesBy2;
  /// The schedule that measurements favour, all else being equal.
  int64_t QueryTile, KeyTile, Rows, Unroll;

  /// The features as a comma-separated list.
  std::string featureList() const;
};

/// The levels of the architecture this compiler runs on, best first. The last
/// one is its baseline and needs nothing.
llvm::ArrayRef<CpuLevel> cpuLevels();

/// The level called `Name`, or null.
const CpuLevel *findCpuLevel(llvm::StringRef Name);

/// The best level the host has (see HostFeatures.h); the baseline at worst.
const CpuLevel &bestHostLevel();

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_LEVELS_H
