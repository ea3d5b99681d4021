// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tasks of several query heads of a group: right, and bit for bit what tasks of
// one head give, however many heads a task takes.

#include "test/exec/Kernels.h"
#include "test/exec/PatternTexts.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

class Heads : public testing::Test {
protected:
  using Values = std::function<ValueList(const Sizes &)>;

  static KernelSpec ofHeads(int64_t Heads, int64_t Qk = 40, int64_t V = 0) {
    KernelSpec Spec;
    Spec.HeadDim = Qk;
    Spec.ValueDim = V;
    Spec.Schedule.Heads = Heads;
    return Spec;
  }

  static ValueList none(const Sizes & /*Of*/) { return {}; }

  /// Groups and lengths of all kinds on every level, against the interpreter
  /// and against tasks of one head.
  void agree(const std::string &Text, KernelSpec Spec,
             const Values &Make = none) {
    constexpr struct {
      int64_t Group, HeadsKv, Queries, Keys;
    } Problems[] = {{1, 2, 65, 130}, {3, 2, 63, 65}, {4, 1, 130, 200},
                    {8, 1, 1, 64},   {5, 2, 97, 1},  {4, 2, 0, 64},
                    {4, 1, 64, 0}};
    for (const std::string &Level : hostLevels()) {
      Spec.Level = Level;
      compileFor(Text, Spec);
      for (const auto &P : Problems) {
        Sizes Of = {2, P.Group * P.HeadsKv, P.HeadsKv, P.Queries, P.Keys, {},
                    {}};
        Of.Params = Make(Of);
        compare(Of);
      }
    }
  }

  void compileFor(const std::string &Text, const KernelSpec &Spec) {
    Of = Spec;
    Result<Pattern> Parsed = Pattern::parse(Host, Text, "heads.mlir");
    ASSERT_TRUE(Parsed) << Parsed.failure().str();
    What = std::move(*Parsed);
    Shared = compile(Host, *What, Of);
    KernelSpec Alone = Of;
    Alone.Schedule.Heads = 1;
    One = compile(Host, *What, Alone);
    ASSERT_TRUE(Shared && One);
  }

  /// One thread takes as many heads as the code can, several take fewer where
  /// there are few tasks.
  void compare(const Sizes &Problem) {
    ASSERT_TRUE(Shared && One);
    Operands First(Problem, Of), Single(Problem, Of);
    ASSERT_TRUE(launchAndCompare(*What, Of, *Shared, Problem, First, 1));
    ASSERT_TRUE(launch(*One, Problem, Single, 1));
    EXPECT_TRUE(First.sameResults(Single)) << commandLine(*What, Of, Problem);
    Operands Again(Problem, Of, Layout::Bshd, Placement::AfterGuard);
    ASSERT_TRUE(launch(*Shared, Problem, Again, 3));
    EXPECT_TRUE(Again.gapsIntact());
    EXPECT_TRUE(First.sameResults(Again)) << commandLine(*What, Of, Problem);
  }

  static std::string causal(const std::string &Params,
                            const std::string &Clauses) {
    return "attn.pattern @p" + Params + R"( keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} )" + Clauses;
  }
  static std::string rope() {
    return causal("(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)",
                  "rotate(%cos, %sin)");
  }
  Values turns(int64_t HeadDim) {
    return [this, HeadDim](const Sizes &Of) {
      const std::vector<int64_t> Shape = {std::max(Of.SeqQ, Of.SeqK),
                                          HeadDim / 2};
      return ValueList{Value::randomReals(Random, Shape, -1.0F, 1.0F),
                       Value::randomReals(Random, Shape, -1.0F, 1.0F)};
    };
  }

  Compiler Host;
  std::mt19937_64 Random{11};
  KernelSpec Of;
  std::optional<Pattern> What;
  std::optional<Program> Shared, One;
};

constexpr heddle_dtype Dtypes[] = {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16};

TEST_F(Heads, RotatedKeysInEveryDtype) {
  for (heddle_dtype Dtype : Dtypes) {
    KernelSpec Spec = ofHeads(4);
    Spec.Dtype = Dtype;
    agree(rope(), Spec, turns(40));
  }
}

TEST_F(Heads, PlainKeysInEveryDtype) {
  for (heddle_dtype Dtype : Dtypes) {
    KernelSpec Spec = ofHeads(3, 72, 24);
    Spec.Dtype = Dtype;
    agree(SlidingWindowText, Spec,
          [](const Sizes & /*Of*/) { return ValueList{Value(37)}; });
  }
}

TEST_F(Heads, HeadDims) {
  for (int64_t HeadDim : {80, 128}) {
    const Values Make = turns(HeadDim);
    compileFor(rope(), ofHeads(4, HeadDim));
    Sizes Problem = {1, 6, 1, 70, 1000, {930}, {}};
    Problem.Params =
        ValueList{Value::randomReals(Random, {1000, HeadDim / 2}, -1.0F, 1.0F),
                  Value::randomReals(Random, {1000, HeadDim / 2}, -1.0F, 1.0F)};
    compare(Problem);
  }
}

/// The score region has a table by head, of which every head sees its own row;
/// so do the outputs.
TEST_F(Heads, ScoresAndSinksOfEachHead) {
  KernelSpec Spec = ofHeads(4);
  Spec.Outputs.RowMax = true;
  agree(causal("(%slope: tensor<?xf32>, %sink: tensor<?xf32>)",
               R"(score(%s, %b, %h, %q, %k) {
  %m = attn.at %slope[%h] : tensor<?xf32>
  %d = arith.subi %k, %q : index
  %i = arith.index_cast %d : index to i32
  %x = arith.sitofp %i : i32 to f32
  %y = arith.mulf %m, %x : f32
  %t = arith.addf %s, %y : f32
  attn.score %t
} normalize softmax sink(%sink))"),
        Spec, [&](const Sizes &P) {
          return ValueList{Value::randomReals(Random, {P.HeadsQ}, 0.0F, 1.0F),
                           Value::randomReals(Random, {P.HeadsQ}, -2.0F, 2.0F)};
        });
}

TEST_F(Heads, OtherNormalisers) {
  for (const char *Normalizer : {"sigmoid", "identity", "grouped 16"})
    agree(causal("", std::string("normalize ") + Normalizer), ofHeads(4));
}

TEST_F(Heads, OutputsByColumns) {
  KernelSpec Spec = ofHeads(4);
  Spec.Outputs = {true, true, 32, 64};
  agree(causal("", ""), Spec);
}

/// Columns are gathered, once for all heads.
TEST_F(Heads, ListedColumns) {
  const std::string Text = R"(
attn.pattern @columns(%cols: !attn.set, %diags: !attn.set)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %column = attn.in %k, %cols[%b]
  %slash = attn.in %d, %diags[%b]
  %kept = arith.ori %column, %slash : i1
  attn.keep %kept
})";
  for (heddle_dtype Dtype : Dtypes) {
    KernelSpec Spec = ofHeads(4);
    Spec.Dtype = Dtype;
    agree(Text, Spec, [&](const Sizes &P) {
      return ValueList{Value::randomSets(Random, {P.Batch}, P.SeqK),
                       Value::randomSets(Random, {P.Batch}, P.SeqK)};
    });
  }
}

TEST_F(Heads, TokenGrids) {
  for (heddle_dtype Dtype : Dtypes)
    for (const std::string &Level : hostLevels()) {
      KernelSpec Spec = ofHeads(4);
      Spec.Dtype = Dtype;
      Spec.Level = Level;
      compileFor(VideoText, Spec);
      Sizes Problem = {1, 6, 2, 3 * 11 * 13, 3 * 11 * 13, {}, {}};
      Problem.Params = {Value(3), Value(11), Value(13)};
      compare(Problem);
    }
}

TEST_F(Heads, SeveralSources) {
  const std::string Text = std::string(SlidingWindowText) + R"(
attn.pattern @every(%step: index) keep(%b, %h, %q, %k) {
  %kept = arith.cmpi sge, %k, %step : index
  attn.keep %kept
}
attn.combine @both [@sliding_window, @every]
)";
  compileFor(Text, ofHeads(4));
  for (int64_t More : {0, 1, 70}) {
    Sizes Problem = {2, 8, 2, 97, 130, {}, {Value(20), Value(3)}};
    Problem.MoreKeys = {More};
    compare(Problem);
  }
}

TEST_F(Heads, RaggedBatches) {
  compileFor(causal("", ""), ofHeads(4));
  compare(Sizes::ragged(8, 2, {0, 65, 1, 130}, {70, 65, 0, 200}));
}

/// So many tasks that three threads share heads as well.
TEST_F(Heads, ManyTasksOnSeveralThreads) {
  compileFor(rope(), ofHeads(4, 16));
  Sizes Problem = {1, 12, 2, 700, 700, {}, {}};
  Problem.Params = ValueList{Value::randomReals(Random, {700, 8}, -1.0F, 1.0F),
                             Value::randomReals(Random, {700, 8}, -1.0F, 1.0F)};
  compare(Problem);
}

} // namespace
