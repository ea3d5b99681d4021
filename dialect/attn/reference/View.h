// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of tensors as doubles.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_VIEW_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_VIEW_H

#include "heddle/abi.h"

#include <cstddef>
#include <vector>

namespace heddle::attn {

/// The length of sequence `B`.
inline int64_t countRows(const heddle_view &View, int64_t B) {
  return View.offsets ? View.offsets[B + 1] - View.offsets[B] : View.shape[2];
}

/// Where row I of head H of sequence B starts, in elements.
inline int64_t rowOffset(const heddle_view &View, int64_t B, int64_t H,
                         int64_t I) {
  return H * View.stride[1] + (View.offsets
                                   ? (View.offsets[B] + I) * View.stride[2]
                                   : B * View.stride[0] + I * View.stride[2]);
}

/// Element number `Offset` of an f32, f16 or bf16 tensor, exactly.
double widen(const void *Data, heddle_dtype Type, int64_t Offset);

/// Writes one row of a view to `Out`, widened.
void widenRow(const heddle_view &View, heddle_dtype Type, int64_t B, int64_t H,
              int64_t I, double *Out);
/// All rows of one head of a sequence, gapless.
std::vector<double> widenHead(const heddle_view &View, heddle_dtype Type,
                              int64_t B, int64_t H);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_VIEW_H
