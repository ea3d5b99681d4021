// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_CACHELINE_H
#define HEDDLE_RUNTIME_CACHELINE_H

namespace heddle::runtime {

/// What rooms that kernels write are made of. Left unset: it is written before
/// anybody reads it.
struct alignas(64) CacheLine {
  float Values[16];
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_CACHELINE_H
