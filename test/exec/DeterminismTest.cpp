// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Equal inputs give equal bits: over reruns, numbers of threads, and layouts.

#include "test/exec/Kernels.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

class Determinism : public testing::TestWithParam<std::string> {
protected:
  Determinism() : What(Pattern::example(Host, GetParam())) {
    Spec.HeadDim = 40;
    Spec.ValueDim = 56;
    Of = {2, 4, 2, 333, 401, {0, 7}, What.defaults()};
    Kernel = compile(Host, What, Spec);
  }

  Compiler Host;
  Pattern What;
  KernelSpec Spec;
  Sizes Of;
  std::optional<Program> Kernel;
};

TEST_P(Determinism, BitEqual) {
  ASSERT_TRUE(Kernel);
  Operands First(Of, Spec);
  ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, First, 1));
  for (Layout Order : {Layout::Bhsd, Layout::Bshd, Layout::Padded})
    for (int32_t Threads : {1, 2, 3, 3}) {
      Operands Again(Of, Spec, Order, Placement::AfterGuard);
      ASSERT_TRUE(launch(*Kernel, Of, Again, Threads));
      ASSERT_TRUE(Again.gapsIntact());
      ASSERT_TRUE(First.sameResults(Again))
          << "layout " << static_cast<int>(Order) << ", " << Threads
          << " threads\n"
          << commandLine(What, Spec, Of);
    }
}

/// A second compilation makes the same code, also where parts of it are left
/// from another pattern.
TEST_P(Determinism, BitEqualOverCompilations) {
  ASSERT_TRUE(Kernel);
  Compiler OtherHost;
  const std::string Earlier = GetParam() == "causal" ? "dense" : "causal";
  ASSERT_TRUE(compile(OtherHost, Pattern::example(OtherHost, Earlier), Spec));
  const Pattern Same = Pattern::example(OtherHost, GetParam());
  std::optional<Program> Other = compile(OtherHost, Same, Spec);
  ASSERT_TRUE(Other);
  Operands First(Of, Spec), Second(Of, Spec);
  ASSERT_TRUE(launch(*Kernel, Of, First));
  ASSERT_TRUE(launch(*Other, Of, Second));
  EXPECT_TRUE(First.sameResults(Second));
}

TEST_P(Determinism, LseIsOptional) {
  ASSERT_TRUE(Kernel);
  Operands With(Of, Spec), Without(Of, Spec);
  ASSERT_TRUE(launch(*Kernel, Of, With));
  const PlanHandle Plan = makePlan(*Kernel, Of);
  ASSERT_TRUE(Plan);
  const heddle_tensor Q = Without.Q.handle(), K = Without.K.handle(),
                      V = Without.V.handle(), O = Without.O.handle();
  heddle_tensors All = {};
  All.q = &Q;
  All.k = &K;
  All.v = &V;
  All.o = &O;
  ASSERT_TRUE(succeeded(heddle_launch(Plan.get(), &All, pool(2))));
  EXPECT_TRUE(With.O.sameBits(Without.O));
}

/// A key head that all query heads and sequences share is read through strides
/// of zero.
TEST_P(Determinism, InputStridesOfZero) {
  ASSERT_TRUE(Kernel);
  Sizes One = Of;
  One.Batch = 2;
  Operands Shared(One, Spec), Copied(One, Spec);
  for (Tensor *T : {&Copied.K, &Copied.V})
    for (int64_t B = 0; B < 2; ++B)
      for (int64_t H = 0; H < Of.HeadsKv; ++H)
        for (int64_t S = 0; S < Of.SeqK; ++S)
          for (int64_t D = 0; D < T->shape()[3]; ++D)
            T->at(B, H, S, D) = T->at(0, 0, S, D);
  ASSERT_TRUE(launch(*Kernel, One, Copied));
  const PlanHandle Plan = makePlan(*Kernel, One);
  ASSERT_TRUE(Plan);
  const heddle_tensor Q = Shared.Q.handle(), O = Shared.O.handle(),
                      Lse = Shared.Lse.handle(3);
  heddle_tensor K = Shared.K.handle(), V = Shared.V.handle();
  const int64_t KStrides[] = {0, 0, Spec.HeadDim, 1};
  const int64_t VStrides[] = {0, 0, Spec.ValueDim, 1};
  K.strides = KStrides;
  V.strides = VStrides;
  heddle_tensors All = {};
  All.q = &Q;
  All.k = &K;
  All.v = &V;
  All.o = &O;
  All.lse = &Lse;
  ASSERT_TRUE(succeeded(heddle_launch(Plan.get(), &All, pool(2))));
  EXPECT_TRUE(Shared.sameResults(Copied));
}

INSTANTIATE_TEST_SUITE_P(Examples, Determinism,
                         testing::ValuesIn(exampleNames()),
                         [](const auto &Info) { return Info.param; });

} // namespace
