// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/WarpState.h"

#include "codegen/nv/emulation/Cta.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle::ptx;
using llvm::Twine;

WarpState::WarpState(CtaState &In, unsigned Index) : Cta(In), Index(Index) {}

// --- groups ---

void WarpState::park(Wait For) {
  if (Active)
    Others.push_back({Frame, Pc, Active, For, 0});
  Active = 0;
}

void WarpState::resume(size_t Other) {
  Group Next = Others[Other];
  Others.erase(Others.begin() + ptrdiff_t(Other));
  Frame = Next.Frame;
  Registers = Frame->Registers;
  Pc = Next.Pc;
  Active = Next.Lanes;
}

/// Goes on with the group furthest behind, joined with those at its place.
bool WarpState::regroup() {
  park(Wait::None);
  size_t Best = Others.size();
  for (size_t I = 0; I < Others.size(); ++I) {
    if (Others[I].For != Wait::None)
      continue;
    if (Best == Others.size() ||
        Others[I].Frame->Depth > Others[Best].Frame->Depth ||
        (Others[I].Frame->Depth == Others[Best].Frame->Depth &&
         Others[I].Pc < Others[Best].Pc))
      Best = I;
  }
  Meet = ~uint32_t(0);
  if (Best == Others.size())
    return false;
  resume(Best);
  for (size_t I = 0; I < Others.size();) {
    Group &G = Others[I];
    bool Runs = G.For == Wait::None && G.Frame == Frame;
    if (Runs && G.Pc == Pc) {
      Active |= G.Lanes;
      Others.erase(Others.begin() + ptrdiff_t(I));
      continue;
    }
    if (Runs)
      Meet = std::min(Meet, G.Pc);
    ++I;
  }
  return true;
}

void WarpState::rotate() {
  for (size_t I = 0; I < Others.size(); ++I)
    if (Others[I].For == Wait::None) {
      park(Wait::None);
      resume(I);
      Meet = ~uint32_t(0);
      for (const Group &G : Others)
        if (G.For == Wait::None && G.Frame == Frame && G.Pc > Pc)
          Meet = std::min(Meet, G.Pc);
      return;
    }
}

void WarpState::wake(Wait For, uint32_t On) {
  for (Group &G : Others)
    if (G.For == For && (For != Wait::Barrier || G.On == On))
      G.For = Wait::None;
}

bool WarpState::gather(LaneMask Need) {
  if (!(Need & ~Exec))
    return true;
  if (LaneMask Gone = Need & ~Live) {
    std::string Lanes;
    for (unsigned L = 0; L < WarpSize; ++L)
      if (Gone >> L & 1)
        Lanes += (Lanes.empty() ? "" : ", ") + std::to_string(L);
    fault(FaultKind::MissingLanes, -1,
          "the instruction needs lanes that " +
              llvm::StringRef(Gone & Born ? "have exited"
                                          : "the CTA does not have") +
              ": " + Lanes);
    return false;
  }
  if (LaneMask Skip = Active & ~Exec)
    Others.push_back({Frame, Pc, Skip, Wait::None, 0});
  for (size_t I = 0; I < Others.size();) {
    Group &G = Others[I];
    if (G.For == Wait::Lanes && G.Frame == Frame && G.Pc == here()) {
      Exec |= G.Lanes;
      Need |= G.On;
      Others.erase(Others.begin() + ptrdiff_t(I));
    } else {
      ++I;
    }
  }
  Active = Exec;
  if (!(Need & ~Exec)) {
    // The lanes that skip the instruction may have been the ones to meet.
    Meet = 0;
    return true;
  }
  Others.push_back({Frame, here(), Exec, Wait::Lanes, Need});
  Active = 0;
  Why = Stop::Switch;
  return false;
}

void WarpState::block(Wait For, uint32_t On, bool Again) {
  if (LaneMask Skip = Active & ~Exec)
    Others.push_back({Frame, Pc, Skip, Wait::None, 0});
  Others.push_back({Frame, Again ? here() : Pc, Exec, For, On});
  Active = 0;
  Why = Stop::Switch;
}

void WarpState::jump(uint32_t To) {
  LaneMask Stay = Active & ~Exec;
  uint32_t After = Pc;
  Pc = To;
  if (!Stay)
    return;
  Others.push_back({Frame, After, Stay, Wait::None, 0});
  Active = Exec;
  Why = Stop::Switch;
}

void WarpState::jump(const uint32_t *To) {
  if (LaneMask Stay = Active & ~Exec)
    Others.push_back({Frame, Pc, Stay, Wait::None, 0});
  for (LaneMask Left = Exec; Left;) {
    uint32_t Target = To[llvm::countr_zero(Left)];
    LaneMask Same = 0;
    for (unsigned L = 0; L < WarpSize; ++L)
      if ((Left >> L & 1) && To[L] == Target)
        Same |= LaneMask(1) << L;
    Others.push_back({Frame, Target, Same, Wait::None, 0});
    Left &= ~Same;
  }
  Active = 0;
  Why = Stop::Switch;
}

// --- the end of lanes ---

void WarpState::exit() {
  if (LaneMask Stay = Active & ~Exec)
    Others.push_back({Frame, Pc, Stay, Wait::None, 0});
  for (CallFrame *F = Frame; F; F = F->Parent)
    drop(F, Exec);
  Live &= ~Exec;
  Active = 0;
  Why = Stop::Switch;
  // What waits for lanes may now wait in vain, or have all that are left.
  wake(Wait::Lanes);
  Cta.threadsLeft();
}

// --- running ---

Stop WarpState::run(uint32_t Budget) {
  Why = Stop::None;
  if (!Active && !regroup())
    return Live ? Stop::Wait : Stop::Exit;
  uint32_t Left = Budget;
  while (Left--) {
    if (Pc >= Meet)
      regroup();
    const Inst &I = Frame->Of->Code[Pc++];
    LaneMask E = Active;
    if (I.Guard != NoGuard) {
      LaneMask Holds = *reg<LaneMask>(I.Guard);
      E &= I.GuardNegated ? ~Holds : Holds;
      if (!E)
        continue;
    }
    Exec = E;
    I.Run(*this, I);
    if (Why == Stop::None)
      continue;
    Executed += Budget - Left;
    Budget = Left;
    if (Why == Stop::Fault)
      return Why;
    bool Yields = Why == Stop::Yield;
    Why = Stop::None;
    if (Yields)
      return Stop::Yield;
    if (!regroup()) {
      if (!Live)
        return Stop::Exit;
      deadlockedLanes();
      return Why == Stop::Fault ? Why : Stop::Wait;
    }
  }
  Executed += Budget;
  return Stop::Yield;
}

/// Nothing of the warp runs: groups that wait for lanes wait in vain unless
/// other groups wait for something from outside.
void WarpState::deadlockedLanes() {
  const Group *Waits = nullptr;
  for (const Group &G : Others) {
    if (G.For != Wait::Lanes)
      return;
    if (!Waits)
      Waits = &G;
  }
  if (!Waits)
    return;
  std::string Elsewhere;
  for (const Group &G : Others)
    if (&G != Waits)
      Elsewhere += "; lane " + std::to_string(llvm::countr_zero(G.Lanes)) +
                   " waits at " + where(*G.Frame, G.Pc);
  faultAt(FaultKind::MissingLanes, llvm::countr_zero(Waits->Lanes),
          "the instruction needs lanes 0x" + llvm::utohexstr(Waits->On) +
              " and only 0x" + llvm::utohexstr(Waits->Lanes) + " are here" +
              Elsewhere,
          *Waits->Frame, Waits->Pc);
}

// --- messages ---

std::string WarpState::where(const CallFrame &In, uint32_t At) const {
  const Place &P = In.Of->Places[At];
  return "line " + std::to_string(P.Line) + ": " +
         Cta.Launch.Code.line(P.Line).str();
}

void WarpState::fault(FaultKind Kind, int Lane, const Twine &What) {
  faultAt(Kind, Lane, What, *Frame, here());
}

void WarpState::faultAt(FaultKind Kind, int Lane, const Twine &What,
                        const CallFrame &In, uint32_t At) {
  Why = Stop::Fault;
  if (Cta.Found)
    return;
  struct Fault &F = Cta.Found.emplace();
  const Place &P = In.Of->Places[At];
  F.Kind = Kind;
  F.Message = What.str();
  F.Kernel = Cta.Launch.Info.Name;
  F.Line = P.Line;
  F.Text = Cta.Launch.Code.line(P.Line).str();
  F.Source = Cta.Launch.Code.Sources[P.Source];
  llvm::copy(Cta.Id, F.Cta);
  F.Warp = Index;
  F.Lane = Lane;
}

void WarpState::addresses(const Inst &I, unsigned Slot, uint64_t *Out) {
  if (I.Flags & Address32) {
    // Shared and local addresses of 32 bits wrap around.
    const auto *Base = reg<uint32_t>(I.Op[Slot]);
    for (unsigned L = 0; L < WarpSize; ++L)
      Out[L] = uint32_t(Base[L] + uint32_t(I.Imm));
    return;
  }
  const auto *Base = reg<uint64_t>(I.Op[Slot]);
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Base[L] + uint64_t(I.Imm);
}
