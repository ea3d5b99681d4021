// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Compare.h"
#include "dialect/attn/reference/Trace.h"
#include "frontends/common/Run.h"
#include "frontends/heddle/Commands.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <memory>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

namespace {

struct RunArguments {
  PatternOptions Pattern;
  RunOptions Run;
  std::string Dtype = "f32", Schedule, Trace;
  std::vector<std::string> Targets;
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

/// The interpreter's answer to a run's problem.
class Interpreter {
public:
  /// `Content` must outlive it.
  static Result<Interpreter> create(Compiler &With, const LoadedPattern &Loaded,
                                    const RunOptions &Options,
                                    const Problem &Sizes, Operands &Data);

  llvm::Expected<attn::ReferenceResult> compute() const {
    return attn::computeReference(Meaning, problem());
  }
  llvm::Expected<attn::RowTrace> trace(const attn::TracePoint &Point) const {
    return attn::traceRow(Meaning, problem(), Point);
  }
  /// Sets the values of the pattern's parameters.
  void setParameters(std::vector<int64_t> Values) {
    Params = std::move(Values);
  }

  static heddle_view viewOf(Tensor &T);

private:
  Interpreter(Source From, attn::Predicate Meaning)
      : From(std::move(From)), Meaning(std::move(Meaning)) {}

  attn::AttentionProblem problem() const {
    attn::AttentionProblem Result;
    Result.Q = Q;
    Result.K = K;
    Result.V = V;
    Result.Origin = Origins;
    Result.Params = Params;
    Result.Scale = Scale;
    return Result;
  }

  Source From;
  attn::Predicate Meaning;
  heddle_view Q = {}, K = {}, V = {};
  std::vector<int64_t> Origins, Params;
  double Scale = 1;
};

} // namespace

heddle_view Interpreter::viewOf(Tensor &T) {
  heddle_view View = {};
  View.data = T.data();
  for (size_t Axis = 0; Axis < 4; ++Axis) {
    View.shape[Axis] = T.shape()[Axis];
    View.stride[Axis] = T.strides()[Axis];
  }
  return View;
}

Result<Interpreter> Interpreter::create(Compiler &With,
                                        const LoadedPattern &Loaded,
                                        const RunOptions &Options,
                                        const Problem &Sizes, Operands &Data) {
  // Normalising reports what is wrong with a pattern where it is wrong; the
  // interpreter itself reads the region, not the formula.
  Result<Source> Normal = With.normalize(Loaded.From, Loaded.Name);
  if (!Normal)
    return Normal.failure();
  mlir::FailureOr<attn::Predicate> Meaning =
      attn::Predicate::compile(mlir::cast<attn::PatternOp>(
          mlir::SymbolTable::lookupSymbolIn(Normal->module(), Loaded.Name)));
  if (mlir::failed(Meaning))
    return Failure(fmt::format("cannot interpret pattern '@{}'", Loaded.Name));
  Interpreter Made(std::move(*Normal), std::move(*Meaning));
  Made.Q = viewOf(Data.Q);
  Made.K = viewOf(Data.K);
  Made.V = viewOf(Data.V);
  Made.Origins.assign(static_cast<size_t>(Sizes.Batch), Options.Origin);
  // The factor is what the kernel gets: rounded to f32.
  Made.Scale = Options.Scale != 0
                   ? Options.Scale
                   : static_cast<float>(
                         1 / std::sqrt(static_cast<double>(Sizes.HeadDim)));
  return Made;
}

/// Puts a comparison into the report. A disagreement that has no size, such as
/// a NaN against a number, counts as infinite.
static CheckResult toReport(const attn::Comparison &Found) {
  CheckResult Result;
  Result.Against = "the interpreter";
  Result.LargestO = Found.OutputError;
  Result.LargestLse = Found.LseError;
  const std::optional<attn::ComparedElement> &Where =
      Found.FirstFailure ? Found.FirstFailure : Found.WorstOutput;
  if (Where) {
    Result.Batch = Where->B;
    Result.Head = Where->H;
    Result.Row = Where->Row;
  }
  if (!Found.passed() && Result.passed())
    (Found.FirstFailure->Column < 0 ? Result.LargestLse : Result.LargestO) =
        std::numeric_limits<double>::infinity();
  return Result;
}

/// Compares outputs and counts with the interpreter; `Why` says what differs.
static ErrorText check(const Interpreter &Reference, Operands &Data,
                       Report &Out, std::string &Why) {
  llvm::Expected<attn::ReferenceResult> Expected = Reference.compute();
  if (!Expected)
    return "the interpreter cannot run the pattern: " +
           llvm::toString(Expected.takeError());
  const attn::Tolerance Allowed{CheckTolerance};
  heddle_view O = Interpreter::viewOf(Data.O),
              Lse = Interpreter::viewOf(Data.Lse);
  llvm::Expected<attn::Comparison> Found =
      attn::compare(*Expected, O, &Lse, Allowed);
  if (!Found)
    return llvm::toString(Found.takeError());
  Out.Check = toReport(*Found);
  llvm::raw_string_ostream Text(Why);
  if (!Found->passed())
    Found->print(Text, Allowed);
  else if (Expected->KeptPairs != Out.Stats.kept_pairs)
    Text << "the kernel counts " << Out.Stats.kept_pairs
         << " kept pairs, the interpreter " << Expected->KeptPairs;
  return std::nullopt;
}

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
  if (ErrorText Bad = finishOptions(Args.Pattern, Args.Run.Settings))
    return Bad;
  if (ErrorText Bad = Args.Run.parse())
    return Bad;
  if (!Args.Run.Shape.empty())
    if (ErrorText Bad = ShapeSolver().addText(Args.Run.Shape))
      return Bad;
  if (!Args.Schedule.empty())
    if (ErrorText Bad = parseSchedule(Args.Schedule, Build.Schedule))
      return Bad;
  if (!Args.Trace.empty()) {
    llvm::Expected<attn::TracePoint> Parsed = attn::parseTracePoint(Args.Trace);
    if (!Parsed)
      return llvm::toString(Parsed.takeError());
    Point = *Parsed;
  }
  return std::nullopt;
}

/// What to compile: for this machine, or for the level that HEDDLE_LEVEL names.
static void setTargets(const RunArguments &Args, CompileOptions &Build) {
  Build.Targets = Args.Targets;
  const char *Level = std::getenv("HEDDLE_LEVEL");
  if (Build.Targets.empty() && Level && *Level)
    Build.Targets = {Level};
}

static int runKernel(RunArguments &Args, CompileOptions &Build, Compiler &With,
                     const LoadedPattern &Loaded, const Problem &Sizes,
                     std::vector<std::pair<std::string, double>> Before) {
  const RunOptions &Options = Args.Run;
  Result<Program> Compiled = With.jit(Loaded.From, Build);
  if (!Compiled)
    return fail(Compiled.failure());
  Report Out;
  Out.CompileParts = std::move(Before);
  for (auto &Part : listTimings(Compiled->timings()))
    Out.CompileParts.push_back(std::move(Part));

  // Before the tensors are made: a problem that cannot be planned fails fast.
  Runner Main;
  if (ErrorText Bad = Main.prepare(Compiled->kernel(), nullptr, Sizes, Options))
    return fail(*Bad);
  Operands Data;
  if (ErrorText Bad = loadOperands(Options.Inputs, Sizes, Options.Order, Data))
    return fail(*Bad);
  if (ErrorText Bad = Main.run(Data, Out))
    return fail(*Bad);
  std::string Difference;
  if (Options.Check) {
    Result<Interpreter> Reference =
        Interpreter::create(With, Loaded, Options, Sizes, Data);
    if (!Reference)
      return fail(Reference.failure());
    Reference->setParameters(Main.parameters());
    if (ErrorText Bad = check(*Reference, Data, Out, Difference))
      return fail(*Bad);
  }
  if (Difference.empty())
    if (ErrorText Bad = writeOutputs(Options, Data))
      return fail(*Bad);
  if (ErrorText Bad = printReport(Options, Out))
    return fail(*Bad);
  if (!Difference.empty())
    return fail("the check failed, no output is written: " + Difference);
  return 0;
}

static int run(const CLI::App &Line, RunArguments &Args) {
  const double Loading = measureLoading();
  CompileOptions Build;
  std::optional<attn::TracePoint> Point;
  if (ErrorText Bad = parseOptions(Args, Build, Point))
    return failUsage(Line, *Bad);
  const RunOptions &Options = Args.Run;

  SteadyClock::time_point Start = SteadyClock::now();
  Compiler With;
  const double SetUp =
      std::chrono::duration<double, std::milli>(SteadyClock::now() - Start)
          .count();
  Result<LoadedPattern> Loaded = loadPattern(With, Args.Pattern);
  if (!Loaded)
    return fail(Loaded.failure());
  std::vector<int64_t> Params;
  if (ErrorText Bad = bindParameters(Loaded->Name, Loaded->Parameters,
                                     Options.Settings, Params))
    return fail(*Bad);
  ShapeSolver Solver;
  if (ErrorText Bad = collectShape(Options, Solver))
    return fail(*Bad);
  Problem Sizes;
  if (ErrorText Bad = Solver.solve(Sizes))
    return fail(*Bad);
  if (ErrorText Bad = checkMemory(Sizes))
    return fail(*Bad);
  if (ErrorText Bad = checkOutputs(Options))
    return fail(*Bad);

  if (Point) {
    Operands Data;
    if (ErrorText Bad =
            loadOperands(Options.Inputs, Sizes, Options.Order, Data))
      return fail(*Bad);
    Result<Interpreter> Reference =
        Interpreter::create(With, *Loaded, Options, Sizes, Data);
    if (!Reference)
      return fail(Reference.failure());
    Reference->setParameters(std::move(Params));
    return printTraced(Args, *Reference, *Point);
  }
  Build.Pattern = Loaded->Name;
  Build.Dtype = Args.Dtype;
  Build.HeadDimQk = Sizes.HeadDim;
  Build.HeadDimV = Sizes.ValueDim;
  setTargets(Args, Build);
  return runKernel(Args, Build, With, *Loaded, Sizes,
                   {{"load", Loading}, {"set-up", SetUp}});
}

Command cli::addRunCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "run",
      "Compiles a pattern for this machine, runs it, reports and checks.");
  auto Args = std::make_shared<RunArguments>();
  addPatternOptions(*Line, Args->Pattern);
  addRunOptions(*Line, Args->Run);
  Line->add_option("--dtype", Args->Dtype, "element type (default f32)");
  Line->add_option("--target", Args->Targets,
                   "targets or levels to choose from (see heddle targets)")
      ->delimiter(',');
  Line->add_option("--schedule", Args->Schedule,
                   "sizes of the kernel: query_tile=N,key_tile=N,rows=N,"
                   "lanes=N,unroll=N, each optional");
  CLI::Option *Trace = Line->add_option(
      "--trace", Args->Trace,
      "explain one row, as in b=0,h=3,q=17: its kept keys, scores, weights and "
      "output by the interpreter; runs no kernel");
  for (const char *Other : {"-o", "--lse", "--check"})
    Trace->excludes(Line->get_option(Other));
  Line->footer(
      "examples:\n"
      "  heddle run examples/causal.mlir --shape hq=8,sq=1024,d=64 --check\n"
      "  heddle run examples/a_shape.mlir --set sink=4 window=256 --shape "
      "b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64 --threads 1 --json\n"
      "  heddle run examples/causal.mlir --q q.npy --k k.npy --v v.npy -o "
      "o.npy --lse lse.npy\n"
      "  heddle run examples/a_shape.mlir --shape hq=4,sq=32,d=16 --trace "
      "h=3,q=17\n"
      "\n"
      "environment:\n"
      "  HEDDLE_LEVEL         the level to run, where --target is not given\n"
      "  HEDDLE_CPU_FEATURES  hide instruction-set extensions that are not in "
      "this list\n"
      "  HEDDLE_PIN=0         leave threads unpinned");
  return {Line, [Line, Args] { return run(*Line, *Args); }};
}
