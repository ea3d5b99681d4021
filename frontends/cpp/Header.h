// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_CPP_HEADER_H
#define HEDDLE_FRONTENDS_CPP_HEADER_H

#include "frontends/cpp/Kernels.h"

namespace heddle {

/// A C header (C11 and C++17) for the bundle of one kernel: its name, head
/// dims, dtypes and tensors, the positions, kinds and defaults of its
/// parameters.
std::string writeHeader(const BuildPlan &What, const PatternInfo &Pattern);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_HEADER_H
