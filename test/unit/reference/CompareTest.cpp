// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Compare.h"
#include "test/unit/reference/Patterns.h"

#include "gmock/gmock.h"

#include <cmath>
#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

/// A result of two heads, three rows, four columns, and the same rounded to
/// f32. Row 2 of head 1 is empty.
class CompareTest : public testing::Test {
protected:
  CompareTest() : O(1, 2, 3, 4), Lse(1, 2, 3, 1) {
    Want.Batch = 1;
    Want.Heads = 2;
    Want.Rows = 3;
    Want.Width = 4;
    O.randomise(5);
    Lse.randomise(6);
    for (int64_t T = 0; T < 4; ++T)
      O.at(0, 1, 2, T) = 0;
    Lse.at(0, 1, 2, 0) = -HUGE_VALF;
    // What rounding leaves.
    for (float X : O.Data)
      Want.O.push_back(static_cast<double>(X) * (1 + 3e-8));
    for (float X : Lse.Data)
      Want.Lse.push_back(static_cast<double>(X) * (1 - 3e-8));
  }

  Comparison run(Tolerance Allowed = {}) {
    heddle_view LseView = Lse.view();
    return llvm::cantFail(compare(Want, views(&LseView), Allowed));
  }

  ResultViews views(const heddle_view *LseView) {
    ResultViews Out;
    Out.O = O.view();
    Out.Lse = LseView;
    return Out;
  }

  ReferenceResult Want;
  Tensor O, Lse;
};

TEST_F(CompareTest, RoundingPasses) {
  Comparison C = run();
  EXPECT_TRUE(C.passed());
  EXPECT_GT(C.largestError(), 0.0);
  EXPECT_LT(C.largestError(), 1e-7);
  EXPECT_FALSE(C.FirstFailure);
}

TEST_F(CompareTest, EveryElementCounts) {
  for (Tensor *Result : {&O, &Lse})
    for (float &X : Result->Data) {
      const float Before = X;
      X = std::isinf(X) ? 0.0F : X + 1e-4F;
      EXPECT_EQ(run().Failures, 1);
      X = Before;
    }
  EXPECT_TRUE(run().passed());
}

TEST_F(CompareTest, NamesFirstAndWorst) {
  O.at(0, 0, 1, 2) += 1e-3F;
  O.at(0, 1, 0, 3) += 1e-1F;
  Lse.at(0, 1, 1, 0) += 1.0F;
  Comparison C = run();
  EXPECT_EQ(C.Failures, 3);
  EXPECT_EQ(C.FirstFailure->H, 0);
  EXPECT_EQ(C.FirstFailure->Row, 1);
  EXPECT_EQ(C.FirstFailure->Column, 2);
  EXPECT_EQ(C.worst(ComparedOutput::O)->H, 1);
  EXPECT_EQ(C.worst(ComparedOutput::O)->Row, 0);
  EXPECT_EQ(C.worst(ComparedOutput::O)->Column, 3);
  EXPECT_EQ(C.worst(ComparedOutput::Lse)->Row, 1);
  EXPECT_EQ(C.worst(ComparedOutput::Lse)->Column, -1);
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  C.print(Stream, {});
  EXPECT_THAT(Text, testing::HasSubstr("3 elements differ"));
  EXPECT_THAT(Text, testing::HasSubstr("o[b=0, h=0, q=1, t=2]: found"));
  EXPECT_THAT(Text, testing::HasSubstr("lse[b=0, h=1, q=1]: found"));
}

TEST_F(CompareTest, NarrowRowsThatCancelCarryTheRoundingOfTheirSummands) {
  // All four features are a thousandth of their summands.
  for (int64_t T = 0; T < 4; ++T) {
    O.at(0, 0, 1, T) *= 1e-3F;
    Want.O[static_cast<size_t>(4 + T)] = static_cast<double>(O.at(0, 0, 1, T));
  }
  O.at(0, 0, 1, 2) += 1e-6F;
  EXPECT_FALSE(run().passed());
  Want.Spread = {0, 0.5, 0, 0, 0, 0};
  EXPECT_TRUE(run().passed());
  O.at(0, 0, 1, 2) += 1e-4F;
  EXPECT_FALSE(run().passed());
}

TEST_F(CompareTest, FiniteMustMeetFinite) {
  const float Infinity = HUGE_VALF;
  for (float Bad : {NotANumber, Infinity, -Infinity}) {
    float &X = O.at(0, 0, 2, 1);
    const float Before = X;
    X = Bad;
    EXPECT_EQ(run().Failures, 1);
    X = Before;
    double &Y = Want.O[5];
    const double Expected = Y;
    Y = static_cast<double>(Bad);
    EXPECT_EQ(run().Failures, 1);
    Y = Expected;
  }
  // Both not finite.
  Want.O[5] = static_cast<double>(NotANumber);
  O.Data[5] = NotANumber;
  EXPECT_TRUE(run().passed());
  O.Data[5] = Infinity;
  EXPECT_TRUE(run().passed());
  Want.O[5] = -static_cast<double>(Infinity);
  EXPECT_FALSE(run().passed());
}

TEST_F(CompareTest, EmptyRowsMustBeExact) {
  float &X = Lse.at(0, 1, 2, 0);
  for (float Bad : {NotANumber, HUGE_VALF, -1e30F}) {
    X = Bad;
    EXPECT_EQ(run().Failures, 1) << Bad;
  }
  X = -HUGE_VALF;
  EXPECT_TRUE(run().passed());
}

TEST_F(CompareTest, RowsAreScaledByThemselves) {
  // A row that is small beside its head: an error of its own size must show.
  for (int64_t T = 0; T < 4; ++T) {
    O.at(0, 0, 0, T) = 0.01F;
    Want.O[static_cast<size_t>(T)] = 0.01;
  }
  EXPECT_TRUE(run().passed());
  O.at(0, 0, 0, 0) += 1e-6F;
  EXPECT_FALSE(run().passed());
}

TEST_F(CompareTest, LseMayBeLeftOut) {
  Lse.Data[0] += 1;
  EXPECT_FALSE(run().passed());
  EXPECT_TRUE(llvm::cantFail(compare(Want, views(nullptr))).passed());
}

TEST_F(CompareTest, ShapesMustFit) {
  Tensor Wide(1, 2, 3, 5);
  ResultViews Found;
  Found.O = Wide.view();
  llvm::Expected<Comparison> C = compare(Want, Found);
  ASSERT_FALSE(static_cast<bool>(C));
  EXPECT_THAT(llvm::toString(C.takeError()),
              testing::HasSubstr("shape 1x2x3x4, found 1x2x3x5"));
}

TEST_F(CompareTest, AToleranceCanBeGiven) {
  O.Data[0] += 1e-3F;
  EXPECT_FALSE(run().passed());
  EXPECT_TRUE(run({1e-1}).passed());
}

TEST_F(CompareTest, FurtherOutputs) {
  Want.RowMax = {0, 1, 2, 3, 4, -HUGE_VAL};
  Want.Sources.resize(2);
  Want.Sources[0].Keys = 2;
  Want.Sources[0].ColumnSums = {5, 6, 7, 8};
  Want.BlockRows = 1;
  Want.Sources[0].BlockColumns = 2;
  Want.Sources[0].BlockMax = {0.25, 0.5, 0.75, 1};
  Want.Sources[1].Keys = 3;
  Want.Sources[1].ColumnSums = {1, 2, 3, 4, 5, 6};
  Tensor Max(1, 2, 3, 1), Sums(1, 2, 2, 1), Blocks(1, 2, 1, 2),
      More(1, 2, 3, 1);
  More.Data = {1, 2, 3, 4, 5, 6};
  Max.Data = {0, 1, 2, 3, 4, -HUGE_VALF};
  Sums.Data = {5, 6, 7, 8};
  Blocks.Data = {0.25F, 0.5F, 0.75F, 1};
  const heddle_view MaxView = Max.view(), SumView = Sums.view(),
                    BlockView = Blocks.view(), MoreView = More.view();
  ResultViews Found = views(nullptr);
  Found.RowMax = &MaxView;
  Found.ColumnSums = {&SumView, &MoreView};
  Found.BlockMax = {&BlockView};
  auto Run = [&] { return llvm::cantFail(compare(Want, Found)); };
  EXPECT_TRUE(Run().passed());
  for (Tensor *Result : {&Max, &Sums, &Blocks, &More})
    for (float &X : Result->Data) {
      const float Before = X;
      X = std::isinf(X) ? 0.0F : X + 1e-2F;
      EXPECT_EQ(Run().Failures, 1);
      X = Before;
    }
  Sums.Data[3] = 9;
  Blocks.Data[1] = 0;
  Comparison C = Run();
  EXPECT_EQ(C.worst(ComparedOutput::ColumnSums)->H, 1);
  EXPECT_EQ(C.worst(ComparedOutput::ColumnSums)->Row, 1);
  EXPECT_EQ(C.worst(ComparedOutput::BlockMax)->Column, 1);
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  C.print(Stream, {});
  EXPECT_THAT(Text, testing::HasSubstr("column_sums[b=0, h=1, k=1]: found 9"));
  EXPECT_THAT(Text, testing::HasSubstr("block_max[b=0, h=0, row=0, column=1]"));
  Sums.Data[3] = 8;
  Blocks.Data[1] = 0.5F;
  More.Data[4] = 0;
  Text.clear();
  Run().print(Stream, {});
  EXPECT_THAT(Text, testing::HasSubstr(
                        "column_sums of source 1[b=0, h=1, k=1]: found 0"));
  Want.Sources[0].ColumnSums.clear();
  llvm::Expected<Comparison> None = compare(Want, Found);
  ASSERT_FALSE(static_cast<bool>(None));
  EXPECT_THAT(llvm::toString(None.takeError()),
              testing::HasSubstr("no 'column_sums'"));
}

TEST(CompareTypesTest, RoundingTo16BitsIsNoError) {
  // 1 + 2^-8 lies in the middle between two bf16, 1 and 1 + 2^-7.
  ReferenceResult Want;
  Want.Batch = Want.Heads = Want.Rows = Want.Width = 1;
  Want.O = {1 + std::ldexp(1.0, -8)};
  Want.Lse = {0};
  auto Passes = [&](uint16_t Bits, heddle_dtype Type) {
    ResultViews Found;
    Found.O = {&Bits, {1, 1, 1, 1}, {1, 1, 1, 1}, nullptr};
    Found.Type = Type;
    return llvm::cantFail(compare(Want, Found)).passed();
  };
  EXPECT_TRUE(Passes(0x3f80, HEDDLE_BF16));
  EXPECT_TRUE(Passes(0x3f81, HEDDLE_BF16));
  EXPECT_FALSE(Passes(0x3f7f, HEDDLE_BF16));
  EXPECT_FALSE(Passes(0x3f82, HEDDLE_BF16));
  EXPECT_TRUE(Passes(0x3c04, HEDDLE_F16));
  EXPECT_FALSE(Passes(0x3c03, HEDDLE_F16));
  // What rounds to infinity may be infinite.
  Want.O = {65530};
  EXPECT_TRUE(Passes(0x7c00, HEDDLE_F16));
  EXPECT_FALSE(Passes(0xfc00, HEDDLE_F16));
  Want.O = {65000};
  EXPECT_FALSE(Passes(0x7c00, HEDDLE_F16));
  Want.O = {0};
  EXPECT_TRUE(Passes(0, HEDDLE_F16));
  EXPECT_FALSE(Passes(0x1000, HEDDLE_F16));
}

} // namespace
