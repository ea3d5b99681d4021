// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far a kernel's result is from the reference.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_COMPARE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_COMPARE_H

#include "dialect/attn/reference/Reference.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

namespace heddle::attn {

/// Largest error allowed, relative as described at `Comparison`.
struct Tolerance {
  double Relative = 2e-5;
};

/// One element of o (or of lse, where Column is -1).
struct ComparedElement {
  int64_t B = 0;
  int64_t H = 0;
  int64_t Row = 0;
  int64_t Column = -1;
  double Found = 0;
  double Expected = 0;
};

/// What a comparison found.
///
/// The error of an element of o is |found - expected| over the scale of its
/// row: the row's largest finite |expected|, but at least 1/64 of the largest
/// of its head, because a row whose summands cancel to less than that carries
/// the rounding of its summands. A head that is zero throughout has scale 1.
/// The error of an element of lse is |found - expected| / max(1, |expected|).
///
/// Elements that are not finite have no error; they must agree: where the
/// reference is not finite the result must not be finite (an overflow may
/// surface as infinity in one order of summation and as NaN in another), an
/// infinity must not be met by one of the other sign, and an lse of -infinity
/// (a row without keys) must be exactly that.
struct Comparison {
  double OutputError = 0;
  double LseError = 0;
  /// Where the largest errors are; absent when nothing was compared.
  std::optional<ComparedElement> WorstOutput;
  std::optional<ComparedElement> WorstLse;
  /// The first element that fails, whether by its error or by disagreeing
  /// about being finite, and how many do.
  std::optional<ComparedElement> FirstFailure;
  int64_t Failures = 0;

  bool passed() const { return Failures == 0; }
  double largestError() const { return std::max(OutputError, LseError); }
  /// One line when passed, a few otherwise, without a final newline.
  void print(llvm::raw_ostream &Os, const Tolerance &Allowed) const;
};

/// Compares f32 views of o (B, Hq, Sq, Dv) and, where `Lse` is given, of lse
/// (B, Hq, Sq, 1) with the reference. Fails when shapes differ.
llvm::Expected<Comparison> compare(const ReferenceResult &Expected,
                                   const heddle_view &O, const heddle_view *Lse,
                                   const Tolerance &Allowed = {});

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_COMPARE_H
