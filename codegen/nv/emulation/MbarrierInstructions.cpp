// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarrier instructions (PTX ISA, Parallel Synchronization and Communication
// Instructions: mbarrier).

#include "codegen/nv/emulation/AsyncOperands.h"

using namespace heddle::ptx;

// Flags of the instructions.
static constexpr uint8_t Drops = 1, Expects = 2, Counts = 4, OrdersAccess = 8,
                         ByParity = 16, HasToken = 32;
/// A token names the phase and, above it, the arrivals that were outstanding.
static constexpr unsigned TokenCount = 40;
static constexpr uint64_t TokenPhase = (uint64_t(1) << TokenCount) - 1;

static void runInit(WarpState &W, const Inst &I) {
  const auto *Count = W.reg<uint32_t>(I.Op[0]);
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) &&
        !W.Cta.Async.init(W, L, sharedAddressOf(W, I, 0, 0, L), Count[L]))
      return;
}

static void runInvalidate(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) &&
        !W.Cta.Async.invalidate(W, L, sharedAddressOf(W, I, 0, 0, L)))
      return;
}

static void runArrive(WarpState &W, const Inst &I) {
  alignas(64) uint64_t Tokens[WarpSize] = {};
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    uint64_t Address = sharedAddressOf(W, I, 0, 0, L);
    uint32_t Number =
        I.Flags & (Expects | Counts) ? W.reg<uint32_t>(I.Op[1])[L] : 0;
    uint64_t Phase = 0;
    Mbarrier *Object = W.Cta.Async.object(W, L, Address);
    if (!Object)
      return;
    uint64_t Pending = Object->pending();
    if (!W.Cta.Async.arrive(W, L, Address, I.Flags & Counts ? Number : I.Count,
                            I.Flags & Expects ? Number : 0, I.Flags & Drops,
                            I.Flags & OrdersAccess, &Phase))
      return;
    Tokens[L] = Phase | Pending << TokenCount;
  }
  if (I.Flags & HasToken)
    W.store(I.Op[0], Tokens);
}

static void runCompleteBytes(WarpState &W, const Inst &I) {
  const auto *Bytes = W.reg<uint32_t>(I.Op[1]);
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) && !W.Cta.Async.completeBytes(
                       W, L, sharedAddressOf(W, I, 0, 0, L), Bytes[L]))
      return;
}

static uint64_t phaseOf(WarpState &W, const Inst &I, unsigned Lane) {
  return I.Flags & ByParity ? W.reg<uint32_t>(I.Op[1])[Lane]
                            : W.reg<uint64_t>(I.Op[1])[Lane] & TokenPhase;
}

/// The lanes whose phase is complete. False: the warp is at fault.
static bool test(WarpState &W, const Inst &I, LaneMask &Complete) {
  for (unsigned L = 0, Last = WarpSize; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    uint64_t Address = sharedAddressOf(W, I, 0, 0, L);
    uint64_t Phase = phaseOf(W, I, L);
    // Lanes mostly ask the same.
    if (Last < WarpSize && sharedAddressOf(W, I, 0, 0, Last) == Address &&
        phaseOf(W, I, Last) == Phase) {
      Complete |= (Complete >> Last & 1) << L;
      continue;
    }
    bool Done = false;
    if (!W.Cta.Async.test(W, L, Address, Phase, I.Flags & ByParity,
                          I.Flags & OrdersAccess, Done))
      return false;
    Complete |= LaneMask(Done) << L;
    Last = L;
  }
  return true;
}

/// What the warp waits for, for messages: lanes mostly wait for the same.
static uint32_t firstAddress(WarpState &W, const Inst &I) {
  auto First = unsigned(llvm::countr_zero(W.Exec));
  return uint32_t(sharedAddressOf(W, I, 0, 0, First));
}

static void runTest(WarpState &W, const Inst &I) {
  LaneMask Complete = 0;
  if (!test(W, I, Complete))
    return;
  W.storePredicate(I.Op[0], Complete);
  // It will be asked again: best when something has happened.
  if (!Complete) {
    W.Cta.Async.polled();
    W.block(Wait::Event, firstAddress(W, I), /*Again=*/false);
  }
}

/// Sleeps until the phase is complete, as try_wait may; for how long it does is
/// up to the system.
static void runTry(WarpState &W, const Inst &I) {
  LaneMask Complete = 0;
  if (!test(W, I, Complete))
    return;
  if (!Complete) {
    W.block(Wait::Event, firstAddress(W, I), /*Again=*/true);
    return;
  }
  W.storePredicate(I.Op[0], Complete);
}

static void runCopyArrive(WarpState &W, const Inst &I) {
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) && !W.Cta.Async.arriveLate(W, L, sharedAddressOf(W, I, 0, 0, L),
                                           I.Flags & Counts))
      return;
}

static void runPendingCount(WarpState &W, const Inst &I) {
  const auto *Token = W.reg<uint64_t>(I.Op[1]);
  alignas(64) uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = uint32_t(Token[L] >> TokenCount);
  W.store(I.Op[0], Out);
}

/// Modifiers that all have, and the type.
static void common(Decoder &D) {
  if (takeOrder(D))
    D.I.Flags |= OrdersAccess;
  D.space();
  if (D.type().Width != 64)
    D.fail("an mbarrier has 64 bits");
}

static void decodeArrive(Decoder &D) {
  bool Expect = D.take("expect_tx");
  D.take("noComplete");
  common(D);
  D.I.Count = 1;
  // The token may be left out.
  unsigned At = D.operand(0).Is == Operand::Address ? 0 : 1;
  D.expect(At + 1, At + 2);
  if (At && D.operand(0).Is != Operand::Sink) {
    D.I.Op[0] = D.target(0, B64);
    D.I.Flags |= HasToken;
  }
  moreAddress(D, 0, At);
  if (D.count() > At + 1) {
    D.I.Op[1] = D.source(At + 1, U32);
    D.I.Flags |= Expect ? Expects : Counts;
  } else if (Expect) {
    D.fail("expected a number of bytes");
  }
  D.I.Run = runArrive;
}

static void decodeWait(Decoder &D, Handler Run) {
  bool Parity = D.take("parity");
  common(D);
  D.expect(3, 4);
  D.I.Flags |= Parity ? ByParity : 0;
  D.I.Op[0] = D.target(0, Predicate);
  moreAddress(D, 0, 1);
  D.I.Op[1] = D.source(2, Parity ? U32 : B64);
  if (D.count() == 4)
    D.source(3, U32);
  D.I.Run = Run;
}

void heddle::ptx::decodeCopyArrive(Decoder &D) {
  D.Frame.Into.UsesAsync = true;
  if (!D.take("arrive"))
    D.fail("expected '.arrive'");
  D.I.Flags = D.take("noinc") ? 0 : Counts;
  D.space();
  if (D.type().Width != 64)
    D.fail("an mbarrier has 64 bits");
  D.expect(1);
  moreAddress(D, 0, 0);
  D.I.Run = runCopyArrive;
}

void heddle::ptx::addMbarrierInstructions(DecodeTable &Into) {
  Into["mbarrier"] = [](Decoder &D) {
    D.Frame.Into.UsesAsync = true;
    if (D.take("init")) {
      common(D);
      D.expect(2);
      moreAddress(D, 0, 0);
      D.I.Op[0] = D.source(1, U32);
      D.I.Run = runInit;
    } else if (D.take("inval")) {
      common(D);
      D.expect(1);
      moreAddress(D, 0, 0);
      D.I.Run = runInvalidate;
    } else if (D.take("arrive")) {
      decodeArrive(D);
    } else if (D.take("arrive_drop")) {
      decodeArrive(D);
      D.I.Flags |= Drops;
    } else if (D.take("expect_tx") || D.take("complete_tx")) {
      bool Expect = D.From.Opcode.contains("expect_tx");
      common(D);
      D.expect(2);
      moreAddress(D, 0, 0);
      D.I.Op[1] = D.source(1, U32);
      D.I.Flags = Expects;
      D.I.Run = Expect ? runArrive : runCompleteBytes;
    } else if (D.take("test_wait")) {
      decodeWait(D, runTest);
    } else if (D.take("try_wait")) {
      decodeWait(D, runTry);
    } else if (D.take("pending_count")) {
      D.type();
      D.expect(2);
      D.I.Op[0] = D.target(0, U32);
      D.I.Op[1] = D.source(1, B64);
      D.I.Run = runPendingCount;
    } else {
      D.fail("'mbarrier' has no '." + D.next() + "'");
    }
  };
}
