// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_STRIDED_H
#define HEDDLE_RUNTIME_SRC_STRIDED_H

#include "heddle/heddle.h"
#include "runtime/npy/ErrorText.h"

#include <initializer_list>
#include <string>

namespace heddle::runtime {

/// A caller's table or index tensor after its checks. Axes of extent 1 have
/// stride 0, and all axes of an empty tensor.
struct Strided {
  static constexpr int32_t MaxRank = 4;

  const void *Data = nullptr;
  int32_t Dtype = 0, Rank = 0;
  int64_t Shape[MaxRank] = {};
  int64_t Stride[MaxRank] = {};

  /// Takes over `Tensor` if it has the rank and one of the dtypes, extents in
  /// [0, 2^31], and data that is aligned and inside the address space. `What`
  /// is the tensor's name in messages: "table 'doc'".
  ErrorText bind(const std::string &What, const heddle_tensor *Tensor,
                 int32_t Rank, std::initializer_list<heddle_dtype> Dtypes);

  /// Calls `Fn` with the address of the element at an offset, as int32_t or
  /// int64_t.
  template <typename Body> auto atOffset(int64_t Offset, Body Fn) const {
    return Dtype == HEDDLE_I32
               ? Fn(static_cast<const int32_t *>(Data) + Offset)
               : Fn(static_cast<const int64_t *>(Data) + Offset);
  }
};

/// "(3, 0)" for the first `Rank` values.
std::string tupleText(const int64_t *Values, int32_t Rank);

/// Steps through the index tuples of a shape in row-major order.
struct Odometer {
  const int64_t *Shape;
  int32_t Rank;
  int64_t Index[Strided::MaxRank] = {};

  Odometer(const int64_t *Shape, int32_t Rank) : Shape(Shape), Rank(Rank) {}
  void step() {
    for (int32_t Axis = Rank; Axis-- > 0;) {
      if (++Index[Axis] < Shape[Axis])
        return;
      Index[Axis] = 0;
    }
  }
  int64_t dot(const int64_t *Stride) const {
    int64_t Sum = 0;
    for (int32_t Axis = 0; Axis < Rank; ++Axis)
      Sum += Index[Axis] * Stride[Axis];
    return Sum;
  }
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_STRIDED_H
