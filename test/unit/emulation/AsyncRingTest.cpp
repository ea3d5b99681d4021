// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rings of stages that bulk copies fill, and copies that read shared memory.

#include "AsyncRun.h"

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

// --- a ring of two stages, one warp that fills it and two that empty it ---

struct RingText {
  unsigned Consumers = 2; ///< that the empty barriers count
  bool WaitForEmpty = true;
  bool OneArrives = false; ///< the second consumer does not say it is done
  std::string text() const {
    auto Wait = [](const char *Name, const char *Barrier, const char *Parity) {
      std::string Label = Name;
      return Label + ":\nmbarrier.try_wait.parity.shared.b64 %p1, [" + Barrier +
             "], " + Parity + ";\n@!%p1 bra " + Label + ";\n";
    };
    return module(
        ".param .u64 f_param_0, .param .u64 f_param_1, .param .u32 f_param_2",
        ".reg .pred %p<8>;\n.reg .b32 %r<20>;\n.reg .b64 %rd<10>;\n"
        "mov.u32 %r0, %tid.x;\n"
        "ld.param.u32 %r9, [f_param_2];\n"
        "ld.param.u64 %rd0, [f_param_0];\n"
        "setp.ne.b32 %p0, %r0, 0;\n"
        "@%p0 bra ready;\n"
        "mbarrier.init.shared.b64 [memory+2048], 1;\n"
        "mbarrier.init.shared.b64 [memory+2056], 1;\n"
        "mbarrier.init.shared.b64 [memory+2064], " +
            std::to_string(Consumers) +
            ";\n"
            "mbarrier.init.shared.b64 [memory+2072], " +
            std::to_string(Consumers) +
            ";\n"
            "ready:\n"
            "bar.sync 0;\n"
            "mov.u32 %r1, 0;\n" // the tile
            "mov.u32 %r8, 0;\n" // the sum
            "shr.u32 %r2, %r0, 5;\n"
            "setp.ne.b32 %p2, %r2, 0;\n"
            "@%p2 bra consume;\n"
            "@%p0 bra done;\n"
            "produce:\n"
            "and.b32 %r3, %r1, 1;\n"
            "shl.b32 %r4, %r3, 3;\n" // of the barrier
            "mov.u32 %r5, memory;\n"
            "add.u32 %r4, %r4, %r5;\n"
            "shl.b32 %r3, %r3, 10;\n"
            "add.u32 %r3, %r3, %r5;\n" // the stage
            "shr.u32 %r6, %r1, 1;\n"
            "and.b32 %r6, %r6, 1;\n"
            "xor.b32 %r6, %r6, 1;\n" +
            (WaitForEmpty ? Wait("empty", "%r4+2064", "%r6") : "") +
            "mbarrier.arrive.expect_tx.shared.b64 _, [%r4+2048], 1024;\n"
            "cp.async.bulk.shared::cluster.global"
            ".mbarrier::complete_tx::bytes [%r3], [%rd0], 1024, [%r4+2048];\n"
            "add.u64 %rd0, %rd0, 1024;\n"
            "add.u32 %r1, %r1, 1;\n"
            "setp.lt.u32 %p3, %r1, %r9;\n"
            "@%p3 bra produce;\n"
            "bra done;\n"
            "consume:\n"
            "and.b32 %r3, %r1, 1;\n"
            "shl.b32 %r4, %r3, 3;\n"
            "mov.u32 %r5, memory;\n"
            "add.u32 %r4, %r4, %r5;\n"
            "shl.b32 %r3, %r3, 10;\n"
            "add.u32 %r3, %r3, %r5;\n"
            "shr.u32 %r6, %r1, 1;\n"
            "and.b32 %r6, %r6, 1;\n" +
            Wait("full", "%r4+2048", "%r6") +
            "sub.u32 %r7, %r0, 32;\n"
            "shl.b32 %r7, %r7, 4;\n"
            "add.u32 %r7, %r7, %r3;\n"
            "ld.shared.u32 %r10, [%r7];\n"
            "ld.shared.u32 %r11, [%r7+4];\n"
            "ld.shared.u32 %r12, [%r7+8];\n"
            "ld.shared.u32 %r13, [%r7+12];\n"
            "add.u32 %r8, %r8, %r10;\n"
            "add.u32 %r8, %r8, %r11;\n"
            "add.u32 %r8, %r8, %r12;\n"
            "add.u32 %r8, %r8, %r13;\n"
            "bar.warp.sync -1;\n"
            "elect.sync _|%p4, -1;\n" +
            (OneArrives ? "setp.eq.and.u32 %p4, %r2, 1, %p4;\n" : "") +
            "@%p4 mbarrier.arrive.shared.b64 _, [%r4+2064];\n"
            "add.u32 %r1, %r1, 1;\n"
            "setp.lt.u32 %p3, %r1, %r9;\n"
            "@%p3 bra consume;\n"
            "ld.param.u64 %rd1, [f_param_1];\n"
            "sub.u32 %r7, %r0, 32;\n"
            "mul.wide.u32 %rd2, %r7, 4;\n"
            "add.u64 %rd1, %rd1, %rd2;\n"
            "st.global.u32 [%rd1], %r8;\n"
            "done:\n"
            "ret;\n");
  }
};

std::optional<Fault> ring(const RingText &Text, uint64_t Seed, bool &Right) {
  constexpr unsigned Tiles = 9;
  Device On;
  uint64_t From = On.allocate(Tiles * 1024), To = On.allocate(64 * 4);
  uint32_t Should[64] = {};
  for (unsigned I = 0; I < Tiles * 256; ++I) {
    reinterpret_cast<uint32_t *>(From)[I] = I * I + 3;
    Should[I % 256 / 4] += I * I + 3;
  }
  Block Parameters;
  Parameters.address(From);
  Parameters.address(To);
  Parameters.address(Tiles);
  Parameters.Bytes.resize(20);
  std::optional<Fault> Found =
      launch(Text.text(), Parameters, 96, 2080, On, Seed);
  Right = std::memcmp(Should, reinterpret_cast<void *>(To), 256) == 0;
  return Found;
}

TEST(Async, Ring) {
  for (uint64_t Seed = 0; Seed < 10; ++Seed) {
    bool Right = false;
    std::optional<Fault> Found = ring({}, Seed, Right);
    EXPECT_FALSE(Found) << said(Found);
    EXPECT_TRUE(Right);
  }
}

// A stage that is filled again while it is read: one consumer does not say that
// it is done, or the producer does not ask. Whatever the order of warps, it is
// caught.
TEST(Async, StageOverwrittenInUse) {
  for (uint64_t Seed = 0; Seed < 20; ++Seed)
    for (bool Wait : {true, false}) {
      RingText Text;
      Text.WaitForEmpty = Wait;
      Text.OneArrives = Wait;
      Text.Consumers = Wait ? 1 : 2;
      bool Right = false;
      std::optional<Fault> Found = ring(Text, Seed, Right);
      ASSERT_TRUE(Found) << Seed;
      // Without waiting, the producer may also arrive twice in one phase.
      EXPECT_TRUE(Found->Kind == FaultKind::Race ||
                  Found->Kind == FaultKind::Pending ||
                  (!Wait && Found->Kind == FaultKind::Barrier))
          << said(Found);
    }
}

// More arrivals are counted than made, or more made than counted.
TEST(Async, ArrivalCounts) {
  RingText Text;
  Text.Consumers = 3;
  bool Right = false;
  std::optional<Fault> Found = ring(Text, 0, Right);
  ASSERT_TRUE(Found);
  EXPECT_EQ(Found->Kind, FaultKind::Deadlock) << said(Found);
  EXPECT_NE(said(Found).find("1 of 3 arrivals"), std::string::npos)
      << said(Found);
  Text.Consumers = 1;
  for (uint64_t Seed = 0; Seed < 20; ++Seed)
    EXPECT_TRUE(ring(Text, Seed, Right)) << Seed;
}

// --- proxies ---

/// Shared memory is written by st.shared and stored by a bulk copy.
std::optional<Fault> storeThroughProxy(bool Fence, bool Wait, bool Late,
                                       bool &Right) {
  Device On;
  uint64_t To = On.allocate(512);
  Block Parameters;
  Parameters.address(To);
  std::string Body = ".reg .pred %p<3>;\n.reg .b32 %r<4>;\n.reg .b64 %rd<3>;\n"
                     "mov.u32 %r0, %tid.x;\n"
                     "mov.u32 %r1, memory;\n"
                     "shl.b32 %r2, %r0, 2;\n"
                     "add.u32 %r2, %r2, %r1;\n"
                     "st.shared.u32 [%r2], %r0;\n";
  if (Fence)
    Body += "fence.proxy.async.shared::cta;\n";
  Body += "bar.sync 0;\n"
          "setp.ne.b32 %p0, %r0, 0;\n"
          "@%p0 bra done;\n"
          "ld.param.u64 %rd0, [f_param_0];\n"
          "cp.async.bulk.global.shared::cta.bulk_group [%rd0], [%r1], 512;\n"
          "cp.async.bulk.commit_group;\n";
  if (Late)
    Body += "st.shared.u32 [%r2], 7;\n";
  if (Wait)
    Body += "cp.async.bulk.wait_group.read 0;\n";
  Body += "done:\nret;\n";
  std::optional<Fault> Found =
      launch(module(".param .u64 f_param_0", Body), Parameters, 128, 512, On);
  Right = true;
  for (unsigned I = 0; I < 128; ++I)
    Right &= reinterpret_cast<uint32_t *>(To)[I] == I;
  return Found;
}

// A box of 8 by 64 bytes at column 12 and row 3 of a tensor of 24 columns (of 4
// bytes) and 6 rows: what is out of bounds is not written.
TEST(Async, TensorStore) {
  Device On;
  uint64_t To = On.allocate(24 * 10 * 4);
  auto *Words = reinterpret_cast<uint32_t *>(To);
  std::fill(Words, Words + 24 * 10, 1000U);
  uint64_t Dims[] = {24, 6}, Strides[] = {96};
  uint32_t Box[] = {16, 8}, Steps[] = {1, 1};
  TensorMap Map;
  std::string Error;
  ASSERT_TRUE(
      makeTensorMap(Map, Error, 2, 2, To, Dims, Strides, Box, Steps, 0, 0, 0))
      << Error;
  Block Parameters;
  Parameters.map(Map);
  std::string Body = ".reg .pred %p<3>;\n.reg .b32 %r<4>;\n.reg .b64 %rd<3>;\n"
                     "mov.u32 %r0, %tid.x;\n"
                     "mov.u32 %r1, memory;\n"
                     "shl.b32 %r2, %r0, 2;\n"
                     "add.u32 %r2, %r2, %r1;\n"
                     "st.shared.u32 [%r2], %r0;\n"
                     "fence.proxy.async.shared::cta;\n"
                     "bar.sync 0;\n"
                     "setp.ne.b32 %p0, %r0, 0;\n"
                     "@%p0 bra done;\n"
                     "mov.b64 %rd0, f_param_0;\n"
                     "cvta.param.u64 %rd0, %rd0;\n"
                     "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group "
                     "[%rd0, {12, 3}], [%r1];\n"
                     "cp.async.bulk.commit_group;\n"
                     "cp.async.bulk.wait_group 0;\n"
                     "done:\nret;\n";
  std::optional<Fault> Found =
      launch(module(".param .align 64 .b8 f_param_0[128]", Body), Parameters,
             128, 512, On);
  EXPECT_FALSE(Found) << said(Found);
  for (unsigned Row = 0; Row < 10; ++Row)
    for (unsigned Column = 0; Column < 24; ++Column) {
      bool Written = Row >= 3 && Row < 6 && Column >= 12;
      EXPECT_EQ(Words[Row * 24 + Column],
                Written ? (Row - 3) * 16 + Column - 12 : 1000U);
    }
}

TEST(Async, Proxies) {
  bool Right = false;
  std::optional<Fault> Found = storeThroughProxy(true, true, false, Right);
  EXPECT_FALSE(Found) << said(Found);
  EXPECT_TRUE(Right);
  Found = storeThroughProxy(false, true, false, Right);
  ASSERT_TRUE(Found);
  EXPECT_NE(said(Found).find("no fence.proxy.async"), std::string::npos)
      << said(Found);
  Found = storeThroughProxy(true, false, false, Right);
  ASSERT_TRUE(Found);
  EXPECT_NE(said(Found).find("wait_group is missing"), std::string::npos)
      << said(Found);
  // The source changes while the copy may still read it.
  Found = storeThroughProxy(true, true, true, Right);
  ASSERT_TRUE(Found);
  EXPECT_EQ(Found->Kind, FaultKind::Race) << said(Found);
}

} // namespace
