// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/KernelArguments.h"

#include "frontends/common/Run.h"

#include <CLI/CLI.hpp>

#include <cstdlib>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

void cli::addKernelOptions(CLI::App &Line, KernelArguments &Args) {
  addPatternOptions(Line, Args.Pattern);
  addRunOptions(Line, Args.Run);
  Line.add_option("--dtype", Args.Dtype,
                  "element type of q, k and v: f32 (default), f16 or bf16");
  Line.add_option("--output-dtype", Args.OutputDtype,
                  "element type of o (default: that of q, k and v)");
  Line.add_option("--target", Args.Targets,
                  "targets or levels to choose from (see heddle targets)")
      ->delimiter(',');
  Line.add_option("--schedule", Args.Schedule, ScheduleHelp);
}

ErrorText KernelArguments::parse(CompileOptions &Build) {
  if (ErrorText Bad = finishOptions(Pattern, Run.Items))
    return Bad;
  if (ErrorText Bad = Run.parse())
    return Bad;
  if (!Run.Shape.empty())
    if (ErrorText Bad = ShapeSolver().addText(Run.Shape))
      return Bad;
  if (ErrorText Bad = parseDtype(Dtype, "--dtype", Input))
    return Bad;
  Output = Input;
  if (!OutputDtype.empty())
    if (ErrorText Bad = parseDtype(OutputDtype, "--output-dtype", Output))
      return Bad;
  if (!Schedule.empty())
    if (ErrorText Bad = parseSchedule(Schedule, Build.Schedule))
      return Bad;
  return std::nullopt;
}

TensorTypes KernelArguments::types() const {
  TensorTypes Types = Run.types();
  Types.Input = Types.Output = Input;
  return Types;
}

ErrorText cli::checkMeaningful(const RunOptions &Options,
                               const LoadedPattern &Loaded) {
  const std::optional<RecurrenceInfo> &Recurrence = Loaded.Info.Recurrence;
  return frontend::checkMeaningful(Options, Loaded.Name, Recurrence.has_value(),
                                   Recurrence && Recurrence->HasSums);
}

ErrorText cli::ask(const Compiler &With, const RunOptions &Options,
                   const TensorTypes &Types, bool Allocates, Asked &What) {
  std::vector<Setting> Settings;
  if (ErrorText Bad = parseSettings(What.Loaded.owner(), What.Loaded.Parameters,
                                    Options.Items, Settings))
    return Bad;
  ShapeSolver Solver;
  if (ErrorText Bad = collectShape(Options, Types.Input, Solver))
    return Bad;
  if (ErrorText Bad = solveShape(Options, Solver, What.Loaded.Name,
                                 What.Loaded.Info.NumSources, What.Sizes))
    return Bad;
  if (What.Loaded.Info.Recurrence) {
    Result<int64_t> Rows = With.countStateRows(
        What.Loaded.From, What.Loaded.Name, What.Sizes.HeadDim);
    if (!Rows)
      return Rows.failure().diagnostics().front().Text;
    What.Sizes.StateRows = *Rows;
    What.Sizes.HasSums = What.Loaded.Info.Recurrence->HasSums;
  }
  if (Allocates)
    if (ErrorText Bad = checkMemory(What.Sizes, Types))
      return Bad;
  if (ErrorText Bad = checkOutputs(Options))
    return Bad;
  return What.Values.make(What.Loaded.Parameters, Settings,
                          extentsOf(Options, What.Sizes));
}

void cli::fillBuild(const KernelArguments &Args, const Asked &What,
                    const TensorTypes &Types, CompileOptions &Build) {
  Build.Pattern = What.Loaded.Name;
  Build.Dtype = Args.Dtype;
  Build.OutputDtype = Args.OutputDtype;
  Build.HeadDimQk = What.Sizes.HeadDim;
  Build.HeadDimV = What.Sizes.ValueDim;
  Build.Outputs = {Types.RowMax, Types.ColumnSums, Types.BlockQ, Types.BlockK};
  Build.Targets = Args.Targets;
  const char *Level = std::getenv("HEDDLE_LEVEL");
  if (Build.Targets.empty() && Level && *Level)
    Build.Targets = {Level};
}
