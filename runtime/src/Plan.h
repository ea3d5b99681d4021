// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_PLAN_H
#define HEDDLE_RUNTIME_SRC_PLAN_H

#include "Bundle.h"

#include <cstdint>
#include <vector>

namespace heddle::runtime {

/// One task: query tile `Tile` of head `Head` of sequence `Batch`.
struct Task {
  int64_t Batch, Head, Tile;
};

} // namespace heddle::runtime

/// The order of the tasks of one problem.
///
/// Tasks fall into *classes* that visit the same key tiles: the class is the
/// task without its batch where the pattern does not look at the batch (and all
/// origins are equal), and without its head where it does not look at the head.
/// Only the order of the classes is stored, so the memory is that of one head
/// of one sequence for most patterns. Every class stands for `Copies` tasks.
///
/// Classes of one cost form a *run*. Runs go longest first; inside a run tasks
/// that read the same keys are neighbours, so that they meet in the cache.
struct heddle_plan {
  const heddle_entry *Entry = nullptr;
  const heddle_code *Code = nullptr;
  int64_t Batch = 0, HeadsQ = 0, HeadsKv = 0, SeqQ = 0, SeqK = 0;
  std::vector<int64_t> Origin;
  std::vector<int64_t> Params;

  int64_t QueryTiles = 0, KeyTiles = 0;
  /// The batches and heads that classes distinguish.
  int64_t ClassBatches = 0, ClassHeads = 0;
  /// Class (b, h, tile) has the number (b * ClassHeads + h) * QueryTiles +
  /// tile.
  std::vector<uint32_t> Order;
  /// Positions in Order at which the cost changes, the first one (0) included.
  std::vector<uint32_t> Runs;

  int64_t numClasses() const { return static_cast<int64_t>(Order.size()); }
  int64_t copies() const;
  int64_t numTasks() const { return numClasses() * copies(); }
  /// The task at position `Position` of the order.
  heddle::runtime::Task task(int64_t Position) const;
  /// Task of a class with the smallest batch and head.
  heddle::runtime::Task representative(int64_t Class) const;
  /// Operands with sizes and scalars, but no tensors.
  heddle_args emptyArgs() const;
};

#endif // HEDDLE_RUNTIME_SRC_PLAN_H
