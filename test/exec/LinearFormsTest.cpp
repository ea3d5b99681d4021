// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every example with a recurrence, in all of its forms: by chunks, by tokens,
// over pairs of tokens, and both forms of the interpreter.

#include "dialect/attn/reference/Recurrence.h"
#include "test/exec/LinearKernels.h"
#include "llvm/ADT/StringExtras.h"

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr int64_t HeadDim = 8, ValueDim = 12, WindowLength = 24;
constexpr int64_t Length = 100;
/// The tokens of a prefill, and those of it and decode steps.
constexpr int64_t Prefill = 1000, Together = 1100;

std::string readText(const std::filesystem::path &From) {
  std::ifstream File(From);
  return {std::istreambuf_iterator<char>(File), {}};
}

std::vector<std::string> recurrenceExamples() {
  std::vector<std::string> Names;
  for (const std::filesystem::directory_entry &File :
       std::filesystem::directory_iterator(HEDDLE_EXAMPLES_DIR))
    if (File.path().extension() == ".mlir" &&
        readText(File.path()).find("attn.recurrence @") != std::string::npos)
      Names.push_back(File.path().stem().string());
  llvm::sort(Names);
  return Names;
}

/// A table like "random:0..1@bxhxq", the value that commands propose.
Value makeTable(llvm::StringRef Words, const Sizes &Of, int64_t Mapped,
                std::mt19937_64 &Random) {
  auto [Kind, Shape] = Words.split('@');
  std::vector<int64_t> Extents;
  for (llvm::StringRef Name : llvm::split(Shape, 'x')) {
    const int64_t Extent = Name == "b"   ? Of.Batch
                           : Name == "h" ? Of.HeadsQ
                           : Name == "q" ? Of.SeqQ
                           : Name == "k" ? Of.SeqK
                           : Name == "d" ? HeadDim
                           : Name == "v" ? ValueDim
                           : Name == "f" ? Mapped
                                         : 1;
    Extents.push_back(Extent);
  }
  double Low = -1, High = 1;
  auto [From, To] = Kind.split("..");
  if (From.consume_front("random:"))
    EXPECT_FALSE(From.getAsDouble(Low) || To.getAsDouble(High)) << Words.str();
  else
    EXPECT_EQ(Kind.str(), "normal");
  return Value::randomReals(Random, Extents, static_cast<float>(Low),
                            static_cast<float>(High));
}

class LinearExamples : public testing::TestWithParam<std::string> {
protected:
  ValueList values(const PatternInfo &Info, const Sizes &Of, int64_t Mapped) {
    std::mt19937_64 Random(5);
    std::vector<Value> All;
    for (const PatternParam &Param : Info.Params)
      if (Param.Kind == HEDDLE_INTEGER)
        All.push_back(WindowLength);
      else if (Param.Kind == HEDDLE_REAL)
        All.push_back(Param.RealDefault.value_or(0.5));
      else
        All.push_back(makeTable(Param.Example, Of, Mapped, Random));
    return All;
  }

  Compiler Host;
};

TEST_P(LinearExamples, AllFormsAgree) {
  const std::string Text =
      readText(HEDDLE_EXAMPLES_DIR "/" + GetParam() + ".mlir");
  const RecurrenceText What(Host, Text);
  ASSERT_TRUE(What.isGood());
  Result<Source> Parsed = Host.parse(Text, GetParam());
  ASSERT_TRUE(static_cast<bool>(Parsed));
  const std::vector<PatternInfo> All = Parsed->patterns();
  const PatternInfo &Info = All.front();
  ASSERT_TRUE(All.size() == 1 && Info.Recurrence);
  const RecurrenceInfo &Of = *Info.Recurrence;

  KernelSpec Spec;
  Spec.HeadDim = HeadDim;
  Spec.ValueDim = ValueDim;
  Spec.Schedule = chunk(32);
  const std::optional<Program> Chunked = What.compile(Host, Spec);
  ASSERT_TRUE(Chunked);
  auto ProblemOf = [&](int64_t Tokens) {
    Sizes Made = {1, 2, 1, Tokens, Of.IsCausal ? Tokens : Tokens + 11, {}, {}};
    Made.Params = values(Info, Made, What.meaning().numMapped(HeadDim));
    return Made;
  };

  const Sizes Problem = ProblemOf(Length);
  LinearOperands Data(Problem, Spec, *Chunked);
  Data.comeFrom(What, Spec, Problem);
  ASSERT_TRUE(runAndCompare(What, Spec, *Chunked, Problem, Data));
  ASSERT_TRUE(comparePairs(What, Spec, Problem, Data)) << Text;
  if (!Of.HasDelta) {
    Spec.Quadratic = true;
    const std::optional<Program> Pairs = What.compile(Host, Spec);
    ASSERT_TRUE(Pairs);
    const heddle_code *Code = nullptr;
    ASSERT_TRUE(succeeded(heddle_kernel_code(Pairs->kernel(), &Code)));
    EXPECT_EQ(Code->step, nullptr);
    ASSERT_TRUE(runAndCompare(What, Spec, *Pairs, Problem, Data));
    Spec.Quadratic = false;
  }
  if (!Of.IsCausal)
    return;
  const int64_t Window = Of.WindowParam ? WindowLength : 0;
  auto CheckParts = [&](const Sizes &All, int64_t First,
                        const LinearOperands &In) {
    std::vector<int64_t> Ends;
    for (int64_t I = First; I <= All.SeqQ; ++I)
      Ends.push_back(I);
    ASSERT_TRUE(launchParts(*Chunked, All, Ends, In, Window));
    ASSERT_TRUE(compareLinear(What, Spec, All, In)) << Text;
  };
  CheckParts(Problem, 1, Data);
  const Sizes Long = ProblemOf(Together);
  CheckParts(Long, Prefill, LinearOperands(Long, Spec, *Chunked));
}

INSTANTIATE_TEST_SUITE_P(Examples, LinearExamples,
                         testing::ValuesIn(recurrenceExamples()),
                         [](const testing::TestParamInfo<std::string> &Info) {
                           return Info.param;
                         });

} // namespace
