// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Divergence, loops, calls, and instructions between lanes.

#include "Run.h"

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

TEST(PtxControl, LanesTakeBothSides) {
  Outcome O = outcome(R"(
    and.b32 %r1, %t, 1;
    setp.eq.s32 %p1, %r1, 0;
    @%p1 bra EVEN;
    mul.lo.s32 %r2, %t, 3;
    bra.uni DONE;
  EVEN:
    add.s32 %r2, %t, 100;
  DONE:
    vote.sync.ballot.b32 %r3, %p1, 0xffffffff;
    st.global.b32 [%mine], %r2;
    st.global.b32 [%mine+128], %r3;)");
  for (uint32_t T = 0; T < 32; ++T) {
    EXPECT_EQ(O.Out[T], T % 2 ? 3 * T : T + 100);
    EXPECT_EQ(O.Out[32 + T], 0x55555555u);
  }
}

TEST(PtxControl, EveryLaneHasItsTripCount) {
  Outcome O = outcome(R"(
    mov.b32 %r1, 0; mov.b32 %r2, 0;
  LOOP:
    add.s32 %r2, %r2, %r1;
    add.s32 %r1, %r1, 1;
    setp.le.u32 %p1, %r1, %t;
    @%p1 bra LOOP;
    st.global.b32 [%mine], %r2;)",
                      {96});
  for (uint32_t T = 0; T < 96; ++T)
    EXPECT_EQ(O.Out[T], T * (T + 1) / 2);
}

/// A loop left in its middle, by a branch backwards to code before the loop.
TEST(PtxControl, ExitsOfALoopMeetAgain) {
  Outcome O = outcome(R"(
    mov.b32 %r1, 0;
    bra.uni LOOP;
  OUT:
    shfl.sync.bfly.b32 %r3, %r1, 1, 31, 0xffffffff;
    st.global.b32 [%mine], %r3;
    ret;
  LOOP:
    setp.ge.u32 %p1, %r1, %t;
    @%p1 bra OUT;
    add.s32 %r1, %r1, 1;
    bra.uni LOOP;)");
  for (uint32_t T = 0; T < 32; ++T)
    EXPECT_EQ(O.Out[T], T ^ 1);
}

TEST(PtxControl, GuardsAndExits) {
  Outcome O = outcome(R"(
    setp.gt.u32 %p1, %t, 9;
    @%p1 exit;
    setp.eq.u32 %p2, %t, 3;
    mov.b32 %r1, 5;
    @%p2 mov.b32 %r1, 6;
    @!%p2 add.s32 %r1, %r1, 2;
    activemask.b32 %r2;
    st.global.b32 [%mine], %r1;
    st.global.b32 [%mine+128], %r2;)");
  EXPECT_EQ(O.Out[3], 6u);
  EXPECT_EQ(O.Out[4], 7u);
  EXPECT_EQ(O.Out[10], 0u);
  EXPECT_EQ(O.Out[32], 0x3ffu);
}

TEST(PtxControl, IndexedBranch) {
  Outcome O = outcome(R"(
    rem.u32 %r1, %t, 3;
    TABLE: .branchtargets A, B, C;
    brx.idx %r1, TABLE;
  A: mov.b32 %r2, 10; bra D;
  B: mov.b32 %r2, 20; bra D;
  C: mov.b32 %r2, 30;
  D: st.global.b32 [%mine], %r2;)");
  for (uint32_t T = 0; T < 32; ++T)
    EXPECT_EQ(O.Out[T], 10 + T % 3 * 10);
  expectFault(runBody("T: .branchtargets A;\n brx.idx %t, T;\nA:"),
              FaultKind::OutOfBounds, {"branch target 1 of 1", "brx.idx"});
}

TEST(PtxControl, CallsPassArgumentsAndResults) {
  const char *Functions = R"(
.func (.param .b32 result) factorial(.param .b32 n)
{
  .reg .pred %p; .reg .b32 %r<4>;
  ld.param.b32 %r0, [n];
  setp.gt.u32 %p, %r0, 1;
  @%p bra MORE;
  st.param.b32 [result], 1;
  ret;
MORE:
  sub.s32 %r1, %r0, 1;
  {
    .param .b32 a; .param .b32 b;
    st.param.b32 [a], %r1;
    call.uni (b), factorial, (a);
    ld.param.b32 %r2, [b];
  }
  mul.lo.s32 %r3, %r2, %r0;
  st.param.b32 [result], %r3;
  ret;
}
)";
  Outcome O = outcome(R"(
    and.b32 %r1, %t, 7;
    { .param .b32 a; .param .b32 b;
      st.param.b32 [a], %r1;
      call (b), factorial, (a);
      ld.param.b32 %r2, [b]; }
    bar.warp.sync 0xffffffff;
    st.global.b32 [%mine], %r2;)",
                      {64}, Functions);
  uint32_t Expected[] = {1, 1, 2, 6, 24, 120, 720, 5040};
  for (uint32_t T = 0; T < 64; ++T)
    EXPECT_EQ(O.Out[T], Expected[T % 8]);
}

TEST(PtxControl, SpecialRegisters) {
  Outcome O = outcome(R"(
    mov.u32 %r1, %laneid; mov.u32 %r2, %warpid; mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %ctaid.x; mov.u32 %r5, %nctaid.x; mov.u32 %r6, %lanemask_lt;
    mad.lo.s32 %r7, %r2, 100, %r1;
    mul.lo.s32 %r8, %r4, 256;
    cvt.u64.u32 %rd1, %r8; add.s64 %mine, %mine, %rd1;
    mad.lo.s32 %r7, %r5, 1000, %r7;
    st.global.b32 [%mine], %r7;)",
                      {64, 2});
  EXPECT_EQ(O.Out[0], 2000u);
  EXPECT_EQ(O.Out[33], 2101u);
  EXPECT_EQ(O.Out[64 + 63], 2131u);
}

/// What a register holds before it is written does not depend on what ran.
TEST(PtxControl, RegistersBeginAlike) {
  Outcome O = outcome(R"(
    mov.u32 %r2, %ctaid.x; mul.lo.s32 %r3, %r2, 128; cvt.u64.u32 %rd1, %r3;
    add.s64 %mine, %mine, %rd1;
    st.global.b32 [%mine], %r1;
    mov.b32 %r1, 5;)",
                      {32, 3});
  for (size_t I = 0; I < 96; ++I)
    EXPECT_EQ(O.Out[I], 0xffffffffu);
}

// --- between lanes ---

TEST(PtxWarp, Shuffles) {
  Outcome O = outcome(R"(
    shfl.sync.up.b32 %r1|%p1, %t, 1, 0, -1;
    shfl.sync.down.b32 %r2, %t, 2, 31, -1;
    shfl.sync.bfly.b32 %r3, %t, 16, 31, -1;
    shfl.sync.idx.b32 %r4, %t, 5, 31, -1;
    shfl.sync.idx.b32 %r5, %t, 1, 0x1c1f, -1;
    selp.b32 %r6, 1, 0, %p1;
    st.global.b32 [%mine], %r1; st.global.b32 [%mine+128], %r2;
    st.global.b32 [%mine+256], %r3; st.global.b32 [%mine+384], %r4;
    st.global.b32 [%mine+512], %r5; st.global.b32 [%mine+640], %r6;)");
  for (uint32_t T = 0; T < 32; ++T) {
    EXPECT_EQ(O.Out[T], T ? T - 1 : 0);
    EXPECT_EQ(O.Out[32 + T], T < 30 ? T + 2 : T);
    EXPECT_EQ(O.Out[64 + T], T ^ 16);
    EXPECT_EQ(O.Out[96 + T], 5u);
    EXPECT_EQ(O.Out[128 + T], (T & ~3u) + 1) << "segments of 4";
    EXPECT_EQ(O.Out[160 + T], T ? 1u : 0u);
  }
}

TEST(PtxWarp, VotesMatchesAndReductions) {
  Outcome O = outcome(R"(
    setp.lt.u32 %p1, %t, 32;
    setp.lt.u32 %p2, %t, 4;
    vote.sync.all.pred %p3, %p1, -1;
    vote.sync.any.pred %p4, %p2, -1;
    vote.sync.uni.pred %p5, %p2, -1;
    selp.b32 %r1, 1, 0, %p3; selp.b32 %r2, 2, 0, %p4; selp.b32 %r3, 4, 0, %p5;
    add.s32 %r1, %r1, %r2; add.s32 %r1, %r1, %r3;
    shr.u32 %r4, %t, 3;
    match.any.sync.b32 %r5, %r4, -1;
    redux.sync.add.s32 %r6, %t, -1;
    redux.sync.max.u32 %r7, %t, -1;
    st.global.b32 [%mine], %r1; st.global.b32 [%mine+128], %r5;
    st.global.b32 [%mine+256], %r6; st.global.b32 [%mine+384], %r7;)");
  EXPECT_EQ(O.Out[0], 3u);
  EXPECT_EQ(O.Out[32 + 9], 0xff00u);
  EXPECT_EQ(O.Out[64], 496u);
  EXPECT_EQ(O.Out[96], 31u);
}

/// Two halves shuffle with masks of their own on different ways.
TEST(PtxWarp, MasksNameTheLanesThatMustCome) {
  Outcome O = outcome(R"(
    setp.lt.u32 %p1, %t, 16;
    @%p1 bra LOW;
    shfl.sync.bfly.b32 %r1, %t, 1, 31, 0xffff0000;
    bra.uni DONE;
  LOW:
    shfl.sync.bfly.b32 %r1, %t, 2, 31, 0x0000ffff;
  DONE:
    st.global.b32 [%mine], %r1;)");
  EXPECT_EQ(O.Out[3], 1u);
  EXPECT_EQ(O.Out[19], 18u);
}

TEST(PtxWarp, MissingLanesAreFaults) {
  expectFault(runBody(R"(
    setp.lt.u32 %p1, %t, 16;
    @%p1 bra LOW;
    shfl.sync.bfly.b32 %r1, %t, 1, 31, -1;
    bra.uni DONE;
  LOW:
    shfl.sync.bfly.b32 %r1, %t, 2, 31, -1;
  DONE:)"),
              FaultKind::MissingLanes,
              {"0xFFFFFFFF", "only 0xFFFF", "waits at line", "shfl.sync"});
  expectFault(runBody("setp.eq.u32 %p1, %t, 7; @%p1 exit;\n"
                      "bar.warp.sync -1;"),
              FaultKind::MissingLanes, {"have exited: 7", "bar.warp.sync"});
  expectFault(runBody("bar.warp.sync -1;", {20}), FaultKind::MissingLanes,
              {"the CTA does not have: 20"});
  expectFault(runBody("bar.warp.sync 1;"), FaultKind::MissingLanes,
              {"is not in its mask"});
}

TEST(PtxControl, TrapsAndEnds) {
  expectFault(runBody("setp.eq.u32 %p1, %t, 7;\n @%p1 trap;"), FaultKind::Trap,
              {"lane 7", "trap", "at line"});
  Scene Short;
  Short.How.MaxInstructions = 10000;
  expectFault(runBody("LOOP: bra LOOP;", Short), FaultKind::Hang,
              {"does not end"});
}

// --- what the parser refuses ---

std::string refusal(const std::string &Body) {
  auto Read = Program::parse(kernel(Body), "test.ptx");
  return Read ? std::string() : llvm::toString(Read.takeError());
}

TEST(PtxParser, NamesWhatItDoesNotKnow) {
  EXPECT_NE(refusal("frobnicate.b32 %r1, %r2;").find("unknown instruction"),
            std::string::npos);
  EXPECT_NE(refusal("frobnicate.b32 %r1, %r2;").find("test.ptx:13: "),
            std::string::npos)
      << refusal("frobnicate.b32 %r1, %r2;");
  EXPECT_NE(refusal("add.foo.s32 %r1, %r2, %r3;").find("'.foo'"),
            std::string::npos);
  EXPECT_NE(refusal("add.s32 %r1, %r2;").find("expected 3 operands"),
            std::string::npos);
  EXPECT_NE(refusal("add.s32 %r1, %rd2, %r3;").find("has 64 bits"),
            std::string::npos);
  EXPECT_NE(refusal("bra NOWHERE;").find("'NOWHERE'"), std::string::npos);
  EXPECT_NE(refusal("add.s32 %r99, %r2, %r3;").find("'%r99'"),
            std::string::npos);
  EXPECT_NE(refusal(".foo 3;").find("unknown directive"), std::string::npos);
}

TEST(PtxParser, SaysWhatALaunchNeeds) {
  std::unique_ptr<Program> Code = parsed(R"(.version 8.0
.target sm_90a
.address_size 64
.shared .align 16 .b8 tile[100];
.visible .entry k(.param .u32 a, .param .align 8 .b8 b[24], .param .u64 .ptr .global .align 1 c)
.maxntid 128, 1, 1
.minnctapersm 2
{ .reg .b32 %r<4>; .local .align 8 .b8 stack[40];
  mov.u32 %r1, tile; ret; }
)");
  ASSERT_TRUE(Code);
  EXPECT_EQ(Code->target(), "sm_90a");
  const Kernel *K = Code->find("k");
  ASSERT_TRUE(K);
  EXPECT_EQ(K->ParameterBytes, 40u);
  EXPECT_EQ(K->ParameterOffsets, (std::vector<uint64_t>{0, 8, 32}));
  EXPECT_EQ(K->MaxThreads[0], 128u);
  EXPECT_EQ(K->SharedBytes, 100u);
  EXPECT_EQ(K->LocalBytes, 48u);
  EXPECT_FALSE(Code->find("other"));
}

} // namespace
