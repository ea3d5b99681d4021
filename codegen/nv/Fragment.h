// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles in registers, and what is done to them element by element.

#ifndef HEDDLE_CODEGEN_NV_FRAGMENT_H
#define HEDDLE_CODEGEN_NV_FRAGMENT_H

#include "codegen/nv/Layout.h"

namespace heddle::nv {

/// A tile that the CTA holds: scores, weights, output.
struct Fragment {
  FragmentLayout Of;
  /// One f32 per register of the layout; for bits, one i1.
  NvBuilder::Values Regs;
};

/// One f32 per row of a tile: a thread has those of the rows that it has
/// elements of, in the order of FragmentLayout::rowOfStat. The four lanes that
/// share a row (lanes 4r … 4r + 3) hold the same value.
struct RowStats {
  NvBuilder::Values Regs;
};

/// The layout of scores (QueryTile rows, KeyTile columns) and of outputs
/// (QueryTile rows, `Features` columns, padded to 16).
FragmentLayout scoreLayout(const Config &C);
FragmentLayout outputLayout(const Config &C, int64_t Features);

Fragment fillFragment(NvBuilder &B, const FragmentLayout &Of, float Value);
RowStats fillStats(NvBuilder &B, const FragmentLayout &Of, mlir::Value Value);

/// Code for element (row, column) of the CTA's tile, i32 both.
using ElementMap = llvm::function_ref<mlir::Value(
    mlir::Value X, mlir::Value Row, mlir::Value Column)>;
/// Code for element number `Register` of a thread.
using RegisterMap =
    llvm::function_ref<mlir::Value(mlir::Value X, int64_t Register)>;

/// Calls `F` once per register; the result has the registers that it returns
/// (of any type).
Fragment mapElements(NvBuilder &B, const Fragment &X, ElementMap F);
Fragment mapRegisters(NvBuilder &B, const Fragment &X, RegisterMap F);
/// A tile made from places alone: `F` gets the row and the column.
Fragment
makeElements(NvBuilder &B, const FragmentLayout &Of,
             llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> F);

Fragment scale(NvBuilder &B, const Fragment &X, mlir::Value Factor);
Fragment multiply(NvBuilder &B, const Fragment &X, const Fragment &Y);
/// Every row times its factor; see `tile.rescale`.
Fragment rescale(NvBuilder &B, const Fragment &X, const RowStats &Factor);

/// Sum and maximum of every row; every thread of a row gets the same bits.
RowStats sumRows(NvBuilder &B, const Fragment &X);
RowStats maxRows(NvBuilder &B, const Fragment &X);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_FRAGMENT_H
