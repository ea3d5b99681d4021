// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Formulas as straight-line `arith` code: the set algebra of Sets.h run on SSA
// values instead of integers.

#ifndef HEDDLE_DIALECT_ATTN_EMIT_H
#define HEDDLE_DIALECT_ATTN_EMIT_H

#include "dialect/attn/Attn.h"

#include <optional>

namespace heddle::attn {

/// How a formula gets at the run-time tables and sets of its pattern: by
/// operations of the dialect (OperandAccess), or straight from memory in a
/// target's lowering. Indices and values have the integer type of the
/// coordinates; where one of them is a vector, the others may be scalars and
/// the result is a vector.
class IndexAccess {
public:
  virtual ~IndexAccess();
  /// The element of table `param`, indices moved into it.
  virtual mlir::Value read(mlir::OpBuilder &builder, mlir::Location loc,
                           unsigned param,
                           llvm::ArrayRef<mlir::Value> indices) = 0;
  /// Whether the set `param` holds the value at these indices; `i1`.
  virtual mlir::Value contains(mlir::OpBuilder &builder, mlir::Location loc,
                               unsigned param,
                               llvm::ArrayRef<mlir::Value> indices,
                               mlir::Value value) = 0;

  // Scalars only; the last index of table or set is the stretch asked about.
  struct Span {
    mlir::Value lo, hi;
  };
  virtual Span span(mlir::OpBuilder &builder, mlir::Location loc,
                    unsigned param, llvm::ArrayRef<mlir::Value> leading,
                    mlir::Value first, mlir::Value last) = 0;
  virtual mlir::Value seek(mlir::OpBuilder &builder, mlir::Location loc,
                           unsigned param, llvm::ArrayRef<mlir::Value> leading,
                           mlir::Value from, mlir::Value lo, mlir::Value hi,
                           bool outside) = 0;
  struct Probe {
    mlir::Value some, every; ///< i1
    mlir::Value next, previous;
  };
  virtual Probe probe(mlir::OpBuilder &builder, mlir::Location loc,
                      unsigned param, llvm::ArrayRef<mlir::Value> leading,
                      mlir::Value first, mlir::Value last, mlir::Value lo,
                      mlir::Value hi) = 0;
};

/// Access by attn.at, attn.span, attn.seek and attn.probe on the operands.
class OperandAccess : public IndexAccess {
public:
  /// `operands`: one value per parameter of the pattern.
  explicit OperandAccess(mlir::ValueRange operands)
      : operands(operands.begin(), operands.end()) {}
  mlir::Value read(mlir::OpBuilder &, mlir::Location, unsigned,
                   llvm::ArrayRef<mlir::Value>) override;
  mlir::Value contains(mlir::OpBuilder &, mlir::Location, unsigned,
                       llvm::ArrayRef<mlir::Value>, mlir::Value) override;
  Span span(mlir::OpBuilder &, mlir::Location, unsigned,
            llvm::ArrayRef<mlir::Value>, mlir::Value, mlir::Value) override;
  mlir::Value seek(mlir::OpBuilder &, mlir::Location, unsigned,
                   llvm::ArrayRef<mlir::Value>, mlir::Value, mlir::Value,
                   mlir::Value, bool) override;
  Probe probe(mlir::OpBuilder &, mlir::Location, unsigned,
              llvm::ArrayRef<mlir::Value>, mlir::Value, mlir::Value,
              mlir::Value, mlir::Value) override;

private:
  mlir::SmallVector<mlir::Value> operands;
};

/// The coordinates a formula is evaluated at. Every value has the type `index`,
/// an integer type, or a vector of one; all of one element type. Scalars are
/// splatted where they meet a vector.
struct Coordinates {
  mlir::Value b, h;
  /// One per axis, outermost first; a single one for plain sequences.
  mlir::SmallVector<mlir::Value> q, k;
  mlir::Value numKeys;
  /// Integer parameters; null for a parameter that is no integer.
  mlir::SmallVector<mlir::Value> params;
  /// Needed when the formula reads tables or sets.
  IndexAccess *access = nullptr;
};

/// `keep(b, h, q, k)`: an `i1`, or a vector of them when a coordinate that the
/// formula uses is a vector. Keys outside [0, numKeys) are not excluded here.
mlir::Value emitContains(mlir::OpBuilder &builder, mlir::Location loc,
                         FormulaAttr formula, const Coordinates &at);

/// The keys that an interval atom keeps of the query `at.q`, along one axis
/// (counted from the innermost): [begin, end), of which either may be null for
/// no bound. Nothing where the atom is none whose form is a chain in that key
/// (see Sets.h), or where it looks at another key or reads a table. `at.k` is
/// not looked at.
struct EmittedKeys {
  mlir::Value begin, end;
};
std::optional<EmittedKeys> emitKeys(mlir::OpBuilder &builder,
                                    mlir::Location loc, FormulaAttr atom,
                                    unsigned axis, const Coordinates &at);

/// The value of an expression at a point; keys that it does not use may be any.
mlir::Value emitValue(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::AffineExpr expr, const Coordinates &at);

/// The box of queries [q, q + queries) and keys [k, k + keys) along every axis;
/// coordinates are scalars.
struct EmittedStatus {
  mlir::Value status; ///< i32: 0 empty, 1 partial, 2 full.
  mlir::Value until;  ///< first key, along the innermost axis, of a later key
                      ///< tile (a multiple of its width) where the status may
                      ///< change, always > k; some number beyond every key when
                      ///< it never does.
};
EmittedStatus emitStatus(mlir::OpBuilder &builder, mlir::Location loc,
                         FormulaAttr formula, const Coordinates &at,
                         llvm::ArrayRef<int64_t> queries,
                         llvm::ArrayRef<int64_t> keys);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_EMIT_H
