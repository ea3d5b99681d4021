// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Tile.h"
#include "frontends/common/Run.h"
#include "frontends/heddle/KernelArguments.h"
#include "frontends/heddle/PatternExplanation.h"
#include "frontends/heddle/RecurrenceExplanation.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

namespace {

struct ExplainArguments : KernelArguments {
  bool NoMeasure = false;
};

/// The kernel of one level, with its schedule.
struct Scheduled {
  const Target *Of = nullptr;
  bool RunsHere = false;
  /// Keeps the patterns of the specification.
  Source From;
  KernelSpec Spec;
};

} // namespace

/// The best level that runs here; where none does, the best.
static Result<Scheduled> scheduleKernel(Compiler &With, const Source &From,
                                        const CompileOptions &Build) {
  Result<Source> Module = With.schedule(From, Build);
  if (!Module)
    return Module.failure();
  mlir::func::FuncOp Chosen;
  const Target *Of = nullptr;
  bool RunsHere = false;
  // Functions are in the order of the levels, best first.
  for (auto Function : Module->module().getOps<mlir::func::FuncOp>()) {
    auto Entry = Function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
    const Target *T = findTargetOfLevel(Entry.getLevel());
    const bool Runs = llvm::any_of(T->levels(), [&](const Level &L) {
      return L.Name == Entry.getLevel() && L.runsHere();
    });
    if (Chosen && (RunsHere || !Runs))
      continue;
    Chosen = Function;
    Of = T;
    RunsHere = Runs;
  }
  mlir::FailureOr<KernelSpec> Spec = findKernelSpec(
      Chosen, Chosen->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr));
  if (mlir::failed(Spec))
    return Failure("cannot look up pattern '" + Build.Pattern + "'");
  return Scheduled{Of, RunsHere, std::move(*Module), std::move(*Spec)};
}

static std::string formulaText(attn::FormulaAttr Formula) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  mlir::Attribute(Formula).print(Out);
  return Text;
}

/// What the kernel is and why it is built as it is, but for its formulas.
static void describe(const ExplainArguments &Args, const Scheduled &Kernel,
                     const Asked &What, KernelShape Shape,
                     KernelExplanation &Out) {
  const KernelSpec &Spec = Kernel.Spec;
  Out.Name = What.Loaded.Name;
  Out.Level = Spec.entry.getLevel().str();
  Out.Dtype = Args.Dtype;
  Out.Sizes = What.Sizes;
  Out.Origin = Args.Run.Origin;
  Out.Shape = std::move(Shape);
  Out.Schedule = Spec.entry.getSchedule();
  Out.IsGiven = !Args.Schedule.empty();
  Out.Choices = Kernel.Of->weighSchedules(Out.Schedule.getContext(), Out.Level,
                                          Out.Shape);
  Out.Machine = Kernel.Of->describeMachine(Out.Level);
  Out.FlopPerSlot = Kernel.Of->flopPerSlot(Out.Level);
}

/// The same tiles for the best level of the target that this machine can run.
static void setTiles(const Target &Of, attn::ScheduleAttr Schedule,
                     CompileOptions &Build) {
  const std::vector<Level> Levels = Of.levels();
  const auto Here =
      llvm::find_if(Levels, [](const Level &L) { return L.runsHere(); });
  // Where none does, compiling says so.
  Build.Targets.clear();
  Build.Targets.push_back(Here == Levels.end() ? Levels.back().Name
                                               : Here->Name);
  Build.Schedule = {};
  if (Schedule.getQueryBox().empty()) {
    Build.Schedule.QueryTile = Schedule.getQueryTile();
    Build.Schedule.KeyTile = Schedule.getKeyTile();
    return;
  }
  Build.Schedule.QueryBox.assign(Schedule.getQueryBox().begin(),
                                 Schedule.getQueryBox().end());
  Build.Schedule.KeyBox.assign(Schedule.getKeyBox().begin(),
                               Schedule.getKeyBox().end());
}

/// Bytes of the keys and values of one head.
static int64_t keyBytes(const Problem &Sizes, const KernelShape &Shape) {
  int64_t Keys = Sizes.longestK();
  for (int64_t More : Sizes.MoreKeys)
    Keys += More;
  return Keys * (Shape.Qk + Shape.V) * Shape.ElementBytes;
}

/// Bytes of q, k, v and o.
static double tensorBytes(const Problem &Sizes, const KernelShape &Shape,
                          heddle_dtype Output) {
  const auto Heads = [&](int64_t Of) {
    return static_cast<double>(Sizes.tensorBatch() * Of);
  };
  const auto In = static_cast<double>(Shape.ElementBytes);
  const double Out = Output == HEDDLE_F32 ? 4 : 2;
  double Keys = static_cast<double>(Sizes.tensorBatch() * Sizes.SeqK);
  for (int64_t More : Sizes.MoreKeys)
    Keys += static_cast<double>(Sizes.Batch * More);
  const auto Queries = static_cast<double>(Sizes.SeqQ);
  return Heads(Sizes.HeadsQ) * Queries *
             (In * static_cast<double>(Shape.Qk) +
              Out * static_cast<double>(Shape.V)) +
         static_cast<double>(Sizes.HeadsKv) * Keys * In *
             static_cast<double>(Shape.Qk + Shape.V);
}

/// Launches, and asks the machine for its limits.
static ErrorText measure(const ExplainArguments &Args, const Scheduled &Kernel,
                         const Problem &Sizes, const TensorTypes &Types,
                         Runner &Main, Measurements &Out) {
  if (Args.NoMeasure) {
    Out.Unmeasured = "not asked for";
    return std::nullopt;
  }
  const std::string Level = Kernel.Spec.entry.getLevel().str();
  if (!Kernel.RunsHere) {
    Out.Unmeasured = "this machine cannot run '" + Level + "'";
    return std::nullopt;
  }
  const int32_t Threads = heddle_pool_threads(Main.pool());
  using Clock = std::chrono::steady_clock;
  RunTensors Data;
  if (ErrorText Bad =
          loadTensors(Args.Run.Inputs, Sizes, Types, Args.Run.Order, Data))
    return Bad;
  // Before and after: a neighbour may be at work during either.
  auto MeasurePeak = [&] { return Kernel.Of->measurePeak(Level, Threads); };
  Out.Peak = MeasurePeak();
  std::vector<double> Times;
  for (int64_t I = 0; I < Args.Run.Repeat; ++I) {
    const Clock::time_point Start = Clock::now();
    if (ErrorText Bad = Main.launch(Data, Data.Out))
      return Bad;
    Times.push_back(
        std::chrono::duration<double>(Clock::now() - Start).count());
  }
  Out.FastestSeconds = *llvm::min_element(Times);
  Out.MeasuredSeconds = median(std::move(Times));
  Out.Repeat = Args.Run.Repeat;
  Out.Peak = std::max(Out.Peak, MeasurePeak());
  Out.Bandwidth = Kernel.Of->measureReadBandwidth(Threads);
  if (Out.Peak > 0)
    Out.SecondsPerSlot = Out.FlopPerSlot * Threads / Out.Peak * 1e-9;
  return std::nullopt;
}

/// The schedule of tasks that take so many heads: groups may have fewer than
/// it allows for.
static attn::ScheduleAttr withHeads(attn::ScheduleAttr S, int64_t Heads) {
  return attn::ScheduleAttr::get(S.getContext(), S.getQueryTile(),
                                 S.getKeyTile(), S.getRows(), S.getLanes(),
                                 S.getUnroll(), S.getQueryBox(), S.getKeyBox(),
                                 S.getStages(), Heads);
}

static int explainPattern(const ExplainArguments &Args, const Scheduled &Kernel,
                          const Asked &What, const TensorTypes &Types,
                          Runner &Main) {
  const KernelSpec &Spec = Kernel.Spec;
  PatternExplanation Out;
  llvm::SmallVector<attn::PatternOp> Patterns;
  for (const KernelSource &Source : Spec.sources) {
    attn::PatternOp Pattern = Source.pattern;
    Patterns.push_back(Pattern);
    Out.Formulas.push_back(formulaText(Pattern.getFormulaAttr()));
  }
  describe(Args, Kernel, What,
           describeKernel(Patterns, Spec.entry.getQk(), Spec.entry.getV(),
                          Spec.entry.getInputType()),
           Out);
  if (ErrorText Bad =
          toText(heddle_plan_stats(Main.plan(), Main.pool(), &Out.Stats)))
    return fail(*Bad);
  Out.Threads = heddle_pool_threads(Main.pool());
  Out.Tiles = countTiles(*Main.plan(), Kernel.Spec, Out.Threads);
  Out.Bytes = tensorBytes(Out.Sizes, Out.Shape, Args.Output);
  Out.Predicted =
      predict(Out.Tiles,
              Kernel.Of->estimateCost(withHeads(Out.Schedule, Out.Tiles.Heads),
                                      Out.Level, Out.Shape,
                                      keyBytes(Out.Sizes, Out.Shape)),
              Out.Threads);
  if (ErrorText Bad = measure(Args, Kernel, Out.Sizes, Types, Main, Out))
    return fail(*Bad);
  return print(Args.Run.Json ? Out.json() : Out.text());
}

static int explainRecurrence(const ExplainArguments &Args,
                             const Scheduled &Kernel, const Asked &What,
                             const TensorTypes &Types, Runner &Main) {
  const KernelSpec &Spec = Kernel.Spec;
  attn::RecurrenceOp Op = Spec.recurrence;
  RecurrenceExplanation Out;
  Out.Formulas = equationsOf(Op);
  describe(Args, Kernel, What,
           describeKernel(Op, Spec.entry.getQk(), Spec.entry.getV(),
                          Spec.entry.getInputType()),
           Out);
  if (std::optional<unsigned> Window = Op.getWindowParam())
    Out.Window = What.Values.operand(*Window).Value.integer;
  heddle_stats Stats = {};
  if (ErrorText Bad =
          toText(heddle_plan_stats(Main.plan(), Main.pool(), &Stats)))
    return fail(*Bad);
  Out.Form = Main.describeRecurrence(!Args.Run.Inputs.State.empty(), Stats);
  Out.Tasks = heddle_plan_num_tasks(Main.plan());
  Out.Threads = heddle_pool_threads(Main.pool());
  Out.Bytes = tensorBytes(Out.Sizes, Out.Shape, Args.Output);
  Out.Costs = Kernel.Of->estimateCost(Out.Schedule, Out.Level, Out.Shape,
                                      keyBytes(Out.Sizes, Out.Shape));
  if (ErrorText Bad = measure(Args, Kernel, Out.Sizes, Types, Main, Out))
    return fail(*Bad);
  return print(Args.Run.Json ? Out.json() : Out.text());
}

static int explain(const CLI::App &Line, ExplainArguments &Args) {
  CompileOptions Build;
  if (ErrorText Bad = Args.parse(Build))
    return failUsage(Line, *Bad);
  Compiler With;
  Result<LoadedPattern> Loaded = loadPattern(With, Args.Pattern);
  if (!Loaded)
    return fail(Loaded.failure());
  if (ErrorText Bad = checkMeaningful(Args.Run, *Loaded))
    return failUsage(Line, *Bad);
  TensorTypes Types = Args.types();
  Asked What{std::move(*Loaded), {}, {}};
  if (ErrorText Bad =
          ask(With, Args.Run, Types, /*Allocates=*/!Args.NoMeasure, What))
    return fail(*Bad);
  fillBuild(Args, What, Types, Build);
  Result<Scheduled> Kernel = scheduleKernel(With, What.Loaded.From, Build);
  if (!Kernel)
    return fail(Kernel.failure());
  if (Kernel->Of->isDevice())
    return fail(fmt::format("level '{}' is for a device, and only levels of "
                            "this machine can be explained; leave out --target "
                            "or name one of them",
                            Kernel->Spec.entry.getLevel().str()));
  // A level of another machine has its tiles counted by code for this one.
  Build.Targets = {Kernel->Spec.entry.getLevel().str()};
  if (!Kernel->RunsHere)
    setTiles(*Kernel->Of, Kernel->Spec.entry.getSchedule(), Build);
  Result<Program> Compiled = With.jit(What.Loaded.From, Build);
  if (!Compiled)
    return fail(Compiled.failure());
  if (ErrorText Bad = kernelTypes(*heddle_kernel_entry(Compiled->kernel()),
                                  Args.Run, Types))
    return fail(*Bad);
  const heddle_code *Code = nullptr;
  if (ErrorText Bad = toText(heddle_kernel_code_at(
          Compiled->kernel(), Build.Targets.front().c_str(), &Code)))
    return fail(*Bad);
  Runner Main;
  if (ErrorText Bad = Main.prepare(Compiled->kernel(), Code, What.Sizes,
                                   What.Values, Args.Run))
    return fail(*Bad);
  return What.Sizes.isRecurrence()
             ? explainRecurrence(Args, *Kernel, What, Types, Main)
             : explainPattern(Args, *Kernel, What, Types, Main);
}

Command cli::addExplainCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "explain", "Why a kernel is built as it is, what bounds it, and how long "
                 "it should and does take.");
  auto Args = std::make_shared<ExplainArguments>();
  addKernelOptions(*Line, *Args);
  // Nothing is written and nothing compared.
  for (const char *Other :
       {"-o", "--lse", "--row-max", "--column-sums", "--block-max",
        "--state-out", "--sums-out", "--check"})
    Line->remove_option(Line->get_option(Other));
  Line->add_flag("--no-measure", Args->NoMeasure,
                 "predict only: allocate no tensors, launch nothing");
  Line->footer(
      std::string(operandHelp()) +
      "\n"
      "examples:\n"
      "  heddle explain examples/causal.mlir --shape hq=8,sq=4096,d=64\n"
      "  heddle explain examples/block_sparse.mlir --set "
      "'rows=random:10%@bxhxq/64,size=k/64' --shape hq=8,sq=8192,d=128\n"
      "  heddle explain examples/dense.mlir --shape sq=4096,d=128 --target "
      "cpu-avx2 --no-measure\n"
      "  heddle explain examples/retnet.mlir --set gamma=fill:0.97@h --shape "
      "hq=8,sq=4096,d=64\n"
      "  heddle explain examples/natten_2d.mlir --shape sq=4096,sk=4096,d=64 "
      "--threads 1 --json\n"
      "\n"
      "environment: as for heddle run");
  return {Line, [Line, Args] { return explain(*Line, *Args); }};
}
