// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/RecurrenceExplanation.h"

#include "frontends/common/Numbers.h"
#include "frontends/heddle/ExplainLines.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::cli;
using frontend::duration;
using frontend::grouped;

/// From here on a part of the time is worth a word.
static constexpr double NotableShare = 0.05;

std::vector<std::string> cli::equationsOf(attn::RecurrenceOp Of) {
  using attn::RecurrencePart;
  const bool Expands = !Of.getExpand().isNone();
  auto Mapped = [&](RecurrencePart Part, const std::string &Row) {
    return Expands || Of.hasPart(Part) ? "phi(" + Row + ")" : Row;
  };
  const std::string Query = Mapped(RecurrencePart::Query, "q_i");
  const char *Value = Of.hasPart(RecurrencePart::Value) ? "value(v_i)" : "v_i";
  const std::string Key = Mapped(RecurrencePart::Key, "k_i");
  std::string Output = Query + "^T " + (Of.isBidirectional() ? "S" : "S_i");
  if (Of.hasSums())
    Output += Of.hasMagnitude() ? " by magnitude" : " / z_i";
  if (Of.getWindowParam())
    Output += " beside the softmax of the window";
  if (Of.hasPart(RecurrencePart::Output))
    Output = "output(" + Output + ")";
  std::string Factor;
  switch (Of.decayKind()) {
  case attn::DecayKind::None:
    break;
  case attn::DecayKind::Constant:
    Factor = "a ";
    break;
  case attn::DecayKind::PerToken:
    Factor = "a_i ";
    break;
  case attn::DecayKind::PerChannel:
    Factor = "diag(a_i) ";
    break;
  }
  std::string State;
  if (Of.isBidirectional())
    State = fmt::format("S = sum over all i of {} {}^T", Key, Value);
  else if (Of.hasDelta() && Of.decayKind() == attn::DecayKind::PerChannel &&
           !Of.erasesFirst())
    State = fmt::format("S_i = (1 - beta_i {1} {1}^T) {0}S_(i-1) + "
                        "beta_i {1} {2}^T",
                        Factor, Key, Value);
  else if (Of.hasDelta())
    State = fmt::format("S_i = {0}(S_(i-1) - beta_i {1} ({1}^T S_(i-1))) + "
                        "beta_i {1} {2}^T",
                        Factor, Key, Value);
  else
    State = fmt::format("S_i = {}S_(i-1) + {} {}^T", Factor, Key, Value);
  return {State, "o_i = " + Output};
}

double RecurrenceExplanation::flopPerToken(int64_t Tokens) const {
  return Tokens > 0 ? chunkFlop(Shape, Tokens) / static_cast<double>(Tokens)
                    : 0;
}

double RecurrenceExplanation::flopAmongTokens() const {
  // What is with the state grows with the tokens, the rest with their square.
  const int64_t Tokens = Schedule.getQueryTile();
  return flopPerToken(2 * Tokens) - flopPerToken(Tokens);
}

/// Tokens of all sequences and heads.
static double tokensOf(const frontend::Problem &Sizes) {
  return static_cast<double>(Sizes.tensorBatch() * Sizes.SeqQ) *
         static_cast<double>(Sizes.HeadsQ);
}

double RecurrenceExplanation::flop() const {
  return Form.IsStep ? Form.StepFlop * tokensOf(Sizes)
                     : Form.ChunkFlop * static_cast<double>(Form.Chunks);
}

Cost RecurrenceExplanation::busy() const {
  Cost Result;
  if (Form.IsStep) {
    // The state goes through the registers once per token: two products each,
    // a load and a store.
    const double Vectors = tokensOf(Sizes) *
                           static_cast<double>(Form.Rows * Form.Columns) * 2 /
                           FlopPerSlot;
    Result[Work::Products] = 2 * Vectors;
    Result[Work::Edges] = 2 * Vectors;
    return Result;
  }
  Result.add(Costs.Full, static_cast<double>(Form.Chunks));
  Result.add(Costs.Task, static_cast<double>(Tasks));
  // The states of segments come first: one of the products with the state.
  if (Form.Segments > 1)
    Result[Work::Products] +=
        static_cast<double>(Form.Chunks * Schedule.getQueryTile()) *
        static_cast<double>(Shape.State * Shape.V) * 2 / FlopPerSlot;
  return Result;
}

double RecurrenceExplanation::lastSlots() const {
  if (Tasks == 0)
    return 0;
  // Tasks are about equal.
  const int64_t Rounds = (Tasks + Threads - 1) / Threads;
  return busy().total() * static_cast<double>(Rounds) /
         static_cast<double>(Tasks);
}

double RecurrenceExplanation::arithmeticSeconds() const {
  return Peak > 0 ? flop() / Peak * 1e-9 : 0;
}

double RecurrenceExplanation::memorySeconds() const {
  return Bandwidth > 0 ? Bytes / Bandwidth * 1e-9 : 0;
}

double RecurrenceExplanation::predictedSeconds() const {
  return std::max(lastSlots() * SecondsPerSlot, memorySeconds());
}

double RecurrenceExplanation::predictedOfPeak() const {
  const double Capacity = lastSlots() * Threads * FlopPerSlot;
  return Capacity > 0 ? flop() / Capacity : 0;
}

double RecurrenceExplanation::measuredOfPeak() const {
  return FastestSeconds > 0 ? arithmeticSeconds() / FastestSeconds : 0;
}

double RecurrenceExplanation::accuracy() const {
  return FastestSeconds > 0 ? predictedSeconds() / FastestSeconds : 0;
}

std::string RecurrenceExplanation::bound() const {
  if (flop() == 0)
    return "nothing: there is no token";
  if (memorySeconds() > lastSlots() * SecondsPerSlot)
    return "memory: reading q, k and v and writing o takes longer than "
           "computing";
  const Cost Busy = busy();
  const double All = lastSlots() * Threads;
  const double Idle = 1 - Busy.total() / All;
  std::vector<std::pair<double, const char *>> Parts = {
      {Idle, Tasks < Threads ? "too few tasks" : "idle threads"}};
  for (size_t I = 0; I < NumWork; ++I)
    Parts.emplace_back(Busy.Slots[I] / All, boundOf(static_cast<Work>(I)));
  llvm::sort(Parts,
             [](const auto &A, const auto &B) { return A.first > B.first; });
  std::string Text =
      fmt::format("{} ({:.0f} %)", Parts[0].second, 100 * Parts[0].first);
  if (Parts[1].first >= NotableShare)
    Text += fmt::format(", then {} ({:.0f} %)", Parts[1].second,
                        100 * Parts[1].first);
  return Text;
}

std::string RecurrenceExplanation::suggestion() const {
  if (flop() == 0)
    return "";
  if (Tasks < Threads)
    return fmt::format("{} thread{} but {} task{}: launch more heads or "
                       "sequences at once, or give --segments",
                       Threads, Threads == 1 ? "" : "s", Tasks,
                       Tasks == 1 ? "" : "s");
  if (memorySeconds() > lastSlots() * SecondsPerSlot && Shape.ElementBytes > 2)
    return "--dtype bf16 halves the bytes";
  if (Form.IsStep && Sizes.Batch == 1)
    return "a token alone moves the whole state: launch more sequences or "
           "tokens at once";
  return "";
}

static void addChoices(const RecurrenceExplanation &E, ExplainLines &Out) {
  Out.add("machine", machineText(E.Machine));
  Out.add("schedule", fmt::format("{} ({})", scheduleText(E.Schedule),
                                  E.IsGiven ? "as asked for" : "chosen"));
  Out.add("choices", "chunk  rows  FLOP per token  of peak");
  for (const ScheduleChoice &C : E.Choices) {
    const int64_t Tokens = C.Schedule.getQueryTile();
    Out.more(fmt::format(
        "{:>5}  {:>4}  {:>14}  {:>5.1f} %  {}{}", Tokens, C.Schedule.getRows(),
        grouped(static_cast<int64_t>(E.flopPerToken(Tokens))),
        100 * C.Efficiency, C.IsChosen ? "chosen: " : "", C.Reason));
  }
}

static void addWork(const RecurrenceExplanation &E, ExplainLines &Out) {
  const frontend::RecurrenceReport &Form = E.Form;
  if (Form.IsStep)
    Out.add("form", "token by token");
  else
    Out.add("form", fmt::format("{} chunks of {} tokens, {} segment{} per "
                                "sequence",
                                grouped(Form.Chunks), Form.Chunk, Form.Segments,
                                Form.Segments == 1 ? "" : "s"));
  Out.add("state",
          fmt::format("{} x {} numbers{} per head, {} bytes", Form.Rows,
                      Form.Columns, Form.HasSums ? " and sums" : "",
                      grouped(4 * Form.Rows * (Form.Columns + Form.HasSums))));
  if (E.Window > 0)
    Out.add("window", fmt::format("{} keys by a softmax, which the floor "
                                  "leaves out",
                                  grouped(E.Window)));
  const int64_t Tokens = E.Schedule.getQueryTile();
  if (Form.IsStep)
    Out.add("floor", fmt::format("{} FLOP per token and head",
                                 grouped(static_cast<int64_t>(Form.StepFlop))));
  else
    Out.add("floor",
            fmt::format(
                "{} FLOP per token and head: {} among the tokens of a chunk, "
                "{} with the state",
                grouped(static_cast<int64_t>(E.flopPerToken(Tokens))),
                grouped(static_cast<int64_t>(E.flopAmongTokens())),
                grouped(static_cast<int64_t>(E.flopPerToken(Tokens) -
                                             E.flopAmongTokens()))));
  Out.add("tasks", fmt::format("{} on {} thread{}", grouped(E.Tasks), E.Threads,
                               E.Threads == 1 ? "" : "s"));
  Out.add("work", fmt::format("{:.6g} FLOP", E.flop()));
}

static void addTimes(const RecurrenceExplanation &E, ExplainLines &Out) {
  if (E.Peak > 0)
    Out.add("arithmetic",
            fmt::format("{} at least: the floor at {:.2f} GFLOP/s, measured",
                        duration(E.arithmeticSeconds()), E.Peak));
  if (E.Bandwidth > 0)
    Out.add("memory",
            fmt::format("{} at least: {} bytes of q, k, v and o at {:.2f} "
                        "GB/s, measured",
                        duration(E.memorySeconds()),
                        grouped(static_cast<int64_t>(E.Bytes)), E.Bandwidth));
  const Cost Busy = E.busy();
  const double All = E.lastSlots() * E.Threads;
  Out.add("predicted", fmt::format("{}{:.1f} % of peak",
                                   E.SecondsPerSlot > 0
                                       ? duration(E.predictedSeconds()) + ", "
                                       : "",
                                   100 * E.predictedOfPeak()));
  addShares(Busy, All,
            E.Threads > 1 ? std::optional(All - Busy.total()) : std::nullopt,
            Out);
  if (E.Unmeasured.empty())
    Out.add("measured",
            fmt::format("{}, {:.1f} % of peak, median {} of {}: predicted / "
                        "measured {:.2f}",
                        duration(E.FastestSeconds), 100 * E.measuredOfPeak(),
                        duration(E.MeasuredSeconds), E.Repeat, E.accuracy()));
  else
    Out.add("measured", E.Unmeasured);
  Out.add("bound", E.bound());
  if (std::string Idea = E.suggestion(); !Idea.empty())
    Out.add("suggestion", Idea);
}

std::string RecurrenceExplanation::text() const {
  ExplainLines Out;
  Out.add("recurrence", "@" + Name);
  for (size_t I = 0; I < Equations.size(); ++I)
    Out.add(I == 0 ? "formula" : "", Equations[I]);
  Out.add("kernel",
          fmt::format("{}, {}, d={}, dv={}", Level, Dtype, Shape.Qk, Shape.V));
  Out.add("problem",
          fmt::format("b={} hq={} hkv={} sq={} sk={}{}, origin {}", Sizes.Batch,
                      Sizes.HeadsQ, Sizes.HeadsKv, Sizes.SeqQ, Sizes.SeqK,
                      Sizes.isRagged() ? " in all, ragged" : "", Origin));
  addChoices(*this, Out);
  addWork(*this, Out);
  addTimes(*this, Out);
  return Out.Out;
}

static void writeProblem(llvm::json::OStream &Json,
                         const RecurrenceExplanation &E) {
  Json.attribute("recurrence", E.Name);
  Json.attribute("equations", llvm::json::Array(E.Equations));
  Json.attribute("level", E.Level);
  Json.attribute("dtype", E.Dtype);
  Json.attributeObject("shape", [&] {
    Json.attribute("b", E.Sizes.Batch);
    Json.attribute("hq", E.Sizes.HeadsQ);
    Json.attribute("hkv", E.Sizes.HeadsKv);
    Json.attribute("sq", E.Sizes.SeqQ);
    Json.attribute("sk", E.Sizes.SeqK);
    Json.attribute("d", E.Shape.Qk);
    Json.attribute("dv", E.Shape.V);
  });
  Json.attributeObject("machine", [&] {
    for (const MachineFact &Fact : E.Machine)
      Json.attribute(Fact.Name, Fact.Value);
  });
  Json.attributeObject("schedule", [&] {
    writeSchedule(Json, E.Schedule);
    Json.attribute("given", E.IsGiven);
  });
  Json.attributeArray("choices", [&] {
    for (const ScheduleChoice &C : E.Choices)
      Json.object([&] {
        writeSchedule(Json, C.Schedule);
        Json.attribute("flop_per_token",
                       E.flopPerToken(C.Schedule.getQueryTile()));
        Json.attribute("slots_per_token", C.SlotsPerPair);
        Json.attribute("of_peak", C.Efficiency);
        Json.attribute("chosen", C.IsChosen);
        Json.attribute("reason", C.Reason);
      });
  });
}

static void writeWork(llvm::json::OStream &Json,
                      const RecurrenceExplanation &E) {
  const frontend::RecurrenceReport &Form = E.Form;
  Json.attribute("form", Form.IsStep ? "steps" : "chunks");
  Json.attribute("chunk", E.Schedule.getQueryTile());
  Json.attribute("chunks", Form.Chunks);
  Json.attribute("segments", Form.Segments);
  Json.attributeObject("state", [&] {
    Json.attribute("rows", Form.Rows);
    Json.attribute("columns", Form.Columns);
    Json.attribute("sums", Form.HasSums);
  });
  Json.attribute("flop_per_token",
                 Form.IsStep ? Form.StepFlop
                             : E.flopPerToken(E.Schedule.getQueryTile()));
  Json.attribute("flop", E.flop());
  Json.attribute("tasks", E.Tasks);
  Json.attribute("threads", E.Threads);
}

std::string RecurrenceExplanation::json() const {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  llvm::json::OStream Json(Out, 2);
  const Cost Busy = busy();
  const double All = lastSlots() * Threads;
  Json.object([&] {
    writeProblem(Json, *this);
    writeWork(Json, *this);
    Json.attributeObject("predicted", [&] {
      Json.attribute("slots", lastSlots());
      Json.attribute("of_peak", predictedOfPeak());
      if (SecondsPerSlot > 0)
        Json.attribute("ms", predictedSeconds() * 1e3);
      Json.attributeObject("shares", [&] {
        for (size_t I = 0; I < NumWork; ++I)
          Json.attribute(workKey(static_cast<Work>(I)),
                         All > 0 ? Busy.Slots[I] / All : 0.0);
        Json.attribute("idle", All > 0 ? 1 - Busy.total() / All : 0.0);
      });
    });
    if (Unmeasured.empty())
      Json.attributeObject("measured", [&] {
        Json.attribute("ms", FastestSeconds * 1e3);
        Json.attribute("median_ms", MeasuredSeconds * 1e3);
        Json.attribute("of_peak", measuredOfPeak());
        Json.attribute("predicted_over_measured", accuracy());
        Json.attribute("repeat", Repeat);
        Json.attribute("fma_peak_gflops", Peak);
        Json.attribute("read_bandwidth_gb", Bandwidth);
        Json.attribute("arithmetic_ms", arithmeticSeconds() * 1e3);
        Json.attribute("memory_ms", memorySeconds() * 1e3);
      });
    Json.attribute("bytes", Bytes);
    Json.attribute("bound", bound());
    Json.attribute("suggestion", suggestion());
  });
  Out << "\n";
  return Text;
}
