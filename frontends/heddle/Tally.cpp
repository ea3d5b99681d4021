// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Tally.h"

#include "dialect/attn/HostSets.h"
#include "passes/KeyLoop.h"
#include "runtime/src/Plan.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <functional>
#include <queue>

using namespace heddle;
using namespace heddle::cli;

namespace {

/// Walks over the contiguous tiles of one source as the kernel does.
class Walk {
public:
  Walk(const heddle_plan &Plan, const KernelSpec &Spec, unsigned Number);

  void add(const runtime::Task &Task, TaskClass &Out) const;

private:
  using Extents = llvm::SmallVector<int64_t, 3>;
  void addAxis(const attn::HostPattern &Of, const runtime::Task &Task,
               llvm::ArrayRef<int64_t> First, Extents &Key,
               TaskClass &Out) const;
  int64_t numKeys(const runtime::Task &Task) const {
    return Number == 0 ? Plan.numKeys(Task.Batch) : Plan.MoreSeqK[Number - 1];
  }

  const heddle_plan &Plan;
  unsigned Number;
  attn::FormulaAttr Formula;
  attn::Grid Grid;
  llvm::SmallVector<heddle_operand> Operands;
  Extents QueryBox, KeyBox;
};

} // namespace

Walk::Walk(const heddle_plan &Plan, const KernelSpec &Spec, unsigned Number)
    : Plan(Plan), Number(Number) {
  const KernelSource &Source = Spec.sources[Number];
  attn::PatternOp Pattern = Source.pattern;
  Formula = Source.formula;
  if (Spec.hasGrid())
    Grid = attn::gridOf(Pattern);
  // The columns of a list are gathered apart from the other tiles.
  else if (Spec.normalizer().getKind() != attn::NormalizerKind::Grouped)
    if (std::optional<Columns> Listed =
            findColumns(Formula, Spec.entry.getSchedule().getQueryTile()))
      Formula = Listed->rest;
  for (unsigned Param : Source.params)
    Operands.push_back(Plan.Operands.operands()[Param]);
  const heddle_code &Code = *Plan.Code;
  if (!Spec.hasGrid()) {
    QueryBox = {Code.query_tile};
    KeyBox = {Code.key_tile};
    return;
  }
  for (int64_t Axis = 0; Axis < Plan.Entry->grid_axes; ++Axis) {
    QueryBox.push_back(Code.query_box[Axis]);
    KeyBox.push_back(Code.key_box[Axis]);
  }
}

void Walk::addAxis(const attn::HostPattern &Of, const runtime::Task &Task,
                   llvm::ArrayRef<int64_t> First, Extents &Key,
                   TaskClass &Out) const {
  const size_t Axis = Key.size();
  const Extents Ends = Of.keyExtents();
  Key.push_back(0);
  if (Axis + 1 < KeyBox.size()) {
    for (; Key[Axis] < Ends[Axis]; Key[Axis] += KeyBox[Axis])
      addAxis(Of, Task, First, Key, Out);
    Key.pop_back();
    return;
  }
  bool WasLive = false;
  while (Key[Axis] < Ends[Axis]) {
    const attn::HostPattern::Answer Answer =
        Of.at(Task.Batch, Task.Head, First, QueryBox, Key, KeyBox);
    const int64_t End = std::min(Answer.until, Ends[Axis]);
    const int64_t Tiles = (End - Key[Axis] + KeyBox[Axis] - 1) / KeyBox[Axis];
    const bool IsLive = Answer.status != attn::TileStatus::Empty;
    (Answer.status == attn::TileStatus::Full ? Out.Full : Out.Partial) +=
        IsLive ? Tiles : 0;
    Out.Runs += IsLive && !WasLive;
    WasLive = IsLive;
    Key[Axis] = Answer.until;
  }
  Key.pop_back();
}

void Walk::add(const runtime::Task &Task, TaskClass &Out) const {
  const attn::HostPattern Of(Formula, Grid, numKeys(Task), Operands);
  Extents First, Key;
  if (Grid.query.empty()) {
    First = {Plan.Origin[Task.Batch] + Task.Tile * QueryBox[0]};
  } else {
    // Boxes are numbered row by row.
    const Extents Tokens = Of.queryExtents();
    int64_t Rest = Task.Tile;
    First.resize(QueryBox.size());
    for (size_t Axis = QueryBox.size(); Axis-- > 0;) {
      const int64_t Boxes =
          (Tokens[Axis] + QueryBox[Axis] - 1) / QueryBox[Axis];
      First[Axis] = Rest % Boxes * QueryBox[Axis];
      Rest /= Boxes;
    }
  }
  addAxis(Of, Task, First, Key, Out);
}

Tally cli::countTiles(const heddle_plan &Plan, const KernelSpec &Spec,
                      int32_t Threads) {
  std::vector<Walk> Walks;
  for (unsigned I = 0; I < Spec.sources.size(); ++I)
    Walks.emplace_back(Plan, Spec, I);
  runtime::KernelArgs Args = Plan.emptyArgs();
  Tally Result;
  Result.Heads = Plan.headsPerTask(Threads);
  for (uint32_t Number : Plan.Order) {
    const runtime::Task Task = Plan.representative(Number);
    TaskClass &Class = Result.Classes.emplace_back();
    for (const Walk &W : Walks)
      W.add(Task, Class);
    int64_t Counts[3] = {0, 0, 0};
    Plan.Code->count(&Args.Args, Task.Batch, Task.Head, Task.Tile, /*exact=*/0,
                     Counts);
    // What the kernel visits beyond the contiguous tiles is gathered.
    Class.Gathered = std::max<int64_t>(0, Counts[0] + Counts[1] - Class.Full -
                                              Class.Partial);
    Class.Copies = Plan.copies();
    Class.Parts = Plan.numTasksOf(Result.Heads) / Plan.numClasses();
  }
  return Result;
}

int64_t Tally::tasks() const {
  int64_t Sum = 0;
  for (const TaskClass &C : Classes)
    Sum += C.Copies;
  return Sum;
}

int64_t Tally::parts() const {
  int64_t Sum = 0;
  for (const TaskClass &C : Classes)
    Sum += C.Parts;
  return Sum;
}

TaskClass Tally::total() const {
  TaskClass Sum;
  for (const TaskClass &C : Classes) {
    Sum.Full += C.Full * C.Copies;
    Sum.Partial += C.Partial * C.Copies;
    Sum.Gathered += C.Gathered * C.Copies;
    Sum.Runs += C.Runs * C.Copies;
    Sum.Copies += C.Copies;
  }
  return Sum;
}

int64_t Tally::mostRuns() const {
  int64_t Most = 0;
  for (const TaskClass &C : Classes)
    Most = std::max(Most, C.Runs);
  return Most;
}

double Prediction::idle() const {
  return Last > 0 ? 1 - Busy.total() / (Last * Threads) : 0;
}

Prediction cli::predict(const Tally &Tiles, const KernelCost &Costs,
                        int32_t Threads) {
  Prediction Result;
  Result.Threads = Threads;
  // When each thread is free.
  std::priority_queue<double, std::vector<double>, std::greater<>> Free;
  for (int32_t I = 0; I < Threads; ++I)
    Free.push(0);
  for (const TaskClass &Class : Tiles.Classes) {
    Cost One = Costs.Task;
    One.add(Costs.Full, static_cast<double>(Class.Full));
    One.add(Costs.Partial, static_cast<double>(Class.Partial));
    One.add(Costs.Gathered, static_cast<double>(Class.Gathered));
    Result.Busy.add(One, static_cast<double>(Class.Copies));
    const double Slots = One.total() * static_cast<double>(Class.Copies) /
                         static_cast<double>(Class.Parts);
    Result.Longest = std::max(Result.Longest, Slots);
    for (int64_t I = 0; I < Class.Parts; ++I) {
      const double Start = Free.top();
      Free.pop();
      Free.push(Start + Slots);
    }
  }
  for (; !Free.empty(); Free.pop())
    Result.Last = Free.top();
  return Result;
}
