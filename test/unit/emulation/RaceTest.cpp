// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers, what orders accesses to shared memory, and what does not.

#include "Run.h"

#include <set>

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

const char *Tile = ".shared .align 16 .b8 tile[4096];";

/// %rd2: the word of this thread; %rd3: that of the thread with another number
/// in the warp, %rd4: that of the same lane in the other of two warps.
const char *Places = R"(
    mov.b64 %rd1, tile; mul.wide.u32 %rd2, %t, 4; add.s64 %rd2, %rd2, %rd1;
    xor.b64 %rd3, %rd2, 4; xor.b64 %rd4, %rd2, 128;
)";

Outcome race(const std::string &Body, uint32_t Threads = 64,
             uint64_t Seed = 0) {
  Scene With;
  With.Threads = Threads;
  With.How.Seed = Seed;
  return runBody(Places + Body, With, Tile);
}
void fine(const std::string &Body, uint32_t Threads = 64) {
  for (uint64_t Seed = 0; Seed < 8; ++Seed) {
    Outcome O = race(Body, Threads, Seed);
    EXPECT_FALSE(O.Found) << O.Found->describe();
  }
}
void racy(const std::string &Body, std::initializer_list<const char *> Words,
          uint32_t Threads = 64) {
  expectFault(race(Body, Threads), FaultKind::Race, Words);
}

TEST(PtxRace, BetweenWarps) {
  racy("st.shared.b32 [%rd2], %t; and.b64 %rd5, %rd2, 127;"
       "ld.shared.b32 %r1, [%rd5];",
       {"race on byte 0", "read here, written by warp 0 lane 0 at line 16",
        "no barrier orders the warps"});
  fine("st.shared.b32 [%rd2], %t; bar.sync 0; ld.shared.b32 %r1, [%rd4];");
  // Reading and then writing the same bytes.
  racy("setp.lt.u32 %p1, %t, 32; st.shared.b32 [%rd2], %t; bar.sync 0;"
       "ld.shared.b32 %r1, [%rd2]; @%p1 st.shared.b32 [%rd4], %r1;",
       {"written here, read by warp"});
  fine("st.shared.b32 [%rd2], %t; bar.sync 0; ld.shared.b32 %r1, [%rd4];"
       "bar.sync 0; st.shared.b32 [%rd2], %r1;");
  racy("st.shared.b32 [tile], %t;", {"written here, written by"});
}

TEST(PtxRace, BytesOfAWordAreApart) {
  fine("mul.wide.u32 %rd5, %t, 2; add.s64 %rd5, %rd5, %rd1;"
       "setp.lt.u32 %p1, %t, 16; st.shared.b16 [%rd5], %r1; bar.sync 0;"
       "@%p1 ld.shared.b32 %r2, [%rd2];",
       32);
  racy("setp.lt.u32 %p1, %t, 32; @!%p1 bra B;"
       "st.shared.b16 [tile], %t; bar.sync 0; ret;"
       "B: st.shared.b8 [tile+1], %t; bar.sync 0;",
       {"race on byte"});
}

TEST(PtxRace, BetweenLanes) {
  racy("st.shared.b32 [%rd2], %t; ld.shared.b32 %r1, [%rd3];",
       {"bar.warp.sync", "written by warp 0 lane 1"}, 32);
  fine("st.shared.b32 [%rd2], %t; bar.warp.sync -1;"
       "ld.shared.b32 %r1, [%rd3]; bar.warp.sync -1; st.shared.b32 [%rd2], 0;",
       32);
  racy("st.shared.b32 [%rd2], %t; bar.warp.sync -1;"
       "ld.shared.b32 %r1, [%rd3]; st.shared.b32 [%rd2], 0;",
       {"written here, read by warp 0 lane"}, 32);
  // A shuffle brings lanes together, but does not order memory.
  racy("st.shared.b32 [%rd2], %t; shfl.sync.bfly.b32 %r1, %t, 1, 31, -1;"
       "ld.shared.b32 %r1, [%rd3];",
       {"bar.warp.sync"}, 32);
}

TEST(PtxRace, CollectiveReads) {
  const char *Fill = "mul.wide.u32 %rd5, %t, 16; add.s64 %rd5, %rd5, %rd1;"
                     "st.shared.v4.b32 [%rd5], {%t, %t, %t, %t};";
  const char *Load =
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2,%r3,%r4}, [%rd5];";
  racy(std::string(Fill) + Load, {"ldmatrix", "bar.warp.sync"}, 32);
  fine(std::string(Fill) + "bar.warp.sync -1;" + Load, 32);
  // What its lanes write later comes later.
  fine(std::string(Fill) + "bar.warp.sync -1;" + Load +
           "st.shared.b32 [%rd2], %t;",
       32);
}

TEST(PtxRace, NeverWritten) {
  expectFault(race("ld.shared.b32 %r1, [%rd2];"), FaultKind::Uninitialized,
              {"nothing was written there"});
  // Also in the second CTA, after the first has written.
  Scene With;
  With.Ctas = 2;
  expectFault(runBody(std::string(Places) +
                          "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p1, %r1, 0;"
                          "@%p1 st.shared.b32 [%rd2], %t;"
                          "ld.shared.b32 %r1, [%rd2];",
                      With, Tile),
              FaultKind::Uninitialized, {"CTA (1,0,0)"});
  fine("st.shared.b8 [%rd2], 1; st.shared.b8 [%rd2+1], 1;"
       "ld.shared.b16 %h1, [%rd2];");
  expectFault(race("st.shared.b8 [%rd2], 1; ld.shared.b16 %h1, [%rd2];"),
              FaultKind::Uninitialized, {"byte 1"});
}

TEST(PtxRace, AtomicsMeet) {
  const char *Zero = "setp.eq.u32 %p1, %t, 0; @%p1 st.shared.b32 [tile], 0;"
                     "bar.sync 0;";
  fine(std::string(Zero) + "red.shared.add.u32 [tile], 1;");
  racy(std::string(Zero) + "red.shared.add.u32 [tile], 1;"
                           "ld.shared.b32 %r1, [tile];",
       {"read here"});
  fine(std::string(Zero) + "red.shared.add.u32 [tile], 1; bar.sync 0;"
                           "ld.shared.b32 %r1, [tile];");
}

/// A flag that is released and acquired orders what came before it.
TEST(PtxRace, FlagsOrder) {
  const char *Begin = "setp.eq.u32 %p1, %t, 0; @%p1 st.shared.b32 [tile], 0;"
                      "bar.sync 0; setp.ge.u32 %p2, %t, 32; @%p2 bra READ;"
                      "setp.ne.u32 %p3, %t, 0; @%p3 ret;"
                      "st.shared.b32 [tile+64], 5;";
  const char *End = "ret; READ: setp.ne.u32 %p3, %t, 32; @%p3 ret; SPIN:";
  const char *Spin = "setp.eq.u32 %p4, %r1, 0; @%p4 bra SPIN;";
  const char *Read = "ld.shared.b32 %r2, [tile+64];";
  fine(std::string(Begin) + "st.release.cta.shared.b32 [tile], 1;" + End +
       "ld.acquire.cta.shared.b32 %r1, [tile];" + Spin + Read);
  fine(std::string(Begin) + "membar.cta; st.volatile.shared.b32 [tile], 1;" +
       End + "ld.volatile.shared.b32 %r1, [tile];" + Spin + "membar.cta;" +
       Read);
  racy(std::string(Begin) + "st.volatile.shared.b32 [tile], 1;" + End +
           "ld.volatile.shared.b32 %r1, [tile];" + Spin + Read,
       {"race on byte 64"});
}

TEST(PtxRace, CanBeSwitchedOff) {
  Scene With;
  With.Threads = 64;
  With.How.Races = false;
  Outcome O = runBody(std::string(Places) +
                          "st.shared.b32 [%rd2], %t; and.b64 %rd5, %rd2, 127;"
                          "ld.shared.b32 %r1, [%rd5];",
                      With, Tile);
  EXPECT_FALSE(O.Found);
}

// --- barriers ---

TEST(PtxBarrier, NumbersAndCounts) {
  // A producer warp and two consumers, with barriers of 64 threads.
  fine(R"(
    shr.u32 %r1, %t, 5; setp.eq.u32 %p1, %r1, 0; @%p1 bra PRODUCE;
    bar.sync %r1, 64;
    shl.b32 %r2, %r1, 2; cvt.u64.u32 %rd5, %r2; add.s64 %rd5, %rd5, %rd1;
    ld.shared.b32 %r3, [%rd5];
    ret;
  PRODUCE:
    st.shared.b32 [%rd2], %t;
    bar.arrive 1, 64;
    bar.arrive 2, 64;)",
       96);
}

TEST(PtxBarrier, Reductions) {
  Outcome O = outcome(R"(
    setp.lt.u32 %p1, %t, 40;
    bar.red.popc.u32 %r1, 0, %p1;
    bar.red.and.pred %p2, 0, %p1;
    bar.red.or.pred %p3, 0, %p1;
    bar.red.popc.u32 %r2, 0, !%p1;
    selp.b32 %r3, 1, 0, %p2; selp.b32 %r4, 2, 0, %p3; add.s32 %r3, %r3, %r4;
    st.global.b32 [%mine], %r1; st.global.b32 [%mine+256], %r3;
    st.global.b32 [%mine+512], %r2;)",
                      {64});
  EXPECT_EQ(O.Out[5], 40u);
  EXPECT_EQ(O.Out[64 + 63], 2u);
  EXPECT_EQ(O.Out[128], 24u);
  EXPECT_EQ(O.Counted.Barriers, 4u);
}

TEST(PtxBarrier, ThreadsThatLeftAreNotWaitedFor) {
  fine("setp.ge.u32 %p1, %t, 32; @%p1 ret; bar.sync 0;");
}

TEST(PtxBarrier, DeadlocksSayWhoWaitsWhere) {
  expectFault(race("setp.ge.u32 %p1, %t, 32; @%p1 bra B;\nbar.sync 1; ret;\n"
                   "B: bar.sync 2;"),
              FaultKind::Deadlock,
              {"every warp that is left waits", "warp 0 at barrier 1, 32 of 64",
               "line 17", "warp 1 at barrier 2", "line 18"});
  expectFault(race("setp.ge.u32 %p1, %t, 32; @%p1 ret; bar.sync 0, 64;"),
              FaultKind::Deadlock, {"32 of 64 threads arrived"});
}

TEST(PtxBarrier, CountsMustAgree) {
  expectFault(race("setp.ge.u32 %p1, %t, 32; @%p1 bra B;\nbar.sync 1, 64; ret;"
                   "\nB: bar.sync 1, 96;"),
              FaultKind::Barrier,
              {"for 96 threads here and for 64 threads in warp 0"});
  expectFault(race("bar.sync 1, 40;"), FaultKind::Barrier,
              {"expected a multiple of 32"});
  expectFault(race("bar.sync 1, 32; bar.sync %t;"), FaultKind::Barrier,
              {"different barriers"});
  expectFault(race("bar.arrive 1, 32; bar.sync 16;"), FaultKind::Barrier,
              {"a CTA has 16"});
}

/// The result of a kernel with races may depend on the seed; without, never.
TEST(PtxScheduler, SeedsChangeTheOrder) {
  const char *Body = R"(
    setp.ne.u32 %p1, %t, 0; and.b32 %r1, %t, 31; setp.eq.u32 %p2, %r1, 0;
    shr.u32 %r2, %t, 5;
    @%p2 atom.global.add.u32 %r3, [%out+1024], 1;
    mul.wide.u32 %rd1, %r3, 4; add.s64 %rd1, %rd1, %out;
    @%p2 st.global.b32 [%rd1], %r2;)";
  std::set<std::vector<uint32_t>> Orders;
  for (uint64_t Seed = 0; Seed < 20; ++Seed) {
    Scene With;
    With.Threads = 256;
    With.How.Seed = Seed;
    Outcome Once = outcome(Body, With), Twice = outcome(Body, With);
    EXPECT_EQ(Once.Out, Twice.Out);
    Orders.insert(
        std::vector<uint32_t>(Once.Out.begin(), Once.Out.begin() + 8));
  }
  EXPECT_GT(Orders.size(), 3u);
}

} // namespace
