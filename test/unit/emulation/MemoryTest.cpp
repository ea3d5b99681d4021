// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads, stores, atomics, asynchronous copies and matrices, and what is wrong
// with addresses.

#include "Run.h"

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

TEST(PtxMemory, WidthsAndVectors) {
  Outcome O = outcome(R"(
    ld.global.u8 %r1, [%out+1];
    ld.global.s8 %r2, [%out+3];
    ld.global.s16 %r3, [%out+2];
    ld.global.v2.b32 {%r4, %r5}, [%out];
    ld.global.v2.b64 {%rd1, %rd2}, [%out];
    ld.global.s32 %rd3, [%out];
    ld.b32 %r6, [%out];
    st.global.v4.b32 [%out+64], {%r1, %r2, %r3, %r4};
    st.global.v2.b64 [%out+80], {%rd2, %rd3};
    st.global.b8 [%out+96], %r5;
    st.b16 [%out+98], %r5;)",
                      {1, 1, 0, 1024, {0x8180ff7f, 2, 3, 4}});
  EXPECT_EQ(O.Out[16], 0xffu);
  EXPECT_EQ(O.Out[17], 0xffffff81u);
  EXPECT_EQ(O.Out[18], 0xffff8180u);
  EXPECT_EQ(O.Out[19], 0x8180ff7fu);
  EXPECT_EQ(O.Out[20], 3u);
  EXPECT_EQ(O.Out[22], 0x8180ff7fu);
  EXPECT_EQ(O.Out[23], 0xffffffffu);
  EXPECT_EQ(O.Out[24], 0x00020002u);
}

TEST(PtxMemory, SpacesAndGenericAddresses) {
  const char *Globals = R"(
.const .align 4 .b32 table[4] = {10, 20, 30, 40};
.global .align 8 .b8 text[8] = {1, 2, 3};
.global .align 8 .u64 pointer = generic(text)+2;
.shared .align 4 .b8 tile[256];
)";
  Outcome O = outcome(R"(
    .local .align 8 .b8 stack[16];
    and.b32 %r1, %t, 3;
    mul.wide.u32 %rd1, %r1, 4;
    mov.b64 %rd2, table; add.s64 %rd2, %rd2, %rd1;
    ld.const.b32 %r2, [%rd2];
    ld.const.b32 %r3, [table+4];
    mov.b64 %rd3, stack; st.local.b32 [%rd3+8], %t;
    cvta.local.u64 %rd4, %rd3; ld.b32 %r4, [%rd4+8];
    mov.b64 %rd5, tile; mul.wide.u32 %rd6, %t, 4; add.s64 %rd5, %rd5, %rd6;
    st.shared.b32 [%rd5], %t;
    cvta.shared.u64 %rd7, %rd5; ld.b32 %r5, [%rd7];
    isspacep.shared %p1, %rd7; isspacep.global %p2, %rd7;
    selp.b32 %r6, 1, 0, %p1; selp.b32 %r7, 2, 0, %p2;
    ld.global.b64 %rd8, [pointer]; ld.u8 %r8, [%rd8];
    cvta.param.u64 %rd9, k_param_0; ld.b64 %rd10, [%rd9];
    add.s32 %r2, %r2, %r3; add.s32 %r2, %r2, %r4; add.s32 %r2, %r2, %r5;
    add.s32 %r2, %r2, %r6; add.s32 %r2, %r2, %r7; add.s32 %r2, %r2, %r8;
    sub.s64 %rd10, %rd10, %out; cvt.u32.u64 %r9, %rd10;
    add.s32 %r2, %r2, %r9;
    st.global.b32 [%mine], %r2;)",
                      {}, Globals);
  for (uint32_t T = 0; T < 32; ++T)
    EXPECT_EQ(O.Out[T], (T % 4 + 1) * 10 + 20 + 2 * T + 1 + 3);
}

TEST(PtxMemory, DynamicSharedFollowsStaticShared) {
  const char *Globals = R"(
.shared .align 4 .b8 fixed[20];
.extern .shared .align 128 .b8 dynamic[];
)";
  Scene With;
  With.Shared = 256;
  Outcome O = outcome(R"(
    mov.b32 %r1, fixed; mov.b32 %r2, dynamic; mov.u32 %r3, %dynamic_smem_size;
    st.global.v2.b32 [%out], {%r2, %r3};
    mad.lo.s32 %r4, %t, 4, %r2; st.shared.b32 [%r4], %t;)",
                      With, Globals);
  EXPECT_EQ(O.Out[0], 128u);
  EXPECT_EQ(O.Out[1], 256u);
  With.Shared = 228 * 1024;
  expectFault(runBody("", With, Globals), FaultKind::Launch,
              {"shared memory", "a CTA can have"});
}

TEST(PtxMemory, Atomics) {
  Outcome O = outcome(R"(
    atom.global.add.u32 %r1, [%out], 1;
    red.global.max.s32 [%out+4], %t;
    red.global.or.b32 [%out+8], 5;
    atom.global.cas.b32 %r2, [%out+12], %t, 100;
    cvt.rn.f32.u32 %f1, %t;
    red.global.add.f32 [%out+16], %f1;
    atom.global.exch.b32 %r3, [%out+20], %t;
    atom.global.inc.u32 %r4, [%out+24], 9;
    add.s64 %mine, %mine, 128;
    st.global.b32 [%mine], %r1;)",
                      {64, 2});
  EXPECT_EQ(O.Out[0], 128u);
  EXPECT_EQ(O.Out[1], 63u);
  EXPECT_EQ(O.Out[2], 5u);
  EXPECT_EQ(O.Out[3], 100u);
  EXPECT_EQ(O.asFloat(4), 2 * 63 * 32.0F);
  EXPECT_EQ(O.Out[6], 128u % 10);
}

TEST(PtxMemory, CtasOnSeveralHostThreads) {
  Scene With;
  With.Ctas = 200;
  With.How.Threads = 4;
  Outcome O = outcome("red.global.add.u32 [%out], %t;", With);
  EXPECT_EQ(O.Out[0], 200u * 496);
  EXPECT_EQ(O.Counted.Ctas, 200u);
}

TEST(PtxMemory, TheFaultOfTheLowestCtaCounts) {
  Scene With;
  With.Ctas = 60;
  With.How.Threads = 4;
  for (int Times = 0; Times < 10; ++Times)
    expectFault(runBody("mov.u32 %r1, %ctaid.x; setp.ge.u32 %p1, %r1, 20;"
                        "@%p1 trap;",
                        With),
                FaultKind::Trap, {"CTA (20,0,0)"});
}

// --- faults of addresses ---

TEST(PtxMemory, OutOfBounds) {
  expectFault(runBody("st.global.b32 [%mine+4000], %t;"),
              FaultKind::OutOfBounds,
              {"lane 24", "0 bytes after the end of 'allocation' of 4096 bytes",
               "st.global.b32", "k: CTA (0,0,0) warp 0"});
  expectFault(runBody("ld.global.b32 %r1, [%out+-4];"), FaultKind::OutOfBounds,
              {"4 bytes before the beginning of 'allocation'"});
  expectFault(runBody("mov.b64 %rd1, 64; ld.global.b32 %r1, [%rd1];"),
              FaultKind::OutOfBounds, {"nothing is allocated near it"});
  expectFault(runBody("mov.b32 %r1, 0; st.shared.b32 [%r1], %r1;"),
              FaultKind::OutOfBounds, {"shared memory, which has 0 bytes"});
  expectFault(runBody(".local .b8 a[8]; mov.b64 %rd1, a;"
                      " st.local.b32 [%rd1+8], %t;"),
              FaultKind::OutOfBounds, {"local memory"});
  expectFault(runBody("ld.param.b64 %rd1, [k_param_0+8];"),
              FaultKind::OutOfBounds, {"param memory"});
}

TEST(PtxMemory, MisalignedAndReadOnly) {
  expectFault(runBody("ld.global.b32 %r1, [%out+2];"), FaultKind::Misaligned,
              {"no multiple of 4"});
  expectFault(runBody("ld.global.v4.b32 {%r1,%r2,%r3,%r4}, [%out+8];"),
              FaultKind::Misaligned, {"no multiple of 16"});
  expectFault(runBody("mov.b64 %rd1, table; st.global.b32 [%rd1], %t;", {},
                      ".const .b32 table[2] = {1, 2};"),
              FaultKind::ReadOnly, {"'table'"});
}

TEST(PtxMemory, LaunchesThatCannotBe) {
  std::unique_ptr<Program> Code = parsed(kernel(""));
  ASSERT_TRUE(Code);
  Device On;
  LaunchConfig Config;
  std::optional<Fault> F = run(*Code, *Code->find("k"), Config, On);
  ASSERT_TRUE(F);
  EXPECT_EQ(F->describe(),
            "k: cannot launch: 0 bytes of parameters: the kernel has 8");
}

// --- asynchronous copies ---

const char *Ring = ".extern .shared .align 128 .b8 s[];";

Scene ring(uint32_t Threads = 32) {
  Scene With;
  With.Threads = Threads;
  With.Shared = 2048;
  for (uint32_t I = 0; I < 512; ++I)
    With.Initial.push_back(I);
  return With;
}

TEST(PtxAsync, CopiesArriveAtTheirWait) {
  Outcome O = outcome(R"(
    mul.wide.u32 %rd1, %t, 16;
    mov.b64 %rd2, s; add.s64 %rd2, %rd2, %rd1; add.s64 %rd3, %out, %rd1;
    cp.async.cg.shared.global [%rd2], [%rd3], 16;
    cp.async.commit_group;
    cp.async.ca.shared.global [%rd2+512], [%rd3+512], 8, 4;
    cp.async.ca.shared.global.L2::128B [%rd2+520], [%rd3+520], 8;
    cp.async.commit_group;
    cp.async.wait_group 1;
    ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%rd2];
    cp.async.wait_all;
    ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%rd2+512];
    st.global.v4.b32 [%rd3+1024], {%r1, %r4, %r5, %r6};
    st.global.v4.b32 [%rd3+1536], {%r7, %r8, %r8, %r8};)",
                      ring(), Ring);
  for (uint32_t T = 0; T < 32; ++T) {
    const uint32_t *Four = &O.Out[256 + 4 * T];
    EXPECT_EQ(Four[0], 4 * T);
    EXPECT_EQ(Four[1], 4 * T + 3);
    EXPECT_EQ(Four[2], 128 + 4 * T);
    EXPECT_EQ(Four[3], 0u) << "past the source size";
    EXPECT_EQ(O.Out[384 + 4 * T], 128 + 4 * T + 2);
  }
  EXPECT_EQ(O.Counted.AsyncBytes, 32u * (16 + 4 + 8));
}

TEST(PtxAsync, AMissingWaitIsAFault) {
  const char *Copy = R"(
    mul.wide.u32 %rd1, %t, 16;
    mov.b64 %rd2, s; add.s64 %rd2, %rd2, %rd1; add.s64 %rd3, %out, %rd1;
    cp.async.cg.shared.global [%rd2], [%rd3], 16;
    cp.async.commit_group;
  )";
  expectFault(
      runBody(std::string(Copy) + "ld.shared.b32 %r1, [%rd2];", ring(), Ring),
      FaultKind::Pending,
      {"is read while the asynchronous copy", "not waited for"});
  // The last group may stay in flight.
  expectFault(runBody(std::string(Copy) +
                          "cp.async.wait_group 1; ld.shared.b32 %r1, [%rd2];",
                      ring(), Ring),
              FaultKind::Pending, {"in flight"});
  expectFault(
      runBody(std::string(Copy) + "st.shared.b32 [%rd2], 1;", ring(), Ring),
      FaultKind::Pending, {"is written while"});
  // Waiting is not enough for the others.
  expectFault(runBody(std::string(Copy) +
                          "cp.async.wait_group 0;"
                          "and.b64 %rd2, %rd2, 511; ld.shared.b32 %r1, [%rd2];",
                      ring(64), Ring),
              FaultKind::Race, {"no barrier orders the warps"});
  outcome(std::string(Copy) +
              "cp.async.wait_group 0; bar.sync 0;"
              "and.b64 %rd2, %rd2, 511; ld.shared.b32 %r1, [%rd2];",
          ring(64), Ring);
  expectFault(runBody(std::string(Copy) +
                          "cp.async.cg.shared.global [%rd2], [%rd3+4096], 16;",
                      ring(), Ring),
              FaultKind::OutOfBounds, {"cp.async"});
}

// --- matrices ---

/// 64 16-bit numbers r * 8 + c in 8 rows of shared memory.
const char *Fill = R"(
    shl.b32 %r10, %t, 17; mul.lo.s32 %r11, %t, 2; add.s32 %r11, %r11, 1;
    shl.b32 %r11, %r11, 16; mul.lo.s32 %r10, %t, 2; or.b32 %r10, %r10, %r11;
    mul.wide.u32 %rd1, %t, 4; mov.b64 %rd2, s; add.s64 %rd3, %rd2, %rd1;
    st.shared.b32 [%rd3], %r10;
    bar.sync 0;
    and.b32 %r12, %t, 7; mul.wide.u32 %rd4, %r12, 16; add.s64 %rd4, %rd2, %rd4;
  )";

TEST(PtxMatrix, LoadAndStore) {
  Outcome O = outcome(std::string(Fill) + R"(
    ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%rd4];
    ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r2}, [%rd4];
    stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%rd4+512], {%r1};
    bar.warp.sync -1;
    ld.shared.b32 %r3, [%rd3+512];
    st.global.b32 [%mine], %r1; st.global.b32 [%mine+128], %r2;
    st.global.b32 [%mine+256], %r3;)",
                      ring(), Ring);
  for (uint32_t T = 0; T < 32; ++T) {
    uint32_t Low = T / 4 * 8 + T % 4 * 2;
    uint32_t Turned = T % 4 * 2 * 8 + T / 4;
    EXPECT_EQ(O.Out[T], Low | (Low + 1) << 16);
    EXPECT_EQ(O.Out[32 + T], Turned | (Turned + 8) << 16);
    EXPECT_EQ(O.Out[64 + T], Turned | (Turned + 8) << 16);
  }
}

TEST(PtxMatrix, Product) {
  // A: ones; B: element (k, n) = n; C: 0.5.
  Outcome O = outcome(R"(
    mov.b32 %r1, 0x3f803f80;
    shr.u32 %r2, %t, 2; cvt.rn.f32.u32 %f1, %r2;
    cvt.rn.bf16x2.f32 %r3, %f1, %f1;
    mov.b32 %f2, 0f3F000000;
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
      {%f3, %f4, %f5, %f6}, {%r1, %r1, %r1, %r1}, {%r3, %r3}, {%f2, %f2, %f2, %f2};
    st.global.f32 [%mine], %f3; st.global.f32 [%mine+128], %f4;
    mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
      {%f3, %f4, %f5, %f6}, {%f2, %f2, %f2, %f2}, {%f1, %f1}, {%f3, %f4, %f5, %f6};
    st.global.f32 [%mine+256], %f3;)");
  for (uint32_t T = 0; T < 32; ++T) {
    float N = float(T % 4 * 2);
    EXPECT_EQ(O.asFloat(T), 16 * N + 0.5F);
    EXPECT_EQ(O.asFloat(32 + T), 16 * (N + 1) + 0.5F);
    EXPECT_EQ(O.asFloat(64 + T), 16 * N + 0.5F + 8 * 0.5F * N);
  }
  EXPECT_EQ(O.Counted.MatrixInstructions, 2u);
}

TEST(PtxMatrix, WarpsMustBeWhole) {
  expectFault(runBody(R"(
    setp.lt.u32 %p1, %t, 8;
    @%p1 bra SKIP;
    mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32
      {%f3, %f4, %f5, %f6}, {%r1, %r2}, {%r3}, {%f3, %f4, %f5, %f6};
    SKIP:)"),
              FaultKind::MissingLanes, {"have exited: 0, 1", "mma.sync"});
}

} // namespace
