// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far the result of a recurrence's kernel is from the reference.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_COMPARELINEAR_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_COMPARELINEAR_H

#include "dialect/attn/reference/Compare.h"
#include "dialect/attn/reference/Linear.h"

namespace heddle::attn {

/// The outputs of a kernel: views of o (B, Hq, Sq, Dv), and, where they are to
/// be compared, of the state (B, Hq, state rows, Dv) and the sums
/// (B, Hq, state rows, 1), both f32 and never ragged.
struct LinearViews {
  heddle_view O = {};
  /// Element type of o.
  heddle_dtype Type = HEDDLE_F32;
  const heddle_view *State = nullptr;
  const heddle_view *Sums = nullptr;
};

/// Compares outputs with the reference. The error of an element is |found -
/// expected| over the scale of its row in `Expected`: the largest sum over the
/// row's features of the sizes of all summands; for rows of states and sums no
/// less than 1/64 of the largest of the head, because a feature near a zero of
/// its map carries the rounding of the map. What `Comparison` says of
/// elements that are not finite, and of o in 16 bits, holds here too. Fails
/// when shapes differ, and when there are sums to compare and the recurrence
/// has none.
llvm::Expected<Comparison> compareLinear(const LinearResult &Expected,
                                         const LinearViews &Found,
                                         const Tolerance &Allowed = {});

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_COMPARELINEAR_H
