// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of memory to and from tiles along the lanes, where a row is a column:
// squares of rows and features are turned in registers, what is left over goes
// one element at a time.

#ifndef HEDDLE_CODEGEN_CPU_TRANSPOSE_H
#define HEDDLE_CODEGEN_CPU_TRANSPOSE_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Rows -> [feature][query]; zeros for rows that do not exist.
void emitTransposeIn(KernelBuilder &B, mlir::RankedTensorType Type,
                     const RowSource &From, const Buffer &To);

/// [feature][query] -> the rows that exist, rounded to their element type.
void emitTransposeOut(KernelBuilder &B, mlir::RankedTensorType Type,
                      const Buffer &From, const RowSource &To);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TRANSPOSE_H
