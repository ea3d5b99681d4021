// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel's patterns ask of a problem: conditions (`attn.require`), and
// that every read of a table or set stays inside of it. The list is the same
// for the function that checks a problem and for the descriptor that says what
// its answers mean.

#ifndef HEDDLE_PASSES_CHECKS_H
#define HEDDLE_PASSES_CHECKS_H

#include "passes/KernelSpec.h"
#include <memory>

namespace heddle {

/// A region of a pattern or recurrence, entered from the kernel or through an
/// `attn.apply`. Its arguments are the parameters, then for some a number to be
/// changed, then coordinates.
struct Scope {
  unsigned source;
  mlir::Region *region;
  unsigned numParams;
  /// There is a number: a score or a feature.
  bool hasNumber;
  /// Null for a region of the source's own pattern or recurrence.
  attn::ApplyOp apply;
  const Scope *outer;

  mlir::Block &block() const { return region->front(); }
  unsigned firstCoordinate() const { return numParams + hasNumber; }
};

/// A value of a region. In the source's own regions arguments stand for
/// themselves; those of an applied pattern are traced to what they are given.
struct ScopedValue {
  mlir::Value value;
  const Scope *scope;

  bool operator==(const ScopedValue &other) const {
    return value == other.value && scope == other.scope;
  }
};

struct Check {
  enum Kind {
    Condition, ///< `value` is true.
    Read,      ///< `value` is an index of `param`.
    Head,      ///< Query heads are indices of `param`.
    Position,  ///< Positions of queries and keys are indices of `param`.
    Feature,   ///< Pairs of features are indices of `param`.
    Row,       ///< All features of q and k are.
    Window,    ///< `param` is a number of keys.
  } kind;
  ScopedValue value;        ///< Of a condition or read.
  mlir::StringAttr message; ///< Of a condition or window.
  unsigned param = 0;       ///< Of the kernel.
  unsigned axis = 0;
  unsigned source = 0;
};

class Checks {
public:
  explicit Checks(const KernelSpec &spec);
  Checks(const Checks &) = delete;
  Checks &operator=(const Checks &) = delete;

  llvm::ArrayRef<Check> list() const { return checks; }
  /// True for a table of integers whose elements are bounded in kernels: over a
  /// stretch of queries or keys, or because they are indices in turn.
  bool needsBounds(unsigned param) const { return bounded.contains(param); }

  static ScopedValue resolve(ScopedValue value);
  /// The parameter of the kernel that a value of a region is.
  unsigned paramOf(ScopedValue value) const;
  /// The number of a parameter of the source's pattern, or nothing: then the
  /// value is no argument, a coordinate, or the score.
  std::optional<unsigned> findParam(ScopedValue value) const;
  /// The keep region that an `attn.apply` enters.
  const Scope *enter(attn::ApplyOp apply, const Scope *scope);

private:
  void checkPattern(unsigned source, attn::PatternOp pattern);
  void checkRecurrence(attn::RecurrenceOp recurrence);
  void addScope(unsigned source, mlir::Region &region, unsigned numParams,
                bool hasNumber);
  void addUse(unsigned source, Check::Kind kind, unsigned param, unsigned axis);
  void visit(const Scope *scope);
  void addRead(const Scope *scope, mlir::Value operand,
               mlir::ValueRange indices);
  void boundElements(ScopedValue value);
  void boundReads(unsigned source);

  const KernelSpec &spec;
  llvm::SmallVector<Check> checks;
  llvm::DenseSet<unsigned> bounded;
  llvm::SmallVector<std::unique_ptr<Scope>> scopes;
};

} // namespace heddle

#endif // HEDDLE_PASSES_CHECKS_H
