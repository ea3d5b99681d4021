// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "MergeRow.h"
#include "heddle/abi.h"
#include "heddle/half.h"

#include <algorithm>
#include <cmath>

using namespace heddle;
using namespace heddle::runtime;

/// Sum += Weight * row, `Read` making f32 of an element.
template <typename T, typename Widen>
static void addScaled(float *Sum, const T *Row, int64_t Count, float Weight,
                      Widen Read) {
  for (int64_t I = 0; I < Count; ++I)
    Sum[I] += Weight * Read(Row[I]);
}

static void addRow(float *Sum, const PartialRow &Part, int64_t Count,
                   float Weight) {
  if (Part.Dtype == HEDDLE_F32)
    addScaled(Sum, static_cast<const float *>(Part.Values), Count, Weight,
              [](float X) { return X; });
  else if (Part.Dtype == HEDDLE_F16)
    addScaled(Sum, static_cast<const uint16_t *>(Part.Values), Count, Weight,
              heddle_f16_to_f32);
  else
    addScaled(Sum, static_cast<const uint16_t *>(Part.Values), Count, Weight,
              heddle_bf16_to_f32);
}

static void storeRow(const float *Sum, int64_t Count, void *Out,
                     int32_t Dtype) {
  if (Dtype == HEDDLE_F32) {
    std::copy_n(Sum, Count, static_cast<float *>(Out));
    return;
  }
  auto *Row = static_cast<uint16_t *>(Out);
  if (Dtype == HEDDLE_F16)
    std::transform(Sum, Sum + Count, Row, heddle_f32_to_f16);
  else
    std::transform(Sum, Sum + Count, Row, heddle_f32_to_bf16);
}

float runtime::mergeByLse(PartialRow *Parts, size_t Count, int64_t Width,
                          float *Sum, void *Out, int32_t Dtype) {
  double Max = -INFINITY, Total = 0, Lse = -INFINITY;
  bool Empty = true;
  for (size_t P = 0; P < Count; ++P) {
    Empty &= Parts[P].Weight == -INFINITY;
    Max = std::max(Max, Parts[P].Weight);
  }
  std::fill_n(Sum, Width, 0.0F);
  if (!Empty) {
    // A NaN spreads by way of its weight.
    for (size_t P = 0; P < Count; ++P)
      Total += Parts[P].Weight = std::exp(Parts[P].Weight - Max);
    Lse = Max + std::log(Total);
    for (size_t P = 0; P < Count; ++P) {
      auto Weight = static_cast<float>(Parts[P].Weight / Total);
      // A part without keys counts nothing, whatever its values.
      if (Weight != 0)
        addRow(Sum, Parts[P], Width, Weight);
    }
  }
  storeRow(Sum, Width, Out, Dtype);
  return static_cast<float>(Lse);
}

void runtime::mergeBySum(const PartialRow *Parts, size_t Count, int64_t Width,
                         float *Sum, void *Out, int32_t Dtype) {
  std::fill_n(Sum, Width, 0.0F);
  for (size_t P = 0; P < Count; ++P)
    addRow(Sum, Parts[P], Width, 1.0F);
  storeRow(Sum, Width, Out, Dtype);
}
