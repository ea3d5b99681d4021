// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Base-two exponential and logarithm of f32 vectors, from additions,
// multiplications and integer operations that every machine has. No call to a
// mathematics library is ever made.

#ifndef HEDDLE_CODEGEN_CPU_VECTORMATH_H
#define HEDDLE_CODEGEN_CPU_VECTORMATH_H

#include "codegen/cpu/KernelBuilder.h"

namespace heddle::cpu {

/// 2^x for x <= 0, relative error below 2e-7; exactly 1 at 0, exactly 0 below
/// -126.5 and at -inf, NaN at NaN.
mlir::Value emitExp2(KernelBuilder &B, mlir::Value X);

/// log2 x for finite normal x > 0, absolute error below 2e-7 + 1e-7 |log2 x|;
/// NaN at NaN, anything at 0.
mlir::Value emitLog2(KernelBuilder &B, mlir::Value X);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_VECTORMATH_H
