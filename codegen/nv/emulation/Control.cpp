// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control flow (PTX ISA, Control Flow Instructions).

#include "codegen/nv/emulation/Cta.h"
#include "codegen/nv/emulation/Decoder.h"
#include "codegen/nv/emulation/Parser.h"

using namespace heddle::ptx;
using llvm::Twine;

void heddle::ptx::runBranch(WarpState &W, const Inst &I) {
  W.jump(uint32_t(I.Imm));
}

void heddle::ptx::runIndexedBranch(WarpState &W, const Inst &I) {
  uint32_t To[WarpSize] = {};
  const auto *Index = W.reg<uint32_t>(I.Op[0]);
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    if (Index[L] >= I.Aux)
      return W.fault(FaultKind::OutOfBounds, int(L),
                     "branch target " + Twine(Index[L]) + " of " +
                         Twine(I.Aux));
    To[L] = W.more(I, Index[L]);
  }
  W.jump(To);
}

void heddle::ptx::runCall(WarpState &W, const Inst &I) {
  W.call(I, W.Cta.Launch.Code.Functions[I.Aux]);
}

void heddle::ptx::runEnd(WarpState &W, const Inst &I) {
  W.fault(FaultKind::Trap, -1,
          "the execution runs past the end of '" + Twine(W.Frame->Of->Name) +
              "'");
}

static void runReturn(WarpState &W, const Inst &I) { W.leave(); }
static void runExit(WarpState &W, const Inst &I) { W.exit(); }
static void runTrap(WarpState &W, const Inst &I) {
  W.fault(FaultKind::Trap, llvm::countr_zero(W.Exec), "trap");
}
static void runNothing(WarpState &W, const Inst &I) { ++W.Cta.Time; }
static void runYield(WarpState &W, const Inst &I) { W.Why = Stop::Yield; }

void heddle::ptx::addControlInstructions(DecodeTable &Into) {
  Into["ret"] = [](Decoder &D) {
    D.take("uni");
    D.expect(0);
    D.I.Run = runReturn;
  };
  Into["exit"] = [](Decoder &D) {
    D.expect(0);
    D.I.Run = runExit;
  };
  Into["trap"] = [](Decoder &D) {
    D.expect(0);
    D.I.Run = runTrap;
  };
  // A breakpoint without a debugger.
  Into["brkpt"] = Into["trap"];
  // A hint for the profiler.
  Into["pmevent"] = [](Decoder &D) {
    D.take("mask");
    D.expect(1);
    D.I.Run = runNothing;
  };
  // Waiting is a chance for other warps.
  Into["nanosleep"] = [](Decoder &D) {
    D.expect(1);
    D.type();
    D.source(0, U32);
    D.I.Run = runYield;
  };
}
