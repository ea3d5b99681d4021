// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/PatternExplanation.h"

#include "frontends/common/Numbers.h"

#include "llvm/Support/JSON.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::cli;
using frontend::grouped;

/// From here on a part of the time is worth a word.
static constexpr double Notable = 0.1;

int64_t PatternExplanation::executedPairs() const {
  return Schedule.getQueryTile() * Schedule.getKeyTile() *
         Tiles.total().tiles();
}

double PatternExplanation::quantisation() const {
  const int64_t Executed = executedPairs();
  return Executed > 0 ? static_cast<double>(Stats.kept_pairs) /
                            static_cast<double>(Executed)
                      : 0;
}

double PatternExplanation::flop(int64_t Pairs) const {
  return 2 * static_cast<double>(Pairs) *
         static_cast<double>(Shape.Qk + Shape.V);
}

double PatternExplanation::usefulFlop() const { return flop(Stats.kept_pairs); }

double PatternExplanation::executedFlop() const {
  return flop(executedPairs());
}

KernelExplanation::Words PatternExplanation::words() const {
  return {"pattern",       "formulas",         "queries  keys  rows  of peak",
          "executed FLOP", "% of peak useful", "of_peak_useful"};
}

std::string PatternExplanation::bound() const {
  if (Tiles.total().tiles() == 0)
    return "nothing: no tile is visited";
  if (waitsForMemory())
    return "memory: reading q, k and v and writing o takes longer than "
           "computing";
  const double All = allSlots();
  const double Idle = idle();
  size_t First = 0;
  for (size_t I = 1; I < NumWork; ++I)
    if (Predicted.Busy.Slots[I] > Predicted.Busy.Slots[First])
      First = I;
  if (Idle * All > Predicted.Busy.Slots[First])
    return Tiles.parts() < Threads
               ? fmt::format("too few tasks: {} for {} threads", Tiles.parts(),
                             Threads)
               : "imbalance: the longest tasks keep one thread busy while "
                 "others have nothing to do";
  std::string Text =
      fmt::format("{} ({:.0f} %)", boundOf(static_cast<Work>(First)),
                  100 * Predicted.Busy.Slots[First] / All);
  // The largest other part.
  double Second = Idle;
  std::string Name = "idle threads";
  for (size_t I = 0; I < NumWork; ++I)
    if (I != First && Predicted.Busy.Slots[I] / All > Second) {
      Second = Predicted.Busy.Slots[I] / All;
      Name = boundOf(static_cast<Work>(I));
    }
  if (Second >= Notable / 2)
    Text += fmt::format(", then {} ({:.0f} %)", Name, 100 * Second);
  return Text;
}

std::string PatternExplanation::suggestion() const {
  const TaskClass Total = Tiles.total();
  if (Total.tiles() == 0)
    return "";
  const int64_t Tile = Schedule.getQueryTile();
  if (Tiles.parts() < Threads)
    return fmt::format("{} threads need as many tasks, of {} queries of one "
                       "head each: launch more heads or sequences at once",
                       Threads, Tile);
  if (Shape.Axes == 0 && Shape.QueryBlock > 0 && Shape.QueryBlock % Tile != 0 &&
      Tile % Shape.QueryBlock != 0)
    return fmt::format("blocks of {} queries do not divide into tiles of {}: "
                       "blocks of a multiple of {} would",
                       Shape.QueryBlock, Tile, Tile);
  const auto Share = [&](Work Of) { return Predicted.Busy[Of] / allSlots(); };
  if (waitsForMemory() && Shape.ElementBytes > 2)
    return "--dtype bf16 halves the bytes";
  if (quantisation() < 0.5 && Total.Partial > Total.Full)
    return fmt::format("{:.0f} % of what tiles of {} x {} compute is masked: "
                       "a pattern in blocks of {} queries and {} keys would "
                       "compute nothing in vain",
                       100 * (1 - quantisation()), Tile, Schedule.getKeyTile(),
                       Tile, Schedule.getKeyTile());
  if (idle() > Notable)
    return fmt::format("{} tasks do not divide evenly among {} threads: "
                       "launch more heads or sequences at once",
                       Tiles.parts(), Threads);
  if (Share(Work::Queries) > 2 * Notable)
    return "rows keep few keys: reading queries and writing outputs costs as "
           "much for one key as for many";
  return "";
}

std::string PatternExplanation::choiceText(const ScheduleChoice &Choice) const {
  return fmt::format("{:>7}  {:>4}  {:>4}", Choice.Schedule.getQueryTile(),
                     Choice.Schedule.getKeyTile(), Choice.Schedule.getRows());
}

void PatternExplanation::addWork(ExplainLines &Out) const {
  const TaskClass Total = Tiles.total();
  Out.add("tiles",
          fmt::format("{} full, {} partial, {} gathered, {} skipped, of {} "
                      "queries x {} keys",
                      grouped(Total.Full), grouped(Total.Partial),
                      grouped(Total.Gathered), grouped(Stats.tiles_empty),
                      Schedule.getQueryTile(), Schedule.getKeyTile()));
  Out.add("pairs",
          fmt::format("{} kept of {} executed: quantisation efficiency "
                      "{:.1f} %",
                      grouped(Stats.kept_pairs), grouped(executedPairs()),
                      100 * quantisation()));
  const int64_t Tasks = Tiles.tasks();
  Out.add("runs", fmt::format("{:.2f} stretches of live tiles per tile of "
                              "queries, {} at most",
                              Tasks > 0 ? static_cast<double>(Total.Runs) /
                                              static_cast<double>(Tasks)
                                        : 0.0,
                              Tiles.mostRuns()));
  const double All = Predicted.Busy.total();
  Out.add("tasks",
          fmt::format("{}{} on {} thread{}, the longest {:.2f} % of the work",
                      grouped(Tiles.parts()),
                      Tiles.Heads > 1
                          ? fmt::format(" of {} heads each", Tiles.Heads)
                          : "",
                      Threads, Threads == 1 ? "" : "s",
                      All > 0 ? 100 * Predicted.Longest / All : 0.0));
  Out.add("work", fmt::format("{:.6g} useful FLOP, {:.6g} executed",
                              usefulFlop(), executedFlop()));
}

void PatternExplanation::writeChoice(llvm::json::OStream &Json,
                                     const ScheduleChoice &Choice) const {
  Json.attribute("slots_per_pair", Choice.SlotsPerPair);
}

void PatternExplanation::writeWork(llvm::json::OStream &Json) const {
  const TaskClass Total = Tiles.total();
  Json.attributeObject("tiles", [&] {
    Json.attribute("full", Total.Full);
    Json.attribute("partial", Total.Partial);
    Json.attribute("gathered", Total.Gathered);
    Json.attribute("skipped", Stats.tiles_empty);
  });
  Json.attribute("kept_pairs", Stats.kept_pairs);
  Json.attribute("executed_pairs", executedPairs());
  Json.attribute("quantisation", quantisation());
  Json.attribute("runs", Total.Runs);
  Json.attribute("most_runs", Tiles.mostRuns());
  Json.attribute("tasks", Tiles.parts());
  Json.attribute("threads", Threads);
}

void PatternExplanation::writePredicted(llvm::json::OStream &Json) const {
  Json.attribute("longest_task_slots", Predicted.Longest);
}
