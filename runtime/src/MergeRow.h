// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic of merging partial results, one row at a time.

#ifndef HEDDLE_RUNTIME_SRC_MERGEROW_H
#define HEDDLE_RUNTIME_SRC_MERGEROW_H

#include <cstddef>
#include <cstdint>

namespace heddle::runtime {

/// A row of a partial result.
struct PartialRow {
  const void *Values;
  int32_t Dtype;
  /// The log-sum-exp of the row; `mergeByLse` makes it the share of the part.
  double Weight;
};

/// The sum of exp(lse_p - L) times row p, `Width` values of dtype `Dtype`, to
/// `Out`; returns L, the log of the sum of exp(lse_p). Without a part that has
/// a key (lse_p > -infinity) zeros and -infinity. Terms are added in the order
/// of the parts. `Sum` is room for `Width` values, overwritten.
float mergeByLse(PartialRow *Parts, size_t Count, int64_t Width, float *Sum,
                 void *Out, int32_t Dtype);

/// The sum of the rows: what merges the parts of a normaliser whose weights are
/// no shares of a sum.
void mergeBySum(const PartialRow *Parts, size_t Count, int64_t Width,
                float *Sum, void *Out, int32_t Dtype);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_MERGEROW_H
