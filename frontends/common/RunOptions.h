// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_RUNOPTIONS_H
#define HEDDLE_FRONTENDS_COMMON_RUNOPTIONS_H

#include "frontends/common/Inputs.h"
#include "frontends/common/Shape.h"
#include "frontends/common/Values.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
} // namespace CLI

namespace heddle::frontend {

/// What a file gets.
enum class FileRole { O, Lse, RowMax, ColumnSums, BlockMax, State, Sums };

/// An output that goes to a file.
struct OutputPlace {
  FileRole Role;
  size_t Source; ///< Of column sums and block maxima.
  const char *Option;
  std::string Path;
};

/// The options that every command running kernels has.
struct RunOptions {
  std::string Shape;
  std::vector<std::string> Items;
  InputPaths Inputs;
  std::string OutputPath, LsePath, RowMaxPath, ColumnSumsPath, BlockMaxPath;
  /// Of recurrences.
  std::string StateOutPath, SumsOutPath;
  /// The texts of what `parse` turns into the fields below.
  std::string OriginText, LayoutText, ScaleText, ThreadsText, RepeatText;
  std::string CuSeqlensQText, CuSeqlensKText, MoreKeysText, BlockMaxText;
  std::string SegmentsText, DeviceText;
  bool Check = false, Json = false, Trusted = false;

  int64_t Origin = 0;
  Layout Order = Layout::Bhsd;
  /// 0 for 1/sqrt(d).
  float Scale = 0;
  int32_t Threads = 0;
  /// Run on a device, on that of this number, not on the processor.
  bool OnDevice = false;
  int32_t Ordinal = 0;
  int64_t Repeat = 5;
  /// Of the sequences of a recurrence, at most; 0 leaves them to the plan.
  int64_t Segments = 0;
  std::vector<int64_t> MoreKeys;
  /// Of the block maxima; 0 where they are not wanted.
  int64_t BlockQ = 0, BlockK = 0;

  /// Checks and converts the texts; call after the command line is parsed.
  ErrorText parse();
  /// What the kernel must read and write, as far as options say.
  TensorTypes types() const;
  /// All files to be written. Further sources have files of their own beside
  /// those that the options name: "sums.1.npy", … beside "sums.npy".
  std::vector<OutputPlace> outputFiles() const;
};

/// Declares the options on a command.
void addRunOptions(CLI::App &Command, RunOptions &Options);

/// The sizes that --shape, --cu-seqlens-q and -k, and the headers of the .npy
/// inputs (of elements `Input`) give.
ErrorText collectShape(const RunOptions &Options, heddle_dtype Input,
                       ShapeSolver &Solver);

/// The problem, once all sources of sizes are added. `NumSources` is what the
/// kernel has.
ErrorText solveShape(const RunOptions &Options, ShapeSolver &Solver,
                     const std::string &Pattern, int64_t NumSources,
                     Problem &Out);

/// The options that a pattern or, with `IsRecurrence`, a recurrence can do
/// nothing with. `HasSums` says whether its state has sums.
ErrorText checkMeaningful(const RunOptions &Options, const std::string &Pattern,
                          bool IsRecurrence, bool HasSums);

/// The sizes that generated operands may name.
Extents extentsOf(const RunOptions &Options, const Problem &Sizes);

/// Parses "64x32".
ErrorText parsePair(std::string_view Text, const std::string &What, int64_t Max,
                    int64_t &First, int64_t &Second);

/// The dtype of tensors called "f32", "f16" or "bf16".
ErrorText parseDtype(const std::string &Text, const std::string &Option,
                     heddle_dtype &Out);

/// What --set accepts, for the end of a command's help.
const char *operandHelp();

/// Ends a program on what CLI11 threw: prints help, or "<Program>: error: ..."
/// in the style of all messages, and returns the exit code.
int reportParseError(const CLI::App &Command, const std::string &Program,
                     const CLI::ParseError &Error);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_RUNOPTIONS_H
