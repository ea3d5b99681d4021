// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_EXPANSION_H
#define HEDDLE_CODEGEN_NV_EXPANSION_H

#include "codegen/nv/MemoryTile.h"

#include <optional>

namespace heddle::nv {

/// See `tile.expand`.
struct TileExpansion {
  MemoryTile X, To;
  /// None for taylor.
  std::optional<int64_t> Power;
};

void emitTileExpansion(NvBuilder &B, const TileExpansion &E);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_EXPANSION_H
