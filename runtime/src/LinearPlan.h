// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tasks of a linear kernel: which stretches of which sequences.

#ifndef HEDDLE_RUNTIME_SRC_LINEARPLAN_H
#define HEDDLE_RUNTIME_SRC_LINEARPLAN_H

#include "heddle/heddle.h"

#include <vector>

struct heddle_plan;

namespace heddle::runtime {

/// Rows [First, First + Count) of a sequence.
struct RowRange {
  int64_t First, Count;
};

/// What one task computes for one head: segment `Segment` of a sequence, or all
/// of it.
struct Stretch {
  int64_t Batch;
  RowRange Queries, Keys;
  int64_t Segment;
  /// The number in `LinearPlan::Cuts`, or -1 for a whole sequence.
  int64_t Cut;
};

/// A sequence in several segments. Every head of it has `numRooms` rooms for
/// states: number s is the state before segment s, the last one that after all.
struct CutSequence {
  int64_t Batch, NumSegments;
  /// Of head 0; those of head h follow h * numRooms() further on.
  int64_t FirstRoom;

  int64_t numRooms() const { return NumSegments + 1; }
};

/// Depends on the problem only, not on the threads of a launch, and so do the
/// results.
struct LinearPlan {
  std::vector<Stretch> Stretches; ///< Longest first.
  std::vector<CutSequence> Cuts;
  /// Of all heads of all cut sequences.
  int64_t NumRooms = 0;

  int64_t bytes() const;
};

/// Checks the lengths of the sequences of a problem for a linear kernel; sizes
/// and parameters have been found in range.
heddle_error *checkLinear(const heddle_plan &Plan,
                          const heddle_problem &Problem);

/// Cuts sequences into at most `Segments` segments of whole chunks, or when
/// that is 0 into as few as keep so many threads busy, a fair number when that
/// is 0. Throws std::bad_alloc.
LinearPlan planLinear(const heddle_plan &Plan, int64_t Segments,
                      int64_t Threads);

/// Floats of the room of one state: rows of d_v, then the sums, then the
/// factors, in whole cache lines.
int64_t roomFloats(const heddle_entry &Entry);

/// Chunks and pairs (see heddle_stats).
heddle_stats countLinear(const heddle_plan &Plan);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_LINEARPLAN_H
