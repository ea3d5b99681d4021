// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_PLAN_H
#define HEDDLE_RUNTIME_SRC_PLAN_H

#include "Bundle.h"
#include "LinearPlan.h"
#include "Operand.h"
#include "Packing.h"

#include <cstdint>
#include <vector>

namespace heddle::runtime {

/// One task: query tile `Tile` of head `Head` of sequence `Batch`.
struct Task {
  int64_t Batch, Head, Tile;
};

/// The operands of a launch and the list that they point to.
struct KernelArgs {
  heddle_args Args = {};
  std::vector<heddle_source> Sources;

  KernelArgs() = default;
  KernelArgs(KernelArgs &&) = default;
  KernelArgs(const KernelArgs &) = delete;
  KernelArgs &operator=(const KernelArgs &) = delete;
};

} // namespace heddle::runtime

/// The operands and the order of the tasks of one problem.
///
/// Tasks fall into *classes* that visit the same key tiles: the class is the
/// task without its batch where the pattern does not look at the batch (and all
/// sequences have the same length and origin), and without its head where it
/// does not look at the head. Only the order of the classes is stored, so the
/// memory is that of one head of one sequence for most patterns. Every class
/// stands for the same number of tasks.
///
/// Classes of one cost form a *run*. Runs go longest first; inside a run tasks
/// that read the same keys are neighbours, so that they meet in the cache.
struct heddle_plan {
  const heddle_entry *Entry = nullptr;
  const heddle_code *Code = nullptr;
  int64_t Batch = 0, HeadsQ = 0, HeadsKv = 0, SeqQ = 0, SeqK = 0;
  std::vector<int64_t> Origin;
  /// Of the device, for which rows are split; 0 for code of the processor.
  int64_t Multiprocessors = 0;
  /// Of ragged batches: where sequences begin; else empty. Block offsets are
  /// those of the rows of block_max.
  std::vector<int64_t> OffsetsQ, OffsetsK, OffsetsBlock;
  /// Keys of the further sources.
  std::vector<int64_t> MoreSeqK;
  heddle::runtime::OperandStore Operands;

  /// Rows of block_max, for all sequences of a ragged batch, and its columns
  /// for every source.
  int64_t BlockRows = 0;
  std::vector<int64_t> BlockColumns;
  /// Key tiles of all sources, summed up over all tasks of one head.
  int64_t TilesPerHead = 0;
  /// The batches and heads that classes distinguish.
  int64_t ClassBatches = 0, ClassHeads = 0;
  /// Query tiles of the sequences before each of the class batches, and of all
  /// of them at the end.
  std::vector<int64_t> TileStarts;
  /// Class (b, h, tile) has the number TileStarts[b] * ClassHeads + h * (tiles
  /// of b) + tile.
  std::vector<uint32_t> Order;
  /// Positions in Order at which the cost changes, the first one (0) included.
  std::vector<uint32_t> Runs;
  /// Tasks of packed code, which take the place of all the above.
  heddle::runtime::Packing Packed;
  /// Tasks of a linear kernel, which has no classes.
  heddle::runtime::LinearPlan Linear;

  bool isLinear() const { return Entry->form == HEDDLE_LINEAR; }
  bool isRagged() const { return !OffsetsQ.empty(); }
  /// The length of a sequence.
  int64_t numQueries(int64_t B) const {
    return isRagged() ? OffsetsQ[B + 1] - OffsetsQ[B] : SeqQ;
  }
  int64_t numKeys(int64_t B, size_t Source = 0) const {
    if (Source > 0)
      return MoreSeqK[Source - 1];
    return isRagged() ? OffsetsK[B + 1] - OffsetsK[B] : SeqK;
  }
  /// Tiles of a sequence: stretches, or boxes of the token grid.
  int64_t numQueryTiles(int64_t B) const;
  int64_t numKeyTiles(int64_t B, size_t Source) const;

  int64_t numClasses() const { return static_cast<int64_t>(Order.size()); }
  int64_t copies() const;
  int64_t numTasks() const {
    if (isLinear())
      return static_cast<int64_t>(Linear.Stretches.size()) * HeadsQ;
    return Packed ? static_cast<int64_t>(Packed.Tasks.size())
                  : numClasses() * copies();
  }
  /// The task at position `Position` of the order, where every task takes
  /// `Heads` heads of a group, or what the group has left: the first of them.
  heddle::runtime::Task task(int64_t Position, int64_t Heads = 1) const;
  /// The number of such tasks, of code without packed code.
  int64_t numTasksOf(int64_t Heads) const;
  /// How many heads the tasks of a launch take: as many as the code can, but no
  /// more than keep that many threads busy. Results do not depend on it.
  int64_t headsPerTask(int64_t Threads) const;
  /// Tasks of `Heads` heads that a group is divided into.
  int64_t tasksOfGroup(int64_t Heads) const;
  /// Task of a class with the smallest batch and head.
  heddle::runtime::Task representative(int64_t Class) const;
  /// Operands with sizes and scalars, but no tensors.
  heddle::runtime::KernelArgs emptyArgs() const;
};

#endif // HEDDLE_RUNTIME_SRC_PLAN_H
