// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence by chunks and by tokens, written at the tile level.

#include "KernelSupport.h"

#include <random>

using namespace heddle;

namespace {
class Chunks : public OnEveryLevel {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Chunks, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

namespace {
/// S' = a S + k v^T and o = q^T S' over all tokens, from zero.
class DecayedSums {
public:
  static constexpr int64_t Tokens = 90, Width = 12, Values = 10;

  DecayedSums()
      : Q(1, 1, Tokens, Width), K(1, 1, Tokens, Width), V(1, 1, Tokens, Values),
        O(1, 1, Tokens, Values, -77) {
    std::mt19937_64 Random(7);
    std::uniform_real_distribution<float> Draw(-1, 1);
    for (Data<float> *Each : {&Q, &K, &V})
      for (float &X : Each->Elements)
        X = Draw(Random);
    A.Args.q = Q.view();
    A.Source.k = K.view();
    A.Source.v = V.view();
    A.Args.o = O.view();
  }

  static double factor(int64_t T) { return 1 - 0.01 * static_cast<double>(T); }

  void run(const LoadedKernel &Kernel) {
    ASSERT_TRUE(Kernel);
    Kernel.run(A.Args, 0, 0, 0);
    std::vector<double> S(static_cast<size_t>(Width * Values));
    for (int64_t T = 0; T < Tokens; ++T)
      for (int64_t J = 0; J < Values; ++J) {
        double Sum = 0;
        for (int64_t C = 0; C < Width; ++C) {
          double &State = S[static_cast<size_t>(C * Values + J)];
          State = State * factor(T) + static_cast<double>(K.at(T, C)) *
                                          static_cast<double>(V.at(T, J));
          Sum += static_cast<double>(Q.at(T, C)) * State;
        }
        ASSERT_NEAR(static_cast<double>(O.at(T, J)), Sum, 1e-4)
            << "token " << T << ", value " << J;
      }
  }

  Data<float> Q, K, V, O;
  Arguments A;
};

/// Keys of tokens past the end become 0, their factors 1.
constexpr const char *Begin = R"(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %chunk = arith.constant 32 : index
  %n = tile.dim position of %q : !attn.view<12xf32>
  %s0 = tile.fill 0.0 : tensor<10x12xf32>
  %end = scf.for %t0 = %c0 to %n step %chunk iter_args(%s = %s0)
      -> tensor<10x12xf32> {
    %x = tile.load %q[%b, %h, %t0] : !attn.view<12xf32> -> tensor<32x12xf32>
    %kk = tile.load %k[%b, %h, %t0] : !attn.view<12xf32> -> tensor<32x12xf32>
    %vv = tile.load %v[%b, %h, %t0] : !attn.view<10xf32> -> tensor<32x10xf32>
    %y = tile.map %kk at(%b, %h) from(%t0, %c0) {
    ^bb0(%e: f32, %bb: index, %hh: index, %i: index, %c: index):
      %zero = arith.constant 0.0 : f32
      %is = arith.cmpi slt, %i, %n : index
      %ee = arith.select %is, %e, %zero : f32
      tile.yield %ee : f32
    } : (tensor<32x12xf32>) -> tensor<32x12xf32>
    %a = tile.map at(%b, %h) from(%t0, %c0) {
    ^bb0(%bb: index, %hh: index, %i: index, %c: index):
      %one = arith.constant 1.0 : f32
      %hundredth = arith.constant 0.01 : f32
      %ii = arith.index_cast %i : index to i64
      %f = arith.sitofp %ii : i64 to f32
      %g = arith.mulf %f, %hundredth : f32
      %d = arith.subf %one, %g : f32
      %is = arith.cmpi slt, %i, %n : index
      %dd = arith.select %is, %d, %one : f32
      tile.yield %dd : f32
    } : () -> tensor<32xf32>
)";
} // namespace

TEST_P(Chunks, OneAfterTheOther) {
  LoadedKernel Kernel(GetParam(), "12xf32;12xf32;10xf32;10xf32", "",
                      std::string(Begin) + R"(
    %w, %f, %e, %total = tile.decays %a : tensor<32xf32> -> tensor<32x32xf32>
    %xy = tile.scores %x, %y
      : tensor<32x12xf32>, tensor<32x12xf32> -> tensor<32x32xf32>
    %p = arith.mulf %xy, %w : tensor<32x32xf32>
    %o0 = tile.scores %x, %s
      : tensor<32x12xf32>, tensor<10x12xf32> -> tensor<32x10xf32>
    %o1 = tile.rescale %o0, %f : tensor<32x10xf32>, tensor<32xf32>
    %size = arith.constant 32 : index
    %partial = arith.constant 1 : i32
    %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %h)
      queries(%c0) keys(%c0) of %size status(%partial) : tensor<32x32xi1>
    %o2 = tile.accumulate %o1, %p, %vv where %bits
      : tensor<32x10xf32>, tensor<32x32xf32>, tensor<32x10xf32>, tensor<32x32xi1>
    %vt = tile.transpose %vv : tensor<32x10xf32> -> tensor<10x32xf32>
    %et = tile.transpose %e : tensor<32xf32> -> tensor<1x32xf32>
    %ve = tile.map %vt, %et at(%b, %h) from(%c0, %c0) {
    ^bb0(%l: f32, %m: f32, %bb: index, %hh: index, %i: index, %c: index):
      %lm = arith.mulf %l, %m : f32
      tile.yield %lm : f32
    } : (tensor<10x32xf32>, tensor<1x32xf32>) -> tensor<10x32xf32>
    %s1 = tile.scale %s, %total : tensor<10x12xf32>
    %s2 = tile.accumulate %s1, %ve, %y
      : tensor<10x12xf32>, tensor<10x32xf32>, tensor<32x12xf32>
    tile.store %o2, %o[%b, %h, %t0] : tensor<32x10xf32>, !attn.view<10xf32>
    scf.yield %s2 : tensor<10x12xf32>
  }
  return)");
  DecayedSums().run(Kernel);
}

TEST_P(Chunks, TokensOneByOne) {
  LoadedKernel Kernel(GetParam(), "12xf32;12xf32;10xf32;10xf32", "",
                      std::string(Begin) + R"(
    %left = arith.subi %n, %t0 : index
    %count = arith.minsi %left, %chunk : index
    %s9 = scf.for %t = %c0 to %count step %c1 iter_args(%u = %s)
        -> tensor<10x12xf32> {
      %at = tile.element %a[%t] : tensor<32xf32>
      %xt = tile.row %x[%t] : tensor<32x12xf32> -> tensor<1x12xf32>
      %yt = tile.row %y[%t] : tensor<32x12xf32> -> tensor<1x12xf32>
      %vt = tile.row %vv[%t] : tensor<32x10xf32> -> tensor<1x10xf32>
      %vc = tile.transpose %vt : tensor<1x10xf32> -> tensor<10x1xf32>
      %xc = tile.transpose %xt : tensor<1x12xf32> -> tensor<12x1xf32>
      %u1 = tile.scale %u, %at : tensor<10x12xf32>
      %u2 = tile.accumulate %u1, %vc, %yt
        : tensor<10x12xf32>, tensor<10x1xf32>, tensor<1x12xf32>
      %z = tile.fill 0.0 : tensor<10x1xf32>
      %oc = tile.accumulate %z, %u2, %xc
        : tensor<10x1xf32>, tensor<10x12xf32>, tensor<12x1xf32>
      %or = tile.transpose %oc : tensor<10x1xf32> -> tensor<1x10xf32>
      %i = arith.addi %t0, %t : index
      tile.store %or, %o[%b, %h, %i] : tensor<1x10xf32>, !attn.view<10xf32>
      scf.yield %u2 : tensor<10x12xf32>
    }
    scf.yield %s9 : tensor<10x12xf32>
  }
  return)");
  DecayedSums().run(Kernel);
}
