// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ld, ldu, st and prefetch (PTX ISA, Data Movement and Conversion
// Instructions). Caches are not modelled.

#include "codegen/nv/emulation/Lanes.h"
#include "codegen/nv/emulation/Memory.h"

using namespace heddle::ptx;

namespace {

struct Bytes16 {
  uint64_t Low, High;
};

/// Inst::Flags beside Address32.
constexpr uint8_t SignExtend = 1;

void countBytes(WarpState &W, Space In, unsigned Bytes) {
  uint64_t All = uint64_t(llvm::popcount(W.Exec)) * Bytes;
  if (In == Space::Shared)
    W.Cta.Counts.SharedBytes += All;
  else if (In == Space::Global || In == Space::Generic)
    W.Cta.Counts.GlobalBytes += All;
}

/// Op[0]: address; more: registers of Bytes each; Aux: the space and the order.
template <typename T> void load(WarpState &W, const Inst &I) {
  auto In = Space(I.Aux & 0xff);
  uint64_t Address[WarpSize];
  W.addresses(I, 0, Address);
  unsigned All = unsigned(sizeof(T)) * I.Count;
  MemoryAccess Access(W, In, Touch::Read, Order(I.Aux >> 8));
  const uint32_t *To = W.Frame->Of->Operands.data() + I.More;
  countBytes(W, In, All);
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    const char *From = Access.resolve(L, Address[L], All);
    if (!From)
      return;
    for (unsigned N = 0; N < I.Count; ++N) {
      T Value;
      std::memcpy(&Value, From + N * sizeof(T), sizeof(T));
      if (I.Bytes == sizeof(T)) {
        W.reg<T>(To[N])[L] = Value;
        continue;
      }
      // A wider register: the value is extended.
      if constexpr (sizeof(T) <= 8) {
        uint64_t Wide = I.Flags & SignExtend
                            ? uint64_t(int64_t(std::make_signed_t<T>(Value)))
                            : uint64_t(Value);
        std::memcpy(W.reg<char>(To[N]) + size_t(L) * I.Bytes, &Wide, I.Bytes);
      }
    }
  }
}

template <typename T> void store(WarpState &W, const Inst &I) {
  auto In = Space(I.Aux & 0xff);
  uint64_t Address[WarpSize];
  W.addresses(I, 0, Address);
  unsigned All = unsigned(sizeof(T)) * I.Count;
  MemoryAccess Access(W, In, Touch::Write, Order(I.Aux >> 8));
  const uint32_t *From = W.Frame->Of->Operands.data() + I.More;
  countBytes(W, In, All);
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    char *To = Access.resolve(L, Address[L], All);
    if (!To)
      return;
    for (unsigned N = 0; N < I.Count; ++N)
      std::memcpy(To + N * sizeof(T),
                  W.reg<char>(From[N]) + size_t(L) * I.Bytes, sizeof(T));
  }
}

/// Modifiers of caches, which change no result.
void ignoreCaches(Decoder &D) {
  D.ignore({"ca",
            "cg",
            "cs",
            "lu",
            "cv",
            "wb",
            "wt",
            "nc",
            "evict_normal",
            "evict_unchanged",
            "evict_first",
            "evict_last",
            "no_allocate",
            "L1::evict_normal",
            "L1::evict_unchanged",
            "L1::evict_first",
            "L1::evict_last",
            "L1::no_allocate",
            "L2::evict_normal",
            "L2::evict_first",
            "L2::evict_last",
            "L2::cache_hint",
            "L2::64B",
            "L2::128B",
            "L2::256B"});
}

template <bool IsLoad> void decodeTransfer(Decoder &D) {
  Order With = takeOrder(D, Order::Weak);
  ignoreCaches(D);
  Space In = D.space();
  unsigned Count = D.take("v2") ? 2 : D.take("v4") ? 4 : D.take("v8") ? 8 : 1;
  Type Of = D.type();
  // A cache hint is a further operand.
  D.expect(2, 3);
  unsigned Value = IsLoad ? 0 : 1;
  std::vector<const Operand *> Parts = D.elements(Value);
  if (Parts.size() != Count)
    return D.fail("expected " + llvm::Twine(Count) + " registers, found " +
                  llvm::Twine(Parts.size()));
  if (In == Space::Const && !IsLoad)
    return D.fail("constant memory cannot be written");
  D.I.Aux = uint32_t(In) | uint32_t(With) << 8;
  D.I.Count = uint8_t(Count);
  D.address(IsLoad ? 1 : 0, 0, In);
  if (Of.isSigned())
    D.I.Flags |= SignExtend;
  for (const Operand *Part : Parts) {
    unsigned Bytes = 0;
    D.more(IsLoad ? D.target(*Part, Of, &Bytes) : D.source(*Part, Of, &Bytes));
    if (Part != Parts.front() && Bytes != D.I.Bytes)
      return D.fail("the registers of a vector must have one width");
    D.I.Bytes = uint8_t(Bytes);
  }
  switch (Of.Width) {
  case 8:
    D.I.Run = IsLoad ? load<uint8_t> : store<uint8_t>;
    break;
  case 16:
    D.I.Run = IsLoad ? load<uint16_t> : store<uint16_t>;
    break;
  case 32:
    D.I.Run = IsLoad ? load<uint32_t> : store<uint32_t>;
    break;
  case 64:
    D.I.Run = IsLoad ? load<uint64_t> : store<uint64_t>;
    break;
  default:
    runs(D,
         Of.Width == 128 ? (IsLoad ? load<Bytes16> : store<Bytes16>) : nullptr);
  }
}

struct Same {
  static uint64_t of(uint64_t X) { return X; }
};

void nothing(WarpState &W, const Inst &I) {}

} // namespace

void heddle::ptx::addMemoryInstructions(DecodeTable &Into) {
  Into["ld"] = decodeTransfer<true>;
  Into["ldu"] = decodeTransfer<true>;
  Into["st"] = decodeTransfer<false>;
  // A policy of caches is a number that nothing looks at.
  Into["createpolicy"] = [](Decoder &D) {
    while (!D.allTaken())
      D.takeNext();
    D.expect(1, 4);
    D.I.Op[0] = D.target(0, B64);
    D.I.Op[1] = D.Frame.constant(0, B64);
    D.I.Run = unary<uint64_t, uint64_t, Same>;
  };
  // Hints: that they name memory that is not there is no fault.
  for (llvm::StringRef Name :
       {"prefetch", "prefetchu", "applypriority", "discard"})
    Into[Name] = [](Decoder &D) {
      while (!D.allTaken())
        D.takeNext();
      D.I.Run = nothing;
    };
}
