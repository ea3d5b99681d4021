// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_THREADS_H
#define HEDDLE_CODEGEN_NV_THREADS_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

/// Hands numbers [0, Count) to the threads of the CTA, one after the other:
/// `Body` gets an i32. Unrolled where a thread has few. `Body` may be built
/// several times, and not all threads may run it.
void forEachOfCta(NvBuilder &B, int64_t Count,
                  llvm::function_ref<void(mlir::Value Number)> Body);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_THREADS_H
