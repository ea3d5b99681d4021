// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Cta.h"

#include "llvm/Support/MathExtras.h"

using namespace heddle::ptx;
using llvm::Twine;

CtaState::CtaState(const LaunchState &Launch) : Launch(Launch) {
  unsigned Count = (Launch.Threads + WarpSize - 1) / WarpSize;
  for (unsigned W = 0; W < Count; ++W)
    Warps.push_back(std::make_unique<WarpState>(*this, W));
}

WarpState *CtaState::choose(const std::vector<WarpState *> &Ready) {
  if (Ready.empty())
    return nullptr;
  if (Launch.How.Seed)
    return Ready[Random() % Ready.size()];
  for (WarpState *W : Ready)
    if (W->Index >= Turn)
      return W;
  return Ready.front();
}

bool CtaState::run(uint64_t Number) {
  const uint32_t *Grid = Launch.Config.Grid;
  Id[0] = uint32_t(Number % Grid[0]);
  Id[1] = uint32_t(Number / Grid[0] % Grid[1]);
  Id[2] = uint32_t(Number / Grid[0] / Grid[1]);
  Random.seed(Launch.How.Seed + Number);
  Turn = 0;
  auto NumWarps = unsigned(Warps.size());
  unsigned NumClocks = AsyncState::clocks(NumWarps, Launch.UsesAsync);
  Shared.reset(Launch.SharedBytes, NumClocks, Launch.How.Races, LastClock);
  Async.reset(NumWarps, Shared.base());
  // The second half: what is known through the async proxy.
  size_t Size = Launch.UsesAsync ? 2 * size_t(NumClocks) : NumClocks;
  std::vector<WarpState *> Ready;
  for (auto &W : Warps) {
    W->Clock.assign(Size, Shared.base());
    W->Clock[W->Index] = Shared.base() + 1;
    W->Seen = W->Fenced = std::vector<uint32_t>(Size, 0);
    W->start(Launch.Entry, Launch.Threads - W->Index * WarpSize);
    Ready.push_back(W.get());
  }
  for (Barrier &B : Barriers)
    B = Barrier();
  Released.clear();
  ++Counts.Ctas;

  uint64_t Executed = 0, Limit = Launch.How.MaxInstructions;
  while (WarpState *Next = choose(Ready)) {
    uint32_t Turns = std::max(1U, Launch.How.Quantum);
    uint64_t Before = Next->Executed;
    // Random turns are short more often than long: the order of neighbouring
    // instructions of different warps is what seeds are for.
    Stop Why = Next->run(
        Launch.How.Seed ? 1 + (uint32_t(Random() % Turns) >> (Random() % 8))
                        : Turns);
    Executed += Next->Executed - Before;
    Turn = Next->Index + 1;
    if (Why == Stop::Yield)
      Next->rotate();
    if (Why != Stop::Fault && Limit && Executed > Limit)
      Next->fault(FaultKind::Hang, -1,
                  "the CTA has run " + Twine(Executed) +
                      " instructions and does not end");
    if (Found)
      break;
    // Anything may have changed for anybody.
    Ready.clear();
    bool Left = false;
    for (auto &W : Warps) {
      bool Runs = W->Active;
      for (const Group &G : W->Others)
        Runs |= G.For == Wait::None;
      if (W->Live && Runs)
        Ready.push_back(W.get());
      Left |= W->Live != 0;
    }
    if (Ready.empty() && Left && !Async.retry(Ready))
      deadlock();
  }
  if (!Found && Launch.UsesAsync)
    Async.finish();
  Counts.Instructions += Executed;
  for (auto &W : Warps)
    LastClock = std::max(LastClock, W->Clock[W->Index]);
  if (Launch.UsesAsync)
    LastClock = std::max(LastClock, Async.lastClock());
  return !Found;
}

void CtaState::deadlock() {
  std::string Where;
  WarpState *First = nullptr;
  const Group *At = nullptr;
  for (auto &W : Warps)
    for (const Group &G : W->Others) {
      if (!First)
        First = W.get(), At = &G;
      uint32_t Pc = G.For == Wait::Barrier && G.Pc ? G.Pc - 1 : G.Pc;
      Where += "; warp " + std::to_string(W->Index);
      if (G.Lanes != W->Live)
        Where += " lane " + std::to_string(llvm::countr_zero(G.Lanes));
      if (G.For == Wait::Barrier)
        Where +=
            " at barrier " + std::to_string(G.On) + ", " +
            std::to_string(Barriers[G.On].Arrived) + " of " +
            std::to_string(Barriers[G.On].Expected ? Barriers[G.On].Expected
                                                   : Launch.Threads) +
            " threads arrived";
      if (G.For == Wait::Event)
        Where += " " + Async.describe(G.On);
      Where += " (" + W->where(*G.Frame, Pc) + ")";
    }
  First->faultAt(FaultKind::Deadlock, -1,
                 "every warp that is left waits" + Where, *At->Frame,
                 At->For == Wait::Barrier && At->Pc ? At->Pc - 1 : At->Pc);
}

// --- barriers (PTX ISA, Parallel Synchronization: bar, barrier) ---

void CtaState::arrive(WarpState &By, const Inst &I, const Arrival &What) {
  Barrier &B = Barriers[What.Barrier];
  if (!B.Open) {
    B.Open = true;
    B.Expected = What.Expected;
    B.Clock.assign(By.Clock.size(), 0);
    B.First = "warp " + std::to_string(By.Index) + " at " +
              By.where(*By.Frame, By.here());
  } else if (B.Expected != What.Expected) {
    By.fault(FaultKind::Barrier, -1,
             "barrier " + Twine(What.Barrier) + " is for " +
                 (What.Expected ? Twine(What.Expected) + " threads"
                                : Twine("all threads")) +
                 " here and for " +
                 (B.Expected ? Twine(B.Expected) + " threads"
                             : Twine("all threads")) +
                 " in " + B.First);
    return;
  }
  B.Arrived += What.Counted;
  if (B.Expected && B.Arrived > B.Expected) {
    By.fault(FaultKind::Barrier, -1,
             "barrier " + Twine(What.Barrier) + " is for " + Twine(B.Expected) +
                 " threads and " + Twine(B.Arrived) +
                 " arrive; the first was " + B.First);
    return;
  }
  B.True += unsigned(llvm::popcount(What.True & By.Exec));
  B.Predicates += unsigned(llvm::popcount(By.Exec));
  joinClocks(B.Clock, By.Clock);
  ++By.Clock[By.Index];
  if (What.Waits) {
    B.Waiters.push_back({&By, By.Frame, &I, By.Exec, What.Reduce});
    By.block(Wait::Barrier, What.Barrier, /*Again=*/false);
  }
  threadsLeft();
}

void CtaState::threadsLeft() {
  uint32_t Left = 0;
  for (auto &W : Warps)
    Left += unsigned(llvm::popcount(W->Live));
  for (unsigned N = 0; N < Barriers.size(); ++N) {
    Barrier &B = Barriers[N];
    if (B.Open && B.Arrived >= (B.Expected ? B.Expected : Left))
      complete(B, N);
  }
  if (Launch.UsesAsync)
    Async.threadsLeft();
}

void CtaState::complete(Barrier &B, unsigned Number) {
  ++Counts.Barriers;
  for (const Waiter &W : B.Waiters) {
    joinClocks(W.Warp->Clock, B.Clock);
    W.Warp->wake(Wait::Barrier, Number);
    if (W.Reduce == Reduction::None)
      continue;
    char *To = W.Frame->Registers + W.Code->Op[0];
    if (W.Reduce == Reduction::Popc) {
      for (unsigned L = 0; L < WarpSize; ++L)
        if (W.Lanes >> L & 1)
          std::memcpy(To + 4 * size_t(L), &B.True, 4);
      continue;
    }
    bool Holds =
        W.Reduce == Reduction::And ? B.True == B.Predicates : B.True != 0;
    auto *Bits = reinterpret_cast<LaneMask *>(To);
    *Bits = (*Bits & ~W.Lanes) | (Holds ? W.Lanes : 0);
  }
  B = Barrier();
}
