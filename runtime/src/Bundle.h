// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_BUNDLE_H
#define HEDDLE_RUNTIME_SRC_BUNDLE_H

#include "Error.h"

#include <vector>

struct heddle_kernel {
  const heddle_entry *Entry;
};

struct heddle_bundle {
  /// From dlopen; null for a descriptor in memory.
  void *Handle = nullptr;
  const heddle_descriptor *Descriptor = nullptr;
  /// One per entry; kernels are handed out by address, so it never changes.
  std::vector<heddle_kernel> Kernels;

  heddle_bundle() = default;
  heddle_bundle(const heddle_bundle &) = delete;
  heddle_bundle &operator=(const heddle_bundle &) = delete;
  ~heddle_bundle();
};

namespace heddle::runtime {

/// Checks all of a descriptor that can be checked: magic, version,
/// architecture, then every entry. `Name` is the bundle's name in messages.
heddle_error *checkDescriptor(const heddle_descriptor *Descriptor,
                              const std::string &Name);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_BUNDLE_H
