// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// atom, red and fences (PTX ISA, Parallel Synchronization and Communication
// Instructions). Lanes take turns in their order.

#include "codegen/nv/emulation/Formats.h"
#include "codegen/nv/emulation/Memory.h"

using namespace heddle::ptx;

namespace {

/// The new bits from the old ones and the operands.
using Update = uint64_t (*)(uint64_t Old, uint64_t B, uint64_t C);

template <typename T> struct On {
  static T value(uint64_t Bits) {
    T Out;
    std::memcpy(&Out, &Bits, sizeof(T));
    return Out;
  }
  static uint64_t bits(T Value) {
    uint64_t Out = 0;
    std::memcpy(&Out, &Value, sizeof(T));
    return Out;
  }
  static uint64_t add(uint64_t Old, uint64_t B, uint64_t) {
    if constexpr (std::is_integral_v<T>)
      return bits(T(Old + B));
    else
      return bits(value(Old) + value(B));
  }
  static uint64_t min(uint64_t Old, uint64_t B, uint64_t) {
    return bits(std::min(value(Old), value(B)));
  }
  static uint64_t max(uint64_t Old, uint64_t B, uint64_t) {
    return bits(std::max(value(Old), value(B)));
  }
};
uint64_t bitAnd(uint64_t Old, uint64_t B, uint64_t) { return Old & B; }
uint64_t bitOr(uint64_t Old, uint64_t B, uint64_t) { return Old | B; }
uint64_t bitXor(uint64_t Old, uint64_t B, uint64_t) { return Old ^ B; }
uint64_t exchange(uint64_t, uint64_t B, uint64_t) { return B; }
uint64_t compareAndSwap(uint64_t Old, uint64_t B, uint64_t C) {
  return Old == B ? C : Old;
}
uint64_t increment(uint64_t Old, uint64_t B, uint64_t) {
  return Old >= B ? 0 : Old + 1;
}
uint64_t decrement(uint64_t Old, uint64_t B, uint64_t) {
  return Old == 0 || Old > B ? B : Old - 1;
}

template <typename Format>
uint64_t addPair(uint64_t Old, uint64_t B, uint64_t) {
  auto Half = [&](unsigned Shift) {
    return uint64_t(Format::store(Format::load(uint16_t(Old >> Shift)) +
                                  Format::load(uint16_t(B >> Shift))))
           << Shift;
  };
  return Half(0) | Half(16);
}
template <typename Format>
uint64_t addHalf(uint64_t Old, uint64_t B, uint64_t) {
  return Format::store(Format::load(uint16_t(Old)) + Format::load(uint16_t(B)));
}

template <typename T> Update extreme(bool Max) {
  return Max ? On<T>::max : On<T>::min;
}

Update addOf(Type Of) {
  if (Of.isFloat() && Of.Packed)
    return Of.Class == TypeClass::Brain ? addPair<FormatBF16>
                                        : addPair<FormatF16>;
  if (Of.isHalf())
    return Of.Class == TypeClass::Brain ? addHalf<FormatBF16>
                                        : addHalf<FormatF16>;
  if (Of.isFloat())
    return Of.Width == 32 ? On<float>::add : On<double>::add;
  return Of.Width == 32 ? On<uint32_t>::add : On<uint64_t>::add;
}

Update extremeOf(Type Of, bool Max) {
  if (!Of.isInteger())
    return nullptr;
  if (Of.Width == 32)
    return Of.isSigned() ? extreme<int32_t>(Max) : extreme<uint32_t>(Max);
  return Of.isSigned() ? extreme<int64_t>(Max) : extreme<uint64_t>(Max);
}

Update updateOf(llvm::StringRef Name, Type Of) {
  if (Name == "add")
    return addOf(Of);
  if (Name == "min" || Name == "max")
    return extremeOf(Of, Name == "max");
  static constexpr std::pair<llvm::StringLiteral, Update> Others[] = {
      {"and", bitAnd},    {"or", bitOr},           {"xor", bitXor},
      {"exch", exchange}, {"cas", compareAndSwap}, {"inc", increment},
      {"dec", decrement}};
  for (const auto &[Known, By] : Others)
    if (Known == Name)
      return By;
  return nullptr;
}

/// Every update there is; instructions have its number.
constexpr Update Updates[] = {bitAnd,
                              bitOr,
                              bitXor,
                              exchange,
                              compareAndSwap,
                              increment,
                              decrement,
                              addPair<FormatF16>,
                              addPair<FormatBF16>,
                              addHalf<FormatF16>,
                              addHalf<FormatBF16>,
                              On<float>::add,
                              On<double>::add,
                              On<uint32_t>::add,
                              On<uint64_t>::add,
                              On<int32_t>::min,
                              On<int32_t>::max,
                              On<uint32_t>::min,
                              On<uint32_t>::max,
                              On<int64_t>::min,
                              On<int64_t>::max,
                              On<uint64_t>::min,
                              On<uint64_t>::max};

/// One update; other host threads may run CTAs that update the same place.
template <typename T>
uint64_t updateAt(char *At, Update By, uint64_t B, uint64_t C) {
  auto *Word = reinterpret_cast<T *>(At);
  T Old = __atomic_load_n(Word, __ATOMIC_SEQ_CST);
  while (!__atomic_compare_exchange_n(Word, &Old, T(By(Old, B, C)), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    ;
  return Old;
}

/// Op: result, address, B, C; Imm is the address offset.
template <typename T> void runAtomic(WarpState &W, const Inst &I) {
  uint64_t Address[WarpSize];
  W.addresses(I, 1, Address);
  Update By = Updates[I.Count];
  MemoryAccess Access(W, Space(I.Aux & 0xff), Touch::Both, Order(I.Aux >> 8));
  T Out[WarpSize] = {};
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    char *At = Access.resolve(L, Address[L], sizeof(T));
    if (!At)
      return;
    Out[L] = T(updateAt<T>(At, By, W.reg<T>(I.Op[2])[L], W.reg<T>(I.Op[3])[L]));
  }
  W.store(I.Op[0], Out);
}

template <bool Returns> void decodeAtomic(Decoder &D) {
  Order With = takeOrder(D, Order::Relaxed);
  D.ignore({"noftz", "ftz", "L2::cache_hint", "L1::no_allocate", "async"});
  Space In = D.space();
  Type Of = D.lastType();
  llvm::StringRef Name = D.takeNext();
  Update By = updateOf(Name, Of);
  unsigned At = Returns ? 1 : 0, Sources = Name == "cas" ? 2 : 1;
  D.expect(At + 1 + Sources);
  if (!By)
    return D.fail("'" + D.From.Opcode + "' is not known");
  D.I.Op[0] = Returns ? D.target(0, Of) : D.Frame.scratch(Of);
  D.address(At, 1, In);
  D.I.Op[2] = D.source(At + 1, Of);
  D.I.Op[3] = Sources == 2 ? D.source(At + 2, Of) : D.I.Op[2];
  D.I.Aux = uint32_t(In) | uint32_t(With) << 8;
  D.I.Count = uint8_t(llvm::find(Updates, By) - std::begin(Updates));
  runs(D, Of.Width == 16   ? runAtomic<uint16_t>
          : Of.Width == 32 ? runAtomic<uint32_t>
          : Of.Width == 64 ? runAtomic<uint64_t>
                           : nullptr);
}

void runFence(WarpState &W, const Inst &I) { fence(W); }

} // namespace

void heddle::ptx::addAtomicInstructions(DecodeTable &Into) {
  Into["atom"] = decodeAtomic<true>;
  Into["red"] = decodeAtomic<false>;
  Into["membar"] = [](Decoder &D) {
    D.ignore({"cta", "gl", "sys"});
    D.I.Run = runFence;
  };
  Into["fence"] = [](Decoder &D) {
    if (decodeProxyFence(D))
      return;
    D.ignore({"sc", "acq_rel", "acquire", "release", "cta", "cluster", "gpu",
              "sys"});
    D.I.Run = runFence;
  };
}
