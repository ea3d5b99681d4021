// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns with run-time tables and sets, token grids, score regions,
// normalisers and several sources, on every level, against the interpreter.

#include "test/exec/Kernels.h"
#include "test/exec/PatternTexts.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

struct OddLengths {
  int64_t Queries, Keys;
};

constexpr OddLengths Odd[] = {{1, 1},    {63, 65},   {64, 64}, {65, 200},
                              {200, 63}, {257, 300}, {0, 64},  {64, 0}};

class Families : public testing::Test {
protected:
  /// Agrees for all odd lengths; `Values` makes the parameters of a problem.
  template <typename Body>
  void agree(const std::string &Text, KernelSpec Spec, Body Values) {
    OnEveryLevel Kernels(Host, Text, std::move(Spec));
    uint64_t Seed = 1;
    for (const OddLengths &N : Odd) {
      Sizes Of = {2, 4, 2, N.Queries, N.Keys, {}, {}};
      Of.Params = Values(Of);
      ASSERT_TRUE(Kernels.agree(Of, Layout::Bhsd, Seed++));
    }
  }
  void agree(const std::string &Text, KernelSpec Spec = small()) {
    agree(Text, std::move(Spec), [](const Sizes &) { return ValueList(); });
  }

  static KernelSpec small() {
    KernelSpec Spec;
    Spec.HeadDim = 24;
    Spec.ValueDim = 20;
    Spec.OnDevices = true;
    return Spec;
  }

  Compiler Host;
  std::mt19937_64 Random{7};
};

//===----------------------------------------------------------------------===//
// Tables and sets
//===----------------------------------------------------------------------===//

TEST_F(Families, WindowAndSinkPerHead) {
  agree(WindowPerHeadText, small(), [&](const Sizes &Of) {
    return ValueList{Value::randomIntegers(Random, {Of.HeadsQ}, 0, 120),
                     Value::randomIntegers(Random, {Of.HeadsQ}, 0, 9)};
  });
}

TEST_F(Families, DocumentsSortedAndNot) {
  const std::string Text = R"(
attn.pattern @documents(%doc: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %kept = arith.andi %same, %past : i1
  attn.keep %kept
})";
  for (bool IsSorted : {true, false})
    agree(Text, small(), [&](const Sizes &Of) {
      const int64_t Length = std::max(Of.SeqQ, Of.SeqK);
      return ValueList{
          IsSorted ? Value::sorted(Random, {Of.Batch, Length}, 5)
                   : Value::randomIntegers(Random, {Of.Batch, Length}, 0, 4)};
    });
}

TEST_F(Families, ColumnsAndDiagonals) {
  agree(VerticalSlashText, small(), [&](const Sizes &Of) {
    return ValueList{Value::randomSets(Random, {Of.Batch, Of.HeadsQ}, Of.SeqK),
                     Value::randomSets(Random, {1, Of.HeadsQ}, Of.SeqK)};
  });
}

TEST_F(Families, BlockMapsOfOtherSizesThanTiles) {
  for (auto [Rows, Columns] : {std::pair(16, 16), std::pair(64, 32),
                               std::pair(128, 64), std::pair(100, 7)}) {
    const std::string Text = R"(
attn.pattern @block_map(%blocks: !attn.set) keep(%b, %h, %q, %k) {
  %rows = arith.constant )" + std::to_string(Rows) +
                             R"( : index
  %columns = arith.constant )" +
                             std::to_string(Columns) +
                             R"( : index
  %i = arith.floordivsi %q, %rows : index
  %j = arith.floordivsi %k, %columns : index
  %kept = attn.in %j, %blocks[%b, %h, %i]
  attn.keep %kept
})";
    agree(Text, small(), [&, Rows = Rows, Columns = Columns](const Sizes &Of) {
      return ValueList{Value::randomSets(
          Random,
          {Of.Batch, 1, std::max<int64_t>(1, (Of.SeqQ + Rows - 1) / Rows)},
          (Of.SeqK + Columns - 1) / Columns)};
    });
  }
}

TEST_F(Families, RandomListsOfEveryFormat) {
  const std::string Text = R"(
attn.pattern @columns(%cols: !attn.set) keep(%b, %h, %q, %k) {
  %kept = attn.in %k, %cols[%b, %h]
  attn.keep %kept
})";
  OnEveryLevel Kernels(Host, Text, small());
  for (int Draw = 0; Draw < 60; ++Draw) {
    const auto Length = static_cast<int64_t>(Random() % 300);
    Sizes Of = {2, 2, 1, 50, Length, {}, {}};
    Of.Params = {Value::randomSets(Random, {2, 2}, Length)};
    ASSERT_TRUE(Kernels.agree(Of)) << "draw " << Draw;
  }
}

//===----------------------------------------------------------------------===//
// Grids
//===----------------------------------------------------------------------===//

constexpr const char *Neighborhood2D = R"(
attn.pattern @patch(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %dy = arith.subi %qy, %ky : index
  %dx = arith.subi %qx, %kx : index
  %y = attn.in %dy, #attn.interval<-3, 4>
  %x = attn.in %dx, #attn.interval<-2, 3>
  %near = arith.andi %y, %x : i1
  attn.keep %near
})";

TEST_F(Families, GridOfTwoAxes) {
  OnEveryLevel Kernels(Host, Neighborhood2D, small());
  for (auto [H, W] : {std::pair(1, 1), std::pair(7, 9), std::pair(16, 16),
                      std::pair(3, 50), std::pair(23, 17), std::pair(0, 5)}) {
    Sizes Of = {2, 2, 1, H * W, H * W, {}, {Value(H), Value(W)}};
    ASSERT_TRUE(Kernels.agree(Of)) << H << " x " << W;
  }
}

TEST_F(Families, GridsOfDifferentResolution) {
  OnEveryLevel Kernels(Host, R"(
attn.pattern @cross(%H: index, %W: index, %h2: index, %w2: index)
    grid(%H x %W) keys(%h2 x %w2) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %two = arith.constant 2 : index
  %y2 = arith.floordivsi %qy, %two : index
  %x2 = arith.floordivsi %qx, %two : index
  %dy = arith.subi %y2, %ky : index
  %dx = arith.subi %x2, %kx : index
  %y = attn.in %dy, #attn.interval<-1, 2>
  %x = attn.in %dx, #attn.interval<-1, 2>
  %near = arith.andi %y, %x : i1
  attn.keep %near
})",
                       small());
  for (auto [H, W] : {std::pair(4, 6), std::pair(13, 21), std::pair(30, 18)}) {
    const int H2 = (H + 1) / 2, W2 = (W + 1) / 2;
    Sizes Of = {1, 2, 2, H * W, H2 * W2, {}, {H, W, H2, W2}};
    ASSERT_TRUE(Kernels.agree(Of)) << H << " x " << W;
  }
}

TEST_F(Families, GridOfThreeAxes) {
  OnEveryLevel Kernels(Host, VideoText, small());
  for (auto [T, H, W] :
       {std::tuple(2, 3, 4), std::tuple(5, 6, 7), std::tuple(4, 9, 10)}) {
    Sizes Of = {1, 2, 1, T * H * W, T * H * W, {}, {T, H, W}};
    ASSERT_TRUE(Kernels.agree(Of)) << T << " x " << H << " x " << W;
  }
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// A causal pattern with more clauses after its keep region.
std::string causal(const std::string &Params, const std::string &Clauses) {
  return "attn.pattern @causal" + Params + R"( keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} )" + Clauses;
}

TEST_F(Families, LinearBiasPerHead) {
  agree(causal("(%slope: tensor<?xf32>)", R"(score(%s, %b, %h, %q, %k) {
  %m = attn.at %slope[%h] : tensor<?xf32>
  %d = arith.subi %k, %q : index
  %i = arith.index_cast %d : index to i64
  %x = arith.sitofp %i : i64 to f32
  %bias = arith.mulf %m, %x : f32
  %y = arith.addf %s, %bias : f32
  attn.score %y
})"),
        small(), [&](const Sizes &Of) {
          return ValueList{
              Value::randomReals(Random, {Of.HeadsQ}, 0.01F, 0.5F)};
        });
}

TEST_F(Families, SoftcapWithADefault) {
  agree(causal("(%cap: f32 = 3.0e+01)", R"(score(%s, %b, %h, %q, %k) {
  %x = arith.divf %s, %cap : f32
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %cap : f32
  attn.score %y
})"),
        small(), [](const Sizes &) { return ValueList{Value(2.5)}; });
}

TEST_F(Families, BiasTablesAndFactors) {
  agree(causal("(%bias: tensor<?x?xf32>, %gain: tensor<?xf32>)",
               R"(score(%s, %b, %h, %q, %k) {
  %x = attn.at %bias[%q, %k] : tensor<?x?xf32>
  %g = attn.at %gain[%k] : tensor<?xf32>
  %y = arith.addf %s, %x : f32
  attn.score %y factor %g
})"),
        small(), [&](const Sizes &Of) {
          return ValueList{
              Value::randomReals(Random, {Of.SeqQ, Of.SeqK}, -2.0F, 2.0F),
              Value::randomReals(Random, {Of.SeqK}, 0.5F, 1.5F)};
        });
}

TEST_F(Families, RotatesOnLoad) {
  KernelSpec Spec = small();
  agree(
      causal("(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)",
             "rotate(%cos, %sin)"),
      Spec, [&](const Sizes &Of) {
        const int64_t Length = std::max(Of.SeqQ, Of.SeqK);
        return ValueList{
            Value::randomReals(Random, {Length, Spec.HeadDim / 2}, -1.0F, 1.0F),
            Value::randomReals(Random, {Length, Spec.HeadDim / 2}, -1.0F,
                               1.0F)};
      });
}

//===----------------------------------------------------------------------===//
// Normalisers
//===----------------------------------------------------------------------===//

TEST_F(Families, WeightsThatAreSums) {
  for (const char *Normalizer : {"sigmoid", "relu", "relu2", "identity"}) {
    SCOPED_TRACE(Normalizer);
    agree(causal("", std::string("normalize ") + Normalizer));
  }
}

TEST_F(Families, SinkLogitPerHead) {
  agree(causal("(%sink: tensor<?xf32>)", "normalize softmax sink(%sink)"),
        small(), [&](const Sizes &Of) {
          return ValueList{
              Value::randomReals(Random, {Of.HeadsQ}, -2.0F, 2.0F)};
        });
}

TEST_F(Families, GroupedSoftmax) {
  for (int64_t Group : {8, 16, 23, 64}) {
    SCOPED_TRACE(Group);
    agree(causal("", "normalize grouped " + std::to_string(Group)), small());
  }
}

//===----------------------------------------------------------------------===//
// Sources and outputs
//===----------------------------------------------------------------------===//

static std::string windowAndPrefix() {
  return std::string(SlidingWindowText) + R"(
attn.pattern @every(%step: index) keep(%b, %h, %q, %k) {
  %kept = arith.cmpi sge, %k, %step : index
  attn.keep %kept
}
attn.combine @both [@sliding_window, @every]
)";
}

TEST_F(Families, TwoSourcesUnderOneSoftmax) {
  OnEveryLevel Kernels(Host, windowAndPrefix(), small());
  for (const OddLengths &N : Odd)
    for (int64_t More : {0, 1, 70}) {
      Sizes Of = {2, 4, 2, N.Queries, N.Keys, {}, {Value(20), Value(3)}};
      Of.MoreKeys = {More};
      ASSERT_TRUE(Kernels.agree(Of));
    }
}

TEST_F(Families, FurtherOutputs) {
  KernelSpec Spec = small();
  Spec.Outputs.RowMax = Spec.Outputs.ColumnSums = true;
  for (auto [BlockQ, BlockK] :
       {std::pair(64, 64), std::pair(16, 128), std::pair(50, 30)}) {
    Spec.Outputs.BlockQ = BlockQ;
    Spec.Outputs.BlockK = BlockK;
    SCOPED_TRACE(BlockQ);
    agree(causal("", ""), Spec);
  }
}

TEST_F(Families, RaggedBatches) {
  KernelSpec Spec = small();
  const std::string Text = causal("", "");
  OnEveryLevel Kernels(Host, Text, Spec);
  for (Layout Order : {Layout::Bhsd, Layout::Bshd}) {
    ASSERT_TRUE(Kernels.agree(
        Sizes::ragged(4, 2, {5, 0, 70, 1}, {64, 3, 70, 0}), Order));
    ASSERT_TRUE(
        Kernels.agree(Sizes::ragged(2, 1, {200, 131}, {200, 131}), Order));
  }
  Sizes Moved = Sizes::ragged(2, 2, {30, 40}, {100, 90});
  Moved.Origin = {70, 50};
  ASSERT_TRUE(Kernels.agree(Moved));
}

TEST_F(Families, RaggedBatchesWithFurtherOutputs) {
  KernelSpec Spec = small();
  Spec.Outputs = {true, true, 32, 48};
  OnEveryLevel Kernels(Host, causal("", ""), Spec);
  ASSERT_TRUE(Kernels.agree(Sizes::ragged(2, 1, {5, 70, 33}, {64, 70, 100})));
}

} // namespace
