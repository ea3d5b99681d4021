// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two products of attention by fused multiply-adds, on the layouts of
// mma.sync's accumulators: for f32, and where a value that is not finite has to
// stay out of the rows that do not keep it.

#ifndef HEDDLE_CODEGEN_NV_FUSEDPRODUCTS_H
#define HEDDLE_CODEGEN_NV_FUSEDPRODUCTS_H

#include "codegen/nv/Masks.h"
#include "codegen/nv/SharedTile.h"

namespace heddle::nv {

/// Scores of f32 rows: S + Q K^T, no factor.
Fragment emitFusedScores(NvBuilder &B, const SharedTile &Q, const SharedTile &K,
                         Fragment S);

/// O + P V for values of any type; pairs whose bit of `Where` (may be null) is
/// zero take no part. `IsRare` asks for less code rather than fewer
/// instructions.
Fragment emitFusedAccumulate(NvBuilder &B, const Fragment &O, const Fragment &P,
                             const SharedTile &V, const KeptBits *Where,
                             bool IsRare);

/// Whether the tile has an element that is not finite, as tf32 where it is of
/// f32: uniform; a barrier.
mlir::Value emitHasNonFinite(NvBuilder &B, const SharedTile &V);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_FUSEDPRODUCTS_H
