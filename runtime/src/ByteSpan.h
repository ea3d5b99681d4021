// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_BYTESPAN_H
#define HEDDLE_RUNTIME_SRC_BYTESPAN_H

#include <cstdint>

namespace heddle::runtime {

/// The bytes from the first to the last element of a strided tensor.
struct ByteSpan {
  intptr_t Begin = 0, End = 0;

  /// Computes the span of a tensor without an empty axis, strides in elements;
  /// false when an offset or address leaves 64 bits.
  bool compute(const void *Data, int64_t ElementBytes, int32_t Rank,
               const int64_t *Shape, const int64_t *Stride) {
    int64_t Low = 0, High = 0;
    for (int32_t Axis = 0; Axis < Rank; ++Axis) {
      int64_t Reach = 0;
      if (Shape[Axis] < 2)
        continue;
      if (__builtin_mul_overflow(Shape[Axis] - 1, Stride[Axis], &Reach) ||
          __builtin_add_overflow(Reach < 0 ? Low : High, Reach,
                                 Reach < 0 ? &Low : &High))
        return false;
    }
    auto Base = reinterpret_cast<intptr_t>(Data);
    return !__builtin_add_overflow(High, int64_t(1), &High) &&
           !__builtin_mul_overflow(Low, ElementBytes, &Low) &&
           !__builtin_mul_overflow(High, ElementBytes, &High) &&
           !__builtin_add_overflow(Base, Low, &Begin) &&
           !__builtin_add_overflow(Base, High, &End);
  }
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_BYTESPAN_H
