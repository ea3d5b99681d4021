// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer arithmetic on `index` values in terms that every target lowers:
// divisions that round down, and the operations of pattern regions that have no
// counterpart below the `attn` level.

#ifndef HEDDLE_PASSES_INDEXARITHMETIC_H
#define HEDDLE_PASSES_INDEXARITHMETIC_H

#include "dialect/attn/Emit.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace heddle {

/// x / divisor rounded down, x mod divisor; the divisor is positive.
mlir::Value emitFloorDiv(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                         int64_t divisor);
mlir::Value emitMod(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                    int64_t divisor);
/// x / divisor rounded up.
mlir::Value emitCeilDiv(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                        int64_t divisor);

/// The value of an expression of a formula at scalar coordinates.
mlir::Value emitExpr(mlir::ImplicitLocOpBuilder &b, mlir::AffineExpr expr,
                     const attn::Coordinates &at);

/// Copies an operation of a keep or score region, with `attn.num_keys` as the
/// given value and the divisions above written out.
void cloneRegionOp(mlir::ImplicitLocOpBuilder &b, mlir::Operation &op,
                   mlir::IRMapping &map, mlir::Value numKeys);

} // namespace heddle

#endif // HEDDLE_PASSES_INDEXARITHMETIC_H
