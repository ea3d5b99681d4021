// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/View.h"

#include "llvm/ADT/bit.h"

#include <cmath>
#include <limits>

using namespace heddle::attn;

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits.
static double widenHalf(uint16_t Bits) {
  const int Exponent = Bits >> 10 & 0x1f;
  const int Fraction = Bits & 0x3ff;
  double Magnitude = 0;
  if (Exponent == 0x1f)
    Magnitude = Fraction ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
  else if (Exponent == 0)
    Magnitude = std::ldexp(Fraction, -24);
  else
    Magnitude = std::ldexp(Fraction + 0x400, Exponent - 25);
  return Bits & 0x8000 ? -Magnitude : Magnitude;
}

double heddle::attn::widen(const void *Data, heddle_dtype Type,
                           int64_t Offset) {
  switch (Type) {
  case HEDDLE_F16:
    return widenHalf(static_cast<const uint16_t *>(Data)[Offset]);
  case HEDDLE_BF16: {
    const uint32_t Bits = static_cast<const uint16_t *>(Data)[Offset];
    return static_cast<double>(llvm::bit_cast<float>(Bits << 16));
  }
  default:
    return static_cast<double>(static_cast<const float *>(Data)[Offset]);
  }
}

void heddle::attn::widenRow(const heddle_view &View, heddle_dtype Type,
                            int64_t B, int64_t H, int64_t I, double *Out) {
  const int64_t First = rowOffset(View, B, H, I);
  for (int64_t T = 0; T < View.shape[3]; ++T)
    Out[T] = widen(View.data, Type, First + T * View.stride[3]);
}

std::vector<double> heddle::attn::widenHead(const heddle_view &View,
                                            heddle_dtype Type, int64_t B,
                                            int64_t H) {
  const int64_t Rows = countRows(View, B);
  std::vector<double> Out(static_cast<size_t>(Rows * View.shape[3]));
  if (!Out.empty())
    for (int64_t I = 0; I < Rows; ++I)
      widenRow(View, Type, B, H, I, Out.data() + I * View.shape[3]);
  return Out;
}
