// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the functions of a linear kernel cost, for reports and for the choice
// between them.

#ifndef HEDDLE_PASSES_LINEARCOST_H
#define HEDDLE_PASSES_LINEARCOST_H

#include "dialect/attn/Attn.h"

namespace heddle {

/// Floating-point operations of a "task" on one chunk of one head, with the
/// tile of the entry's schedule for a chunk: the products of rows that all
/// kernels of a recurrence have in common, not maps, factors or a window.
double chunkFlop(attn::RecurrenceOp recurrence, attn::EntryAttr entry);

/// The most tokens for which "step" is likely to be faster than "task"; at
/// least one, at most a chunk.
int64_t stepTokens(attn::RecurrenceOp recurrence, attn::EntryAttr entry);
/// How many features of v, o and the state "slice" computes at a time, a part
/// of them all; 0 where features are not computed one by one.
int64_t sliceValues(attn::RecurrenceOp recurrence, attn::EntryAttr entry);

} // namespace heddle

#endif // HEDDLE_PASSES_LINEARCOST_H
