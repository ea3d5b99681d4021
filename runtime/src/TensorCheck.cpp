// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TensorCheck.h"
#include "ByteSpan.h"
#include "Dtype.h"

#include <cstdint>

using namespace heddle;
using namespace heddle::runtime;

static std::string shapeText(const int64_t *Shape, int32_t Rank) {
  return fmt::format("({})", fmt::join(Shape, Shape + Rank, ", "));
}

static bool isEmpty(const heddle_view &View) {
  for (int64_t Extent : View.shape)
    if (Extent == 0)
      return true;
  return false;
}

/// The tensor behind a view: the sequences of a ragged batch lie along axis 2.
static heddle_view tensorOf(heddle_view View) {
  if (View.offsets)
    View.shape[0] = 1;
  return View;
}

/// The bytes of a tensor; false when they leave the address space.
static bool spanOf(const heddle_view &Tensor, int64_t ElementBytes,
                   ByteSpan &Out) {
  return Out.compute(Tensor.data, ElementBytes, 4, Tensor.shape, Tensor.stride);
}

/// True if the view covers every byte of its span. Assumes distinct elements.
static bool isGapless(const heddle_view &View, int64_t ElementBytes,
                      const ByteSpan &S) {
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
  if (Tensor->dtype != Dtype)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' has dtype {}, expected {}", Name,
                     dtypeText(Tensor->dtype), dtypeText(Dtype));
  if (!Tensor->shape)
    return makeError(HEDDLE_INVALID_ARGUMENT, "tensor '{}' has no shape", Name);
  int64_t ElementBytes = dtypeBytes(Dtype);
  heddle_view Whole = tensorOf(View);
  for (int32_t Axis = 0; Axis < Rank; ++Axis)
    if (Tensor->shape[Axis] != Whole.shape[Axis])
      return makeError(
          HEDDLE_INVALID_ARGUMENT, "tensor '{}' has shape {}, expected {}{}",
          Name, shapeText(Tensor->shape, Rank), shapeText(Whole.shape, Rank),
          View.offsets ? " (all sequences along axis 2)" : "");
  int64_t RowMajor = 1;
  for (int32_t Axis = Rank; Axis-- > 0;) {
    View.stride[Axis] = Tensor->strides ? Tensor->strides[Axis] : RowMajor;
    // Only an empty tensor can get past 64 bits here.
    if (__builtin_mul_overflow(RowMajor, Whole.shape[Axis], &RowMajor))
      RowMajor = 0;
  }
  if (View.offsets)
    View.stride[0] = 0;
  View.data = Tensor->data;
  if (isEmpty(Whole))
    return nullptr;
  if (!View.data)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' of shape {} has no data", Name,
                     shapeText(Whole.shape, Rank));
  if (reinterpret_cast<uintptr_t>(View.data) % ElementBytes != 0)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "the data of tensor '{}' is not aligned to {} bytes", Name,
                     ElementBytes);
  if (Rank == 4 && View.shape[3] > 1 && View.stride[3] != 1)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' has feature stride {}, expected 1", Name,
                     View.stride[3]);
  View.stride[3] = 1;
  ByteSpan S;
  if (!spanOf(tensorOf(View), ElementBytes, S))
    return makeError(
        HEDDLE_INVALID_ARGUMENT,
        "tensor '{}' of shape {} and strides {} leaves the address "
        "space",
        Name, shapeText(Whole.shape, Rank), shapeText(View.stride, Rank));
  return nullptr;
}

heddle_error *runtime::checkDistinct(const BoundTensor &Output) {
  heddle_view View = tensorOf(*Output.View);
  if (!View.data || isEmpty(View))
    return nullptr;
  for (int Axis = 0; Axis < 4; ++Axis)
    if (View.shape[Axis] > 1 && View.stride[Axis] == 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "tensor '{}' is written but has stride 0 on axis {}, "
                       "expected elements of their own",
                       Output.Name, Axis);
  return nullptr;
}

heddle_error *runtime::checkApart(const BoundTensor &Output,
                                  const BoundTensor &Other) {
  heddle_view Written = tensorOf(*Output.View), View = tensorOf(*Other.View);
  int64_t WrittenBytes = dtypeBytes(Output.Dtype);
  int64_t OtherBytes = dtypeBytes(Other.Dtype);
  ByteSpan A, B;
  if (!Written.data || !View.data || isEmpty(Written) || isEmpty(View) ||
      !spanOf(Written, WrittenBytes, A) || !spanOf(View, OtherBytes, B))
    return nullptr;
  bool Overlap = A.Begin < B.End && B.Begin < A.End;
  if (Written.data == View.data ||
      (Overlap && isGapless(Written, WrittenBytes, A) &&
       isGapless(View, OtherBytes, B)))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' is written but shares memory with tensor "
                     "'{}', expected memory of its own",
                     Output.Name, Other.Name);
  return nullptr;
}
