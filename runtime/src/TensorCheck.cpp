// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TensorCheck.h"
#include "Bundle.h"

#include <cstdint>

using namespace heddle;
using namespace heddle::runtime;

/// Bytes of one element; every dtype so far has four.
static constexpr int64_t ElementBytes = sizeof(float);

static std::string shapeText(const int64_t *Shape, int32_t Rank) {
  return fmt::format("({})", fmt::join(Shape, Shape + Rank, ", "));
}

static bool isEmpty(const heddle_view &View) {
  for (int64_t Extent : View.shape)
    if (Extent == 0)
      return true;
  return false;
}

namespace {

/// The bytes between the first and the last element of a view, both included.
struct Span {
  intptr_t Begin = 0, End = 0;
};

} // namespace

/// Computes the span; false when an offset or address leaves 64 bits.
static bool spanOf(const heddle_view &View, Span &Out) {
  int64_t Low = 0, High = 0;
  for (int Axis = 0; Axis < 4; ++Axis) {
    int64_t Reach = 0;
    if (View.shape[Axis] < 2)
      continue;
    if (__builtin_mul_overflow(View.shape[Axis] - 1, View.stride[Axis],
                               &Reach) ||
        __builtin_add_overflow(Reach < 0 ? Low : High, Reach,
                               Reach < 0 ? &Low : &High))
      return false;
  }
  auto Base = reinterpret_cast<intptr_t>(View.data);
  return !__builtin_add_overflow(High, int64_t(1), &High) &&
         !__builtin_mul_overflow(Low, ElementBytes, &Low) &&
         !__builtin_mul_overflow(High, ElementBytes, &High) &&
         !__builtin_add_overflow(Base, Low, &Out.Begin) &&
         !__builtin_add_overflow(Base, High, &Out.End);
}

/// True if the view covers every byte of its span. Assumes distinct elements.
static bool isGapless(const heddle_view &View, const Span &S) {
  int64_t Bytes = ElementBytes;
  for (int Axis = 0; Axis < 4; ++Axis) {
    if (View.shape[Axis] > 1 && View.stride[Axis] == 0)
      return false;
    if (__builtin_mul_overflow(Bytes, View.shape[Axis], &Bytes))
      return false;
  }
  return Bytes == S.End - S.Begin;
}

heddle_error *runtime::bindTensor(const char *Name, const heddle_tensor *Tensor,
                                  int32_t Rank, int32_t Dtype,
                                  heddle_view &View) {
  if (!Tensor)
    return makeError(HEDDLE_INVALID_ARGUMENT, "tensor '{}' is null", Name);
  if (Tensor->rank != Rank)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' has rank {}, expected {}", Name, Tensor->rank,
                     Rank);
  int32_t Given = Tensor->dtype;
  if (Given != Dtype) {
    const char *GivenName = dtypeName(Given);
    return makeError(
        HEDDLE_INVALID_ARGUMENT, "tensor '{}' has dtype {}, expected {}", Name,
        GivenName ? GivenName : std::to_string(Given), dtypeName(Dtype));
  }
  if (!Tensor->shape)
    return makeError(HEDDLE_INVALID_ARGUMENT, "tensor '{}' has no shape", Name);
  for (int32_t Axis = 0; Axis < Rank; ++Axis)
    if (Tensor->shape[Axis] != View.shape[Axis])
      return makeError(
          HEDDLE_INVALID_ARGUMENT, "tensor '{}' has shape {}, expected {}",
          Name, shapeText(Tensor->shape, Rank), shapeText(View.shape, Rank));
  int64_t RowMajor = 1;
  for (int32_t Axis = Rank; Axis-- > 0;) {
    View.stride[Axis] = Tensor->strides ? Tensor->strides[Axis] : RowMajor;
    // Only an empty tensor can get past 64 bits here.
    if (__builtin_mul_overflow(RowMajor, View.shape[Axis], &RowMajor))
      RowMajor = 0;
  }
  View.data = Tensor->data;
  if (isEmpty(View))
    return nullptr;
  if (!View.data)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' of shape {} has no data", Name,
                     shapeText(View.shape, Rank));
  if (reinterpret_cast<uintptr_t>(View.data) % ElementBytes != 0)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "the data of tensor '{}' is not aligned to {} bytes", Name,
                     ElementBytes);
  if (Rank == 4 && View.shape[3] > 1 && View.stride[3] != 1)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' has feature stride {}, expected 1", Name,
                     View.stride[3]);
  View.stride[3] = 1;
  Span S;
  if (!spanOf(View, S))
    return makeError(
        HEDDLE_INVALID_ARGUMENT,
        "tensor '{}' of shape {} and strides {} leaves the address "
        "space",
        Name, shapeText(View.shape, Rank), shapeText(View.stride, Rank));
  return nullptr;
}

heddle_error *runtime::checkDistinct(const char *Name,
                                     const heddle_view &View) {
  if (!View.data || isEmpty(View))
    return nullptr;
  for (int Axis = 0; Axis < 4; ++Axis)
    if (View.shape[Axis] > 1 && View.stride[Axis] == 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "tensor '{}' is written but has stride 0 on axis {}, "
                       "expected elements of their own",
                       Name, Axis);
  return nullptr;
}

heddle_error *runtime::checkApart(const char *Output,
                                  const heddle_view &Written, const char *Other,
                                  const heddle_view &View) {
  Span A, B;
  if (!Written.data || !View.data || isEmpty(Written) || isEmpty(View) ||
      !spanOf(Written, A) || !spanOf(View, B))
    return nullptr;
  bool Overlap = A.Begin < B.End && B.Begin < A.End;
  if (Written.data == View.data ||
      (Overlap && isGapless(Written, A) && isGapless(View, B)))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' is written but shares memory with tensor "
                     "'{}', expected memory of its own",
                     Output, Other);
  return nullptr;
}
