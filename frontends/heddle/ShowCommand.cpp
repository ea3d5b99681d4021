// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Problem.h"
#include "frontends/common/Numbers.h"
#include "frontends/common/RunOptions.h"
#include "frontends/heddle/Commands.h"
#include "frontends/heddle/ShowRecurrence.h"
#include "frontends/heddle/ShowRender.h"
#include "runtime/src/Operand.h"

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
  std::vector<std::string> Items;
  std::string Shape, Tile, Head, Batch, Origin, Svg, Csr, Colour = "auto";
  bool Json = false;
};

} // namespace

/// "64x64", on a token grid "8x16:8x8".
static ErrorText parseTile(std::string_view Text, ShowOptions &Out) {
  constexpr int64_t MaxTile = int64_t(1) << 20;
  std::vector<std::string_view> Boxes = split(Text, ':');
  if (Boxes.size() == 1) {
    int64_t Queries = 0, Keys = 0;
    if (ErrorText Bad = parsePair(Text, "--tile", MaxTile, Queries, Keys))
      return Bad;
    Out.QueryTile = {Queries};
    Out.KeyTile = {Keys};
    return std::nullopt;
  }
  if (Boxes.size() != 2)
    return fmt::format("--tile is '{}', expected a box of queries and one of "
                       "keys, as in 8x16:8x8",
                       Text);
  std::vector<int64_t> *const Tiles[] = {&Out.QueryTile, &Out.KeyTile};
  for (size_t I = 0; I < 2; ++I)
    for (std::string_view Part : split(Boxes[I], 'x')) {
      Tiles[I]->emplace_back();
      if (ErrorText Bad = parseInteger(Part, "an extent in --tile", 1, MaxTile,
                                       Tiles[I]->back()))
        return Bad;
    }
  return std::nullopt;
}

/// Everything that needs no file.
static ErrorText parseOptions(ShowArguments &Args, ShowOptions &Out,
                              Problem &Sizes) {
  constexpr int64_t Limit = int64_t(1) << 31;
  if (ErrorText Bad = finishOptions(Args.Pattern, Args.Items))
    return Bad;
  if (!Args.Tile.empty())
    if (ErrorText Bad = parseTile(Args.Tile, Out))
      return Bad;
  if (!Args.Origin.empty())
    if (ErrorText Bad = parseInteger(Args.Origin, "--origin", -Limit, Limit - 1,
                                     Out.Origin))
      return Bad;
  ShapeSolver Solver;
  if (ErrorText Bad = Solver.addText(Args.Shape))
    return Bad;
  Solver.addDefault(ShapeSolver::Hq, 1);
  Solver.addDefault(ShapeSolver::D, 64);
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

/// What `attn.require` demands of the values, by the interpreter.
static llvm::Error checkRequirements(attn::PatternOp Pattern,
                                     const Problem &Sizes,
                                     const PatternValues &Values) {
  mlir::FailureOr<attn::Variant> Meaning = attn::Variant::compile(Pattern);
  if (mlir::failed(Meaning))
    return llvm::createStringError("cannot interpret pattern '@" +
                                   Pattern.getSymName() + "'");
  llvm::Expected<attn::OperandList> Operands =
      attn::OperandList::read(Values.data(), Meaning->params());
  if (!Operands)
    return Operands.takeError();
  attn::AttentionProblem Asked;
  auto View = [&](int64_t Heads, int64_t Length) {
    heddle_view Result = {};
    const int64_t Shape[] = {Sizes.Batch, Heads, Length, 1};
    std::copy(std::begin(Shape), std::end(Shape), Result.shape);
    return Result;
  };
  Asked.Q = View(Sizes.HeadsQ, Sizes.SeqQ);
  Asked.K = Asked.V = View(Sizes.HeadsKv, Sizes.SeqK);
  Asked.Params = std::move(*Operands);
  return attn::checkRequirements(*Meaning, Asked);
}

/// Checks and prepares tables and sets as a plan does.
static ErrorText prepareOperands(const LoadedPattern &Loaded,
                                 const PatternValues &Values,
                                 runtime::OperandStore &Store,
                                 ShowOptions &Out) {
  std::vector<heddle_param> Params;
  for (const Parameter &P : Loaded.Parameters) {
    heddle_param Param = {};
    Param.name = P.Name.c_str();
    Param.kind = P.Kind;
    Param.rank = P.Rank;
    Param.needs_bounds = 1;
    Params.push_back(Param);
  }
  if (ErrorText Bad =
          Store.prepare(Params.data(), static_cast<int64_t>(Params.size()),
                        Values.data(), /*Trusted=*/false))
    return Bad;
  for (size_t I = 0; I < Params.size(); ++I) {
    Out.Params.push_back(Store.operands()[I]);
    Out.Summaries.push_back(Values.operand(I).Summary);
  }
  return std::nullopt;
}

/// The pattern that the picture is of.
static ErrorText choosePicture(const Source &Normal,
                               const LoadedPattern &Loaded,
                               attn::PatternOp &Out) {
  Out = mlir::dyn_cast<attn::PatternOp>(
      mlir::SymbolTable::lookupSymbolIn(Normal.module(), Loaded.Name));
  if (Out)
    return std::nullopt;
  return fmt::format("'@{}' combines several patterns, each with keys of its "
                     "own; choose one of them with --pattern",
                     Loaded.Name);
}

static TextStyle textStyle(const ShowArguments &Args) {
  return detectTextStyle(Args.Colour == "always"  ? ColourMode::Always
                         : Args.Colour == "never" ? ColourMode::Never
                                                  : ColourMode::Auto);
}

/// The decay mask of a recurrence.
static int showRecurrence(const CLI::App &Line, const ShowArguments &Args,
                          const ShowOptions &Options, const LoadedPattern &From,
                          const Problem &Sizes, const PatternValues &Values) {
  if (!Args.Csr.empty())
    return failUsage(Line, "--csr is for patterns, but '@" + From.Name +
                               "' is a recurrence, which has no tiles");
  if (Options.QueryTile.size() > 1)
    return failUsage(Line, "--tile has boxes, but '@" + From.Name +
                               "' is a recurrence; give queries x keys");
  DecayProblem Problem;
  if (ErrorText Bad = makeDecayProblem(From, Options, Sizes, Values, Problem))
    return fail(*Bad);
  if (!Args.Svg.empty())
    if (llvm::Error Bad = writeDecaySvg(Problem, Args.Svg))
      return fail(llvm::toString(std::move(Bad)));
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  if (llvm::Error Bad = Args.Json
                            ? printDecayJson(Problem, Out)
                            : printDecayText(Problem, Out, textStyle(Args)))
    return fail(llvm::toString(std::move(Bad)));
  return print(Text);
}

static int show(const CLI::App &Line, ShowArguments &Args) {
  ShowOptions Options;
  Problem Sizes;
  if (ErrorText Bad = parseOptions(Args, Options, Sizes))
    return failUsage(Line, *Bad);

  Compiler With;
  Result<LoadedPattern> Loaded = loadPattern(With, Args.Pattern);
  if (!Loaded)
    return fail(Loaded.failure());
  std::vector<Setting> Settings;
  if (ErrorText Bad = parseSettings(Loaded->owner(), Loaded->Parameters,
                                    Args.Items, Settings))
    return fail(*Bad);
  Result<Source> Normal = With.normalize(Loaded->From, Loaded->Name);
  if (!Normal)
    return fail(Normal.failure());
  attn::PatternOp Pattern;
  if (Loaded->Info.Recurrence) {
    Result<int64_t> Rows =
        With.countStateRows(Loaded->From, Loaded->Name, Sizes.HeadDim);
    if (!Rows)
      return fail(Rows.failure());
    Sizes.StateRows = *Rows;
    Sizes.HasSums = Loaded->Info.Recurrence->HasSums;
  } else if (ErrorText Bad = choosePicture(*Normal, *Loaded, Pattern)) {
    return fail(*Bad);
  }
  RunOptions Placed;
  Placed.Origin = Options.Origin;
  PatternValues Values;
  if (ErrorText Bad =
          Values.make(Loaded->Parameters, Settings, extentsOf(Placed, Sizes)))
    return fail(*Bad);
  if (Loaded->Info.Recurrence)
    return showRecurrence(Line, Args, Options, *Loaded, Sizes, Values);
  runtime::OperandStore Store;
  if (ErrorText Bad = prepareOperands(*Loaded, Values, Store, Options))
    return fail(*Bad);
  if (llvm::Error Bad = checkRequirements(Pattern, Sizes, Values))
    return fail(llvm::toString(std::move(Bad)));
  llvm::Expected<ShowResult> Shown =
      analyse(Pattern, Pattern.getFormulaAttr(), Options);
  if (!Shown)
    return fail(llvm::toString(Shown.takeError()));

  if (!Args.Svg.empty())
    if (llvm::Error Bad = writeShowSvg(*Shown, Args.Svg))
      return fail(llvm::toString(std::move(Bad)));
  if (!Args.Csr.empty())
    if (llvm::Error Bad = writeShowCsr(*Shown, Args.Csr))
      return fail(llvm::toString(std::move(Bad)));
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  if (Args.Json) {
    printShowJson(*Shown, Out);
  } else {
    printShowText(*Shown, Out, textStyle(Args));
  }
  return print(Text);
}

Command cli::addShowCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "show",
      "The picture of a pattern: which tiles are empty, partial, full; or of a "
      "recurrence: what is left of every key.");
  auto Args = std::make_shared<ShowArguments>();
  addPatternOptions(*Line, Args->Pattern);
  Line->add_option("--set", Args->Items,
                   "values of pattern parameters: name=value ... (see below)");
  Line->add_option("--shape", Args->Shape,
                   "sizes, as in b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64; only sq "
                   "is needed, sk=sq and d=64 where left out")
      ->required();
  Line->add_option("--tile", Args->Tile,
                   "queries x keys of a tile (default 64x64); on a token grid "
                   "a box of queries and one of keys, as in 8x16:8x8 (default "
                   "8x8:8x8)");
  Line->add_option("--head", Args->Head, "the query head (default 0)");
  Line->add_option("--batch", Args->Batch, "the sequence (default 0)");
  Line->add_option("--origin", Args->Origin,
                   "absolute position of query 0 (default 0)");
  Line->add_option("--svg", Args->Svg, "write the picture to this file too");
  Line->add_option("--csr", Args->Csr,
                   "write the live tiles in CSR to this name followed by "
                   ".indptr.npy and .indices.npy");
  Line->add_flag("--json", Args->Json,
                 "print counts and runs of tiles as JSON");
  Line->add_option("--color,--colour", Args->Colour,
                   "auto (on terminals), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  Line->footer(
      std::string(operandHelp()) +
      "\n"
      "examples:\n"
      "  heddle show examples/causal.mlir --shape sq=1024\n"
      "  heddle show examples/a_shape.mlir --shape sq=4096,sk=4096 --set "
      "window=512 --tile 128x128 --svg a_shape.svg\n"
      "  heddle show examples/s2_shards.mlir --shape hq=8,sq=2048 --head 5\n"
      "  heddle show examples/s2_shards.mlir --shape hq=8,sq=2048 --head 5 "
      "--csr head5\n"
      "  heddle show examples/retnet.mlir --set gamma=fill:0.97@h --shape "
      "sq=256 --tile 8x8");
  return {Line, [Line, Args] { return show(*Line, *Args); }};
}
