// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dense attention for one tile of queries, written by hand with the fragment
// library: two stages of keys and values.

#ifndef HEDDLE_TEST_UNIT_CODEGEN_NV_FLASH_H
#define HEDDLE_TEST_UNIT_CODEGEN_NV_FLASH_H

#include "NvKernel.h"

namespace heddle {

/// Arguments: q, k, v, o, lse (f32), their strides in elements (q, k, v, o),
/// number of queries and of keys, scale in units of log2.
NvKernel makeFlash(const nv::Config &Config, llvm::StringRef Type);

/// Shared memory that it needs.
int64_t flashBytes(const nv::Config &Config, llvm::StringRef Type);

/// A tile configuration for head dims.
nv::Config flashConfig(int64_t Qk, int64_t V, int64_t KeyTile = 64,
                       int64_t Rows = 16, int64_t Warps = 4);

} // namespace heddle

#endif // HEDDLE_TEST_UNIT_CODEGEN_NV_FLASH_H
