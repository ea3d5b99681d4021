// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a kernel gets at the keys of a tile of queries: contiguous tiles where
// the pattern is dense enough, and gathered ones for isolated columns.

#ifndef HEDDLE_PASSES_KEYLOOP_H
#define HEDDLE_PASSES_KEYLOOP_H

#include "passes/KernelFrame.h"

namespace heddle {

/// Columns that a run-time list adds to a pattern. The list is asked for keys
/// themselves, `k in #attn.list<…>`, and the formula is monotone in the answer:
/// where it is no, `rest` decides, where it is yes, `most`.
struct Columns {
  attn::ListAttr list;
  attn::FormulaAttr rest, most;
  /// The list's last index where queries of one tile may differ in it; null
  /// where they share one list.
  mlir::AffineExpr row;
};

/// Finds a list whose columns are worth gathering: one that a tile of queries
/// shares, or of which it sees a few rows only.
std::optional<Columns> findColumns(attn::FormulaAttr formula,
                                   int64_t queryTile);

/// Builds `body` for every key tile in which a query may keep a key; it gets
/// the tile and the state, and returns the new state. Every pair that the
/// pattern keeps belongs to exactly one of the tiles. A tile of gathered
/// columns takes those whose contiguous tile `rest` leaves empty and `most`
/// does not, so nothing is visited for a column inside a live tile, or for one
/// that no query of the tile could keep.
llvm::SmallVector<mlir::Value> forEachKeyTile(
    KernelFrame &frame, unsigned source, const QueryTile &queries,
    mlir::ValueRange inits,
    llvm::function_ref<llvm::SmallVector<mlir::Value>(const KeyTile &,
                                                      mlir::ValueRange)>
        body);

} // namespace heddle

#endif // HEDDLE_PASSES_KEYLOOP_H
