// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inputs of one attention.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_PROBLEM_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_PROBLEM_H

#include "dialect/attn/reference/Variant.h"

namespace heddle::attn {

/// Keys and values of a source.
struct KeyValues {
  heddle_view K = {};
  heddle_view V = {};
};

/// Views with axes (batch, head, position, feature): q (B, Hq, Sq, D),
/// k (B, Hkv, Sk, D), v (B, Hkv, Sk, Dv), Hq a multiple of Hkv. Strides count
/// elements and may be anything. A ragged view (`heddle_view.offsets`) has as
/// many sequences as shape[0] and all their rows together along axis 2; q is
/// ragged when k is.
struct AttentionProblem {
  heddle_view Q = {};
  heddle_view K = {};
  heddle_view V = {};
  /// Keys and values of the sources beyond the first.
  std::vector<KeyValues> More;
  /// Element type of q, k and v: f32, f16 or bf16.
  heddle_dtype Type = HEDDLE_F32;
  /// Absolute position of query 0 of each sequence; empty means all 0.
  llvm::ArrayRef<int64_t> Origin;
  /// Values of parameters in the order of `Variant::params`.
  OperandList Params;
  /// Factor on q·k.
  double Scale = 1.0;

  size_t numSources() const { return 1 + More.size(); }
  const heddle_view &keyView(size_t Source = 0) const {
    return Source == 0 ? K : More[Source - 1].K;
  }
  const heddle_view &valueView(size_t Source = 0) const {
    return Source == 0 ? V : More[Source - 1].V;
  }
  int64_t batch() const { return Q.shape[0]; }
  int64_t heads() const { return Q.shape[1]; }
  /// The length of a sequence.
  int64_t queries(int64_t B) const;
  int64_t keys(int64_t B, size_t Source = 0) const;
  /// The key head that query head `H` reads.
  int64_t keyHead(int64_t H, size_t Source = 0) const {
    return H / (Q.shape[1] / keyView(Source).shape[1]);
  }
  int64_t origin(int64_t B) const { return Origin.empty() ? 0 : Origin[B]; }
  /// What the regions of `Source` are asked with for row I of sequence B.
  PredicatePoint point(int64_t B, int64_t H, int64_t I,
                       size_t Source = 0) const;
};

/// A tensor and what messages call it.
struct NamedView {
  const char *Name;
  const heddle_view &View;
};

/// Fails when an extent is negative, data is absent, or sequences lie outside
/// of the tensor.
llvm::Error checkView(const NamedView &Named);

/// Fails when queries, keys and values do not fit together.
llvm::Error checkSource(const NamedView &Q, const NamedView &K,
                        const NamedView &V);

/// Fails when shapes, offsets, origins, grids or parameters do not fit
/// together.
llvm::Error checkProblem(const Variant &Pattern,
                         const AttentionProblem &Problem);

/// Fails with the message of the first `attn.require` that does not hold. The
/// reference itself computes such a problem all the same.
llvm::Error checkRequirements(const Variant &Pattern,
                              const AttentionProblem &Problem);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_PROBLEM_H
