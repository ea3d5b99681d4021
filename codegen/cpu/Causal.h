// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What of a chunk's square of tokens anybody looks at: a product need not work
// out more.

#ifndef HEDDLE_CODEGEN_CPU_CAUSAL_H
#define HEDDLE_CODEGEN_CPU_CAUSAL_H

#include "mlir/IR/Value.h"

namespace heddle::cpu {

/// True if exactly the bits (i, j) with j <= i are set.
bool isCausal(mlir::Value Bits);

/// True if nobody sees what the elements (i, j) of a square tile with j > i
/// become, when they are 0 to begin with.
bool needsLowerOnly(mlir::Value Tile);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_CAUSAL_H
