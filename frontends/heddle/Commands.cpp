// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Commands.h"

#include "frontends/common/Numbers.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

using namespace heddle;
using namespace heddle::cli;

int cli::fail(const std::string &Text) {
  fmt::print(stderr, "heddle: error: {}\n", Text);
  return 1;
}

int cli::fail(const Failure &Why) {
  for (const Diagnostic &D : Why.diagnostics())
    fmt::print(stderr, "{}{}\n", D.File.empty() ? "heddle: " : "", D.str());
  return 1;
}

int cli::failUsage(const CLI::App &Line, const std::string &Text) {
  fmt::print(stderr, "heddle: error: {}; see heddle {} --help\n", Text,
             Line.get_name());
  return 2;
}

int cli::print(std::string_view Text) {
  if (std::fwrite(Text.data(), 1, Text.size(), stdout) != Text.size() ||
      std::fflush(stdout) != 0)
    return fail(fmt::format("cannot write to standard output: {}",
                            std::strerror(errno)));
  return 0;
}

void cli::addPatternOptions(CLI::App &Line, PatternOptions &Options) {
  Line.add_option("file", Options.Path,
                  "the file with the pattern; - for standard input")
      ->type_name("PATTERN.mlir");
  Line.add_option("--pattern", Options.Name,
                  "the pattern's name, where the file has several");
}

ErrorText cli::finishOptions(PatternOptions &Options,
                             std::vector<std::string> &Settings) {
  auto IsNoSetting = [](const std::string &Word) {
    return Word.find('=') == Word.npos;
  };
  if (Options.Path.empty()) {
    auto Path = std::find_if(Settings.begin(), Settings.end(), IsNoSetting);
    if (Path == Settings.end())
      return "expected a file with a pattern, found none";
    Options.Path = *Path;
    Settings.erase(Path);
  }
  auto Bad = std::find_if(Settings.begin(), Settings.end(), IsNoSetting);
  if (Bad != Settings.end())
    return fmt::format("--set has '{}', expected name=value", *Bad);
  return std::nullopt;
}

Result<LoadedPattern> cli::loadPattern(Compiler &With,
                                       const PatternOptions &Options) {
  Result<Source> From = With.parseFile(Options.Path);
  if (!From)
    return From.failure();
  Result<std::string> Name = With.choosePattern(*From, Options.Name);
  if (!Name)
    return Name.failure();
  PatternInfo Chosen;
  for (PatternInfo &Info : From->patterns())
    if (Info.Name == *Name)
      Chosen = std::move(Info);
  std::vector<frontend::Parameter> Parameters;
  for (const PatternParam &P : Chosen.Params)
    Parameters.push_back(
        {P.Name, P.Kind, P.Rank, P.Default, P.RealDefault, P.Example});
  return LoadedPattern{std::move(*From), std::move(*Name), std::move(Chosen),
                       std::move(Parameters)};
}

const char *const cli::ScheduleHelp =
    "sizes of the kernel: query_tile=N,key_tile=N,rows=N,lanes=N,unroll=N, "
    "stages=N on devices, heads=N (query heads of a group that a task takes) "
    "on processors, and query_box=NxN,key_box=NxN on a token grid, each "
    "optional; query_tile is "
    "the chunk of a recurrence";

const char *const cli::Tf32Help =
    "let the tensor cores of devices multiply f32, rounded to tf32 (10 bits "
    "after the point)";

const char *const cli::SharedMemoryHelp =
    "kilobytes of a device's shared memory that a kernel may take (default: "
    "what the level has)";

/// "8x16", outermost axis first.
static ErrorText parseBox(std::string_view Text, const std::string &What,
                          std::vector<int64_t> &Out) {
  for (std::string_view Part : frontend::split(Text, 'x')) {
    Out.emplace_back();
    if (ErrorText Bad = frontend::parseInteger(Part, "an extent of " + What, 1,
                                               4096, Out.back()))
      return Bad;
  }
  return std::nullopt;
}

ErrorText cli::parseSchedule(std::string_view Text, ScheduleOptions &Out) {
  const std::pair<const char *, int64_t *> Sizes[] = {
      {"query_tile", &Out.QueryTile},
      {"key_tile", &Out.KeyTile},
      {"rows", &Out.Rows},
      {"lanes", &Out.Lanes},
      {"unroll", &Out.Unroll},
      {"stages", &Out.Stages},
      {"heads", &Out.Heads}};
  const std::pair<const char *, std::vector<int64_t> *> Boxes[] = {
      {"query_box", &Out.QueryBox}, {"key_box", &Out.KeyBox}};
  for (std::string_view Item : frontend::split(Text, ',')) {
    size_t Equals = Item.find('=');
    std::string_view Name = Item.substr(0, Equals);
    auto Find = [&](const auto &Among) {
      return std::find_if(std::begin(Among), std::end(Among),
                          [&](const auto &S) { return Name == S.first; });
    };
    const auto *Size = Find(Sizes);
    const auto *Box = Find(Boxes);
    if (Equals == Item.npos ||
        (Size == std::end(Sizes) && Box == std::end(Boxes)))
      return fmt::format(
          "--schedule has '{}', expected size=number with one "
          "of query_tile, key_tile, rows, lanes, unroll, "
          "stages, heads, or query_box or key_box and extents, as in 8x16",
          Item);
    if (Box != std::end(Boxes) ? !Box->second->empty() : *Size->second != 0)
      return fmt::format("--schedule gives '{}' twice", Name);
    const std::string What = fmt::format("'{}' in --schedule", Name);
    Item.remove_prefix(Equals + 1);
    if (ErrorText Bad =
            Box != std::end(Boxes)
                ? parseBox(Item, What, *Box->second)
                : frontend::parseInteger(Item, What, 1, 4096, *Size->second))
      return Bad;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, double>>
cli::listTimings(const Timings &Spent) {
  std::vector<std::pair<std::string, double>> All = {
      {"parse", Spent.Parse},
      {"passes", Spent.Passes},
      {"llvm", Spent.Llvm},
      {"codegen", Spent.Codegen}};
  if (Spent.Assemble > 0)
    All.emplace_back("assemble", Spent.Assemble);
  All.emplace_back("link", Spent.Link);
  return All;
}
