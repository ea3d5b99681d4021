// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include "dialect/tile/TileDialect.cpp.inc"

void heddle::tile::TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/tile/TileOps.cpp.inc"
      >();
}
