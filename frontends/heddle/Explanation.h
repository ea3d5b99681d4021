// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `heddle explain` says.

#ifndef HEDDLE_FRONTENDS_HEDDLE_EXPLANATION_H
#define HEDDLE_FRONTENDS_HEDDLE_EXPLANATION_H

#include "codegen/Target.h"
#include "frontends/common/Shape.h"
#include "frontends/heddle/Tally.h"

#include <optional>
#include <string>
#include <vector>

namespace heddle::cli {

/// What a part of the work is bound by.
const char *boundOf(Work Of);

/// What a machine does, found by asking it.
struct Measurements {
  /// GFLOP/s of all threads, bytes per second in units of 10^9, and the seconds
  /// of a launch (the median, the fastest) and of a slot; 0 where nothing was
  /// measured.
  double Peak = 0, Bandwidth = 0;
  double MeasuredSeconds = 0, FastestSeconds = 0, SecondsPerSlot = 0;
  /// Of the level.
  double FlopPerSlot = 1;
  int64_t Repeat = 0;
  /// Why nothing was measured; empty where something was.
  std::string Unmeasured;
};

/// A kernel, what its target expects of it, and what it does.
struct Explanation : Measurements {
  std::string Pattern, Level, Dtype;
  /// One per source.
  std::vector<std::string> Formulas;
  frontend::Problem Sizes;
  int64_t Origin = 0;
  KernelShape Shape;

  attn::ScheduleAttr Schedule;
  /// The user asked for it.
  bool IsGiven = false;
  std::vector<ScheduleChoice> Choices;
  std::vector<MachineFact> Machine;

  Tally Tiles;
  heddle_stats Stats = {};
  /// Threads at work.
  int32_t Threads = 1;
  Prediction Predicted;
  /// Bytes of q, k, v and o.
  double Bytes = 0;

  int64_t executedPairs() const;
  /// Kept pairs over executed ones; 0 where there are none.
  double quantisation() const;
  double flop(double Pairs) const;
  /// Seconds; 0 without measurements.
  double arithmeticSeconds() const;
  double memorySeconds() const;
  double predictedSeconds() const;
  /// The fraction of the peak that useful multiply-adds are predicted to reach.
  double predictedOfPeak() const;
  /// Predicted over measured time, of the fastest launch: a model knows of no
  /// neighbours on the machine.
  double accuracy() const;
  /// What most of the predicted time goes to, in words.
  std::string bound() const;
  /// What the user could do; may be empty.
  std::string suggestion() const;

  std::string text() const;
  std::string json() const;
};

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_EXPLANATION_H
