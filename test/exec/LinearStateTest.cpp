// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States of recurrences: carried over cuts, by tokens and by segments, under
// strong decay and none, and what is not a number.

#include "test/exec/LinearTexts.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

std::string nameOf(const testing::TestParamInfo<std::string> &Info) {
  return Info.param;
}

/// Rows [First, Last) of a tensor, in its memory.
class RowsOf {
public:
  RowsOf(const Tensor &From, int64_t First, int64_t Last)
      : Handle(From.handle()) {
    std::copy_n(Handle.shape, 4, Shape);
    Shape[2] = Last - First;
    Handle.shape = Shape;
    const int64_t Bytes = From.dtype() == HEDDLE_F32 ? 4 : 2;
    Handle.data =
        static_cast<char *>(Handle.data) + First * Handle.strides[2] * Bytes;
  }
  RowsOf(const RowsOf &) = delete;
  RowsOf &operator=(const RowsOf &) = delete;
  const heddle_tensor *get() const { return &Handle; }

private:
  heddle_tensor Handle;
  int64_t Shape[4];
};

class LinearCuts : public testing::TestWithParam<std::string> {
protected:
  const LinearText &text() const { return linearText(GetParam()); }

  /// Launches for tokens up to each of `Ends`, each with the state of the one
  /// before it, which is advanced in place, and a window's keys again.
  testing::AssertionResult launchParts(const Program &Kernel, const Sizes &Of,
                                       const std::vector<int64_t> &Ends,
                                       const LinearOperands &Data,
                                       int64_t Window) {
    const heddle_tensor State = Data.StateOut->handle(),
                        Sums = Data.SumsOut ? Data.SumsOut->handle(3)
                                            : heddle_tensor();
    int64_t Begin = 0;
    for (int64_t End : Ends) {
      const int64_t FirstKey = Begin - std::min(Begin, Window);
      Sizes Part = Of;
      Part.SeqQ = End - Begin;
      Part.SeqK = End - FirstKey;
      Part.Origin.assign(static_cast<size_t>(Of.Batch), Begin);
      heddle_plan *Made = nullptr;
      if (auto Good = succeeded(heddle_plan_create(
              Kernel.kernel(), RuntimeProblem(Part).get(), &Made));
          !Good)
        return Good;
      const PlanHandle Plan(Made);
      const RowsOf Q(Data.Q, Begin, End), K(Data.K, FirstKey, End),
          V(Data.V, FirstKey, End), O(Data.O, Begin, End);
      heddle_tensors All = {};
      All.q = Q.get();
      All.k = K.get();
      All.v = V.get();
      All.o = O.get();
      All.state_out = &State;
      All.sums_out = Data.SumsOut ? &Sums : nullptr;
      All.state_in = Begin == 0 ? nullptr : All.state_out;
      All.sums_in = Begin == 0 ? nullptr : All.sums_out;
      if (auto Good = succeeded(heddle_launch(Plan.get(), &All, pool(2)));
          !Good)
        return Good << " for tokens " << Begin << " to " << End;
      Begin = End;
    }
    return testing::AssertionSuccess();
  }

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

/// One text, one head dim, one table of logarithms for `gate`.
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

TEST(LinearDecay, NothingIsForgotten) {
  for (const char *Name : {"head_decay", "head_decay_sum"})
    checkDecay(Name, 500, gatesOf({1}, {0.0F}));
  checkDecay("token_decay", 500, gatesOf({1, 1}, {0.0F}));
  checkDecay("channel_decay", 500, gatesOf({1, 1, 1}, {0.0F}));
  checkDecay("magnitude_decay", 500, gatesOf({1, 1}, {0.0F}));
}

TEST(LinearDecay, EverythingIsForgotten) {
  for (const char *Name : {"head_decay", "head_decay_sum"})
    checkDecay(Name, 500, gatesOf({1}, {-HUGE_VALF}));
  checkDecay("token_decay", 500, gatesOf({1, 1}, {-HUGE_VALF}));
  checkDecay("channel_decay", 500, gatesOf({1, 1, 1}, {-HUGE_VALF}));
  checkDecay("magnitude_decay", 500, gatesOf({1, 1}, {-HUGE_VALF}));
}

} // namespace
