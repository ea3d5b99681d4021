// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Header.h"

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

std::string heddle::writeHeader(const BuildPlan &What,
                                const PatternInfo &Pattern) {
  // A leading digit is no start of an identifier.
  std::string Prefix = upper(What.Kernel);
  if (llvm::isDigit(Prefix.front()))
    Prefix.insert(0, "K");
  std::string Levels;
  for (const Level &L : What.Levels)
    Levels += (Levels.empty() ? "" : ", ") + L.Name;

  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Out << llvm::formatv(
      R"(/* Kernel '{0}', written by heddle compile. Levels, best first: {1}.

     q    (batch, heads_q,  seq_q, {2})     o    (batch, heads_q, seq_q, {3})
     k    (batch, heads_kv, seq_k, {2})     lse  (batch, heads_q, seq_q)
     v    (batch, heads_kv, seq_k, {3})

   Open the bundle with heddle_bundle_open, find the kernel with
   heddle_bundle_find({4}_KERNEL), make a plan, launch it. */

#ifndef HEDDLE_BUNDLE_{4}_H
#define HEDDLE_BUNDLE_{4}_H

#include "heddle/heddle.h"

#define {4}_KERNEL "{0}"

enum {{
  {4}_D_QK = {2},
  {4}_D_V = {3},
)",
      What.Kernel, Levels, What.HeadDimQk, What.HeadDimV, Prefix);

  llvm::StringSet<> Taken;
  std::vector<std::string> Names;
  for (const PatternParam &P : Pattern.Params)
    Names.push_back(unique(upper(P.Name), Taken));
  Out << "  " << Prefix << "_NUM_PARAMS = " << Names.size() << "\n};\n";
  if (!Names.empty()) {
    Out << "\n/* Positions in heddle_problem.params. */\nenum {\n";
    for (auto [I, Name] : llvm::enumerate(Names))
      Out << "  " << Prefix << "_PARAM_" << Name << " = " << I
          << (I + 1 < Names.size() ? ",\n" : "\n};\n");
  }
  bool First = true;
  for (auto [Name, P] : llvm::zip(Names, Pattern.Params)) {
    if (!P.Default)
      continue;
    if (First)
      Out << "\n/* What the tools use where no value is given. */\n";
    First = false;
    Out << "#define " << Prefix << "_DEFAULT_" << Name << " INT64_C("
        << *P.Default << ")\n";
  }
  Out << "\n#endif /* HEDDLE_BUNDLE_" << Prefix << "_H */\n";
  return Text;
}
