// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far a kernel's result is from the reference.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_COMPARE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_COMPARE_H

#include "dialect/attn/reference/Reference.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <optional>

namespace heddle::attn {

/// The outputs of a kernel: views of o (B, Hq, Sq, Dv), and of those of the
/// others that are to be compared, f32: lse and row_max (B, Hq, Sq, 1),
/// column_sums (B, Hq, Sk, 1), block_max (B, Hq, block rows, block columns).
/// Those of a ragged batch are ragged as the reference's are, block_max apart;
/// their offsets are the reference's.
struct ResultViews {
  heddle_view O = {};
  /// Element type of o.
  heddle_dtype Type = HEDDLE_F32;
  const heddle_view *Lse = nullptr;
  const heddle_view *RowMax = nullptr;
  /// By source; null or absent where there is nothing to compare.
  std::vector<const heddle_view *> ColumnSums;
  std::vector<const heddle_view *> BlockMax;
};

/// Which output.
enum class ComparedOutput : uint8_t {
  O,
  Lse,
  RowMax,
  ColumnSums,
  BlockMax,
  State, ///< Of a recurrence, see CompareLinear.h, like the next one.
  Sums,
};
constexpr size_t NumComparedOutputs = 7;
/// "o", "lse", "row_max", …
llvm::StringRef nameOf(ComparedOutput Output);

/// Largest error allowed, relative as described at `Comparison`.
struct Tolerance {
  double Relative = 2e-5;
  /// Of o, where it is more: of code that rounds weights before it multiplies
  /// them with v.
  double Rounded = 0;

  double of(ComparedOutput Output) const {
    return Output == ComparedOutput::O ? std::max(Relative, Rounded) : Relative;
  }
};

/// One element of an output; `Source` says whose keys. `Row` is a row of q, of
/// column_sums a key, of block_max a row of blocks, of the state and the sums a
/// feature of keys. `Column` is a feature of o or of the state or a column of
/// blocks, -1 for the others.
struct ComparedElement {
  ComparedOutput Output = ComparedOutput::O;
  int64_t B = 0;
  int64_t H = 0;
  int64_t Row = 0;
  int64_t Column = -1;
  double Found = 0;
  double Expected = 0;
  size_t Source = 0;
};

/// What a comparison found.
///
/// The error of an element of o is |found - expected| over the scale of its
/// row: the row's largest finite |expected|, but at least 1/64 of the largest
/// of its head, because a row whose summands cancel to less than that carries
/// the rounding of its summands. Few features may all cancel by chance: rows of
/// less than 16 have at least `RowResult::Spread` as their scale. A head that
/// is zero throughout has scale 1. Where o is stored in 16 bits, an error of
/// half a unit in the last place of the element is not counted. The error of an
/// element of the others is |found
/// - expected| / max(1, |expected|).
///
/// Elements that are not finite have no error; they must agree: where the
/// reference is not finite the result must not be finite (an overflow may
/// surface as infinity in one order of summation and as NaN in another), an
/// infinity must not be met by one of the other sign, and an lse or a row
/// maximum of -infinity (a row without keys) must be exactly that. In 16 bits
/// infinity is right where the expected value rounds to it.
struct Comparison {
  /// Largest errors and where they are (absent when nothing was compared), by
  /// `ComparedOutput`.
  double Errors[NumComparedOutputs] = {};
  std::optional<ComparedElement> Worst[NumComparedOutputs];
  /// The first element that fails, whether by its error or by disagreeing
  /// about being finite, and how many do.
  std::optional<ComparedElement> FirstFailure;
  int64_t Failures = 0;
  /// Of a recurrence, which has no lse.
  bool IsLinear = false;

  bool passed() const { return Failures == 0; }
  double error(ComparedOutput Output) const {
    return Errors[static_cast<size_t>(Output)];
  }
  const std::optional<ComparedElement> &worst(ComparedOutput Output) const {
    return Worst[static_cast<size_t>(Output)];
  }
  double largestError() const;
  /// One line when passed, a few otherwise, without a final newline.
  void print(llvm::raw_ostream &Os, const Tolerance &Allowed) const;
};

/// Compares outputs with the reference. Fails when shapes differ, and when an
/// output is to be compared that the reference was not asked for.
llvm::Expected<Comparison> compare(const ReferenceResult &Expected,
                                   const ResultViews &Found,
                                   const Tolerance &Allowed = {});

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_COMPARE_H
