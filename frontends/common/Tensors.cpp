// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Tensors.h"

#include "frontends/common/Random.h"
#include "heddle/half.h"

#include <utility>

using namespace heddle;
using namespace heddle::frontend;

void Tensor::setShape(int64_t Batch, int64_t Heads, int64_t Length,
                      int64_t Features, Layout Order) {
  Shape = {Batch, Heads, Length, Features};
  Stored = Order;
  Start = 0;
  Strides = Order == Layout::Bhsd
                ? std::array<int64_t, 4>{Heads * Length * Features,
                                         Length * Features, Features, 1}
                : std::array<int64_t, 4>{Length * Heads * Features, Features,
                                         Heads * Features, 1};
}

bool Tensor::allocate(heddle_dtype NewDtype, int64_t Batch, int64_t Heads,
                      int64_t Length, int64_t Features, Layout Order,
                      int32_t NewRank) {
  std::optional<int64_t> Count =
      npy::numElements({Batch, Heads, Length, Features}, NewDtype);
  auto Memory = std::make_shared<npy::Buffer>();
  if (!Count || !Memory->allocate(
                    *Count, static_cast<size_t>(npy::elementBytes(NewDtype))))
    return false;
  Elements = std::move(Memory);
  Dtype = NewDtype;
  Rank = NewRank;
  setShape(Batch, Heads, Length, Features, Order);
  return true;
}

void Tensor::adopt(npy::Array Data, int64_t Batch, int64_t Heads,
                   int64_t Length, int64_t Features, Layout Order,
                   int32_t NewRank) {
  Dtype = Data.Dtype;
  Elements = std::make_shared<npy::Buffer>(std::move(Data.Data));
  Rank = NewRank;
  setShape(Batch, Heads, Length, Features, Order);
}

Tensor Tensor::heads(int64_t First, int64_t Count) const {
  Tensor Result = *this;
  Result.Start += First * Strides[1];
  Result.Shape[1] = Count;
  return Result;
}

void *Tensor::address(int64_t Offset) const {
  return Elements->data<char>() + (Start + Offset) * npy::elementBytes(Dtype);
}

float Tensor::get(int64_t Batch, int64_t Head, int64_t Index,
                  int64_t Feature) const {
  const void *At = address(Batch * Strides[0] + Head * Strides[1] +
                           Index * Strides[2] + Feature);
  if (Dtype == HEDDLE_F32)
    return *static_cast<const float *>(At);
  const uint16_t Half = *static_cast<const uint16_t *>(At);
  return Dtype == HEDDLE_F16 ? heddle_f16_to_f32(Half)
                             : heddle_bf16_to_f32(Half);
}

void Tensor::set(int64_t Batch, int64_t Head, int64_t Index, int64_t Feature,
                 float Value) {
  void *At = address(Batch * Strides[0] + Head * Strides[1] +
                     Index * Strides[2] + Feature);
  if (Dtype == HEDDLE_F32)
    *static_cast<float *>(At) = Value;
  else
    *static_cast<uint16_t *>(At) = Dtype == HEDDLE_F16
                                       ? heddle_f32_to_f16(Value)
                                       : heddle_f32_to_bf16(Value);
}

std::vector<int64_t> Tensor::storedShape() const {
  std::vector<int64_t> Result(Shape.begin(), Shape.begin() + Rank);
  if (Stored != Layout::Bhsd)
    std::swap(Result[1], Result[2]);
  return Result;
}

heddle_tensor Tensor::handle() const {
  return {address(0), Dtype, Rank, Shape.data(), Strides.data()};
}

heddle_view Tensor::view() const {
  heddle_view Result = {};
  Result.data = address(0);
  for (size_t Axis = 0; Axis < 4; ++Axis) {
    Result.shape[Axis] = Shape[Axis];
    Result.stride[Axis] = Strides[Axis];
  }
  return Result;
}

void Tensor::fillNormal(uint64_t Seed) {
  if (size() == 0)
    return;
  uint64_t Row = 0;
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S, ++Row) {
        Mixer Random(Mixer(Seed ^ (Row << 8)).next());
        for (int64_t F = 0; F < Shape[3]; F += 2) {
          double First = 0, Second = 0;
          Random.normal(First, Second);
          set(B, H, S, F, static_cast<float>(First));
          if (F + 1 < Shape[3])
            set(B, H, S, F + 1, static_cast<float>(Second));
        }
      }
}
