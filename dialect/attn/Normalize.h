// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_DIALECT_ATTN_NORMALIZE_H
#define HEDDLE_DIALECT_ATTN_NORMALIZE_H

#include "dialect/attn/Attn.h"

namespace heddle::attn {

/// The keep region of a pattern as a formula. Emits an error at the operation
/// that has no place in a formula, says why and what to write instead, and
/// returns failure.
mlir::FailureOr<FormulaAttr> normalize(PatternOp pattern);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_NORMALIZE_H
