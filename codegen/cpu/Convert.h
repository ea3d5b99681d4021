// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of tensors in memory (f32, f16, bf16) to and from the f32 that
// everything is computed in, one at a time or as vectors of any length. Where
// the machine has no instruction for it integer arithmetic does it: no
// compiler's support library is ever called.

#ifndef HEDDLE_CODEGEN_CPU_CONVERT_H
#define HEDDLE_CODEGEN_CPU_CONVERT_H

#include "codegen/cpu/KernelBuilder.h"

namespace heddle::cpu {

/// A number for each type of elements, and one for none.
int64_t codeOf(mlir::Type Element);

/// `Count` elements of type `Element` from `Pointer` on, as f32: a scalar for
/// one, else a vector. Exact. Nothing is read beyond them.
mlir::Value loadWidened(KernelBuilder &B, mlir::Value Pointer,
                        mlir::Type Element, int64_t Count);

/// An f32, or a vector of them, to memory as elements of type `Element`:
/// rounded to nearest, ties to even; NaN stays NaN, what is too large becomes
/// infinity.
void storeNarrowed(KernelBuilder &B, mlir::Value Value, mlir::Value Pointer,
                   mlir::Type Element);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_CONVERT_H
