// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_CPP_LINK_H
#define HEDDLE_FRONTENDS_CPP_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace heddle {

/// Links object files (their bytes) into the shared library `OutputPath` with
/// the linker inside this process. The library names itself `Soname`, exports
/// what the objects give default visibility, and depends on nothing: an
/// undefined symbol is an error. Returns an error message or the empty string.
/// Calls from several threads take turns.
std::string linkSharedLibrary(llvm::ArrayRef<llvm::StringRef> Objects,
                              const std::string &OutputPath,
                              const std::string &Soname);

inline std::string linkSharedLibrary(llvm::StringRef Object,
                                     const std::string &OutputPath,
                                     const std::string &Soname) {
  return linkSharedLibrary(llvm::ArrayRef(Object), OutputPath, Soname);
}

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_LINK_H
