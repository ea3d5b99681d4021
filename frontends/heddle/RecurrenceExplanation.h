// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `heddle explain` says of a recurrence.

#ifndef HEDDLE_FRONTENDS_HEDDLE_RECURRENCEEXPLANATION_H
#define HEDDLE_FRONTENDS_HEDDLE_RECURRENCEEXPLANATION_H

#include "frontends/common/Report.h"
#include "frontends/heddle/KernelExplanation.h"

#include <string>
#include <vector>

namespace heddle::cli {

/// How the state goes on, and what rows of o are.
std::vector<std::string> equationsOf(attn::RecurrenceOp Of);

/// The kernel of a recurrence: its chunks, or steps.
class RecurrenceExplanation final : public KernelExplanation {
public:
  /// Length of the window, 0 for none.
  int64_t Window = 0;
  /// A chunk of one head, and what comes once per task.
  KernelCost Costs;
  frontend::RecurrenceReport Form;
  int64_t Tasks = 0;

private:
  Words words() const override;
  Cost busy() const override;
  double lastSlots() const override;
  double usefulFlop() const override;
  double executedFlop() const override { return usefulFlop(); }
  std::string bound() const override;
  std::string suggestion() const override;
  std::string choiceText(const ScheduleChoice &Choice) const override;
  void addWork(ExplainLines &Out) const override;
  std::string measuredText() const override;
  void writeChoice(llvm::json::OStream &Json,
                   const ScheduleChoice &Choice) const override;
  void writeWork(llvm::json::OStream &Json) const override;
  void writeMeasured(llvm::json::OStream &Json) const override;

  /// Operations of a token of one head in chunks of `Tokens`, and the part of
  /// these among the tokens of a chunk.
  double flopPerToken(int64_t Tokens) const;
  double flopAmongTokens() const;
};

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_RECURRENCEEXPLANATION_H
