// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every level that this machine runs, and schedules that nobody chose, compute
// the same.

#include "test/exec/Kernels.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::exec;

namespace {

struct FewLengths {
  int64_t Queries, Keys;
};

constexpr FewLengths Few[] = {
    {1, 1}, {64, 64}, {65, 200}, {200, 63}, {300, 300}};

Sizes makeSizes(const Pattern &What, const FewLengths &N) {
  return {2, 4, 2, N.Queries, N.Keys, {0, 7}, What.defaults()};
}

std::string identifier(std::string Text) {
  std::replace_if(
      Text.begin(), Text.end(), [](char C) { return !std::isalnum(C); }, '_');
  return Text;
}

using LevelCase = std::tuple<std::string, std::string>;

class Levels : public testing::TestWithParam<LevelCase> {
protected:
  Compiler Host;
};

TEST_P(Levels, Agree) {
  const auto &[Level, Name] = GetParam();
  const Pattern What = Pattern::example(Host, Name);
  for (int64_t HeadDim : {7, 64}) {
    KernelSpec Spec;
    Spec.HeadDim = HeadDim;
    Spec.ValueDim = HeadDim + 1;
    Spec.Level = Level;
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    const heddle_code *Code = nullptr;
    ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
    ASSERT_EQ(Code->level, Level);
    for (const FewLengths &N : Few) {
      const Sizes Of = makeSizes(What, N);
      Operands Data(Of, Spec);
      ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Host, Levels,
                         testing::Combine(testing::ValuesIn(hostLevels()),
                                          testing::ValuesIn(exampleNames())),
                         [](const testing::TestParamInfo<LevelCase> &Info) {
                           return identifier(std::get<0>(Info.param)) + "_" +
                                  std::get<1>(Info.param);
                         });

class Schedules : public testing::TestWithParam<std::string> {
protected:
  Compiler Host;
};

/// Equal within tolerance over tile sizes: all agree with the interpreter.
TEST_P(Schedules, AnyLegalOneAgrees) {
  std::mt19937_64 Random(20);
  for (const char *Name :
       {"a_shape", "dilated_window", "power_token", "neighborhood_1d"}) {
    const Pattern What = Pattern::example(Host, Name);
    for (int Run = 0; Run < 4; ++Run) {
      KernelSpec Spec;
      Spec.HeadDim = 24;
      Spec.ValueDim = 20;
      Spec.Level = GetParam();
      Spec.Schedule = randomSchedule(Random, Spec.Level);
      std::optional<Program> Kernel = compile(Host, What, Spec);
      ASSERT_TRUE(Kernel);
      for (const FewLengths &N : Few) {
        const Sizes Of = makeSizes(What, N);
        Operands Data(Of, Spec);
        ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Host, Schedules, testing::ValuesIn(hostLevels()),
                         [](const auto &Info) {
                           return identifier(Info.param);
                         });

} // namespace
