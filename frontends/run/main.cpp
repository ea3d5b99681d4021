// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// heddle-run: the runtime's own command line. Opens a bundle, runs one of its
// kernels on .npy files or random tensors, and reports.

#include "frontends/common/Run.h"
#include "heddle/heddle.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

using namespace heddle;
using namespace heddle::frontend;

namespace {

struct CloseBundle {
  void operator()(heddle_bundle *Bundle) const { heddle_bundle_close(Bundle); }
};
using BundlePtr = std::unique_ptr<heddle_bundle, CloseBundle>;

struct Arguments {
  std::string Bundle, Kernel;
  bool List = false;
  RunOptions Run;
};

} // namespace

/// The kernel that --kernel names, or the only one.
static ErrorText chooseKernel(const heddle_bundle *Bundle,
                              const std::string &Path, const std::string &Name,
                              const heddle_kernel **Out) {
  if (!Name.empty())
    return toText(heddle_bundle_find(Bundle, Name.c_str(), Out));
  int64_t Count = heddle_bundle_num_kernels(Bundle);
  if (Count == 1) {
    *Out = heddle_bundle_kernel(Bundle, 0);
    return std::nullopt;
  }
  std::string Names;
  for (int64_t I = 0; I < Count; ++I)
    Names +=
        fmt::format("{}'{}'", I ? ", " : "",
                    heddle_kernel_entry(heddle_bundle_kernel(Bundle, I))->name);
  if (Count == 0)
    return fmt::format("bundle '{}' has no kernel", Path);
  return fmt::format("bundle '{}' has {} kernels; choose one with --kernel: {}",
                     Path, Count, Names);
}

/// The kernels, their parameters and levels.
static void listKernels(const heddle_bundle *Bundle) {
  for (int64_t I = 0; I < heddle_bundle_num_kernels(Bundle); ++I) {
    const heddle_kernel *Kernel = heddle_bundle_kernel(Bundle, I);
    const heddle_entry &Entry = *heddle_kernel_entry(Kernel);
    fmt::print("{}: pattern {}, f32, d={}, dv={}\n", Entry.name, Entry.pattern,
               Entry.d_qk, Entry.d_v);
    for (int64_t P = 0; P < Entry.num_params; ++P) {
      const heddle_param &Param = Entry.params[P];
      fmt::print("  parameter {}{}\n", Param.name,
                 Param.has_default
                     ? fmt::format(" (default {})", Param.default_value)
                     : "");
    }
    for (int64_t C = 0; C < Entry.num_codes; ++C) {
      const heddle_code &Code = Entry.codes[C];
      const heddle_code *Usable = nullptr;
      ErrorText Bad =
          toText(heddle_kernel_code_at(Kernel, Code.level, &Usable));
      fmt::print("  level {}: {} queries x {} keys, {}{}\n", Code.level,
                 Code.query_tile, Code.key_tile,
                 *Code.features ? fmt::format("needs {}", Code.features)
                                : "runs everywhere",
                 Bad ? " (not on this machine)" : "");
    }
  }
}

/// Compares the results with those of every other level that this machine can
/// run. A bundle without a second one has nothing to be compared with, which is
/// a failure: nobody may take silence for a check.
static ErrorText checkLevels(const heddle_kernel *Kernel, const Problem &Sizes,
                             const RunOptions &Options, Runner &Used,
                             Operands &Data, Report &Out) {
  const heddle_entry &Entry = *heddle_kernel_entry(Kernel);
  std::string Lacking;
  for (int64_t I = 0; I < Entry.num_codes; ++I) {
    const heddle_code *Code = &Entry.codes[I];
    if (Code == &Used.code())
      continue;
    if (ErrorText Bad =
            toText(heddle_kernel_code_at(Kernel, Code->level, &Code))) {
      Lacking += "; " + *Bad;
      continue;
    }
    Runner Other;
    if (ErrorText Bad = Other.prepare(Kernel, Code, Sizes, Options))
      return Bad;
    Tensor O, Lse;
    if (ErrorText Bad = allocateOutputs(Sizes, Options.Order, O, Lse))
      return Bad;
    if (ErrorText Bad = Other.launch(Data, O, Lse))
      return Bad;
    CheckResult Result = compareOutputs(Data.O, Data.Lse, O, Lse, Code->level);
    if (Out.Check)
      Result.Against = Out.Check->Against + ", " + Result.Against;
    if (Out.Check && std::max(Out.Check->LargestO, Out.Check->LargestLse) >
                         std::max(Result.LargestO, Result.LargestLse)) {
      Out.Check->Against = Result.Against;
      continue;
    }
    Out.Check = Result;
  }
  if (!Out.Check)
    return fmt::format(
        "--check has nothing to compare with: kernel '{}' has no "
        "second level that this machine can run{}; use 'heddle "
        "run --check' for a comparison with the interpreter",
        Entry.name, Lacking);
  return std::nullopt;
}

static ErrorText run(Arguments &Args) {
  RunOptions &Options = Args.Run;
  if (ErrorText Bad = Options.parse())
    return Bad;
  heddle_bundle *Opened = nullptr;
  if (ErrorText Bad = toText(heddle_bundle_open(Args.Bundle.c_str(), &Opened)))
    return Bad;
  BundlePtr Bundle(Opened);
  if (Args.List) {
    listKernels(Bundle.get());
    return std::nullopt;
  }
  const heddle_kernel *Kernel = nullptr;
  if (ErrorText Bad =
          chooseKernel(Bundle.get(), Args.Bundle, Args.Kernel, &Kernel))
    return Bad;

  ShapeSolver Solver;
  if (ErrorText Bad = collectShape(Options, Solver))
    return Bad;
  const heddle_entry &Entry = *heddle_kernel_entry(Kernel);
  std::string Source = fmt::format("kernel '{}'", Entry.name);
  if (ErrorText Bad = Solver.add(ShapeSolver::D, Entry.d_qk, Source))
    return Bad;
  if (ErrorText Bad = Solver.add(ShapeSolver::Dv, Entry.d_v, Source))
    return Bad;
  Problem Sizes;
  if (ErrorText Bad = Solver.solve(Sizes))
    return Bad;
  if (ErrorText Bad = checkMemory(Sizes))
    return Bad;
  if (ErrorText Bad = checkOutputs(Options))
    return Bad;

  // Before the tensors are made: a problem that cannot be planned fails fast.
  Runner Main;
  if (ErrorText Bad = Main.prepare(Kernel, nullptr, Sizes, Options))
    return Bad;
  Operands Data;
  if (ErrorText Bad = loadOperands(Options.Inputs, Sizes, Options.Order, Data))
    return Bad;
  Report Out;
  if (ErrorText Bad = Main.run(Data, Out))
    return Bad;
  if (Options.Check)
    if (ErrorText Bad = checkLevels(Kernel, Sizes, Options, Main, Data, Out))
      return Bad;
  bool Passed = !Out.Check || Out.Check->passed();
  if (Passed)
    if (ErrorText Bad = writeOutputs(Options, Data))
      return Bad;
  if (ErrorText Bad = printReport(Options, Out))
    return Bad;
  if (!Passed)
    return fmt::format("the levels differ by more than {:g}, most in row {} of "
                       "head {} of sequence {}",
                       CheckTolerance, Out.Check->Row, Out.Check->Head,
                       Out.Check->Batch);
  return std::nullopt;
}

int main(int Argc, char **Argv) {
  Arguments Args;
  CLI::App App("Runs a kernel of a bundle that 'heddle compile' wrote.");
  App.set_version_flag("--version", HEDDLE_VERSION);
  App.add_option("bundle", Args.Bundle, "the bundle, a shared library")
      ->required();
  App.add_option("--kernel", Args.Kernel,
                 "the kernel's name, where the bundle has several");
  App.add_flag("--list", Args.List,
               "list kernels, parameters and levels, and run nothing");
  addRunOptions(App, Args.Run);
  App.footer("environment:\n"
             "  HEDDLE_LEVEL         the level to run, instead of the best\n"
             "  HEDDLE_CPU_FEATURES  hide instruction-set extensions that are "
             "not in this list\n"
             "  HEDDLE_PIN=0         leave threads unpinned");
  try {
    App.parse(Argc, Argv);
  } catch (const CLI::ParseError &Error) {
    return reportParseError(App, "heddle-run", Error);
  }
  ErrorText Bad;
  try {
    Bad = run(Args);
  } catch (const std::bad_alloc &) {
    Bad = "out of memory";
  }
  if (!Bad)
    return 0;
  fmt::print(stderr, "heddle-run: error: {}\n", *Bad);
  return 1;
}
