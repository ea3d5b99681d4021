// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions of f32 vectors, from additions, multiplications,
// divisions, conversions and integer operations that every machine has. No call
// to a mathematics library is ever made. Results that are denormal may be 0.

#ifndef HEDDLE_CODEGEN_LANES_LANEMATH_H
#define HEDDLE_CODEGEN_LANES_LANEMATH_H

#include "codegen/lanes/LaneBuilder.h"

namespace heddle {

// For the online softmax, and where a map is known to keep to such arguments.

/// 2^x for x <= 0, relative error below 2e-7; exactly 1 at 0, exactly 0 below
/// -126.5 and at -inf, NaN at NaN. The same up to 127.5, then infinite up to
/// 128.
mlir::Value emitExp2(LaneBuilder &B, mlir::Value X);
/// The same for |x| <= 1/2.
mlir::Value emitFractionalExp2(LaneBuilder &B, mlir::Value Fraction);
/// The same of e^x, but for x <= 0 alone.
mlir::Value emitExp(LaneBuilder &B, mlir::Value X);

/// log2 x for finite normal x > 0, absolute error below 2e-7 + 1e-7 |log2 x|;
/// NaN at NaN, anything at 0.
mlir::Value emitLog2(LaneBuilder &B, mlir::Value X);

// For every argument, infinities and NaN as in IEEE 754. Relative errors.

/// 2^x and e^x; 3e-7.
mlir::Value emitAnyExp2(LaneBuilder &B, mlir::Value X);
mlir::Value emitAnyExp(LaneBuilder &B, mlir::Value X);
/// log2 x and ln x; 3e-7. NaN for x < 0.
mlir::Value emitAnyLog2(LaneBuilder &B, mlir::Value X);
mlir::Value emitAnyLog(LaneBuilder &B, mlir::Value X);
/// 5e-7.
mlir::Value emitTanh(LaneBuilder &B, mlir::Value X);
/// 5e-7.
mlir::Value emitErf(LaneBuilder &B, mlir::Value X);
/// Absolute error 2e-7 + 3e-16 |x|; NaN for |x| >= 2^50.
mlir::Value emitSin(LaneBuilder &B, mlir::Value X);
mlir::Value emitCos(LaneBuilder &B, mlir::Value X);
/// x^y; 1e-6. For x < 0 the exponent must be an integer, else NaN.
mlir::Value emitPow(LaneBuilder &B, mlir::Value X, mlir::Value Y);
/// The largest integer <= x, the smallest >= x; exact.
mlir::Value emitFloor(LaneBuilder &B, mlir::Value X);
mlir::Value emitCeil(LaneBuilder &B, mlir::Value X);

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_LANEMATH_H
