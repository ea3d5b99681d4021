// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of rows of memory in the workspace.

#ifndef HEDDLE_CODEGEN_CPU_TRANSFER_H
#define HEDDLE_CODEGEN_CPU_TRANSFER_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Rotates a row by its position; see `tile.rotate`.
struct Rotation {
  /// The row's position is `First` plus its number, or that of the list.
  mlir::Value First, Positions;
  /// `heddle_table` structures.
  mlir::Value Cos, Sin;
  /// Room for the factors of one row each, for tables whose rows are not
  /// contiguous.
  mlir::Value CosRow, SinRow;
};

/// Copies of rows, widened to f32.
struct Staging {
  int64_t Rows, Width;
  RowSource From;
  /// None where `Cos` is null.
  Rotation Turn;
  /// [row][feature], `Width` elements from row to row.
  mlir::Value To;
};

/// Zeros for rows that do not exist.
void emitStage(KernelBuilder &B, const Staging &S);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TRANSFER_H
