// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floating-point formats as elements of registers: what is stored, what is
// computed with, and the way between.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_FORMATS_H
#define HEDDLE_CODEGEN_NV_EMULATION_FORMATS_H

#include "codegen/nv/emulation/Lanes.h"
#include "codegen/nv/emulation/semantics/Convert.h"

#include <cmath>

namespace heddle::ptx {

/// f32 to f16, to nearest even; a NaN gives 0x7fff. Free of branches, so that
/// loops over lanes are vectorised.
inline uint16_t nearestF16(float Value) {
  uint32_t Bits = bitsAs<uint32_t>(Value), Sign = Bits >> 16 & 0x8000;
  uint32_t Magnitude = Bits & 0x7fffffff;
  // Subnormal results: adding 0.5 moves the last bit of the f16 to that of the
  // f32, and the addition rounds.
  uint32_t Subnormal =
      bitsAs<uint32_t>(bitsAs<float>(Magnitude) + 0.5F) - 0x3f000000;
  uint32_t Normal =
      (Magnitude - 0x38000000 + 0xfff + (Magnitude >> 13 & 1)) >> 13;
  uint32_t Out = Magnitude < 0x38800000 ? Subnormal : Normal;
  Out = Magnitude >= 0x477ff000 ? 0x7c00 : Out;
  Out |= Sign;
  return uint16_t(Magnitude > 0x7f800000 ? 0x7fff : Out);
}

inline uint16_t nearestBF16(float Value) {
  uint32_t Bits = bitsAs<uint32_t>(Value);
  uint32_t Out = (Bits + 0x7fff + (Bits >> 16 & 1)) >> 16;
  return uint16_t((Bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : Out);
}

/// Stored: the element in a register. Value: what arithmetic is done with; one
/// operation in it rounds to the right result.
struct FormatF32 {
  using Stored = float;
  using Value = float;
  using Bits = uint32_t;
  static float load(float X) { return X; }
  static float store(float X) { return X; }
  static float fma(float A, float B, float C) { return std::fma(A, B, C); }
};
struct FormatF64 {
  using Stored = double;
  using Value = double;
  using Bits = uint64_t;
  static double load(double X) { return X; }
  static double store(double X) { return X; }
  static double fma(double A, double B, double C) { return std::fma(A, B, C); }
};

/// A + B, where a result that is not exact is the neighbour with an odd last
/// bit: rounding it again to far fewer bits rounds like the exact sum.
inline double addToOdd(double A, double B) {
  double Sum = A + B, Of = Sum - A, Rest = (A - (Sum - Of)) + (B - Of);
  auto Bits = bitsAs<uint64_t>(Sum);
  if (std::isfinite(Sum) && Rest != 0 && !(Bits & 1))
    Bits += (Rest > 0) == (Sum > 0) ? 1 : -1;
  return bitsAs<double>(Bits);
}

struct FormatF16 {
  using Stored = uint16_t;
  using Value = float;
  using Bits = uint16_t;
  static float load(uint16_t X) { return fromF16(X); }
  static uint16_t store(float X) { return nearestF16(X); }
  static uint16_t fmaStored(float A, float B, float C) {
    return uint16_t(encode(addToOdd(double(A) * B, C), F16Format));
  }
};
struct FormatBF16 {
  using Stored = uint16_t;
  using Value = float;
  using Bits = uint16_t;
  static float load(uint16_t X) { return fromBF16(X); }
  static uint16_t store(float X) { return nearestBF16(X); }
  static uint16_t fmaStored(float A, float B, float C) {
    return uint16_t(encode(addToOdd(double(A) * B, C), BF16Format));
  }
};

template <typename Format>
inline constexpr bool IsNarrow = sizeof(typename Format::Stored) == 2;

/// PTX's NaN: all bits but the sign.
template <typename Format> typename Format::Stored canonicalNan() {
  using Bits = typename Format::Bits;
  return bitsAs<typename Format::Stored>(Bits(Bits(~Bits(0)) >> 1));
}

/// A subnormal number becomes zero of its sign.
inline float flush(float X) {
  uint32_t Bits = bitsAs<uint32_t>(X);
  return bitsAs<float>(Bits & 0x7f800000 ? Bits : Bits & 0x80000000);
}
inline double flush(double X) { return X; }
inline uint16_t flushF16(uint16_t X) { return X & 0x7c00 ? X : X & 0x8000; }

/// What modifiers ask of an operation on floats (in Inst::Flags).
enum FloatFlag : uint8_t {
  Ftz = 1,
  Saturate = 2,
  Relu = 4,
  KeepNan = 8, ///< .NaN of min and max
};

/// Takes .ftz, .sat, .relu and .NaN into the flags and returns whether there
/// was one. Rounding modes: takeRounding.
bool takeFloatFlags(Decoder &D);
/// .rn (also when there is none), .rz, .rm, .rp.
Rounding takeRounding(Decoder &D);

/// Make<Format>::Run for a float type that is not packed; null for others.
template <template <typename> class Make> Handler forFloat(Type Of) {
  if (!Of.isFloat() || Of.Packed)
    return nullptr;
  if (Of.Class == TypeClass::Brain)
    return Make<FormatBF16>::Run;
  return Of.Width == 16   ? Make<FormatF16>::Run
         : Of.Width == 32 ? Make<FormatF32>::Run
                          : Make<FormatF64>::Run;
}
/// For packed types, by their elements.
template <template <typename> class Make> Handler forPacked(Type Of) {
  if (!Of.isFloat() || !Of.Packed)
    return nullptr;
  if (Of.Class == TypeClass::Brain)
    return Make<FormatBF16>::Run;
  return Of.Width == 32 ? Make<FormatF16>::Run : Make<FormatF32>::Run;
}

} // namespace heddle::ptx

#endif
