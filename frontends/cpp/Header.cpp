// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Header.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace heddle;

/// `Name` in capitals, with whatever C does not allow replaced by '_'.
static std::string upper(llvm::StringRef Name) {
  std::string Result;
  for (char C : Name)
    Result += llvm::isAlnum(C) ? llvm::toUpper(C) : '_';
  return Result;
}

/// A name that no other member of `Taken` has; becomes one.
static std::string unique(std::string Name, llvm::StringSet<> &Taken) {
  std::string Result = Name;
  for (unsigned I = 2; !Taken.insert(Result).second; ++I)
    Result = Name + "_" + std::to_string(I);
  return Result;
}

static llvm::StringRef dtypeOf(mlir::Type Element) {
  return Element.isF16() ? "F16" : Element.isBF16() ? "BF16" : "F32";
}

/// What a caller gives for a parameter, in the words of heddle/heddle.h.
static std::string meaningOf(const PatternParam &P) {
  switch (P.Kind) {
  case HEDDLE_INTEGER:
    return "an integer: heddle_value.integer";
  case HEDDLE_REAL:
    return "a real: heddle_value.real";
  case HEDDLE_INTEGER_TABLE:
  case HEDDLE_REAL_TABLE:
    return llvm::formatv("a table of {0} with {1} {2}: heddle_value.table",
                         P.Kind == HEDDLE_REAL_TABLE ? "f32" : "i32 or i64",
                         P.Rank, P.Rank == 1 ? "axis" : "axes");
  case HEDDLE_SET:
    break;
  }
  return llvm::formatv("sets for {0} {1}: heddle_value.sets", P.Rank,
                       P.Rank == 1 ? "index" : "indices");
}

/// The default as a C constant; empty where there is none.
static std::string defaultOf(const PatternParam &P) {
  if (P.Default)
    return llvm::formatv("INT64_C({0})", *P.Default);
  if (!P.RealDefault)
    return "";
  llvm::SmallString<32> Text;
  llvm::APFloat(*P.RealDefault)
      .toString(Text, /*FormatPrecision=*/0,
                /*FormatMaxPadding=*/0,
                /*TruncateZero=*/false);
  return Text.str().str();
}

/// The tensors beyond those that every kernel has, as lines of a comment.
static std::string moreTensors(const BuildPlan &What,
                               const PatternInfo &Pattern) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  if (Pattern.Recurrence) {
    Out << llvm::formatv("     state_in, state_out (batch, heads_q, {0}, {1}), "
                         "f32, NULL for zero, or unwanted\n",
                         What.StateRows, What.Shape.V);
    if (Pattern.Recurrence->HasSums)
      Out << llvm::formatv("     sums_in, sums_out (batch, heads_q, {0}), the "
                           "same\n",
                           What.StateRows);
  }
  for (int64_t I = 1; I < Pattern.NumSources; ++I)
    Out << llvm::formatv(
        "     more_k[{0}] (batch, heads_kv, more_seq_k[{0}], {1})\n"
        "     more_v[{0}] (batch, heads_kv, more_seq_k[{0}], {2})\n",
        I - 1, What.Shape.Qk, What.Shape.V);
  if (What.Outputs.RowMax)
    Out << "     row_max      (batch, heads_q, seq_q)\n";
  for (int64_t I = 0; I < Pattern.NumSources; ++I) {
    const std::string More = I > 0 ? "more_" : "",
                      At = I > 0 ? llvm::formatv("[{0}]", I - 1).str() : "";
    if (What.Outputs.ColumnSums)
      Out << llvm::formatv("     {0,-12} (batch, heads_q, {1}seq_k{2})\n",
                           More + "column_sums" + At, More, At);
    if (What.Outputs.hasBlockMax())
      Out << llvm::formatv("     {0,-12} (batch, heads_q, ceil(seq_q / {1}), "
                           "ceil({2}seq_k{3} / {4}))\n",
                           More + "block_max" + At, What.Outputs.BlockQ, More,
                           At, What.Outputs.BlockK);
  }
  return Text;
}

std::string heddle::writeHeader(const BuildPlan &What,
                                const PatternInfo &Pattern) {
  // A leading digit is no start of an identifier.
  std::string Prefix = upper(What.Kernel);
  if (llvm::isDigit(Prefix.front()))
    Prefix.insert(0, "K");
  std::string Levels;
  for (const LevelOfTarget &L : What.Levels)
    Levels += (Levels.empty() ? "" : ", ") + L.name();

  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Out << llvm::formatv(
      R"(/* Kernel '{0}', written by heddle compile. Levels, best first: {1}.{9}

     q    (batch, heads_q,  seq_q, {2})     o    (batch, heads_q, seq_q, {3})
     k    (batch, heads_kv, seq_k, {2}){10}
     v    (batch, heads_kv, seq_k, {3})
{5}
   Open the bundle with heddle_bundle_open, find the kernel with
   heddle_bundle_find({4}_KERNEL), make a plan, launch it. */

#ifndef HEDDLE_BUNDLE_{4}_H
#define HEDDLE_BUNDLE_{4}_H

#include "heddle/heddle.h"

#define {4}_KERNEL "{0}"

enum {{
  {4}_D_QK = {2},
  {4}_D_V = {3},
  {4}_DTYPE = HEDDLE_{6},        /* of q, k and v */
  {4}_OUTPUT_DTYPE = HEDDLE_{7}, /* of o */
  {4}_NUM_SOURCES = {8},
{11})",
      What.Kernel, Levels, What.Shape.Qk, What.Shape.V, Prefix,
      moreTensors(What, Pattern), dtypeOf(What.InputType),
      dtypeOf(What.OutputType), Pattern.NumSources,
      What.ShortQueries ? "\n   Few queries (decoding) run on code of their "
                          "own, whose rows are "
                          "heads."
                        : "",
      Pattern.Recurrence ? "" : "     lse  (batch, heads_q, seq_q)",
      Pattern.Recurrence
          ? llvm::formatv("  {0}_STATE_ROWS = {1},\n", Prefix, What.StateRows)
                .str()
          : "");

  llvm::StringSet<> Taken;
  std::vector<std::string> Names;
  for (const PatternParam &P : Pattern.Params)
    Names.push_back(unique(upper(P.Name), Taken));
  Out << "  " << Prefix << "_NUM_PARAMS = " << Names.size() << "\n};\n";
  if (!Names.empty()) {
    Out << "\n/* Positions in heddle_problem.params. */\nenum {\n";
    for (auto [I, Name] : llvm::enumerate(Names))
      Out << "  " << Prefix << "_PARAM_" << Name << " = " << I << ", /* "
          << meaningOf(Pattern.Params[I]) << " */\n";
    Out << "};\n";
  }
  bool First = true;
  for (auto [Name, P] : llvm::zip(Names, Pattern.Params)) {
    std::string Default = defaultOf(P);
    if (Default.empty())
      continue;
    if (First)
      Out << "\n/* What the tools use where no value is given. */\n";
    First = false;
    Out << "#define " << Prefix << "_DEFAULT_" << Name << " " << Default
        << "\n";
  }
  Out << "\n#endif /* HEDDLE_BUNDLE_" << Prefix << "_H */\n";
  return Text;
}
