// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of the reference.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_FAILURE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_FAILURE_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

#include <system_error>

namespace heddle::attn {

/// A problem that is not well formed.
inline llvm::Error invalid(const llvm::Twine &Message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), Message);
}

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_FAILURE_H
