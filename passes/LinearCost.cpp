// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearCost.h"

#include "passes/KernelSpec.h"

#include <algorithm>

using namespace heddle;
using namespace mlir;

double heddle::chunkFlop(attn::RecurrenceOp recurrence, attn::EntryAttr entry) {
  return chunkFlop(describeKernel(recurrence, entry.getQk(), entry.getV(),
                                  entry.getInputType()),
                   entry.getSchedule().getQueryTile());
}

int64_t heddle::stepTokens(attn::RecurrenceOp recurrence,
                           attn::EntryAttr entry) {
  // A chunk costs the same however many of its tokens exist, a step pays by the
  // token: for the state 2 operations per element to change it, 2 to read it,
  // 2 to ask it about a key, and 2 to take away where that is not where it
  // writes. Each of them moves an element of the state between cache and
  // registers, where the products of a chunk keep theirs in registers:
  // measured, some twice as slow.
  constexpr double slowness = 2;
  double perElement = recurrence.erasesFirst() ? 8
                      : recurrence.hasDelta()  ? 6
                                               : 4;
  double token = perElement * recurrence.numFeatures(entry.getQk()) *
                 static_cast<double>(entry.getV());
  auto tokens =
      static_cast<int64_t>(chunkFlop(recurrence, entry) / (slowness * token));
  return std::clamp<int64_t>(tokens, 1, entry.getSchedule().getQueryTile());
}

/// True if the map of rows of v or o treats every feature alike and alone.
static bool mapsFeaturesAlike(Region &region) {
  if (region.empty())
    return true;
  Block &block = region.front();
  return block.getArguments().back().use_empty() &&
         llvm::none_of(block, [](Operation &op) {
           return isa<attn::RowSumOp, attn::RowMaxOp, attn::ProjectOp>(op);
         });
}

int64_t heddle::sliceValues(attn::RecurrenceOp recurrence,
                            attn::EntryAttr entry) {
  if (!mapsFeaturesAlike(recurrence.getValue()) ||
      !mapsFeaturesAlike(recurrence.getOutput()))
    return 0;
  // Every slice maps the keys and scores the pairs of a chunk again, which in
  // one half of the usual width costs a quarter more, in one of 16 twice.
  for (int64_t values : {32, 16})
    if (entry.getV() > values && entry.getV() % values == 0)
      return values;
  return 0;
}
