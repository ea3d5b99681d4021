// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/KernelExplanation.h"

#include "frontends/common/Numbers.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::cli;
using frontend::duration;
using frontend::grouped;

const char *cli::boundOf(Work Of) {
  switch (Of) {
  case Work::Products:
    return "multiply-add issue";
  case Work::Edges:
    return "register tiles: filling, draining and loading them";
  case Work::Softmax:
    return "softmax";
  case Work::Scores:
    return "the score region";
  case Work::Masks:
    return "masks";
  case Work::Fetch:
    return "loads of keys and values from the outer caches";
  case Work::Copies:
    return "copies of keys and values";
  case Work::Queries:
    return "reading queries and writing outputs";
  case Work::Factors:
    return "factors of pairs, maps and expansions";
  }
  return "";
}

//===----------------------------------------------------------------------===//
// Predicted and measured times
//===----------------------------------------------------------------------===//

double KernelExplanation::idle() const {
  return allSlots() > 0 ? 1 - busy().total() / allSlots() : 0;
}

double KernelExplanation::arithmeticSeconds() const {
  return Peak > 0 ? executedFlop() / Peak * 1e-9 : 0;
}

double KernelExplanation::memorySeconds() const {
  return Bandwidth > 0 ? Bytes / Bandwidth * 1e-9 : 0;
}

double KernelExplanation::predictedSeconds() const {
  return std::max(lastSlots() * SecondsPerSlot, memorySeconds());
}

bool KernelExplanation::waitsForMemory() const {
  return memorySeconds() > lastSlots() * SecondsPerSlot;
}

double KernelExplanation::predictedOfPeak() const {
  const double Capacity = allSlots() * FlopPerSlot;
  return Capacity > 0 ? usefulFlop() / Capacity : 0;
}

double KernelExplanation::measuredOfPeak() const {
  return FastestSeconds > 0 ? arithmeticSeconds() / FastestSeconds : 0;
}

double KernelExplanation::accuracy() const {
  return FastestSeconds > 0 ? predictedSeconds() / FastestSeconds : 0;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static std::string scheduleText(attn::ScheduleAttr S) {
  std::string Text =
      fmt::format("query_tile={}, key_tile={}, rows={}, lanes={}, unroll={}",
                  S.getQueryTile(), S.getKeyTile(), S.getRows(), S.getLanes(),
                  S.getUnroll());
  if (S.getHeads() > 1)
    Text += fmt::format(", heads={}", S.getHeads());
  if (!S.getQueryBox().empty())
    Text += fmt::format(", query_box={}, key_box={}",
                        fmt::join(S.getQueryBox(), "x"),
                        fmt::join(S.getKeyBox(), "x"));
  return Text;
}

void ExplainLines::add(const char *Label, const std::string &Text) {
  Out += fmt::format("{:<11}{}\n", Label, Text);
}

static std::string machineText(const std::vector<MachineFact> &Machine) {
  std::string Facts;
  for (const MachineFact &Fact : Machine)
    Facts += fmt::format("{}{} {}", Facts.empty() ? "" : ", ", Fact.Name,
                         Fact.Value);
  return Facts;
}

void KernelExplanation::addChoices(ExplainLines &Out) const {
  Out.add("machine", machineText(Machine));
  Out.add("schedule", fmt::format("{} ({})", scheduleText(Schedule),
                                  IsGiven ? "as asked for" : "chosen"));
  Out.add("choices", words().Choices);
  for (const ScheduleChoice &C : Choices)
    Out.more(fmt::format("{}  {:>5.1f} %  {}{}", choiceText(C),
                         100 * C.Efficiency, C.IsChosen ? "chosen: " : "",
                         C.Reason));
}

/// What part of the slots each kind of work takes, and idle threads where there
/// are several.
void KernelExplanation::addShares(ExplainLines &Out) const {
  auto Share = [&](llvm::StringRef Of, double Part) {
    Out.more(fmt::format("  {:<21}{:>5.1f} %", Of.str(), 100 * Part));
  };
  const Cost Busy = busy();
  for (size_t I = 0; I < NumWork; ++I)
    if (Busy.Slots[I] > 0)
      Share(workName(static_cast<Work>(I)),
            allSlots() > 0 ? Busy.Slots[I] / allSlots() : 0.0);
  if (Threads > 1)
    Share("idle threads", idle());
}

void KernelExplanation::addTimes(ExplainLines &Out) const {
  if (Peak > 0)
    Out.add("arithmetic",
            fmt::format("{} at least: {} at {:.2f} GFLOP/s, measured",
                        duration(arithmeticSeconds()), words().Floor, Peak));
  if (Bandwidth > 0)
    Out.add("memory",
            fmt::format("{} at least: {} bytes of q, k, v and o at {:.2f} "
                        "GB/s, measured",
                        duration(memorySeconds()),
                        grouped(static_cast<int64_t>(Bytes)), Bandwidth));
  Out.add(
      "predicted",
      fmt::format("{}{:.1f} {}",
                  SecondsPerSlot > 0 ? duration(predictedSeconds()) + ", " : "",
                  100 * predictedOfPeak(), words().OfPeak));
  addShares(Out);
  if (Unmeasured.empty())
    Out.add("measured",
            fmt::format("{}{}, median {} of {}: predicted / measured {:.2f}",
                        duration(FastestSeconds), measuredText(),
                        duration(MeasuredSeconds), Repeat, accuracy()));
  else
    Out.add("measured", Unmeasured);
  Out.add("bound", bound());
  if (std::string Idea = suggestion(); !Idea.empty())
    Out.add("suggestion", Idea);
}

std::string KernelExplanation::text() const {
  ExplainLines Out;
  Out.add(words().Kind, "@" + Name);
  for (size_t I = 0; I < Formulas.size(); ++I)
    Out.add(I == 0 ? "formula" : "", Formulas[I]);
  Out.add("kernel",
          fmt::format("{}, {}, d={}, dv={}", Level, Dtype, Shape.Qk, Shape.V));
  Out.add("problem",
          fmt::format("b={} hq={} hkv={} sq={} sk={}{}, origin {}", Sizes.Batch,
                      Sizes.HeadsQ, Sizes.HeadsKv, Sizes.SeqQ, Sizes.SeqK,
                      Sizes.isRagged() ? " in all, ragged" : "", Origin));
  addChoices(Out);
  addWork(Out);
  addTimes(Out);
  return Out.Out;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static void writeSchedule(llvm::json::OStream &Json, attn::ScheduleAttr S) {
  Json.attribute("query_tile", S.getQueryTile());
  Json.attribute("key_tile", S.getKeyTile());
  Json.attribute("rows", S.getRows());
  Json.attribute("lanes", S.getLanes());
  Json.attribute("unroll", S.getUnroll());
  Json.attribute("query_box", llvm::json::Array(S.getQueryBox()));
  Json.attribute("key_box", llvm::json::Array(S.getKeyBox()));
  Json.attribute("heads", S.getHeads());
}

void KernelExplanation::writeProblem(llvm::json::OStream &Json) const {
  Json.attribute(words().Kind, Name);
  Json.attribute(words().FormulasKey, llvm::json::Array(Formulas));
  Json.attribute("level", Level);
  Json.attribute("dtype", Dtype);
  Json.attributeObject("shape", [&] {
    Json.attribute("b", Sizes.Batch);
    Json.attribute("hq", Sizes.HeadsQ);
    Json.attribute("hkv", Sizes.HeadsKv);
    Json.attribute("sq", Sizes.SeqQ);
    Json.attribute("sk", Sizes.SeqK);
    Json.attribute("d", Shape.Qk);
    Json.attribute("dv", Shape.V);
  });
  Json.attributeObject("machine", [&] {
    for (const MachineFact &Fact : Machine)
      Json.attribute(Fact.Name, Fact.Value);
  });
  Json.attributeObject("schedule", [&] {
    writeSchedule(Json, Schedule);
    Json.attribute("given", IsGiven);
  });
  Json.attributeArray("choices", [&] {
    for (const ScheduleChoice &C : Choices)
      Json.object([&] {
        writeSchedule(Json, C.Schedule);
        writeChoice(Json, C);
        Json.attribute("of_peak", C.Efficiency);
        Json.attribute("chosen", C.IsChosen);
        Json.attribute("reason", C.Reason);
      });
  });
}

void KernelExplanation::writeTimes(llvm::json::OStream &Json) const {
  Json.attributeObject("predicted", [&] {
    Json.attribute("slots", lastSlots());
    writePredicted(Json);
    Json.attribute(words().OfPeakKey, predictedOfPeak());
    if (SecondsPerSlot > 0)
      Json.attribute("ms", predictedSeconds() * 1e3);
    Json.attributeObject("shares", [&] {
      const Cost Busy = busy();
      for (size_t I = 0; I < NumWork; ++I)
        Json.attribute(workKey(static_cast<Work>(I)),
                       allSlots() > 0 ? Busy.Slots[I] / allSlots() : 0.0);
      Json.attribute("idle", idle());
    });
  });
  if (Unmeasured.empty())
    Json.attributeObject("measured", [&] {
      Json.attribute("ms", FastestSeconds * 1e3);
      Json.attribute("median_ms", MeasuredSeconds * 1e3);
      writeMeasured(Json);
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
}

std::string KernelExplanation::json() const {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  llvm::json::OStream Json(Out, 2);
  Json.object([&] {
    writeProblem(Json);
    writeWork(Json);
    writeTimes(Json);
  });
  Out << "\n";
  return Text;
}
