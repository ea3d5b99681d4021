// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `heddle explain` says of a recurrence.

#ifndef HEDDLE_FRONTENDS_HEDDLE_RECURRENCEEXPLANATION_H
#define HEDDLE_FRONTENDS_HEDDLE_RECURRENCEEXPLANATION_H

#include "codegen/Target.h"
#include "frontends/common/Report.h"
#include "frontends/heddle/Explanation.h"

#include <string>
#include <vector>

namespace heddle::cli {

/// How the state goes on, and what rows of o are.
std::vector<std::string> equationsOf(attn::RecurrenceOp Of);

/// The kernel of a recurrence, what its target expects of it, and what it does.
struct RecurrenceExplanation : Measurements {
  std::string Name, Level, Dtype;
  /// See `equationsOf`.
  std::vector<std::string> Equations;
  frontend::Problem Sizes;
  int64_t Origin = 0;
  KernelShape Shape;
  /// Length of the window, 0 for none.
  int64_t Window = 0;

  attn::ScheduleAttr Schedule;
  /// The user asked for it.
  bool IsGiven = false;
  std::vector<ScheduleChoice> Choices;
  std::vector<MachineFact> Machine;
  /// A chunk of one head, and what comes once per task.
  KernelCost Costs;

  frontend::RecurrenceReport Form;
  int64_t Tasks = 0;
  int32_t Threads = 1;
  /// Bytes of q, k, v and o.
  double Bytes = 0;

  /// Operations of the whole problem, of a token of one head in chunks of
  /// `Tokens`, and the part of these among the tokens of a chunk.
  double flop() const;
  double flopPerToken(int64_t Tokens) const;
  double flopAmongTokens() const;
  /// What all threads are busy with, in slots.
  Cost busy() const;
  /// Slots until the last thread is done.
  double lastSlots() const;
  /// Seconds; 0 without measurements.
  double arithmeticSeconds() const;
  double memorySeconds() const;
  double predictedSeconds() const;
  double predictedOfPeak() const;
  double measuredOfPeak() const;
  double accuracy() const;
  std::string bound() const;
  std::string suggestion() const;

  std::string text() const;
  std::string json() const;
};

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_RECURRENCEEXPLANATION_H
