// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Column sums and block maxima where keys are not one sequence: on token grids
// and of several sources. On every level, against the interpreter.

#include "test/exec/Kernels.h"
#include "test/exec/PatternTexts.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

class Columns : public testing::Test {
protected:
  /// All further outputs, with the given blocks.
  static KernelSpec spec(int64_t BlockQ, int64_t BlockK) {
    KernelSpec Spec;
    Spec.HeadDim = 20;
    Spec.ValueDim = 12;
    Spec.Outputs = {true, true, BlockQ, BlockK};
    return Spec;
  }

  /// Agrees on all problems, with blocks that cut rows of a grid and with
  /// blocks that hold several.
  void agree(const std::string &Text, const std::vector<Sizes> &Problems) {
    for (auto [BlockQ, BlockK] : {std::pair(7, 5), std::pair(50, 64)}) {
      SCOPED_TRACE(BlockQ);
      OnEveryLevel Kernels(Host, Text, spec(BlockQ, BlockK));
      uint64_t Seed = 0;
      for (const Sizes &Of : Problems) {
        ++Seed;
        ASSERT_TRUE(
            Kernels.agree(Of, Seed % 2 ? Layout::Bhsd : Layout::Bshd, Seed));
      }
    }
  }

  Compiler Host;
};

/// Tokens at most six apart along both axes, which `Clauses` follow.
std::string window13(const std::string &Clauses = "") {
  return R"(attn.pattern @window13(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %dy = arith.subi %qy, %ky : index
  %dx = arith.subi %qx, %kx : index
  %y = attn.in %dy, #attn.interval<-6, 7>
  %x = attn.in %dx, #attn.interval<-6, 7>
  %near = arith.andi %y, %x : i1
  attn.keep %near
} )" + Clauses;
}

/// A problem on an H x W grid, two query heads to a head of keys.
Sizes ofGrid(int64_t H, int64_t W) {
  return {2, 4, 2, H * W, H * W, {}, {H, W}};
}

TEST_F(Columns, NeighbourhoodsOfTwoAxes) {
  agree(window13(), {ofGrid(17, 23), ofGrid(30, 9), ofGrid(1, 40), ofGrid(8, 8),
                     ofGrid(0, 5)});
}

TEST_F(Columns, NeighbourhoodsUnderOtherNormalisers) {
  for (const char *Normalizer : {"sigmoid", "relu", "identity"}) {
    SCOPED_TRACE(Normalizer);
    agree(window13(std::string("normalize ") + Normalizer), {ofGrid(17, 23)});
  }
}

TEST_F(Columns, NeighbourhoodsWithChangedScores) {
  agree(window13(R"(score(%s, %b, %h, %qy, %qx, %ky, %kx) {
  %d = arith.subi %qx, %kx : index
  %i = arith.index_cast %d : index to i64
  %x = arith.sitofp %i : i64 to f32
  %y = arith.addf %s, %x : f32
  attn.score %y factor %x
})"),
        {ofGrid(17, 23)});
}

TEST_F(Columns, CausalOnAGridOfOneAxis) {
  std::vector<Sizes> Problems;
  for (int64_t N : {1, 63, 64, 131})
    Problems.push_back({1, 4, 1, N, N, {}, {Value(N)}});
  agree(R"(attn.pattern @causal(%N: index) grid(%N) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
})",
        Problems);
}

TEST_F(Columns, CausalInTimeOnAGridOfThreeAxes) {
  std::vector<Sizes> Problems;
  for (auto [T, H, W] :
       {std::tuple(2, 3, 4), std::tuple(5, 6, 7), std::tuple(3, 9, 10)})
    Problems.push_back({1, 2, 1, T * H * W, T * H * W, {}, {T, H, W}});
  agree(VideoText, Problems);
}

TEST_F(Columns, KeysOnAGridOfTheirOwn) {
  std::vector<Sizes> Problems;
  for (auto [H, W] : {std::pair(7, 9), std::pair(17, 23), std::pair(16, 32)}) {
    const int H2 = (H + 1) / 2, W2 = (W + 1) / 2;
    Problems.push_back({1, 2, 2, H * W, H2 * W2, {}, {H, W, H2, W2}});
  }
  agree(R"(
attn.pattern @coarse(%H: index, %W: index, %h2: index, %w2: index)
    grid(%H x %W) keys(%h2 x %w2) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %two = arith.constant 2 : index
  %y = arith.floordivsi %qy, %two : index
  %x = arith.floordivsi %qx, %two : index
  %dy = arith.subi %y, %ky : index
  %dx = arith.subi %x, %kx : index
  %ny = attn.in %dy, #attn.interval<-2, 3>
  %nx = attn.in %dx, #attn.interval<-2, 3>
  %near = arith.andi %ny, %nx : i1
  attn.keep %near
})",
        Problems);
}

/// A window over the own sequence, and keys of a second source that begin as
/// late as the parameter says.
constexpr const char *WindowAndMemory = R"(
attn.pattern @window keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %near = attn.in %d, #attn.interval<0, 20>
  attn.keep %near
}
attn.pattern @memory(%from: index) keep(%b, %h, %q, %k) {
  %late = arith.cmpi sge, %k, %from : index
  attn.keep %late
}
attn.combine @both [@window, @memory]
)";

TEST_F(Columns, SourcesOfDifferentLengths) {
  std::vector<Sizes> Problems;
  for (auto [Queries, Keys] :
       {std::pair(1, 1), std::pair(65, 200), std::pair(200, 63)})
    for (int64_t More : {0, 1, 70, 300}) {
      Sizes Of = {2, 4, 2, Queries, Keys, {}, {Value(3)}};
      Of.MoreKeys = {More};
      Problems.push_back(Of);
    }
  Sizes Ragged = Sizes::ragged(4, 2, {5, 0, 70, 1}, {64, 3, 70, 0}, {Value(3)});
  Ragged.MoreKeys = {40};
  Problems.push_back(Ragged);
  agree(WindowAndMemory, Problems);
}

TEST_F(Columns, ThreeSourcesWithoutASum) {
  std::string Text = WindowAndMemory;
  for (size_t At = Text.find("}\nattn"); At != std::string::npos;
       At = Text.find("}\nattn", At + 1))
    Text.insert(At + 1, " normalize sigmoid");
  Text.replace(Text.find("[@window, @memory]"), 18,
               "[@memory, @window, @memory]");
  Sizes Of = {2, 2, 1, 90, 33, {}, {Value(3)}};
  Of.MoreKeys = {90, 17};
  agree(Text, {Of});
}

/// Launches with several numbers of threads, over and over.
void expectSameBits(Compiler &Host, const std::string &Text, KernelSpec Spec,
                    const Sizes &Of) {
  Result<Pattern> What = Pattern::parse(Host, Text, "test.mlir");
  ASSERT_TRUE(What) << What.failure().str();
  for (const std::string &Level : hostLevels()) {
    Spec.Level = Level;
    std::optional<Program> Kernel = compile(Host, *What, Spec);
    ASSERT_TRUE(Kernel);
    Operands First(Of, Spec);
    ASSERT_TRUE(launch(*Kernel, Of, First, 1));
    for (int32_t Threads : {1, 2, 5})
      for (int Again = 0; Again < 3; ++Again) {
        Operands Next(Of, Spec);
        ASSERT_TRUE(launch(*Kernel, Of, Next, Threads));
        ASSERT_TRUE(First.sameResults(Next)) << Level << " " << Threads;
      }
  }
}

TEST_F(Columns, DoNotDependOnTheNumberOfThreads) {
  // Every task raises every row of blocks: all meet in a few elements.
  expectSameBits(Host, window13(), spec(512, 512), ofGrid(24, 40));
  Sizes Of = {2, 2, 1, 200, 150, {}, {Value(3)}};
  Of.MoreKeys = {300};
  expectSameBits(Host, WindowAndMemory, spec(16, 48), Of);
}

} // namespace
