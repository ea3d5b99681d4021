// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands of `heddle`, one per file, and what they share.
//
// A command ends with exit code 0, with 1 when something could not be done or a
// check failed, and with 2 when the command line itself is wrong.

#ifndef HEDDLE_FRONTENDS_HEDDLE_COMMANDS_H
#define HEDDLE_FRONTENDS_HEDDLE_COMMANDS_H

#include "frontends/common/Settings.h"
#include "frontends/cpp/Compiler.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace heddle::cli {

/// A command: its part of the command line, and what to do once that is parsed.
struct Command {
  CLI::App *Line;
  std::function<int()> Run;
};

Command addRunCommand(CLI::App &Program);
Command addExplainCommand(CLI::App &Program);
Command addShowCommand(CLI::App &Program);
Command addCompileCommand(CLI::App &Program);
Command addTargetsCommand(CLI::App &Program);
Command addImportCommand(CLI::App &Program);

/// Prints "heddle: error: <Text>" and returns 1.
int fail(const std::string &Text);
/// Prints every message where it belongs in the source and returns 1.
int fail(const Failure &Why);
/// Prints the error with a hint at the command's help and returns 2.
int failUsage(const CLI::App &Line, const std::string &Text);

/// Writes to standard output; 0, or `fail` when that does not work.
int print(std::string_view Text);

/// Which pattern a command is about.
struct PatternOptions {
  std::string Path;
  /// With or without '@'; empty for the only one.
  std::string Name;
};

/// Declares PATTERN.mlir and --pattern.
void addPatternOptions(CLI::App &Line, PatternOptions &Options);

/// Completes options after parsing: --set takes every word that follows, so a
/// word without '=' is the pattern's path where none was given. Fails on a
/// missing path and on settings that are not name=value.
ErrorText finishOptions(PatternOptions &Options,
                        std::vector<std::string> &Settings);

/// A parsed file and the pattern chosen in it.
struct LoadedPattern {
  Source From;
  std::string Name;
  PatternInfo Info;
  std::vector<frontend::Parameter> Parameters;

  /// Whose the parameters are, for messages: "pattern 'causal'".
  std::string owner() const {
    return (Info.Recurrence ? "recurrence '" : "pattern '") + Name + "'";
  }
};

Result<LoadedPattern> loadPattern(Compiler &With,
                                  const PatternOptions &Options);

/// Reads "query_tile=64,key_tile=64,…,query_box=8x16" as given to --schedule.
ErrorText parseSchedule(std::string_view Text, ScheduleOptions &Out);

/// What --schedule accepts, for its help.
extern const char *const ScheduleHelp;

/// What --tf32 and --shared-memory do, for their help.
extern const char *const Tf32Help;
extern const char *const SharedMemoryHelp;

/// Milliseconds by part, in the order of the work.
std::vector<std::pair<std::string, double>> listTimings(const Timings &Spent);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_COMMANDS_H
