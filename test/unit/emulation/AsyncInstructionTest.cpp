// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Single instructions about mbarriers, warps and clusters.

#include "AsyncRun.h"

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

/// Runs a body that leaves a 32-bit result of every thread in %r0.
std::vector<uint32_t> results(const std::string &Body, unsigned Threads,
                              std::optional<Fault> *Found = nullptr) {
  Device On;
  uint64_t To = On.allocate(Threads * 16);
  Block Parameters;
  Parameters.address(To);
  std::optional<Fault> Is =
      launch(module(".param .u64 f_param_0",
                    ".reg .pred %p<8>;\n.reg .b32 %r<20>;\n"
                    ".reg .b64 %rd<20>;\nmov.u32 %r19, %tid.x;\n" +
                        Body +
                        "ld.param.u64 %rd19, [f_param_0];\n"
                        "mul.wide.u32 %rd18, %r19, 4;\n"
                        "add.u64 %rd19, %rd19, %rd18;\n"
                        "st.global.u32 [%rd19], %r0;\n"
                        "ret;\n"),
             Parameters, Threads, 2048, On);
  if (Found)
    *Found = Is;
  else
    EXPECT_FALSE(Is) << said(Is);
  auto *Begin = reinterpret_cast<uint32_t *>(To);
  return {Begin, Begin + Threads};
}

TEST(Async, MbarrierTokens) {
  // One warp, one lane at a time; bits of %r0 collect what tests say.
  std::vector<uint32_t> Is =
      results("mov.u32 %r0, 0;\n"
              "mbarrier.init.shared.b64 [memory], 2;\n"
              "mbarrier.arrive.shared.b64 %rd0, [memory];\n"
              "mbarrier.pending_count.b64 %r1, %rd0;\n"
              "shl.b32 %r0, %r1, 8;\n"
              "mbarrier.test_wait.shared.b64 %p0, [memory], %rd0;\n"
              "@%p0 or.b32 %r0, %r0, 1;\n"
              "mbarrier.arrive_drop.shared.b64 %rd1, [memory];\n"
              "mbarrier.test_wait.shared.b64 %p0, [memory], %rd1;\n"
              "@%p0 or.b32 %r0, %r0, 2;\n"
              "mbarrier.test_wait.parity.shared.b64 %p0, [memory], 1;\n"
              "@%p0 or.b32 %r0, %r0, 4;\n"
              "mbarrier.arrive.shared.b64 %rd2, [memory];\n" // alone now
              "mbarrier.test_wait.parity.shared.b64 %p0, [memory], 1;\n"
              "@%p0 or.b32 %r0, %r0, 8;\n"
              "mbarrier.expect_tx.relaxed.cta.shared.b64 [memory], 32;\n"
              "mbarrier.arrive.shared.b64 %rd3, [memory];\n"
              "mbarrier.test_wait.shared.b64 %p0, [memory], %rd3;\n"
              "@%p0 or.b32 %r0, %r0, 16;\n"
              "mbarrier.complete_tx.shared.b64 [memory], 32;\n"
              "mbarrier.test_wait.shared.b64 %p0, [memory], %rd3;\n"
              "@%p0 or.b32 %r0, %r0, 32;\n"
              "mbarrier.inval.shared.b64 [memory];\n",
              1);
  // Pending count 2 before the first arrival.
  EXPECT_EQ(Is[0], 2U << 8 | 2 | 8 | 32);
  std::optional<Fault> Found;
  results("mbarrier.arrive.shared.b64 %rd0, [memory];\n", 1, &Found);
  ASSERT_TRUE(Found);
  EXPECT_NE(said(Found).find("no mbarrier"), std::string::npos) << said(Found);
}

// test_wait does not sleep: a loop around it may do other things meanwhile, but
// not for ever.
TEST(Async, Polls) {
  std::string Loop = "mov.u32 %r0, 0;\n"
                     "setp.ne.b32 %p0, %r19, 0;\n"
                     "@%p0 bra ready;\n"
                     "mbarrier.init.shared.b64 [memory], 1;\n"
                     "ready:\n"
                     "bar.sync 0;\n"
                     "again:\n"
                     "add.u32 %r0, %r0, 1;\n"
                     "mbarrier.test_wait.parity.shared.b64 %p1, [memory], 0;\n";
  std::string Help = "setp.eq.u32 %p2, %r0, 100;\n"
                     "setp.eq.and.u32 %p2, %r19, 32, %p2;\n"
                     "@%p2 mbarrier.arrive.shared.b64 _, [memory];\n";
  std::vector<uint32_t> Is = results(Loop + Help + "@!%p1 bra again;\n", 64);
  EXPECT_GE(Is[0], 100U);
  EXPECT_EQ(Is[32], 101U);
  std::optional<Fault> Found;
  results(Loop + "@!%p1 bra again;\n", 64, &Found);
  ASSERT_TRUE(Found);
  EXPECT_EQ(Found->Kind, FaultKind::Deadlock) << said(Found);
  EXPECT_NE(said(Found).find("1 of 1 arrivals"), std::string::npos)
      << said(Found);
}

// cp.async.mbarrier.arrive: the arrival comes with the copies before it.
TEST(Async, CopiesArrive) {
  // Thread t copies 16 bytes and reads those of thread 63 - t.
  auto Body = [](const char *Arrive, const char *Count, bool Wait) {
    return std::string("setp.ne.b32 %p0, %r19, 0;\n"
                       "@!%p0 mbarrier.init.shared.b64 [memory], ") +
           Count +
           ";\nbar.sync 0;\n"
           "ld.param.u64 %rd0, [f_param_0];\n"
           "mul.wide.u32 %rd1, %r19, 16;\n"
           "add.u64 %rd0, %rd0, %rd1;\n"
           "st.global.u32 [%rd0], %r19;\n"
           "mov.u32 %r1, memory;\n"
           "add.u32 %r1, %r1, 16;\n"
           "shl.b32 %r2, %r19, 4;\n"
           "add.u32 %r2, %r2, %r1;\n"
           "cp.async.cg.shared.global [%r2], [%rd0], 16;\n" +
           Arrive + "mbarrier.arrive.shared.b64 _, [memory];\n" +
           (Wait ? "again:\n"
                   "mbarrier.try_wait.parity.shared.b64 %p1, [memory], 0;\n"
                   "@!%p1 bra again;\n"
                 : "bar.sync 0;\n") +
           "xor.b32 %r3, %r19, 63;\n"
           "shl.b32 %r3, %r3, 4;\n"
           "add.u32 %r3, %r3, %r1;\n"
           "ld.shared.u32 %r0, [%r3];\n"
           "bar.sync 0;\n";
  };
  const char *Counted = "cp.async.mbarrier.arrive.shared.b64 [memory];\n",
             *NotCounted =
                 "cp.async.mbarrier.arrive.noinc.shared.b64 [memory];\n";
  for (bool Counts : {true, false}) {
    std::vector<uint32_t> Is = results(
        Counts ? Body(Counted, "64", true) : Body(NotCounted, "128", true), 64);
    for (unsigned T = 0; T < 64; ++T)
      EXPECT_EQ(Is[T], 63 - T);
  }
  std::optional<Fault> Found;
  results(Body(Counted, "64", false), 64, &Found);
  ASSERT_TRUE(Found);
  EXPECT_EQ(Found->Kind, FaultKind::Pending) << said(Found);
  // Arrivals that the count does not have.
  results(Body(NotCounted, "64", true), 64, &Found);
  EXPECT_TRUE(Found);
}

TEST(Async, ElectsOneLane) {
  std::vector<uint32_t> Is = results("elect.sync %r1|%p0, -1;\n"
                                     "selp.b32 %r0, 100, 0, %p0;\n"
                                     "add.u32 %r0, %r0, %r1;\n"
                                     "setmaxnreg.dec.sync.aligned.u32 24;\n"
                                     "griddepcontrol.wait;\n"
                                     "griddepcontrol.launch_dependents;\n",
                                     64);
  for (unsigned T = 0; T < 64; ++T)
    EXPECT_EQ(Is[T], T % 32 == 0 ? 100U : 0U);
}

TEST(Async, ClusterOfOne) {
  std::vector<uint32_t> Ranks = results("mov.u32 %r1, %cluster_ctarank;\n"
                                        "mov.u32 %r2, %cluster_nctarank;\n"
                                        "mov.u32 %r3, %clusterid.x;\n"
                                        "mov.u32 %r4, %nclusterid.x;\n"
                                        "shl.b32 %r0, %r1, 1;\n"
                                        "or.b32 %r0, %r0, %r2;\n"
                                        "shl.b32 %r0, %r0, 4;\n"
                                        "or.b32 %r0, %r0, %r3;\n"
                                        "shl.b32 %r0, %r0, 4;\n"
                                        "or.b32 %r0, %r0, %r4;\n",
                                        1);
  EXPECT_EQ(Ranks[0], 0x101U);
  std::vector<uint32_t> Is = results("mov.u32 %r1, memory;\n"
                                     "shl.b32 %r2, %r19, 2;\n"
                                     "add.u32 %r2, %r2, %r1;\n"
                                     "st.shared.u32 [%r2], %r19;\n"
                                     "barrier.cluster.arrive.release.aligned;\n"
                                     "barrier.cluster.wait.acquire.aligned;\n"
                                     "xor.b32 %r3, %r19, 63;\n"
                                     "shl.b32 %r3, %r3, 2;\n"
                                     "add.u32 %r3, %r3, %r1;\n"
                                     "mapa.shared::cluster.u32 %r3, %r3, 0;\n"
                                     "ld.shared::cluster.u32 %r0, [%r3];\n",
                                     64);
  for (unsigned T = 0; T < 64; ++T)
    EXPECT_EQ(Is[T], 63 - T);
}

} // namespace
