// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows that lie pages apart, as those of a head do in tensors with the heads
// innermost but one: results are those of rows without gaps, bit by bit,
// whether products copy the rows or read them where they are.

#include "test/exec/Kernels.h"
#include "test/exec/PatternTexts.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr int64_t PageBytes = 4096;

class Strides : public testing::TestWithParam<heddle_dtype> {
protected:
  /// Launches with rows pages apart and without gaps, on every level.
  void compare(const std::string &Text, int64_t Queries, int64_t Keys,
               const ValueList &Params) {
    KernelSpec Spec;
    Spec.HeadDim = 128;
    Spec.ValueDim = 72;
    Spec.Dtype = GetParam();
    // Rows of keys at twice a page; those of values at odd distances.
    int64_t ElementBytes = Spec.Dtype == HEDDLE_F32 ? 4 : 2;
    int64_t HeadsKv = 2 * PageBytes / (ElementBytes * Spec.HeadDim);
    Sizes Of = {1, 2 * HeadsKv, HeadsKv, Queries, Keys, {3}, Params};
    Result<Pattern> What = Pattern::parse(Host, Text, "");
    ASSERT_TRUE(What);
    for (const std::string &Level : hostLevels()) {
      Spec.Level = Level;
      std::optional<Program> Kernel = heddle::exec::compile(Host, *What, Spec);
      ASSERT_TRUE(Kernel);
      Operands Near(Of, Spec, Layout::Bhsd);
      Operands Far(Of, Spec, Layout::Bshd);
      ASSERT_TRUE(launch(*Kernel, Of, Near));
      ASSERT_TRUE(launch(*Kernel, Of, Far));
      ASSERT_TRUE(Far.gapsIntact());
      EXPECT_TRUE(Near.sameResults(Far)) << commandLine(*What, Spec, Of);
    }
  }

  Compiler Host;
};

TEST_P(Strides, WindowOfOddLengths) {
  for (auto [Queries, Keys] : {std::pair(1, 1), std::pair(67, 131)})
    compare(SlidingWindowText, Queries, Keys, {Value(50)});
}

// Partial tiles, and keys that are gathered.
TEST_P(Strides, ColumnsAndDiagonals) {
  std::vector<int64_t> Columns;
  for (int64_t I = 0; I < 331; I += 7)
    Columns.push_back(I);
  compare(VerticalSlashText, 61, 331,
          {Value::sets({1, 1}, 331, {Columns}),
           Value::sets({1, 1}, 331, {{0, 1, 2, 40}})});
}

INSTANTIATE_TEST_SUITE_P(All, Strides,
                         testing::Values(HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16),
                         [](const testing::TestParamInfo<heddle_dtype> &Info) {
                           return dtypeName(Info.param);
                         });

} // namespace
