// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_NPY_BUFFER_H
#define HEDDLE_RUNTIME_NPY_BUFFER_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace heddle::npy {

/// Owned f32 elements, 64-byte aligned, uninitialised when allocated.
class Buffer {
public:
  /// Makes room for `Count` elements; false when there is no memory.
  [[nodiscard]] bool allocate(int64_t Count) {
    constexpr size_t Alignment = 64;
    Block.reset();
    Elements = 0;
    if (Count < 0 ||
        static_cast<uint64_t>(Count) > (SIZE_MAX / 2) / sizeof(float))
      return false;
    size_t Bytes = (static_cast<size_t>(Count) * sizeof(float) + Alignment) /
                   Alignment * Alignment;
    Block.reset(static_cast<float *>(std::aligned_alloc(Alignment, Bytes)));
    if (!Block)
      return false;
    Elements = Count;
    return true;
  }
  float *data() { return Block.get(); }
  const float *data() const { return Block.get(); }
  int64_t size() const { return Elements; }

private:
  struct Freed {
    void operator()(float *Pointer) const { std::free(Pointer); }
  };
  std::unique_ptr<float, Freed> Block;
  int64_t Elements = 0;
};

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_BUFFER_H
