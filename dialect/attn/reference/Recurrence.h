// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that an `attn.recurrence` says.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_RECURRENCE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_RECURRENCE_H

#include "dialect/attn/reference/FeatureMap.h"

#include <optional>

namespace heddle::attn {

/// A compiled `attn.recurrence`. Threads may share one.
class Recurrence {
public:
  /// Reports what is outside the grammar at its location.
  static mlir::FailureOr<Recurrence> compile(RecurrenceOp Op);

  llvm::StringRef name() const { return Name; }
  llvm::ArrayRef<ParamInfo> params() const { return Params; }
  /// Absent means that a row stays as it is.
  const std::optional<FeatureMap> &query() const { return Query; }
  const std::optional<FeatureMap> &key() const { return Key; }
  const std::optional<FeatureMap> &value() const { return Value; }
  const std::optional<FeatureMap> &output() const { return Output; }
  /// Logarithms of factors; absent where nothing decays.
  const std::optional<Program> &decay() const { return Decay; }
  /// One factor per feature and token, not one per token.
  bool isPerChannel() const { return PerChannel; }
  /// The beta of the delta rule.
  const std::optional<Program> &delta() const { return Delta; }
  /// It takes away before the state fades, not after.
  bool erasesBeforeDecay() const { return ErasesBeforeDecay; }
  LinearNormalizer normalizer() const { return Normalizer; }
  bool hasSums() const { return Normalizer != LinearNormalizer::None; }
  bool hasMagnitude() const {
    return Normalizer == LinearNormalizer::Magnitude;
  }
  bool isBidirectional() const { return Bidirectional; }
  /// The parameter that holds the width of the window.
  std::optional<unsigned> window() const { return Window; }

  /// Features of a mapped row of `Depth` elements, before they are expanded.
  int64_t numMapped(int64_t Depth) const;
  /// Features of the state.
  int64_t numFeatures(int64_t Depth) const;
  /// Rows of the state: the features, and the running values of `normalize
  /// magnitude`.
  int64_t numStateRows(int64_t Depth) const {
    return numFeatures(Depth) + hasMagnitude();
  }

  /// What a product of features counts.
  double expand(double Product) const;
  /// The features of a mapped row: expandRow(x).expandRow(y) is
  /// expand(x.y). Appended to `Out`.
  void expandRow(llvm::ArrayRef<double> Row, std::vector<double> &Out) const;

private:
  std::string Name;
  std::vector<ParamInfo> Params;
  std::optional<FeatureMap> Query;
  std::optional<FeatureMap> Key;
  std::optional<FeatureMap> Value;
  std::optional<FeatureMap> Output;
  std::optional<Program> Decay;
  std::optional<Program> Delta;
  bool PerChannel = false;
  bool ErasesBeforeDecay = false;
  ExpandKind Expand = ExpandKind::None;
  int64_t Power = 0;
  LinearNormalizer Normalizer = LinearNormalizer::None;
  bool Bidirectional = false;
  std::optional<unsigned> Window;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_RECURRENCE_H
