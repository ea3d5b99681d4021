// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_SOFTMAX_H
#define HEDDLE_CODEGEN_NV_SOFTMAX_H

#include "codegen/nv/Fragment.h"

namespace heddle::nv {

/// What a step of the online softmax gives; see `tile.softmax_step`. M and L
/// are those of whole rows, in every lane.
struct SoftmaxStep {
  Fragment P;
  RowStats M, L, Alpha;
};
/// `Factor` (f32, positive; may be null) is what scores are still to be
/// multiplied with: one operation per score then takes it and the maximum.
SoftmaxStep emitSoftmaxStep(NvBuilder &B, const Fragment &S, const RowStats &M,
                            const RowStats &L, mlir::Value Factor = {});

/// The end of a row; see `tile.finish`.
struct SoftmaxEnd {
  Fragment O;
  RowStats Lse;
};
SoftmaxEnd emitFinish(NvBuilder &B, const Fragment &O, const RowStats &M,
                      const RowStats &L);

/// See `tile.weights`; of a tile that is kept whole.
Fragment emitWeights(NvBuilder &B, const Fragment &S, const RowStats &Lse);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_SOFTMAX_H
