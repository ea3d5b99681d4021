// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic that is not rounded to nearest.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_ROUNDED_H
#define HEDDLE_CODEGEN_NV_EMULATION_ROUNDED_H

#include "codegen/nv/emulation/Decoder.h"
#include "codegen/nv/emulation/semantics/Convert.h"

namespace heddle::ptx {

enum class RoundedOp : uint8_t { Add, Sub, Mul, Div, Fma, Rcp };

/// Operands and handler of an operation on f32 or f64 rounded as `Mode` says;
/// the flags (FloatFlag) are already in the instruction.
void decodeRounded(Decoder &D, Type Of, RoundedOp By, Rounding Mode);

} // namespace heddle::ptx

#endif
