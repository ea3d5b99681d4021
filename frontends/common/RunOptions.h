// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_RUNOPTIONS_H
#define HEDDLE_FRONTENDS_COMMON_RUNOPTIONS_H

#include "frontends/common/Shape.h"
#include "frontends/common/Tensors.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
} // namespace CLI

namespace heddle::frontend {

/// The options that every command running kernels has.
struct RunOptions {
  std::string Shape;
  std::vector<std::string> Settings;
  InputPaths Inputs;
  std::string OutputPath, LsePath;
  /// The texts of the numbers; `parse` turns them into the fields below.
  std::string OriginText, LayoutText, ScaleText, ThreadsText, RepeatText;
  bool Check = false, Json = false;

  int64_t Origin = 0;
  Layout Order = Layout::Bhsd;
  /// 0 for 1/sqrt(d).
  float Scale = 0;
  int32_t Threads = 0;
  int64_t Repeat = 5;

  /// Checks and converts the texts; call after the command line is parsed.
  ErrorText parse();
};

/// Declares the options on a command.
void addRunOptions(CLI::App &Command, RunOptions &Options);

/// The sizes that --shape and the headers of the .npy inputs give.
ErrorText collectShape(const RunOptions &Options, ShapeSolver &Solver);

/// Ends a program on what CLI11 threw: prints help, or "<Program>: error: ..."
/// in the style of all messages, and returns the exit code.
int reportParseError(const CLI::App &Command, const std::string &Program,
                     const CLI::ParseError &Error);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_RUNOPTIONS_H
