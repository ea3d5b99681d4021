// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What goes on in a CTA beside its warps: mbarriers, bulk copies, and the
// matrix products of warpgroups (PTX ISA, Asynchronous Operations, Async
// Proxy).
//
// Whatever is asynchronous happens as late as it may: a bulk copy when a warp
// waits for its mbarrier (or bulk group), a product at wgmma.wait_group. Until
// then the bytes that a copy writes are pending, and the accumulators of a
// product hold NaNs.
//
// Order. The engines that copy and multiply count as warps of their own
// ("agents"), with clocks beside those of the warps. What a warp does through
// the generic proxy is seen by an agent only after fence.proxy.async: every
// clock vector has a second half, of what is known through the async proxy, and
// the fence copies the first half there.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_ASYNCSTATE_H
#define HEDDLE_CODEGEN_NV_EMULATION_ASYNCSTATE_H

#include "codegen/nv/emulation/Code.h"
#include "codegen/nv/emulation/semantics/Mbarrier.h"
#include "codegen/nv/emulation/semantics/TensorMap.h"
#include "codegen/nv/emulation/semantics/Wgmma.h"

#include "llvm/ADT/Twine.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace heddle::ptx {

class CtaState;
class WarpState;
struct CallFrame;

/// Clocks of warps, then of agents, then the same again for the async proxy.
using Clocks = std::vector<uint32_t>;
void joinClocks(Clocks &Into, const Clocks &From);

/// Where in the text something was begun.
struct Origin {
  const CallFrame *Frame = nullptr;
  uint32_t Pc = 0;
  unsigned Warp = 0, Line = 0;
};

/// A bulk copy that has begun.
struct BulkCopy {
  Origin From;
  Clocks Known; ///< when it began
  bool ToShared = true;
  uint32_t Barrier = 0; ///< to shared memory: reports its bytes there
  uint32_t Bytes = 0;
  std::vector<BoxPiece> Pieces;
  TensorMap Map; ///< for what fills the bytes out of bounds
};

/// What wgmma.mma_async says, the same for all lanes of a warpgroup.
struct Product {
  WgmmaShape Shape;
  WgmmaModifiers How;
  bool RegisterA = false, OuterMajorA = false, OuterMajorB = false;
  uint64_t A = 0, B = 0; ///< matrix descriptors
  const Inst *Code = nullptr;
  Origin From;
  /// Where the registers of a warp are, and what its accumulators held when the
  /// product was issued (nothing where an earlier one still owned them).
  struct Part {
    char *Registers = nullptr;
    const uint32_t *Operands = nullptr; ///< frame offsets: D, then A
    std::vector<WarpRegister> Before;
    /// The registers of A, which nobody may change meanwhile.
    std::vector<WarpRegister> Fragment;
    bool same(const Part &Other) const {
      return Registers == Other.Registers && Operands[0] == Other.Operands[0];
    }
  };
  Part Parts[WgmmaShape::Warps];
  unsigned Issued = 0; ///< warps, one bit each
  Clocks Known;        ///< by all of its warps, when they issued it
};

/// The products of four warps, in order.
struct Warpgroup {
  std::deque<Product> Queue;
  uint64_t First = 0; ///< number of the first in the queue
  uint64_t Issued[WgmmaShape::Warps] = {};
  /// Per warp, the numbers of products in its groups.
  WgmmaGroups<uint64_t> Groups[WgmmaShape::Warps];
  bool Fenced[WgmmaShape::Warps] = {};
  uint32_t Clock = 0; ///< of the agent, after the products done so far
};

class AsyncState {
public:
  explicit AsyncState(CtaState &In) : Cta(In) {}

  /// How many clocks a CTA has without the second half.
  static unsigned clocks(unsigned Warps, bool UsesAsync);
  void reset(unsigned NumWarps, uint32_t Base);

  // --- mbarriers; false: the warp must return at once (fault) ---
  /// The object at an address in shared memory; null and a fault where it
  /// cannot be one.
  Mbarrier *object(WarpState &By, unsigned Lane, uint64_t Address);
  bool init(WarpState &By, unsigned Lane, uint64_t Address, uint32_t Count);
  bool invalidate(WarpState &By, unsigned Lane, uint64_t Address);
  /// Expects `Bytes` and then arrives `Count` times (0: not at all).
  bool arrive(WarpState &By, unsigned Lane, uint64_t Address, uint32_t Count,
              uint32_t Bytes, bool Drop, bool Release, uint64_t *Token);
  bool completeBytes(WarpState &By, unsigned Lane, uint64_t Address,
                     uint32_t Bytes);
  /// Whether a phase is complete; copies that report there are carried out
  /// first where it is not. `Parity`: `Phase` is a parity and not a token.
  bool test(WarpState &By, unsigned Lane, uint64_t Address, uint64_t Phase,
            bool Parity, bool Acquire, bool &Complete);

  /// cp.async.mbarrier.arrive; `Counted` without .noinc.
  bool arriveLate(WarpState &By, unsigned Lane, uint64_t Address, bool Counted);

  // --- bulk copies ---
  bool beginCopy(WarpState &By, unsigned Lane, BulkCopy What);
  void commitCopies(WarpState &By, unsigned Lane);
  bool waitCopies(WarpState &By, unsigned Lane, unsigned Allowed);

  // --- warpgroups ---
  void fenceProducts(WarpState &By);
  bool issue(WarpState &By, const Product &What);
  void commitProducts(WarpState &By);
  /// False: the warp was blocked or is at fault.
  bool waitProducts(WarpState &By, unsigned Allowed);

  // --- clusters of one CTA ---
  void arriveCluster(WarpState &By, bool Release);
  bool waitCluster(WarpState &By, bool Acquire);
  void threadsLeft();

  /// fence.proxy.async.
  void fenceProxy(WarpState &By);

  /// A test found no phase complete: its warp sleeps until something happens.
  void polled() { Polled = true; }
  /// Nobody can run. Lets warps that polled have another look, since they may
  /// have other things to do; not for ever. False: nobody polled.
  bool retry(std::vector<WarpState *> &Ready);

  /// Something was begun and never waited for: a fault at the end of the CTA.
  bool finish();
  /// What Group::On of a group that waits for an event means.
  std::string describe(uint32_t On) const;
  /// "warp 3", or what an agent is.
  std::string agentName(unsigned Number) const;
  /// The last clock of any agent.
  uint32_t lastClock() const;

private:
  /// An arrival of cp.async.mbarrier.arrive: made with the copies.
  struct LateArrival {
    WarpState *By = nullptr;
    unsigned Lane = 0;
    uint64_t End = 0; ///< copies with lower numbers come first
    Clocks Known;
    Origin From;
  };
  struct Barrier {
    Mbarrier Object;
    Clocks Arrived, Done;
    std::vector<LateArrival> Late;
    std::string First; ///< where it was initialised
  };
  struct BulkGroups {
    std::vector<BulkCopy> Open;
    std::deque<std::vector<BulkCopy>> Closed;
  };
  static constexpr uint32_t WarpgroupEvent = 0x80000000,
                            ClusterEvent = 0x40000000;

  unsigned copyAgent() const { return Warps; }
  unsigned productAgent(unsigned Warpgroup) const {
    return Warps + 1 + Warpgroup;
  }
  unsigned half() const { return unsigned(Size / 2); }
  void wake(uint32_t Event);
  void phaseMayEnd(Barrier &B, uint64_t Before, uint32_t Offset);
  bool refused(WarpState &By, unsigned Lane, const Barrier &B);
  bool carryOut(WarpState &By, uint32_t Barrier);
  bool arriveNow(WarpState &By, uint32_t Barrier);
  void toShared(WarpState &By, unsigned Lane, const BulkCopy &What);
  bool toGlobal(WarpState &By, unsigned Lane, const BulkCopy &What);
  bool runFirst(WarpState &By, Warpgroup &Of, unsigned Number);
  bool untouched(WarpState &By, const Product &What, unsigned Warp);
  bool operand(WarpState &By, const Product &What, bool IsB, unsigned Agent,
               uint32_t Own, std::vector<float> &Out);

  CtaState &Cta;
  bool Polled = false;
  unsigned Fruitless = 0; ///< retries since anything changed
  unsigned Warps = 0;
  size_t Size = 0; ///< of a clock vector
  uint32_t CopyClock = 0;
  std::map<uint32_t, Barrier> Barriers;
  std::deque<BulkCopy> Loads;
  std::map<unsigned, BulkGroups> Stores; ///< of threads
  std::vector<Warpgroup> Groups;
  uint32_t ClusterArrived = 0;
  uint64_t ClusterPhase = 0;
  Clocks ClusterClock, ClusterDone;
  std::vector<uint64_t> ClusterToken; ///< of warps
};

} // namespace heddle::ptx

#endif
