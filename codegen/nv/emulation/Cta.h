// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CTA in the middle of a kernel: its warps, shared memory and barriers.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_CTA_H
#define HEDDLE_CODEGEN_NV_EMULATION_CTA_H

#include "codegen/nv/emulation/AsyncState.h"
#include "codegen/nv/emulation/Launch.h"
#include "codegen/nv/emulation/Shared.h"
#include "codegen/nv/emulation/WarpState.h"

#include <array>
#include <random>
#include <unordered_map>

namespace heddle::ptx {

/// What all CTAs of a launch have in common.
struct LaunchState {
  const Program &Of;
  const Module &Code;
  const Function &Entry;
  const Kernel &Info;
  const LaunchConfig &Config;
  Device &On;
  const Options &How;
  uint64_t StaticShared = 0; ///< the dynamic array begins here
  uint64_t SharedBytes = 0;  ///< of both
  unsigned Threads = 0;      ///< of a CTA
  bool UsesAsync = false;    ///< some function of the module does
};

/// What bar.red asks of the predicates of all threads.
enum class Reduction : uint8_t { None, Popc, And, Or };

/// An arrival of a group at a barrier.
struct Arrival {
  unsigned Barrier = 0;
  uint32_t Expected = 0; ///< threads; 0: all of the CTA
  uint32_t Counted = 0;  ///< threads that this arrival counts for
  bool Waits = true;     ///< bar.sync, bar.red; not bar.arrive
  Reduction Reduce = Reduction::None;
  LaneMask True = 0; ///< lanes whose predicate holds
};

class CtaState {
public:
  explicit CtaState(const LaunchState &Launch);

  /// Runs one CTA. False: `Fault` says why it stopped.
  bool run(uint64_t Number);

  /// The executing lanes of the warp arrive. Those that must wait are blocked.
  void arrive(WarpState &By, const Inst &I, const Arrival &What);
  /// Some lanes have exited: barriers of the whole CTA may be complete.
  void threadsLeft();

  template <typename Visitor> void forEachWarp(Visitor Visit) {
    for (auto &W : Warps)
      Visit(*W);
  }
  WarpState &warp(unsigned Number) { return *Warps[Number]; }

  const LaunchState &Launch;
  AsyncState Async{*this};
  uint32_t Id[3] = {0, 0, 0};
  SharedMemory Shared;
  Stats Counts;
  std::optional<struct Fault> Found;
  /// The range of global memory that was touched last.
  const Range *Recent = nullptr;
  /// Clocks that were released at an address (of the host).
  std::unordered_map<uint64_t, std::vector<uint32_t>> Released;
  /// Moves on with every executed instruction; %clock.
  uint64_t Time = 0;

private:
  struct Waiter {
    WarpState *Warp = nullptr;
    CallFrame *Frame = nullptr;
    const Inst *Code = nullptr;
    LaneMask Lanes = 0;
    Reduction Reduce = Reduction::None;
  };
  struct Barrier {
    bool Open = false; ///< somebody has arrived
    uint32_t Expected = 0, Arrived = 0, True = 0, Predicates = 0;
    std::vector<uint32_t> Clock;
    std::vector<Waiter> Waiters;
    std::string First; ///< where the first arrival was
  };
  void complete(Barrier &B, unsigned Number);
  WarpState *choose(const std::vector<WarpState *> &Ready);
  void deadlock();

  std::vector<std::unique_ptr<WarpState>> Warps;
  std::array<Barrier, 16> Barriers;
  std::mt19937_64 Random;
  unsigned Turn = 0;
  uint32_t LastClock = 0;
};

} // namespace heddle::ptx

#endif
