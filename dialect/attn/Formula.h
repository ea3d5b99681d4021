// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Building formulas. Every function returns a simplified formula, so that equal
// patterns written differently become one attribute:
//
// - expressions are sums of (coefficient, leaf) in a fixed order; a leaf is a
//   dimension, a symbol, a `floordiv` or a `mod` whose inside is such a sum;
// - an interval atom keeps what depends on q or k in its form, with the first
//   coefficient positive and the coefficients' common divisor divided out, and
//   what is uniform over a tile in its bounds;
// - interval atoms of a conjunction that share a form are one atom (this is
// what
//   makes a window exact: `d >= 0` and `d < w` are partial on a tile for
//   different reasons, `d in [0, w)` is one question).

#ifndef HEDDLE_DIALECT_ATTN_FORMULA_H
#define HEDDLE_DIALECT_ATTN_FORMULA_H

#include "dialect/attn/Attn.h"
#include <optional>

namespace heddle::attn {

/// Dimensions of formula expressions: the coordinates along the innermost axis,
/// then those of the outer axes of a token grid, then reads of run-time tables.
enum Dim : unsigned { DimB = 0, DimH = 1, DimQ = 2, DimK = 3 };
inline constexpr unsigned kNumAxes = 3;
/// The dimensions of axis `axis`, counted from the innermost.
inline unsigned queryDim(unsigned axis) { return DimQ + 2 * axis; }
inline unsigned keyDim(unsigned axis) { return DimK + 2 * axis; }
/// From here on a dimension stands for a read.
inline constexpr unsigned kFirstReadDim = DimQ + 2 * kNumAxes;

/// An expression is affine in its leaves, and one kind of leaf is an element of
/// a run-time table. Such a leaf is a dimension that the dialect hands out, one
/// per distinct read and context, so that equal reads are equal leaves wherever
/// they stand. Numbers say nothing about order; see `compare` in Expressions.h.
mlir::AffineExpr readLeaf(ReadAttr read);
/// The read an expression is, or null.
ReadAttr getRead(mlir::AffineExpr expr);

/// Symbols of formula expressions: the number of keys, then the parameters.
inline constexpr unsigned kNumKeysSymbol = 0;
inline unsigned paramSymbol(unsigned param) { return param + 1; }

/// Coordinates and the number of keys are below 2^31 in magnitude, parameters
/// at most 2^31; the runtime refuses anything else. An expression that could
/// leave 58 bits under these limits is refused by attn-normalize-pattern, as
/// are larger constants in sets. The algebra of Sets.h adds a few of them and
/// scales by a divisor at most (after clamping), so nothing overflows 63 bits.
inline constexpr double kCoordinateLimit = 2147483648.0;
inline constexpr double kExpressionLimit = 288230376151711744.0; // 2^58

/// The largest magnitude the expression can take under the limits above.
double magnitude(mlir::AffineExpr expr);

/// The canonical form of an expression.
mlir::AffineExpr canonicalize(mlir::AffineExpr expr);

/// A sum of leaves in canonical order, plus a constant.
struct Linear {
  mlir::SmallVector<std::pair<mlir::AffineExpr, int64_t>> terms;
  int64_t constant = 0;
};
Linear linearize(mlir::AffineExpr expr);
mlir::AffineExpr build(mlir::MLIRContext *context, const Linear &linear);

/// True when the expression depends on the dimension, through a read too.
bool uses(mlir::AffineExpr expr, unsigned dim);
bool uses(FormulaAttr formula, unsigned dim);
/// True when it depends on a query or key coordinate of any axis: then it
/// varies over a tile.
bool varies(mlir::AffineExpr expr);
/// Calls the function for every expression of the formula, those inside reads
/// and sets included, outermost first.
void forEachExpr(FormulaAttr formula,
                 llvm::function_ref<void(mlir::AffineExpr)> visit);
/// One more than the largest symbol read, tables and sets counting as their
/// parameter's symbol; 0 when none is.
unsigned numSymbols(FormulaAttr formula);

/// The number of consecutive queries that a formula treats alike where it looks
/// at them in blocks: the common divisor of all c of `q floordiv c`, 0 when
/// there is none.
int64_t queryBlock(FormulaAttr formula);
/// The same of keys.
int64_t keyBlock(FormulaAttr formula);

FormulaAttr getAlways(mlir::MLIRContext *context);
FormulaAttr getNever(mlir::MLIRContext *context);
FormulaAttr getAll(mlir::MLIRContext *context,
                   llvm::ArrayRef<FormulaAttr> children);
FormulaAttr getAny(mlir::MLIRContext *context,
                   llvm::ArrayRef<FormulaAttr> children);
FormulaAttr getNot(FormulaAttr formula);
/// `max(lows) <= expr < min(highs)`; an empty list is an open end. Bounds must
/// not vary over a tile.
FormulaAttr getBetween(mlir::AffineExpr expr,
                       llvm::ArrayRef<mlir::AffineExpr> lows,
                       llvm::ArrayRef<mlir::AffineExpr> highs);
/// `expr in set`, or `expr not in set`; `set` is a #attn.interval,
/// #attn.residue, #attn.pow2 or #attn.list.
FormulaAttr getMember(mlir::AffineExpr expr, mlir::Attribute set,
                      bool negated = false);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_FORMULA_H
