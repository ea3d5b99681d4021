// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_HOST_LIBCUDA_H
#define HEDDLE_CODEGEN_NV_HOST_LIBCUDA_H

#include "heddle/driver.h"

#include <string>

namespace heddle::nv {

/// The table of the CUDA driver `Path`, never unloaded; null where it cannot be
/// had, with the reason in `Why`.
const heddle_driver *loadDriver(const char *Path, std::string &Why);

/// That of this machine, loaded when first asked for: libcuda.so.1, or what the
/// environment variable HEDDLE_DRIVER names.
const heddle_driver *findDriver(std::string &Why);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_HOST_LIBCUDA_H
