// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short queries on devices, in the emulation: heads for rows, keys split among
// groups, partial results merged, against the interpreter.

#include "test/exec/DecodeCases.h"

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// HEDDLE_DEVICE_ALL in the environment asks for every combination; otherwise
/// each pattern has one of the dtypes, and keys are few.
bool wantsEverything() { return std::getenv("HEDDLE_DEVICE_ALL") != nullptr; }

constexpr heddle_dtype Dtypes[] = {HEDDLE_F16, HEDDLE_BF16, HEDDLE_F32};

KernelSpec shortOnDevice(heddle_dtype Dtype, int64_t HeadDim,
                         int64_t ValueDim = 0) {
  KernelSpec Spec = shortQueries(HeadDim, ValueDim);
  Spec.Level = emulatedLevels().front();
  Spec.Dtype = Dtype;
  return Spec;
}

/// Few multiprocessors are kept busy by few groups.
Sizes onDevice(Sizes Of, int64_t Multiprocessors = 4) {
  Of.Multiprocessors = Multiprocessors;
  return Of;
}

class DeviceDecode : public testing::Test {
protected:
  /// Compiles, for `run`.
  void make(const DecodeCase &Case, const KernelSpec &TheSpec) {
    Given = &Case;
    Spec = TheSpec;
    Result<Pattern> Parsed = Pattern::parse(Host, Case.Text, "test.mlir");
    ASSERT_TRUE(Parsed) << Parsed.failure().str();
    What.emplace(std::move(*Parsed));
    Kernel = compile(Host, *What, Spec);
    ASSERT_TRUE(Kernel);
  }

  /// Runs, compares, and returns into how many parts rows were split at most:
  /// 0 for ordinary code.
  int64_t run(Sizes Of, Layout Order = Layout::Bhsd) {
    Of.Params = Given->Params(Random, Of);
    Operands Data(Of, Spec, Order, Placement::BeforeGuard, Seed++);
    EXPECT_TRUE(launchAndCompare(*What, Spec, *Kernel, Of, Data));
    return parts(Of);
  }

  int64_t parts(const Sizes &Of) {
    const PlanHandle Plan = makePlan(*Kernel, Of);
    return heddle_plan_parts(Plan.get());
  }

  Compiler Host;
  std::mt19937_64 Random{17};
  uint64_t Seed = 1;
  const DecodeCase *Given = nullptr;
  KernelSpec Spec;
  std::optional<Pattern> What;
  std::optional<Program> Kernel;
};

class DeviceDecodePatterns : public DeviceDecode,
                             public testing::WithParamInterface<DecodeCase> {};

TEST_P(DeviceDecodePatterns, AgreeWithTheInterpreter) {
  const size_t Turn = std::hash<std::string>()(GetParam().Name);
  for (size_t I = 0; I < std::size(Dtypes); ++I) {
    if (I != Turn % std::size(Dtypes) && !wantsEverything())
      continue;
    make(GetParam(), shortOnDevice(Dtypes[I], 40, 24));
    ASSERT_TRUE(Kernel);
    for (const Sizes &Of :
         {decoding(1, 8, 1000), decoding(3, 4, 301, 2), decoding(1, 1, 63, 3),
          decoding(2, 20, 130, 1, 2), decoding(1, 8, 1), decoding(2, 3, 0)})
      run(onDevice(Of));
    if (wantsEverything())
      for (const Sizes &Of :
           {decoding(1, 8, 4097), decoding(16, 8, 1000),
            decoding(5, 8, 1000, 2, 2), decoding(4, 1, 1000, 8)})
        run(onDevice(Of));
  }
}

INSTANTIATE_TEST_SUITE_P(Emulated, DeviceDecodePatterns,
                         testing::ValuesIn(decodeCases()),
                         [](const auto &Info) {
                           return std::string(Info.param.Name);
                         });

TEST_F(DeviceDecode, RotatesHeadsByTheirToken) {
  const DecodeCase Case = rotatedCase(40);
  for (heddle_dtype Dtype : {HEDDLE_F16, HEDDLE_F32}) {
    make(Case, shortOnDevice(Dtype, 40, 24));
    ASSERT_TRUE(Kernel);
    EXPECT_GT(run(onDevice(decoding(1, 8, 1000))), 1);
    run(onDevice(decoding(3, 20, 130, 2)));
  }
}

TEST_F(DeviceDecode, SplitsKeysAmongGroups) {
  make(decodeCase("Dense"), shortOnDevice(HEDDLE_F16, 64));
  ASSERT_TRUE(Kernel);
  // Eight groups at once.
  EXPECT_EQ(run(onDevice(decoding(1, 8, 4097))), 8);
  // Four blocks of 16 tiles, four tiles at least.
  EXPECT_EQ(run(onDevice(decoding(1, 4, 1000, 2, 2))), 2);
  EXPECT_EQ(run(onDevice(decoding(1, 4, 1000, 2, 2), 64)), 4);
  EXPECT_EQ(run(onDevice(decoding(1, 4, 200, 2, 2), 64)), 1);
  // Blocks enough: rows stay whole.
  EXPECT_EQ(run(onDevice(decoding(1, 4, 1000, 2, 2), 1)), 1);
}

/// What a device is large enough for depends on it, not on the rows alone.
TEST_F(DeviceDecode, TakesWhatLeavesFewIdle) {
  make(decodeCase("Dense"), shortOnDevice(HEDDLE_F16, 64));
  ASSERT_TRUE(Kernel);
  auto PartsOf = [&](int64_t Queries, int64_t Group, int64_t Keys,
                     int64_t HeadsKv, int64_t Multiprocessors) {
    return parts(
        onDevice(decoding(Queries, Group, Keys, HeadsKv), Multiprocessors));
  };
  // Sixteen rows in the place of one tile of 64: the same work for each group,
  // but four of them in the place of one.
  EXPECT_EQ(PartsOf(4, 1, 8192, 1, 66), 32);
  EXPECT_EQ(PartsOf(4, 4, 8192, 1, 2), 1);
  EXPECT_EQ(PartsOf(200, 1, 8192, 1, 66), 0);
  // All multiprocessors are busy with ordinary code, which has fewer tasks.
  EXPECT_EQ(PartsOf(16, 1, 8192, 64, 16), 0);
  // By itself a plan is for a large device.
  EXPECT_EQ(PartsOf(1, 8, 131072, 8, 0), 32);
  EXPECT_EQ(PartsOf(1, 8, 131072, 8, 64), 16);
  EXPECT_EQ(PartsOf(1, 8, 1000, 8, 0), 4);
}

/// A long sequence among short ones has most of the groups.
TEST_F(DeviceDecode, SplitsByWork) {
  make(decodeCase("Dense"), shortOnDevice(HEDDLE_BF16, 16));
  ASSERT_TRUE(Kernel);
  Sizes Of = Sizes::ragged(8, 1, {1, 2, 0, 1, 3}, {64, 130, 20, 2000, 0});
  EXPECT_EQ(run(onDevice(Of)), 6);
  Of = Sizes::ragged(6, 2, {2, 1}, {300, 700});
  Of.Origin = {298, 699};
  EXPECT_EQ(run(onDevice(Of, 8)), 2);
}

TEST_F(DeviceDecode, RowMaximaOfAllParts) {
  for (const char *Name : {"WholeHeads", "Sigmoid"}) {
    KernelSpec With = shortOnDevice(HEDDLE_F16, 16);
    With.Outputs.RowMax = true;
    make(decodeCase(Name), With);
    ASSERT_TRUE(Kernel);
    EXPECT_GT(run(onDevice(decoding(1, 6, 3000, 2), 6)), 1);
    EXPECT_EQ(run(onDevice(decoding(1, 6, 200, 2))), 1);
  }
}

/// Rows in one part and in several, of odd lengths and strides.
TEST_F(DeviceDecode, TakesEveryLayoutAndDtype) {
  struct {
    heddle_dtype In, Out;
    int64_t Qk, V;
  } const All[] = {{HEDDLE_F16, HEDDLE_F16, 128, 128},
                   {HEDDLE_BF16, HEDDLE_F32, 33, 100},
                   {HEDDLE_F32, HEDDLE_BF16, 7, 9},
                   {HEDDLE_F16, HEDDLE_BF16, 16, 137}};
  for (const auto &Of : All) {
    KernelSpec With = shortOnDevice(Of.In, Of.Qk, Of.V);
    With.OutputDtype = Of.Out;
    make(decodeCase("Dense"), With);
    ASSERT_TRUE(Kernel);
    for (Layout Order : {Layout::Bshd, Layout::Padded})
      EXPECT_EQ(run(onDevice(decoding(2, 5, 500, 2), 1), Order), 1);
    EXPECT_GT(run(onDevice(decoding(1, 5, 600), 2), Layout::Padded), 1);
  }
}

TEST_F(DeviceDecode, BitEqualEachTime) {
  make(decodeCase("Causal"), shortOnDevice(HEDDLE_F16, 32));
  ASSERT_TRUE(Kernel);
  const Sizes Of = onDevice(decoding(2, 4, 1500));
  Operands First(Of, Spec), Again(Of, Spec, Layout::Bshd);
  ASSERT_TRUE(launch(*Kernel, Of, First));
  ASSERT_TRUE(launch(*Kernel, Of, Again));
  EXPECT_GT(parts(Of), 1);
  EXPECT_TRUE(First.O.sameBits(Again.O));
  EXPECT_TRUE(First.Lse.sameBits(Again.Lse));
}

/// What is not a number reaches its own row, through every part.
TEST_F(DeviceDecode, KeepsWhatIsNoNumber) {
  make(decodeCase("Dense"), shortOnDevice(HEDDLE_F16, 16));
  ASSERT_TRUE(Kernel);
  const Sizes Of = onDevice(decoding(1, 4, 1000));
  Operands Data(Of, Spec);
  Data.Q.set(0, 2, 0, 3, std::numeric_limits<float>::quiet_NaN());
  ASSERT_TRUE(launch(*Kernel, Of, Data));
  EXPECT_GT(parts(Of), 1);
  for (int64_t H = 0; H < 4; ++H) {
    EXPECT_EQ(std::isnan(Data.O.get(0, H, 0, 5)), H == 2);
    EXPECT_EQ(std::isnan(Data.Lse.get(0, H, 0, 0)), H == 2);
  }
}

} // namespace
