// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16 (IEEE 754 binary16) and bf16 (the upper half of an f32) on hosts, by
// integer arithmetic without branches, so that loops over them become vectors.
// Every 16-bit number has exactly one f32; the way back rounds to nearest, ties
// to even, in that rounding mode, and keeps infinities and NaN.

#ifndef HEDDLE_HALF_H
#define HEDDLE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t heddle_f32_bits(float Value) {
  uint32_t Bits = 0;
  memcpy(&Bits, &Value, sizeof(Bits));
  return Bits;
}

static inline float heddle_f32_from_bits(uint32_t Bits) {
  float Value = 0;
  memcpy(&Value, &Bits, sizeof(Value));
  return Value;
}

static inline float heddle_f16_to_f32(uint16_t Half) {
  uint32_t Sign = (uint32_t)(Half & 0x8000U) << 16;
  uint32_t Magnitude = Half & 0x7fffU;
  uint32_t Normal = (Magnitude << 13) + (112U << 23);
  uint32_t Special = (Magnitude << 13) | 0x7f800000U;
  uint32_t Small = heddle_f32_bits((float)(int32_t)Magnitude * 0x1p-24F);
  uint32_t Bits = Magnitude < 0x400U    ? Small
                  : Magnitude < 0x7c00U ? Normal
                                        : Special;
  return heddle_f32_from_bits(Sign | Bits);
}

static inline uint16_t heddle_f32_to_f16(float Value) {
  uint32_t Bits = heddle_f32_bits(Value);
  uint32_t Sign = (Bits >> 16) & 0x8000U;
  uint32_t Magnitude = Bits & 0x7fffffffU;
  /* Rounding may carry into the exponent, up to infinity: that is right. */
  uint32_t Moved = Magnitude - (112U << 23);
  uint32_t Normal = (Moved + 0xfffU + ((Moved >> 13) & 1U)) >> 13;
  /* A half has the spacing of the smallest f16: the sum rounds to it. */
  uint32_t Small = heddle_f32_bits(heddle_f32_from_bits(Magnitude) + 0.5F) -
                   heddle_f32_bits(0.5F);
  uint32_t Nan = 0x7e00U | ((Magnitude >> 13) & 0x3ffU);
  uint32_t Half = Magnitude > 0x7f800000U    ? Nan
                  : Magnitude >= 0x47800000U ? 0x7c00U
                  : Magnitude >= 0x38800000U ? Normal
                                             : Small;
  return (uint16_t)(Sign | Half);
}

static inline float heddle_bf16_to_f32(uint16_t Half) {
  return heddle_f32_from_bits((uint32_t)Half << 16);
}

static inline uint16_t heddle_f32_to_bf16(float Value) {
  uint32_t Bits = heddle_f32_bits(Value);
  uint32_t Rounded = (Bits + 0x7fffU + ((Bits >> 16) & 1U)) >> 16;
  uint32_t Nan = (Bits >> 16) | 0x40U;
  return (uint16_t)((Bits & 0x7fffffffU) > 0x7f800000U ? Nan : Rounded);
}

#endif // HEDDLE_HALF_H
