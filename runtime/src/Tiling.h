// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_TILING_H
#define HEDDLE_RUNTIME_SRC_TILING_H

#include <cstdint>

namespace heddle::runtime {

/// Tiles of `Tile` elements that cover `Length`, both nonnegative.
inline int64_t ceilDivide(int64_t Length, int64_t Tile) {
  return Length / Tile + (Length % Tile != 0);
}

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_TILING_H
