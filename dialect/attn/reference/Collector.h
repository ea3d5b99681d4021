// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of an output, compared one after the other.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_COLLECTOR_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_COLLECTOR_H

#include "dialect/attn/reference/Compare.h"

namespace heddle::attn {

/// What is compared is scaled by no less than this share of the largest of its
/// head (see `Comparison` and `compareLinear`).
constexpr double ScaleFloor = 1.0 / 64;

/// Takes the elements one after the other.
class Collector {
public:
  /// `Type` is that of o; the others are f32.
  Collector(Comparison &Out, const Tolerance &Allowed, heddle_dtype Type)
      : Out(Out), Allowed(Allowed), Type(Type) {}

  void add(const ComparedElement &Element, double Scale);

private:
  bool agreeNonFinite(const ComparedElement &Element) const;
  void fail(const ComparedElement &Element);

  Comparison &Out;
  Tolerance Allowed;
  heddle_dtype Type;
};

/// Fails when a view has another shape or no data; `Name` is the output's.
llvm::Error checkOutput(llvm::StringRef Name, const heddle_view &View,
                        llvm::ArrayRef<int64_t> Shape);

/// Element (b, h, row, column) of a view whose sequences begin at `Offsets`;
/// no offsets for an output that is not ragged.
double readOutput(const heddle_view &View, heddle_dtype Type,
                  const std::vector<int64_t> &Offsets, int64_t B, int64_t H,
                  int64_t I, int64_t T);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_COLLECTOR_H
