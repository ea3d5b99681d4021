// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which line of the author's text the code of a device comes from.

#ifndef HEDDLE_CODEGEN_LINEINFO_H
#define HEDDLE_CODEGEN_LINEINFO_H

#include "llvm/ADT/StringRef.h"

namespace heddle {

/// On a module with `tile.device`, whose code is to have the file and line of
/// every instruction beside it, as locations say.
inline constexpr llvm::StringLiteral LineInfoAttr = "tile.line_info";

} // namespace heddle

#endif // HEDDLE_CODEGEN_LINEINFO_H
