// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/RunOptions.h"

#include "frontends/common/Numbers.h"
#include "runtime/npy/Npy.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <cstdio>

using namespace heddle;
using namespace heddle::frontend;

void frontend::addRunOptions(CLI::App &Command, RunOptions &Options) {
  Command.add_option("--set", Options.Settings,
                     "values of pattern parameters: name=value ...");
  Command.add_option("--shape", Options.Shape,
                     "sizes: b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64[,dv=64]; what "
                     "is left out comes from the .npy inputs, or is b=1, "
                     "hkv=hq, sk=sq, dv=d");
  Command.add_option("--origin", Options.OriginText,
                     "absolute position of query 0 (default 0)");
  Command.add_option("--layout", Options.LayoutText,
                     "order of the axes in memory: bhsd (default) or bshd");
  Command.add_option("--scale", Options.ScaleText,
                     "factor on q.k (default 1/sqrt(d))");
  Command.add_option("--q", Options.Inputs.Q, "queries, a .npy file of f32");
  Command.add_option("--k", Options.Inputs.K, "keys, a .npy file of f32");
  Command.add_option("--v", Options.Inputs.V, "values, a .npy file of f32");
  Command.add_option("-o", Options.OutputPath, "write the output to this .npy");
  Command.add_option("--lse", Options.LsePath,
                     "write the log-sum-exp of every row to this .npy");
  Command.add_option("--threads", Options.ThreadsText,
                     "threads (default: one per core)");
  Command.add_option("--repeat", Options.RepeatText,
                     "timed runs, of which the median counts (default 5)");
  Command.add_flag("--check", Options.Check,
                   "compare the results and fail when they differ");
  Command.add_flag("--json", Options.Json, "print the report as JSON");
}

ErrorText RunOptions::parse() {
  constexpr int64_t Limit = int64_t(1) << 31;
  if (!OriginText.empty())
    if (ErrorText Bad =
            parseInteger(OriginText, "--origin", -Limit, Limit, Origin))
      return Bad;
  if (!LayoutText.empty())
    if (ErrorText Bad = parseLayout(LayoutText, Order))
      return Bad;
  if (!ScaleText.empty()) {
    double Value = 0;
    if (ErrorText Bad = parseNumber(ScaleText, "--scale", Value))
      return Bad;
    Scale = static_cast<float>(Value);
    // Zero is how the runtime is told to choose.
    if (Scale == 0 || !std::isfinite(Scale))
      return fmt::format("--scale is '{}', expected an f32 other than zero",
                         ScaleText);
  }
  int64_t Count = 0;
  if (!ThreadsText.empty()) {
    if (ErrorText Bad = parseInteger(ThreadsText, "--threads", 1, 1024, Count))
      return Bad;
    Threads = static_cast<int32_t>(Count);
  }
  if (!RepeatText.empty())
    if (ErrorText Bad =
            parseInteger(RepeatText, "--repeat", 1, 1000000, Repeat))
      return Bad;
  if (!OutputPath.empty() && OutputPath == LsePath)
    return fmt::format("-o and --lse both name '{}'", OutputPath);
  return std::nullopt;
}

ErrorText frontend::collectShape(const RunOptions &Options,
                                 ShapeSolver &Solver) {
  if (!Options.Shape.empty())
    if (ErrorText Bad = Solver.addText(Options.Shape))
      return Bad;
  const std::pair<char, const std::string *> Files[] = {
      {'q', &Options.Inputs.Q},
      {'k', &Options.Inputs.K},
      {'v', &Options.Inputs.V}};
  for (const auto &[Name, Path] : Files) {
    if (Path->empty())
      continue;
    std::vector<int64_t> Shape;
    if (ErrorText Bad = npy::readShape(*Path, Shape))
      return Bad;
    if (ErrorText Bad = Solver.addTensor(Name, Shape, Options.Order, *Path))
      return Bad;
  }
  return std::nullopt;
}

int frontend::reportParseError(const CLI::App &Command,
                               const std::string &Program,
                               const CLI::ParseError &Error) {
  if (Error.get_exit_code() == 0)
    return Command.exit(Error);
  std::string Text = Error.what();
  if (Text.size() > 1 && std::islower(static_cast<unsigned char>(Text[1])))
    Text[0] =
        static_cast<char>(std::tolower(static_cast<unsigned char>(Text[0])));
  while (!Text.empty() && (Text.back() == '.' || Text.back() == '\n'))
    Text.pop_back();
  fmt::print(stderr, "{}: error: {}; see {} --help\n", Program, Text, Program);
  return 2;
}
