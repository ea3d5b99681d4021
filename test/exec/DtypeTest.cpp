// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16 and bf16 in memory, in every layout: sums are in f32, so the results are
// those of f32 but for the rounding of inputs, which the interpreter sees too,
// and of o.

#include "test/exec/Kernels.h"
#include "test/exec/PatternTexts.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

using DtypeCase = std::tuple<heddle_dtype, heddle_dtype, int64_t>;

class Dtypes : public testing::TestWithParam<DtypeCase> {
protected:
  Dtypes() {
    Spec.Dtype = std::get<0>(GetParam());
    Spec.OutputDtype = std::get<1>(GetParam());
    Spec.HeadDim = std::get<2>(GetParam());
  }

  Compiler Host;
  KernelSpec Spec;
};

TEST_P(Dtypes, AgreeInEveryLayout) {
  OnEveryLevel Kernels(Host, SlidingWindowText, Spec);
  for (auto [Queries, Keys] : {std::pair(1, 1), std::pair(65, 130),
                               std::pair(130, 63), std::pair(197, 197)})
    for (Layout Order : {Layout::Bhsd, Layout::Bshd, Layout::Padded}) {
      Sizes Of = {2, 4, 2, Queries, Keys, {0, 7}, {Value(50)}};
      ASSERT_TRUE(Kernels.agree(Of, Order));
    }
}

TEST_P(Dtypes, AgreePacked) {
  OnEveryLevel Kernels(Host, SlidingWindowText, Spec);
  for (int64_t Length : {1, 63, 64, 150})
    for (auto [Heads, Groups] : {std::pair(4, 4), std::pair(4, 1)}) {
      Sizes Of = {2, Heads, Groups, Length, Length, {}, {Value(50)}};
      ASSERT_TRUE(Kernels.agree(Of, Layout::Packed));
    }
}

TEST_P(Dtypes, AgreeRagged) {
  OnEveryLevel Kernels(Host, SlidingWindowText, Spec);
  for (Layout Order : {Layout::Bhsd, Layout::Bshd})
    ASSERT_TRUE(Kernels.agree(
        Sizes::ragged(2, 1, {3, 70, 0}, {10, 70, 5}, {Value(20)}), Order));
}

/// Every head dim in one dtype, and every pair of dtypes.
std::vector<DtypeCase> cases() {
  const heddle_dtype All[] = {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16};
  std::vector<DtypeCase> Result;
  for (heddle_dtype Input : All)
    for (heddle_dtype Output : All)
      for (int64_t HeadDim : {40, 64, 72, 80, 128})
        if (Input == Output || HeadDim == 72)
          Result.emplace_back(Input, Output, HeadDim);
  return Result;
}

INSTANTIATE_TEST_SUITE_P(All, Dtypes, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<DtypeCase> &Info) {
                           return std::string(
                                      dtypeName(std::get<0>(Info.param))) +
                                  "_to_" + dtypeName(std::get<1>(Info.param)) +
                                  "_d" +
                                  std::to_string(std::get<2>(Info.param));
                         });

} // namespace
