// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recurrences on devices, in the emulation, against the interpreter: every kind
// with odd lengths, head dims, element types, groups of heads, states that come
// in, ragged batches, and tiles that shared memory has no room for.

#include "test/exec/LinearTexts.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// HEDDLE_DEVICE_ALL in the environment asks for every combination; otherwise
/// each recurrence has a few.
bool wantsAllLinear() { return std::getenv("HEDDLE_DEVICE_ALL") != nullptr; }

class DeviceLinear : public testing::TestWithParam<size_t> {
protected:
  const LinearText &text() const { return linearTexts()[GetParam()]; }

  KernelSpec spec(int64_t HeadDim, int64_t ValueDim,
                  heddle_dtype Dtype = HEDDLE_F32) const {
    KernelSpec Spec;
    Spec.Level = emulatedLevels().front();
    Spec.HeadDim = std::min(HeadDim, text().MostHeadDim);
    Spec.ValueDim = ValueDim;
    Spec.Dtype = Dtype;
    return Spec;
  }

  Sizes sizes(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Tokens,
              int64_t MoreKeys) const {
    Sizes Of = {Batch, HeadsQ, HeadsKv, Tokens, Tokens, {}, {}};
    if (text().IsBidirectional || text().HasWindow)
      Of.SeqK += MoreKeys;
    return Of;
  }

  /// Sequences of different lengths, each at an origin of its own.
  Sizes ragged() const {
    const std::vector<int64_t> Queries = {0, 1, 33, 17, 0};
    std::vector<int64_t> Keys = Queries;
    if (text().IsBidirectional || text().HasWindow)
      for (size_t B = 0; B < Keys.size(); ++B)
        Keys[B] += static_cast<int64_t>(B) * 5;
    Sizes Of = Sizes::ragged(2, 1, Queries, Keys);
    // Tables have no positions before 0, where keys of windows would be.
    Of.Origin = {30, 20, 27, 31, 50};
    return Of;
  }

  void check(const KernelSpec &Spec, const std::vector<Sizes> &All,
             Layout Order) {
    const RecurrenceText What(Host, text().Text);
    ASSERT_TRUE(What.isGood());
    const std::optional<Program> Kernel = What.compile(Host, Spec);
    ASSERT_TRUE(Kernel);
    uint64_t Seed = 1;
    for (Sizes Of : All) {
      Of.Params = text().values(Of, Spec, ++Seed);
      // With a state that comes in, and without.
      ASSERT_TRUE(
          checkLinear(What, Spec, *Kernel, Of, Seed % 2 == 0, Order, Seed));
    }
    if (!text().IsBidirectional)
      poison(Spec, *Kernel);
  }

  /// What is not finite in a token reaches that and later ones only.
  void poison(const KernelSpec &Spec, const Program &Kernel) {
    constexpr int64_t Tokens = 40, At = 21;
    Sizes Of = sizes(1, 1, 1, Tokens, 0);
    Of.Params = text().values(Of, Spec);
    for (bool InKey : {false, true}) {
      LinearOperands Data(Of, Spec, Kernel);
      (InKey ? Data.K : Data.V)
          .set(0, 0, At, 0, std::numeric_limits<float>::quiet_NaN());
      ASSERT_TRUE(launchLinear(Kernel, Of, Data));
      for (int64_t I = 0; I < At; ++I)
        for (int64_t T = 0; T < Spec.valueDim(); ++T)
          ASSERT_TRUE(std::isfinite(Data.O.get(0, 0, I, T)))
              << "row " << I << " sees token " << At << "\n"
              << text().Text;
      EXPECT_FALSE(std::isfinite(Data.O.get(0, 0, At, 0)));
    }
  }

  Compiler Host;
};

TEST_P(DeviceLinear, Agrees) {
  constexpr heddle_dtype Types[] = {HEDDLE_F16, HEDDLE_F32, HEDDLE_BF16};
  // Of q and k, and of v.
  constexpr int64_t Dims[][2] = {{40, 24}, {64, 16},  {17, 5},   {24, 80},
                                 {16, 64}, {80, 40},  {1, 33},   {64, 64},
                                 {72, 40}, {128, 80}, {80, 128}, {128, 128}};
  constexpr size_t NumSmall = 6;
  if (!wantsAllLinear()) {
    const auto &[HeadDim, ValueDim] = Dims[GetParam() % NumSmall];
    check(spec(HeadDim, ValueDim, Types[GetParam() % std::size(Types)]),
          {sizes(1, 2, 1, 49, 3), ragged()}, Layout::Bshd);
    return;
  }
  for (size_t I = 0; I < std::size(Dims); ++I) {
    const auto &[HeadDim, ValueDim] = Dims[I];
    check(spec(HeadDim, ValueDim, Types[(GetParam() + I) % std::size(Types)]),
          {sizes(1, 2, 1, 65, 3), sizes(1, 4, 2, 130, 11), ragged(),
           sizes(1, 1, 1, 0, 0), sizes(2, 1, 1, 1, 0), sizes(1, 1, 1, 31, 40)},
          I % 2 == 0 ? Layout::Bshd : Layout::Padded);
  }
}

INSTANTIATE_TEST_SUITE_P(Emulated, DeviceLinear,
                         testing::Range<size_t>(0, linearTexts().size()),
                         [](const auto &Info) {
                           return linearTexts()[Info.param].Name;
                         });

/// A state of 2,080 x 64 numbers is larger than the shared memory of any
/// device: it lies in the workspace.
TEST(DeviceLinearMemory, KeepsLargeStatesOutside) {
  Compiler Host;
  const LinearText &Text = linearText("square");
  const RecurrenceText What(Host, Text.Text);
  ASSERT_TRUE(What.isGood());
  KernelSpec Spec;
  Spec.Level = emulatedLevels().front();
  Spec.HeadDim = 64;
  Spec.ValueDim = 64;
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  EXPECT_GT(heddle_kernel_entry(Kernel->kernel())->codes->workspace_bytes,
            2080 * 64 * 4);
  Sizes Of = {1, 2, 1, 5, 5, {}, {}};
  Of.Params = Text.values(Of, Spec);
  EXPECT_TRUE(checkLinear(What, Spec, *Kernel, Of, /*Continues=*/true));
}

TEST(DeviceLinearMemory, RefusesSegments) {
  Compiler Host;
  const LinearText &Text = linearTexts().front();
  const RecurrenceText What(Host, Text.Text);
  ASSERT_TRUE(What.isGood());
  KernelSpec Spec;
  Spec.Level = emulatedLevels().front();
  Spec.HeadDim = 16;
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  Sizes Of = {1, 1, 1, 100, 100, {}, {}};
  Of.Params = Text.values(Of, Spec);
  Of.Segments = 2;
  const LinearOperands Data(Of, Spec, *Kernel);
  const testing::AssertionResult Result = launchLinear(*Kernel, Of, Data);
  EXPECT_FALSE(Result);
  EXPECT_NE(std::string(Result.message())
                .find("'segments' is 2, expected 0 or 1: level 'sm_80'"),
            std::string::npos)
      << Result.message();
}

} // namespace
