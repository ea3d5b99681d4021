// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels with tensor copies, mbarriers and wgmma, right ones and broken ones.

#include "AsyncKernels.h"

#include "codegen/nv/emulation/Launch.h"
#include "codegen/nv/emulation/semantics/Convert.h"
#include "codegen/nv/emulation/semantics/TensorMap.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

/// Parameters laid out as .param declares them.
class Block {
public:
  void map(const TensorMap &Map) {
    EncodedTensorMap Encoded = encodeTensorMap(Map);
    Bytes.insert(Bytes.end(), Encoded.begin(), Encoded.end());
  }
  void address(uint64_t At) {
    const char *From = reinterpret_cast<const char *>(&At);
    Bytes.insert(Bytes.end(), From, From + 8);
  }
  std::vector<char> Bytes;
};

std::optional<Fault> launch(const std::string &Text, const Block &Parameters,
                            unsigned Threads, uint64_t SharedBytes, Device &On,
                            uint64_t Seed = 0) {
  llvm::Expected<std::unique_ptr<Program>> Code = Program::parse(Text, "test");
  if (!Code) {
    ADD_FAILURE() << llvm::toString(Code.takeError());
    return std::nullopt;
  }
  LaunchConfig Config;
  Config.Block[0] = Threads;
  Config.DynamicShared = SharedBytes;
  Config.Parameters = Parameters.Bytes;
  Options How;
  How.Seed = Seed;
  How.MaxInstructions = 10000000;
  return run(**Code, *(*Code)->find("f"), Config, On, How);
}

struct GemmResult {
  std::optional<Fault> Found;
  std::vector<float> Is, Should;
  bool right() const { return !Found && Is == Should; }
};

/// Runs the kernel on matrices of small numbers, for which every sum is exact.
GemmResult run(const GemmText &Text, uint64_t Seed = 0) {
  std::mt19937 Random(Text.N + Text.K + Text.Width);
  auto Pick = [&] { return float(int(Random() % 17) - 8) / 4; };
  std::vector<float> A(size_t(64) * Text.K), B(size_t(Text.K) * Text.N);
  for (float &X : A)
    X = Pick();
  for (float &X : B)
    X = Pick();
  auto Bits = [&](float X) { return Text.Brain ? toBF16(X) : toF16(X); };
  Device On;
  uint64_t AtA = On.allocate(A.size() * 2), AtB = On.allocate(B.size() * 2);
  GemmResult Result;
  Result.Is.assign(size_t(64) * Text.N, 0);
  Result.Should = Result.Is;
  uint64_t AtD = On.allocate(Result.Is.size() * 4);
  for (size_t I = 0; I < A.size(); ++I)
    reinterpret_cast<uint16_t *>(AtA)[I] = Bits(A[I]);
  for (unsigned K = 0; K < Text.K; ++K)
    for (unsigned N = 0; N < Text.N; ++N)
      reinterpret_cast<uint16_t *>(
          AtB)[Text.OuterMajorB ? K * Text.N + N : N * Text.K + K] =
          Bits(B[K * Text.N + N]);
  for (unsigned M = 0; M < 64; ++M)
    for (unsigned N = 0; N < Text.N; ++N)
      for (unsigned K = 0; K < Text.K; ++K)
        Result.Should[M * Text.N + N] += A[M * Text.K + K] * B[K * Text.N + N];

  auto Map = [&](uint64_t Address, unsigned Rows, unsigned Columns) {
    TensorMap Made;
    std::string Error;
    uint64_t Dims[] = {Columns, Rows}, Strides[] = {uint64_t(Columns) * 2};
    uint32_t Box[] = {Text.Width / 2, Rows}, Steps[] = {1, 1};
    unsigned Mode = 0;
    for (unsigned W = Text.Width; W > 16; W /= 2)
      ++Mode;
    EXPECT_TRUE(makeTensorMap(Made, Error, Text.Brain ? 9 : 6, 2, Address, Dims,
                              Strides, Box, Steps, 0, Mode, 0))
        << Error;
    return Made;
  };
  Block Parameters;
  Parameters.map(Map(AtA, 64, Text.K));
  Parameters.map(Text.OuterMajorB ? Map(AtB, Text.K, Text.N)
                                  : Map(AtB, Text.N, Text.K));
  Parameters.address(AtD);
  Parameters.address(AtA);
  Result.Found =
      launch(Text.text(), Parameters, 128, Text.sharedBytes(), On, Seed);
  std::memcpy(Result.Is.data(), reinterpret_cast<const void *>(AtD),
              Result.Is.size() * 4);
  return Result;
}

std::string said(const std::optional<Fault> &Found) {
  return Found ? Found->describe() : "no fault";
}

TEST(Async, TensorCopiesFeedWgmma) {
  for (unsigned Width : {16U, 32U, 64U, 128U})
    for (bool OuterMajorB : {false, true})
      for (bool RegisterA : {false, true})
        for (unsigned N : {64U, 192U}) {
          GemmText Text;
          Text.N = N;
          Text.K = N == 64 ? 128 : 64;
          Text.Width = Width;
          Text.OuterMajorB = OuterMajorB;
          Text.RegisterA = RegisterA;
          Text.Brain = N == 64;
          GemmResult Result = run(Text);
          EXPECT_FALSE(Result.Found) << said(Result.Found);
          EXPECT_TRUE(Result.right())
              << Width << " " << OuterMajorB << " " << RegisterA << " " << N;
        }
}

TEST(Async, AnyOrderOfWarps) {
  GemmText Text;
  for (uint64_t Seed = 1; Seed < 12; ++Seed)
    EXPECT_TRUE(run(Text, Seed).right()) << Seed;
}

void expectFault(const GemmText &Text, FaultKind Kind, const char *Says) {
  GemmResult Result = run(Text);
  ASSERT_TRUE(Result.Found) << "expected: " << Says;
  EXPECT_EQ(Result.Found->Kind, Kind) << said(Result.Found);
  EXPECT_NE(said(Result.Found).find(Says), std::string::npos)
      << said(Result.Found);
}

TEST(Async, BrokenKernelsAreCaught) {
  GemmText Text;
  Text.SkipWait = true;
  expectFault(Text, FaultKind::Pending, "was not waited for");
  Text = {};
  Text.ExpectedBytes = Text.tileBytesA() + Text.tileBytesB() + 16;
  expectFault(Text, FaultKind::Deadlock, "16 bytes outstanding");
  Text = {};
  Text.Arrivals = 2;
  expectFault(Text, FaultKind::Deadlock, "1 of 2 arrivals");
  Text = {};
  Text.ExtraArrivals = 1;
  expectFault(Text, FaultKind::Barrier, "waits for 0");
  Text = {};
  Text.SkipFence = true;
  expectFault(Text, FaultKind::Race, "no wgmma.fence");
  Text = {};
  Text.SkipWgmmaWait = true;
  expectFault(Text, FaultKind::Pending, "wgmma.wait_group is missing");
  // A descriptor with another swizzle reads other elements.
  Text = {};
  Text.SwizzleCode = 2;
  GemmResult Result = run(Text);
  EXPECT_FALSE(Result.Found) << said(Result.Found);
  EXPECT_FALSE(Result.right());
}

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

// --- single instructions ---

/// Runs a body that leaves a 32-bit result of every thread in %r0.
std::vector<uint32_t> results(const std::string &Body, unsigned Threads,
                              std::optional<Fault> *Found = nullptr) {
  Device On;
  uint64_t To = On.allocate(Threads * 4);
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
             Parameters, Threads, 1024, On);
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
