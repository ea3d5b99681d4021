// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands without files: lists written out, and made-up ones for experiments.

#ifndef HEDDLE_FRONTENDS_COMMON_GENERATE_H
#define HEDDLE_FRONTENDS_COMMON_GENERATE_H

#include "frontends/common/Values.h"

namespace heddle::frontend {

/// Fills `Out.Table` as the setting says; integers are i32, reals f32.
ErrorText generateTable(const Parameter &Of, const Setting &From,
                        const Extents &Sizes, uint64_t Seed, Operand &Out);

/// The table that is written out; missing leading axes have extent 1.
ErrorText writtenTable(const Parameter &Of, const Setting &From, Operand &Out);

/// Sets of random members, as lists with lengths.
ErrorText generateSets(const Parameter &Of, const Setting &From,
                       const Extents &Sizes, uint64_t Seed, Operand &Out);

/// The sets that are written out; missing leading indices have extent 1.
ErrorText writtenSets(const Parameter &Of, const Setting &From, Operand &Out);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_GENERATE_H
