// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions between the lanes of a warp (PTX ISA, Parallel Synchronization
// and Communication Instructions; shfl under Data Movement). All lanes that the
// mask names must come to the instruction.

#include "codegen/nv/emulation/Cta.h"
#include "codegen/nv/emulation/Lanes.h"
#include "codegen/nv/emulation/Memory.h"

using namespace heddle::ptx;
using llvm::Twine;

namespace {

/// Waits for the lanes of the masks in operand `Slot`. False: return at once.
bool gatherMask(WarpState &W, const Inst &I, unsigned Slot) {
  const auto *Masks = W.reg<uint32_t>(I.Op[Slot]);
  LaneMask Need = 0;
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    if (!(Masks[L] >> L & 1)) {
      W.fault(FaultKind::MissingLanes, int(L),
              "the lane executes the instruction and is not in its mask");
      return false;
    }
    Need |= Masks[L];
  }
  return W.gather(Need);
}

// --- shfl ---

enum class Shuffle : uint8_t { Up, Down, Butterfly, Index };

/// Op: result, value, lane, clamp, mask; Aux: the predicate, Count: the mode.
void runShuffle(WarpState &W, const Inst &I) {
  if (!gatherMask(W, I, 4))
    return;
  const auto *Value = W.reg<uint32_t>(I.Op[1]), *By = W.reg<uint32_t>(I.Op[2]);
  const auto *Control = W.reg<uint32_t>(I.Op[3]),
             *Masks = W.reg<uint32_t>(I.Op[4]);
  uint32_t Out[WarpSize];
  LaneMask Valid = 0;
  for (unsigned L = 0; L < WarpSize; ++L) {
    uint32_t B = By[L] & 31, Clamp = Control[L] & 31,
             Segment = Control[L] >> 8 & 31;
    uint32_t Last = (L & Segment) | (Clamp & ~Segment), First = L & Segment;
    int64_t From = 0;
    bool Inside = false;
    switch (Shuffle(I.Count)) {
    case Shuffle::Up:
      From = int64_t(L) - B;
      Inside = From >= int64_t(Last);
      break;
    case Shuffle::Down:
      From = L + B;
      Inside = From <= int64_t(Last);
      break;
    case Shuffle::Butterfly:
      From = L ^ B;
      Inside = From <= int64_t(Last);
      break;
    case Shuffle::Index:
      From = First | (B & ~Segment);
      Inside = From <= int64_t(Last);
      break;
    }
    if (!Inside)
      From = L;
    Valid |= LaneMask(Inside) << L;
    if (W.on(L) && !(Masks[L] >> From & 1))
      return W.fault(FaultKind::MissingLanes, int(L),
                     "the lane reads lane " + Twine(From) +
                         ", which is not in the mask");
    Out[L] = Value[From];
  }
  W.store(I.Op[0], Out);
  W.storePredicate(I.Aux, Valid);
}

void decodeShuffle(Decoder &D) {
  if (!D.take("sync"))
    D.fail("expected '.sync': the form without it is gone since sm_70");
  static constexpr std::pair<llvm::StringLiteral, Shuffle> Modes[] = {
      {"up", Shuffle::Up},
      {"down", Shuffle::Down},
      {"bfly", Shuffle::Butterfly},
      {"idx", Shuffle::Index}};
  bool Known = false;
  for (const auto &[Name, Mode] : Modes)
    if (D.take(Name)) {
      D.I.Count = uint8_t(Mode);
      Known = true;
    }
  if (!Known)
    D.fail("unknown mode '." + D.next() + "'");
  D.type();
  D.expect(5);
  const Operand &To = D.operand(0);
  bool Both = To.Is == Operand::Pair;
  D.I.Op[0] = D.target(Both ? To.Items[0] : To, B32);
  D.I.Aux =
      Both ? D.target(To.Items[1], Predicate) : D.Frame.scratch(Predicate);
  for (unsigned N = 1; N < 5; ++N)
    D.I.Op[N] = D.source(N, B32);
  D.I.Run = runShuffle;
}

// --- votes ---

enum class Vote : uint8_t { All, Any, Uniform, Ballot };

void runVote(WarpState &W, const Inst &I) {
  if (!gatherMask(W, I, 2))
    return;
  LaneMask Holds = *W.reg<LaneMask>(I.Op[1]) ^ (I.Flags ? AllLanes : 0);
  const auto *Masks = W.reg<uint32_t>(I.Op[2]);
  LaneMask Out = 0;
  uint32_t Ballots[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    LaneMask Of = Masks[L], Yes = Holds & Of;
    Ballots[L] = Yes;
    bool Is = Vote(I.Count) == Vote::All   ? Yes == Of
              : Vote(I.Count) == Vote::Any ? Yes != 0
                                           : Yes == Of || !Yes;
    Out |= LaneMask(Is) << L;
  }
  if (Vote(I.Count) == Vote::Ballot)
    W.store(I.Op[0], Ballots);
  else
    W.storePredicate(I.Op[0], Out);
}

void decodeVote(Decoder &D) {
  if (!D.take("sync"))
    D.fail("expected '.sync': the form without it is gone since sm_70");
  Vote Mode = D.take("ballot") ? Vote::Ballot
              : D.take("all")  ? Vote::All
              : D.take("any")  ? Vote::Any
                               : Vote::Uniform;
  if (Mode == Vote::Uniform && !D.take("uni"))
    D.fail("unknown mode '." + D.next() + "'");
  D.type();
  D.expect(3);
  D.I.Count = uint8_t(Mode);
  D.I.Op[0] = D.target(0, Mode == Vote::Ballot ? B32 : Predicate);
  bool Negated = false;
  D.I.Op[1] = D.predicate(1, Negated);
  D.I.Flags = Negated;
  D.I.Op[2] = D.source(2, B32);
  D.I.Run = runVote;
}

void runActiveMask(WarpState &W, const Inst &I) {
  uint32_t Out[WarpSize];
  llvm::fill(Out, W.Exec);
  W.store(I.Op[0], Out);
}

// --- match ---

template <typename T> void runMatch(WarpState &W, const Inst &I) {
  if (!gatherMask(W, I, 2))
    return;
  const T *Value = W.reg<T>(I.Op[1]);
  const auto *Masks = W.reg<uint32_t>(I.Op[2]);
  uint32_t Out[WarpSize];
  LaneMask Same = 0;
  for (unsigned L = 0; L < WarpSize; ++L) {
    LaneMask Equal = 0;
    for (unsigned K = 0; K < WarpSize; ++K)
      if ((Masks[L] >> K & 1) && Value[K] == Value[L])
        Equal |= LaneMask(1) << K;
    bool All = Equal == Masks[L];
    Same |= LaneMask(All) << L;
    Out[L] = I.Flags ? (All ? Equal : 0) : Equal;
  }
  W.store(I.Op[0], Out);
  W.storePredicate(I.Op[3], Same);
}

void decodeMatch(Decoder &D) {
  D.I.Flags = D.take("all");
  if (!D.I.Flags && !D.take("any"))
    D.fail("expected '.any' or '.all'");
  if (!D.take("sync"))
    D.fail("expected '.sync'");
  Type Of = D.type();
  D.expect(3);
  const Operand &To = D.operand(0);
  bool Both = To.Is == Operand::Pair;
  D.I.Op[0] = D.target(Both ? To.Items[0] : To, B32);
  D.I.Op[3] =
      Both ? D.target(To.Items[1], Predicate) : D.Frame.scratch(Predicate);
  D.I.Op[1] = D.source(1, Of);
  D.I.Op[2] = D.source(2, B32);
  D.I.Run = Of.Width == 64 ? runMatch<uint64_t> : runMatch<uint32_t>;
}

// --- redux ---

enum class Reduce : uint8_t { Add, Min, Max, And, Or, Xor };

template <typename T> T reduced(Reduce By, T A, T B) {
  using U = std::make_unsigned_t<T>;
  switch (By) {
  case Reduce::Add:
    return T(U(A) + U(B));
  case Reduce::Min:
    return std::min(A, B);
  case Reduce::Max:
    return std::max(A, B);
  case Reduce::And:
    return A & B;
  case Reduce::Or:
    return A | B;
  case Reduce::Xor:
    return A ^ B;
  }
  return A;
}
template <typename T> void runReduce(WarpState &W, const Inst &I) {
  if (!gatherMask(W, I, 2))
    return;
  const T *Value = W.reg<T>(I.Op[1]);
  const auto *Masks = W.reg<uint32_t>(I.Op[2]);
  T Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    bool First = true;
    Out[L] = 0;
    for (unsigned K = 0; K < WarpSize; ++K)
      if (Masks[L] >> K & 1) {
        Out[L] = First ? Value[K] : reduced(Reduce(I.Count), Out[L], Value[K]);
        First = false;
      }
  }
  W.store(I.Op[0], Out);
}

void decodeReduce(Decoder &D) {
  if (!D.take("sync"))
    D.fail("expected '.sync'");
  static constexpr llvm::StringLiteral Names[] = {"add", "min", "max",
                                                  "and", "or",  "xor"};
  llvm::StringRef Name = D.takeNext();
  const auto *Known = llvm::find(Names, Name);
  if (Known == std::end(Names))
    D.fail("unknown operation '." + Name + "'");
  D.I.Count = uint8_t(Known - Names);
  Type Of = D.type();
  D.expect(3);
  D.I.Op[0] = D.target(0, Of);
  D.I.Op[1] = D.source(1, Of);
  D.I.Op[2] = D.source(2, B32);
  runs(D, Of.isFloat() || Of.Width != 32 ? nullptr
          : Of.isSigned()                ? runReduce<int32_t>
                                         : runReduce<uint32_t>);
}

// --- elect, bar.warp.sync ---

/// elect.sync d|p, mask: one lane is chosen; here the lowest.
void runElect(WarpState &W, const Inst &I) {
  if (!gatherMask(W, I, 2))
    return;
  const auto *Masks = W.reg<uint32_t>(I.Op[2]);
  uint32_t Out[WarpSize];
  LaneMask Chosen = 0;
  for (unsigned L = 0; L < WarpSize; ++L) {
    Out[L] = Masks[L] ? uint32_t(llvm::countr_zero(Masks[L])) : 0;
    Chosen |= LaneMask(Out[L] == L) << L;
  }
  W.store(I.Op[0], Out);
  W.storePredicate(I.Op[1], Chosen);
}

void runWarpSync(WarpState &W, const Inst &I) {
  if (gatherMask(W, I, 0))
    orderLanes(W);
}

} // namespace

void heddle::ptx::decodeWarpSync(Decoder &D) {
  D.take("sync");
  D.expect(1);
  D.I.Op[0] = D.source(0, B32);
  D.I.Run = runWarpSync;
}

void heddle::ptx::addWarpInstructions(DecodeTable &Into) {
  Into["shfl"] = decodeShuffle;
  Into["vote"] = decodeVote;
  Into["match"] = decodeMatch;
  Into["redux"] = decodeReduce;
  Into["activemask"] = [](Decoder &D) {
    D.type();
    D.expect(1);
    D.I.Op[0] = D.target(0, B32);
    D.I.Run = runActiveMask;
  };
  Into["elect"] = [](Decoder &D) {
    if (!D.take("sync"))
      D.fail("expected '.sync'");
    D.expect(2);
    const Operand &To = D.operand(0);
    if (To.Is != Operand::Pair || To.Items.size() != 2)
      return D.fail("expected a lane and a predicate: d|p");
    D.I.Op[0] = D.target(To.Items[0], B32);
    D.I.Op[1] = D.target(To.Items[1], Predicate);
    D.I.Op[2] = D.source(1, B32);
    D.I.Run = runElect;
  };
}
