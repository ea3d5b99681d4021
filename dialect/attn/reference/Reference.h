// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention by its definition, in double precision: the answer that kernels
// are compared with.
//
//   FailureOr<Variant> Meaning = Variant::compile(Op);  // pattern or combine
//   AttentionProblem Problem;
//   Problem.Q = …; Problem.K = …; Problem.V = …;        // heddle_view
//   Problem.More = {{K1, V1}};                          // of an attn.combine
//   Problem.Type = HEDDLE_BF16;                         // f32 when not given
//   Problem.Params = {64, Operand::reals({8}, Slopes)}; // or OperandList::read
//   if (Error E = checkRequirements(*Meaning, Problem)) // attn.require
//     …
//   Expected<ReferenceResult> Want = computeReference(*Meaning, Problem, {…});
//   Expected<RowTrace> Row = traceRow(*Meaning, Problem, {B, H, I});
//   Expected<Comparison> Found = compare(*Want, {O, HEDDLE_BF16, &Lse});
//
// `Predicate` alone (`Variant::predicate`) tells which pairs are kept.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_REFERENCE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_REFERENCE_H

#include "dialect/attn/reference/Problem.h"

namespace heddle::attn {

/// What to compute beside o, lse and the row maxima.
struct ReferenceOptions {
  /// 0 means one per core. The result does not depend on it.
  unsigned Threads = 0;
  bool ColumnSums = false;
  /// Rows and keys of a block; 0 where block maxima are not wanted.
  int64_t BlockQ = 0;
  int64_t BlockK = 0;
};

/// What the keys of a source get from the rows, in the orders of
/// `ReferenceResult`.
struct KeyResult {
  /// Of a sequence, or of all together where their lengths differ.
  int64_t Keys = 0;
  /// Where sequences begin; empty when they have one length.
  std::vector<int64_t> Offsets;
  std::vector<double> ColumnSums; ///< (Batch, Heads, Keys)
  /// (Batch, Heads, BlockRows, BlockColumns), as many blocks as the longest
  /// sequence has.
  std::vector<double> BlockMax;
  int64_t BlockColumns = 0;
};

/// Outputs in row-major order. In a ragged batch the rows of all sequences lie
/// one after the other, and there is one batch in the orders below.
struct ReferenceResult {
  int64_t Batch = 0;
  int64_t Heads = 0;
  /// Queries of a sequence, or of all together in a ragged batch.
  int64_t Rows = 0;
  int64_t Width = 0;
  /// Where sequences begin; empty when they have one length.
  std::vector<int64_t> RowOffsets;

  std::vector<double> O;      ///< (Batch, Heads, Rows, Width)
  std::vector<double> Lse;    ///< (Batch, Heads, Rows); 0 without log-sum-exp
  std::vector<double> RowMax; ///< (Batch, Heads, Rows)
  std::vector<double> Spread; ///< The same, see `RowResult`; perhaps empty.
  std::vector<KeyResult> Sources;
  int64_t BlockRows = 0;
  /// Kept (query, key) pairs over all batches, query heads and sources.
  int64_t KeptPairs = 0;

  /// The length of sequence B.
  int64_t rows(int64_t B) const {
    return RowOffsets.empty() ? Rows : RowOffsets[B + 1] - RowOffsets[B];
  }
  int64_t keys(int64_t B, size_t Source = 0) const {
    const KeyResult &Of = Sources[Source];
    return Of.Offsets.empty() ? Of.Keys : Of.Offsets[B + 1] - Of.Offsets[B];
  }
  /// Numbers of elements of `Lse` and `RowMax`, of `ColumnSums`, of `BlockMax`.
  size_t row(int64_t B, int64_t H, int64_t I) const {
    return static_cast<size_t>(RowOffsets.empty()
                                   ? (B * Heads + H) * Rows + I
                                   : H * Rows + RowOffsets[B] + I);
  }
  size_t column(int64_t B, int64_t H, int64_t J, size_t Source = 0) const {
    const KeyResult &Of = Sources[Source];
    return static_cast<size_t>(Of.Offsets.empty()
                                   ? (B * Heads + H) * Of.Keys + J
                                   : H * Of.Keys + Of.Offsets[B] + J);
  }
  size_t block(int64_t B, int64_t H, int64_t Row, int64_t Column,
               size_t Source = 0) const {
    return static_cast<size_t>(((B * Heads + H) * BlockRows + Row) *
                                   Sources[Source].BlockColumns +
                               Column);
  }
  const double *output(int64_t B, int64_t H, int64_t I) const {
    return O.data() + row(B, H, I) * static_cast<size_t>(Width);
  }
};

/// Attention over the kept keys only: dropped pairs are never touched, so what
/// they hold cannot reach a row. A row without a kept key, or whose kept scores
/// are all -infinity, gives o = 0 and lse = -infinity under a softmax, or lse =
/// its sink. Takes twice the memory of k and v beside the result, four times
/// for 16-bit types.
llvm::Expected<ReferenceResult>
computeReference(const Variant &Pattern, const AttentionProblem &Problem,
                 const ReferenceOptions &Options = {});

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_REFERENCE_H
