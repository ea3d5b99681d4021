// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_PARAMS_TD
#define HEDDLE_ATTN_PARAMS_TD

include "dialect/attn/AttnTypes.td"
include "mlir/IR/CommonTypeConstraints.td"

def Attn_Param : AnyTypeOf<[Index, F32, RankedTensorOf<[Index]>,
                             RankedTensorOf<[F32]>, Attn_SetType]> {
  let summary = "an integer, a real, a table of either, or a set";
}

#endif // HEDDLE_ATTN_PARAMS_TD
