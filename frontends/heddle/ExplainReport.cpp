// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Numbers.h"
#include "frontends/heddle/ExplainLines.h"
#include "frontends/heddle/Explanation.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace heddle;
using namespace heddle::cli;
using frontend::duration;
using frontend::grouped;

std::string cli::scheduleText(attn::ScheduleAttr S) {
  std::string Text =
      fmt::format("query_tile={}, key_tile={}, rows={}, lanes={}, unroll={}",
                  S.getQueryTile(), S.getKeyTile(), S.getRows(), S.getLanes(),
                  S.getUnroll());
  if (!S.getQueryBox().empty())
    Text += fmt::format(", query_box={}, key_box={}",
                        fmt::join(S.getQueryBox(), "x"),
                        fmt::join(S.getKeyBox(), "x"));
  return Text;
}

void ExplainLines::add(const char *Label, const std::string &Text) {
  Out += fmt::format("{:<11}{}\n", Label, Text);
}

std::string cli::machineText(const std::vector<MachineFact> &Machine) {
  std::string Facts;
  for (const MachineFact &Fact : Machine)
    Facts += fmt::format("{}{} {}", Facts.empty() ? "" : ", ", Fact.Name,
                         Fact.Value);
  return Facts;
}

static void addSchedules(const Explanation &E, ExplainLines &Out) {
  Out.add("machine", machineText(E.Machine));
  Out.add("schedule", fmt::format("{} ({})", scheduleText(E.Schedule),
                                  E.IsGiven ? "as asked for" : "chosen"));
  Out.add("choices", "queries  keys  rows  of peak");
  for (const ScheduleChoice &C : E.Choices)
    Out.more(fmt::format("{:>7}  {:>4}  {:>4}  {:>5.1f} %  {}{}",
                         C.Schedule.getQueryTile(), C.Schedule.getKeyTile(),
                         C.Schedule.getRows(), 100 * C.Efficiency,
                         C.IsChosen ? "chosen: " : "", C.Reason));
}

static void addTiles(const Explanation &E, ExplainLines &Out) {
  const TaskClass Total = E.Tiles.total();
  Out.add("tiles",
          fmt::format("{} full, {} partial, {} gathered, {} skipped, of {} "
                      "queries x {} keys",
                      grouped(Total.Full), grouped(Total.Partial),
                      grouped(Total.Gathered), grouped(E.Stats.tiles_empty),
                      E.Schedule.getQueryTile(), E.Schedule.getKeyTile()));
  Out.add("pairs",
          fmt::format("{} kept of {} executed: quantisation efficiency "
                      "{:.1f} %",
                      grouped(E.Stats.kept_pairs), grouped(E.executedPairs()),
                      100 * E.quantisation()));
  const int64_t Tasks = E.Tiles.tasks();
  Out.add("runs", fmt::format("{:.2f} stretches of live tiles per tile of "
                              "queries, {} at most",
                              Tasks > 0 ? static_cast<double>(Total.Runs) /
                                              static_cast<double>(Tasks)
                                        : 0.0,
                              E.Tiles.mostRuns()));
  const double All = E.Predicted.Busy.total();
  Out.add("tasks",
          fmt::format("{} on {} thread{}, the longest {:.2f} % of the work",
                      grouped(Tasks), E.Threads, E.Threads == 1 ? "" : "s",
                      All > 0 ? 100 * E.Predicted.Longest / All : 0.0));
  Out.add("work", fmt::format("{:.6g} useful FLOP, {:.6g} executed",
                              E.flop(static_cast<double>(E.Stats.kept_pairs)),
                              E.flop(static_cast<double>(E.executedPairs()))));
}

static void addTimes(const Explanation &E, ExplainLines &Out) {
  if (E.Peak > 0)
    Out.add("arithmetic",
            fmt::format("{} at least: executed FLOP at {:.2f} GFLOP/s, "
                        "measured",
                        duration(E.arithmeticSeconds()), E.Peak));
  if (E.Bandwidth > 0)
    Out.add("memory",
            fmt::format("{} at least: {} bytes of q, k, v and o at {:.2f} "
                        "GB/s, measured",
                        duration(E.memorySeconds()),
                        grouped(static_cast<int64_t>(E.Bytes)), E.Bandwidth));
  const double All = E.Predicted.Last * E.Threads;
  Out.add("predicted", fmt::format("{}{:.1f} % of peak useful",
                                   E.SecondsPerSlot > 0
                                       ? duration(E.predictedSeconds()) + ", "
                                       : "",
                                   100 * E.predictedOfPeak()));
  addShares(E.Predicted.Busy, All,
            E.Threads > 1 ? std::optional(E.Predicted.idle() * All)
                          : std::nullopt,
            Out);
  if (E.Unmeasured.empty())
    Out.add("measured",
            fmt::format("{}, median {} of {}: predicted / measured {:.2f}",
                        duration(E.FastestSeconds), duration(E.MeasuredSeconds),
                        E.Repeat, E.accuracy()));
  else
    Out.add("measured", E.Unmeasured);
  Out.add("bound", E.bound());
  if (std::string Idea = E.suggestion(); !Idea.empty())
    Out.add("suggestion", Idea);
}

void cli::addShares(const Cost &Busy, double All, std::optional<double> Idle,
                    ExplainLines &Out) {
  auto Share = [&](llvm::StringRef Name, double Slots) {
    Out.more(fmt::format("  {:<21}{:>5.1f} %", Name.str(),
                         All > 0 ? 100 * Slots / All : 0.0));
  };
  for (size_t I = 0; I < NumWork; ++I)
    if (Busy.Slots[I] > 0)
      Share(workName(static_cast<Work>(I)), Busy.Slots[I]);
  if (Idle)
    Share("idle threads", *Idle);
}

std::string Explanation::text() const {
  ExplainLines Out;
  Out.add("pattern", "@" + Pattern);
  for (size_t I = 0; I < Formulas.size(); ++I)
    Out.add(I == 0 ? "formula" : "", Formulas[I]);
  Out.add("kernel",
          fmt::format("{}, {}, d={}, dv={}", Level, Dtype, Shape.Qk, Shape.V));
  Out.add("problem",
          fmt::format("b={} hq={} hkv={} sq={} sk={}{}, origin {}", Sizes.Batch,
                      Sizes.HeadsQ, Sizes.HeadsKv, Sizes.SeqQ, Sizes.SeqK,
                      Sizes.isRagged() ? " in all, ragged" : "", Origin));
  addSchedules(*this, Out);
  addTiles(*this, Out);
  addTimes(*this, Out);
  return Out.Out;
}

void cli::writeSchedule(llvm::json::OStream &Json, attn::ScheduleAttr S) {
  Json.attribute("query_tile", S.getQueryTile());
  Json.attribute("key_tile", S.getKeyTile());
  Json.attribute("rows", S.getRows());
  Json.attribute("lanes", S.getLanes());
  Json.attribute("unroll", S.getUnroll());
  Json.attribute("query_box", llvm::json::Array(S.getQueryBox()));
  Json.attribute("key_box", llvm::json::Array(S.getKeyBox()));
}

static void writeTiles(llvm::json::OStream &Json, const Explanation &E) {
  const TaskClass Total = E.Tiles.total();
  Json.attributeObject("tiles", [&] {
    Json.attribute("full", Total.Full);
    Json.attribute("partial", Total.Partial);
    Json.attribute("gathered", Total.Gathered);
    Json.attribute("skipped", E.Stats.tiles_empty);
  });
  Json.attribute("kept_pairs", E.Stats.kept_pairs);
  Json.attribute("executed_pairs", E.executedPairs());
  Json.attribute("quantisation", E.quantisation());
  Json.attribute("runs", Total.Runs);
  Json.attribute("most_runs", E.Tiles.mostRuns());
  Json.attribute("tasks", E.Tiles.tasks());
  Json.attribute("threads", E.Threads);
}

static void writeTimes(llvm::json::OStream &Json, const Explanation &E) {
  const double All = E.Predicted.Last * E.Threads;
  Json.attributeObject("predicted", [&] {
    Json.attribute("slots", E.Predicted.Last);
    Json.attribute("longest_task_slots", E.Predicted.Longest);
    Json.attribute("of_peak_useful", E.predictedOfPeak());
    if (E.SecondsPerSlot > 0)
      Json.attribute("ms", E.predictedSeconds() * 1e3);
    Json.attributeObject("shares", [&] {
      for (size_t I = 0; I < NumWork; ++I)
        Json.attribute(workKey(static_cast<Work>(I)),
                       All > 0 ? E.Predicted.Busy.Slots[I] / All : 0.0);
      Json.attribute("idle", E.Predicted.idle());
    });
  });
  if (E.Unmeasured.empty())
    Json.attributeObject("measured", [&] {
      Json.attribute("ms", E.FastestSeconds * 1e3);
      Json.attribute("median_ms", E.MeasuredSeconds * 1e3);
      Json.attribute("predicted_over_measured", E.accuracy());
      Json.attribute("repeat", E.Repeat);
      Json.attribute("fma_peak_gflops", E.Peak);
      Json.attribute("read_bandwidth_gb", E.Bandwidth);
      Json.attribute("arithmetic_ms", E.arithmeticSeconds() * 1e3);
      Json.attribute("memory_ms", E.memorySeconds() * 1e3);
    });
  Json.attribute("bytes", E.Bytes);
  Json.attribute("bound", E.bound());
  Json.attribute("suggestion", E.suggestion());
}

std::string Explanation::json() const {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  llvm::json::OStream Json(Out, 2);
  Json.object([&] {
    Json.attribute("pattern", Pattern);
    Json.attribute("formulas", llvm::json::Array(Formulas));
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
          Json.attribute("slots_per_pair", C.SlotsPerPair);
          Json.attribute("of_peak", C.Efficiency);
          Json.attribute("chosen", C.IsChosen);
          Json.attribute("reason", C.Reason);
        });
    });
    writeTiles(Json, *this);
    writeTimes(Json, *this);
  });
  Out << "\n";
  return Text;
}
