// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/AsyncState.h"

#include "codegen/nv/emulation/Cta.h"

using namespace heddle::ptx;
using llvm::Twine;

void heddle::ptx::joinClocks(Clocks &Into, const Clocks &From) {
  if (Into.size() < From.size())
    Into.resize(From.size());
  for (size_t I = 0; I < From.size(); ++I)
    Into[I] = std::max(Into[I], From[I]);
}

unsigned AsyncState::clocks(unsigned Warps, bool UsesAsync) {
  return UsesAsync
             ? Warps + 1 + (Warps + WgmmaShape::Warps - 1) / WgmmaShape::Warps
             : Warps;
}

void AsyncState::reset(unsigned NumWarps, uint32_t Base) {
  Warps = NumWarps;
  Size = 2 * size_t(clocks(Warps, true));
  CopyClock = Base;
  Barriers.clear();
  Loads.clear();
  Stores.clear();
  Groups.clear();
  Groups.resize((Warps + WgmmaShape::Warps - 1) / WgmmaShape::Warps);
  for (Warpgroup &G : Groups)
    G.Clock = Base;
  Polled = false;
  Fruitless = 0;
  ClusterArrived = 0;
  ClusterPhase = 0;
  ClusterClock.assign(Size, 0);
  ClusterDone.assign(Size, 0);
  ClusterToken.assign(Warps, 0);
}

void AsyncState::wake(uint32_t Event) {
  Cta.forEachWarp([&](WarpState &W) {
    for (Group &G : W.Others)
      if (G.For == Wait::Event && G.On == Event)
        G.For = Wait::None;
  });
}

bool AsyncState::retry(std::vector<WarpState *> &Ready) {
  constexpr unsigned Patience = 1 << 14;
  if (!Polled || Fruitless++ == Patience)
    return false;
  Polled = false;
  Cta.forEachWarp([&](WarpState &W) {
    bool Woken = false;
    for (Group &G : W.Others)
      if (G.For == Wait::Event) {
        G.For = Wait::None;
        Woken = true;
      }
    if (Woken)
      Ready.push_back(&W);
  });
  return !Ready.empty();
}

// --- mbarriers ---

Mbarrier *AsyncState::object(WarpState &By, unsigned Lane, uint64_t Address) {
  constexpr unsigned Bytes =
      8; // PTX ISA, Size and alignment of mbarrier object
  if (Address % Bytes) {
    By.fault(FaultKind::Misaligned, int(Lane),
             "address " + Twine(Address) +
                 " of an mbarrier is no multiple of 8");
    return nullptr;
  }
  if (Address + Bytes > Cta.Shared.size()) {
    By.fault(FaultKind::OutOfBounds, int(Lane),
             "address " + Twine(Address) +
                 " of an mbarrier is outside the shared memory of " +
                 Twine(Cta.Shared.size()) + " bytes");
    return nullptr;
  }
  return &Barriers[uint32_t(Address)].Object;
}

bool AsyncState::refused(WarpState &By, unsigned Lane, const Barrier &B) {
  By.fault(FaultKind::Barrier, int(Lane),
           B.Object.error() +
               (B.First.empty() ? "" : "; initialised at " + B.First));
  return false;
}

bool AsyncState::init(WarpState &By, unsigned Lane, uint64_t Address,
                      uint32_t Count) {
  Mbarrier *Object = object(By, Lane, Address);
  if (!Object)
    return false;
  Barrier &B = Barriers[uint32_t(Address)];
  if (!Object->init(Count))
    return refused(By, Lane, B);
  // The bytes count as written here; any other use of them is a race with that.
  if (!Cta.Shared.write(Access(By), Lane, Address, 8))
    return false;
  std::memset(Cta.Shared.at(Address), 0, 8);
  B.Arrived.assign(Size, 0);
  B.Done.assign(Size, 0);
  B.First = By.where(*By.Frame, By.here());
  return true;
}

bool AsyncState::invalidate(WarpState &By, unsigned Lane, uint64_t Address) {
  Mbarrier *Object = object(By, Lane, Address);
  if (!Object)
    return false;
  if (!Object->invalidate())
    return refused(By, Lane, Barriers[uint32_t(Address)]);
  Barriers.erase(uint32_t(Address));
  return true;
}

void AsyncState::phaseMayEnd(Barrier &B, uint64_t Before, uint32_t Offset) {
  if (B.Object.phase() != Before)
    B.Done = B.Arrived;
  Fruitless = 0;
  // Even an arrival that completes nothing may be the last but for copies that
  // wait for somebody to look.
  wake(Offset);
}

/// Initialising must come before use: it counts as a write of the object's
/// bytes, and every use as a read.
static bool usable(CtaState &Cta, WarpState &By, unsigned Lane,
                   uint64_t Address) {
  Access A(By, /*Strong=*/true);
  return Cta.Shared.read(A, Lane, Address, 8);
}

bool AsyncState::arrive(WarpState &By, unsigned Lane, uint64_t Address,
                        uint32_t Count, uint32_t Bytes, bool Drop, bool Release,
                        uint64_t *Token) {
  Mbarrier *Object = object(By, Lane, Address);
  if (!Object)
    return false;
  Barrier &B = Barriers[uint32_t(Address)];
  if (Object->valid() && !usable(Cta, By, Lane, Address))
    return false;
  uint64_t Before = Object->phase();
  if (Token)
    *Token = Object->token();
  if (Bytes && !Object->expectBytes(Bytes))
    return refused(By, Lane, B);
  if (Release)
    joinClocks(B.Arrived, By.Clock);
  if (Count && !(Drop ? Object->arriveDrop(Count) : Object->arrive(Count)))
    return refused(By, Lane, B);
  if (!Object->valid())
    return refused(By, Lane, B);
  ++By.Clock[By.Index];
  phaseMayEnd(B, Before, uint32_t(Address));
  return true;
}

bool AsyncState::arriveLate(WarpState &By, unsigned Lane, uint64_t Address,
                            bool Counted) {
  Mbarrier *Object = object(By, Lane, Address);
  if (!Object)
    return false;
  Barrier &B = Barriers[uint32_t(Address)];
  if (Counted ? !Object->expectArrival() : !Object->valid())
    return refused(By, Lane, B);
  if (!usable(Cta, By, Lane, Address))
    return false;
  B.Late.push_back(
      {&By,
       Lane,
       By.CopiesBegun,
       By.Clock,
       {By.Frame, By.here(), By.Index, By.Frame->Of->Places[By.here()].Line}});
  wake(uint32_t(Address));
  return true;
}

/// Makes the copies that arrivals at an mbarrier wait for, and these arrivals.
bool AsyncState::arriveNow(WarpState &By, uint32_t Offset) {
  Barrier &B = Barriers[Offset];
  std::vector<LateArrival> Late = std::move(B.Late);
  B.Late.clear();
  for (LateArrival &A : Late) {
    finishCopies(*A.By, A.Lane, A.End);
    // The copies count as what the warp does last.
    uint32_t &Own = A.By->Clock[A.By->Index];
    A.Known[A.By->Index] = Own++;
    joinClocks(B.Arrived, A.Known);
    uint64_t Before = B.Object.phase();
    if (!B.Object.arrive()) {
      By.faultAt(FaultKind::Barrier, int(A.Lane), B.Object.error(),
                 *A.From.Frame, A.From.Pc);
      return false;
    }
    phaseMayEnd(B, Before, Offset);
  }
  return true;
}

bool AsyncState::completeBytes(WarpState &By, unsigned Lane, uint64_t Address,
                               uint32_t Bytes) {
  Mbarrier *Object = object(By, Lane, Address);
  if (!Object)
    return false;
  Barrier &B = Barriers[uint32_t(Address)];
  uint64_t Before = Object->phase();
  if (!Object->completeBytes(Bytes))
    return refused(By, Lane, B);
  phaseMayEnd(B, Before, uint32_t(Address));
  return true;
}

bool AsyncState::test(WarpState &By, unsigned Lane, uint64_t Address,
                      uint64_t Phase, bool Parity, bool Acquire,
                      bool &Complete) {
  Mbarrier *Object = object(By, Lane, Address);
  if (!Object)
    return false;
  Barrier &B = Barriers[uint32_t(Address)];
  if (!Object->valid()) {
    By.fault(FaultKind::Barrier, int(Lane),
             "wait at shared memory address " + Twine(Address) +
                 ", which holds no mbarrier");
    return false;
  }
  if (!usable(Cta, By, Lane, Address))
    return false;
  auto Look = [&] {
    bool Known = true;
    bool Done = Parity ? Object->completedParity(Phase & 1)
                       : Object->completed(Phase, Known);
    if (!Known)
      By.fault(FaultKind::Barrier, int(Lane),
               "wait for phase " + Twine(Phase) + " of an mbarrier in " +
                   Object->describe() +
                   ": only this phase and the one before can be waited for");
    return Known ? std::optional<bool>(Done) : std::nullopt;
  };
  std::optional<bool> Done = Look();
  if (Done && !*Done) {
    if (!carryOut(By, uint32_t(Address)) || !arriveNow(By, uint32_t(Address)))
      return false;
    Done = Look();
  }
  if (!Done)
    return false;
  Complete = *Done;
  if (Complete && Acquire)
    joinClocks(By.Clock, B.Done);
  return true;
}

// --- clusters ---

void AsyncState::arriveCluster(WarpState &By, bool Release) {
  ClusterToken[By.Index] = ClusterPhase;
  ClusterArrived += unsigned(llvm::popcount(By.Exec));
  if (Release)
    joinClocks(ClusterClock, By.Clock);
  ++By.Clock[By.Index];
  threadsLeft();
}

void AsyncState::threadsLeft() {
  uint32_t Left = 0;
  Cta.forEachWarp(
      [&](WarpState &W) { Left += unsigned(llvm::popcount(W.Live)); });
  if (!ClusterArrived || ClusterArrived < Left)
    return;
  ClusterArrived = 0;
  ++ClusterPhase;
  ClusterDone = ClusterClock;
  wake(ClusterEvent);
}

bool AsyncState::waitCluster(WarpState &By, bool Acquire) {
  if (ClusterPhase == ClusterToken[By.Index]) {
    By.block(Wait::Event, ClusterEvent, /*Again=*/true);
    return false;
  }
  if (Acquire)
    joinClocks(By.Clock, ClusterDone);
  return true;
}

void AsyncState::fenceProxy(WarpState &By) {
  for (unsigned I = 0; I < half(); ++I)
    By.Clock[half() + I] = std::max(By.Clock[half() + I], By.Clock[I]);
  ++By.Clock[By.Index];
}

// --- messages ---

std::string AsyncState::agentName(unsigned Number) const {
  if (Number < Warps)
    return "warp " + std::to_string(Number);
  if (Number == copyAgent())
    return "a bulk copy";
  return "a product (wgmma) of warpgroup " +
         std::to_string(Number - productAgent(0));
}

uint32_t AsyncState::lastClock() const {
  uint32_t Last = CopyClock;
  for (const Warpgroup &G : Groups)
    Last = std::max(Last, G.Clock);
  return Last;
}

std::string AsyncState::describe(uint32_t On) const {
  if (On & WarpgroupEvent)
    return "for the other warps of warpgroup " +
           std::to_string(On & ~WarpgroupEvent) + " to issue the same wgmma";
  if (On & ClusterEvent)
    return "at barrier.cluster, " + std::to_string(ClusterArrived) + " of " +
           std::to_string(Cta.Launch.Threads) + " threads arrived";
  auto Known = Barriers.find(On);
  return "for the mbarrier at shared memory address " + std::to_string(On) +
         " (" +
         (Known == Barriers.end() ? "no mbarrier"
                                  : Known->second.Object.describe()) +
         ")";
}

bool AsyncState::finish() {
  auto Fault = [&](const Origin &From, const Twine &What) {
    Cta.warp(From.Warp).faultAt(FaultKind::Pending, -1, What, *From.Frame,
                                From.Pc);
    return false;
  };
  if (!Loads.empty())
    return Fault(Loads.front().From,
                 "the CTA ends while this copy is in flight: nobody waited for "
                 "the mbarrier at shared memory address " +
                     Twine(Loads.front().Barrier));
  for (const auto &[Thread, Of] : Stores) {
    const BulkCopy *Left = nullptr;
    if (!Of.Open.empty())
      Left = &Of.Open.front();
    for (const auto &Group : Of.Closed)
      if (!Group.empty())
        Left = &Group.front();
    if (Left)
      return Fault(Left->From, "the CTA ends while this copy reads its shared "
                               "memory: cp.async.bulk.wait_group is missing");
  }
  for (const Warpgroup &G : Groups)
    if (!G.Queue.empty())
      return Fault(G.Queue.front().From,
                   "the CTA ends while this product is in flight: "
                   "wgmma.wait_group is missing");
  return true;
}
