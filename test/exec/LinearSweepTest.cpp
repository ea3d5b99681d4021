// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of recurrences against the interpreter: lengths, head dims, groups of
// heads, element types, levels, chunks, ragged batches.

#include "test/exec/LinearTexts.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr int64_t SweptLengths[] = {0, 1, 15, 16, 17, 63, 65, 300};

std::vector<std::string> textNames() {
  std::vector<std::string> Names;
  for (const LinearText &Text : linearTexts())
    Names.push_back(Text.Name);
  return Names;
}

std::string sweepName(const testing::TestParamInfo<std::string> &Info) {
  return Info.param;
}

class LinearSweep : public testing::TestWithParam<std::string> {
protected:
  const LinearText &text() const { return linearText(GetParam()); }

  KernelSpec spec(int64_t HeadDim, int64_t ValueDim) const {
    KernelSpec Spec;
    Spec.HeadDim = std::min(HeadDim, text().MostHeadDim);
    Spec.ValueDim = ValueDim;
    return Spec;
  }

  /// As many keys as queries, or, where the recurrence allows it, another
  /// number.
  Sizes sizes(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Tokens,
              int64_t MoreKeys = 0) const {
    Sizes Of = {Batch, HeadsQ, HeadsKv, Tokens, Tokens, {}, {}};
    if (text().IsBidirectional || text().HasWindow)
      Of.SeqK += MoreKeys;
    return Of;
  }

  /// Compiles, and checks all of the sizes.
  void check(const KernelSpec &Spec, const std::vector<Sizes> &All,
             bool Continues = false, Layout Order = Layout::Bhsd) {
    const RecurrenceText What(Host, text().Text);
    ASSERT_TRUE(What.isGood());
    const std::optional<Program> Kernel = What.compile(Host, Spec);
    ASSERT_TRUE(Kernel);
    uint64_t Seed = 1;
    for (Sizes Of : All) {
      Of.Params = text().values(Of, Spec, ++Seed);
      ASSERT_TRUE(checkLinear(What, Spec, *Kernel, Of, Continues, Order, Seed));
    }
  }

  Compiler Host;
};

TEST_P(LinearSweep, SweptLengths) {
  std::vector<Sizes> All;
  for (int64_t Length : SweptLengths)
    All.push_back(sizes(2, 4, 2, Length, Length % 7));
  check(spec(64, 64), All);
}

TEST_P(LinearSweep, LongSequence) {
  check(spec(64, 32), {sizes(1, 2, 1, 1000, 100)}, /*Continues=*/true);
}

TEST_P(LinearSweep, HeadDims) {
  // Of q and k, and of v; every recurrence gets two.
  constexpr int64_t Dims[][2] = {{16, 16},  {40, 72},   {72, 40}, {80, 128},
                                 {128, 80}, {128, 128}, {17, 5},  {1, 1}};
  const size_t First = static_cast<size_t>(&text() - linearTexts().data());
  for (size_t I : {First, First + 3}) {
    const auto &[HeadDim, ValueDim] = Dims[I % std::size(Dims)];
    check(spec(HeadDim, ValueDim), {sizes(1, 3, 1, 65, 3), sizes(2, 2, 2, 130)},
          /*Continues=*/true, Layout::Padded);
  }
}

TEST_P(LinearSweep, Chunks) {
  // Up to chunks of which the sequence does not fill one.
  for (int64_t Tokens : {16, 32, 128, 512}) {
    KernelSpec Spec = spec(32, 48);
    Spec.Schedule = chunk(Tokens);
    check(Spec, {sizes(1, 2, 1, 200, 11), sizes(1, 1, 1, 17)},
          /*Continues=*/true);
  }
}

TEST_P(LinearSweep, ElementTypes) {
  constexpr heddle_dtype Types[][2] = {{HEDDLE_F16, HEDDLE_F16},
                                       {HEDDLE_BF16, HEDDLE_BF16},
                                       {HEDDLE_BF16, HEDDLE_F32}};
  for (const auto &[In, Out] : Types) {
    KernelSpec Spec = spec(40, 24);
    Spec.Dtype = In;
    Spec.OutputDtype = Out;
    check(Spec, {sizes(1, 2, 1, 65), sizes(1, 1, 1, 5)}, /*Continues=*/true,
          Layout::Bshd);
  }
}

TEST_P(LinearSweep, Levels) {
  for (const std::string &Level : hostLevels()) {
    KernelSpec Spec = spec(24, 20);
    Spec.Level = Level;
    check(Spec, {sizes(1, 2, 2, 100, 30), sizes(1, 2, 2, 3)});
  }
}

TEST_P(LinearSweep, RaggedBatches) {
  const std::vector<int64_t> Queries = {0, 1, 17, 64, 100, 3, 0};
  std::vector<int64_t> Keys = Queries;
  if (text().IsBidirectional || text().HasWindow)
    for (size_t B = 0; B < Keys.size(); ++B)
      Keys[B] += static_cast<int64_t>(B) * 5;
  Sizes Of = Sizes::ragged(4, 2, Queries, Keys);
  check(spec(32, 48), {Of}, /*Continues=*/true, Layout::Bshd);
  Of.Origin = {3, 0, 7, 1, 0, 50, 2};
  check(spec(16, 16), {Of}, /*Continues=*/false, Layout::Padded);
}

TEST_P(LinearSweep, Origins) {
  Sizes Of = sizes(2, 2, 1, 70, 10);
  Of.Origin = {30, 0};
  // Tables have no positions before 0, where keys of the first would be.
  check(spec(16, 40), {Of}, /*Continues=*/true);
}

INSTANTIATE_TEST_SUITE_P(Recurrences, LinearSweep,
                         testing::ValuesIn(textNames()), sweepName);

} // namespace
