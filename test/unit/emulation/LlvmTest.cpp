// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX that LLVM's back end wrote, against the same computation on the host.

#include "Run.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <random>

namespace host {
#define DEVICE
#define KERNEL
#define THREAD Thread
static unsigned Thread;
#include "Inputs/calls.cu"
} // namespace host

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

std::unique_ptr<Program> read(const std::string &Name) {
  auto Text = llvm::MemoryBuffer::getFile(
      std::string(HEDDLE_EMULATION_INPUTS "/") + Name);
  EXPECT_TRUE(bool(Text)) << Name;
  return Text ? parsed((*Text)->getBuffer().str()) : nullptr;
}

/// Calls, arguments by value, local arrays, tables of branches, loops that
/// lanes leave at different times.
TEST(PtxOfLlvm, CallsAndControlFlow) {
  std::unique_ptr<Program> Code = read("calls.ptx");
  ASSERT_TRUE(Code);
  constexpr uint32_t Count = 96;
  Device On;
  auto *In = reinterpret_cast<int *>(On.allocate(4 * Count));
  auto *Out = reinterpret_cast<int *>(On.allocate(4 * Count));
  for (uint32_t I = 0; I < Count; ++I)
    In[I] = int((I * 7 + 3) % 23);
  In[0] = 5;
  struct {
    int *Out;
    const int *In;
    host::Wide N;
    float F;
    host::Block B;
  } Args = {Out, In, Count, 17.5F, {3, 2.5, {}}};
  for (int I = 0; I < 24; ++I)
    Args.B.C[I] = char(3 * I);
  const Kernel *K = Code->find("mix");
  ASSERT_TRUE(K);
  LaunchConfig Config;
  Config.Block[0] = Count;
  Config.Parameters = {reinterpret_cast<const char *>(&Args), sizeof(Args)};
  std::optional<Fault> F = run(*Code, *K, Config, On);
  ASSERT_FALSE(F) << F->describe();
  for (host::Thread = 0; host::Thread < Count; ++host::Thread) {
    int Expected[Count];
    host::mix(Expected, In, Count, Args.F, Args.B);
    EXPECT_EQ(Out[host::Thread], Expected[host::Thread]) << host::Thread;
  }
}

uint16_t toBF16(float X) {
  uint32_t Bits;
  std::memcpy(&Bits, &X, sizeof(Bits));
  return uint16_t((Bits + 0x7fff + (Bits >> 16 & 1)) >> 16);
}
double fromBF16(uint16_t X) {
  uint32_t Bits = uint32_t(X) << 16;
  float Out;
  std::memcpy(&Out, &Bits, sizeof(Out));
  return Out;
}

/// Softmax attention of 64 query rows per CTA with head dimension 64 over tiles
/// of 64 keys: cp.async into two stages, ldmatrix, mma.sync, shuffles.
class Flash {
public:
  static constexpr int Rows = 128, Dim = 64, Tiles = 3, Keys = 64 * Tiles;

  Flash() : Random(7) {
    Q = numbers(Rows);
    K = numbers(Keys);
    V = numbers(Keys);
    O = numbers(Rows);
  }

  std::optional<Fault> launch(const Program &Code, const Options &How,
                              Stats &Counted) {
    struct {
      const uint16_t *Q, *K, *V;
      uint16_t *O;
      int Tiles;
      float Scale;
    } Args = {Q, K, V, O, Tiles, 0.125F * 1.44269504F};
    LaunchConfig Config;
    Config.Grid[0] = Rows / 64;
    Config.Block[0] = 128;
    Config.DynamicShared = 5 * 8192;
    Config.Parameters = {reinterpret_cast<const char *>(&Args), sizeof(Args)};
    return run(Code, *Code.find("fa80"), Config, On, How, &Counted);
  }

  double worst() const {
    double Worst = 0;
    for (int R = 0; R < Rows; ++R) {
      std::vector<double> Weights(Keys);
      double Sum = 0;
      for (int J = 0; J < Keys; ++J) {
        double Score = 0;
        for (int D = 0; D < Dim; ++D)
          Score += fromBF16(Q[R * Dim + D]) * fromBF16(K[J * Dim + D]);
        Sum += Weights[size_t(J)] = std::exp(Score / 8);
      }
      for (int D = 0; D < Dim; ++D) {
        double X = 0;
        for (int J = 0; J < Keys; ++J)
          X += Weights[size_t(J)] / Sum * fromBF16(V[J * Dim + D]);
        Worst = std::max(Worst, std::fabs(X - fromBF16(O[R * Dim + D])));
      }
    }
    return Worst;
  }

private:
  uint16_t *numbers(int Count) {
    auto *Out =
        reinterpret_cast<uint16_t *>(On.allocate(size_t(Count) * Dim * 2));
    std::normal_distribution<float> Normal;
    for (int I = 0; I < Count * Dim; ++I)
      Out[I] = toBF16(Normal(Random));
    return Out;
  }

  Device On;
  std::mt19937 Random;
  uint16_t *Q, *K, *V, *O;
};

TEST(PtxOfLlvm, FlashAttention) {
  std::unique_ptr<Program> Code = read("flash.ptx");
  ASSERT_TRUE(Code);
  for (uint64_t Seed : {0, 1, 2}) {
    Flash Problem;
    Options How;
    How.Seed = Seed;
    Stats Counted;
    std::optional<Fault> F = Problem.launch(*Code, How, Counted);
    ASSERT_FALSE(F) << F->describe();
    EXPECT_LT(Problem.worst(), 4e-3);
    // 4 warps, 2 CTAs; per tile 64 products; before it and after it a barrier.
    EXPECT_EQ(Counted.MatrixInstructions, 2u * 4 * 3 * 64);
    EXPECT_EQ(Counted.Barriers, 2u * 4);
    EXPECT_EQ(Counted.AsyncBytes, 2u * (8192 + 3 * 2 * 8192));
  }
}

std::string replaced(std::string Text, const std::string &Old,
                     const std::string &New, size_t From) {
  size_t At = Text.find(Old, From);
  EXPECT_NE(At, std::string::npos);
  return Text.replace(At, Old.size(), New);
}

/// The same kernel with one instruction gone: every omission is found. Which
/// fault is met first is a matter of the order in which warps take turns.
TEST(PtxOfLlvm, FlashAttentionWithMistakes) {
  auto Text = llvm::MemoryBuffer::getFile(HEDDLE_EMULATION_INPUTS "/flash.ptx");
  ASSERT_TRUE(bool(Text));
  std::string Whole = (*Text)->getBuffer().str();
  size_t Loop = Whole.find("mma.sync");
  struct {
    const char *Old, *New;
    size_t From;
    FaultKind Kind;
  } Mistakes[] = {
      {"bar.sync \t0;", "", 0, FaultKind::Race},
      {"cp.async.wait_group \t0;", "", 0, FaultKind::Pending},
      {"bar.sync \t0;", "", Loop, FaultKind::Uninitialized},
      {"cp.async.wait_group \t0;", "cp.async.wait_group \t1;", Loop,
       FaultKind::Pending},
      {"cp.async.cg", "// cp.async.cg", 0, FaultKind::Uninitialized}};
  for (const auto &M : Mistakes) {
    std::unique_ptr<Program> Code =
        parsed(replaced(Whole, M.Old, M.New, M.From));
    ASSERT_TRUE(Code);
    Flash Problem;
    Stats Counted;
    std::optional<Fault> F = Problem.launch(*Code, {}, Counted);
    ASSERT_TRUE(F) << "without " << M.Old << " after " << M.From;
    EXPECT_EQ(faultName(F->Kind).str(), faultName(M.Kind).str())
        << F->describe();
  }
}

} // namespace
