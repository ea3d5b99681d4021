// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of memory to and from tiles in the workspace.

#ifndef HEDDLE_CODEGEN_CPU_TRANSFER_H
#define HEDDLE_CODEGEN_CPU_TRANSFER_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Rows -> [feature][query]. `Existing` says how many of the rows may be read
/// at all: with none, nothing is read.
void emitTransposeIn(KernelBuilder &B, mlir::RankedTensorType Type,
                     const RowView &From, mlir::Value Existing,
                     const Buffer &To);

/// [feature][query] -> the first `Count` rows, feature stride 1.
void emitTransposeOut(KernelBuilder &B, mlir::RankedTensorType Type,
                      const Buffer &From, mlir::Value Count, mlir::Value Base,
                      mlir::Value Stride);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TRANSFER_H
