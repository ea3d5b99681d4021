// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the explanations of patterns and recurrences are written with.

#ifndef HEDDLE_FRONTENDS_HEDDLE_EXPLAINLINES_H
#define HEDDLE_FRONTENDS_HEDDLE_EXPLAINLINES_H

#include "codegen/Cost.h"

#include <optional>
#include <string>
#include <vector>

namespace llvm::json {
class OStream;
} // namespace llvm::json

namespace heddle::cli {

/// Lines of a label and a text.
class ExplainLines {
public:
  void add(const char *Label, const std::string &Text);
  /// Below the last one.
  void more(const std::string &Text) { add("", Text); }
  std::string Out;
};

/// What part of `All` slots each kind of work takes, and idle threads where
/// there are several.
void addShares(const Cost &Busy, double All, std::optional<double> Idle,
               ExplainLines &Out);
std::string scheduleText(attn::ScheduleAttr S);
std::string machineText(const std::vector<MachineFact> &Machine);
/// The attributes of a schedule.
void writeSchedule(llvm::json::OStream &Json, attn::ScheduleAttr S);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_EXPLAINLINES_H
