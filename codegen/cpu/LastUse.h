// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_LASTUSE_H
#define HEDDLE_CODEGEN_CPU_LASTUSE_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

namespace heddle::cpu {

/// True if `User`, which uses `Value` through one operand only, is the last
/// operation on any path to see it, so that its storage may be overwritten:
/// no later use, none in a loop that runs `User` again. Branches of one
/// `scf.if` exclude each other. False when in doubt.
bool isLastUse(mlir::Value Value, mlir::Operation *User);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_LASTUSE_H
