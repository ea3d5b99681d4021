// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mov, and addresses between spaces (PTX ISA, Data Movement and Conversion
// Instructions: mov, cvta, isspacep; Special Registers).

#include "codegen/nv/emulation/Cta.h"
#include "codegen/nv/emulation/Lanes.h"

using namespace heddle::ptx;

namespace {

template <typename T> void move(WarpState &W, const Inst &I) {
  if (W.Exec == AllLanes) {
    std::memmove(W.reg<T>(I.Op[0]), W.reg<T>(I.Op[1]), sizeof(T) * WarpSize);
    return;
  }
  T Copy[WarpSize];
  std::memcpy(Copy, W.reg<T>(I.Op[1]), sizeof(Copy));
  W.store(I.Op[0], Copy);
}
struct Bits128 {
  uint64_t Low, High;
};

void movePredicate(WarpState &W, const Inst &I) {
  W.storePredicate(I.Op[0],
                   *W.reg<LaneMask>(I.Op[1]) ^ (I.Flags ? AllLanes : 0));
}

/// Several registers of Bytes each into one, or back; the first is the lowest.
void pack(WarpState &W, const Inst &I) {
  char Out[WarpSize * 16];
  unsigned Each = I.Bytes, All = Each * I.Count;
  for (unsigned N = 0; N < I.Count; ++N) {
    const char *From = W.reg<char>(W.more(I, N));
    for (unsigned L = 0; L < WarpSize; ++L)
      std::memcpy(Out + L * All + N * Each, From + L * Each, Each);
  }
  char *To = W.reg<char>(I.Op[0]);
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L))
      std::memcpy(To + L * All, Out + L * All, All);
}
void unpack(WarpState &W, const Inst &I) {
  char In[WarpSize * 16];
  unsigned Each = I.Bytes, All = Each * I.Count;
  std::memcpy(In, W.reg<char>(I.Op[1]), size_t(WarpSize) * All);
  for (unsigned N = 0; N < I.Count; ++N) {
    char *To = W.reg<char>(W.more(I, N));
    for (unsigned L = 0; L < WarpSize; ++L)
      if (W.on(L))
        std::memcpy(To + L * Each, In + L * All + N * Each, Each);
  }
}

void decodePack(Decoder &D, Type Of, bool Packs) {
  std::vector<const Operand *> Parts = D.elements(Packs ? 1 : 0);
  D.I.Count = uint8_t(Parts.size());
  if (Parts.empty() || Of.bytes() % Parts.size() ||
      Of.bytes() / Parts.size() < 2)
    return D.fail("a register of " + llvm::Twine(unsigned(Of.Width)) +
                  " bits does not split into " + llvm::Twine(Parts.size()));
  Type Each{TypeClass::Bits, uint8_t(Of.Width / Parts.size()), false};
  D.I.Bytes = uint8_t(Each.bytes());
  D.I.Op[Packs ? 0 : 1] = Packs ? D.target(0, Of) : D.source(1, Of);
  for (const Operand *Part : Parts)
    D.more(Packs ? D.source(*Part, Each) : D.target(*Part, Each));
  D.I.Run = Packs ? pack : unpack;
}

// --- registers that change ---

enum class Changing : uint8_t { Clock, Clock64, ClockHigh, Timer };

/// Time is what the emulator makes it: it never stands still between two reads.
template <typename T> void readTime(WarpState &W, const Inst &I) {
  constexpr uint64_t Step = 16;
  W.Cta.Time += Step;
  T Out[WarpSize];
  for (T &X : Out)
    X = T(I.Aux == uint32_t(Changing::ClockHigh) ? W.Cta.Time >> 32
                                                 : W.Cta.Time);
  W.store(I.Op[0], Out);
}

bool decodeChanging(Decoder &D, Type Of) {
  static constexpr std::pair<llvm::StringLiteral, Changing> Names[] = {
      {"%clock", Changing::Clock},
      {"%clock64", Changing::Clock64},
      {"%clock_hi", Changing::ClockHigh},
      {"%globaltimer", Changing::Timer},
      {"%globaltimer_lo", Changing::Timer},
      {"%globaltimer_hi", Changing::ClockHigh}};
  for (const auto &[Name, Which] : Names)
    if (D.operand(1).Is == Operand::Name && D.operand(1).Text == Name) {
      D.I.Op[0] = D.target(0, Of);
      D.I.Aux = uint32_t(Which);
      D.I.Run = Of.Width == 64 ? readTime<uint64_t> : readTime<uint32_t>;
      return true;
    }
  return false;
}

/// Registers that are the same for every CTA here: one multiprocessor, one
/// grid, clusters of one CTA.
std::optional<uint64_t> fixedRegister(llvm::StringRef Name) {
  static constexpr std::pair<llvm::StringLiteral, uint64_t> Names[] = {
      {"%smid", 0},
      {"%nsmid", 1},
      {"%gridid", 1},
      {"%is_explicit_cluster", 0},
      {"%clusterid.x", 0},
      {"%clusterid.y", 0},
      {"%clusterid.z", 0},
      {"%cluster_ctaid.x", 0},
      {"%cluster_ctaid.y", 0},
      {"%cluster_ctaid.z", 0},
      {"%cluster_nctaid.x", 1},
      {"%cluster_nctaid.y", 1},
      {"%cluster_nctaid.z", 1},
      {"%cluster_ctarank", 0},
      {"%cluster_nctarank", 1},
      {"%aggr_smem_size", 0}};
  for (const auto &[Known, Value] : Names)
    if (Known == Name)
      return Value;
  return std::nullopt;
}

void decodeMove(Decoder &D) {
  Type Of = D.type();
  D.expect(2);
  if (D.operand(0).Is == Operand::Vector)
    return decodePack(D, Of, /*Packs=*/false);
  if (D.operand(1).Is == Operand::Vector)
    return decodePack(D, Of, /*Packs=*/true);
  if (Of.isPredicate()) {
    bool Negated = false;
    D.I.Op[0] = D.target(0, Of);
    D.I.Op[1] = D.predicate(1, Negated);
    D.I.Flags = Negated;
    D.I.Run = movePredicate;
    return;
  }
  if (decodeChanging(D, Of))
    return;
  D.I.Op[0] = D.target(0, Of);
  std::optional<uint64_t> Fixed = fixedRegister(D.operand(1).Text);
  D.I.Op[1] = Fixed ? D.Frame.constant(*Fixed, Of) : D.source(1, Of);
  runs(D, Of.Width == 16    ? move<uint16_t>
          : Of.Width == 32  ? move<uint32_t>
          : Of.Width == 64  ? move<uint64_t>
          : Of.Width == 128 ? move<Bits128>
                            : nullptr);
}

// --- addresses ---

uint64_t windowOf(Space In) {
  return In == Space::Shared  ? SharedWindow
         : In == Space::Local ? LocalWindow
         : In == Space::Param ? ParamWindow
                              : 0;
}

template <typename To, typename From>
void addWindow(WarpState &W, const Inst &I) {
  const From *X = W.reg<From>(I.Op[1]);
  To Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = To(uint64_t(X[L]) + uint64_t(I.Imm));
  W.store(I.Op[0], Out);
}

void decodeConvertAddress(Decoder &D) {
  bool Back = D.take("to");
  uint64_t Window = windowOf(D.space());
  Type Of = D.type();
  D.I.Imm = int64_t(Back ? -Window : Window);
  simpleOperands(D, Of, 1);
  runs(D, Of.Width == 64 ? addWindow<uint64_t, uint64_t> : nullptr);
}

void isInSpace(WarpState &W, const Inst &I) {
  const auto *X = W.reg<uint64_t>(I.Op[1]);
  LaneMask Out = 0;
  for (unsigned L = 0; L < WarpSize; ++L)
    Out |= LaneMask((X[L] & WindowMask) == uint64_t(I.Imm)) << L;
  W.storePredicate(I.Op[0], Out);
}

} // namespace

void heddle::ptx::addMoveInstructions(DecodeTable &Into) {
  Into["mov"] = decodeMove;
  Into["cvta"] = decodeConvertAddress;
  Into["isspacep"] = [](Decoder &D) {
    D.I.Imm = int64_t(windowOf(D.space()));
    D.expect(2);
    D.I.Op[0] = D.target(0, Predicate);
    D.I.Op[1] = D.source(1, B64);
    D.I.Run = isInSpace;
  };
}
