// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// heddle-run: the runtime's own command line. Opens a bundle, runs one of its
// kernels on .npy files or random tensors, and reports.

#include "frontends/common/Run.h"
#include "heddle/heddle.h"
#include "runtime/src/Dtype.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <iterator>
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
  bool List = false, Manifest = false;
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

static std::string dtypesOf(const heddle_entry &Entry) {
  const char *Input = runtime::dtypeName(Entry.dtype);
  if (Entry.output_dtype == Entry.dtype)
    return Input;
  return fmt::format("{} to {}", Input, runtime::dtypeName(Entry.output_dtype));
}

/// What a linear kernel carries on.
static std::string stateOf(const heddle_entry &Entry) {
  return fmt::format(", recurrence{}, state {}x{}{}{}",
                     Entry.is_causal ? "" : " over all keys", Entry.state_rows,
                     Entry.d_v, Entry.has_sums ? " and sums" : "",
                     Entry.window_param < 0
                         ? ""
                         : fmt::format(", window '{}'",
                                       Entry.params[Entry.window_param].name));
}

/// What the kernel has beyond q, k, v, o and lse.
static std::string outputsOf(const heddle_entry &Entry) {
  if (Entry.form == HEDDLE_LINEAR)
    return stateOf(Entry);
  std::string Text;
  if (Entry.num_sources > 1)
    Text += fmt::format(", {} sources", Entry.num_sources);
  if (!Entry.has_lse)
    Text += ", no lse";
  if (Entry.has_row_max)
    Text += ", row_max";
  if (Entry.has_column_sums)
    Text += ", column_sums";
  if (Entry.has_block_max)
    Text += fmt::format(", block_max {}x{}", Entry.block_q, Entry.block_k);
  return Text;
}

static std::string kindOf(const Parameter &P) {
  switch (P.Kind) {
  case HEDDLE_INTEGER:
    return "integer";
  case HEDDLE_REAL:
    return "real";
  case HEDDLE_INTEGER_TABLE:
  case HEDDLE_REAL_TABLE:
    return fmt::format("table of {}, {} {}",
                       P.Kind == HEDDLE_REAL_TABLE ? "reals" : "integers",
                       P.Rank, P.Rank == 1 ? "axis" : "axes");
  case HEDDLE_SET:
    break;
  }
  return fmt::format("sets, {} {}", P.Rank, P.Rank == 1 ? "index" : "indices");
}

static std::string defaultOf(const Parameter &P) {
  if (P.Default)
    return fmt::format(" (default {})", *P.Default);
  return P.RealDefault ? fmt::format(" (default {:g})", *P.RealDefault) : "";
}

/// The tiles of a code.
static std::string tilesOf(const heddle_entry &Entry, const heddle_code &Code) {
  if (Entry.form == HEDDLE_LINEAR)
    return fmt::format(
        "chunks of {} tokens, {}", Code.query_tile,
        Code.step ? fmt::format("steps for up to {}, ", Code.step_tokens) : "");
  return fmt::format("{} queries x {} keys, {}", Code.query_tile, Code.key_tile,
                     Code.packed ? fmt::format("{} heads x {} keys, ",
                                               Code.packed->query_tile,
                                               Code.packed->key_tile)
                                 : "");
}

/// The devices that run a code.
static std::string capabilityOf(const heddle_device_code &Code) {
  return fmt::format("{}runs on devices of compute capability {}.{}{}",
                     Code.tf32 ? "products of tf32, " : "", Code.arch / 10,
                     Code.arch % 10, Code.ptx ? " and later" : "");
}

/// The kernels, their parameters and levels.
static std::string listKernels(const heddle_bundle *Bundle) {
  std::string Out;
  auto Line = std::back_inserter(Out);
  for (int64_t I = 0; I < heddle_bundle_num_kernels(Bundle); ++I) {
    const heddle_kernel *Kernel = heddle_bundle_kernel(Bundle, I);
    const heddle_entry &Entry = *heddle_kernel_entry(Kernel);
    fmt::format_to(Line, "{}: pattern {}, {}, d={}, dv={}{}\n", Entry.name,
                   Entry.pattern, dtypesOf(Entry), Entry.d_qk, Entry.d_v,
                   outputsOf(Entry));
    for (const Parameter &P : parametersOf(Entry))
      fmt::format_to(Line, "  parameter {}: {}{}\n", P.Name, kindOf(P),
                     defaultOf(P));
    for (int64_t C = 0; C < Entry.num_codes; ++C) {
      const heddle_code &Code = Entry.codes[C];
      const heddle_code *Usable = nullptr;
      ErrorText Bad =
          toText(heddle_kernel_code_at(Kernel, Code.level, &Usable));
      fmt::format_to(Line, "  level {}: {}{}{}\n", Code.level,
                     tilesOf(Entry, Code),
                     Code.device      ? capabilityOf(*Code.device)
                     : *Code.features ? fmt::format("needs {}", Code.features)
                                      : "runs everywhere",
                     Bad && !Code.device ? " (not on this machine)" : "");
    }
  }
  return Out;
}

/// The levels beside `Used` that the processor can run, to check against. That
/// there is none is a failure: nobody may take silence for a check.
static ErrorText findOtherLevels(const heddle_kernel *Kernel,
                                 const heddle_code &Used,
                                 std::vector<const heddle_code *> &Out) {
  const heddle_entry &Entry = *heddle_kernel_entry(Kernel);
  std::string Lacking;
  for (int64_t I = 0; I < Entry.num_codes; ++I) {
    const heddle_code *Code = &Entry.codes[I];
    if (Code == &Used)
      continue;
    if (ErrorText Bad =
            toText(heddle_kernel_code_at(Kernel, Code->level, &Code)))
      Lacking += "; " + *Bad;
    else
      Out.push_back(Code);
  }
  if (Out.empty())
    return fmt::format(
        "--check has nothing to compare with: kernel '{}' has no "
        "second level that this machine can run{}; use 'heddle "
        "run --check' for a comparison with the interpreter",
        Entry.name, Lacking);
  return std::nullopt;
}

/// Compares the results with those of other levels; keeps the worst. `Rounded`
/// is what o may differ by if that is more than usual.
static ErrorText checkLevels(const heddle_kernel *Kernel,
                             const std::vector<const heddle_code *> &Levels,
                             const Problem &Sizes, const PatternValues &Values,
                             const TensorTypes &Types,
                             const RunOptions &Options, const RunTensors &Data,
                             double Rounded, std::optional<CheckResult> &Out) {
  std::string Against;
  for (const heddle_code *Level : Levels) {
    Runner Other;
    if (ErrorText Bad = Other.prepare(Kernel, Level, Sizes, Values, Options))
      return Bad;
    OutputTensors Outputs;
    if (ErrorText Bad = allocateOutputs(Sizes, Types, Options.Order, Outputs))
      return Bad;
    if (ErrorText Bad = Other.launch(Data, Outputs))
      return Bad;
    Against += (Against.empty() ? "" : ", ") + std::string(Level->level);
    CheckResult Result = compareOutputs(Data.Out, Outputs, Against, Rounded);
    if (!Out || Result.largest() > Out->largest())
      Out = Result;
    Out->Against = Against;
  }
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
  if (Args.List)
    return printText(listKernels(Bundle.get()));
  if (Args.Manifest)
    return printText(std::string(heddle_bundle_manifest(Bundle.get())) + "\n");
  const heddle_kernel *Kernel = nullptr;
  if (ErrorText Bad =
          chooseKernel(Bundle.get(), Args.Bundle, Args.Kernel, &Kernel))
    return Bad;

  Accelerator Device;
  if (Options.OnDevice)
    if (ErrorText Bad = Device.open(nullptr, Options.Ordinal))
      return Bad;

  const heddle_entry &Entry = *heddle_kernel_entry(Kernel);
  const std::vector<Parameter> Parameters = parametersOf(Entry);
  std::vector<Setting> Settings;
  const std::string Owner =
      fmt::format("{} '{}'", Entry.state_rows > 0 ? "recurrence" : "pattern",
                  Entry.pattern);
  if (ErrorText Bad = parseSettings(Owner, Parameters, Options.Items, Settings))
    return Bad;
  TensorTypes Types;
  if (ErrorText Bad = kernelTypes(Entry, Options, Types))
    return Bad;
  ShapeSolver Solver;
  if (ErrorText Bad = collectShape(Options, Types.Input, Solver))
    return Bad;
  std::string Source = fmt::format("kernel '{}'", Entry.name);
  if (ErrorText Bad = Solver.add(ShapeSolver::D, Entry.d_qk, Source))
    return Bad;
  if (ErrorText Bad = Solver.add(ShapeSolver::Dv, Entry.d_v, Source))
    return Bad;
  Problem Sizes;
  if (ErrorText Bad =
          solveShape(Options, Solver, Entry.pattern, Entry.num_sources, Sizes))
    return Bad;
  if (Entry.form == HEDDLE_LINEAR) {
    Sizes.StateRows = Entry.state_rows;
    Sizes.HasSums = Entry.has_sums != 0;
  }
  if (ErrorText Bad = checkMemory(Sizes, Types))
    return Bad;
  if (ErrorText Bad = checkOutputs(Options))
    return Bad;
  PatternValues Values;
  if (ErrorText Bad =
          Values.make(Parameters, Settings, extentsOf(Options, Sizes)))
    return Bad;

  // Before the tensors are made: a problem that cannot be planned fails fast.
  Runner Main;
  if (ErrorText Bad = Main.prepare(Kernel, nullptr, Sizes, Values, Options,
                                   Options.OnDevice ? &Device : nullptr))
    return Bad;
  std::vector<const heddle_code *> Others;
  if (Options.Check)
    if (ErrorText Bad = findOtherLevels(Kernel, Main.code(), Others))
      return Bad;
  RunTensors Data;
  if (ErrorText Bad =
          loadTensors(Options.Inputs, Sizes, Types, Options.Order, Data))
    return Bad;
  Report Out;
  if (ErrorText Bad = Main.run(Data, Out))
    return Bad;
  if (Options.Check)
    if (ErrorText Bad = checkLevels(Kernel, Others, Sizes, Values, Types,
                                    Options, Data, Main.rounding(), Out.Check))
      return Bad;
  bool Passed = !Out.Check || Out.Check->passed();
  if (Passed)
    if (ErrorText Bad = writeOutputs(Options, Data.Out))
      return Bad;
  if (ErrorText Bad = printReport(Options, Out))
    return Bad;
  if (!Passed)
    return fmt::format("the levels differ by more than {:g}, most in row {} of "
                       "head {} of sequence {}",
                       Out.Check->Tolerance, Out.Check->Row, Out.Check->Head,
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
  App.add_flag("--manifest", Args.Manifest,
               "print what the compiler wrote about the kernels, as JSON "
               "(schedules, and of devices threads, shared memory, registers, "
               "spills), and run nothing")
      ->excludes(App.get_option("--list"));
  addRunOptions(App, Args.Run);
  App.footer(std::string(operandHelp()) +
             "\n"
             "environment:\n"
             "  HEDDLE_LEVEL         the level to run, instead of the best\n"
             "  HEDDLE_CPU_FEATURES  hide instruction-set extensions that are "
             "not in this list\n"
             "  HEDDLE_PIN=0         leave threads unpinned\n"
             "  HEDDLE_DRIVER        the library of the device driver, instead "
             "of this machine's");
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
