// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A C++ program that brings its own pattern: compiles it in memory, runs it on
// all cores, and checks a few rows by hand.

#include "frontends/cpp/Compiler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

// Every second key of the recent past, and the first keys.
static const char *const Pattern = R"(
attn.pattern @every_second(%first: index = 16, %window: index = 512)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %even = attn.in %d, #attn.residue<0, 2>
  %recent = arith.andi %near, %even : i1
  %start = arith.cmpi slt, %k, %first : index
  %either = arith.ori %recent, %start : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
)";
static constexpr int64_t First = 16, Window = 256;

/// The same pattern, for the check.
static bool keeps(int64_t Q, int64_t K) {
  int64_t D = Q - K;
  return D >= 0 && (K < First || (D < Window && D % 2 == 0));
}

static constexpr int64_t Heads = 8, HeadsKv = 2, Length = 2048, Dim = 64;

/// Ends the program with the error's message if there is one.
static void check(heddle_error *Error) {
  if (!Error)
    return;
  std::fprintf(stderr, "error: %s\n", heddle_error_message(Error));
  heddle_error_free(Error);
  std::exit(1);
}

/// The largest difference between row `Q` of head `H` and what the definition
/// of attention says.
static double rowError(int64_t H, int64_t Q, const std::vector<float> &Qs,
                       const std::vector<float> &Ks,
                       const std::vector<float> &Vs,
                       const std::vector<float> &Os) {
  int64_t HKv = H / (Heads / HeadsKv);
  const float *Query = &Qs[(H * Length + Q) * Dim];
  std::vector<double> Weights(Length);
  std::vector<double> Expected(Dim);
  double Sum = 0;
  for (int64_t K = 0; K < Length; ++K) {
    if (!keeps(Q, K))
      continue;
    double Dot = 0;
    for (int64_t T = 0; T < Dim; ++T)
      Dot += double(Query[T]) * Ks[(HKv * Length + K) * Dim + T];
    Weights[K] = std::exp(Dot / std::sqrt(double(Dim)));
    Sum += Weights[K];
  }
  double Worst = 0;
  for (int64_t T = 0; T < Dim; ++T) {
    for (int64_t K = 0; K < Length; ++K)
      Expected[T] += Weights[K] / Sum * Vs[(HKv * Length + K) * Dim + T];
    Worst = std::max(Worst,
                     std::fabs(Expected[T] - Os[(H * Length + Q) * Dim + T]));
  }
  return Worst;
}

int main() {
  heddle::Compiler Compiler;
  heddle::Result<heddle::Source> Source =
      Compiler.parse(Pattern, "every_second");
  if (!Source) {
    std::fprintf(stderr, "%s\n", Source.failure().str().c_str());
    return 1;
  }
  heddle::CompileOptions Options;
  Options.HeadDimQk = Dim;
  heddle::Result<heddle::Program> Program = Compiler.jit(*Source, Options);
  if (!Program) {
    std::fprintf(stderr, "%s\n", Program.failure().str().c_str());
    return 1;
  }

  std::mt19937 Random(1);
  std::normal_distribution<float> Normal;
  auto Fill = [&](int64_t Rows) {
    std::vector<float> Values(Rows * Dim);
    for (float &X : Values)
      X = Normal(Random);
    return Values;
  };
  std::vector<float> Qs = Fill(Heads * Length), Ks = Fill(HeadsKv * Length),
                     Vs = Fill(HeadsKv * Length), Os(Qs.size());
  const int64_t QShape[] = {1, Heads, Length, Dim};
  const int64_t KShape[] = {1, HeadsKv, Length, Dim};
  heddle_tensor QTensor = {Qs.data(), HEDDLE_F32, 4, QShape, nullptr};
  heddle_tensor KTensor = {Ks.data(), HEDDLE_F32, 4, KShape, nullptr};
  heddle_tensor VTensor = {Vs.data(), HEDDLE_F32, 4, KShape, nullptr};
  heddle_tensor OTensor = {Os.data(), HEDDLE_F32, 4, QShape, nullptr};
  heddle_tensors Tensors = {};
  Tensors.q = &QTensor;
  Tensors.k = &KTensor;
  Tensors.v = &VTensor;
  Tensors.o = &OTensor;

  heddle_value Params[2] = {};
  Params[0].integer = First;
  Params[1].integer = Window;
  heddle_problem Problem = {};
  Problem.batch = 1;
  Problem.heads_q = Heads;
  Problem.heads_kv = HeadsKv;
  Problem.seq_q = Problem.seq_k = Length;
  Problem.params = Params;
  heddle_pool *Pool = nullptr;
  heddle_plan *Plan = nullptr;
  check(heddle_pool_create(0, &Pool));
  check(heddle_plan_create(Program->kernel(), &Problem, &Plan));
  heddle_stats Stats;
  check(heddle_plan_stats(Plan, Pool, &Stats));
  check(heddle_launch(Plan, &Tensors, Pool));
  auto Start = std::chrono::steady_clock::now();
  check(heddle_launch(Plan, &Tensors, Pool));
  std::chrono::duration<double, std::milli> Time =
      std::chrono::steady_clock::now() - Start;

  double Worst = 0;
  for (int64_t H : {int64_t(0), int64_t(5)})
    for (int64_t Q : {int64_t(0), int64_t(100), int64_t(777), Length - 1})
      Worst = std::max(Worst, rowError(H, Q, Qs, Ks, Vs, Os));

  const heddle::Timings &T = Program->timings();
  std::printf("compiled in %.1f ms (parse %.1f, passes %.1f, llvm %.1f, "
              "codegen %.1f, link %.1f)\n",
              T.total(), T.Parse, T.Passes, T.Llvm, T.Codegen, T.Link);
  std::printf("ran level %s on %d threads in %.2f ms: %lld kept pairs, %lld "
              "full and %lld partial tiles\n",
              heddle_plan_code(Plan)->level, heddle_pool_threads(Pool),
              Time.count(), static_cast<long long>(Stats.kept_pairs),
              static_cast<long long>(Stats.tiles_full),
              static_cast<long long>(Stats.tiles_partial));
  std::printf("largest error of 8 rows: %.2g\n", Worst);
  heddle_plan_destroy(Plan);
  heddle_pool_destroy(Pool);
  // NaN is no success either.
  return Worst < 2e-5 ? 0 : 1;
}
