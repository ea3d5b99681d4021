// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every example against the interpreter. One compiled kernel serves all lengths
// of a test: nothing in it may depend on them. Every tensor ends at a page
// without access.

#include "test/exec/Kernels.h"

#include "llvm/Support/raw_ostream.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

struct HeadDims {
  int64_t Qk, V;
};

struct Lengths {
  int64_t Queries, Keys;
};

constexpr Lengths AllLengths[] = {
    {0, 0},     {1, 1},       {63, 63},   {64, 64},  {65, 65},
    {500, 500}, {1000, 1000}, {1, 1000},  {65, 500}, {500, 63},
    {64, 0},    {0, 64},      {1000, 65}, {100, 1},
};

/// GQA 1 and 4; many heads where rows are few.
std::vector<std::pair<int64_t, int64_t>> headCounts(const Lengths &N) {
  if (N.Queries * N.Keys > 65 * 500)
    return {{2, 2}, {4, 1}};
  return {{2, 2}, {8, 2}};
}

Sizes makeSizes(const Lengths &N, std::pair<int64_t, int64_t> Heads,
                const std::vector<int64_t> &Params) {
  // Two sequences, one at each of the origins 0 and 7.
  return {2, Heads.first, Heads.second, N.Queries, N.Keys, {0, 7}, Params};
}

/// Sizes that show the structure of every example within 1000 keys; the
/// defaults of some reach further.
std::vector<int64_t> smallParams(const Pattern &What) {
  std::vector<int64_t> Values;
  for (size_t I = 0; I < What.info().Params.size(); ++I)
    Values.push_back(37 + 63 * static_cast<int64_t>(I));
  return Values;
}

class Agreement
    : public testing::TestWithParam<std::tuple<std::string, HeadDims>> {
protected:
  Compiler Host;
};

TEST_P(Agreement, EveryLengthAndGroup) {
  const auto &[Name, Dims] = GetParam();
  const Pattern What = Pattern::example(Host, Name);
  KernelSpec Spec;
  Spec.HeadDim = Dims.Qk;
  Spec.ValueDim = Dims.V;
  std::optional<Program> Kernel = compile(Host, What, Spec);
  ASSERT_TRUE(Kernel);
  std::vector<std::vector<int64_t>> ParamSets = {What.defaults()};
  if (!What.info().Params.empty())
    ParamSets.push_back(smallParams(What));
  for (const std::vector<int64_t> &Params : ParamSets)
    for (const Lengths &N : AllLengths)
      for (auto Heads : headCounts(N)) {
        const Sizes Of = makeSizes(N, Heads, Params);
        Operands Data(Of, Spec);
        ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
      }
}

std::string agreementName(
    const testing::TestParamInfo<std::tuple<std::string, HeadDims>> &Info) {
  const auto &[Name, Dims] = Info.param;
  std::string Text = Name + "_d" + std::to_string(Dims.Qk);
  return Dims.V == Dims.Qk ? Text : Text + "_dv" + std::to_string(Dims.V);
}

INSTANTIATE_TEST_SUITE_P(
    Examples, Agreement,
    testing::Combine(testing::ValuesIn(exampleNames()),
                     testing::Values(HeadDims{40, 40}, HeadDims{64, 64},
                                     HeadDims{80, 80}, HeadDims{128, 128},
                                     HeadDims{64, 24}, HeadDims{33, 100})),
    agreementName);

class Parameters : public testing::TestWithParam<std::string> {
protected:
  Compiler Host;
};

/// All combinations of the values where a bound changes sides.
TEST_P(Parameters, AtTheEdges) {
  const Pattern What = Pattern::example(Host, GetParam());
  const size_t Count = What.info().Params.size();
  KernelSpec Spec;
  Spec.HeadDim = 16;
  std::optional<Program> Kernel = compile(Host, What, Spec);
  ASSERT_TRUE(Kernel);
  const int64_t Values[] = {
      0, 1, -1, 64, (int64_t(1) << 31) - 1, -(int64_t(1) << 31)};
  std::vector<size_t> Digits(Count);
  while (true) {
    std::vector<int64_t> Params;
    for (size_t Digit : Digits)
      Params.push_back(Values[Digit]);
    for (const Lengths &N : {Lengths{1, 1}, Lengths{65, 64}, Lengths{150, 190},
                             Lengths{190, 40}}) {
      const Sizes Of = makeSizes(N, {2, 1}, Params);
      Operands Data(Of, Spec);
      ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
    }
    size_t I = 0;
    while (I < Count && ++Digits[I] == std::size(Values))
      Digits[I++] = 0;
    if (I == Count)
      break;
  }
}

/// Far from the start, before it, and beyond the keys.
TEST_P(Parameters, AnyOrigin) {
  const Pattern What = Pattern::example(Host, GetParam());
  KernelSpec Spec;
  Spec.HeadDim = 16;
  std::optional<Program> Kernel = compile(Host, What, Spec);
  ASSERT_TRUE(Kernel);
  Sizes Of = {6, 2, 1, 70, 200, {}, What.defaults()};
  Of.Origin = {
      130, -1, -100, 1000000, (int64_t(1) << 31) - 1, -(int64_t(1) << 31)};
  Operands Data(Of, Spec);
  ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
}

INSTANTIATE_TEST_SUITE_P(Examples, Parameters,
                         testing::ValuesIn(exampleNames()),
                         [](const auto &Info) { return Info.param; });

TEST(Scale, AnyFiniteNumber) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  const KernelSpec Spec;
  std::optional<Program> Kernel = compile(Host, What, Spec);
  ASSERT_TRUE(Kernel);
  for (float Scale : {1.0F, -0.25F, 1e-30F, 3.0F}) {
    const Sizes Of = {1, 2, 1, 130, 130, {}, {}};
    Operands Data(Of, Spec);
    Data.Scale = Scale;
    EXPECT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data)) << Scale;
  }
}

} // namespace
