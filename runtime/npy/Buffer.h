// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_NPY_BUFFER_H
#define HEDDLE_RUNTIME_NPY_BUFFER_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace heddle::npy {

/// Owned elements, 64-byte aligned, uninitialised when allocated.
class Buffer {
public:
  /// Makes room for `Count` elements of `ElementBytes` each; false when there
  /// is no memory.
  [[nodiscard]] bool allocate(int64_t Count,
                              size_t ElementBytes = sizeof(float)) {
    constexpr size_t Alignment = 64;
    Block.reset();
    Elements = 0;
    if (Count < 0 ||
        static_cast<uint64_t>(Count) > (SIZE_MAX / 2) / ElementBytes)
      return false;
    size_t Bytes = (static_cast<size_t>(Count) * ElementBytes + Alignment) /
                   Alignment * Alignment;
    Block.reset(std::aligned_alloc(Alignment, Bytes));
    if (!Block)
      return false;
    Elements = Count;
    return true;
  }
  /// The elements, in the type they were allocated for.
  template <typename T = float> T *data() {
    return static_cast<T *>(Block.get());
  }
  template <typename T = float> const T *data() const {
    return static_cast<const T *>(Block.get());
  }
  /// The number of elements.
  int64_t size() const { return Elements; }

private:
  struct Freed {
    void operator()(void *Pointer) const { std::free(Pointer); }
  };
  std::unique_ptr<void, Freed> Block;
  int64_t Elements = 0;
};

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_BUFFER_H
