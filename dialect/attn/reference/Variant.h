// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that a pattern, or a combination of patterns, says: which pairs are kept,
// how scores change, how they become weights, how rows are rotated.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_VARIANT_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_VARIANT_H

#include "dialect/attn/reference/Predicate.h"

#include <optional>

namespace heddle::attn {

/// A compiled score region.
class ScoreChange {
public:
  explicit ScoreChange(Program Code) : Code(std::move(Code)) {}

  bool hasFactor() const { return Code.numOutputs() > 1; }
  /// Changes the scores of the kept keys of a row in place, in ascending order
  /// of keys, and appends their factors, if there are any. Fails as
  /// `Predicate::keep` does; only kept pairs are evaluated.
  llvm::Error apply(const PredicatePoint &At, llvm::ArrayRef<KeyRun> Kept,
                    Program::Scratch &Registers,
                    llvm::MutableArrayRef<double> Scores,
                    std::vector<double> &Factors) const;

private:
  Program Code;
};

/// See `#attn.normalizer`.
struct Normalization {
  NormalizerKind Kind = NormalizerKind::Softmax;
  /// Keys per group of the grouped softmax.
  int64_t Group = 0;
  /// The parameter that holds the sink logits.
  std::optional<unsigned> Sink;

  /// Weights are shares of a sum.
  bool isSoftmax() const {
    return Kind == NormalizerKind::Softmax || Kind == NormalizerKind::Grouped;
  }
};

/// The tables of a rotation, parameter numbers.
struct Rotation {
  unsigned Cos;
  unsigned Sin;
};

/// One source of keys.
struct VariantSource {
  Predicate Keep;
  std::optional<ScoreChange> Score;
  std::optional<Rotation> Rotate;
  /// The conditions of `attn.require` and what to say when one fails.
  Program Requirements;
  std::vector<std::string> Messages;
};

/// A compiled `attn.pattern` or `attn.combine`.
class Variant {
public:
  /// Reports what is outside the grammar at its location.
  static mlir::FailureOr<Variant> compile(PatternOp Pattern);
  static mlir::FailureOr<Variant> compile(CombineOp Combine);
  /// `Op` is one of the two; anything else is reported.
  static mlir::FailureOr<Variant> compile(mlir::Operation *Op);

  llvm::StringRef name() const { return Name; }
  /// Parameters of all sources, those of one name once, in the order in which
  /// they first occur. Operands come in this order.
  llvm::ArrayRef<ParamInfo> params() const { return Params; }
  unsigned numParams() const { return Params.size(); }
  llvm::ArrayRef<VariantSource> sources() const { return Sources; }
  /// The predicate of a source.
  const Predicate &predicate(size_t Source = 0) const {
    return Sources[Source].Keep;
  }
  const Normalization &normalization() const { return Normalize; }
  bool usesBatch() const;
  bool usesHead() const;

private:
  static mlir::FailureOr<Variant> compile(llvm::StringRef Name,
                                          llvm::ArrayRef<PatternOp> Patterns);

  std::string Name;
  std::vector<ParamInfo> Params;
  std::vector<VariantSource> Sources;
  Normalization Normalize;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_VARIANT_H
