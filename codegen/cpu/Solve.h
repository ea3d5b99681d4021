// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_SOLVE_H
#define HEDDLE_CODEGEN_CPU_SOLVE_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// Forward substitution; see `tile.solve`. r and u are stored; they may be the
/// same.
struct Substitution {
  /// Of r.
  mlir::RankedTensorType Type;
  KeySide A;
  mlir::Value R, U;
};

void emitSubstitution(KernelBuilder &B, const Substitution &S);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_SOLVE_H
