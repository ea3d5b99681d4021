// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States of recurrences: carried over cuts, by tokens and by segments, under
// strong decay and none, and what is not a number.

#include "dialect/attn/reference/Recurrence.h"
#include "test/exec/LinearTexts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace heddle;
using namespace heddle::exec;

namespace {

std::vector<std::string> causalNames() {
  std::vector<std::string> Names;
  for (const LinearText &Text : linearTexts())
    if (!Text.IsBidirectional)
      Names.push_back(Text.Name);
  return Names;
}

std::vector<std::string> scannableNames() {
  std::vector<std::string> Names;
  for (const LinearText &Text : linearTexts())
    if (Text.CanScan)
      Names.push_back(Text.Name);
  return Names;
}

class LinearCuts : public testing::TestWithParam<std::string> {
protected:
  const LinearText &text() const { return linearText(GetParam()); }

  Compiler Host;
};

TEST_P(LinearCuts, CutAnywhereIsUncut) {
  KernelSpec Spec;
  Spec.HeadDim = std::min<int64_t>(32, text().MostHeadDim);
  Spec.ValueDim = 40;
  Spec.Schedule = chunk(32);
  const RecurrenceText What(Host, text().Text);
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  constexpr int64_t Tokens = 150;
  Sizes Of = {2, 2, 1, Tokens, Tokens, {}, {}};
  std::vector<int64_t> Singly;
  for (int64_t I = 1; I <= Tokens; ++I)
    Singly.push_back(I);
  for (uint64_t Seed : {1, 2, 3}) {
    Of.Params = text().values(Of, Spec, Seed);
    const int64_t Window = text().HasWindow ? Of.Params[0].get().integer : 0;
    for (const std::vector<int64_t> &Ends : {std::vector<int64_t>{1, Tokens},
                                             {Tokens - 1, Tokens},
                                             {32, 64, Tokens},
                                             {7, 7, 20, 53, 54, 120, Tokens},
                                             Singly}) {
      const LinearOperands Data(Of, Spec, *Kernel, Layout::Bhsd,
                                Placement::BeforeGuard, Seed);
      ASSERT_TRUE(launchParts(*Kernel, Of, Ends, Data, Window));
      ASSERT_TRUE(compareLinear(What, Spec, Of, Data))
          << Ends.size() << " parts, the first of " << Ends.front()
          << " tokens, window " << Window << ", seed " << Seed << "\n"
          << What.text();
    }
  }
}

/// From one token to more than are taken one by one.
TEST_P(LinearCuts, FewTokens) {
  KernelSpec Spec;
  Spec.HeadDim = std::min<int64_t>(64, text().MostHeadDim);
  const RecurrenceText What(Host, text().Text);
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  const heddle_code *Code = nullptr;
  ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
  std::vector<int64_t> Lengths = {1, 2, 3};
  for (int64_t More : {-1, 0, 1})
    Lengths.push_back(std::max<int64_t>(1, Code->step_tokens + More));
  for (int64_t Tokens : Lengths) {
    Sizes Of = {2, 4, 2, Tokens, Tokens, {}, {}};
    if (text().HasWindow)
      Of.SeqK += 40;
    Of.Origin = {50, 40};
    Of.Params = text().values(Of, Spec, static_cast<uint64_t>(Tokens));
    for (bool Continues : {false, true})
      ASSERT_TRUE(checkLinear(What, Spec, *Kernel, Of, Continues));
  }
}

/// What is not finite in a token reaches that and later ones only.
TEST_P(LinearCuts, NotANumber) {
  KernelSpec Spec;
  Spec.HeadDim = std::min<int64_t>(24, text().MostHeadDim);
  Spec.Schedule = chunk(32);
  const RecurrenceText What(Host, text().Text);
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  Sizes Of = {1, 2, 2, 100, 100, {}, {}};
  Of.Params = text().values(Of, Spec);
  const float Bad = std::numeric_limits<float>::quiet_NaN();
  for (int64_t At : {0, 31, 40, 99})
    for (bool InKey : {false, true}) {
      LinearOperands Data(Of, Spec, *Kernel);
      const Tensor &Poisoned = InKey ? Data.K : Data.V;
      Poisoned.at(0, 1, At, 2) = Bad;
      ASSERT_TRUE(launchLinear(*Kernel, Of, Data));
      for (int64_t I = 0; I < 100; ++I)
        for (int64_t T = 0; T < Spec.valueDim(); ++T) {
          EXPECT_TRUE(std::isfinite(Data.O.at(0, 0, I, T)));
          if (I < At)
            ASSERT_TRUE(std::isfinite(Data.O.at(0, 1, I, T)))
                << "row " << I << " sees token " << At << "\n"
                << What.text();
        }
      // It is there where its own row is made of it.
      EXPECT_FALSE(std::isfinite(Data.O.at(0, 1, At, 2)));
    }
}

INSTANTIATE_TEST_SUITE_P(Recurrences, LinearCuts,
                         testing::ValuesIn(causalNames()), nameOf);

class LinearSegments : public testing::TestWithParam<std::string> {};

TEST_P(LinearSegments, Agree) {
  const LinearText &Text = linearText(GetParam());
  Compiler Host;
  KernelSpec Spec;
  Spec.HeadDim = std::min<int64_t>(32, Text.MostHeadDim);
  Spec.ValueDim = 48;
  Spec.Schedule = chunk(32);
  const RecurrenceText What(Host, Text.Text);
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  for (int64_t Segments : {1, 2, 3, 7, 100}) {
    Sizes Of = {1, 2, 1, 333, 333, {}, {}};
    Of.Segments = Segments;
    Of.Params = Text.values(Of, Spec, static_cast<uint64_t>(Segments));
    for (bool Continues : {false, true})
      ASSERT_TRUE(checkLinear(What, Spec, *Kernel, Of, Continues));
  }
  std::vector<int64_t> Lengths = {0, 200, 1, 65, 500};
  Sizes Of = Sizes::ragged(2, 2, Lengths, Lengths);
  Of.Segments = 4;
  Of.Params = Text.values(Of, Spec);
  ASSERT_TRUE(checkLinear(What, Spec, *Kernel, Of, true));
}

INSTANTIATE_TEST_SUITE_P(Recurrences, LinearSegments,
                         testing::ValuesIn(scannableNames()), nameOf);

Value gatesOf(std::vector<int64_t> Shape, std::vector<float> Logarithms) {
  return Value::table(std::move(Shape), std::move(Logarithms));
}

/// One text, one head dim, one table of logarithms for `gate`, and rates where
/// there is a delta rule.
void checkDecay(const std::string &Name, int64_t Tokens, const Value &Gate,
                int64_t Segments = 0) {
  Compiler Host;
  KernelSpec Spec;
  Spec.HeadDim = 16;
  const RecurrenceText What(Host, linearText(Name).Text);
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  Sizes Of = {1, 2, 1, Tokens, Tokens, {}, {}};
  Of.Params = {Gate};
  if (What.meaning().delta())
    Of.Params = {Gate, Value::table({1, 1}, std::vector<float>{0.7F})};
  Of.Segments = Segments;
  LinearOperands Data(Of, Spec, *Kernel);
  ASSERT_TRUE(runAndCompare(What, Spec, *Kernel, Of, Data));
  for (int64_t H = 0; H < 2; ++H)
    for (int64_t I = 0; I < Tokens; ++I)
      for (int64_t T = 0; T < 16; ++T)
        ASSERT_TRUE(std::isfinite(Data.O.at(0, H, I, T)));
}

TEST(LinearDecay, StrongOverAHundredThousandTokens) {
  const float Half = std::log(0.5F);
  for (int64_t Segments : {1, 5}) {
    checkDecay("head_decay", 100'000, gatesOf({2}, {Half, -80.0F}), Segments);
    checkDecay("token_decay", 100'000, gatesOf({2, 1}, {Half, -80.0F}),
               Segments);
    checkDecay("channel_decay", 100'000, gatesOf({2, 1, 1}, {Half, -80.0F}),
               Segments);
  }
}

TEST(LinearDecay, StrongUnderADeltaRule) {
  const float Half = std::log(0.5F);
  checkDecay("gated_delta", 20'000, gatesOf({2, 1}, {Half, -80.0F}));
  for (const char *Name : {"channel_delta", "channel_erase"})
    checkDecay(Name, 100'000, gatesOf({2, 1, 1}, {Half, -80.0F}));
}

TEST(LinearDecay, NothingIsForgotten) {
  for (const char *Name : {"head_decay", "head_decay_sum"})
    checkDecay(Name, 500, gatesOf({1}, {0.0F}));
  checkDecay("token_decay", 500, gatesOf({1, 1}, {0.0F}));
  checkDecay("channel_decay", 500, gatesOf({1, 1, 1}, {0.0F}));
  checkDecay("gated_delta", 500, gatesOf({1, 1}, {0.0F}));
  for (const char *Name : {"channel_delta", "channel_erase"})
    checkDecay(Name, 500, gatesOf({1, 1, 1}, {0.0F}));
  checkDecay("magnitude_decay", 500, gatesOf({1, 1}, {0.0F}));
}

TEST(LinearDecay, EverythingIsForgotten) {
  for (const char *Name : {"head_decay", "head_decay_sum"})
    checkDecay(Name, 500, gatesOf({1}, {-HUGE_VALF}));
  checkDecay("token_decay", 500, gatesOf({1, 1}, {-HUGE_VALF}));
  checkDecay("channel_decay", 500, gatesOf({1, 1, 1}, {-HUGE_VALF}));
  checkDecay("gated_delta", 500, gatesOf({1, 1}, {-HUGE_VALF}));
  for (const char *Name : {"channel_delta", "channel_erase"})
    checkDecay(Name, 500, gatesOf({1, 1, 1}, {-HUGE_VALF}));
  checkDecay("magnitude_decay", 500, gatesOf({1, 1}, {-HUGE_VALF}));
}

/// Two features per element, each with factors of its own.
TEST(LinearErasure, OfSeveralFeaturesPerElement) {
  constexpr const char *Maps = R"(
    %square = arith.mulf %x, %x : f32
    %sum = attn.row_sum %square
    %inverse = math.rsqrt %sum : f32
    %y = arith.mulf %x, %inverse : f32
    %z = math.absf %y : f32
    attn.features %y, %z
  })";
  const std::string Text =
      std::string("attn.recurrence @pairs(%gate: tensor<?x?xf32>, %beta: f32)\n"
                  "query(%x, %b, %h, %i, %c) {") +
      Maps + " key(%x, %b, %h, %i, %c) {" + Maps + R"(
    decay(%b, %h, %i, %c) {
      %g = attn.at %gate[%i, %c] : tensor<?x?xf32>
      attn.decay %g
    } delta(%b, %h, %i) {
      attn.delta %beta
    } erase before decay)";
  Compiler Host;
  KernelSpec Spec;
  Spec.HeadDim = 24;
  Spec.ValueDim = 20;
  Spec.Schedule = chunk(32);
  const RecurrenceText What(Host, Text);
  ASSERT_TRUE(What.isGood());
  const std::optional<Program> Kernel = What.compile(Host, Spec);
  ASSERT_TRUE(Kernel);
  std::mt19937_64 Random(3);
  for (int64_t Tokens : {1, 5, 100}) {
    Sizes Of = {2, 2, 1, Tokens, Tokens, {}, {}};
    // The state that comes in is made of 16 tokens.
    Of.Params = {
        Value::randomReals(Random, {std::max<int64_t>(Tokens, 16), 48}, -1, 0),
        0.6};
    for (bool Continues : {false, true})
      ASSERT_TRUE(checkLinear(What, Spec, *Kernel, Of, Continues));
  }
}

} // namespace
