// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// bar and barrier (PTX ISA, Parallel Synchronization: bar, barrier).

#include "codegen/nv/emulation/Cta.h"
#include "codegen/nv/emulation/Decoder.h"

using namespace heddle::ptx;
using llvm::Twine;

namespace {

enum BarrierFlag : uint8_t {
  Aligned = 1,
  Waits = 2,
  HasCount = 4,
  Negated = 8
};

/// A value that must be the same in all executing lanes.
bool uniform(WarpState &W, uint32_t Place, uint32_t &Out, const char *What) {
  const auto *X = W.reg<uint32_t>(Place);
  Out = X[llvm::countr_zero(W.Exec)];
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) && X[L] != Out) {
      W.fault(FaultKind::Barrier, int(L),
              Twine("the lanes of a warp name different ") + What +
                  "s: " + Twine(Out) + " and " + Twine(X[L]));
      return false;
    }
  return true;
}

/// Op: result, number, count, predicate; Count: the reduction.
void runBarrier(WarpState &W, const Inst &I) {
  // All lanes of a warp that are left must come to an aligned barrier.
  if ((I.Flags & Aligned) && !W.gather(W.Live))
    return;
  Arrival What;
  uint32_t Number = 0, Expected = 0;
  if (!uniform(W, I.Op[1], Number, "barrier"))
    return;
  if ((I.Flags & HasCount) && !uniform(W, I.Op[2], Expected, "count"))
    return;
  constexpr unsigned NumBarriers = 16;
  if (Number >= NumBarriers)
    return W.fault(FaultKind::Barrier, -1,
                   "barrier " + Twine(Number) + ": a CTA has " +
                       Twine(NumBarriers));
  if ((I.Flags & HasCount) && (!Expected || Expected % WarpSize))
    return W.fault(FaultKind::Barrier, -1,
                   "barrier " + Twine(Number) + " for " + Twine(Expected) +
                       " threads: expected a multiple of " + Twine(WarpSize));
  What.Barrier = Number;
  What.Expected = Expected;
  // A barrier with a count counts whole warps.
  bool Whole = Expected && (I.Flags & Aligned);
  What.Counted = Whole ? WarpSize : uint32_t(llvm::popcount(W.Exec));
  What.Waits = I.Flags & Waits;
  What.Reduce = Reduction(I.Count);
  What.True = *W.reg<LaneMask>(I.Op[3]) ^ (I.Flags & Negated ? AllLanes : 0);
  W.Cta.arrive(W, I, What);
}

void decodeReduction(Decoder &D) {
  static constexpr std::pair<llvm::StringLiteral, Reduction> Names[] = {
      {"popc", Reduction::Popc},
      {"and", Reduction::And},
      {"or", Reduction::Or}};
  Reduction By = Reduction::None;
  for (const auto &[Name, Which] : Names)
    if (D.take(Name))
      By = Which;
  if (By == Reduction::None)
    D.fail("expected '.popc', '.and' or '.or'");
  D.type();
  D.expect(3, 4);
  D.I.Count = uint8_t(By);
  D.I.Op[0] = D.target(0, By == Reduction::Popc ? B32 : Predicate);
  D.I.Op[1] = D.source(1, B32);
  bool HasTotal = D.count() == 4, IsNegated = false;
  if (HasTotal)
    D.I.Op[2] = D.source(2, B32);
  D.I.Op[3] = D.predicate(HasTotal ? 3 : 2, IsNegated);
  D.I.Flags |=
      uint8_t(Waits | (HasTotal ? HasCount : 0) | (IsNegated ? Negated : 0));
}

void decodeBarrier(Decoder &D) {
  // bar is barrier.aligned.
  bool IsAligned = D.take("aligned") || D.name() == "bar";
  D.take("cta");
  D.I.Run = runBarrier;
  D.I.Flags = IsAligned ? Aligned : 0;
  if (D.take("red"))
    return decodeReduction(D);
  bool Sync = D.take("sync");
  if (!Sync && !D.take("arrive"))
    return D.fail("expected '.sync', '.arrive' or '.red'");
  D.expect(Sync ? 1 : 2, 2);
  D.I.Op[1] = D.source(0, B32);
  bool HasTotal = D.count() == 2;
  if (HasTotal)
    D.I.Op[2] = D.source(1, B32);
  D.I.Op[3] = D.Frame.constant(0, Predicate);
  D.I.Flags |= uint8_t((Sync ? Waits : 0) | (HasTotal ? HasCount : 0));
}

} // namespace

void heddle::ptx::addBarrierInstructions(DecodeTable &Into) {
  Into["bar"] = [](Decoder &D) {
    D.take("warp") ? decodeWarpSync(D) : decodeBarrier(D);
  };
  Into["barrier"] = [](Decoder &D) {
    if (!decodeClusterBarrier(D))
      decodeBarrier(D);
  };
}
