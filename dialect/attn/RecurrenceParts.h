// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_DIALECT_ATTN_RECURRENCEPARTS_H
#define HEDDLE_DIALECT_ATTN_RECURRENCEPARTS_H

#include "dialect/attn/Attn.h"

namespace heddle::attn {

/// What is to be known of a region of an attn.recurrence.
struct PartInfo {
  llvm::StringRef name;
  unsigned arguments;   ///< Beside the parameters.
  unsigned optional;    ///< More that there may be.
  llvm::StringRef what; ///< The arguments in words.
  llvm::StringRef terminator;

  /// A map of rows; its first argument is the element.
  bool isMap() const { return arguments == 5; }
};

/// All regions, indexed by RecurrencePart.
llvm::ArrayRef<PartInfo> listParts();

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_RECURRENCEPARTS_H
