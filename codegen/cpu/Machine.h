// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_MACHINE_H
#define HEDDLE_CODEGEN_CPU_MACHINE_H

#include "codegen/cpu/Levels.h"

namespace heddle::cpu {

/// Bytes of a cache line on every machine of this target.
constexpr int64_t LineBytes = 64;

/// A core as the cost model sees it. Times are in slots (codegen/Cost.h), of
/// which most processors have two per cycle.
struct Machine {
  int64_t Lanes = 0, Registers = 0;
  /// See CpuLevel: a product without a fused multiply-add takes two slots.
  int64_t ProductScratch = 0;
  /// Bytes of the caches that one core reads through.
  int64_t L1 = 0, L2 = 0, L3 = 0;
  /// The caches are those of the machine this runs on.
  bool IsHere = false;

  /// Slots until the result of a multiply-add can be used: four cycles, and
  /// some for a scheduler that does not always find the chain that waits
  /// longest.
  double Latency = 9;
  /// Arithmetic on vectors that starts per slot; more than 1 where additions
  /// have units of their own beside those of the multiply-adds.
  double Arithmetic = 1;
  double Loads = 1, Stores = 0.5;
  /// What is left to wait for per line of 64 bytes, after the processor's own
  /// prefetching and that of the kernel: from L2, from L3, from memory.
  double LineL2 = 0.25, LineL3 = 0.8, LineMemory = 4;

  double productSlots() const { return ProductScratch > 0 ? 2 : 1; }
};

/// The machine that schedules are chosen for: the same wherever the compiler
/// runs, so that a text gives the same bundle everywhere.
Machine assumedMachine(const CpuLevel &Level);

/// The machine that this runs on, or the assumed one where this cannot run the
/// level's code or does not say what it is.
Machine machineHere(const CpuLevel &Level);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_MACHINE_H
