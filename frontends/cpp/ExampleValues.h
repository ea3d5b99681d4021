// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_CPP_EXAMPLEVALUES_H
#define HEDDLE_FRONTENDS_CPP_EXAMPLEVALUES_H

#include "dialect/attn/Attn.h"

#include <string>

namespace heddle {

/// A value of --set that would do for a table of a recurrence, by where and how
/// it is read: "random:-0.1..0@bxhxq" for logarithms of factors. Empty for what
/// is no table of reals, and for one that is not read.
std::string exampleValue(attn::RecurrenceOp Recurrence, unsigned Param);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_EXAMPLEVALUES_H
