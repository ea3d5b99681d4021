// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Convert.h"

#include <algorithm>

namespace heddle::ptx {

namespace {

constexpr int DoubleMantissa = 52, DoubleBias = 1023;

/// The magnitude of the canonical NaN.
uint32_t quietNan(const FloatFormat &Format) {
  return (uint32_t(1) << (Format.bits() - 1)) - 1;
}

/// The magnitude of the largest finite number.
uint32_t largest(const FloatFormat &Format) {
  return Format.Ieee
             ? (((uint32_t(1) << Format.Exponent) - 1) << Format.Mantissa) - 1
             : quietNan(Format) - 1;
}

/// Whether a magnitude whose kept part is odd or not, of which `rest` was cut
/// off (`half` is half of the last kept bit), is raised by one.
bool raises(uint64_t Rest, uint64_t Half, bool Odd, bool Negative,
            Rounding Round) {
  switch (Round) {
  case Rounding::Nearest:
    return Rest > Half || (Rest == Half && Odd);
  case Rounding::NearestAway:
    return Rest >= Half;
  case Rounding::Zero:
    return false;
  case Rounding::Down:
    return Negative && Rest != 0;
  case Rounding::Up:
    return !Negative && Rest != 0;
  }
  return false;
}

/// Whether a finite value too large for the format becomes an infinity.
bool overflows(bool Negative, Rounding Round) {
  switch (Round) {
  case Rounding::Nearest:
  case Rounding::NearestAway:
    return true;
  case Rounding::Zero:
    return false;
  case Rounding::Down:
    return Negative;
  case Rounding::Up:
    return !Negative;
  }
  return true;
}

} // namespace

uint32_t encode(double Value, const FloatFormat &Format,
                ConvertOptions Options) {
  uint64_t Bits = bitsAs<uint64_t>(Value);
  bool Negative = Bits >> 63;
  int Exponent = int(Bits >> DoubleMantissa) & 0x7ff;
  uint64_t Fraction = Bits & ((uint64_t(1) << DoubleMantissa) - 1);
  uint32_t Sign = uint32_t(Negative) << (Format.bits() - 1);
  if (Exponent == 0x7ff && Fraction)
    return quietNan(Format);
  if (Options.Relu && Negative)
    return 0;
  if (Options.Ftz && Exponent - DoubleBias < -126)
    return Sign;
  bool Saturates = Options.SatFinite || !Format.Ieee;
  uint32_t TooLarge = Saturates ? largest(Format) : largest(Format) + 1;
  if (Exponent == 0x7ff)
    return Sign | TooLarge;
  if (Exponent == 0) // zero, or a double below every format's last bit
    return Sign |
           uint32_t(raises(Fraction != 0, 2, false, Negative, Options.Round));

  // The bits below the mantissa of the result; more of them where the result
  // is subnormal, at most all (then half of the last bit is above them).
  uint64_t Mantissa = Fraction | (uint64_t(1) << DoubleMantissa);
  int Unbiased = Exponent - DoubleBias, Lowest = 1 - Format.bias();
  int Cut = DoubleMantissa - Format.Mantissa + std::max(0, Lowest - Unbiased);
  Cut = std::min(Cut, DoubleMantissa + 2);
  uint64_t Kept = Mantissa >> Cut, Rest = Mantissa & ((uint64_t(1) << Cut) - 1),
           Half = uint64_t(1) << (Cut - 1);
  Kept += raises(Rest, Half, Kept & 1, Negative, Options.Round);
  // The implicit bit of a normal number adds one to the exponent field, and a
  // carry out of the mantissa another, wherever the number lay before.
  int64_t Biased = int64_t(std::max(Unbiased, Lowest)) - Lowest;
  uint64_t Magnitude = (uint64_t(Biased) << Format.Mantissa) + Kept;
  if (Magnitude > largest(Format)) {
    bool ToInfinity = overflows(Negative, Options.Round);
    return Sign | (ToInfinity ? TooLarge : largest(Format));
  }
  return Sign | uint32_t(Magnitude);
}

double decode(uint32_t Bits, const FloatFormat &Format) {
  uint64_t Sign = uint64_t((Bits >> (Format.bits() - 1)) & 1) << 63;
  uint32_t Magnitude = Bits & quietNan(Format);
  uint32_t Exponent = Magnitude >> Format.Mantissa;
  uint32_t Fraction = Magnitude & ((uint32_t(1) << Format.Mantissa) - 1);
  auto Signed = [&](double X) {
    return bitsAs<double>(bitsAs<uint64_t>(X) | Sign);
  };
  if (Magnitude > largest(Format)) {
    bool Infinite = Format.Ieee && Fraction == 0;
    return bitsAs<double>((uint64_t(0x7ff) << DoubleMantissa) |
                          (Infinite ? 0 : uint64_t(1) << 51) | Sign);
  }
  auto Power = [](int N) {
    return bitsAs<double>(uint64_t(N + DoubleBias) << DoubleMantissa);
  };
  int Last =
      1 - Format.bias() - Format.Mantissa; // of the last bit of a subnormal
  if (Exponent == 0)
    return Signed(double(Fraction) * Power(Last));
  return Signed(double(Fraction | (uint32_t(1) << Format.Mantissa)) *
                Power(Last + int(Exponent) - 1));
}

} // namespace heddle::ptx
