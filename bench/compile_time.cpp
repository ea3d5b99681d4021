// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pattern text to callable function in a warm process, by stage. The cold time
// (process start included) is what `heddle run` prints.

#include "frontends/cpp/Compiler.h"

#include <benchmark/benchmark.h>
#include <fstream>
#include <iterator>
#include <string>

using namespace heddle;

static void compileTime(benchmark::State &State, const std::string &Example) {
  std::ifstream File(HEDDLE_EXAMPLES_DIR "/" + Example + ".mlir");
  const std::string Text(std::istreambuf_iterator<char>(File), {});
  Compiler Host;
  CompileOptions Options;
  Options.HeadDimQk = State.range(0);

  Timings Sum;
  auto Compile = [&](bool Timed) {
    Result<Source> Parsed = Host.parse(Text, Example);
    if (!Parsed) {
      State.SkipWithError(Parsed.failure().str().c_str());
      return false;
    }
    Result<Program> Made = Host.jit(*Parsed, Options);
    if (!Made) {
      State.SkipWithError(Made.failure().str().c_str());
      return false;
    }
    benchmark::DoNotOptimize(Made->kernel());
    if (Timed) {
      const Timings &Spent = Made->timings();
      Sum.Parse += Spent.Parse;
      Sum.Passes += Spent.Passes;
      Sum.Llvm += Spent.Llvm;
      Sum.Codegen += Spent.Codegen;
      Sum.Link += Spent.Link;
    }
    return true;
  };

  // The first compilation makes dialects and code generators.
  if (!Compile(/*Timed=*/false))
    return;
  for ([[maybe_unused]] auto Step : State)
    if (!Compile(/*Timed=*/true))
      return;

  auto Average = [](double Total) {
    return benchmark::Counter(Total, benchmark::Counter::kAvgIterations);
  };
  State.counters["parse_ms"] = Average(Sum.Parse);
  State.counters["passes_ms"] = Average(Sum.Passes);
  State.counters["llvm_ms"] = Average(Sum.Llvm);
  State.counters["codegen_ms"] = Average(Sum.Codegen);
  State.counters["link_ms"] = Average(Sum.Link);
}

int main(int Argc, char **Argv) {
  for (const char *Example :
       {"dense", "causal", "a_shape", "power_block", "neighborhood_1d"})
    benchmark::RegisterBenchmark(Example, compileTime, Example)
        ->Arg(64)
        ->Arg(128)
        ->ArgName("d")
        ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&Argc, Argv);
  if (benchmark::ReportUnrecognizedArguments(Argc, Argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
