// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pattern text to callable function in a warm process, by stage. The cold time
// (process start included) is what `heddle run` prints. Those called device/…
// are every example that a device has code for, from text to PTX; `cubin_ms`
// adds ptxas, once, where there is one.

#include "frontends/cpp/Compiler.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace heddle;

static std::string textOf(const std::string &Example) {
  std::ifstream File(HEDDLE_EXAMPLES_DIR "/" + Example + ".mlir");
  return {std::istreambuf_iterator<char>(File), {}};
}

static void compileTime(benchmark::State &State, const std::string &Example) {
  const std::string Text = textOf(Example);
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

static void deviceTime(benchmark::State &State, const std::string &Example) {
  const std::string Text = textOf(Example);
  Compiler Host;
  CompileOptions Options;
  Options.HeadDimQk = State.range(0);
  Options.Dtype = "f16";
  Options.Targets = {"sm_80"};
  auto Compile = [&] {
    Result<Source> Parsed = Host.parse(Text, Example);
    if (!Parsed) {
      State.SkipWithError(Parsed.failure().str().c_str());
      return false;
    }
    Result<std::string> Ptx = Host.emit(*Parsed, Options, "ptx");
    if (!Ptx)
      State.SkipWithError(Ptx.failure().str().c_str());
    return static_cast<bool>(Ptx);
  };
  if (!Compile())
    return;
  double Milliseconds = 0;
  for ([[maybe_unused]] auto Step : State) {
    const auto Start = std::chrono::steady_clock::now();
    if (!Compile())
      return;
    Milliseconds += std::chrono::duration<double, std::milli>(
                        std::chrono::steady_clock::now() - Start)
                        .count();
  }
  Result<Source> Parsed = Host.parse(Text, Example);
  Result<Program> Made = Host.jit(*Parsed, Options);
  if (Made && Made->timings().Assemble > 0)
    State.counters["cubin_ms"] =
        Milliseconds / static_cast<double>(State.iterations()) +
        Made->timings().Assemble;
}

/// Ascending.
static std::vector<std::string> deviceExamples() {
  std::vector<std::string> Names;
  for (const auto &File :
       std::filesystem::directory_iterator(HEDDLE_EXAMPLES_DIR)) {
    if (File.path().extension() == ".mlir")
      Names.push_back(File.path().stem().string());
  }
  std::sort(Names.begin(), Names.end());
  return Names;
}

int main(int Argc, char **Argv) {
  for (const char *Example :
       {"dense", "causal", "a_shape", "power_block", "neighborhood_1d"})
    benchmark::RegisterBenchmark(Example, compileTime, Example)
        ->Arg(64)
        ->Arg(128)
        ->ArgName("d")
        ->Unit(benchmark::kMillisecond);
  for (const std::string &Example : deviceExamples())
    benchmark::RegisterBenchmark(("device/" + Example).c_str(), deviceTime,
                                 Example)
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
