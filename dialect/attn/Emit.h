// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Formulas as straight-line `arith` code: the set algebra of Sets.h run on SSA
// values instead of integers.

#ifndef HEDDLE_DIALECT_ATTN_EMIT_H
#define HEDDLE_DIALECT_ATTN_EMIT_H

#include "dialect/attn/Attn.h"

namespace heddle::attn {

/// The coordinates a formula is evaluated at. Every value has the type `index`,
/// an integer type, or a vector of one; all of one element type. Scalars are
/// splatted where they meet a vector.
struct Coordinates {
  mlir::Value b, h, q, k;
  mlir::Value numKeys;
  mlir::SmallVector<mlir::Value> params;
};

/// `keep(b, h, q, k)`: an `i1`, or a vector of them when a coordinate that the
/// formula uses is a vector. Keys outside [0, numKeys) are not excluded here.
mlir::Value emitContains(mlir::OpBuilder &builder, mlir::Location loc,
                         FormulaAttr formula, const Coordinates &at);

/// The box of queries [q, q + queries) and keys [k, k + keys); `q` and `k` are
/// scalars.
struct EmittedStatus {
  mlir::Value status; ///< i32: 0 empty, 1 partial, 2 full.
  mlir::Value until;  ///< first key of a later key tile (a multiple of `keys`)
                      ///< where the status may change, always > k; some number
                      ///< beyond every key when it never does.
};
EmittedStatus emitStatus(mlir::OpBuilder &builder, mlir::Location loc,
                         FormulaAttr formula, const Coordinates &at,
                         int64_t queries, int64_t keys);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_EMIT_H
