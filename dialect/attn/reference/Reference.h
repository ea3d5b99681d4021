// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention by its definition, in double precision: the answer that kernels
// are compared with.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_REFERENCE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_REFERENCE_H

#include "dialect/attn/reference/Predicate.h"
#include "heddle/abi.h"

namespace heddle::attn {

/// Inputs of one attention, f32 views with axes (batch, head, position,
/// feature): q (B, Hq, Sq, D), k (B, Hkv, Sk, D), v (B, Hkv, Sk, Dv), Hq a
/// multiple of Hkv. Strides count elements and may be anything.
struct AttentionProblem {
  heddle_view Q = {};
  heddle_view K = {};
  heddle_view V = {};
  /// Absolute position of query 0 of each sequence; empty means all 0.
  llvm::ArrayRef<int64_t> Origin;
  /// Pattern parameters in the order of the pattern.
  llvm::ArrayRef<int64_t> Params;
  /// Factor on q·k.
  double Scale = 1.0;

  int64_t batch() const { return Q.shape[0]; }
  int64_t heads() const { return Q.shape[1]; }
  int64_t queries() const { return Q.shape[2]; }
  int64_t keys() const { return K.shape[2]; }
  /// The key head that query head `H` reads.
  int64_t keyHead(int64_t H) const { return H / (Q.shape[1] / K.shape[1]); }
  int64_t origin(int64_t B) const { return Origin.empty() ? 0 : Origin[B]; }
};

/// Fails when shapes, origins or parameters do not fit together.
llvm::Error checkProblem(const Predicate &Pattern,
                         const AttentionProblem &Problem);

/// Outputs in row-major order: o (Batch, Heads, Rows, Width), lse (Batch,
/// Heads, Rows).
struct ReferenceResult {
  int64_t Batch = 0;
  int64_t Heads = 0;
  int64_t Rows = 0;
  int64_t Width = 0;
  std::vector<double> O;
  std::vector<double> Lse;
  /// Kept (query, key) pairs over all batches and query heads.
  int64_t KeptPairs = 0;

  size_t row(int64_t B, int64_t H, int64_t I) const {
    return static_cast<size_t>((B * Heads + H) * Rows + I);
  }
  const double *output(int64_t B, int64_t H, int64_t I) const {
    return O.data() + row(B, H, I) * static_cast<size_t>(Width);
  }
};

/// Softmax attention over the kept keys only: dropped pairs are never touched,
/// so what they hold cannot reach a row. A row without a kept key, or whose
/// kept scores are all -infinity, gives o = 0 and lse = -infinity. Runs on
/// `Threads` threads (0 means one per core); the result does not depend on
/// their number. Takes twice the memory of k and v beside the result.
llvm::Expected<ReferenceResult>
computeReference(const Predicate &Pattern, const AttentionProblem &Problem,
                 unsigned Threads = 0);

/// The scores and weights of one row, aligned with the kept keys in ascending
/// order.
struct RowResult {
  std::vector<double> Scores;
  std::vector<double> Weights;
  double Lse = 0;
};

/// Keys and values of one key head as gapless doubles, keys (Keys, Depth),
/// values (Keys, Width).
struct KeyHead {
  const double *K;
  const double *V;
  int64_t Depth;
  int64_t Width;
};

/// One row: `Query` has Depth elements, `Out` receives Width.
void attendRow(const double *Query, const KeyHead &Head, double Scale,
               llvm::ArrayRef<KeyRun> Kept, RowResult &Row, double *Out);

/// Appends rows [0, shape[2]) of one head of a view to `Out`, widened.
void widenHead(const heddle_view &View, int64_t B, int64_t H,
               std::vector<double> &Out);
/// Writes one row of a view to `Out`, widened.
void widenRow(const heddle_view &View, int64_t B, int64_t H, int64_t I,
              double *Out);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_REFERENCE_H
