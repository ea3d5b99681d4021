// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_HEDDLE_TALLY_H
#define HEDDLE_FRONTENDS_HEDDLE_TALLY_H

#include "codegen/Cost.h"
#include "heddle/heddle.h"
#include "passes/KernelSpec.h"

#include <cstdint>
#include <vector>

namespace heddle::cli {

/// Tasks that visit the same tiles of keys.
struct TaskClass {
  int64_t Full = 0, Partial = 0;
  /// Tiles of gathered columns.
  int64_t Gathered = 0;
  /// Stretches of neighbouring tiles that are visited.
  int64_t Runs = 0;
  /// How many such tasks of one head there are, and in how many parts threads
  /// take them: fewer where a part has several heads.
  int64_t Copies = 0, Parts = 0;

  int64_t tiles() const { return Full + Partial + Gathered; }
};

/// The tiles of a plan, task by task, in the order in which tasks start.
struct Tally {
  std::vector<TaskClass> Classes;
  /// Query heads that a thread takes at once.
  int64_t Heads = 1;

  /// Of one head, and what threads take at once.
  int64_t tasks() const;
  int64_t parts() const;
  /// The sum over all tasks.
  TaskClass total() const;
  int64_t mostRuns() const;
};

/// Counts as the kernel does, and asks the pattern about its stretches; for so
/// many threads.
Tally countTiles(const heddle_plan &Plan, const KernelSpec &Spec,
                 int32_t Threads);

/// What a kernel does with these tiles on some threads.
struct Prediction {
  /// Over all threads.
  Cost Busy;
  /// Slots until the last thread is done, and of the longest part.
  double Last = 0, Longest = 0;
  int32_t Threads = 1;

  /// The part of the threads' time in which there is nothing to do.
  double idle() const;
};

/// Hands the tasks to threads as the runtime does: each takes the next one as
/// soon as it is free.
Prediction predict(const Tally &Tiles, const KernelCost &Costs,
                   int32_t Threads);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_TALLY_H
