// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random recurrences as text: every clause that may stand with the others, and
// maps of random operations.

#ifndef HEDDLE_TEST_FUZZ_RANDOMRECURRENCE_H
#define HEDDLE_TEST_FUZZ_RANDOMRECURRENCE_H

#include "test/exec/Values.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace heddle::fuzz {

/// A table of reals. An axis is 'b', 'h', 'i' (position), 'd' and 'v' (elements
/// of rows of q and k, and of v) or 'f' (mapped features).
struct RandomTable {
  std::string Name;
  std::string Axes;
  float Low, High;
  /// Some of the elements are -infinity and some 0.
  bool HasResets = false;
};

/// Extents of the axes of tables.
struct RandomExtents {
  int64_t Batch, Heads, Positions, HeadDim, ValueDim;
};

struct RandomRecurrence {
  std::string Text; ///< a module with one recurrence, @random
  std::vector<RandomTable> Tables;
  /// Of attn.features in query and key.
  int64_t NumFeatures = 1;
  /// Of `expand power`, 2 for `expand taylor`, otherwise 1.
  int64_t Power = 1;
  bool IsBidirectional = false;
  bool HasWindow = false; ///< its width is the last parameter
  bool CanScan = true;

  /// Values for all parameters.
  exec::ValueList values(std::mt19937_64 &Random,
                         const RandomExtents &Of) const;
};

/// Equal seeds give equal recurrences on every machine.
RandomRecurrence makeRandomRecurrence(uint64_t Seed);

} // namespace heddle::fuzz

#endif // HEDDLE_TEST_FUZZ_RANDOMRECURRENCE_H
