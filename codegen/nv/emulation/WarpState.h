// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp in the middle of a kernel.
//
// Lanes that are at the same instruction of the same call run together; lanes
// that took different ways form further groups. The group furthest behind (the
// deepest call, then the lowest place in the text) runs first and joins groups
// that it meets. An instruction that needs lanes of other groups makes its
// group wait for them, so that the choice of group changes no result.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_WARPSTATE_H
#define HEDDLE_CODEGEN_NV_EMULATION_WARPSTATE_H

#include "codegen/nv/emulation/Code.h"
#include "codegen/nv/emulation/Fault.h"
#include "codegen/nv/emulation/semantics/Warp.h"

#include "llvm/ADT/Twine.h"

#include <deque>
#include <memory>
#include <vector>

namespace heddle::ptx {

class CtaState;

/// Lanes, one bit each.
using LaneMask = uint32_t;
inline constexpr LaneMask AllLanes = ~LaneMask(0);

/// The registers and parameters of one call, of all lanes that made it
/// together.
struct CallFrame {
  const Function *Of = nullptr;
  CallFrame *Parent = nullptr;
  const Inst *Call = nullptr; ///< in the parent
  uint32_t ReturnTo = 0;
  unsigned Depth = 0;
  LaneMask Lanes = 0; ///< that have not returned yet
  uint32_t LocalBase = 0;
  char *Registers = nullptr; ///< 64-byte aligned
  std::vector<char> Storage;
  /// Function::ParamBytes of every lane, lane after lane.
  std::vector<char> Params;
};

/// Why a group does not run.
enum class Wait : uint8_t {
  None,
  Lanes,   ///< for other lanes of the warp to come here
  Barrier, ///< for a barrier of the CTA: Group::On is its number
  Event ///< for something that the executor of the instruction asks again about
};

/// Lanes at the same place.
struct Group {
  CallFrame *Frame = nullptr;
  uint32_t Pc = 0;
  LaneMask Lanes = 0;
  Wait For = Wait::None;
  uint32_t On = 0;
};

/// Why run() came back.
enum class Stop : uint8_t {
  None,
  Yield,  ///< the turn is over
  Switch, ///< the current group cannot go on (internal to run())
  Wait,   ///< every group waits
  Exit,   ///< no lane is left
  Fault
};

/// A copy from global to shared memory that cp.async began (PTX ISA,
/// Asynchronous copy operations).
struct PendingCopy {
  uint64_t From = 0;
  uint32_t To = 0; ///< offset in shared memory
  uint8_t Bytes = 0, SourceBytes = 0, Lane = 0;
  uint32_t Group = 0; ///< cp.async groups of the lane committed before
  const Inst *Code = nullptr;
  uint64_t Number = 0; ///< of the copies that the warp began
};
/// Makes the copies of a lane with numbers below `End`.
void finishCopies(WarpState &W, unsigned Lane, uint64_t End);

class WarpState {
public:
  WarpState(CtaState &In, unsigned Index);

  /// Begins a kernel: `Threads` lanes exist.
  void start(const Function &Entry, unsigned Threads);
  /// Runs at most that many instructions.
  Stop run(uint32_t Budget);
  /// Lets waiting groups look again.
  void wake(Wait For, uint32_t On = 0);
  /// Lets another group than the one furthest behind have a turn.
  void rotate();

  // --- for handlers ---
  template <typename T> T *reg(uint32_t Offset) {
    return reinterpret_cast<T *>(Registers + Offset);
  }
  bool on(unsigned L) const { return Exec >> L & 1; }
  /// Writes the executing lanes of a register.
  template <typename T> void store(uint32_t Offset, const T *From) {
    T *To = reg<T>(Offset);
    if (Exec == AllLanes) {
      std::memcpy(To, From, sizeof(T) * WarpSize);
      return;
    }
    for (unsigned L = 0; L < WarpSize; ++L)
      To[L] = Exec >> L & 1 ? From[L] : To[L];
  }
  void storePredicate(uint32_t Offset, LaneMask Bits) {
    LaneMask &To = *reg<LaneMask>(Offset);
    To = (To & ~Exec) | (Bits & Exec);
  }
  /// Further operand N of an instruction.
  uint32_t more(const Inst &I, unsigned N) const {
    return Frame->Of->Operands[I.More + N];
  }
  /// The addresses of all lanes: operand `Slot` plus Imm.
  void addresses(const Inst &I, unsigned Slot, uint64_t *Out);

  /// Ends everything. `Lane` -1: the warp as a whole.
  void fault(FaultKind Kind, int Lane, const llvm::Twine &What);
  /// For faults at an instruction that is not the current one.
  void faultAt(FaultKind Kind, int Lane, const llvm::Twine &What,
               const CallFrame &In, uint32_t Pc);
  /// The current instruction needs the lanes `Need`. False: some are elsewhere,
  /// the group waits and the handler must return at once.
  bool gather(LaneMask Need);
  /// The group waits before (`Again`) or after the current instruction.
  void block(Wait For, uint32_t On, bool Again);
  /// Sends the executing lanes elsewhere; the others go on.
  void jump(uint32_t To);
  void jump(const uint32_t *To);
  void call(const Inst &I, const Function &Callee);
  void leave();
  void exit();

  /// Where the current instruction stands, and the instruction.
  uint32_t here() const { return Pc - 1; }
  /// "line 12" of an instruction, for messages.
  std::string where(const CallFrame &In, uint32_t Pc) const;

  CtaState &Cta;
  const unsigned Index;
  char *Registers = nullptr;
  LaneMask Exec = 0;   ///< lanes that execute the current instruction
  LaneMask Active = 0; ///< lanes of the current group
  LaneMask Live = 0;   ///< lanes that have not exited
  LaneMask Born = 0;   ///< lanes that ever existed
  uint32_t Pc = 0;
  CallFrame *Frame = nullptr;
  Stop Why = Stop::None;
  uint64_t Executed = 0;
  std::vector<Group> Others;
  /// Clocks of all warps that this one knows of: what they did before is
  /// ordered before what this one does next. Its own is the last.
  std::vector<uint32_t> Clock;
  /// Of relaxed operations, until a fence makes them count, and the clock at
  /// the last fence.
  std::vector<uint32_t> Seen, Fenced;
  std::vector<PendingCopy> Copies;
  uint64_t CopiesBegun = 0;
  std::array<uint32_t, WarpSize> CopyGroups{};
  std::vector<char> Local[WarpSize];

private:
  bool regroup();
  void park(Wait For);
  void resume(size_t Other);
  CallFrame *makeFrame(const Function &Of, CallFrame *Parent);
  void drop(CallFrame *Dead, LaneMask Lanes);
  void fillSpecials(CallFrame &In);
  void deadlockedLanes();

  /// The current group goes on until the text reaches another group.
  uint32_t Meet = ~uint32_t(0);
  std::vector<std::unique_ptr<CallFrame>> Frames;
  std::vector<CallFrame *> FreeFrames;
};

} // namespace heddle::ptx

#endif
