// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace heddle::ptx;

namespace {

/// The number that a bit pattern means, by the definition of the formats: sign,
/// 2^(exponent field - bias), 1 + mantissa field / 2^mantissa bits.
double meaning(uint32_t Bits, int ExponentBits, int MantissaBits, bool Ieee) {
  int Bias = (1 << (ExponentBits - 1)) - 1, Top = (1 << ExponentBits) - 1;
  int Exponent = int(Bits >> MantissaBits) & Top;
  double Fraction =
      double(Bits & ((1U << MantissaBits) - 1)) / std::ldexp(1.0, MantissaBits);
  double Sign = (Bits >> (ExponentBits + MantissaBits)) & 1 ? -1 : 1;
  if (Ieee && Exponent == Top)
    return Fraction != 0 ? std::nan("")
                         : Sign * std::numeric_limits<double>::infinity();
  if (!Ieee && Exponent == Top &&
      Fraction == 1 - std::ldexp(1.0, -MantissaBits))
    return std::nan("");
  return Exponent == 0 ? Sign * std::ldexp(Fraction, 1 - Bias)
                       : Sign * std::ldexp(1 + Fraction, Exponent - Bias);
}

/// All finite numbers of a format that are not negative, in rising order.
std::vector<double> finite(int ExponentBits, int MantissaBits, bool Ieee) {
  std::vector<double> Values;
  for (uint32_t Bits = 0; Bits < 1U << (ExponentBits + MantissaBits); ++Bits)
    if (double Value = meaning(Bits, ExponentBits, MantissaBits, Ieee);
        std::isfinite(Value))
      Values.push_back(Value);
  return Values;
}

struct Case {
  const char *Name;
  FloatFormat Format;
  int Exponent, Mantissa;
  bool Ieee;
};
const Case Cases[] = {{"f16", F16Format, 5, 10, true},
                      {"bf16", BF16Format, 8, 7, true},
                      {"e4m3", E4M3Format, 4, 3, false},
                      {"e5m2", E5M2Format, 5, 2, true}};

/// The two numbers of the format around x >= 0 give every rounding.
uint32_t expected(const std::vector<double> &Values, double X, Rounding Round,
                  bool Negative, bool Saturates) {
  size_t Above = size_t(std::lower_bound(Values.begin(), Values.end(), X) -
                        Values.begin());
  if (Above < Values.size() && Values[Above] == X)
    return uint32_t(Above);
  // One step above the largest number stands for infinity.
  double Last = Values.back(),
         Next = Above < Values.size()
                    ? Values[Above]
                    : Last + (Last - Values[Values.size() - 2]);
  if (Above > Values.size() - 1 && X > Next)
    X = Next;
  double Middle = (Values[Above - 1] + Next) / 2;
  bool Up = false;
  switch (Round) {
  case Rounding::Nearest:
    Up = X > Middle || (X == Middle && Above % 2 == 0);
    break;
  case Rounding::NearestAway:
    Up = X >= Middle;
    break;
  case Rounding::Zero:
    break;
  case Rounding::Down:
    Up = Negative;
    break;
  case Rounding::Up:
    Up = !Negative;
    break;
  }
  size_t Result = Up ? Above : Above - 1;
  return uint32_t(Saturates ? std::min(Result, Values.size() - 1) : Result);
}

const Rounding Roundings[] = {Rounding::Nearest, Rounding::NearestAway,
                              Rounding::Zero, Rounding::Down, Rounding::Up};

TEST(Convert, DecodesEveryPattern) {
  for (const Case &C : Cases)
    for (uint32_t Bits = 0; Bits < 2U << (C.Exponent + C.Mantissa); ++Bits) {
      double Is = decode(Bits, C.Format),
             Should = meaning(Bits, C.Exponent, C.Mantissa, C.Ieee);
      if (std::isnan(Should))
        EXPECT_TRUE(std::isnan(Is)) << C.Name << " " << Bits;
      else
        EXPECT_EQ(bitsAs<uint64_t>(Is), bitsAs<uint64_t>(Should))
            << C.Name << " " << Bits;
    }
}

TEST(Convert, FastDecodersAgree) {
  for (uint32_t Bits = 0; Bits < 65536; ++Bits) {
    double Half = meaning(Bits, 5, 10, true), Brain = meaning(Bits, 8, 7, true);
    if (std::isnan(Half))
      EXPECT_TRUE(std::isnan(fromF16(uint16_t(Bits)))) << Bits;
    else
      EXPECT_EQ(bitsAs<uint32_t>(fromF16(uint16_t(Bits))),
                bitsAs<uint32_t>(float(Half)))
          << Bits;
    if (std::isnan(Brain))
      EXPECT_TRUE(std::isnan(fromBF16(uint16_t(Bits)))) << Bits;
    else
      EXPECT_EQ(bitsAs<uint32_t>(fromBF16(uint16_t(Bits))),
                bitsAs<uint32_t>(float(Brain)))
          << Bits;
  }
}

// Every number of a format, the middle to the next one, and both neighbours of
// that middle: all places where the result changes.
TEST(Convert, RoundsAroundEveryNumber) {
  for (const Case &C : Cases) {
    std::vector<double> Values = finite(C.Exponent, C.Mantissa, C.Ieee);
    uint32_t SignBit = 1U << (C.Exponent + C.Mantissa);
    for (size_t I = 0; I < Values.size(); ++I) {
      double Next =
          I + 1 < Values.size() ? Values[I + 1] : 2 * Values[I] - Values[I - 1];
      double Middle = (Values[I] + Next) / 2;
      for (double X : {Values[I], std::nextafter(Values[I], Next),
                       std::nextafter(Middle, 0.0), Middle,
                       std::nextafter(Middle, Next), std::nextafter(Next, 0.0)})
        for (Rounding Round : Roundings)
          for (bool Negative : {false, true})
            for (bool Sat : {false, true}) {
              ConvertOptions Options;
              Options.Round = Round;
              Options.SatFinite = Sat;
              uint32_t Should =
                  expected(Values, X, Round, Negative, Sat || !C.Ieee) |
                  (Negative ? SignBit : 0);
              ASSERT_EQ(encode(Negative ? -X : X, C.Format, Options), Should)
                  << C.Name << " of " << X << " rounding " << int(Round)
                  << " negative " << Negative << " sat " << Sat;
            }
    }
  }
}

TEST(Convert, LargeAndSpecial) {
  double Infinity = std::numeric_limits<double>::infinity();
  ConvertOptions Sat, Relu, Zero, Down, Up;
  Sat.SatFinite = true;
  Relu.Relu = true;
  Zero.Round = Rounding::Zero;
  Down.Round = Rounding::Down;
  Up.Round = Rounding::Up;
  for (double Large : {1e10, 3e38, 1e300}) {
    EXPECT_EQ(encode(Large, F16Format), 0x7c00U);
    EXPECT_EQ(encode(-Large, F16Format), 0xfc00U);
    EXPECT_EQ(encode(Large, F16Format, Sat), 0x7bffU);
    EXPECT_EQ(encode(Large, F16Format, Zero), 0x7bffU);
    EXPECT_EQ(encode(Large, F16Format, Down), 0x7bffU);
    EXPECT_EQ(encode(-Large, F16Format, Down), 0xfc00U);
    EXPECT_EQ(encode(-Large, F16Format, Up), 0xfbffU);
    EXPECT_EQ(encode(Large, E4M3Format), 0x7eU);
    EXPECT_EQ(encode(Large, E5M2Format, Sat), 0x7bU);
  }
  EXPECT_EQ(encode(Infinity, F16Format), 0x7c00U);
  EXPECT_EQ(encode(-Infinity, BF16Format), 0xff80U);
  EXPECT_EQ(encode(Infinity, F16Format, Sat), 0x7bffU);
  EXPECT_EQ(encode(std::nan(""), F16Format), 0x7fffU);
  EXPECT_EQ(encode(std::nan(""), BF16Format, Sat), 0x7fffU);
  EXPECT_EQ(encode(std::nan(""), E4M3Format), 0x7fU);
  EXPECT_EQ(encode(std::nan(""), F16Format, Relu), 0x7fffU);
  EXPECT_EQ(encode(-1.5, F16Format, Relu), 0U);
  EXPECT_EQ(encode(-0.0, F16Format, Relu), 0U);
  EXPECT_EQ(encode(-Infinity, F16Format, Relu), 0U);
  EXPECT_EQ(encode(-0.0, F16Format), 0x8000U);
  // The smallest f64 numbers are above zero to a directed rounding only.
  EXPECT_EQ(encode(5e-324, F16Format), 0U);
  EXPECT_EQ(encode(5e-324, F16Format, Up), 1U);
  EXPECT_EQ(encode(-5e-324, F16Format, Down), 0x8001U);
}

TEST(Convert, FlushesSubnormalInputs) {
  ConvertOptions Ftz;
  Ftz.Ftz = true;
  Ftz.Round = Rounding::Up;
  EXPECT_EQ(toBF16(0x1p-127F, Ftz), 0U);
  EXPECT_EQ(toBF16(-0x1p-127F, Ftz), 0x8000U);
  EXPECT_EQ(toBF16(0x1p-126F, Ftz), 0x0080U);
  EXPECT_EQ(toBF16(0x1p-127F), 0x0040U);
}

TEST(Convert, WideFormatsAgreeWithTheHost) {
  std::mt19937_64 Random(7);
  int Unused = 0;
  for (int I = 0; I < 200000; ++I) {
    auto X = bitsAs<double>(Random());
    if (std::isnan(X))
      continue;
    if (I % 2) // most of the f64 range is beyond f32
      X = std::ldexp(std::frexp(X, &Unused), int(Random() % 300) - 150);
    EXPECT_EQ(bitsAs<uint32_t>(toF32(X)), bitsAs<uint32_t>(float(X))) << X;
    // tf32: the same sign, exponent and ten mantissa bits.
    auto Single = float(X);
    if (!std::isfinite(Single))
      continue;
    ConvertOptions Zero, Away;
    Zero.Round = Rounding::Zero;
    Away.Round = Rounding::NearestAway;
    uint32_t Bits = bitsAs<uint32_t>(Single);
    EXPECT_EQ(toTF32(Single, Zero), Bits & 0xffffe000U) << Single;
    EXPECT_EQ(toTF32(Single, Away), (Bits + 0x1000) & 0xffffe000U) << Single;
    EXPECT_EQ(toTF32(Single), (Bits + 0xfff + ((Bits >> 13) & 1)) & 0xffffe000U)
        << Single;
    EXPECT_EQ(bitsAs<uint32_t>(fromTF32(Bits)), Bits & 0xffffe000U);
  }
}

} // namespace
