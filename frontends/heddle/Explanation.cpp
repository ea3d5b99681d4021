// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Explanation.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::cli;

/// From here on a part of the time is worth a word.
static constexpr double Notable = 0.1;

int64_t Explanation::executedPairs() const {
  return Schedule.getQueryTile() * Schedule.getKeyTile() *
         Tiles.total().tiles();
}

double Explanation::quantisation() const {
  const int64_t Executed = executedPairs();
  return Executed > 0 ? static_cast<double>(Stats.kept_pairs) /
                            static_cast<double>(Executed)
                      : 0;
}

double Explanation::flop(double Pairs) const {
  return 2 * Pairs * static_cast<double>(Shape.Qk + Shape.V);
}

double Explanation::arithmeticSeconds() const {
  return Peak > 0 ? flop(static_cast<double>(executedPairs())) / Peak * 1e-9
                  : 0;
}

double Explanation::memorySeconds() const {
  return Bandwidth > 0 ? Bytes / Bandwidth * 1e-9 : 0;
}

double Explanation::predictedSeconds() const {
  return std::max(Predicted.Last * SecondsPerSlot, memorySeconds());
}

double Explanation::predictedOfPeak() const {
  const double Capacity = Predicted.Last * Threads * FlopPerSlot;
  return Capacity > 0 ? flop(static_cast<double>(Stats.kept_pairs)) / Capacity
                      : 0;
}

double Explanation::accuracy() const {
  return FastestSeconds > 0 ? predictedSeconds() / FastestSeconds : 0;
}

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

std::string Explanation::bound() const {
  if (Tiles.total().tiles() == 0)
    return "nothing: no tile is visited";
  if (memorySeconds() > Predicted.Last * SecondsPerSlot)
    return "memory: reading q, k and v and writing o takes longer than "
           "computing";
  const double All = Predicted.Last * Threads;
  const double Idle = Predicted.idle();
  size_t First = 0;
  for (size_t I = 1; I < NumWork; ++I)
    if (Predicted.Busy.Slots[I] > Predicted.Busy.Slots[First])
      First = I;
  if (Idle * All > Predicted.Busy.Slots[First])
    return Tiles.tasks() < Threads
               ? fmt::format("too few tasks: {} for {} threads", Tiles.tasks(),
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

std::string Explanation::suggestion() const {
  const TaskClass Total = Tiles.total();
  if (Total.tiles() == 0)
    return "";
  const int64_t Tile = Schedule.getQueryTile();
  if (Tiles.tasks() < Threads)
    return fmt::format("{} threads need as many tasks, of {} queries of one "
                       "head each: launch more heads or sequences at once",
                       Threads, Tile);
  if (Shape.Axes == 0 && Shape.QueryBlock > 0 && Shape.QueryBlock % Tile != 0 &&
      Tile % Shape.QueryBlock != 0)
    return fmt::format("blocks of {} queries do not divide into tiles of {}: "
                       "blocks of a multiple of {} would",
                       Shape.QueryBlock, Tile, Tile);
  const auto Share = [&](Work Of) {
    return Predicted.Busy[Of] / (Predicted.Last * Threads);
  };
  if (memorySeconds() > Predicted.Last * SecondsPerSlot &&
      Shape.ElementBytes > 2)
    return "--dtype bf16 halves the bytes";
  if (quantisation() < 0.5 && Total.Partial > Total.Full)
    return fmt::format("{:.0f} % of what tiles of {} x {} compute is masked: "
                       "a pattern in blocks of {} queries and {} keys would "
                       "compute nothing in vain",
                       100 * (1 - quantisation()), Tile, Schedule.getKeyTile(),
                       Tile, Schedule.getKeyTile());
  if (Predicted.idle() > Notable)
    return fmt::format("{} tasks do not divide evenly among {} threads: "
                       "launch more heads or sequences at once",
                       Tiles.tasks(), Threads);
  if (Share(Work::Queries) > 2 * Notable)
    return "rows keep few keys: reading queries and writing outputs costs as "
           "much for one key as for many";
  return "";
}
