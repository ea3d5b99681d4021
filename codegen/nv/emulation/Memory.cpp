// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Memory.h"

#include "codegen/nv/emulation/Decoder.h"

#include "llvm/ADT/StringExtras.h"

using namespace heddle::ptx;
using llvm::Twine;

MemoryAccess::MemoryAccess(WarpState &W, Space In, Touch How, Order With)
    : W(W), In(In), How(How), With(With), Shared(W, With != Order::Weak) {}

static const char *verb(Touch How) {
  return How == Touch::Read    ? "read"
         : How == Touch::Write ? "write"
                               : "atomic update";
}

char *MemoryAccess::outside(unsigned Lane, Space Of, uint64_t Address,
                            unsigned Bytes, uint64_t Size) {
  W.fault(FaultKind::OutOfBounds, int(Lane),
          Twine(verb(How)) + " of " + Twine(Bytes) + " bytes at 0x" +
              llvm::utohexstr(Address) + " of " + spaceName(Of) +
              " memory, which has " + Twine(Size) + " bytes");
  return nullptr;
}

char *MemoryAccess::global(unsigned Lane, uint64_t Address, unsigned Bytes) {
  const Range *&Recent = W.Cta.Recent;
  if (!Recent || Address < Recent->Begin || Address >= Recent->End)
    Recent = W.Cta.Launch.On.find(Address);
  if (!Recent || Address + Bytes > Recent->End) {
    W.fault(FaultKind::OutOfBounds, int(Lane),
            Twine(verb(How)) + " of " + Twine(Bytes) + " bytes at 0x" +
                llvm::utohexstr(Address) +
                " of global memory: " + W.Cta.Launch.On.describe(Address));
    return nullptr;
  }
  if (How != Touch::Read && Recent->ReadOnly) {
    W.fault(FaultKind::ReadOnly, int(Lane),
            Twine(verb(How)) + " at byte " + Twine(Address - Recent->Begin) +
                " of '" + Recent->Name + "', which is read-only");
    return nullptr;
  }
  return reinterpret_cast<char *>(Address);
}

char *MemoryAccess::parameter(unsigned Lane, uint64_t Address, unsigned Bytes) {
  const CallFrame &F = *W.Frame;
  if (Address >= CallParams) {
    uint64_t Offset = Address - CallParams;
    if (Offset + Bytes > F.Of->ParamBytes)
      return outside(Lane, Space::Param, Offset, Bytes, F.Of->ParamBytes);
    return W.Frame->Params.data() + size_t(Lane) * F.Of->ParamBytes + Offset;
  }
  llvm::ArrayRef<char> Block = W.Cta.Launch.Config.Parameters;
  if (Address + Bytes > Block.size())
    return outside(Lane, Space::Param, Address, Bytes, Block.size());
  if (How != Touch::Read) {
    W.fault(FaultKind::ReadOnly, int(Lane),
            "write to the parameters of the kernel");
    return nullptr;
  }
  // Only read.
  return const_cast<char *>(Block.data()) + Address;
}

char *MemoryAccess::locate(unsigned Lane, uint64_t Address, unsigned Bytes) {
  Space Of = In;
  if (In == Space::Generic) {
    uint64_t Window = Address & WindowMask;
    Of = Window == SharedWindow  ? Space::Shared
         : Window == LocalWindow ? Space::Local
         : Window == ParamWindow ? Space::Param
                                 : Space::Global;
    if (Of != Space::Global)
      Address &= ~WindowMask;
  }
  if (Address % Bytes) {
    W.fault(FaultKind::Misaligned, int(Lane),
            Twine(verb(How)) + " of " + Twine(Bytes) + " bytes at 0x" +
                llvm::utohexstr(Address) + " of " + spaceName(Of) +
                " memory, which is no multiple of " + Twine(Bytes));
    return nullptr;
  }
  IsShared = Of == Space::Shared;
  switch (Of) {
  case Space::Shared:
    if (Address >= W.Cta.Shared.size() || W.Cta.Shared.size() - Address < Bytes)
      return outside(Lane, Of, Address, Bytes, W.Cta.Shared.size());
    return W.Cta.Shared.at(Address);
  case Space::Local:
    if (Address >= W.Local[Lane].size() ||
        W.Local[Lane].size() - Address < Bytes)
      return outside(Lane, Of, Address, Bytes, W.Local[Lane].size());
    return W.Local[Lane].data() + Address;
  case Space::Param:
    return parameter(Lane, Address, Bytes);
  default:
    return global(Lane, Address, Bytes);
  }
}

char *MemoryAccess::resolve(unsigned Lane, uint64_t Address, unsigned Bytes) {
  char *At = locate(Lane, Address, Bytes);
  if (!At)
    return nullptr;
  if (IsShared) {
    uint64_t Offset = uint64_t(At - W.Cta.Shared.at(0));
    if (How != Touch::Write && !W.Cta.Shared.read(Shared, Lane, Offset, Bytes))
      return nullptr;
    if (How != Touch::Read && !W.Cta.Shared.write(Shared, Lane, Offset, Bytes))
      return nullptr;
  }
  if (With != Order::Weak)
    order(reinterpret_cast<uintptr_t>(At));
  return At;
}

/// A strong access meets those before it at the same address.
void MemoryAccess::order(uint64_t Key) {
  std::vector<uint32_t> &There = W.Cta.Released[Key];
  if (How != Touch::Write) {
    if (With == Order::Acquire || With == Order::Both)
      joinClocks(W.Clock, There);
    else
      joinClocks(W.Seen, There);
  }
  if (How == Touch::Read)
    return;
  if (With == Order::Release || With == Order::Both) {
    joinClocks(There, W.Clock);
    ++W.Clock[W.Index];
  } else {
    joinClocks(There, W.Fenced);
  }
}

void heddle::ptx::fence(WarpState &W) {
  joinClocks(W.Clock, W.Seen);
  W.Fenced = W.Clock;
  ++W.Clock[W.Index];
}

Order heddle::ptx::takeOrder(Decoder &D, Order Plain) {
  D.ignore({"cta", "cluster", "gpu", "sys"});
  static constexpr std::pair<llvm::StringLiteral, Order> Names[] = {
      {"weak", Order::Weak},       {"volatile", Order::Relaxed},
      {"mmio", Order::Relaxed},    {"relaxed", Order::Relaxed},
      {"acquire", Order::Acquire}, {"release", Order::Release},
      {"acq_rel", Order::Both}};
  Order Out = Plain;
  for (const auto &[Name, With] : Names)
    if (D.take(Name))
      Out = With;
  return Out;
}
