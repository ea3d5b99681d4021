// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/RowIndex.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

std::vector<int64_t> RowIndex::blockOffsets() const {
  std::vector<int64_t> Offsets;
  for (auto [First, Last] : Ranges)
    for (int64_t Key = First; Key < Last; Key += IndexBlock)
      Offsets.push_back(Key);
  return Offsets;
}

RowIndex importers::buildRowIndex(const std::vector<int32_t> &Columns,
                                  const std::vector<int32_t> &Diagonals,
                                  int64_t Block) {
  const int64_t End = (Block + 1) * IndexBlock;
  RowIndex Index;
  // Spans ascend while diagonals descend.
  auto Farthest = std::lower_bound(Diagonals.begin(), Diagonals.end(), End);
  for (auto It = Farthest; It != Diagonals.begin();) {
    const int64_t SpanEnd = std::max(End - *--It, IndexBlock);
    if (Index.Ranges.empty() ||
        SpanEnd > Index.Ranges.back().second + IndexBlock)
      Index.Ranges.emplace_back(SpanEnd - IndexBlock, SpanEnd);
    else if (SpanEnd > Index.Ranges.back().second)
      Index.Ranges.back().second += IndexBlock;
  }
  auto Range = Index.Ranges.begin();
  for (int64_t Column : Columns) {
    if (Column >= End)
      break;
    while (Range != Index.Ranges.end() && Range->second <= Column)
      ++Range;
    if (Range == Index.Ranges.end() || Column < Range->first)
      Index.Columns.push_back(Column);
  }
  return Index;
}
