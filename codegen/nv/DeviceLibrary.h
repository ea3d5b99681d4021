// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_DEVICELIBRARY_H
#define HEDDLE_CODEGEN_NV_DEVICELIBRARY_H

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace heddle::nv {

/// Gives the module those of the library's functions that it declares (see
/// device/Index.cpp), as private ones that are always inlined. Before
/// optimisation, and after the module has its data layout.
llvm::Error linkDeviceLibrary(llvm::Module &Module);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_DEVICELIBRARY_H
