// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Code of devices in the emulation, against the interpreter: every example,
// odd lengths, head dims, dtypes and layouts. One kernel serves all lengths of
// a test. What the emulator finds (a race, an access out of bounds, a read of
// memory that nobody wrote, threads that wait for ever) fails the test too.

#include "test/exec/Kernels.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

struct Lengths {
  int64_t Queries, Keys;
};

/// HEDDLE_DEVICE_ALL in the environment asks for every combination; otherwise
/// each example has each head dim in one of the dtypes.
bool wantsAll() { return std::getenv("HEDDLE_DEVICE_ALL") != nullptr; }

/// Parameters that show the structure of every example within a few tiles; the
/// defaults of some reach further.
std::vector<int64_t> smallParams(const Pattern &What) {
  std::vector<int64_t> Values;
  for (size_t I = 0; I < What.info().Params.size(); ++I)
    Values.push_back(37 + 26 * static_cast<int64_t>(I));
  return Values;
}

constexpr heddle_dtype Narrow[] = {HEDDLE_F16, HEDDLE_BF16};

class DeviceExamples : public testing::TestWithParam<std::string> {
protected:
  void agree(const Pattern &What, const KernelSpec &Spec,
             const std::vector<Lengths> &All) {
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    for (const Lengths &N : All)
      for (int64_t HeadsKv : {1, 2}) {
        const Sizes Of = {1,      2,   HeadsKv,          N.Queries,
                          N.Keys, {7}, smallParams(What)};
        Operands Data(Of, Spec);
        ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
      }
  }

  Compiler Host;
};

TEST_P(DeviceExamples, Agree) {
  const Pattern What = Pattern::example(Host, GetParam());
  size_t Turn = std::hash<std::string>()(GetParam());
  for (int64_t HeadDim : {40, 64, 80, 128, 256}) {
    ++Turn;
    for (size_t I = 0; I < std::size(Narrow); ++I) {
      if (I != Turn % 2 && !wantsAll())
        continue;
      KernelSpec Spec;
      Spec.Level = emulatedLevels().front();
      Spec.HeadDim = HeadDim;
      Spec.Dtype = Narrow[I];
      // The large ones differ in the products only.
      const bool IsLarge = HeadDim > 128 && !wantsAll();
      agree(What, Spec,
            IsLarge ? std::vector<Lengths>{{65, 130}}
                    : std::vector<Lengths>{
                          {0, 0}, {1, 1}, {63, 65}, {130, 200}, {64, 0}});
    }
  }
}

/// So little shared memory that rows come in slices, with every output.
TEST_P(DeviceExamples, AgreeInSlices) {
  const Pattern What = Pattern::example(Host, GetParam());
  KernelSpec Spec;
  Spec.Level = emulatedLevels().front();
  Spec.Outputs = {/*RowMax=*/true, /*ColumnSums=*/true, 40, 24};
  Spec.HeadDim = 50;
  Spec.ValueDim = 40;
  Spec.SharedMemory = 5;
  agree(What, Spec, {{33, 50}});
  if (!wantsAll())
    return;
  Spec.HeadDim = Spec.ValueDim = 512;
  Spec.SharedMemory = 48;
  agree(What, Spec, {{20, 40}});
  Spec.Dtype = HEDDLE_BF16;
  Spec.SharedMemory = 20;
  agree(What, Spec, {{20, 40}});
}

INSTANTIATE_TEST_SUITE_P(Emulated, DeviceExamples,
                         testing::ValuesIn(exampleNames()),
                         [](const auto &Info) { return Info.param; });

/// Layouts change strides and alignments: rows that are no multiple of what a
/// copy moves at once.
TEST(Device, TakesEveryLayoutAndHeadDim) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "sliding_window");
  for (auto [Qk, V] : {std::pair(7, 9), std::pair(33, 100), std::pair(64, 24),
                       std::pair(16, 16)})
    for (heddle_dtype Dtype : {HEDDLE_F16, HEDDLE_F32}) {
      KernelSpec Spec;
      Spec.Level = emulatedLevels().front();
      Spec.HeadDim = Qk;
      Spec.ValueDim = V;
      Spec.Dtype = Dtype;
      std::optional<Program> Kernel = compile(Host, What, Spec);
      ASSERT_TRUE(Kernel);
      for (Layout Order :
           {Layout::Bhsd, Layout::Bshd, Layout::Padded, Layout::Packed}) {
        if (Order == Layout::Packed && Qk != V)
          continue;
        const Sizes Of = {2,
                          4,
                          2,
                          70,
                          Order == Layout::Packed ? 70 : 131,
                          {0, 3},
                          std::vector<int64_t>{50}};
        Operands Data(Of, Spec, Order);
        ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
      }
    }
}

TEST(Device, TakesRaggedBatches) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  for (heddle_dtype Dtype : Narrow) {
    KernelSpec Spec;
    Spec.Level = emulatedLevels().front();
    Spec.Dtype = Dtype;
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    const Sizes Of =
        Sizes::ragged(4, 2, {0, 65, 1, 130, 64}, {3, 65, 0, 131, 100});
    Operands Data(Of, Spec);
    ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
  }
}

/// What o is stored as need not be what q, k and v are.
TEST(Device, StoresOtherDtypes) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  for (auto [In, Out] :
       {std::pair(HEDDLE_F16, HEDDLE_F32), std::pair(HEDDLE_BF16, HEDDLE_F16),
        std::pair(HEDDLE_F32, HEDDLE_BF16)}) {
    KernelSpec Spec;
    Spec.Level = emulatedLevels().front();
    Spec.Dtype = In;
    Spec.OutputDtype = Out;
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    const Sizes Of = {1, 2, 1, 100, 100, {}, {}};
    Operands Data(Of, Spec);
    ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
  }
}

/// f32 by tensor cores where that is asked for: tiles that are full, cut by a
/// formula, listed and gathered.
TEST(Device, MultipliesTf32) {
  Compiler Host;
  size_t Turn = 0;
  for (const char *Name :
       {"causal", "sliding_window", "power_token", "dilated_window"}) {
    const Pattern What = Pattern::example(Host, Name);
    for (int64_t HeadDim : {40, 64, 128}) {
      // Each pattern in one or two of them.
      if (++Turn % 2 == 0 && !wantsAll())
        continue;
      KernelSpec Spec;
      Spec.Level = emulatedLevels().front();
      Spec.HeadDim = HeadDim;
      Spec.Tf32 = true;
      std::optional<Program> Kernel = compile(Host, What, Spec);
      ASSERT_TRUE(Kernel);
      for (const Lengths &N :
           {Lengths{1, 1}, Lengths{63, 65}, Lengths{70, 131}, Lengths{64, 0}}) {
        const Sizes Of = {1, 2, 1, N.Queries, N.Keys, {7}, smallParams(What)};
        Operands Data(Of, Spec);
        ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
      }
    }
  }
}

TEST(Device, GivesTheFurtherOutputs) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "sliding_window");
  KernelSpec Spec;
  Spec.Level = emulatedLevels().front();
  Spec.Dtype = HEDDLE_F16;
  Spec.Outputs.RowMax = true;
  Spec.Outputs.ColumnSums = true;
  Spec.Outputs.BlockQ = Spec.Outputs.BlockK = 32;
  std::optional<Program> Kernel = compile(Host, What, Spec);
  ASSERT_TRUE(Kernel);
  for (const Lengths &N : {Lengths{70, 131}, Lengths{131, 70}, Lengths{0, 9}}) {
    const Sizes Of = {1, 4, 2, N.Queries, N.Keys, {}, std::vector<int64_t>{50}};
    Operands Data(Of, Spec);
    ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
  }
}

} // namespace
