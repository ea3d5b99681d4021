// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of rows of memory in the workspace.

#ifndef HEDDLE_CODEGEN_CPU_TRANSFER_H
#define HEDDLE_CODEGEN_CPU_TRANSFER_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Rotates a row by its position; see `tile.rotate`.
struct Rotation {
  /// The row's position is `First`, plus its number unless all rows have the
  /// same, or that of the list.
  mlir::Value First, Positions;
  bool IsSame = false;
  /// `heddle_table` structures.
  mlir::Value Cos, Sin;
  /// Room for the factors of one row each, for tables whose rows are not
  /// contiguous.
  mlir::Value CosRow, SinRow;
};

/// Copies of rows: how many, elements of each, and elements from one copy to
/// the next; those beyond the width become 0.
struct StagedShape {
  int64_t Rows, Width, Stride;
};

/// Copies of rows, widened to f32.
struct Staging {
  StagedShape Shape;
  RowSource From;
  /// None where `Cos` is null.
  Rotation Turn;
  mlir::Value To;
};

/// Zeros for rows that do not exist.
void emitStage(KernelBuilder &B, const Staging &S);

/// Rows of f32, all of which can be read, to the rows that exist, rounded to
/// their element type.
struct RowCopies {
  int64_t Rows, Width;
  RowView From;
  RowSource To;
};

void emitRowCopies(KernelBuilder &B, const RowCopies &C);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TRANSFER_H
