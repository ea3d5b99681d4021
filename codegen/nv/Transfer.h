// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles and row statistics between registers and global memory. Callers see to
// tensors without storage.

#ifndef HEDDLE_CODEGEN_NV_TRANSFER_H
#define HEDDLE_CODEGEN_NV_TRANSFER_H

#include "codegen/nv/Fragment.h"
#include "codegen/nv/Rows.h"

namespace heddle::nv {

/// Writes the rows that exist, rounded to the element type, `To.Features`
/// columns of each: see `tile.store`. In uniform control flow.
void emitStoreRows(NvBuilder &B, const Fragment &X, const RowSource &To);

/// Writes one element (f32, f16 or bf16) per row that exists; `Of` is the
/// layout whose statistics they are.
void emitStoreStats(NvBuilder &B, const RowStats &X, const FragmentLayout &Of,
                    const RowSource &To);

/// The first element of every row, widened to f32; `Missing` (f32) for rows
/// that do not exist.
RowStats emitLoadStats(NvBuilder &B, const FragmentLayout &Of,
                       const RowSource &From, mlir::Value Missing);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_TRANSFER_H
