// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What recurrences are given, what is refused, and what results are compared
// by.

#include "test/unit/reference/Recurrences.h"

#include "gmock/gmock.h"

#include <algorithm>
#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;
using testing::HasSubstr;

namespace {

class LinearInputsTest : public testing::Test, protected Recurrences {};

TEST_F(LinearInputsTest, NanReachesLaterRowsOnly) {
  const Recurrence Causal = recurrence("", ExpMaps);
  const Recurrence Near =
      recurrence("(%w: index)", (ExpMaps + " normalize sum window(%w)").str());
  for (LinearForm Form : {LinearForm::Recurrent, LinearForm::Quadratic})
    for (bool InKey : {false, true}) {
      LinearRows Rows(1, 1, 1, 8, 8, 4, 2);
      (InKey ? Rows.K : Rows.V).at(0, 0, 5, 1) = NotANumber;
      const LinearResult R = evaluate(Causal, Rows.problem(), Form),
                         S = evaluate(Near, Rows.problem(1, {2}), Form);
      for (int64_t I = 0; I < 8; ++I) {
        EXPECT_EQ(std::isnan(R.output(0, 0, I)[1]), I >= 5);
        EXPECT_EQ(std::isnan(S.output(0, 0, I)[1]), I >= 5);
        EXPECT_TRUE(std::isfinite(R.OScale[R.row(0, 0, I)]));
      }
    }
}

TEST_F(LinearInputsTest, HeadsStridesAndTypes) {
  // Query heads 0..3 read key heads 0, 0, 1, 1; rows lie position before head
  // in memory; elements are bf16.
  const Recurrence What = recurrence("", "");
  std::vector<uint16_t> Q(4 * 3 * 2), K(2 * 3 * 2);
  const uint16_t Numbers[] = {0x3f80, 0x4000, 0x4040, 0xbf80}; // 1 2 3 -1
  const double Values[] = {1, 2, 3, -1};
  for (size_t I = 0; I < Q.size(); ++I)
    Q[I] = Numbers[(I * 7 + I / 3) % 4];
  for (size_t I = 0; I < K.size(); ++I)
    K[I] = Numbers[(I * 5 + I / 4) % 4];
  LinearProblem Problem;
  Problem.Type = HEDDLE_BF16;
  Problem.Q = {Q.data(), {1, 4, 3, 2}, {24, 2, 8, 1}, nullptr};
  Problem.K = {K.data(), {1, 2, 3, 2}, {12, 2, 4, 1}, nullptr};
  Problem.V = Problem.K;
  const LinearResult R = evaluate(What, Problem);
  auto At = [&](auto &From, const heddle_view &View, int64_t H, int64_t I,
                int64_t C) {
    const uint16_t Bits =
        From[static_cast<size_t>(H * View.stride[1] + I * View.stride[2] + C)];
    return Values[std::find(Numbers, Numbers + 4, Bits) - Numbers];
  };
  for (int64_t H = 0; H < 4; ++H)
    for (int64_t I = 0; I < 3; ++I)
      for (int64_t T = 0; T < 2; ++T) {
        double Want = 0;
        for (int64_t J = 0; J <= I; ++J)
          for (int64_t C = 0; C < 2; ++C)
            Want += At(Q, Problem.Q, H, I, C) * At(K, Problem.K, H / 2, J, C) *
                    At(K, Problem.K, H / 2, J, T);
        EXPECT_EQ(R.output(0, H, I)[T], Want);
      }
}

TEST_F(LinearInputsTest, Refusals) {
  const Recurrence Plain = recurrence("", "");
  LinearRows Rows(1, 2, 2, 3, 4, 4, 2), Same(1, 2, 2, 3, 3, 4, 2);
  EXPECT_THAT(failure(Plain, Rows.problem()),
              HasSubstr("recurrence 'r' wants as many keys as queries in "
                        "sequence 0, found 4 keys and 3 queries"));
  Tensor State(1, 2, 5, 2), Sums(1, 2, 4, 1);
  LinearProblem Problem = Same.problem();
  Problem.StateIn = State.view();
  EXPECT_THAT(failure(Plain, Problem),
              HasSubstr("expected 'state_in' to have the shape 1x2x4x2, found "
                        "1x2x5x2"));
  Problem = Same.problem();
  Problem.SumsIn = Sums.view();
  EXPECT_THAT(failure(Plain, Problem), HasSubstr("has no normaliser"));
  LinearRows Wide(1, 1, 1, 1, 1, 400, 1);
  EXPECT_THAT(failure(recurrence("", "expand power 2"), Wide.problem()),
              HasSubstr("expands rows of 400 features to more than 65536"));
  EXPECT_THAT(failure(Plain, Same.problem(1, {3})),
              HasSubstr("recurrence 'r' has 0 parameters, found 1 values"));
}

TEST_F(LinearInputsTest, Comparison) {
  const Recurrence What = recurrence("", (ExpMaps + " normalize sum").str());
  LinearRows Rows(1, 2, 2, 5, 5, 4, 2);
  const LinearResult R = evaluate(What, Rows.problem());
  Tensor O(1, 2, 5, 2), State(1, 2, 4, 2), Sums(1, 2, 4, 1);
  std::copy(R.O.begin(), R.O.end(), O.Data.begin());
  std::copy(R.State.begin(), R.State.end(), State.Data.begin());
  std::copy(R.Sums.begin(), R.Sums.end(), Sums.Data.begin());
  const heddle_view StateView = State.view(), SumsView = Sums.view();
  auto Found = [&] {
    llvm::Expected<Comparison> Out =
        compareLinear(R, {O.view(), HEDDLE_F32, &StateView, &SumsView});
    EXPECT_TRUE(static_cast<bool>(Out));
    return std::move(*Out);
  };
  EXPECT_TRUE(Found().passed());
  EXPECT_LT(Found().largestError(), 1e-6);
  State.at(0, 1, 2, 1) *= 1.001F;
  Comparison Bad = Found();
  ASSERT_FALSE(Bad.passed());
  EXPECT_EQ(Bad.FirstFailure->Output, ComparedOutput::State);
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  Bad.print(Stream, {});
  EXPECT_THAT(Text, HasSubstr("state[b=0, h=1, f=2, t=1]: found"));
  EXPECT_THAT(Text, testing::Not(HasSubstr("lse")));
  State.at(0, 1, 2, 1) /= 1.001F;
  Sums.at(0, 0, 3, 0) = NotANumber;
  EXPECT_FALSE(Found().passed());
  Sums.at(0, 0, 3, 0) = static_cast<float>(R.Sums[3]);
  O.at(0, 0, 0, 0) += 1e-3F;
  EXPECT_EQ(Found().Failures, 1);
  const heddle_view Narrow = O.view();
  llvm::Expected<Comparison> Refused =
      compareLinear(R, {O.view(), HEDDLE_F32, &Narrow, nullptr});
  ASSERT_FALSE(static_cast<bool>(Refused));
  EXPECT_THAT(llvm::toString(Refused.takeError()),
              HasSubstr("expected 'state' to have the shape 1x2x4x2, found "
                        "1x2x5x2"));
}

} // namespace
