// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions about clusters, proxies and the warp as a whole that came with
// sm_90. A cluster has one CTA here.

#include "codegen/nv/emulation/AsyncOperands.h"

using namespace heddle::ptx;
using llvm::Twine;

static constexpr uint8_t OrdersMemory = 1, ByWholeWarps = 2;

static void countTime(WarpState &W, const Inst &I) { ++W.Cta.Time; }
static void runProxyFence(WarpState &W, const Inst &I) {
  W.Cta.Async.fenceProxy(W);
}

bool heddle::ptx::decodeProxyFence(Decoder &D) {
  if (D.take("mbarrier_init")) {
    D.ignore({"release", "cluster"});
    D.expect(0);
    D.I.Run = countTime;
    return true;
  }
  if (!D.take("proxy"))
    return false;
  bool Async = D.take("async");
  if (Async) {
    D.space();
    D.expect(0);
    D.Frame.Into.UsesAsync = true;
  } else {
    // Between addresses of one location, and for tensor maps changed by the
    // kernel: nothing is cached here.
    while (!D.next().empty())
      D.takeNext();
  }
  D.I.Run = Async ? runProxyFence : countTime;
  return true;
}

static void runSetRegisters(WarpState &W, const Inst &I) {
  // Registers are not counted here; all warps of a warpgroup must do the same.
  if (W.gather(AllLanes))
    ++W.Cta.Time;
}

static void runClusterArrive(WarpState &W, const Inst &I) {
  if ((I.Flags & ByWholeWarps) && !W.gather(W.Live))
    return;
  W.Cta.Async.arriveCluster(W, I.Flags & OrdersMemory);
}

static void runClusterWait(WarpState &W, const Inst &I) {
  if ((I.Flags & ByWholeWarps) && !W.gather(W.Live))
    return;
  W.Cta.Async.waitCluster(W, I.Flags & OrdersMemory);
}

bool heddle::ptx::decodeClusterBarrier(Decoder &D) {
  if (!D.take("cluster"))
    return false;
  D.Frame.Into.UsesAsync = true;
  bool Arrive = D.take("arrive");
  if (!Arrive && !D.take("wait"))
    D.fail("expected '.arrive' or '.wait'");
  D.I.Flags = D.take("relaxed") ? 0 : OrdersMemory;
  D.ignore({"release", "acquire"});
  if (D.take("aligned"))
    D.I.Flags |= ByWholeWarps;
  D.expect(0);
  D.I.Run = Arrive ? runClusterArrive : runClusterWait;
  return true;
}

/// The same place in the shared memory of a CTA of the cluster: this one.
template <typename T> static void runMap(WarpState &W, const Inst &I) {
  const T *From = W.reg<T>(I.Op[1]);
  const auto *Rank = W.reg<uint32_t>(I.Op[2]);
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L) && Rank[L] != 0) {
      W.fault(FaultKind::OutOfBounds, int(L),
              "CTA " + Twine(Rank[L]) + " of a cluster of one CTA");
      return;
    }
  W.store(I.Op[0], From);
}

static void runRank(WarpState &W, const Inst &I) {
  alignas(64) uint32_t Zero[WarpSize] = {};
  W.store(I.Op[0], Zero);
}

void heddle::ptx::addClusterInstructions(DecodeTable &Into) {
  Into["setmaxnreg"] = [](Decoder &D) {
    if (!D.take("inc") && !D.take("dec"))
      D.fail("expected '.inc' or '.dec'");
    if (!D.take("sync") || !D.take("aligned"))
      D.fail("expected '.sync.aligned'");
    D.type();
    D.expect(1);
    // PTX ISA, setmaxnreg: 24 to 256 in steps of 8.
    if (int64_t Count = D.immediate(0);
        Count < 24 || Count > 256 || Count % 8 != 0)
      D.fail(Twine(Count) + " registers, must be 24 to 256 in steps of 8");
    D.I.Run = runSetRegisters;
  };
  Into["griddepcontrol"] = [](Decoder &D) {
    // Grids run one after another.
    if (!D.take("wait") && !D.take("launch_dependents"))
      D.fail("expected '.wait' or '.launch_dependents'");
    D.expect(0);
    D.I.Run = countTime;
  };
  Into["mapa"] = [](Decoder &D) {
    D.space();
    Type Of = D.type();
    D.expect(3);
    D.I.Op[0] = D.target(0, Of);
    D.I.Op[1] = D.source(1, Of);
    D.I.Op[2] = D.source(2, U32);
    D.I.Run = Of.Width == 64 ? runMap<uint64_t> : runMap<uint32_t>;
  };
  Into["getctarank"] = [](Decoder &D) {
    D.space();
    Type Of = D.type();
    D.expect(2);
    D.I.Op[0] = D.target(0, U32);
    D.source(1, Of);
    D.I.Run = runRank;
  };
}
