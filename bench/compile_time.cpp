// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pattern text to callable function in a warm process, by stage. A compiler
// keeps procedures that do not depend on the pattern, so that in all iterations
// but the first they are there; in those called after/… it has compiled only
// another pattern, and in those called first/… none. The cold time (process
// start included) is what `heddle run` prints. Those called device/…
// are every example that a device has code for, from text to PTX; `cubin_ms`
// adds ptxas, once, where there is one.

#include "frontends/cpp/Compiler.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace heddle;

static std::string textOf(const std::string &Example) {
  std::ifstream File(HEDDLE_EXAMPLES_DIR "/" + Example + ".mlir");
  return {std::istreambuf_iterator<char>(File), {}};
}

namespace {

/// Compiles an example; keeps sums of the times.
class Example {
public:
  Example(std::string Name, int64_t HeadDim)
      : Name(std::move(Name)), Text(textOf(this->Name)) {
    Options.HeadDimQk = HeadDim;
  }

  /// False after a failure, which `State` tells.
  bool compile(Compiler &With, benchmark::State &State);
  void forgetTimes() { Sum = {}; }
  void report(benchmark::State &State) const;

private:
  std::string Name, Text;
  CompileOptions Options;
  Timings Sum;
};

} // namespace

bool Example::compile(Compiler &With, benchmark::State &State) {
  Result<Source> Parsed = With.parse(Text, Name);
  if (!Parsed) {
    State.SkipWithError(Parsed.failure().str().c_str());
    return false;
  }
  Result<Program> Made = With.jit(*Parsed, Options);
  if (!Made) {
    State.SkipWithError(Made.failure().str().c_str());
    return false;
  }
  benchmark::DoNotOptimize(Made->kernel());
  const Timings &Spent = Made->timings();
  Sum.Parse += Spent.Parse;
  Sum.Passes += Spent.Passes;
  Sum.Llvm += Spent.Llvm;
  Sum.Codegen += Spent.Codegen;
  Sum.Link += Spent.Link;
  return true;
}

void Example::report(benchmark::State &State) const {
  auto Average = [](double Total) {
    return benchmark::Counter(Total, benchmark::Counter::kAvgIterations);
  };
  State.counters["parse_ms"] = Average(Sum.Parse);
  State.counters["passes_ms"] = Average(Sum.Passes);
  State.counters["llvm_ms"] = Average(Sum.Llvm);
  State.counters["codegen_ms"] = Average(Sum.Codegen);
  State.counters["link_ms"] = Average(Sum.Link);
}

static void compileTime(benchmark::State &State, const std::string &Name) {
  Example It(Name, State.range(0));
  Compiler Host;
  // The first compilation makes dialects and code generators.
  if (!It.compile(Host, State))
    return;
  It.forgetTimes();
  for ([[maybe_unused]] auto Step : State)
    if (!It.compile(Host, State))
      return;
  It.report(State);
}

/// By a new compiler; if `Earlier` is not empty, one that has compiled that.
static void timeToFirst(benchmark::State &State, const std::string &Name,
                        const std::string &Earlier) {
  Example It(Name, State.range(0));
  for ([[maybe_unused]] auto Step : State) {
    State.PauseTiming();
    auto Host = std::make_unique<Compiler>();
    if (!Earlier.empty() &&
        !Example(Earlier, State.range(0)).compile(*Host, State))
      return;
    State.ResumeTiming();
    if (!It.compile(*Host, State))
      return;
    State.PauseTiming();
    Host.reset();
    State.ResumeTiming();
  }
  It.report(State);
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
  auto Add = [](const std::string &Name, auto... Arguments) {
    benchmark::RegisterBenchmark(Name.c_str(), Arguments...)
        ->Arg(64)
        ->Arg(128)
        ->ArgName("d")
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  const std::vector<std::string> Names = {"dense",           "causal",
                                          "a_shape",         "power_block",
                                          "neighborhood_1d", "natten_2d"};
  for (const std::string &Name : Names)
    Add(Name, compileTime, Name);
  for (size_t I = 0; I < Names.size(); ++I) {
    Add("after/" + Names[I], timeToFirst, Names[I],
        Names[(I + 1) % Names.size()]);
    Add("first/" + Names[I], timeToFirst, Names[I], std::string());
  }
  for (const std::string &Name : deviceExamples())
    Add("device/" + Name, deviceTime, Name);
  benchmark::Initialize(&Argc, Argv);
  if (benchmark::ReportUnrecognizedArguments(Argc, Argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
