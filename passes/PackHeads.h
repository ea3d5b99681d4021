// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_PASSES_PACKHEADS_H
#define HEDDLE_PASSES_PACKHEADS_H

#include "dialect/attn/Attn.h"

namespace heddle {

/// Parameters that the pattern of packed code has behind those of its own: the
/// head of row 0, the position of all rows, where keys begin and end.
enum HiddenParam : unsigned {
  RowHead,
  RowPosition,
  KeyBegin,
  KeyEnd,
};
inline constexpr unsigned kNumHiddenParams = KeyEnd + 1;

/// Why an attention under these patterns, with these outputs, can have no code
/// whose rows are heads; empty if it can.
llvm::StringRef findPackingObstacle(llvm::ArrayRef<attn::PatternOp> patterns,
                                    attn::OutputsAttr outputs);

} // namespace heddle

#endif // HEDDLE_PASSES_PACKHEADS_H
