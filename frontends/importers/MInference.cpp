// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/HeadTable.h"
#include "frontends/importers/Import.h"
#include "frontends/importers/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

using namespace heddle;
using namespace heddle::importers;

//===----------------------------------------------------------------------===//
// The pattern
//===----------------------------------------------------------------------===//

static const char *const AShapeText = R"(
attn.pattern @a_shape(%sink: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %first = arith.cmpi slt, %k, %sink : index
  %near = arith.cmpi slt, %d, %window : index
  %either = arith.ori %first, %near : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
)";

static const char *const VerticalSlashText = R"(
attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[%b, %h]
  %slash = attn.in %d, %diags[%b, %h]
  %either = arith.ori %column, %slash : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
)";

static const char *const BlockSparseText = R"(
attn.pattern @block_sparse(%blocks: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c64 : index
  %live = attn.in %column, %blocks[%b, %h, %row]
  %kept = arith.andi %past, %live : i1
  attn.keep %kept
}
)";

namespace {

/// Writes the pattern of a layer, or of all layers at once.
class PatternWriter {
public:
  PatternWriter(const HeadTable &Table, bool AllLayers)
      : Table(Table), AllLayers(AllLayers) {
    for (const std::vector<HeadChoice> &Layer : Table.Layers)
      for (const HeadChoice &Choice : Layer)
        ++Count[Choice.Kind];
  }

  bool has(HeadKind Kind) const { return Count[Kind] > 0; }
  int64_t count(HeadKind Kind) const { return Count[Kind]; }
  /// Kinds that occur.
  int64_t numKinds() const {
    return std::count_if(std::begin(Count), std::end(Count),
                         [](int64_t C) { return C > 0; });
  }

  /// A table over the heads, with an axis for layers where there are several.
  template <typename Choose>
  Operand table(const char *Name, Choose Value) const {
    std::vector<int32_t> Values;
    for (const std::vector<HeadChoice> &Layer : Table.Layers)
      for (const HeadChoice &Choice : Layer)
        Values.push_back(Value(Choice));
    std::vector<int64_t> Shape = {static_cast<int64_t>(Table.NumHeads)};
    if (AllLayers)
      Shape.insert(Shape.begin(), static_cast<int64_t>(Table.Layers.size()));
    return Operand::table(Name, std::move(Shape), std::move(Values));
  }

  /// Tables first, as the pattern has them.
  std::vector<Operand> tables() const;
  std::string text() const;

private:
  const HeadTable &Table;
  bool AllLayers;
  int64_t Count[NumKinds] = {};
};

} // namespace

std::vector<Operand> PatternWriter::tables() const {
  std::vector<Operand> Result;
  if (numKinds() > 1)
    Result.push_back(
        table("kind", [](const HeadChoice &C) { return int32_t(C.Kind); }));
  if (has(AShape)) {
    // Heads of another kind have no sink and no window; their entries are not
    // looked at.
    Result.push_back(table("sink", [](const HeadChoice &C) {
      return C.Kind == AShape ? C.Vertical : 0;
    }));
    Result.push_back(table("window", [](const HeadChoice &C) {
      return C.Kind == AShape ? C.Slash : 0;
    }));
  }
  return Result;
}

std::string PatternWriter::text() const {
  const std::string Type = AllLayers ? "tensor<?x?xindex>" : "tensor<?xindex>";
  const std::string Indices = AllLayers ? "%layer, %h" : "%h";
  std::string Text =
      "// Head kinds of MInference (Jiang et al., \"MInference 1.0\", 2024).\n";
  std::vector<std::string> Params;
  if (AllLayers)
    Params.emplace_back("%layer: index = 0");
  for (const Operand &O : tables())
    Params.push_back(fmt::format("%{}: {}", O.Name, Type));
  std::string Body;
  auto Read = [&](const char *Name, const char *Result) {
    Body += fmt::format("  %{} = attn.at %{}[{}] : {}\n", Result, Name, Indices,
                        Type);
  };
  auto Apply = [&](HeadKind Kind, const std::string &Arguments) {
    Body += fmt::format("  %by_{0} = attn.apply @{0}({1}) at(%b, %h, %q, %k)\n",
                        Kinds[Kind].Ours, Arguments);
  };
  if (numKinds() > 1)
    Read("kind", "own_kind");
  if (has(AShape)) {
    Text += AShapeText;
    Read("sink", "own_sink");
    Read("window", "own_window");
    Apply(AShape, "%own_sink, %own_window : index, index");
  }
  if (has(VerticalSlash)) {
    Text += VerticalSlashText;
    Params.emplace_back("%cols: !attn.set");
    Params.emplace_back("%diags: !attn.set");
    Apply(VerticalSlash, "%cols, %diags : !attn.set, !attn.set");
  }
  if (has(BlockSparse)) {
    Text += BlockSparseText;
    Params.emplace_back("%blocks: !attn.set");
    Apply(BlockSparse, "%blocks : !attn.set");
  }
  // The verdict of the head's own kind.
  std::string Verdict;
  for (size_t I = 0; I < NumKinds; ++I) {
    if (Count[I] == 0)
      continue;
    const std::string Name = Kinds[I].Ours;
    if (numKinds() == 1) {
      Verdict = "%by_" + Name;
      continue;
    }
    Body += fmt::format("  %kind_{0} = arith.constant {1} : index\n"
                        "  %is_{0} = arith.cmpi eq, %own_kind, %kind_{0} : "
                        "index\n"
                        "  %keeps_{0} = arith.andi %is_{0}, %by_{0} : i1\n",
                        Name, I);
    if (!Verdict.empty())
      Body += fmt::format("  %or_{0} = arith.ori {1}, %keeps_{0} : i1\n", Name,
                          Verdict);
    Verdict = Verdict.empty() ? "%keeps_" + Name : "%or_" + Name;
  }
  Text += "\nattn.pattern @minference(";
  for (size_t I = 0; I < Params.size(); ++I)
    Text += (I ? ", " : "") + Params[I];
  return Text + fmt::format(") keep(%b, %h, %q, %k) {{\n{}  attn.keep {}\n}}\n",
                            Body, Verdict);
}

//===----------------------------------------------------------------------===//
// The import
//===----------------------------------------------------------------------===//

/// "%cols=random:1000@bxh" and so on, for a sequence of `Length` tokens: what
/// the estimator would give, drawn at random, so that the pattern can be run.
static void addRandomSets(const PatternWriter &Pattern, const HeadTable &Table,
                          int64_t Length, std::vector<std::string> &Out) {
  int32_t Columns = FewestColumns, Diagonals = FewestDiagonals;
  for (const std::vector<HeadChoice> &Layer : Table.Layers)
    for (const HeadChoice &Choice : Layer)
      if (Choice.Kind == VerticalSlash) {
        Columns = std::max(Columns, Choice.Vertical);
        Diagonals = std::max(Diagonals, Choice.Slash);
      }
  auto Budget = [&](int64_t Size, int64_t Most) {
    return std::min(Size, Most);
  };
  if (Pattern.has(VerticalSlash)) {
    Out.push_back(fmt::format("cols=random:{}@bxh", Budget(Columns, Length)));
    Out.push_back(
        fmt::format("diags=random:{}@bxh", Budget(Diagonals, Length)));
  }
  if (Pattern.has(BlockSparse))
    Out.push_back(fmt::format("blocks=random:{}@bxhxq/64,size=k/64",
                              Budget(KeyBlocks, (Length + 63) / 64)));
}

ErrorText importers::importMInference(const MInferenceOptions &Options,
                                      Import &Out) {
  HeadTable Table;
  if (ErrorText Bad = readHeadTable(Options.Path, Table))
    return Bad;
  const size_t NumLayers = Table.Layers.size();
  if (Options.Layer) {
    if (*Options.Layer < 0 || static_cast<size_t>(*Options.Layer) >= NumLayers)
      return fmt::format("'{}' has {}, expected a layer from 0 to {}, found {}",
                         Options.Path,
                         counted(static_cast<int64_t>(NumLayers), "layer"),
                         NumLayers - 1, *Options.Layer);
    const auto Layer = static_cast<size_t>(*Options.Layer);
    Table.Layers = {Table.Layers[Layer]};
    Table.Missing = {Table.Missing[Layer]};
  }
  PatternWriter Pattern(Table, !Options.Layer);
  Out = {};
  Out.Pattern = "minference";
  Out.NumPatterns = 1 + static_cast<unsigned>(Pattern.numKinds());
  Out.Text = Pattern.text();
  Out.Operands = Pattern.tables();
  if (Pattern.has(VerticalSlash)) {
    Out.Beside.push_back(
        Pattern.table("vertical_size", [](const HeadChoice &C) {
          return C.Kind == VerticalSlash ? std::max(C.Vertical, FewestColumns)
                                         : 0;
        }));
    Out.Beside.push_back(Pattern.table("slash_size", [](const HeadChoice &C) {
      return C.Kind == VerticalSlash ? std::max(C.Slash, FewestDiagonals) : 0;
    }));
  }
  const auto NumHeads = static_cast<int64_t>(Table.NumHeads);
  Out.Shape = {1, NumHeads, NumHeads, Options.Length, Options.Length};
  addRandomSets(Pattern, Table, Options.Length, Out.Settings);

  Out.Findings.emplace_back(
      "found",
      fmt::format("{} of {}, {} heads{}",
                  Options.Layer ? fmt::format("layer {}", *Options.Layer)
                                : std::string("all layers"),
                  NumLayers, NumHeads,
                  Options.Layer ? "" : "; the layer is a parameter"));
  for (size_t I = 0; I < NumKinds; ++I)
    if (auto Kind = static_cast<HeadKind>(I); Pattern.has(Kind))
      Out.Findings.emplace_back(
          Kinds[I].Theirs,
          fmt::format("{}, @{}", counted(Pattern.count(Kind), "head"),
                      Kinds[I].Ours));
  const int64_t Missing =
      std::accumulate(Table.Missing.begin(), Table.Missing.end(), int64_t(0));
  if (Missing > 0)
    Out.Findings.emplace_back(
        "not named", fmt::format("{}: vertical_and_slash 1000 6096, as in "
                                 "MInference",
                                 counted(Missing, "head")));
  if (!Out.Settings.empty())
    Out.Findings.emplace_back("indices",
                              "chosen at run time (see heddle import "
                              "vertical-slash); random ones below");
  return std::nullopt;
}
