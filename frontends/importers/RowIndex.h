// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MInference's vertical-slash index, per block of 64 query rows (Jiang et al.,
// "MInference 1.0", 2024, and its public index builder). For the rows
// [end - 64, end):
//
// - a diagonal s < end becomes the span of 64 keys that ends at max(end - s,
//   64): all keys that its 64 pairs meet, shifted where it would begin before
//   key 0;
// - spans are taken in ascending order; one that overlaps or touches the range
//   before it does not begin a range of its own but extends that one, where it
//   ends later, by 64 keys, which may be more than it needs;
// - a column is listed where no range holds it.
//
// The public builder walks both lists once and needs the diagonal 0 to do so;
// without it, it lists columns after the rows and misses columns after the last
// range. Here every column below `end` is listed or held, whatever the lists.

#ifndef HEDDLE_FRONTENDS_IMPORTERS_ROWINDEX_H
#define HEDDLE_FRONTENDS_IMPORTERS_ROWINDEX_H

#include <cstdint>
#include <utility>
#include <vector>

namespace heddle::importers {

/// Rows of a block, and keys of a span.
inline constexpr int64_t IndexBlock = 64;

struct RowIndex {
  /// Disjoint ranges of keys [first, second) in ascending order, each a
  /// multiple of 64 long. The last may reach past the rows.
  std::vector<std::pair<int64_t, int64_t>> Ranges;
  /// Columns below the end of the rows outside of all ranges, ascending.
  std::vector<int64_t> Columns;

  /// First keys of the 64-key blocks that make up the ranges.
  std::vector<int64_t> blockOffsets() const;
};

/// The index of rows [64 * `Block`, 64 * `Block` + 64), for columns and
/// diagonals in ascending order without duplicates, none negative.
RowIndex buildRowIndex(const std::vector<int32_t> &Columns,
                       const std::vector<int32_t> &Diagonals, int64_t Block);

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_ROWINDEX_H
