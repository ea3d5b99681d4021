// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tile of the tile level is on the device.

#ifndef HEDDLE_CODEGEN_NV_TILEVALUE_H
#define HEDDLE_CODEGEN_NV_TILEVALUE_H

#include "codegen/nv/Masks.h"
#include "codegen/nv/Products.h"
#include "codegen/nv/Rows.h"
#include "codegen/nv/SharedTile.h"
#include "dialect/tile/Tile.h"

#include <functional>
#include <optional>
#include <variant>

namespace heddle::nv {

/// Rows of q, k or v, in shared memory.
struct StagedRows {
  /// Without a base where rows come in slices, or nobody has asked for them.
  SharedTile Shared;
  /// The load they come from.
  tile::LoadOp Load;
  /// How rows are turned that come in slices; null where they are not, or have
  /// been.
  tile::RotateOp Turn;
  /// f32 that every element is still to be multiplied with; null for one.
  mlir::Value Factor;
  /// The rows as the left operand of scores, where they are used as such.
  std::optional<QueryOperand> Query;
  /// The magnitude of `Factor` where `Query` has its sign; null where it has
  /// not.
  mlir::Value Magnitude;
};

/// The tokens that rows stand for: i64 for a row (i32), -1 for none. Called
/// where code is built that asks.
struct Places {
  std::function<mlir::Value(NvBuilder &B, mlir::Value Row)> At;
};

/// Scores, weights and outputs are fragments, statistics of rows RowStats.
using TileValue = std::variant<std::monostate, StagedRows, Places, KeptBits,
                               Fragment, RowStats>;

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_TILEVALUE_H
