// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recurrences by their definition, in double precision: the answer that
// kernels are compared with.
//
//   FailureOr<Recurrence> Meaning = Recurrence::compile(Op);
//   LinearProblem Problem;
//   Problem.Q = …; Problem.K = …; Problem.V = …;      // heddle_view
//   Problem.Type = HEDDLE_BF16;                       // f32 when not given
//   Problem.StateIn = …;                              // no data: zero
//   Problem.Params = {Operand::reals({8}, Slopes)};   // or OperandList::read
//   Expected<LinearResult> Want = evaluateLinear(*Meaning, Problem);
//   Expected<Comparison> Found = compareLinear(*Want, {O, HEDDLE_BF16,
//   &State});

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_LINEAR_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_LINEAR_H

#include "dialect/attn/reference/Recurrence.h"

namespace heddle::attn {

/// Views with axes (batch, head, position, feature): q (B, Hq, Sq, D),
/// k (B, Hkv, Sk, D), v (B, Hkv, Sk, Dv), Hq a multiple of Hkv, ragged and
/// strided as those of an `AttentionProblem`.
struct LinearProblem {
  heddle_view Q = {};
  heddle_view K = {};
  heddle_view V = {};
  /// Element type of q, k and v: f32, f16 or bf16.
  heddle_dtype Type = HEDDLE_F32;
  /// What the sequences begin with, f32: (B, Hq, state rows, Dv) and
  /// (B, Hq, state rows, 1). No data means zero.
  heddle_view StateIn = {};
  heddle_view SumsIn = {};
  /// Absolute position of query 0 of each sequence; empty means all 0.
  llvm::ArrayRef<int64_t> Origin;
  /// Values of parameters in the order of `Recurrence::params`.
  OperandList Params;
  /// Factor on the features of q.
  double Scale = 1.0;

  int64_t batch() const { return Q.shape[0]; }
  int64_t heads() const { return Q.shape[1]; }
  /// The length of a sequence.
  int64_t queries(int64_t B) const;
  int64_t keys(int64_t B) const;
  /// The key head that query head `H` reads.
  int64_t keyHead(int64_t H) const { return H / (Q.shape[1] / K.shape[1]); }
  int64_t origin(int64_t B) const { return Origin.empty() ? 0 : Origin[B]; }
  /// Keys before the one at which query 0 stands; 0 but under a window.
  int64_t keysBefore(const Recurrence &What, int64_t B) const;
};

/// Fails when shapes, offsets, origins, states or parameters do not fit
/// together.
llvm::Error checkLinear(const Recurrence &What, const LinearProblem &Problem);

/// Two independent ways to the same result.
enum class LinearForm : uint8_t {
  /// Token by token, the state carried: n * features * Dv steps.
  Recurrent,
  /// Every pair of a query and a key with its weight: n * n * (D + Dv) steps,
  /// D times n * n more where factors are per channel.
  Quadratic,
};

struct LinearOptions {
  LinearForm Form = LinearForm::Recurrent;
  /// 0 means one per core. The result does not depend on it.
  unsigned Threads = 0;
};

/// Outputs in row-major order; the rows of a ragged batch as in
/// `ReferenceResult`. A scale says how large the summands behind a value are,
/// which is what rounding is relative to.
struct LinearResult {
  int64_t Batch = 0;
  int64_t Heads = 0;
  /// Queries of a sequence, or of all together in a ragged batch.
  int64_t Rows = 0;
  int64_t Width = 0;
  /// Where sequences begin; empty when they have one length.
  std::vector<int64_t> RowOffsets;
  int64_t StateRows = 0;

  std::vector<double> O;          ///< (Batch, Heads, Rows, Width)
  std::vector<double> OScale;     ///< (Batch, Heads, Rows)
  std::vector<double> State;      ///< (Batch, Heads, StateRows, Width)
  std::vector<double> StateScale; ///< (Batch, Heads, StateRows)
  /// (Batch, Heads, StateRows); empty without a normaliser.
  std::vector<double> Sums;
  std::vector<double> SumsScale;
  /// Pairs of a query and a key that it sees, over all batches and heads.
  int64_t KeptPairs = 0;

  /// The length of sequence B.
  int64_t rows(int64_t B) const {
    return RowOffsets.empty() ? Rows : RowOffsets[B + 1] - RowOffsets[B];
  }
  /// Number of an element of `OScale`.
  size_t row(int64_t B, int64_t H, int64_t I) const {
    return static_cast<size_t>(RowOffsets.empty()
                                   ? (B * Heads + H) * Rows + I
                                   : H * Rows + RowOffsets[B] + I);
  }
  /// Number of an element of `StateScale`, `Sums` and `SumsScale`.
  size_t stateRow(int64_t B, int64_t H, int64_t Row) const {
    return static_cast<size_t>((B * Heads + H) * StateRows + Row);
  }
  const double *output(int64_t B, int64_t H, int64_t I) const {
    return O.data() + row(B, H, I) * static_cast<size_t>(Width);
  }
};

/// The recurrence over every sequence and query head. Fails where a region
/// does.
llvm::Expected<LinearResult> evaluateLinear(const Recurrence &What,
                                            const LinearProblem &Problem,
                                            const LinearOptions &Options = {});

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_LINEAR_H
