// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Strided.h"
#include "ByteSpan.h"
#include "Dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

using namespace heddle;
using namespace heddle::runtime;

std::string runtime::tupleText(const int64_t *Values, int32_t Rank) {
  return fmt::format("({})", fmt::join(Values, Values + Rank, ", "));
}

ErrorText Strided::bind(const std::string &What, const heddle_tensor *Tensor,
                        int32_t WantedRank,
                        std::initializer_list<heddle_dtype> Dtypes) {
  constexpr int64_t MaxExtent = int64_t(1) << 31;
  if (!Tensor)
    return fmt::format("{} is null", What);
  Rank = WantedRank;
  if (Tensor->rank != Rank)
    return fmt::format("{} has {} axes, expected {}", What, Tensor->rank, Rank);
  Dtype = Tensor->dtype;
  if (std::find(Dtypes.begin(), Dtypes.end(), Dtype) == Dtypes.end()) {
    std::string Names;
    for (heddle_dtype Known : Dtypes)
      Names += (Names.empty() ? "" : " or ") + dtypeText(Known);
    return fmt::format("{} has dtype {}, expected {}", What, dtypeText(Dtype),
                       Names);
  }
  if (Rank > 0 && !Tensor->shape)
    return fmt::format("{} has no shape", What);
  bool Empty = false;
  for (int32_t Axis = 0; Axis < Rank; ++Axis) {
    Shape[Axis] = Tensor->shape[Axis];
    if (Shape[Axis] < 0 || Shape[Axis] > MaxExtent)
      return fmt::format("{} has extent {} along axis {}, expected 0 to 2^31",
                         What, Shape[Axis], Axis);
    Empty |= Shape[Axis] == 0;
  }
  int64_t RowMajor = 1;
  for (int32_t Axis = Rank; Axis-- > 0;) {
    Stride[Axis] = Tensor->strides ? Tensor->strides[Axis] : RowMajor;
    if (Shape[Axis] == 1)
      Stride[Axis] = 0;
    if (__builtin_mul_overflow(RowMajor, Shape[Axis], &RowMajor)) {
      if (!Empty && !Tensor->strides)
        return fmt::format("{} of shape {} leaves the address space", What,
                           tupleText(Shape, Rank));
      RowMajor = 0;
    }
  }
  Data = Tensor->data;
  if (Empty) {
    std::fill_n(Stride, Rank, 0);
    return std::nullopt;
  }
  if (!Data)
    return fmt::format("{} of shape {} has no data", What,
                       tupleText(Shape, Rank));
  int64_t ElementBytes = dtypeBytes(Dtype);
  if (reinterpret_cast<uintptr_t>(Data) % ElementBytes != 0)
    return fmt::format("the data of {} is not aligned to {} bytes", What,
                       ElementBytes);
  ByteSpan Span;
  if (!Span.compute(Data, ElementBytes, Rank, Shape, Stride))
    return fmt::format("{} of shape {} and strides {} leaves the address space",
                       What, tupleText(Shape, Rank), tupleText(Stride, Rank));
  return std::nullopt;
}
