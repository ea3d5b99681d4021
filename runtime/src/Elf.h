// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_ELF_H
#define HEDDLE_RUNTIME_SRC_ELF_H

#include "Error.h"

namespace heddle::runtime {

/// Checks, before the loader sees it, that the file at `Path` is a complete
/// shared library for this machine: a damaged file handed to dlopen may end the
/// process (SIGBUS on a truncated segment) instead of giving an error.
heddle_error *checkElfFile(const char *Path);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_ELF_H
