// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Checks.h"

using namespace heddle;
using namespace heddle::runtime;

/// A read beyond a table, or a question to a row that a set does not have.
static heddle_error *outsideRead(const heddle_plan &Plan,
                                 const heddle_check &Check,
                                 const int64_t (&Range)[3]) {
  const heddle_param &Param = Plan.Entry->params[Check.param];
  bool Set = Param.kind == HEDDLE_SET;
  int64_t Extent = Range[2];
  std::string Has = Extent == RepeatedExtent ? "one element for 0 and above"
                    : Set ? fmt::format("{} sets", Extent)
                          : fmt::format("{} elements", Extent);
  std::string Hint = Range[0] < 0
                         ? "keep the index from going below 0"
                         : fmt::format("give {} for each index, or one for all",
                                       Set ? "a set" : "an element");
  return makeError(HEDDLE_INVALID_ARGUMENT,
                   "{} '{}' is read at indices {} to {} along axis {}, which "
                   "has {}; {}",
                   Set ? "set" : "table", Param.name, Range[0], Range[1],
                   Check.axis, Has, Hint);
}

heddle_error *runtime::runChecks(const heddle_plan &Plan) {
  const heddle_entry &Entry = *Plan.Entry;
  if (Entry.num_checks == 0)
    return nullptr;
  KernelArgs Args = Plan.emptyArgs();
  int64_t Range[3] = {0, 0, 0};
  int64_t Failed = Plan.Code->check(&Args.Args, Range);
  if (Failed == 0)
    return nullptr;
  if (Failed < 0 || Failed > Entry.num_checks)
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "kernel '{}' reports check {}, expected at most {}; "
                     "compile it again",
                     Entry.name, Failed, Entry.num_checks);
  const heddle_check &Check = Entry.checks[Failed - 1];
  if (Check.message)
    return makeError(HEDDLE_INVALID_ARGUMENT, "{}", Check.message);
  return outsideRead(Plan, Check, Range);
}
