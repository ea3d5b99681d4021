// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Frames of a warp: registers, special values, parameters of calls.

#include "codegen/nv/emulation/Cta.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle::ptx;
using llvm::Twine;

void WarpState::start(const Function &Entry, unsigned Threads) {
  Others.clear();
  for (auto &F : Frames)
    if (F->Lanes)
      drop(F.get(), F->Lanes);
  Copies.clear();
  CopyGroups.fill(0);
  Executed = 0;
  Meet = ~uint32_t(0);
  Live = Born = Threads >= WarpSize ? AllLanes : (LaneMask(1) << Threads) - 1;
  Frame = makeFrame(Entry, nullptr);
  Frame->Lanes = Live;
  Registers = Frame->Registers;
  Pc = 0;
  Active = Live;
  Why = Stop::None;
}

CallFrame *WarpState::makeFrame(const Function &Of, CallFrame *Parent) {
  CallFrame *New = nullptr;
  for (CallFrame *&Free : FreeFrames)
    if (Free->Of == &Of) {
      New = Free;
      Free = FreeFrames.back();
      FreeFrames.pop_back();
      break;
    }
  if (!New) {
    New = Frames.emplace_back(std::make_unique<CallFrame>()).get();
    New->Of = &Of;
    New->Storage.assign(Of.frameBytes() + 64, 0);
    New->Registers = New->Storage.data() +
                     -reinterpret_cast<uintptr_t>(New->Storage.data()) % 64;
    llvm::copy(Of.Image, New->Registers + Of.RegisterBytes);
    New->Params.assign(size_t(Of.ParamBytes) * WarpSize, 0);
  }
  // What nobody wrote is the same in every run, and a NaN.
  std::memset(New->Registers, 0xff, Of.RegisterBytes);
  New->Parent = Parent;
  New->Depth = Parent ? Parent->Depth + 1 : 0;
  New->LocalBase =
      Parent ? llvm::alignTo(Parent->LocalBase + Parent->Of->LocalBytes, 16)
             : 0;
  for (auto &Bytes : Local)
    if (Bytes.size() < New->LocalBase + Of.LocalBytes)
      Bytes.resize(New->LocalBase + Of.LocalBytes, char(0xff));
  fillSpecials(*New);
  return New;
}

void WarpState::drop(CallFrame *Dead, LaneMask Lanes) {
  Dead->Lanes &= ~Lanes;
  if (!Dead->Lanes)
    FreeFrames.push_back(Dead);
}

void WarpState::fillSpecials(CallFrame &In) {
  const LaunchState &L = Cta.Launch;
  const uint32_t *Block = L.Config.Block, *Grid = L.Config.Grid;
  auto Value = [&](const Special &S, unsigned Lane) -> uint64_t {
    uint32_t Thread = Index * WarpSize + Lane;
    switch (S.Kind) {
    case SpecialKind::TidX:
      return Thread % Block[0];
    case SpecialKind::TidY:
      return Thread / Block[0] % Block[1];
    case SpecialKind::TidZ:
      return Thread / Block[0] / Block[1];
    case SpecialKind::NtidX:
    case SpecialKind::NtidY:
    case SpecialKind::NtidZ:
      return Block[unsigned(S.Kind) - unsigned(SpecialKind::NtidX)];
    case SpecialKind::CtaidX:
    case SpecialKind::CtaidY:
    case SpecialKind::CtaidZ:
      return Cta.Id[unsigned(S.Kind) - unsigned(SpecialKind::CtaidX)];
    case SpecialKind::NctaidX:
    case SpecialKind::NctaidY:
    case SpecialKind::NctaidZ:
      return Grid[unsigned(S.Kind) - unsigned(SpecialKind::NctaidX)];
    case SpecialKind::Lane:
      return Lane;
    case SpecialKind::WarpNumber:
      return Index;
    case SpecialKind::NumWarps:
      return (L.Threads + WarpSize - 1) / WarpSize;
    case SpecialKind::MaskEq:
      return uint32_t(1) << Lane;
    case SpecialKind::MaskLe:
      return AllLanes >> (31 - Lane);
    case SpecialKind::MaskLt:
      return (uint32_t(1) << Lane) - 1;
    case SpecialKind::MaskGe:
      return AllLanes << Lane;
    case SpecialKind::MaskGt:
      return AllLanes << Lane << 1;
    case SpecialKind::DynamicSharedBytes:
      return L.Config.DynamicShared;
    case SpecialKind::DynamicShared:
      return L.StaticShared + S.Addend;
    case SpecialKind::Local:
      return In.LocalBase + S.Addend;
    case SpecialKind::Variable:
      return L.On.variable(L.Of, S.Index) + S.Addend;
    }
    return 0;
  };
  for (const Special &S : In.Of->Specials)
    for (unsigned Lane = 0; Lane < WarpSize; ++Lane) {
      uint64_t Bits = Value(S, Lane);
      std::memcpy(In.Registers + S.Place + size_t(Lane) * S.Bytes, &Bits,
                  S.Bytes);
    }
}

// --- calls ---

void WarpState::call(const Inst &I, const Function &Callee) {
  if (LaneMask Stay = Active & ~Exec)
    Others.push_back({Frame, Pc, Stay, Wait::None, 0});
  constexpr unsigned MaxDepth = 1024;
  if (Frame->Depth == MaxDepth || Frame->LocalBase +
                                          uint64_t(Frame->Of->LocalBytes) +
                                          Callee.LocalBytes + 16 >
                                      MaxLocalBytes) {
    fault(FaultKind::OutOfBounds, -1,
          "calls are nested too deep: the stack of "
          "a thread has " +
              Twine(MaxLocalBytes) + " bytes");
    return;
  }
  CallFrame *Parent = Frame, *New = makeFrame(Callee, Parent);
  New->Call = &I;
  New->ReturnTo = Pc;
  New->Lanes = Exec;
  for (unsigned N = 0; N < Callee.Parameters.size(); ++N)
    for (unsigned L = 0; L < WarpSize; ++L)
      if (on(L))
        std::memcpy(
            New->Params.data() + size_t(L) * Callee.ParamBytes +
                Callee.Parameters[N].Offset,
            Parent->Params.data() + size_t(L) * Parent->Of->ParamBytes +
                Parent->Of->Operands[I.More + Callee.Results.size() + N],
            Callee.Parameters[N].Bytes);
  Active = Exec;
  Frame = New;
  Registers = New->Registers;
  Pc = 0;
  Meet = ~uint32_t(0);
}

void WarpState::leave() {
  CallFrame *From = Frame, *To = Frame->Parent;
  if (!To)
    return exit();
  const Function &Callee = *From->Of;
  for (unsigned N = 0; N < Callee.Results.size(); ++N)
    for (unsigned L = 0; L < WarpSize; ++L)
      if (on(L))
        std::memcpy(To->Params.data() + size_t(L) * To->Of->ParamBytes +
                        To->Of->Operands[From->Call->More + N],
                    From->Params.data() + size_t(L) * Callee.ParamBytes +
                        Callee.Results[N].Offset,
                    Callee.Results[N].Bytes);
  if (LaneMask Stay = Active & ~Exec)
    Others.push_back({From, Pc, Stay, Wait::None, 0});
  Others.push_back({To, From->ReturnTo, Exec, Wait::None, 0});
  drop(From, Exec);
  Active = 0;
  Why = Stop::Switch;
}
