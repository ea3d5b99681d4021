// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Run.h"
#include "frontends/heddle/Commands.h"
#include "frontends/heddle/Emulation.h"
#include "frontends/heddle/Interpreter.h"
#include "frontends/heddle/KernelArguments.h"
#include "frontends/heddle/RecurrenceCheck.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <memory>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

namespace {

struct RunArguments : KernelArguments {
  std::string Trace;
  bool Efficiency = false, Emulate = false, Tf32 = false;
  int64_t SharedMemory = 0;
};

using SteadyClock = std::chrono::steady_clock;

/// What the process has computed before it came to the command, most of it the
/// dynamic linker's work, in milliseconds.
double measureLoading() {
  timespec Now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &Now);
  return static_cast<double>(Now.tv_sec) * 1e3 +
         static_cast<double>(Now.tv_nsec) * 1e-6;
}

} // namespace

static int printTraced(const RunArguments &Args, const Interpreter &Reference,
                       const attn::TracePoint &Point) {
  llvm::Expected<attn::RowTrace> Trace = Reference.trace(Point);
  if (!Trace)
    return fail(llvm::toString(Trace.takeError()));
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  if (Args.Run.Json)
    printTraceJson(*Trace, Out);
  else
    printTrace(*Trace, Out);
  return print(Text);
}

/// Everything that needs no file.
static ErrorText parseOptions(RunArguments &Args, CompileOptions &Build,
                              std::optional<attn::TracePoint> &Point) {
  if (ErrorText Bad = Args.parse(Build))
    return Bad;
  if (!Args.Trace.empty()) {
    llvm::Expected<attn::TracePoint> Parsed = attn::parseTracePoint(Args.Trace);
    if (!Parsed)
      return llvm::toString(Parsed.takeError());
    Point = *Parsed;
  }
  return std::nullopt;
}

/// Runs the same problem with every pair kept: times it in turn with the
/// pattern, or in an emulation, whose times mean nothing, counts what it does.
static ErrorText measureEfficiency(const RunArguments &Args,
                                   CompileOptions Build, Compiler &With,
                                   const Problem &Sizes,
                                   const Accelerator *Device, Runner &Main,
                                   RunTensors &Data, Report &Out) {
  Result<Source> Text =
      With.parse("attn.pattern @dense keep(%b, %h, %q, %k) {\n"
                 "  %every = arith.constant true\n"
                 "  attn.keep %every\n"
                 "}\n",
                 "dense.mlir");
  if (!Text)
    return Text.failure().str();
  Build.Pattern = Build.Kernel = "dense";
  Build.Outputs = {};
  // Boxes are for grids; the sizes of tiles are the target's own again.
  Build.Schedule = {};
  Result<Program> Dense = With.jit(*Text, Build);
  if (!Dense)
    return Dense.failure().str();
  RunOptions Options = Args.Run;
  Options.Origin = 0;
  TensorTypes Types;
  Types.Input = Args.Input;
  Types.Output = static_cast<heddle_dtype>(
      heddle_kernel_entry(Dense->kernel())->output_dtype);
  OutputTensors DenseOut;
  if (ErrorText Bad = allocateOutputs(Sizes, Types, Options.Order, DenseOut))
    return Bad;
  const PatternValues None;
  Runner Other;
  if (ErrorText Bad =
          Other.prepare(Dense->kernel(), nullptr, Sizes, None, Options, Device))
    return Bad;
  if (!Args.Emulate)
    return Main.runBeside(Other, DenseOut, Data, Out);
  for (int64_t I = 0; I < Options.Repeat; ++I)
    if (ErrorText Bad = Other.launch(Data, DenseOut))
      return Bad;
  Out.DenseEmulated = listEmulated(Options.Repeat);
  for (size_t I = 0; I < Out.Emulated.size(); ++I)
    Out.DenseEmulated[I].second -= Out.Emulated[I].second;
  return std::nullopt;
}

/// Opens the device to run on, if there is to be one: where the options ask for
/// it, and where there is no other code.
static ErrorText openDevice(const RunArguments &Args, const Program &Compiled,
                            std::optional<Accelerator> &Out) {
  const heddle_entry &Entry = *heddle_kernel_entry(Compiled.kernel());
  const heddle_code *OfDevice = nullptr;
  bool HasOther = false;
  for (int64_t I = Entry.num_codes; I-- > 0;) {
    HasOther |= !Entry.codes[I].device;
    if (Entry.codes[I].device)
      OfDevice = &Entry.codes[I];
  }
  const RunOptions &Options = Args.Run;
  if (!Args.Emulate && !Options.OnDevice && HasOther)
    return std::nullopt;
  if (!OfDevice)
    return fmt::format("{} runs code for a device; choose a level of one with "
                       "--target (see heddle targets)",
                       Args.Emulate ? "--emulate" : "--device");
  const heddle_driver *Driver = nullptr;
  if (Args.Emulate)
    if (ErrorText Bad = emulate(*OfDevice->device, Options.Threads, Driver))
      return Bad;
  Out.emplace();
  ErrorText Bad = Out->open(Driver, Options.Ordinal);
  if (Bad && !Args.Emulate)
    *Bad += "; --emulate runs the code without a device";
  return Bad;
}

static int runKernel(RunArguments &Args, CompileOptions &Build, Compiler &With,
                     const Asked &What,
                     std::vector<std::pair<std::string, double>> Before) {
  const RunOptions &Options = Args.Run;
  Result<Program> Compiled = With.jit(What.Loaded.From, Build);
  if (!Compiled)
    return fail(Compiled.failure());
  Report Out;
  Out.CompileParts = std::move(Before);
  for (auto &Part : listTimings(Compiled->timings()))
    Out.CompileParts.push_back(std::move(Part));
  TensorTypes Types;
  if (ErrorText Bad =
          kernelTypes(*heddle_kernel_entry(Compiled->kernel()), Options, Types))
    return fail(*Bad);

  // Before the tensors are made: a problem that cannot be planned fails fast.
  std::optional<Accelerator> Device;
  if (ErrorText Bad = openDevice(Args, *Compiled, Device))
    return fail(*Bad);
  Runner Main;
  if (ErrorText Bad =
          Main.prepare(Compiled->kernel(), nullptr, What.Sizes, What.Values,
                       Options, Device ? &*Device : nullptr))
    return fail(*Bad);
  RunTensors Data;
  if (ErrorText Bad =
          loadTensors(Options.Inputs, What.Sizes, Types, Options.Order, Data))
    return fail(*Bad);
  if (ErrorText Bad = Main.run(Data, Out))
    return fail(*Bad);
  if (Args.Emulate)
    Out.Emulated = listEmulated(Options.Repeat);
  if (Args.Efficiency)
    if (ErrorText Bad =
            measureEfficiency(Args, Build, With, What.Sizes,
                              Device ? &*Device : nullptr, Main, Data, Out))
      return fail(*Bad);
  std::string Difference;
  if (Options.Check && What.Sizes.isRecurrence()) {
    if (ErrorText Bad = checkRecurrence(What, Options, Data, Out, Difference))
      return fail(*Bad);
  } else if (Options.Check) {
    Result<Interpreter> Reference = Interpreter::create(
        With, What.Loaded, Options, What.Sizes, What.Values, Data);
    if (!Reference)
      return fail(Reference.failure());
    if (ErrorText Bad =
            Reference->check(What.Sizes, Types, Data.Out, Out, Difference,
                             Main.rounding(), Main.isTf32()))
      return fail(*Bad);
  }
  if (Difference.empty())
    if (ErrorText Bad = writeOutputs(Options, Data.Out))
      return fail(*Bad);
  if (ErrorText Bad = printReport(Options, Out))
    return fail(*Bad);
  if (!Difference.empty())
    return fail("the check failed, no output is written: " + Difference);
  return 0;
}

static int trace(RunArguments &Args, Compiler &With, const Asked &What,
                 const TensorTypes &Types, const attn::TracePoint &Point) {
  RunTensors Data;
  if (ErrorText Bad =
          loadTensors(Args.Run.Inputs, What.Sizes, Types, Args.Run.Order, Data))
    return fail(*Bad);
  Result<Interpreter> Reference = Interpreter::create(
      With, What.Loaded, Args.Run, What.Sizes, What.Values, Data);
  if (!Reference)
    return fail(Reference.failure());
  return printTraced(Args, *Reference, Point);
}

/// What a recurrence has nothing of: pairs that are kept or not.
static ErrorText checkMeaningful(const RunArguments &Args,
                                 const LoadedPattern &Loaded) {
  const std::pair<const char *, bool> Options[] = {
      {"--efficiency", Args.Efficiency}, {"--trace", !Args.Trace.empty()}};
  for (auto [Option, IsGiven] : Options)
    if (IsGiven && Loaded.Info.Recurrence)
      return fmt::format("{} is for patterns, but '@{}' is a recurrence, which "
                         "keeps no pairs",
                         Option, Loaded.Name);
  return cli::checkMeaningful(Args.Run, Loaded);
}

static int run(const CLI::App &Line, RunArguments &Args) {
  const double Loading = measureLoading();
  CompileOptions Build;
  std::optional<attn::TracePoint> Point;
  if (ErrorText Bad = parseOptions(Args, Build, Point))
    return failUsage(Line, *Bad);
  // An emulation takes long, and its time says nothing.
  if (Args.Emulate && Args.Run.RepeatText.empty())
    Args.Run.Repeat = 1;
  const RunOptions &Options = Args.Run;

  SteadyClock::time_point Start = SteadyClock::now();
  Compiler With;
  const double SetUp =
      std::chrono::duration<double, std::milli>(SteadyClock::now() - Start)
          .count();
  Result<LoadedPattern> Loaded = loadPattern(With, Args.Pattern);
  if (!Loaded)
    return fail(Loaded.failure());
  if (ErrorText Bad = checkMeaningful(Args, *Loaded))
    return failUsage(Line, *Bad);
  const TensorTypes Types = Args.types();
  Asked What{std::move(*Loaded), {}, {}};
  if (ErrorText Bad = ask(With, Options, Types, /*Allocates=*/true, What))
    return fail(*Bad);
  if (Args.Efficiency && What.Loaded.Info.NumSources > 1)
    return failUsage(Line, "--efficiency compares with dense attention over "
                           "one source of keys, found a pattern with " +
                               std::to_string(What.Loaded.Info.NumSources));
  if (Point)
    return trace(Args, With, What, Types, *Point);
  fillBuild(Args, What, Types, Build);
  Build.Assemble = !Args.Emulate;
  Build.Tf32 = Args.Tf32;
  Build.SharedMemory = Args.SharedMemory;
  // What the emulation finds is told with the line of the pattern.
  Build.LineInfo = Args.Emulate;
  Build.ShortQueries = Args.Schedule.empty() && !What.Sizes.isRecurrence() &&
                       What.Sizes.hasShortQueries();
  if (Build.ShortQueries) {
    Result<std::string> Obstacle =
        With.findShortQueriesObstacle(What.Loaded.From, Build);
    if (!Obstacle)
      return fail(Obstacle.failure());
    if (!Obstacle->empty())
      fmt::print(stderr,
                 "heddle: remark: pattern '{}' has no code for short queries: "
                 "{}; most rows of a tile of queries idle\n",
                 What.Loaded.Name, *Obstacle);
  }
  return runKernel(Args, Build, With, What,
                   {{"load", Loading}, {"set-up", SetUp}});
}

Command cli::addRunCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "run",
      "Compiles a pattern or recurrence for this machine, runs it, reports and "
      "checks.");
  auto Args = std::make_shared<RunArguments>();
  addKernelOptions(*Line, *Args);
  Line->add_flag("--tf32", Args->Tf32, Tf32Help);
  Line->add_option("--shared-memory", Args->SharedMemory, SharedMemoryHelp);
  Line->add_flag("--efficiency", Args->Efficiency,
                 "also time dense attention of the same shape, in turn, and "
                 "report dense time * density / time; with --emulate the same "
                 "of instructions");
  Line->add_flag("--emulate", Args->Emulate,
                 "run the code of a device (see --target) on the processor, "
                 "and report what it does wrong")
      ->excludes(Line->get_option("--device"));
  CLI::Option *Trace = Line->add_option(
      "--trace", Args->Trace,
      "explain one row, as in b=0,h=3,q=17: its kept keys, scores, weights and "
      "output by the interpreter; runs no kernel");
  for (const char *Other :
       {"-o", "--lse", "--row-max", "--column-sums", "--block-max",
        "--state-out", "--sums-out", "--check", "--efficiency"})
    Trace->excludes(Line->get_option(Other));
  Line->footer(
      std::string(operandHelp()) +
      "\n"
      "examples:\n"
      "  heddle run examples/causal.mlir --shape hq=8,sq=1024,d=64 --check\n"
      "  heddle run examples/a_shape.mlir --set sink=4 window=256 --shape "
      "b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64 --threads 1 --json\n"
      "  heddle run examples/block_sparse.mlir --set "
      "'rows=random:10%@bxhxq/64,size=k/64' --shape sq=8192,d=128 "
      "--efficiency\n"
      "  heddle run examples/causal.mlir --q q.npy --k k.npy --v v.npy -o "
      "o.npy --lse lse.npy\n"
      "  heddle run examples/sliding_window.mlir --dtype bf16 --layout packed "
      "--shape hq=8,hkv=2,sq=4096,d=64\n"
      "  heddle run examples/a_shape.mlir --shape hq=4,sq=32,d=16 --trace "
      "h=3,q=17\n"
      "  heddle run examples/gla.mlir --set gate=random:-0.1..0@bxhxqxd "
      "--shape "
      "hq=4,sq=4096,d=64 --check\n"
      "  heddle run examples/linear_elu.mlir --shape hq=4,sq=1000,d=64 "
      "--state-out s.npy --sums-out z.npy\n"
      "  heddle run examples/linear_elu.mlir --shape hq=4,sq=100,d=64 --origin "
      "1000 --state-in s.npy --sums-in z.npy\n"
      "\n"
      "environment:\n"
      "  HEDDLE_LEVEL         the level to run, where --target is not given\n"
      "  HEDDLE_CPU_FEATURES  hide instruction-set extensions that are not in "
      "this list\n"
      "  HEDDLE_PIN=0         leave threads unpinned\n"
      "  HEDDLE_DRIVER        the library of the device driver, instead of "
      "this machine's");
  return {Line, [Line, Args] { return run(*Line, *Args); }};
}
