// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What formulas are made with, beyond what Formula.h says of expressions.

#ifndef HEDDLE_DIALECT_ATTN_EXPRESSIONS_H
#define HEDDLE_DIALECT_ATTN_EXPRESSIONS_H

#include "dialect/attn/Formula.h"

namespace heddle::attn {

/// Whether a dimension below `kFirstReadDim` is a coordinate of queries, or of
/// keys.
inline bool isQueryDim(unsigned dim) { return dim >= DimQ && dim % 2 == 0; }
inline bool isKeyDim(unsigned dim) { return dim >= DimQ && dim % 2 == 1; }

/// Negative, 0 or positive: an order of canonical expressions that does not
/// depend on what else there is.
int compare(mlir::AffineExpr a, mlir::AffineExpr b);

/// Adds a multiple of a leaf: behind the others if it is a new one.
void addTerm(Linear &linear, mlir::AffineExpr leaf, int64_t coefficient);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_EXPRESSIONS_H
