// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is at the edge of what device code may be asked for: numbers that are
// not finite, rows without keys, queries without live tiles, sinks without
// keys, sources without keys, nothing to do at all.

#include "test/exec/Kernels.h"

#include <cmath>
#include <functional>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr float Huge = std::numeric_limits<float>::infinity();
constexpr float NotANumber = std::numeric_limits<float>::quiet_NaN();
constexpr heddle_dtype AllDtypes[] = {HEDDLE_F16, HEDDLE_BF16, HEDDLE_F32};

/// A pattern's kernel for the emulated device.
class EdgeKernel {
public:
  EdgeKernel(Compiler &Host, const Pattern &What, heddle_dtype Dtype,
             int64_t Qk = 24, int64_t V = 40)
      : What(What) {
    Spec.Level = emulatedLevels().front();
    Spec.Dtype = Dtype;
    Spec.HeadDim = Qk;
    Spec.ValueDim = V;
    Kernel = compile(Host, What, Spec);
  }

  testing::AssertionResult
  agrees(const Sizes &Of, Layout Order = Layout::Bhsd,
         const std::function<void(Operands &)> &Change = nullptr) const {
    if (!Kernel)
      return testing::AssertionFailure() << "does not compile";
    Operands Data(Of, Spec, Order);
    if (Change)
      Change(Data);
    return launchAndCompare(What, Spec, *Kernel, Of, Data);
  }

private:
  const Pattern &What;
  KernelSpec Spec;
  std::optional<Program> Kernel;
};

/// An infinity or NaN reaches exactly the rows that keep it, where copies go
/// chunk by chunk and where they go element by element.
TEST(DeviceEdges, NotFinite) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "sliding_window");
  const Sizes Of = {1, 2, 1, 70, 150, {60}, std::vector<int64_t>{20}};
  for (heddle_dtype Dtype : AllDtypes) {
    const EdgeKernel Kernel(Host, What, Dtype);
    for (auto [Order, Row, X] : {std::tuple(Layout::Bhsd, 63, Huge),
                                 std::tuple(Layout::Bhsd, 100, NotANumber),
                                 std::tuple(Layout::Padded, 64, -Huge)}) {
      const std::function<void(Operands &)> Changes[] = {
          [Row = Row, X = X](Operands &Data) { Data.V.set(0, 0, Row, 39, X); },
          [Row = Row, X = X](Operands &Data) { Data.K.set(0, 0, Row, 1, X); },
          [X = X](Operands &Data) { Data.Q.set(0, 1, 17, 0, X); }};
      for (size_t I = 0; I < std::size(Changes); ++I)
        EXPECT_TRUE(Kernel.agrees(Of, Order, Changes[I]))
            << X << " in row " << Row << " of " << "vkq"[I];
    }
  }
}

/// Rows before the first key, in tiles of their own and beside others; whatever
/// the keys hold.
TEST(DeviceEdges, RowsWithoutKeys) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  for (heddle_dtype Dtype : AllDtypes) {
    const EdgeKernel Kernel(Host, What, Dtype);
    for (int64_t Origin : {-150, -70})
      EXPECT_TRUE(Kernel.agrees({1, 2, 1, 150, 90, {Origin}, {}}));
    EXPECT_TRUE(Kernel.agrees({1, 2, 1, 150, 90, {-300}, {}}, Layout::Bhsd,
                              [](Operands &Data) {
                                for (Tensor *T : {&Data.Q, &Data.K, &Data.V})
                                  T->reset();
                              }));
  }
}

/// A sink is in the sum of every row, also where there is nothing else in it.
TEST(DeviceEdges, SinksAlone) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "sink_softmax");
  const std::vector<float> Sinks = {0.5F, -2};
  const std::vector<Value> Params = {Value::table({2}, Sinks), Value(10)};
  for (heddle_dtype Dtype : AllDtypes) {
    const EdgeKernel Kernel(Host, What, Dtype);
    for (auto [Keys, Origin] :
         {std::pair(0, 0), std::pair(90, -40), std::pair(90, 300)})
      EXPECT_TRUE(Kernel.agrees({1, 2, 1, 70, Keys, {Origin}, Params}));
  }
}

TEST(DeviceEdges, SourcesOfAnyLength) {
  Compiler Host;
  const Result<Pattern> What = Pattern::parse(Host, R"(
attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.pattern @near keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %near = attn.in %d, #attn.interval<0, 30>
  attn.keep %near
}
attn.combine @three [@near, @all, @all])",
                                              "three.mlir");
  ASSERT_TRUE(What) << What.failure().str();
  for (heddle_dtype Dtype : AllDtypes) {
    const EdgeKernel Kernel(Host, *What, Dtype);
    for (auto [Keys, First, Second] :
         {std::tuple(0, 0, 0), std::tuple(0, 1, 65), std::tuple(70, 130, 0)}) {
      Sizes Of = {1, 2, 1, 70, Keys, {}, {}};
      Of.MoreKeys = {First, Second};
      EXPECT_TRUE(Kernel.agrees(Of));
    }
  }
}

TEST(DeviceEdges, NothingToDo) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  const EdgeKernel Kernel(Host, What, HEDDLE_F16);
  EXPECT_TRUE(Kernel.agrees({0, 2, 1, 70, 70, {}, {}}));
  EXPECT_TRUE(Kernel.agrees({2, 0, 1, 70, 70, {}, {}}));
  EXPECT_TRUE(Kernel.agrees({2, 2, 1, 0, 70, {}, {}}));
  EXPECT_TRUE(Kernel.agrees({2, 2, 1, 0, 0, {}, {}}));
}

/// Rows of one element, of an odd number of them, and of more than a product
/// has registers for.
TEST(DeviceEdges, HeadDims) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  const Sizes Of = {1, 2, 1, 40, 70, {30}, {}};
  for (auto [Qk, V, Dtype] :
       {std::tuple(1, 1, HEDDLE_BF16), std::tuple(1, 65, HEDDLE_F16),
        std::tuple(130, 1, HEDDLE_F16), std::tuple(24, 512, HEDDLE_F16),
        std::tuple(512, 8, HEDDLE_BF16), std::tuple(200, 72, HEDDLE_F32)}) {
    const EdgeKernel Kernel(Host, What, Dtype, Qk, V);
    for (Layout Order : {Layout::Bshd, Layout::Padded})
      EXPECT_TRUE(Kernel.agrees(Of, Order));
  }
}

} // namespace
