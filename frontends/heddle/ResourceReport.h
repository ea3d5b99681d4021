// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_HEDDLE_RESOURCEREPORT_H
#define HEDDLE_FRONTENDS_HEDDLE_RESOURCEREPORT_H

#include <string>
#include <vector>

namespace heddle::cli {

/// A table of the device kernels that a bundle's manifest lists and of what
/// they take: threads, shared memory, stages, registers, spilled bytes, and how
/// many groups of threads a processor of the device holds at once; then advice.
std::string resourceTable(const std::string &Manifest);

/// What assemblers advise about the code of devices, each line once, with the
/// level before it.
std::vector<std::string> listAdvice(const std::string &Manifest);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_RESOURCEREPORT_H
