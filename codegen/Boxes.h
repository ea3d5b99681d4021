// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_BOXES_H
#define HEDDLE_CODEGEN_BOXES_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace heddle {

/// `Size` as a product of `Axes` factors as equal as can be, smaller ones
/// first; empty without axes.
llvm::SmallVector<int64_t> boxOf(int64_t Size, unsigned Axes);

} // namespace heddle

#endif // HEDDLE_CODEGEN_BOXES_H
