// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_HEDDLE_RESOURCEREPORT_H
#define HEDDLE_FRONTENDS_HEDDLE_RESOURCEREPORT_H

#include <string>

namespace heddle::cli {

/// A table of the device kernels that a bundle's manifest lists and of what
/// they take: threads, shared memory, stages, registers, spilled bytes.
std::string resourceTable(const std::string &Manifest);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_RESOURCEREPORT_H
