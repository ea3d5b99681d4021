// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Run.h"

#include "codegen/cpu/FmaPeak.h"
#include "frontends/common/LaunchTensors.h"
#include "runtime/npy/Npy.h"
#include "runtime/src/Dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

using namespace heddle;
using namespace heddle::frontend;

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point Start) {
  return std::chrono::duration<double>(Clock::now() - Start).count();
}

ErrorText frontend::toText(heddle_error *Error) {
  if (!Error)
    return std::nullopt;
  std::string Text = heddle_error_message(Error);
  heddle_error_free(Error);
  return Text;
}

double frontend::median(std::vector<double> Values) {
  size_t Middle = Values.size() / 2;
  std::nth_element(Values.begin(), Values.begin() + Middle, Values.end());
  if (Values.size() % 2 == 1)
    return Values[Middle];
  double Below = *std::max_element(Values.begin(), Values.begin() + Middle);
  return (Below + Values[Middle]) / 2;
}

ErrorText frontend::kernelTypes(const heddle_entry &Entry,
                                const RunOptions &Options, TensorTypes &Out) {
  Out = Options.types();
  Out.Input = static_cast<heddle_dtype>(Entry.dtype);
  Out.Output = static_cast<heddle_dtype>(Entry.output_dtype);
  Out.HasLse = Entry.has_lse != 0;
  if (Entry.form == HEDDLE_LINEAR) {
    if (ErrorText Bad =
            checkMeaningful(Options, Entry.pattern, true, Entry.has_sums != 0))
      return Bad;
    // A check covers the state too.
    Out.StateOut = Options.Check || !Options.StateOutPath.empty();
    Out.SumsOut =
        Entry.has_sums != 0 && (Options.Check || !Options.SumsOutPath.empty());
    return std::nullopt;
  }
  if (ErrorText Bad = checkMeaningful(Options, Entry.pattern, false, false))
    return Bad;
  const struct {
    const char *Option;
    bool IsWanted, Has;
  } Outputs[] = {{"--lse", !Options.LsePath.empty(), Out.HasLse},
                 {"--row-max", Out.RowMax, Entry.has_row_max != 0},
                 {"--column-sums", Out.ColumnSums, Entry.has_column_sums != 0},
                 {"--block-max", Out.hasBlockMax(), Entry.has_block_max != 0}};
  for (const auto &Output : Outputs)
    if (Output.IsWanted && !Output.Has)
      return fmt::format("{} asks for what kernel '{}' does not compute",
                         Output.Option, Entry.name);
  if (Out.hasBlockMax() &&
      (Out.BlockQ != Entry.block_q || Out.BlockK != Entry.block_k))
    return fmt::format("--block-max has blocks of {} x {}, but those of kernel "
                       "'{}' are {} x {}",
                       Out.BlockQ, Out.BlockK, Entry.name, Entry.block_q,
                       Entry.block_k);
  return std::nullopt;
}

ErrorText Runner::prepare(const heddle_kernel *Kernel, const heddle_code *Code,
                          const Problem &TheSizes,
                          const PatternValues &TheValues,
                          const RunOptions &TheOptions,
                          const Accelerator *TheDevice) {
  On = TheDevice;
  Entry = heddle_kernel_entry(Kernel);
  Options = &TheOptions;
  Sizes = TheSizes;
  Values = &TheValues;
  if (!Code)
    if (ErrorText Bad =
            toText(On ? heddle_device_code_of(On->get(), Kernel, nullptr, &Code)
                      : heddle_kernel_code(Kernel, &Code)))
      return Bad;
  if (!Pool) {
    heddle_pool *NewPool = nullptr;
    if (ErrorText Bad = toText(heddle_pool_create(Options->Threads, &NewPool)))
      return Bad;
    Pool.reset(NewPool);
  }
  Origins.assign(static_cast<size_t>(Sizes.Batch), Options->Origin);
  heddle_problem Problem = {};
  Problem.batch = Sizes.Batch;
  Problem.heads_q = Sizes.HeadsQ;
  Problem.heads_kv = Sizes.HeadsKv;
  Problem.seq_q = Sizes.SeqQ;
  Problem.seq_k = Sizes.SeqK;
  Problem.origin = Origins.data();
  Problem.params = Values->data();
  if (Sizes.isRagged()) {
    Problem.cu_seqlens_q = Sizes.CuSeqlensQ.data();
    Problem.cu_seqlens_k = Sizes.CuSeqlensK.data();
  }
  Problem.more_seq_k = Sizes.MoreKeys.data();
  Problem.trusted = Options->Trusted;
  Problem.segments = Options->Segments;
  Problem.threads = heddle_pool_threads(Pool.get());
  if (On)
    Problem.multiprocessors = heddle_device_describe(On->get()).multiprocessors;
  heddle_plan *NewPlan = nullptr;
  Clock::time_point Start = Clock::now();
  if (ErrorText Bad =
          toText(heddle_plan_create_with(Kernel, Code, &Problem, &NewPlan)))
    return Bad;
  PlanMilliseconds = secondsSince(Start) * 1e3;
  // The plan on the device refers to that of the host.
  There = {};
  Plan.reset(NewPlan);
  return On ? There.create(*On, NewPlan) : std::nullopt;
}

ErrorText Runner::launch(const RunTensors &Inputs, OutputTensors &Out) {
  std::vector<double> Seconds;
  return launch(Inputs, Out, Seconds);
}

ErrorText Runner::launch(const RunTensors &Inputs, OutputTensors &Out,
                         std::vector<double> &Seconds) {
  if (On)
    return There.run(Inputs, Out, Options->Scale, 1, Seconds);
  const LaunchTensors Tensors(Inputs, Out, Options->Scale);
  const Clock::time_point Start = Clock::now();
  ErrorText Bad = toText(heddle_launch(Plan.get(), &Tensors.all(), Pool.get()));
  Seconds.push_back(secondsSince(Start));
  return Bad;
}

/// A parameter's value as the report shows it.
static std::string valueText(const PatternValues &Values, size_t I) {
  const Operand &Of = Values.operand(I);
  switch (Values.parameters()[I].Kind) {
  case HEDDLE_INTEGER:
    return std::to_string(Of.Value.integer);
  case HEDDLE_REAL:
    return fmt::format("{:g}", Of.Value.real);
  default:
    return Of.Summary;
  }
}

RecurrenceReport Runner::describeRecurrence(bool IsContinued,
                                            const heddle_stats &Stats) const {
  RecurrenceReport Result;
  Result.Rows = Entry->state_rows;
  Result.Columns = Entry->d_v;
  Result.HasSums = Entry->has_sums != 0;
  Result.IsCausal = Entry->is_causal != 0;
  Result.IsContinued = IsContinued;
  Result.Chunk = code().query_tile;
  Result.Chunks = Stats.tiles_full;
  const int64_t Stretches = Sizes.Batch * Sizes.HeadsQ;
  Result.Segments =
      Stretches > 0
          ? std::max<int64_t>(1, heddle_plan_num_tasks(Plan.get()) / Stretches)
          : 1;
  const int64_t Tokens = Result.IsCausal
                             ? Sizes.longestQ()
                             : std::max(Sizes.longestQ(), Sizes.longestK());
  Result.IsStep =
      code().step && Result.Segments == 1 && Tokens <= code().step_tokens;
  Result.ChunkFlop = code().chunk_flop;
  // Only a delta rule and a window keep stretches from being joined.
  const bool HasDelta = !Entry->can_scan && Entry->window_param < 0;
  Result.StepFlop =
      stepFlop(Result.Rows, Result.Columns + Result.HasSums, HasDelta);
  return Result;
}

ErrorText Runner::run(RunTensors &Data, Report &Out) {
  Out.Kernel = Entry->name;
  Out.Pattern = Entry->pattern;
  Out.Level = code().level;
  Out.Dtype = runtime::dtypeName(Entry->dtype);
  Out.OutputDtype = runtime::dtypeName(Entry->output_dtype);
  for (size_t I = 0; I < Values->size(); ++I) {
    const Parameter &P = Values->parameters()[I];
    const bool IsNumber = P.Kind == HEDDLE_INTEGER || P.Kind == HEDDLE_REAL;
    (IsNumber ? Out.Numbers : Out.Operands)
        .emplace_back(P.Name, valueText(*Values, I));
  }
  Out.Sizes = Sizes;
  Out.Order = Options->Order;
  Out.Origin = Options->Origin;
  Out.Threads = heddle_pool_threads(Pool.get());
  Out.Repeat = Options->Repeat;
  Out.Parts = heddle_plan_parts(Plan.get());
  const heddle_code &Runs = Out.Parts > 0 ? *code().packed : code();
  Out.QueryTile = Runs.query_tile;
  Out.KeyTile = Runs.key_tile;
  for (int64_t Axis = 0; Axis < Entry->grid_axes; ++Axis) {
    Out.QueryBox.push_back(code().query_box[Axis]);
    Out.KeyBox.push_back(code().key_box[Axis]);
  }
  Out.PlanBytes = heddle_plan_bytes(Plan.get());
  Out.PlanMilliseconds = PlanMilliseconds;
  Out.IndexMilliseconds = heddle_plan_index_time(Plan.get());
  if (ErrorText Bad =
          toText(heddle_plan_stats(Plan.get(), Pool.get(), &Out.Stats)))
    return Bad;
  if (Entry->form == HEDDLE_LINEAR)
    Out.Recurrence = describeRecurrence(Data.State.exists(), Out.Stats);
  std::vector<double> Times;
  if (On) {
    Out.Device = On->describe();
    Out.PlanBytes += There.bytes();
    if (ErrorText Bad =
            There.run(Data, Data.Out, Options->Scale, Options->Repeat, Times))
      return Bad;
    Out.MedianSeconds = median(std::move(Times));
    return std::nullopt;
  }
  for (int64_t I = 0; I < Options->Repeat; ++I) {
    if (ErrorText Bad = launch(Data, Data.Out, Times))
      return Bad;
  }
  Out.MedianSeconds = median(std::move(Times));
  Out.FmaPeak = cpu::measureFmaPeak(Out.Threads);
  return std::nullopt;
}

ErrorText Runner::runBeside(Runner &Dense, OutputTensors &DenseOut,
                            RunTensors &Data, Report &Out) {
  std::vector<double> DenseTimes, Times;
  for (int64_t I = 0; I < Options->Repeat; ++I) {
    if (ErrorText Bad = Dense.launch(Data, DenseOut, DenseTimes))
      return Bad;
    if (ErrorText Bad = launch(Data, Data.Out, Times))
      return Bad;
  }
  Out.DenseSeconds = median(std::move(DenseTimes));
  Out.SparseSeconds = median(std::move(Times));
  return std::nullopt;
}

double Runner::rounding() const {
  return On ? deviceTolerance(static_cast<heddle_dtype>(Entry->dtype), isTf32())
            : 0;
}

bool Runner::isTf32() const { return code().device && code().device->tf32; }

ErrorText frontend::checkOutputs(const RunOptions &Options) {
  for (const OutputPlace &File : Options.outputFiles())
    if (ErrorText Bad = npy::checkWritable(File.Path))
      return Bad;
  return std::nullopt;
}

/// What goes to a file.
static const Tensor &outputOf(const OutputTensors &Data, FileRole Role,
                              size_t Source) {
  switch (Role) {
  case FileRole::O:
    return Data.O;
  case FileRole::Lse:
    return Data.Lse;
  case FileRole::RowMax:
    return Data.RowMax;
  case FileRole::ColumnSums:
    return Data.ColumnSums[Source];
  case FileRole::State:
    return Data.State;
  case FileRole::Sums:
    return Data.Sums;
  case FileRole::BlockMax:
    break;
  }
  return Data.BlockMax[Source];
}

ErrorText frontend::writeOutputs(const RunOptions &Options,
                                 const OutputTensors &Data) {
  const std::vector<OutputPlace> All = Options.outputFiles();
  std::vector<npy::PendingFile> Files(All.size());
  // All that can fail for want of space comes before the first file appears.
  for (size_t I = 0; I < All.size(); ++I) {
    const Tensor &Of = outputOf(Data, All[I].Role, All[I].Source);
    if (ErrorText Bad = npy::stage(All[I].Path, Of.storedShape(), Of.data(),
                                   Files[I], Of.dtype()))
      return Bad;
  }
  for (npy::PendingFile &File : Files)
    if (ErrorText Bad = File.commit())
      return Bad;
  return std::nullopt;
}

ErrorText frontend::printText(const std::string &Text) {
  if (std::fwrite(Text.data(), 1, Text.size(), stdout) != Text.size() ||
      std::fflush(stdout) != 0)
    return fmt::format("cannot write to standard output: {}",
                       std::strerror(errno));
  return std::nullopt;
}

ErrorText frontend::printReport(const RunOptions &Options, const Report &R) {
  return printText(Options.Json ? R.json() : R.text());
}
