// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/RecurrenceExplanation.h"

#include "frontends/common/Numbers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::cli;
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

double RecurrenceExplanation::usefulFlop() const {
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

KernelExplanation::Words RecurrenceExplanation::words() const {
  return {"recurrence", "equations", "chunk  rows  FLOP per token  of peak",
          "the floor",  "% of peak", "of_peak"};
}

std::string RecurrenceExplanation::bound() const {
  if (usefulFlop() == 0)
    return "nothing: there is no token";
  if (waitsForMemory())
    return "memory: reading q, k and v and writing o takes longer than "
           "computing";
  const Cost Busy = busy();
  const double All = allSlots();
  std::vector<std::pair<double, const char *>> Parts = {
      {idle(), Tasks < Threads ? "too few tasks" : "idle threads"}};
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
  if (usefulFlop() == 0)
    return "";
  if (Tasks < Threads)
    return fmt::format("{} thread{} but {} task{}: launch more heads or "
                       "sequences at once, or give --segments",
                       Threads, Threads == 1 ? "" : "s", Tasks,
                       Tasks == 1 ? "" : "s");
  if (waitsForMemory() && Shape.ElementBytes > 2)
    return "--dtype bf16 halves the bytes";
  if (Form.IsStep && Sizes.Batch == 1)
    return "a token alone moves the whole state: launch more sequences or "
           "tokens at once";
  return "";
}

std::string
RecurrenceExplanation::choiceText(const ScheduleChoice &Choice) const {
  const int64_t Tokens = Choice.Schedule.getQueryTile();
  return fmt::format("{:>5}  {:>4}  {:>14}", Tokens, Choice.Schedule.getRows(),
                     grouped(static_cast<int64_t>(flopPerToken(Tokens))));
}

void RecurrenceExplanation::addWork(ExplainLines &Out) const {
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
  if (Window > 0)
    Out.add("window", fmt::format("{} keys by a softmax, which the floor "
                                  "leaves out",
                                  grouped(Window)));
  const int64_t Tokens = Schedule.getQueryTile();
  if (Form.IsStep)
    Out.add("floor", fmt::format("{} FLOP per token and head",
                                 grouped(static_cast<int64_t>(Form.StepFlop))));
  else
    Out.add("floor",
            fmt::format(
                "{} FLOP per token and head: {} among the tokens of a chunk, "
                "{} with the state",
                grouped(static_cast<int64_t>(flopPerToken(Tokens))),
                grouped(static_cast<int64_t>(flopAmongTokens())),
                grouped(static_cast<int64_t>(flopPerToken(Tokens) -
                                             flopAmongTokens()))));
  Out.add("tasks", fmt::format("{} on {} thread{}", grouped(Tasks), Threads,
                               Threads == 1 ? "" : "s"));
  Out.add("work", fmt::format("{:.6g} FLOP", usefulFlop()));
}

std::string RecurrenceExplanation::measuredText() const {
  return fmt::format(", {:.1f} % of peak", 100 * measuredOfPeak());
}

void RecurrenceExplanation::writeChoice(llvm::json::OStream &Json,
                                        const ScheduleChoice &Choice) const {
  Json.attribute("flop_per_token",
                 flopPerToken(Choice.Schedule.getQueryTile()));
  Json.attribute("slots_per_token", Choice.SlotsPerPair);
}

void RecurrenceExplanation::writeWork(llvm::json::OStream &Json) const {
  Json.attribute("form", Form.IsStep ? "steps" : "chunks");
  Json.attribute("chunk", Schedule.getQueryTile());
  Json.attribute("chunks", Form.Chunks);
  Json.attribute("segments", Form.Segments);
  Json.attributeObject("state", [&] {
    Json.attribute("rows", Form.Rows);
    Json.attribute("columns", Form.Columns);
    Json.attribute("sums", Form.HasSums);
  });
  Json.attribute("flop_per_token", Form.IsStep
                                       ? Form.StepFlop
                                       : flopPerToken(Schedule.getQueryTile()));
  Json.attribute("flop", usefulFlop());
  Json.attribute("tasks", Tasks);
  Json.attribute("threads", Threads);
}

void RecurrenceExplanation::writeMeasured(llvm::json::OStream &Json) const {
  Json.attribute("of_peak", measuredOfPeak());
}
