// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Commands.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

using namespace heddle;
using namespace heddle::cli;

static bool runsHere(const LevelInfo &Level) { return Level.Missing.empty(); }

static int printText(const std::vector<LevelInfo> &Levels, size_t Default) {
  size_t Width = 0;
  for (const LevelInfo &L : Levels)
    Width = std::max(Width, L.Name.size());
  std::string Text, Target;
  for (size_t I = 0; I < Levels.size(); ++I) {
    const LevelInfo &L = Levels[I];
    if (L.Target != Target) {
      Target = L.Target;
      Text += fmt::format("{}\n", Target);
    }
    Text += fmt::format("  {:<{}}  ", L.Name, Width);
    if (L.IsDevice)
      Text += "for a device beside this machine";
    else if (!runsHere(L))
      Text += fmt::format("does not run here: lacks {}",
                          llvm::join(L.Missing, ", "));
    else
      Text += I == Default ? "runs here, what 'heddle run' takes" : "runs here";
    Text += '\n';
    Text += fmt::format("  {:<{}}    needs {}\n", "", Width,
                        L.Features.empty() ? "nothing special"
                                           : llvm::join(L.Features, ", "));
  }
  return print(Text);
}

static int printJson(const std::vector<LevelInfo> &Levels, size_t Default) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  llvm::json::OStream Json(Out, 2);
  Json.array([&] {
    for (size_t I = 0; I < Levels.size(); ++I)
      Json.object([&] {
        const LevelInfo &L = Levels[I];
        Json.attribute("target", L.Target);
        Json.attribute("level", L.Name);
        Json.attribute("features", llvm::json::Array(L.Features));
        Json.attribute("missing", llvm::json::Array(L.Missing));
        Json.attribute("device", L.IsDevice);
        Json.attribute("runs_here", runsHere(L));
        Json.attribute("default", I == Default);
      });
  });
  Out << "\n";
  return print(Text);
}

Command cli::addTargetsCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "targets", "What code can be made for, and what of it runs here.");
  auto Json = std::make_shared<bool>(false);
  Line->add_flag("--json", *Json, "print a JSON array");
  Line->footer("environment:\n"
               "  HEDDLE_CPU_FEATURES  hide instruction-set extensions that "
               "are not in this list");
  return {Line, [Json] {
            std::vector<LevelInfo> Levels = listLevels();
            auto Default = static_cast<size_t>(
                std::find_if(Levels.begin(), Levels.end(), runsHere) -
                Levels.begin());
            return *Json ? printJson(Levels, Default)
                         : printText(Levels, Default);
          }};
}
