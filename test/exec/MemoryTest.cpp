// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a launch allocates. This program counts all it gets from operator new;
// the workspaces, which come from elsewhere, have a size that the code states.

#include "dialect/attn/reference/Trace.h"
#include "test/exec/LinearTexts.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <malloc.h>
#include <new>

using namespace heddle;
using namespace heddle::exec;

static std::atomic<int64_t> Allocated{0};
static std::atomic<int64_t> Peak{0};

static void *count(void *Block) {
  if (!Block)
    throw std::bad_alloc();
  const auto Bytes = static_cast<int64_t>(malloc_usable_size(Block));
  const int64_t Now = Allocated.fetch_add(Bytes) + Bytes;
  int64_t Seen = Peak.load();
  while (Now > Seen && !Peak.compare_exchange_weak(Seen, Now)) {
  }
  return Block;
}

static void discount(void *Block) {
  Allocated -= static_cast<int64_t>(malloc_usable_size(Block));
  std::free(Block);
}

static void *allocateAligned(size_t Bytes, std::align_val_t Alignment) {
  const auto Step = static_cast<size_t>(Alignment);
  return count(std::aligned_alloc(Step, (Bytes + Step - 1) / Step * Step));
}

// The other forms of new and delete call these.
void *operator new(size_t Bytes) { return count(std::malloc(Bytes)); }
void *operator new(size_t Bytes, std::align_val_t Alignment) {
  return allocateAligned(Bytes, Alignment);
}
void operator delete(void *Block) noexcept { discount(Block); }
void operator delete(void *Block, std::align_val_t /*Alignment*/) noexcept {
  discount(Block);
}

namespace {

/// The largest number of bytes held at once beyond those held at the start.
class PeakMeter {
public:
  PeakMeter() : Start(Allocated.load()) { Peak = Start; }
  int64_t bytes() const { return Peak.load() - Start; }

private:
  int64_t Start;
};

class Memory : public testing::Test {
protected:
  Memory() : What(Pattern::example(Host, "a_shape")) {
    Kernel = compile(Host, What, Spec);
  }

  Sizes sizes(int64_t Length) const {
    return {1, 1, 1, Length, Length, {}, What.defaults()};
  }

  /// Plans and launches; the bytes it took at most.
  int64_t run(const Sizes &Of, Operands &Data) {
    pool(2);
    const PeakMeter Meter;
    EXPECT_TRUE(launch(*Kernel, Of, Data));
    return Meter.bytes();
  }

  /// Compares one row with the interpreter.
  void checkRow(const Sizes &Of, const Operands &Data, int64_t I) {
    attn::AttentionProblem Problem;
    Problem.Q = Data.Q.view();
    Problem.K = Data.K.view();
    Problem.V = Data.V.view();
    Problem.Params = Of.Params.integers();
    Problem.Scale = 1 / std::sqrt(static_cast<double>(Spec.HeadDim));
    llvm::Expected<attn::RowTrace> Row =
        attn::traceRow(What.variant(), Problem, {0, 0, I});
    ASSERT_TRUE(static_cast<bool>(Row)) << llvm::toString(Row.takeError());
    EXPECT_NEAR(Data.Lse.at(0, 0, I, 0), Row->Lse,
                2e-5 * std::max(1.0, std::abs(Row->Lse)));
    for (int64_t T = 0; T < Spec.HeadDim; ++T)
      ASSERT_NEAR(Data.O.at(0, 0, I, T), Row->Output[static_cast<size_t>(T)],
                  2e-5)
          << "row " << I;
  }

  Compiler Host;
  Pattern What;
  KernelSpec Spec;
  std::optional<Program> Kernel;
};

/// 128k x 128k pairs: a byte for every 1000th of them would be 17 MB.
TEST_F(Memory, OfALaunchIsLinear) {
  ASSERT_TRUE(Kernel);
  const heddle_code *Code = nullptr;
  ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
  // Private to a thread, and of one size for every length.
  EXPECT_LE(Code->workspace_bytes, 1 << 20);
  int64_t Bytes[2] = {0, 0};
  const int64_t Lengths[2] = {32768, 131072};
  for (int I = 0; I < 2; ++I) {
    const Sizes Of = sizes(Lengths[I]);
    Operands Data(Of, Spec);
    Bytes[I] = run(Of, Data);
    // Planning sorts the tasks by their cost: a few numbers for each.
    const int64_t Tasks =
        (Lengths[I] + Code->query_tile - 1) / Code->query_tile;
    EXPECT_LE(Bytes[I], 32 * Tasks + 4096);
    for (int64_t Row = 0; Row < Lengths[I]; Row += Lengths[I] / 29)
      checkRow(Of, Data, Row);
    checkRow(Of, Data, Lengths[I] - 1);
  }
  EXPECT_GT(Bytes[0], 0);
  EXPECT_LE(Bytes[1], 4 * Bytes[0] + 4096);
}

/// What a recurrence takes beyond its tensors does not grow with them: a byte
/// for every 60th of 65536 tokens would be seen.
TEST(LinearMemory, DoesNotGrowWithTheTokens) {
  Compiler Host;
  // An axis of extent 1 stands for all tokens.
  const Value Gate = Value::table({1, 1}, std::vector<float>{-0.1F}),
              Gates = Value::table({1, 1, 1}, std::vector<float>{-0.1F}),
              Rate = Value::table({1, 1}, std::vector<float>{0.5F});
  const std::pair<const char *, ValueList> Cases[] = {
      {"elu", {}},
      {"token_decay", {Gate}},
      {"channel_delta", {Gates, Rate}},
      {"channel_erase", {Gates, Rate}},
      {"taylor", {}}};
  for (const auto &[Name, Params] : Cases) {
    SCOPED_TRACE(Name);
    const LinearText &Text = linearText(Name);
    KernelSpec Spec;
    Spec.HeadDim = 16;
    const RecurrenceText What(Host, Text.Text);
    ASSERT_TRUE(What.isGood());
    const std::optional<Program> Kernel = What.compile(Host, Spec);
    ASSERT_TRUE(Kernel);
    const heddle_code *Code = nullptr;
    ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
    EXPECT_LE(Code->workspace_bytes, 1 << 20);
    for (int64_t Segments : {1, 4}) {
      if (Segments > 1 && !Text.CanScan)
        continue;
      int64_t Bytes[2] = {0, 0};
      const int64_t Lengths[2] = {1024, 65536};
      for (int I = 0; I < 2; ++I) {
        Sizes Of = {1, 1, 1, Lengths[I], Lengths[I], {}, {}};
        Of.Segments = Segments;
        Of.Params = Params;
        const LinearOperands Data(Of, Spec, *Kernel);
        pool(2);
        const PeakMeter Meter;
        EXPECT_TRUE(launchLinear(*Kernel, Of, Data));
        Bytes[I] = Meter.bytes();
      }
      EXPECT_GT(Bytes[0], 0);
      EXPECT_LE(Bytes[1], Bytes[0] + 1024);
    }
  }
}

} // namespace
