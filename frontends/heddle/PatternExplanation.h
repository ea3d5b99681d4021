// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `heddle explain` says of a pattern.

#ifndef HEDDLE_FRONTENDS_HEDDLE_PATTERNEXPLANATION_H
#define HEDDLE_FRONTENDS_HEDDLE_PATTERNEXPLANATION_H

#include "frontends/heddle/KernelExplanation.h"
#include "frontends/heddle/Tally.h"

namespace heddle::cli {

/// The kernel of a pattern: what tiles it visits, and what for.
class PatternExplanation final : public KernelExplanation {
public:
  Tally Tiles;
  heddle_stats Stats = {};
  Prediction Predicted;

private:
  Words words() const override;
  Cost busy() const override { return Predicted.Busy; }
  double lastSlots() const override { return Predicted.Last; }
  double usefulFlop() const override;
  double executedFlop() const override;
  std::string bound() const override;
  std::string suggestion() const override;
  std::string choiceText(const ScheduleChoice &Choice) const override;
  void addWork(ExplainLines &Out) const override;
  void writeChoice(llvm::json::OStream &Json,
                   const ScheduleChoice &Choice) const override;
  void writeWork(llvm::json::OStream &Json) const override;
  void writePredicted(llvm::json::OStream &Json) const override;

  int64_t executedPairs() const;
  /// Kept pairs over executed ones; 0 where there are none.
  double quantisation() const;
  double flop(int64_t Pairs) const;
};

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_PATTERNEXPLANATION_H
