// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The meaning of a pattern, straight from its keep region. Nothing here knows
// of formulas, sets of tiles or schedules: this is what they are tested
// against.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_PREDICATE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_PREDICATE_H

#include "dialect/attn/reference/Program.h"

namespace heddle::attn {

/// Half-open run [Begin, End) of key positions.
struct KeyRun {
  int64_t Begin;
  int64_t End;
  int64_t size() const { return End - Begin; }
  bool operator==(const KeyRun &Other) const {
    return Begin == Other.Begin && End == Other.End;
  }
};

/// A compiled keep region. Threads may share one; each brings its own scratch.
class Predicate {
public:
  using Scratch = Program::Scratch;

  /// Compiles the region of `Pattern`, the patterns that it applies included.
  /// An operation outside the grammar of `attn.pattern` is reported at its
  /// location.
  static mlir::FailureOr<Predicate> compile(PatternOp Pattern);
  explicit Predicate(Program Code) : Code(std::move(Code)) {}

  llvm::StringRef name() const { return Code.name(); }
  llvm::ArrayRef<ParamInfo> params() const { return Code.params(); }
  unsigned numParams() const { return Code.params().size(); }
  /// False when the verdict does not depend on the coordinate.
  bool usesBatch() const { return Code.dependence(0) & Program::OnBatch; }
  bool usesHead() const { return Code.dependence(0) & Program::OnHead; }
  /// Parameters that are the extents of the token grids of queries and keys,
  /// outermost axis first; empty for plain sequences.
  llvm::ArrayRef<unsigned> queryGrid() const { return Code.queryGrid(); }
  llvm::ArrayRef<unsigned> keyGrid() const { return Code.keyGrid(); }

  /// Whether the pair (At.Q, K) is kept. Fails when a division by zero or an
  /// overflowing division is met, at a read outside of a table or a family of
  /// sets, or when the parameters are not those of the pattern. An operation
  /// is evaluated whatever becomes of its result.
  llvm::Expected<bool> keep(const PredicatePoint &At, int64_t K) const;

  /// The kept keys of [0, At.NumKeys) as maximal runs in ascending order,
  /// appended to `Runs`. Fails like `keep`.
  llvm::Error keptRuns(const PredicatePoint &At, Scratch &Registers,
                       std::vector<KeyRun> &Runs) const;

private:
  Program Code;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_PREDICATE_H
