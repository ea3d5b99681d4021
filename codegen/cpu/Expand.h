// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_EXPAND_H
#define HEDDLE_CODEGEN_CPU_EXPAND_H

#include "codegen/cpu/Tiles.h"

#include <optional>

namespace heddle::cpu {

/// Monomials of the elements of rows; see `tile.expand`. Tiles are stored.
struct Expansion {
  /// Of x.
  mlir::RankedTensorType Type;
  /// None for taylor.
  std::optional<int64_t> Power;
  mlir::Value X, To;
};

void emitExpansion(KernelBuilder &B, const Expansion &E);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_EXPAND_H
