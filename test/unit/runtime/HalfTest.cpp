// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "heddle/half.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <random>

namespace {

/// What the bits of a number with a sign, an exponent and a fraction mean.
double meaning(uint32_t Bits, int ExponentBits, int FractionBits) {
  int Bias = (1 << (ExponentBits - 1)) - 1;
  int Exponent =
      static_cast<int>(Bits >> FractionBits) & ((1 << ExponentBits) - 1);
  double Fraction =
      std::ldexp(Bits & ((1U << FractionBits) - 1), -FractionBits);
  double Magnitude = Exponent == 0 ? std::ldexp(Fraction, 1 - Bias)
                                   : std::ldexp(1 + Fraction, Exponent - Bias);
  if (Exponent == (1 << ExponentBits) - 1)
    Magnitude = Fraction == 0 ? INFINITY : NAN;
  return Bits >> (ExponentBits + FractionBits) ? -Magnitude : Magnitude;
}

struct Format {
  const char *Name;
  int ExponentBits, FractionBits;
  float (*Widen)(uint16_t);
  uint16_t (*Narrow)(float);

  double value(uint32_t Bits) const {
    return meaning(Bits, ExponentBits, FractionBits);
  }
};

const Format Formats[] = {
    {"f16", 5, 10, heddle_f16_to_f32, heddle_f32_to_f16},
    {"bf16", 8, 7, heddle_bf16_to_f32, heddle_f32_to_bf16}};

class Half : public testing::TestWithParam<Format> {};

INSTANTIATE_TEST_SUITE_P(Formats, Half, testing::ValuesIn(Formats),
                         [](const auto &Info) {
                           return std::string(Info.param.Name);
                         });

} // namespace

TEST_P(Half, EveryNumberSurvives) {
  const Format &F = GetParam();
  for (uint32_t Bits = 0; Bits < 0x10000; ++Bits) {
    auto Half = static_cast<uint16_t>(Bits);
    double Want = F.value(Bits);
    float Got = F.Widen(Half);
    if (std::isnan(Want)) {
      EXPECT_TRUE(std::isnan(Got));
      EXPECT_TRUE(std::isnan(F.value(F.Narrow(Got))));
      continue;
    }
    EXPECT_EQ(static_cast<double>(Got), Want);
    EXPECT_EQ(std::signbit(Got), std::signbit(Want));
    EXPECT_EQ(F.Narrow(Got), Half);
  }
}

TEST_P(Half, RoundsToNearestTiesToEven) {
  const Format &F = GetParam();
  uint32_t Infinite = ((1U << F.ExponentBits) - 1) << F.FractionBits;
  for (uint32_t Bits = 0; Bits + 1 < Infinite; ++Bits) {
    auto Low = static_cast<float>(F.value(Bits));
    auto High = static_cast<float>(F.value(Bits + 1));
    // Exact: there are bits to spare between two neighbours.
    float Middle = Low + (High - Low) / 2;
    if (Middle == Low || Middle == High)
      continue;
    EXPECT_EQ(F.Narrow(Middle), Bits + Bits % 2);
    EXPECT_EQ(F.Narrow(-Middle), (Bits + Bits % 2) | 0x8000U);
    EXPECT_EQ(F.Narrow(std::nextafter(Middle, 0.0F)), Bits);
    EXPECT_EQ(F.Narrow(std::nextafter(Middle, FLT_MAX)), Bits + 1);
  }
}

TEST_P(Half, OverflowsToInfinity) {
  const Format &F = GetParam();
  uint32_t Infinite = ((1U << F.ExponentBits) - 1) << F.FractionBits;
  double Largest = F.value(Infinite - 1);
  // Half a step beyond the largest number is where rounding leaves it.
  double Edge = Largest + (Largest - F.value(Infinite - 2)) / 2;
  EXPECT_EQ(F.Narrow(std::nextafter(static_cast<float>(Edge), 0.0F)),
            Infinite - 1);
  EXPECT_EQ(F.Narrow(static_cast<float>(Edge)), Infinite);
  EXPECT_EQ(F.Narrow(FLT_MAX), Infinite);
  EXPECT_EQ(F.Narrow(INFINITY), Infinite);
  EXPECT_EQ(F.Narrow(-INFINITY), Infinite | 0x8000U);
  EXPECT_EQ(F.Narrow(0.0F), 0);
  EXPECT_EQ(F.Narrow(-0.0F), 0x8000U);
}

TEST_P(Half, RandomNumbersGoToTheNearest) {
  const Format &F = GetParam();
  std::mt19937 Random(5);
  for (int Draw = 0; Draw < 200000; ++Draw) {
    float X = heddle_f32_from_bits(static_cast<uint32_t>(Random()));
    uint16_t Got = F.Narrow(X);
    if (std::isnan(X)) {
      EXPECT_TRUE(std::isnan(F.value(Got)));
      continue;
    }
    double Error = std::fabs(F.value(Got) - double(X));
    if (std::isinf(F.value(Got)))
      continue;
    uint32_t Magnitude = Got & 0x7fffU;
    for (uint32_t Other : {Magnitude - 1, Magnitude + 1}) {
      double Value = F.value((Got & 0x8000U) | Other);
      if (Other < 0x8000U && std::isfinite(Value)) {
        EXPECT_LE(Error, std::fabs(Value - double(X)));
      }
    }
  }
}
