// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_CONVERT_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_CONVERT_H

#include "codegen/nv/emulation/semantics/Warp.h"

namespace heddle::ptx {

/// How a value that the result cannot hold is rounded (PTX ISA, Rounding
/// Modifiers, and cvt): to nearest even, to nearest with ties away from zero,
/// towards zero, towards minus and towards plus infinity.
enum class Rounding { Nearest, NearestAway, Zero, Down, Up };

/// A floating-point format of at most 32 bits: sign, exponent, mantissa, from
/// high to low.
struct FloatFormat {
  int Exponent; ///< bits of the exponent field
  int Mantissa; ///< bits of the mantissa field
  /// Whether the format has infinities and a whole exponent of NaNs, as IEEE
  /// 754 says. e4m3 has neither: only the magnitude 0x7f is a NaN.
  bool Ieee = true;

  int bits() const { return 1 + Exponent + Mantissa; }
  int bias() const { return (1 << (Exponent - 1)) - 1; }
};

// PTX ISA, Fundamental Types, Alternate Floating-Point Data Formats. A tf32
// number lies in a 32-bit register like an f32 whose low 13 bits are not used;
// its format here ends with its last mantissa bit.
constexpr FloatFormat F16Format{5, 10};
constexpr FloatFormat BF16Format{8, 7};
constexpr FloatFormat TF32Format{8, 10};
constexpr FloatFormat F32Format{8, 23};
constexpr FloatFormat E4M3Format{4, 3, /*Ieee=*/false};
constexpr FloatFormat E5M2Format{5, 2};

/// What cvt may do besides rounding (PTX ISA, cvt).
struct ConvertOptions {
  Rounding Round = Rounding::Nearest;
  /// .satfinite: a NaN gives the canonical NaN, and what is too large in
  /// magnitude gives the largest finite number of its sign. Formats without
  /// infinities are always converted so.
  bool SatFinite = false;
  /// .relu: what is negative gives +0; a NaN stays one.
  bool Relu = false;
  /// .ftz: a subnormal f32 input counts as zero of its sign.
  bool Ftz = false;
};

/// The bits of `value` in `format`. Exact for every double: a conversion from
/// f32 or f16 goes through the exact double. A NaN gives the canonical NaN of
/// the format, all bits but the sign.
uint32_t encode(double Value, const FloatFormat &Format,
                ConvertOptions Options = {});

/// The value that `bits` mean in `format`; exact.
double decode(uint32_t Bits, const FloatFormat &Format);

inline uint16_t toF16(float Value, ConvertOptions Options = {}) {
  return uint16_t(encode(Value, F16Format, Options));
}
inline uint16_t toBF16(float Value, ConvertOptions Options = {}) {
  return uint16_t(encode(Value, BF16Format, Options));
}
/// cvt.*.tf32.f32: the register, low 13 bits zero.
inline uint32_t toTF32(float Value, ConvertOptions Options = {}) {
  return encode(Value, TF32Format, Options) << 13;
}
/// cvt.*.f32.f64 and the f32 arithmetic with rounding modes: f64 to f32.
inline float toF32(double Value, ConvertOptions Options = {}) {
  return bitsAs<float>(encode(Value, F32Format, Options));
}

/// f16 to f32; exact, and free of floating-point state. In the header: the
/// loops of the matrix products vectorise it.
inline float fromF16(uint16_t Bits) {
  uint32_t Sign = uint32_t(Bits & 0x8000) << 16, Magnitude = Bits & 0x7fff;
  // 2^-24 times an integer is a normal f32.
  uint32_t Subnormal = bitsAs<uint32_t>(float(int32_t(Magnitude)) * 0x1p-24F);
  uint32_t Normal = (Magnitude << 13) + (uint32_t(127 - 15) << 23);
  uint32_t Special = (Magnitude << 13) + (uint32_t(255 - 31) << 23);
  uint32_t Result = Magnitude < 0x400    ? Subnormal
                    : Magnitude < 0x7c00 ? Normal
                                         : Special;
  return bitsAs<float>(Result | Sign);
}
inline float fromBF16(uint16_t Bits) {
  return bitsAs<float>(uint32_t(Bits) << 16);
}
/// What a tensor core reads of a tf32 operand.
inline float fromTF32(uint32_t Bits) {
  return bitsAs<float>(Bits & ~uint32_t(0x1fff));
}

} // namespace heddle::ptx

#endif
