// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Checks.h"

#include <set>
#include <tuple>

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

/// Gives a view the length of one sequence.
static void setLength(heddle_view &View, int64_t Length) {
  View.shape[2] = Length;
  View.offsets = nullptr;
}

/// Asks the kernel about the sequences of one length and origin.
static heddle_error *checkSequence(const heddle_plan &Plan, int64_t Queries,
                                   int64_t Keys, int64_t Origin) {
  const heddle_entry &Entry = *Plan.Entry;
  KernelArgs Operands = Plan.emptyArgs();
  heddle_args &Args = Operands.Args;
  for (heddle_view *View : {&Args.q, &Args.o, &Args.lse, &Args.row_max})
    setLength(*View, Queries);
  heddle_source &Source = Operands.Sources.front();
  for (heddle_view *View : {&Source.k, &Source.v, &Source.column_sums})
    setLength(*View, Keys);
  for (heddle_source &Of : Operands.Sources)
    Of.block_max.offsets = nullptr;
  Args.origin = &Origin;
  int64_t Range[3] = {0, 0, 0};
  int64_t Failed = Plan.Code->check(&Args, Range);
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

heddle_error *runtime::runChecks(const heddle_plan &Plan) {
  if (Plan.Entry->num_checks == 0 || Plan.HeadsQ == 0)
    return nullptr;
  std::set<std::tuple<int64_t, int64_t, int64_t>> Seen;
  for (int64_t B = 0; B < Plan.Batch; ++B) {
    int64_t Queries = Plan.numQueries(B), Keys = Plan.numKeys(B);
    // A sequence without queries has no task that would read anything, but for
    // a state that its keys change.
    bool Idle = Queries == 0 && (Keys == 0 || !Plan.isLinear());
    if (Idle || !Seen.insert({Queries, Keys, Plan.Origin[B]}).second)
      continue;
    if (heddle_error *E = checkSequence(Plan, Queries, Keys, Plan.Origin[B]))
      return E;
  }
  return nullptr;
}
