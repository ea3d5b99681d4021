// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two matrix products of attention. f16 and bf16 go to the tensor cores
// (mma.sync.m16n8k16, accumulated in f32); f32 goes to fused multiply-adds on
// the same layouts, or, where the configuration says so, rounded to tf32 to the
// tensor cores as well (mma.sync.m16n8k8).

#ifndef HEDDLE_CODEGEN_NV_PRODUCTS_H
#define HEDDLE_CODEGEN_NV_PRODUCTS_H

#include "codegen/nv/Masks.h"
#include "codegen/nv/SharedTile.h"

namespace heddle::nv {

/// Whether products of rows of such elements are for tensor cores.
bool usesMatrixUnit(const Config &C, mlir::Type Element);

/// The tile of queries as the left operand of products.
struct QueryOperand {
  /// QueryTile rows. Must stay as it is while the operand is in use where
  /// `Regs` is empty.
  SharedTile Shared;
  /// Rows for tensor cores, up to a width that leaves registers for the rest:
  /// the operand A of every 16 features (8 of tf32), four i32 each, block row
  /// by block row.
  NvBuilder::Values Regs;
};

/// After a barrier that follows the copies of `Q`. Where the result has
/// registers, `Q` may be overwritten after a further barrier.
QueryOperand loadQueryOperand(NvBuilder &B, const SharedTile &Q);
/// Gives queries in registers the sign of a factor (f32), which no rounding
/// notices; returns its magnitude. A factor of zero makes them zero, and is one
/// then: what is returned is positive.
mlir::Value takeSign(NvBuilder &B, QueryOperand &Q, mlir::Value Factor);
/// True if loadQueryOperand gives registers, so that Q's memory is free again.
bool queryFitsRegisters(const Config &C, int64_t Features, mlir::Type Element);

/// Scores of the CTA's queries and the keys of a tile, times `Factor` (f32; may
/// be null): see `tile.scores`. Keys are rows of `K`, as wide as those of `Q`;
/// their number is a multiple of 16. Only reads shared memory: no barrier is
/// needed between products.
Fragment emitScores(NvBuilder &B, const QueryOperand &Q, const SharedTile &K,
                    mlir::Value Factor = {});

/// Scores that grow by those of some features: no factor.
Fragment addScores(NvBuilder &B, const QueryOperand &Q, const SharedTile &K,
                   const Fragment &S);

/// What is known of weights before they are looked at.
enum class WeightRange {
  Any,
  /// No larger than 1, as those of a softmax.
  AtMostOne,
};

/// O += P V: see `tile.accumulate`. Weights are rounded to the type of `V`,
/// other than those of a warp that has one beyond the range of f16. `P` has as
/// many columns as `V` has rows, a multiple of 16, and `O` as many as `V`,
/// padding included.
void emitAccumulate(NvBuilder &B, Fragment &O, const Fragment &P,
                    const SharedTile &V, WeightRange Range);

/// The same; pairs whose bit is zero take no part, even if their value is not
/// finite. P must be 0 there. All threads of the CTA must run it together (it
/// has a barrier), in uniform control flow.
void emitAccumulate(NvBuilder &B, Fragment &O, const Fragment &P,
                    const SharedTile &V, WeightRange Range,
                    const KeptBits &Where);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_PRODUCTS_H
