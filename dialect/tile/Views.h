// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every lowering of the tile level asks of its values and operations.

#ifndef HEDDLE_DIALECT_TILE_VIEWS_H
#define HEDDLE_DIALECT_TILE_VIEWS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace heddle::tile {

/// On a `tile.load`, where it is known: all of its rows exist.
inline constexpr llvm::StringLiteral kAllExistAttr = "tile.all_exist";

/// The tile whose elements `V` shows in another order, or a part of; null where
/// `V` has elements of its own.
mlir::Value viewedTile(mlir::Value V);

/// `V` and all that share its elements as views.
llvm::SmallVector<mlir::Value> tilesSharing(mlir::Value V);

/// Whether an operation is none of ours and works on scalars alone, without
/// regions and effects: it means the same on every target.
bool isScalarArithmetic(mlir::Operation *Op);

} // namespace heddle::tile

#endif // HEDDLE_DIALECT_TILE_VIEWS_H
