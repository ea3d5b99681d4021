// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Numbers.h"
#include "frontends/common/Run.h"
#include "frontends/common/RunOptions.h"
#include "frontends/cpp/OutputFile.h"
#include "frontends/heddle/Commands.h"
#include "frontends/heddle/ResourceReport.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>
#include <unistd.h>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

namespace {

struct CompileArguments {
  PatternOptions Pattern;
  std::string Output, Header, HeadDim, Schedule, Emit, Outputs;
  bool Verbose = false, Report = false;
  CompileOptions Build;
};

} // namespace

/// "64" or "64,32".
static ErrorText parseHeadDim(std::string_view Text, CompileOptions &Out) {
  std::vector<std::string_view> Parts = split(Text, ',');
  if (Parts.size() > 2)
    return fmt::format(
        "--head-dim is '{}', expected one size, or those of q.k and of v",
        Text);
  if (ErrorText Bad =
          parseInteger(Parts[0], "--head-dim", 1, 512, Out.HeadDimQk))
    return Bad;
  if (Parts.size() == 1)
    return std::nullopt;
  return parseInteger(Parts[1], "--head-dim of v", 1, 512, Out.HeadDimV);
}

/// "row_max,column_sums,block_max=64x64"
static ErrorText parseOutputs(std::string_view Text, OutputOptions &Out) {
  constexpr int64_t MaxBlock = 512;
  constexpr std::string_view BlockMax = "block_max=";
  for (std::string_view Item : split(Text, ',')) {
    if (Item == "row_max")
      Out.RowMax = true;
    else if (Item == "column_sums")
      Out.ColumnSums = true;
    else if (Item.substr(0, BlockMax.size()) != BlockMax)
      return fmt::format("--outputs has '{}', expected row_max, column_sums or "
                         "block_max and blocks, as in block_max=64x64",
                         Item);
    else if (ErrorText Bad =
                 parsePair(Item.substr(BlockMax.size()), "block_max", MaxBlock,
                           Out.BlockQ, Out.BlockK))
      return Bad;
  }
  return std::nullopt;
}

/// Everything that needs no file.
static ErrorText parseOptions(CompileArguments &Args,
                              std::optional<Stage> &Until) {
  std::vector<std::string> NoSettings;
  if (ErrorText Bad = finishOptions(Args.Pattern, NoSettings))
    return Bad;
  if (!Args.HeadDim.empty())
    if (ErrorText Bad = parseHeadDim(Args.HeadDim, Args.Build))
      return Bad;
  if (!Args.Schedule.empty())
    if (ErrorText Bad = parseSchedule(Args.Schedule, Args.Build.Schedule))
      return Bad;
  if (!Args.Outputs.empty())
    if (ErrorText Bad = parseOutputs(Args.Outputs, Args.Build.Outputs))
      return Bad;
  if (!Args.Emit.empty()) {
    Until = findStage(Args.Emit);
    if (!Until)
      return fmt::format("--emit is '{}', expected one of {}", Args.Emit,
                         llvm::join(stageNames(), ", "));
    if (Args.Report)
      return "--report is about a bundle; leave out --emit";
    if (!Args.Header.empty())
      return "--header describes a bundle; leave out --emit";
    if (Until == Stage::Object && (Args.Output.empty() || Args.Output == "-") &&
        ::isatty(STDOUT_FILENO))
      return "an object file is not for terminals; give -o a file";
    return std::nullopt;
  }
  if (Args.Output.empty())
    return "expected -o with the bundle's file, found none";
  if (Args.Output == "-")
    return "-o is '-', but a bundle needs a file";
  if (Args.Output == Args.Header)
    return fmt::format("-o and --header both name '{}'", Args.Output);
  return std::nullopt;
}

static std::string describeFile(const std::string &Path) {
  uint64_t Bytes = 0;
  if (llvm::sys::fs::file_size(Path, Bytes))
    return Path;
  return fmt::format("{} ({} bytes)", Path, Bytes);
}

/// Prints what the manifest of the new bundle says of its kernels: all of it
/// where it is asked for, advice in any case.
static int report(const std::string &Path, bool IsAskedFor) {
  heddle_bundle *Bundle = nullptr;
  if (ErrorText Bad = toText(heddle_bundle_open(Path.c_str(), &Bundle)))
    return fail(*Bad);
  const std::string Manifest = heddle_bundle_manifest(Bundle);
  heddle_bundle_close(Bundle);
  if (IsAskedFor)
    return print(resourceTable(Manifest));
  for (const std::string &Line : listAdvice(Manifest))
    fmt::print(stderr, "heddle: remark: {}\n", Line);
  return 0;
}

static int writeBundle(CompileArguments &Args, Compiler &With,
                       const Source &From) {
  Result<Timings> Spent =
      With.writeBundle(From, Args.Build, Args.Output, Args.Header);
  if (!Spent)
    return fail(Spent.failure());
  // Without targets there are no devices, whose code alone has something to
  // tell.
  if (Args.Report || !Args.Build.Targets.empty())
    if (int Status = report(Args.Output, Args.Report))
      return Status;
  if (!Args.Verbose && !::isatty(STDOUT_FILENO))
    return 0;
  std::string Parts;
  for (const auto &[Name, Milliseconds] : listTimings(*Spent))
    Parts += fmt::format("{}{} {:.1f}", Parts.empty() ? "" : ", ", Name,
                         Milliseconds);
  return print(fmt::format(
      "wrote {}{} in {:.1f} ms ({})\n", describeFile(Args.Output),
      Args.Header.empty() ? "" : " and " + describeFile(Args.Header),
      Spent->total(), Parts));
}

static int emit(CompileArguments &Args, Compiler &With, const Source &From) {
  if (Args.Output.empty() || Args.Output == "-") {
    Result<std::string> Text = With.emit(From, Args.Build, Args.Emit);
    return Text ? print(*Text) : fail(Text.failure());
  }
  // Known to be writable before any work is done.
  Result<OutputFile> File = OutputFile::create(Args.Output);
  if (!File)
    return fail(File.failure());
  Result<std::string> Text = With.emit(From, Args.Build, Args.Emit);
  if (!Text)
    return fail(Text.failure());
  if (std::string Bad = File->write(*Text); !Bad.empty())
    return fail(Bad);
  if (std::string Bad = File->keep(); !Bad.empty())
    return fail(Bad);
  if (!Args.Verbose && !::isatty(STDOUT_FILENO))
    return 0;
  return print(fmt::format("wrote {}\n", describeFile(Args.Output)));
}

static int compile(const CLI::App &Line, CompileArguments &Args) {
  std::optional<Stage> Until;
  if (ErrorText Bad = parseOptions(Args, Until))
    return failUsage(Line, *Bad);
  Compiler With;
  Result<LoadedPattern> Loaded = loadPattern(With, Args.Pattern);
  if (!Loaded)
    return fail(Loaded.failure());
  Args.Build.Pattern = Loaded->Name;
  if (Args.Build.ShortQueries) {
    Result<std::string> Obstacle =
        With.findShortQueriesObstacle(Loaded->From, Args.Build);
    if (!Obstacle)
      return fail(Obstacle.failure());
    if (!Obstacle->empty())
      return fail(
          fmt::format("{} '{}' can have no code for short queries: "
                      "{}; leave out --short-queries",
                      Loaded->Info.Recurrence ? "recurrence" : "pattern",
                      Loaded->Name, *Obstacle));
  }
  return Until ? emit(Args, With, Loaded->From)
               : writeBundle(Args, With, Loaded->From);
}

Command cli::addCompileCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "compile", "Writes a bundle, a shared library for the runtime, or prints "
                 "what the compiler makes on the way.");
  auto Args = std::make_shared<CompileArguments>();
  addPatternOptions(*Line, Args->Pattern);
  Line->add_option("-o", Args->Output,
                   "the file to write; with --emit, - or nothing is standard "
                   "output");
  Line->add_option("--header", Args->Header,
                   "write a C header that describes the bundle");
  Line->add_option("--target", Args->Build.Targets,
                   "targets or levels to make code for (see heddle targets)")
      ->delimiter(',');
  Line->add_option("--dtype", Args->Build.Dtype,
                   "element type of q, k and v: f32 (default), f16 or bf16");
  Line->add_option("--output-dtype", Args->Build.OutputDtype,
                   "element type of o (default: that of q, k and v)");
  Line->add_flag("--line-info", Args->Build.LineInfo,
                 "let the code of devices say which line of the pattern every "
                 "instruction comes from");
  Line->add_flag("--tf32", Args->Build.Tf32, Tf32Help);
  Line->add_option("--outputs", Args->Outputs,
                   "what to compute beside o and lse: row_max, column_sums, "
                   "block_max=64x64");
  Line->add_option("--head-dim", Args->HeadDim,
                   "head dim, or those of q.k and of v: 64 (default), 64,32");
  Line->add_option("--name", Args->Build.Kernel,
                   "the kernel's name in the bundle (default: the pattern's)");
  Line->add_option("--schedule", Args->Schedule, ScheduleHelp);
  Line->add_option("--shared-memory", Args->Build.SharedMemory,
                   SharedMemoryHelp);
  Line->add_flag(
      "--short-queries", Args->Build.ShortQueries,
      "also make code for few queries (decoding), whose rows are the "
      "heads of a group; the runtime takes what is less work");
  Line->add_option("--emit", Args->Emit,
                   "print a stage instead: " + llvm::join(stageNames(), ", "));
  Line->add_flag("--report", Args->Report,
                 "print what kernels for devices take: threads, shared memory, "
                 "stages of the ring, and where there is a ptxas registers, "
                 "spilled bytes, how many groups of threads run at once on a "
                 "processor of the device, and what ptxas advises");
  Line->add_flag("--verbose,-v", Args->Verbose,
                 "say what was written, and how long it took");
  Line->footer(
      "examples:\n"
      "  heddle compile examples/a_shape.mlir -o liba_shape.so --header "
      "a_shape.h\n"
      "  heddle compile examples/causal.mlir -o causal.so --head-dim 128,64 "
      "--name causal128\n"
      "  heddle compile examples/causal.mlir -o causal.so --dtype bf16 "
      "--target cpu,sm_80,sm_90 --report\n"
      "  heddle compile examples/causal.mlir --emit=tile\n"
      "  heddle compile examples/causal.mlir --dtype f16 --target sm_80 "
      "--emit=ptx\n"
      "\n"
      "environment:\n"
      "  HEDDLE_PTXAS  the assembler for NVIDIA devices, or none to leave that "
      "to the driver\n"
      "                (default: ptxas of $CUDA_HOME, of $PATH, of "
      "/usr/local/cuda)");
  return {Line, [Line, Args] { return compile(*Line, *Args); }};
}
