// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running a kernel of a program on an emulated device.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_LAUNCH_H
#define HEDDLE_CODEGEN_NV_EMULATION_LAUNCH_H

#include "codegen/nv/emulation/Device.h"
#include "codegen/nv/emulation/Fault.h"
#include "codegen/nv/emulation/Program.h"

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>

namespace heddle::ptx {

struct LaunchConfig {
  uint32_t Grid[3] = {1, 1, 1};  ///< CTAs along x, y, z
  uint32_t Block[3] = {1, 1, 1}; ///< threads of a CTA along x, y, z
  uint64_t DynamicShared = 0;    ///< bytes after the statically sized ones
  /// The parameters, laid out as Kernel says (ParameterBytes of them).
  llvm::ArrayRef<char> Parameters;
};

struct Options {
  /// Chooses the interleaving of warps: 0 takes turns, other seeds are random
  /// but repeatable.
  uint64_t Seed = 0;
  /// Most instructions that a warp runs before another gets its turn.
  uint32_t Quantum = 4096;
  /// Host threads over which CTAs are spread.
  unsigned Threads = 1;
  /// Look for races on shared memory (reads of bytes that were never written
  /// and copies in flight are always looked for).
  bool Races = true;
  /// Most warp instructions of a CTA before it counts as hanging; 0: no limit.
  uint64_t MaxInstructions = 0;
  /// Shared memory of a CTA: more is an error of the launch.
  uint64_t SharedLimit = 227 * 1024;
};

/// Counts over all CTAs.
struct Stats {
  uint64_t Ctas = 0;
  uint64_t Instructions = 0;       ///< of warps
  uint64_t MatrixInstructions = 0; ///< mma, wgmma
  uint64_t GlobalBytes = 0;        ///< read or written by lanes
  uint64_t SharedBytes = 0;        ///< read or written by lanes
  uint64_t AsyncBytes = 0;         ///< copied by cp.async and bulk copies
  uint64_t Barriers = 0;           ///< completed phases of CTA barriers
};

/// Runs all CTAs of a grid. The module's variables are loaded if they are not.
/// Nothing: the kernel ran to its end. Otherwise the first fault found (of the
/// lowest CTA, even with several host threads); what the kernel wrote until
/// then stays written.
std::optional<Fault> run(const Program &Of, const Kernel &Entry,
                         const LaunchConfig &Config, Device &On,
                         const Options &How = {}, Stats *Counted = nullptr);

} // namespace heddle::ptx

#endif
