// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the elementwise operations on reals compute, by the C library.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_REALFUNCTIONS_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_REALFUNCTIONS_H

#include "llvm/ADT/StringRef.h"

namespace heddle::attn {

using UnaryFunction = double (*)(double);
using BinaryFunction = double (*)(double, double);

/// The function of the operation called `Name`; null when there is none of
/// this many operands.
UnaryFunction findUnary(llvm::StringRef Name);
BinaryFunction findBinary(llvm::StringRef Name);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_REALFUNCTIONS_H
