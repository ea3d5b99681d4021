// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Slices of the values of recurrences: where threads are more than heads they
// give the bits of whole rows.

#include "test/exec/LinearTexts.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// More than there are tasks in any of these cases.
constexpr int32_t ManyThreads = 9;

std::vector<std::string> sliceableNames() {
  std::vector<std::string> Names;
  for (const LinearText &Text : linearTexts())
    Names.push_back(Text.Name);
  return Names;
}

class LinearSlices : public testing::TestWithParam<std::string> {
protected:
  LinearSlices() : What(Host, text().Text) {
    Spec.HeadDim = std::min<int64_t>(24, text().MostHeadDim);
    Spec.ValueDim = 48;
    Spec.Schedule = chunk(16);
  }

  const LinearText &text() const { return linearText(GetParam()); }

  Compiler Host;
  KernelSpec Spec;
  RecurrenceText What;
};

/// One thread has whole rows, many have slices, with a state that comes in and
/// one that is advanced in place.
TEST_P(LinearSlices, BitEqual) {
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  const heddle_code *Code = nullptr;
  ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
  if (Code->slice)
    EXPECT_EQ(Code->slice_values, 16);
  std::vector<int64_t> Lengths = {0, 70, 1};
  std::vector<Sizes> All = {Sizes{1, 4, 2, 75, 75, {}, {}}};
  if (!text().HasWindow)
    All.push_back(Sizes::ragged(2, 1, Lengths, Lengths));
  for (Sizes &Of : All) {
    Of.Segments = 1;
    Of.Params = text().values(Of, Spec);
    LinearOperands Whole(Of, Spec, *Kernel), Sliced(Of, Spec, *Kernel);
    Whole.comeFrom(What, Spec, Of);
    Sliced.comeFrom(What, Spec, Of);
    ASSERT_TRUE(launchLinear(*Kernel, Of, Whole, 1));
    ASSERT_TRUE(compareLinear(What, Spec, Of, Whole));
    ASSERT_TRUE(launchLinear(*Kernel, Of, Sliced, ManyThreads));
    ASSERT_TRUE(Sliced.gapsIntact());
    EXPECT_TRUE(Whole.sameResults(Sliced));
    // What a slice reads of the state no other may have written.
    LinearOperands InPlace(Of, Spec, *Kernel);
    InPlace.comeFrom(What, Spec, Of);
    InPlace.StateOut = InPlace.StateIn;
    if (InPlace.SumsOut)
      InPlace.SumsOut = InPlace.SumsIn;
    ASSERT_TRUE(launchLinear(*Kernel, Of, InPlace, ManyThreads));
    EXPECT_TRUE(Whole.sameResults(InPlace));
  }
}

INSTANTIATE_TEST_SUITE_P(Recurrences, LinearSlices,
                         testing::ValuesIn(sliceableNames()), nameOf);

} // namespace
