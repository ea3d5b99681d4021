// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of the default target over patterns, lengths and threads. `useful` is
// the rate of the kept pairs (4 d FLOP each), `executed` that of the tiles that
// were computed, `peak` the executed rate as a fraction of the multiply-add
// peak measured on as many threads just before.

#include "Common.h"
#include "codegen/cpu/FmaPeak.h"

#include <memory>
#include <random>
#include <vector>

using namespace heddle;

namespace {

constexpr int64_t HeadDim = 64;

template <auto Destroy> struct Deleter {
  template <typename T> void operator()(T *Object) const { Destroy(Object); }
};
using Plan = std::unique_ptr<heddle_plan, Deleter<heddle_plan_destroy>>;
using Pool = std::unique_ptr<heddle_pool, Deleter<heddle_pool_destroy>>;

/// A row-major tensor (1, 1, Rows, HeadDim).
class Tensor {
public:
  explicit Tensor(int64_t Rows)
      : Values(Rows * HeadDim), Shape{1, 1, Rows, HeadDim},
        View{Values.data(), HEDDLE_F32, 4, Shape, nullptr} {}
  Tensor(const Tensor &) = delete;
  Tensor &operator=(const Tensor &) = delete;

  void fill(std::mt19937 &Random) {
    std::normal_distribution<float> Normal;
    for (float &Value : Values)
      Value = Normal(Random);
  }
  const heddle_tensor *view() const { return &View; }

private:
  std::vector<float> Values;
  int64_t Shape[4];
  heddle_tensor View;
};

} // namespace

static void attention(benchmark::State &State, const std::string &Example) {
  const int64_t Length = State.range(0);
  const auto Threads = static_cast<int32_t>(State.range(1));

  Compiler Host;
  Result<Source> Parsed = Host.parseFile(bench::examplePath(Example));
  if (!Parsed)
    return State.SkipWithError(Parsed.failure().str().c_str());
  CompileOptions Options;
  Options.HeadDimQk = HeadDim;
  Result<Program> Made = Host.jit(*Parsed, Options);
  if (!Made)
    return State.SkipWithError(Made.failure().str().c_str());

  const heddle_entry *Entry = heddle_kernel_entry(Made->kernel());
  std::vector<heddle_value> Params(static_cast<size_t>(Entry->num_params));
  for (size_t I = 0; I < Params.size(); ++I)
    Params[I].integer = Entry->params[I].default_value.integer;
  heddle_problem Problem = {};
  Problem.batch = Problem.heads_q = Problem.heads_kv = 1;
  Problem.seq_q = Problem.seq_k = Length;
  Problem.params = Params.data();
  heddle_plan *RawPlan = nullptr;
  heddle_pool *RawPool = nullptr;
  if (!bench::check(State,
                    heddle_plan_create(Made->kernel(), &Problem, &RawPlan)))
    return;
  const Plan Planned(RawPlan);
  if (!bench::check(State, heddle_pool_create(Threads, &RawPool)))
    return;
  const Pool Workers(RawPool);
  heddle_stats Stats;
  if (!bench::check(State, heddle_plan_stats(RawPlan, RawPool, &Stats)))
    return;

  std::mt19937 Random(1);
  Tensor Q(Length), K(Length), V(Length), O(Length);
  for (Tensor *Input : {&Q, &K, &V})
    Input->fill(Random);
  heddle_tensors Tensors = {};
  Tensors.q = Q.view();
  Tensors.k = K.view();
  Tensors.v = V.view();
  Tensors.o = O.view();
  const double Peak = cpu::measureFmaPeak(Threads);
  for ([[maybe_unused]] auto Step : State)
    if (!bench::check(State, heddle_launch(RawPlan, &Tensors, RawPool)))
      return;

  const heddle_code *Code = heddle_plan_code(RawPlan);
  const double PairFlop = 4.0 * HeadDim;
  const double Useful = PairFlop * static_cast<double>(Stats.kept_pairs);
  const double Executed =
      PairFlop * static_cast<double>(Stats.tiles_full + Stats.tiles_partial) *
      static_cast<double>(Code->query_tile * Code->key_tile);
  auto Rate = [](double FlopPerStep) {
    return benchmark::Counter(FlopPerStep * 1e-9,
                              benchmark::Counter::kIsIterationInvariantRate);
  };
  State.counters["useful_gflops"] = Rate(Useful);
  State.counters["executed_gflops"] = Rate(Executed);
  State.counters["peak"] = Rate(Executed / Peak);
}

int main(int Argc, char **Argv) {
  for (const char *Example : {"dense", "a_shape", "power_block"})
    benchmark::RegisterBenchmark(Example, attention, Example)
        ->ArgsProduct({{1024, 4096, 16384}, {1, 2}})
        ->ArgNames({"n", "threads"})
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::Initialize(&Argc, Argv);
  if (benchmark::ReportUnrecognizedArguments(Argc, Argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
