// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Report.h"

#include "frontends/common/JsonObject.h"
#include "frontends/common/Numbers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

using namespace heddle;
using namespace heddle::frontend;

double Report::density() const {
  const double Pairs = Sizes.pairs();
  return Pairs > 0 ? static_cast<double>(Stats.kept_pairs) / Pairs : 0;
}

double Report::emulatedEfficiency(std::string_view Kind) const {
  auto Of = [&](const std::vector<std::pair<std::string, int64_t>> &Work) {
    for (const auto &[Name, Number] : Work)
      if (Name == Kind)
        return static_cast<double>(Number);
    return 0.0;
  };
  return Of(Emulated) > 0 ? Of(DenseEmulated) * density() / Of(Emulated) : 0;
}

double Report::sparseEfficiency() const {
  return SparseSeconds > 0 ? DenseSeconds * density() / SparseSeconds : 0;
}

double Report::indexShare() const {
  return MedianSeconds > 0 ? IndexMilliseconds * 1e-3 / MedianSeconds : 0;
}

double Report::usefulFlop() const {
  return 2.0 * static_cast<double>(Stats.kept_pairs) *
         static_cast<double>(Sizes.HeadDim + Sizes.ValueDim);
}

double Report::executedFlop() const {
  return 2.0 * static_cast<double>(QueryTile) * static_cast<double>(KeyTile) *
         static_cast<double>(Stats.tiles_full + Stats.tiles_partial) *
         static_cast<double>(Sizes.HeadDim + Sizes.ValueDim);
}

double frontend::stepFlop(int64_t Rows, int64_t Columns, bool HasDelta) {
  return (HasDelta ? 6.0 : 4.0) * static_cast<double>(Rows) *
         static_cast<double>(Columns);
}

double Report::recurrenceFlop() const {
  if (!Recurrence)
    return 0;
  if (!Recurrence->IsStep)
    return Recurrence->ChunkFlop * static_cast<double>(Recurrence->Chunks);
  return Recurrence->StepFlop *
         static_cast<double>(Sizes.tensorBatch() * Sizes.SeqQ) *
         static_cast<double>(Sizes.HeadsQ);
}

int64_t Report::stateBytes() const {
  if (!Recurrence)
    return 0;
  return static_cast<int64_t>(sizeof(float)) * Sizes.Batch * Sizes.HeadsQ *
         Recurrence->Rows *
         (Recurrence->Columns + (Recurrence->HasSums ? 1 : 0));
}

double Report::tokensPerSecond() const {
  return MedianSeconds > 0
             ? static_cast<double>(Sizes.tensorBatch() * Sizes.SeqQ) /
                   MedianSeconds
             : 0;
}

double Report::compileMilliseconds() const {
  double Sum = 0;
  for (const auto &Part : CompileParts)
    Sum += Part.second;
  return Sum;
}

double Report::rate(double Flop) const {
  return MedianSeconds > 0 ? Flop / MedianSeconds * 1e-9 : 0;
}

static std::string speed(double Rate, double Peak) {
  if (Peak <= 0)
    return fmt::format("{:.2f} GFLOP/s", Rate);
  return fmt::format("{:.2f} GFLOP/s ({:.1f} % of peak)", Rate,
                     100 * Rate / Peak);
}

namespace {

/// Lines of a label and a text.
class Lines {
public:
  void add(const char *Label, const std::string &Text) {
    Out += fmt::format("{:<10}{}\n", Label, Text);
  }
  std::string Out;
};

} // namespace

/// What runs, with what values, on what.
static void addProblem(const Report &R, Lines &Out) {
  const Problem &Sizes = R.Sizes;
  Out.add("kernel",
          fmt::format("{} ({}, {}{}, d={}, dv={})", R.Kernel, R.Level, R.Dtype,
                      R.OutputDtype == R.Dtype ? "" : " to " + R.OutputDtype,
                      Sizes.HeadDim, Sizes.ValueDim));
  if (!R.Numbers.empty()) {
    std::string Values;
    for (const auto &[Name, Value] : R.Numbers)
      Values += fmt::format("{}{}={}", Values.empty() ? "" : " ", Name, Value);
    Out.add("set", Values);
  }
  for (const auto &[Name, Summary] : R.Operands)
    Out.add("operand", fmt::format("{}: {}", Name, Summary));
  Out.add("problem",
          fmt::format("b={} hq={} hkv={} sq={} sk={}{}{} {}, origin {}",
                      Sizes.Batch, Sizes.HeadsQ, Sizes.HeadsKv, Sizes.SeqQ,
                      Sizes.SeqK, Sizes.isRagged() ? " in all, ragged," : "",
                      Sizes.MoreKeys.empty()
                          ? ""
                          : fmt::format(" more keys {},",
                                        fmt::join(Sizes.MoreKeys, " and ")),
                      layoutName(R.Order), R.Origin));
}

static void addTiles(const Report &R, Lines &Out) {
  Out.add("kept", fmt::format("{} pairs, density {:.6g}",
                              grouped(R.Stats.kept_pairs), R.density()));
  Out.add(
      "tiles",
      fmt::format("{} full, {} partial, {} empty, of {} {} x {} keys{}{}",
                  grouped(R.Stats.tiles_full), grouped(R.Stats.tiles_partial),
                  grouped(R.Stats.tiles_empty), R.QueryTile,
                  R.Parts > 0 ? "heads" : "queries", R.KeyTile,
                  R.Parts == 0 ? ""
                               : fmt::format(", packed heads, {} split{}",
                                             R.Parts, R.Parts == 1 ? "" : "s"),
                  R.QueryBox.empty() ? ""
                                     : fmt::format(" (boxes {} and {})",
                                                   fmt::join(R.QueryBox, "x"),
                                                   fmt::join(R.KeyBox, "x"))));
  Out.add("work", fmt::format("{:.6g} useful FLOP, {:.6g} executed",
                              R.usefulFlop(), R.executedFlop()));
}

static void addRecurrence(const Report &R, Lines &Out) {
  const RecurrenceReport &Of = *R.Recurrence;
  if (Of.IsStep)
    Out.add("form", "token by token");
  else
    Out.add("form",
            fmt::format("{} chunks of {} tokens{}{}", grouped(Of.Chunks),
                        Of.Chunk,
                        Of.Segments > 1
                            ? fmt::format(", sequences in {} segments side by "
                                          "side",
                                          Of.Segments)
                            : "",
                        Of.IsCausal ? "" : ", in both directions"));
  Out.add("state",
          fmt::format("{} x {} numbers{} per head, {} bytes in all, {}",
                      Of.Rows, Of.Columns, Of.HasSums ? " and sums" : "",
                      grouped(R.stateBytes()),
                      Of.IsContinued ? "given" : "zero at first"));
  const double Tokens =
      static_cast<double>(R.Sizes.tensorBatch() * R.Sizes.SeqQ) *
      static_cast<double>(R.Sizes.HeadsQ);
  Out.add("work", fmt::format("{:.6g} FLOP, {:.6g} per token and head",
                              R.recurrenceFlop(),
                              Tokens > 0 ? R.recurrenceFlop() / Tokens : 0.0));
}

/// "matrix_instructions" as people write it.
static std::string wordsOf(std::string Name) {
  std::replace(Name.begin(), Name.end(), '_', ' ');
  return Name;
}

/// The kinds of emulated instructions whose numbers show what empty and partial
/// tiles cost.
static constexpr const char *InstructionKinds[] = {"instructions",
                                                   "matrix_instructions"};

/// What dense attention would take, and how much of the pattern's work is of
/// use.
static std::string denseText(const Report &R) {
  std::string Numbers, Shares;
  for (const char *Kind : InstructionKinds)
    for (const auto &[Name, Number] : R.DenseEmulated)
      // Products by other instructions have none.
      if (const double Share = R.emulatedEfficiency(Kind);
          Name == Kind && Share > 0) {
        Numbers += fmt::format("{}{} {}", Numbers.empty() ? "" : ", ",
                               grouped(Number), wordsOf(Kind));
        Shares += fmt::format("{}{:.1f} % in {}", Shares.empty() ? "" : ", ",
                              100 * Share, wordsOf(Kind));
      }
  return fmt::format("{}: sparse efficiency {}, dense number x density / "
                     "number",
                     Numbers, Shares);
}

static void addTimes(const Report &R, Lines &Out) {
  if (!R.CompileParts.empty()) {
    std::string Parts;
    for (const auto &[Name, Milliseconds] : R.CompileParts)
      Parts += fmt::format("{}{} {:.1f}", Parts.empty() ? "" : ", ", Name,
                           Milliseconds);
    Out.add("compile",
            fmt::format("{:.1f} ms ({})", R.compileMilliseconds(), Parts));
  }
  Out.add("plan",
          fmt::format("{} for {} bytes of task order{}",
                      duration(R.PlanMilliseconds * 1e-3), grouped(R.PlanBytes),
                      R.Operands.empty() ? "" : ", tables and sets"));
  if (!R.Operands.empty())
    Out.add("index",
            fmt::format("{} to prepare tables and sets, {:.3g} % of one "
                        "launch",
                        duration(R.IndexMilliseconds * 1e-3),
                        100 * R.indexShare()));
  Out.add("time",
          fmt::format("{}, median of {}, {}", duration(R.MedianSeconds),
                      R.Repeat,
                      R.Device.empty() ? fmt::format("{} thread{}", R.Threads,
                                                     R.Threads == 1 ? "" : "s")
                                       : "on " + R.Device));
  if (!R.Emulated.empty()) {
    std::string Text;
    for (const auto &[Name, Number] : R.Emulated)
      Text += fmt::format("{}{} {}", Text.empty() ? "" : ", ", grouped(Number),
                          wordsOf(Name));
    Out.add("emulated", Text);
  }
  if (R.Recurrence)
    Out.add("speed", fmt::format("{:.6g} tokens/s, {}", R.tokensPerSecond(),
                                 speed(R.rate(R.recurrenceFlop()), R.FmaPeak)));
  else
    Out.add("speed", fmt::format("{} useful, {} executed",
                                 speed(R.rate(R.usefulFlop()), R.FmaPeak),
                                 speed(R.rate(R.executedFlop()), R.FmaPeak)));
  if (!R.DenseEmulated.empty())
    Out.add("dense", denseText(R));
  if (R.SparseSeconds > 0)
    Out.add("dense",
            fmt::format("{} in turn with {}: sparse efficiency {:.1f} %, "
                        "dense time x density / time",
                        duration(R.DenseSeconds), duration(R.SparseSeconds),
                        100 * R.sparseEfficiency()));
  if (R.FmaPeak > 0)
    Out.add("peak",
            fmt::format("{:.2f} GFLOP/s of multiply-adds, measured on "
                        "{} thread{}",
                        R.FmaPeak, R.Threads, R.Threads == 1 ? "" : "s"));
}

static void addCheck(const CheckResult &Check, bool IsRecurrence, Lines &Out) {
  std::string Others;
  if (!IsRecurrence)
    Others += fmt::format(", {:.3g} in lse", Check.LargestLse);
  if (Check.HasMore)
    Others += fmt::format(", {:.3g} in {}", Check.LargestMore,
                          IsRecurrence ? "the state" : "other outputs");
  Out.add(
      "check",
      fmt::format("{}: largest difference {:.3g} in o{}, tolerance {:g}{}, "
                  "against {}",
                  Check.passed() ? "passed" : "failed", Check.LargestO, Others,
                  Check.Tolerance,
                  Check.Tolerance == Check.Elsewhere
                      ? ""
                      : fmt::format(" in o, {:g} elsewhere", Check.Elsewhere),
                  Check.Against));
}

std::string Report::text() const {
  Lines Out;
  addProblem(*this, Out);
  if (Recurrence)
    addRecurrence(*this, Out);
  else
    addTiles(*this, Out);
  addTimes(*this, Out);
  if (Check)
    addCheck(*Check, Recurrence.has_value(), Out);
  return Out.Out;
}

static std::string list(const std::vector<int64_t> &Values) {
  return fmt::format("[{}]", fmt::join(Values, ", "));
}

static void writeProblem(const Report &R, JsonObject &Out) {
  Out.text("kernel", R.Kernel);
  Out.text("pattern", R.Pattern);
  Out.text("level", R.Level);
  Out.text("dtype", R.Dtype);
  Out.text("output_dtype", R.OutputDtype);
  JsonObject Set(2);
  for (const auto &[Name, Value] : R.Numbers)
    Set.raw(Name, Value);
  Out.raw("set", Set.str());
  JsonObject Given(2);
  for (const auto &[Name, Summary] : R.Operands)
    Given.text(Name, Summary);
  Out.raw("operands", Given.str());
  JsonObject Shape(2);
  Shape.integer("b", R.Sizes.Batch);
  Shape.integer("hq", R.Sizes.HeadsQ);
  Shape.integer("hkv", R.Sizes.HeadsKv);
  Shape.integer("sq", R.Sizes.SeqQ);
  Shape.integer("sk", R.Sizes.SeqK);
  Shape.integer("d", R.Sizes.HeadDim);
  Shape.integer("dv", R.Sizes.ValueDim);
  Out.raw("shape", Shape.str());
  Out.boolean("ragged", R.Sizes.isRagged());
  Out.raw("more_keys", list(R.Sizes.MoreKeys));
  Out.text("layout", layoutName(R.Order));
  Out.integer("origin", R.Origin);
}

static void writeTiles(const Report &R, JsonObject &Out) {
  Out.integer("kept_pairs", R.Stats.kept_pairs);
  Out.number("density", R.density());
  JsonObject Tiles(2);
  Tiles.integer("full", R.Stats.tiles_full);
  Tiles.integer("partial", R.Stats.tiles_partial);
  Tiles.integer("empty", R.Stats.tiles_empty);
  Tiles.integer("queries", R.QueryTile);
  Tiles.integer("keys", R.KeyTile);
  Tiles.raw("query_box", list(R.QueryBox));
  Tiles.raw("key_box", list(R.KeyBox));
  Tiles.boolean("packed_heads", R.Parts > 0);
  Tiles.integer("splits", std::max<int64_t>(R.Parts, 1));
  Out.raw("tiles", Tiles.str());
  Out.count("useful_flop", R.usefulFlop());
  Out.count("executed_flop", R.executedFlop());
}

static void writeRecurrence(const Report &R, JsonObject &Out) {
  const RecurrenceReport &Of = *R.Recurrence;
  Out.text("form", Of.IsStep ? "steps" : "chunks");
  if (!Of.IsStep) {
    Out.integer("chunk", Of.Chunk);
    Out.integer("chunks", Of.Chunks);
    Out.integer("segments", Of.Segments);
  }
  Out.boolean("causal", Of.IsCausal);
  JsonObject State(2);
  State.integer("rows", Of.Rows);
  State.integer("columns", Of.Columns);
  State.boolean("sums", Of.HasSums);
  State.boolean("given", Of.IsContinued);
  State.integer("bytes", R.stateBytes());
  Out.raw("state", State.str());
  Out.count("flop", R.recurrenceFlop());
}

static void writeSpeed(const Report &R, JsonObject &Out) {
  const std::pair<const char *, double> Rates[] = {
      {"_useful", R.rate(R.usefulFlop())},
      {"_executed", R.rate(R.executedFlop())},
      {"", R.rate(R.recurrenceFlop())}};
  for (const auto &[Suffix, Rate] : Rates)
    if (R.Recurrence.has_value() == (*Suffix == 0))
      Out.number(std::string("gflops") + Suffix, Rate);
  if (R.Recurrence)
    Out.number("tokens_per_second", R.tokensPerSecond());
  if (R.FmaPeak <= 0)
    return;
  Out.number("fma_peak_gflops", R.FmaPeak);
  for (const auto &[Suffix, Rate] : Rates)
    if (R.Recurrence.has_value() == (*Suffix == 0))
      Out.number(std::string("fma_peak_fraction") + Suffix, Rate / R.FmaPeak);
}

static std::string checkObject(const CheckResult &Check, bool IsRecurrence) {
  JsonObject Result(2);
  Result.boolean("passed", Check.passed());
  Result.text("against", Check.Against);
  Result.number("largest_o", Check.LargestO);
  if (!IsRecurrence)
    Result.number("largest_lse", Check.LargestLse);
  if (Check.HasMore)
    Result.number(IsRecurrence ? "largest_state" : "largest_other",
                  Check.LargestMore);
  Result.number("tolerance", Check.Tolerance);
  Result.number(IsRecurrence ? "tolerance_state" : "tolerance_lse",
                Check.Elsewhere);
  return Result.str();
}

std::string Report::json() const {
  JsonObject Out;
  writeProblem(*this, Out);
  if (Recurrence)
    writeRecurrence(*this, Out);
  else
    writeTiles(*this, Out);
  if (!CompileParts.empty()) {
    Out.number("compile_ms", compileMilliseconds());
    JsonObject Parts(2);
    for (const auto &[Name, Milliseconds] : CompileParts)
      Parts.number(Name, Milliseconds);
    Out.raw("compile_parts_ms", Parts.str());
  }
  Out.number("plan_ms", PlanMilliseconds);
  Out.integer("plan_bytes", PlanBytes);
  Out.number("index_ms", IndexMilliseconds);
  Out.number("index_share", indexShare());
  if (Device.empty())
    Out.integer("threads", Threads);
  else
    Out.text("device", Device);
  Out.integer("repeat", Repeat);
  Out.number("median_ms", MedianSeconds * 1e3);
  if (!Emulated.empty()) {
    JsonObject Work(2);
    for (const auto &[Name, Number] : Emulated)
      Work.integer(Name, Number);
    Out.raw("emulated", Work.str());
  }
  if (!DenseEmulated.empty()) {
    JsonObject Work(2), Efficiency(2);
    for (const auto &[Name, Number] : DenseEmulated)
      Work.integer(Name, Number);
    for (const char *Kind : InstructionKinds)
      Efficiency.number(Kind, emulatedEfficiency(Kind));
    Out.raw("dense_emulated", Work.str());
    Out.raw("emulated_efficiency", Efficiency.str());
  }
  if (SparseSeconds > 0) {
    Out.number("dense_ms", DenseSeconds * 1e3);
    Out.number("sparse_efficiency", sparseEfficiency());
  }
  writeSpeed(*this, Out);
  if (Check)
    Out.raw("check", checkObject(*Check, Recurrence.has_value()));
  return Out.str() + "\n";
}
