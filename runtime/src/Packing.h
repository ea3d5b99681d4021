// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short queries: which rows and keys the tasks of packed code have (see
// heddle_code in heddle/abi.h).

#ifndef HEDDLE_RUNTIME_SRC_PACKING_H
#define HEDDLE_RUNTIME_SRC_PACKING_H

#include "heddle/abi.h"

#include <vector>

struct heddle_plan;

namespace heddle::runtime {

/// The operands that packed code takes behind those of the kernel, in order.
enum HiddenOperand {
  RowHead,
  RowPosition,
  KeyBegin,
  KeyEnd,
  NumHiddenOperands
};

/// Rows of one tile: query heads that share a key head, at one query.
struct PackedBlock {
  int64_t Batch, Head /* that of row 0 */, NumHeads, Query;
  /// Parts that its keys are split into, at least one. Where there are several,
  /// each has room for partial results, numbered from FirstRoom.
  int64_t NumParts, FirstRoom;
};

/// One part of the keys of a block.
struct PackedTask {
  int64_t Block, Part, KeyBegin, KeyEnd;
};

/// The tasks of a plan, empty where it runs ordinary code. Depends on the
/// problem only, not on threads, and so do the results: parts are merged in the
/// order of their keys.
struct Packing {
  const heddle_code *Code = nullptr;
  std::vector<PackedBlock> Blocks;
  std::vector<PackedTask> Tasks; ///< Longest first.
  int64_t NumRooms = 0, MostParts = 0;
  /// An origin for every sequence.
  std::vector<int64_t> Origins;

  explicit operator bool() const { return Code != nullptr; }
  int64_t bytes() const;
};

/// The arguments of one packed task at a time, made from those of a launch or
/// count. One per thread.
class PackedArgs {
public:
  PackedArgs(const heddle_plan &Plan, const Packing &Of,
             const heddle_args &Launch);
  PackedArgs(const PackedArgs &) = delete;
  PackedArgs &operator=(const PackedArgs &) = delete;

  /// Those of a task. The outputs are the rows of the block in the launch's
  /// own tensors, as if o were f32; `aim` puts others in their place.
  const heddle_args &select(const PackedBlock &Block, int64_t KeyBegin,
                            int64_t KeyEnd);
  /// Lets the outputs be rows of `Width` values, lse and row maxima in turn:
  /// partialFloats() of them.
  void aim(float *Partial);

  /// How many floats the partial result of a block takes: whole cache lines,
  /// so that no two threads write to one at once.
  static int64_t partialFloats(const heddle_plan &Plan, const Packing &Of);

private:
  const heddle_plan &Plan;
  const heddle_args &Launch;
  heddle_args Args;
  heddle_source Source;
  std::vector<heddle_operand> Operands;
};

/// Row `Row` of head `Head` of sequence `Batch` in a view of this dtype; null
/// where it has no data.
void *rowOf(const heddle_view &View, int32_t Dtype, int64_t Batch, int64_t Head,
            int64_t Row);

/// What tasks visit, in key tiles.
struct Visits {
  double All = 0;
  int64_t Longest = 0; ///< The most of one task.
};

/// The tasks of a plan under the packed code of its level, if there is such
/// code and it has less to do than ordinary code, whose tasks visit `Ordinary`:
/// fewer rows (key tiles times rows of a query tile) on the processor, and on a
/// device less on the multiprocessor that has most. Empty otherwise. Throws
/// std::bad_alloc.
Packing packHeads(const heddle_plan &Plan, const Visits &Ordinary);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_PACKING_H
