// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/FmaPeak.h"

#include "codegen/cpu/HostFeatures.h"
#include "codegen/cpu/Together.h"

#include <algorithm>
#include <cstdint>

using namespace heddle;

namespace {

/// Runs `Steps` rounds of independent multiply-adds and returns something that
/// depends on all of them.
using SpinFn = float (*)(int64_t Steps);

struct Probe {
  SpinFn Spin;
  double FlopPerStep;
};

/// `Chains` accumulators of `Lanes` lanes: enough independent chains to cover
/// the latency of a multiply-add on every port, few enough for the registers.
/// Contraction to one instruction is asked for on the command line of this
/// file.
template <int Lanes, int Chains>
[[gnu::always_inline]] inline float spin(int64_t Steps) {
  typedef float Vec __attribute__((vector_size(Lanes * sizeof(float))));
  Vec Sum[Chains];
  // Opaque to the optimiser; the chains converge to 1, far from denormals.
  float Factor = 0.5F;
  asm volatile("" : "+m"(Factor));
  Vec M = Vec{} + Factor;
  Vec A = Vec{} + (1 - Factor);
#pragma GCC unroll 16
  for (int I = 0; I < Chains; ++I)
    Sum[I] = Vec{} + static_cast<float>(I);
  for (int64_t Step = 0; Step < Steps; ++Step) {
#pragma GCC unroll 16
    for (int I = 0; I < Chains; ++I)
      Sum[I] = Sum[I] * M + A;
    // One step after the other: nothing is folded across steps.
    asm volatile("" : "+r"(Step));
  }
  Vec Total = Sum[0];
  for (int I = 1; I < Chains; ++I)
    Total += Sum[I];
  float Result = 0;
  for (int L = 0; L < Lanes; ++L)
    Result += Total[L];
  return Result;
}

template <int Lanes, int Chains> constexpr double flopPerStep() {
  return 2.0 * Lanes * Chains;
}

float spinBaseline(int64_t Steps) { return spin<4, 12>(Steps); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] float spinAvx2(int64_t Steps) {
  return spin<8, 12>(Steps);
}
[[gnu::target("avx512f")]] float spinAvx512(int64_t Steps) {
  return spin<16, 12>(Steps);
}
#endif

Probe chooseProbe(int MaxLanes) {
#if defined(__x86_64__)
  if (MaxLanes >= 16 && cpu::hostHas("avx512f"))
    return {spinAvx512, flopPerStep<16, 12>()};
  if (MaxLanes >= 8 && cpu::hostHas("avx2") && cpu::hostHas("fma"))
    return {spinAvx2, flopPerStep<8, 12>()};
#endif
  return {spinBaseline, flopPerStep<4, 12>()};
}

} // namespace

/// One sample: seconds for all threads, or 0 when they cannot be started.
static double sampleSeconds(const Probe &P, int Threads, int64_t Steps) {
  return cpu::secondsTogether(Threads, [&](int /*Index*/) {
    volatile float Sink = P.Spin(Steps);
    (void)Sink;
  });
}

double cpu::measureFmaPeak(int Threads, int MaxLanes) {
  Threads = std::max(Threads, 1);
  Probe P = chooseProbe(MaxLanes);
  // A first guess of the length of a sample, which also wakes the wide units.
  constexpr double Target = 2e-3;
  int64_t Steps = 20000;
  double Guess = std::max(sampleSeconds(P, 1, Steps), 1e-6);
  Steps = std::max<int64_t>(
      1000, static_cast<int64_t>(static_cast<double>(Steps) * Target / Guess));
  double Best = 0;
  for (int Sample = 0; Sample < 8; ++Sample) {
    double Seconds = sampleSeconds(P, Threads, Steps);
    if (Seconds <= 0)
      return 0;
    double Flop = P.FlopPerStep * static_cast<double>(Steps) * Threads;
    Best = std::max(Best, Flop / Seconds * 1e-9);
  }
  return Best;
}
