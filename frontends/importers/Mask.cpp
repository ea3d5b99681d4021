// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Import.h"
#include "frontends/importers/MaskForms.h"
#include "frontends/importers/Text.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::importers;

const std::vector<MaskForm> &importers::maskForms() {
  static const std::vector<MaskForm> Forms = {
      {"all or nothing", fitUniform},
      {"band of distances", fitBand},
      {"sink and window", fitSinkAndWindow},
      {"prefix", fitPrefix},
      {"strided distances", fitStrided},
      {"strided columns", fitGlobalColumns},
      {"block diagonal", fitBlockDiagonal},
      {"documents", fitDocuments},
      {"runs per row", fitRowRuns},
      {"bounds per column", fitColumnBounds},
      {"columns and diagonals", fitColumnsAndDiagonals},
      {"block map", fitBlockMap},
      {"keys per row", fitRowSets},
  };
  return Forms;
}

static int64_t bytesOf(const Keep &Pattern) {
  int64_t Bytes = 0;
  for (const Operand &O : Pattern.operands())
    Bytes += O.bytes();
  return Bytes;
}

static std::string describe(const Mask &From) {
  std::string Text =
      fmt::format("{}, {}, {} x {} pairs", counted(From.FileBatch, "sequence"),
                  counted(From.FileHeads, "head"), grouped(From.Queries),
                  grouped(From.Keys));
  if (From.Batch < From.FileBatch)
    Text += ", the same in all sequences";
  if (From.Heads < From.FileHeads)
    Text += ", the same in all heads";
  return Text;
}

ErrorText importers::importMask(const MaskOptions &Options, Import &Out) {
  Mask From;
  if (ErrorText Bad = From.read(Options.Path))
    return Bad;
  Out = {};
  const int64_t Pairs =
      From.FileBatch * From.FileHeads * From.Queries * From.Keys;
  Out.Findings = {
      {"found", describe(From)},
      {"kept", fmt::format("{} of {} pairs ({})", grouped(From.kept()),
                           grouped(Pairs), percentage(From.kept(), Pairs))},
      {"dense", fmt::format("{} bytes", grouped(Pairs))}};

  Fit Best;
  size_t BestLine = 0;
  for (const MaskForm &Form : maskForms()) {
    Fit Pattern = Form.Fitted(From);
    if (Pattern && !From.isKeptBy(*Pattern))
      Pattern.reset();
    Out.Findings.emplace_back(Form.Name,
                              Pattern ? fmt::format("{} bytes, @{}",
                                                    grouped(bytesOf(*Pattern)),
                                                    Pattern->name())
                                      : "does not fit");
    if (!Pattern || (Best && bytesOf(*Best) <= bytesOf(*Pattern)))
      continue;
    Best = std::move(Pattern);
    BestLine = Out.Findings.size() - 1;
  }
  // The mask itself always fits, were it not for a mistake above.
  if (!Best)
    return fmt::format("'{}' could not be reproduced; please report this",
                       Options.Path);
  Out.Findings[BestLine].second += ", taken";
  Out.Pattern = Best->name();
  Out.Text = Best->print(
      {fmt::format("The same pairs as a dense mask of {} queries x {} keys.",
                   From.Queries, From.Keys)});
  Out.Operands = Best->operands();
  Out.Shape = {From.FileBatch, From.FileHeads, From.FileHeads, From.Queries,
               From.Keys};
  return std::nullopt;
}
