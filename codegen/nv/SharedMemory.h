// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_SHAREDMEMORY_H
#define HEDDLE_CODEGEN_NV_SHAREDMEMORY_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

/// Who gets which part of a CTA's dynamic shared memory, decided while a kernel
/// is built: what is opened in a loop or branch is given back at its end, and
/// those after it use it again.
class SharedMemory {
public:
  explicit SharedMemory(NvBuilder &B) : B(B) {}

  /// Bytes from the start of the memory on, a multiple of 128.
  int64_t reserve(int64_t Bytes);
  /// A pointer to so many bytes of their own.
  mlir::Value allocate(int64_t Bytes) { return at(reserve(Bytes)); }
  mlir::Value at(int64_t Offset);

  /// What is in use; `close` gives back what has been reserved since.
  int64_t open() const { return Used; }
  void close(int64_t Mark) { Used = Mark; }

  /// The most that was ever in use.
  int64_t size() const { return Most; }

private:
  NvBuilder &B;
  int64_t Used = 0, Most = 0;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_SHAREDMEMORY_H
