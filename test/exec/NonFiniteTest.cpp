// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows without keys, and numbers that are not finite: they reach exactly the
// rows that keep them.

#include "test/exec/Kernels.h"

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr float Infinity = std::numeric_limits<float>::infinity();
constexpr float Bad[] = {std::numeric_limits<float>::quiet_NaN(), Infinity,
                         -Infinity, std::numeric_limits<float>::max()};

class NonFinite : public testing::TestWithParam<std::string> {
protected:
  NonFinite() : What(Pattern::example(Host, GetParam())) {
    Spec.HeadDim = 24;
    Kernel = compile(Host, What, Spec);
    Of = {1, 2, 1, 150, 170, {3}, What.defaults()};
  }

  /// Poisons one element and compares; the interpreter never touches a pair
  /// that is not kept, so a row that should be finite must be.
  void poison(Tensor Operands::*Where, int64_t Row, float Value) {
    Operands Data(Of, Spec);
    (Data.*Where).at(0, 0, Row, Row % Spec.HeadDim) = Value;
    ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data))
        << Value << " in row " << Row << " of "
        << (Where == &Operands::Q   ? "q"
            : Where == &Operands::K ? "k"
                                    : "v");
  }

  Compiler Host;
  Pattern What;
  KernelSpec Spec;
  std::optional<Program> Kernel;
  Sizes Of;
};

/// Rows in the middle of tiles, at their borders, and in the ragged last tile.
TEST_P(NonFinite, ReachesOnlyRowsThatKeepIt) {
  ASSERT_TRUE(Kernel);
  std::vector<std::vector<int64_t>> ParamSets = {What.defaults()};
  if (!What.info().Params.empty())
    ParamSets.emplace_back(What.info().Params.size(), 5);
  for (const std::vector<int64_t> &Params : ParamSets) {
    Of.Params = Params;
    for (float Value : Bad) {
      for (int64_t Row : {0, 47, 48, 100, 149})
        poison(&Operands::Q, Row, Value);
      for (int64_t Row : {0, 31, 63, 64, 127, 128, 169}) {
        poison(&Operands::K, Row, Value);
        poison(&Operands::V, Row, Value);
      }
    }
  }
}

/// Whole tensors of NaN: rows without keys still give 0 and -infinity.
TEST_P(NonFinite, EmptyRowsDoNotCare) {
  ASSERT_TRUE(Kernel);
  // Before the first key most patterns keep nothing.
  Of.Origin = {-75};
  Of.Params = std::vector<int64_t>(What.info().Params.size(), 0);
  Operands Data(Of, Spec);
  for (Tensor *Input : {&Data.Q, &Data.K, &Data.V})
    Input->reset();
  ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
}

/// All scores of a row are -infinity: as if it kept nothing.
TEST_P(NonFinite, RowOfNegativeInfinity) {
  ASSERT_TRUE(Kernel);
  Operands Data(Of, Spec);
  for (int64_t J = 0; J < Of.SeqK; ++J)
    Data.K.at(0, 0, J, 0) = 1;
  for (int64_t Row : {0, 60, 149})
    Data.Q.at(0, 1, Row, 0) = -Infinity;
  ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
}

/// Scores so far apart that all weights but one vanish, ascending or
/// descending along the keys.
TEST_P(NonFinite, HugeScoresStayFinite) {
  ASSERT_TRUE(Kernel);
  Operands Data(Of, Spec);
  for (int64_t J = 0; J < Of.SeqK; ++J)
    for (int64_t T = 0; T < Spec.HeadDim; ++T)
      Data.K.at(0, 0, J, T) = T == 0 ? 1000 * static_cast<float>(J) : 0;
  for (int64_t I = 0; I < Of.SeqQ; ++I)
    Data.Q.at(0, 0, I, 0) = I % 2 == 0 ? 1 : -1;
  for (int64_t I = 0; I < Of.SeqQ; ++I)
    Data.Q.at(0, 1, I, 0) = I % 2 == 0 ? -1e30F : 1e30F;
  ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
  for (int64_t H = 0; H < Of.HeadsQ; ++H)
    for (int64_t I = 0; I < Of.SeqQ; ++I)
      for (int64_t T = 0; T < Spec.HeadDim; ++T)
        ASSERT_TRUE(std::isfinite(Data.O.at(0, H, I, T)));
}

INSTANTIATE_TEST_SUITE_P(Examples, NonFinite, testing::ValuesIn(exampleNames()),
                         [](const auto &Info) { return Info.param; });

TEST(EmptyRows, GiveZeroAndNegativeInfinity) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  const KernelSpec Spec;
  std::optional<Program> Kernel = compile(Host, What, Spec);
  ASSERT_TRUE(Kernel);
  // The first 60 rows lie before the first key.
  const Sizes Of = {1, 1, 1, 130, 90, {-60}, {}};
  Operands Data(Of, Spec);
  ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data));
  for (int64_t I = 0; I < 60; ++I) {
    EXPECT_EQ(Data.Lse.at(0, 0, I, 0), -Infinity) << I;
    for (int64_t T = 0; T < Spec.HeadDim; ++T)
      ASSERT_EQ(Data.O.at(0, 0, I, T), 0) << I;
  }
  EXPECT_TRUE(std::isfinite(Data.Lse.at(0, 0, 60, 0)));
}

TEST(EmptyRows, NoKeysAtAll) {
  Compiler Host;
  for (const std::string &Name : exampleNames()) {
    const Pattern What = Pattern::example(Host, Name);
    const KernelSpec Spec;
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    const Sizes Of = {1, 2, 1, 70, 0, {}, What.defaults()};
    Operands Data(Of, Spec);
    ASSERT_TRUE(launch(*Kernel, Of, Data)) << Name;
    for (int64_t H = 0; H < 2; ++H)
      for (int64_t I = 0; I < Of.SeqQ; ++I) {
        ASSERT_EQ(Data.Lse.at(0, H, I, 0), -Infinity) << Name;
        for (int64_t T = 0; T < Spec.HeadDim; ++T)
          ASSERT_EQ(Data.O.at(0, H, I, T), 0) << Name;
      }
  }
}

} // namespace
