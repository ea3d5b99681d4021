// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a target's model of the machine expects of a kernel.
//
// Costs are in *slots*: the time in which one core finishes one multiply-add of
// two vectors when it does nothing else. A machine's measured peak turns slots
// into seconds, so that the model needs no clock rate.

#ifndef HEDDLE_CODEGEN_COST_H
#define HEDDLE_CODEGEN_COST_H

#include "dialect/attn/Attn.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace heddle {

/// What a machine is busy with.
enum class Work : unsigned {
  Products, ///< the multiply-adds of q.k and p.v
  Edges,    ///< entering and leaving register tiles
  Softmax,  ///< scores to weights
  Scores,   ///< the score region
  Masks,    ///< asking the pattern pair by pair, and masking
  Fetch,    ///< keys and values on their way from the outer caches
  Copies,   ///< keys and values gathered, widened or turned
  Queries,  ///< queries in, outputs out
  Factors,  ///< of a recurrence: factors of pairs, maps, expansions
};
inline constexpr size_t NumWork = 9;
/// In the order of the enumeration, for people and for programs.
llvm::StringRef workName(Work Of);
llvm::StringRef workKey(Work Of);

/// Slots by what they are spent on.
struct Cost {
  std::array<double, NumWork> Slots = {};

  double &operator[](Work Of) { return Slots[static_cast<size_t>(Of)]; }
  double operator[](Work Of) const { return Slots[static_cast<size_t>(Of)]; }
  double total() const;
  /// Adds `Other`, `Times` times.
  void add(const Cost &Other, double Times = 1);
};

/// What the parts of a kernel cost.
struct KernelCost {
  /// One step over a tile of keys: without a mask, with one, and with gathered
  /// keys (masked too).
  Cost Full, Partial, Gathered;
  /// What comes once per tile of queries.
  Cost Task;
};
// Of a linear attention `Full` is one chunk of one head, and `Task` what comes
// once per stretch of chunks.

/// A fact about the machine that a model goes by.
struct MachineFact {
  std::string Name, Value;
};

/// One schedule that a target has weighed.
struct ScheduleChoice {
  attn::ScheduleAttr Schedule;
  /// Slots per pair that the pattern keeps, in long sequences. Where the
  /// pattern has blocks of queries, a quarter of them are kept, and what tiles
  /// that straddle blocks compute in vain is included; where it has windows on
  /// a grid, what boxes compute beside them. Of linear attention: slots per
  /// token.
  double SlotsPerPair = 0;
  /// The part of these that are multiply-adds of kept pairs, or of chunks.
  double Efficiency = 0;
  bool IsChosen = false;
  /// Why it was chosen, or what is against it.
  std::string Reason;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_COST_H
