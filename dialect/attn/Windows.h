// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far keys may be from a query along one axis, as far as a formula tells
// without the values of its parameters.

#ifndef HEDDLE_DIALECT_ATTN_WINDOWS_H
#define HEDDLE_DIALECT_ATTN_WINDOWS_H

#include "dialect/attn/Attn.h"
#include <optional>

namespace heddle::attn {

/// The keys that a formula leaves a query along `axis`, counted from the
/// innermost, where their distance from the query is bounded from both sides,
/// whatever the coordinates along other axes. `valueOf` says what to take a
/// parameter, or an element of a table, for: the result is for estimates.
std::optional<int64_t>
windowAlong(FormulaAttr formula, unsigned axis,
            llvm::function_ref<int64_t(unsigned param)> valueOf);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_WINDOWS_H
