// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Numbers.h"
#include "frontends/common/Shape.h"
#include "frontends/heddle/Commands.h"
#include "frontends/heddle/ShowRender.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

namespace {

struct ShowArguments {
  PatternOptions Pattern;
  std::vector<std::string> Settings;
  std::string Shape, Tile, Head, Batch, Origin, Svg, Colour = "auto";
  bool Json = false;
};

} // namespace

static ErrorText parseTile(std::string_view Text, ShowOptions &Out) {
  constexpr int64_t MaxTile = int64_t(1) << 20;
  std::vector<std::string_view> Parts = split(Text, 'x');
  if (Parts.size() != 2)
    return fmt::format("--tile is '{}', expected queries x keys, as in 64x64",
                       Text);
  if (ErrorText Bad = parseInteger(Parts[0], "the height in --tile", 1, MaxTile,
                                   Out.TileQueries))
    return Bad;
  return parseInteger(Parts[1], "the width in --tile", 1, MaxTile,
                      Out.TileKeys);
}

/// Everything that needs no file.
static ErrorText parseOptions(ShowArguments &Args, ShowOptions &Out) {
  constexpr int64_t Limit = int64_t(1) << 31;
  if (ErrorText Bad = finishOptions(Args.Pattern, Args.Settings))
    return Bad;
  if (!Args.Tile.empty())
    if (ErrorText Bad = parseTile(Args.Tile, Out))
      return Bad;
  if (!Args.Origin.empty())
    if (ErrorText Bad =
            parseInteger(Args.Origin, "--origin", -Limit, Limit, Out.Origin))
      return Bad;
  ShapeSolver Solver;
  if (ErrorText Bad = Solver.addText(Args.Shape))
    return Bad;
  Solver.addDefault(ShapeSolver::Hq, 1);
  Solver.addDefault(ShapeSolver::D, 1);
  Problem Sizes;
  if (ErrorText Bad = Solver.solve(Sizes))
    return Bad;
  Out.Queries = Sizes.SeqQ;
  Out.Keys = Sizes.SeqK;
  auto ParseIndex = [](const std::string &Text, const char *Option,
                       const char *Size, int64_t Count,
                       int64_t &Index) -> ErrorText {
    if (Text.empty())
      return std::nullopt;
    if (Count == 0)
      return fmt::format("{} is {}, but '{}' in --shape is 0", Option, Text,
                         Size);
    return parseInteger(Text, Option, 0, Count - 1, Index);
  };
  if (ErrorText Bad =
          ParseIndex(Args.Head, "--head", "hq", Sizes.HeadsQ, Out.H))
    return Bad;
  return ParseIndex(Args.Batch, "--batch", "b", Sizes.Batch, Out.B);
}

static int show(const CLI::App &Line, ShowArguments &Args) {
  ShowOptions Options;
  if (ErrorText Bad = parseOptions(Args, Options))
    return failUsage(Line, *Bad);

  Compiler With;
  Result<LoadedPattern> Loaded = loadPattern(With, Args.Pattern);
  if (!Loaded)
    return fail(Loaded.failure());
  if (ErrorText Bad = bindParameters(Loaded->Name, Loaded->Parameters,
                                     Args.Settings, Options.Params))
    return fail(*Bad);
  Result<Source> Normal = With.normalize(Loaded->From, Loaded->Name);
  if (!Normal)
    return fail(Normal.failure());
  auto Pattern = mlir::cast<attn::PatternOp>(
      mlir::SymbolTable::lookupSymbolIn(Normal->module(), Loaded->Name));
  llvm::Expected<ShowResult> Shown =
      analyse(Pattern, Pattern.getFormulaAttr(), Options);
  if (!Shown)
    return fail(llvm::toString(Shown.takeError()));

  if (!Args.Svg.empty())
    if (llvm::Error Bad = writeShowSvg(*Shown, Args.Svg))
      return fail(llvm::toString(std::move(Bad)));
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  if (Args.Json) {
    printShowJson(*Shown, Out);
  } else {
    ColourMode Mode = Args.Colour == "always"  ? ColourMode::Always
                      : Args.Colour == "never" ? ColourMode::Never
                                               : ColourMode::Auto;
    printShowText(*Shown, Out, detectTextStyle(Mode));
  }
  return print(Text);
}

Command cli::addShowCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "show",
      "The picture of a pattern: which tiles are empty, partial, full.");
  auto Args = std::make_shared<ShowArguments>();
  addPatternOptions(*Line, Args->Pattern);
  Line->add_option("--set", Args->Settings,
                   "values of pattern parameters: name=value ...");
  Line->add_option("--shape", Args->Shape,
                   "sizes, as in b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64; only sq "
                   "is needed, sk=sq where left out")
      ->required();
  Line->add_option("--tile", Args->Tile,
                   "queries x keys of a tile (default 64x64)");
  Line->add_option("--head", Args->Head, "the query head (default 0)");
  Line->add_option("--batch", Args->Batch, "the sequence (default 0)");
  Line->add_option("--origin", Args->Origin,
                   "absolute position of query 0 (default 0)");
  Line->add_option("--svg", Args->Svg, "write the picture to this file too");
  Line->add_flag("--json", Args->Json,
                 "print counts and runs of tiles as JSON");
  Line->add_option("--color,--colour", Args->Colour,
                   "auto (on terminals), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  Line->footer(
      "examples:\n"
      "  heddle show examples/causal.mlir --shape sq=1024\n"
      "  heddle show examples/a_shape.mlir --shape sq=4096,sk=4096 --set "
      "window=512 --tile 128x128 --svg a_shape.svg\n"
      "  heddle show examples/s2_shards.mlir --shape hq=8,sq=2048 --head 5");
  return {Line, [Line, Args] { return show(*Line, *Args); }};
}
