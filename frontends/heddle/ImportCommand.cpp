// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Numbers.h"
#include "frontends/common/RunOptions.h"
#include "frontends/heddle/Commands.h"
#include "frontends/importers/Import.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;
using namespace heddle::importers;

static constexpr int64_t MostTokens = int64_t(1) << 31;

namespace {

/// What all importers share.
struct ImportArguments {
  CLI::App *Line = nullptr;
  std::string Folder;
};

struct MInferenceArguments : ImportArguments {
  MInferenceOptions Options;
  std::string Layer, Length;
};

struct VerticalSlashArguments : ImportArguments {
  VerticalSlashOptions Options;
  std::string Length, Cover = "exact";
};

struct BsrArguments : ImportArguments {
  BsrOptions Options;
  std::string Block, Queries, Keys;
};

struct FlashMaskArguments : ImportArguments {
  FlashMaskOptions Options;
  std::string Queries, Group;
};

struct MaskArguments : ImportArguments {
  MaskOptions Options;
};

} // namespace

/// A wrong command line.
static int refuse(const ImportArguments &Of, const std::string &Why) {
  fmt::print(stderr, "heddle: error: {}; see heddle import {} --help\n", Why,
             Of.Line->get_name());
  return 2;
}

/// Writes what was imported and reports it.
static int finish(const ErrorText &Bad, const Import &From,
                  const ImportArguments &Of) {
  if (Bad)
    return fail(*Bad);
  Written Files;
  if (ErrorText NotWritten = write(From, Of.Folder, Files))
    return fail(*NotWritten);
  return print(report(From, Files));
}

/// Reads an option that may be left out.
static ErrorText parseOption(const std::string &Text, const char *Option,
                             int64_t Min, int64_t Max, int64_t &Out) {
  return Text.empty() ? std::nullopt
                      : parseInteger(Text, Option, Min, Max, Out);
}

static int runMInference(MInferenceArguments &Args) {
  if (!Args.Layer.empty()) {
    int64_t Layer = 0;
    if (ErrorText Bad =
            parseInteger(Args.Layer, "--layer", 0, INT32_MAX, Layer))
      return refuse(Args, *Bad);
    Args.Options.Layer = Layer;
  }
  if (ErrorText Bad = parseOption(Args.Length, "--length", 1, MostTokens,
                                  Args.Options.Length))
    return refuse(Args, *Bad);
  Import From;
  return finish(importMInference(Args.Options, From), From, Args);
}

static int runVerticalSlash(VerticalSlashArguments &Args) {
  if (ErrorText Bad = parseInteger(Args.Length, "--length", 1, MostTokens,
                                   Args.Options.Length))
    return refuse(Args, *Bad);
  Args.Options.Cover = Args.Cover == "spans"   ? SlashCover::Spans
                       : Args.Cover == "index" ? SlashCover::Index
                                               : SlashCover::Exact;
  Import From;
  return finish(importVerticalSlash(Args.Options, From), From, Args);
}

static int runBsr(BsrArguments &Args) {
  constexpr int64_t MostRows = int64_t(1) << 20;
  if (!Args.Block.empty())
    if (ErrorText Bad =
            parsePair(Args.Block, "--block", MostRows, Args.Options.BlockRows,
                      Args.Options.BlockCols))
      return refuse(Args, *Bad);
  if (ErrorText Bad = parseOption(Args.Queries, "--queries", 1, MostTokens,
                                  Args.Options.Queries))
    return refuse(Args, *Bad);
  if (ErrorText Bad =
          parseOption(Args.Keys, "--keys", 1, MostTokens, Args.Options.Keys))
    return refuse(Args, *Bad);
  Import From;
  return finish(importBsr(Args.Options, From), From, Args);
}

static int runFlashMask(FlashMaskArguments &Args) {
  if (ErrorText Bad = parseOption(Args.Queries, "--queries", 1, MostTokens,
                                  Args.Options.Queries))
    return refuse(Args, *Bad);
  if (ErrorText Bad =
          parseOption(Args.Group, "--group", 1, 65536, Args.Options.Group))
    return refuse(Args, *Bad);
  Import From;
  return finish(importFlashMask(Args.Options, From), From, Args);
}

static int runMask(MaskArguments &Args) {
  Import From;
  return finish(importMask(Args.Options, From), From, Args);
}

/// Declares an importer and its folder.
template <typename Arguments>
static std::shared_ptr<Arguments> addImporter(CLI::App &Import,
                                              const std::string &Name,
                                              const std::string &What) {
  auto Args = std::make_shared<Arguments>();
  Args->Line = Import.add_subcommand(Name, What);
  // Not that of the command above, which it would have.
  Args->Line->footer("");
  Args->Line
      ->add_option("-o", Args->Folder,
                   "the folder for the pattern and its operands; made where "
                   "it does not exist")
      ->type_name("FOLDER")
      ->required();
  return Args;
}

static std::shared_ptr<MInferenceArguments> addMInference(CLI::App &Import) {
  auto Args = addImporter<MInferenceArguments>(
      Import, "minference", "The kinds of heads that MInference found.");
  Args->Line
      ->add_option("config", Args->Options.Path,
                   "a head configuration, a list over layers of objects")
      ->type_name("CONFIG.json")
      ->required();
  Args->Line->add_option("--layer", Args->Layer,
                         "this layer alone (default: all, the layer being a "
                         "parameter of the pattern)");
  Args->Line->add_option("--length", Args->Length,
                         "tokens of the sequence in the command that is "
                         "reported (default 4096)");
  return Args;
}

static std::shared_ptr<VerticalSlashArguments>
addVerticalSlash(CLI::App &Import) {
  auto Args = addImporter<VerticalSlashArguments>(
      Import, "vertical-slash", "Columns and diagonals chosen at run time.");
  Args->Line
      ->add_option("--vertical", Args->Options.Vertical,
                   "columns, a .npy file (b, h, count) of i32 or i64")
      ->required();
  Args->Line
      ->add_option("--slash", Args->Options.Slash,
                   "distances of diagonals, a .npy file (b, h, count)")
      ->required();
  Args->Line->add_option("--length", Args->Length, "tokens of the sequence")
      ->required();
  Args->Line
      ->add_option("--cover", Args->Cover,
                   "what a diagonal keeps: exact (default) its pairs; spans 64 "
                   "keys for 64 queries together; index these as MInference's "
                   "index builder merges them")
      ->check(CLI::IsMember({"exact", "spans", "index"}));
  return Args;
}

static std::shared_ptr<BsrArguments> addBsr(CLI::App &Import) {
  auto Args = addImporter<BsrArguments>(Import, "bsr",
                                        "A map of blocks in BSR or CSR.");
  Args->Line
      ->add_option("--indptr", Args->Options.Indptr,
                   "a .npy file ([b, [h,]] rows + 1) of i32 or i64")
      ->required();
  Args->Line
      ->add_option("--indices", Args->Options.Indices,
                   "block columns, a .npy file ([b, [h,]] capacity)")
      ->required();
  Args->Line->add_option("--block", Args->Block,
                         "queries x keys of a block (default 64x64)");
  Args->Line->add_option("--queries", Args->Queries,
                         "queries (default: as many as the rows hold)");
  Args->Line->add_option("--keys", Args->Keys,
                         "keys (default: as many as the blocks hold)");
  Args->Line->add_flag("--causal", Args->Options.Causal,
                       "keep no key after its query");
  return Args;
}

static std::shared_ptr<FlashMaskArguments> addFlashMask(CLI::App &Import) {
  auto Args = addImporter<FlashMaskArguments>(
      Import, "flashmask", "Row bounds per column, as FlashMask has them.");
  Args->Line
      ->add_option("bounds", Args->Options.Bounds,
                   "startend_row_indices, a .npy file (b, heads of k or 1, "
                   "keys, 1, 2 or 4) of i32")
      ->type_name("BOUNDS.npy")
      ->required();
  Args->Line->add_flag("--causal", Args->Options.Causal,
                       "the bounds are those of a causal mask");
  Args->Line->add_option("--queries", Args->Queries,
                         "queries (default: as many as keys)");
  Args->Line->add_option("--group", Args->Group,
                         "query heads per head of the file (default 1)");
  return Args;
}

static std::shared_ptr<MaskArguments> addMask(CLI::App &Import) {
  auto Args = addImporter<MaskArguments>(
      Import, "mask",
      "A dense mask, in the smallest form that is equal to it.");
  Args->Line
      ->add_option("mask", Args->Options.Path,
                   "a .npy file ([b, [h,]] queries, keys) of bool")
      ->type_name("MASK.npy")
      ->required();
  return Args;
}

Command cli::addImportCommand(CLI::App &Program) {
  CLI::App *Line = Program.add_subcommand(
      "import",
      "Patterns and operands from other systems (docs/importing.md).");
  Line->require_subcommand(0, 1);
  Line->footer(
      "examples:\n"
      "  heddle import mask mask.npy -o masked\n"
      "  heddle import minference config.json --layer 3 -o heads\n"
      "  heddle import vertical-slash --vertical v.npy --slash s.npy --length "
      "4096 -o chosen");
  auto Heads = addMInference(*Line);
  auto Chosen = addVerticalSlash(*Line);
  auto Blocks = addBsr(*Line);
  auto Bounds = addFlashMask(*Line);
  auto Dense = addMask(*Line);
  return {Line, [=] {
            if (Heads->Line->parsed())
              return runMInference(*Heads);
            if (Chosen->Line->parsed())
              return runVerticalSlash(*Chosen);
            if (Blocks->Line->parsed())
              return runBsr(*Blocks);
            if (Bounds->Line->parsed())
              return runFlashMask(*Bounds);
            if (Dense->Line->parsed())
              return runMask(*Dense);
            return failUsage(*Line,
                             "expected what to import, one of minference, "
                             "vertical-slash, bsr, flashmask, mask, found "
                             "none");
          }};
}
