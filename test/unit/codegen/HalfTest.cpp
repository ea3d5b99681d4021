// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16 and bf16 elements in memory, at every level of this machine: with
// instructions for them and without.

#include "KernelSupport.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace heddle;

namespace {

/// A format with so many bits of fraction and exponents from `Least` on, those
/// of 2^`Top` and above being infinite.
struct Format {
  const char *Name;
  int Fraction, Least, Top;

  double widen(uint16_t Bits) const {
    int Exponent = (Bits & 0x7fff) >> Fraction;
    int Rest = Bits & ((1 << Fraction) - 1);
    double Size;
    if (Exponent == (0x7fff >> Fraction))
      Size = Rest ? std::nan("") : INFINITY;
    else if (Exponent == 0)
      Size = std::ldexp(Rest, Least - Fraction);
    else
      Size =
          std::ldexp((1 << Fraction) + Rest, Exponent - 1 + Least - Fraction);
    return (Bits & 0x8000) ? -Size : Size;
  }

  /// Rounded to nearest, ties to even.
  double round(double X) const {
    if (std::isnan(X) || std::isinf(X) || X == 0)
      return X;
    double Unit = std::ldexp(1.0, std::max(std::ilogb(X), Least) - Fraction);
    double Rounded = std::nearbyint(X / Unit) * Unit;
    return std::fabs(Rounded) >= std::ldexp(1.0, Top)
               ? std::copysign(INFINITY, X)
               : Rounded;
  }
};

constexpr Format Formats[] = {{"f16", 10, -14, 16}, {"bf16", 7, -126, 128}};

/// The same number, NaN being one, the sign of zero telling zeros apart.
bool same(double X, double Y) {
  if (std::isnan(X) || std::isnan(Y))
    return std::isnan(X) && std::isnan(Y);
  return X == Y && std::signbit(X) == std::signbit(Y);
}

float fromBits(uint32_t Bits) {
  float X;
  std::memcpy(&X, &Bits, sizeof(X));
  return X;
}

} // namespace

TEST(Half, EveryValueIsWidenedExactly) {
  for (const std::string &Level : hostLevels())
    for (const Format &F : Formats) {
      LoadedKernel Kernel(Level,
                          std::string("8x") + F.Name + ";8xf32;8xf32;8xf32", "",
                          std::string(R"(
  %c8 = arith.constant 8 : index
  %row = arith.muli %tile, %c8 : index
  %t = tile.load %q[%b, %h, %row] : !attn.view<8x)") +
                              F.Name + R"(> -> tensor<8x8xf32>
  tile.store %t, %o[%b, %h, %row] : tensor<8x8xf32>, !attn.view<8xf32>
  return)");
      ASSERT_TRUE(Kernel);
      Data<uint16_t> From(1, 1, 8192, 8);
      for (size_t I = 0; I < From.Elements.size(); ++I)
        From.Elements[I] = static_cast<uint16_t>(I);
      Data<float> To(1, 1, 8192, 8);
      Arguments A;
      A.Args.q = From.view();
      A.Args.o = To.view();
      for (int64_t Tile = 0; Tile < 1024; ++Tile)
        Kernel.run(A.Args, 0, 0, Tile);
      for (uint32_t I = 0; I < 65536; ++I)
        ASSERT_TRUE(same(To.Elements[I], F.widen(static_cast<uint16_t>(I))))
            << Level << " " << F.Name << " " << I << ": " << To.Elements[I];
    }
}

// Keys are widened row by row, many elements at a time: a product with rows of
// the identity gives them back. Widths with and without a remainder.
TEST(Half, RowsOfKeysAreWidenedExactly) {
  for (const std::string &Level : hostLevels())
    for (const Format &F : Formats)
      for (int64_t Width : {1, 7, 8, 37}) {
        std::string W = std::to_string(Width);
        std::string View = W + "x" + F.Name;
        LoadedKernel Kernel(
            Level, W + "xf32;" + View + ";" + View + ";16xf32", "",
            "  %x = tile.load %q[%b, %h, %tile] : !attn.view<" + W +
                "xf32> -> tensor<" + W + "x" + W +
                "xf32>\n"
                "  %y = tile.load %k[%b, %h, %tile] : !attn.view<" +
                View + "> -> tensor<16x" + W +
                "xf32>\n"
                "  %s = tile.scores %x, %y : tensor<" +
                W + "x" + W + "xf32>, tensor<16x" + W + "xf32> -> tensor<" + W +
                "x16xf32>\n"
                "  tile.store %s, %o[%b, %h, %tile] : tensor<" +
                W + "x16xf32>, !attn.view<16xf32>\n  return");
        ASSERT_TRUE(Kernel);
        Data<float> Identity(1, 1, Width, Width);
        for (int64_t I = 0; I < Width; ++I)
          Identity.at(I, I) = 1;
        Data<float> To(1, 1, Width, 16, -1.0F);
        // The last of the sixteen keys does not exist.
        Data<uint16_t> Keys(1, 1, 15, Width);
        std::mt19937 Random(7);
        for (uint16_t &Bits : Keys.Elements)
          do
            Bits = static_cast<uint16_t>(Random());
          while (!std::isfinite(F.widen(Bits)));
        Arguments A;
        A.Args.q = Identity.view();
        A.Source.k = Keys.view();
        A.Args.o = To.view();
        Kernel.run(A.Args, 0, 0, 0);
        for (int64_t Key = 0; Key < 15; ++Key)
          for (int64_t I = 0; I < Width; ++I)
            ASSERT_EQ(To.at(I, Key), F.widen(Keys.at(Key, I)))
                << Level << " " << F.Name << " " << Width;
        // In its place there may be zeros or another.
        for (int64_t I = 0; I < Width; ++I)
          ASSERT_TRUE(To.at(I, 15) == 0 ||
                      To.at(I, 15) == F.widen(Keys.at(14, I)))
              << Level << " " << F.Name << " " << Width;
      }
}

TEST(Half, ResultsAreRoundedToNearestEven) {
  for (const Format &F : Formats) {
    std::vector<float> Values;
    // Every value, the ties between neighbours, and what is just beside them.
    for (uint32_t I = 0; I < 65536; ++I) {
      auto Bits = static_cast<uint16_t>(I);
      double Here = F.widen(Bits);
      double Next = F.widen(static_cast<uint16_t>(I + 1));
      auto Tie = static_cast<float>((Here + Next) / 2);
      for (float X :
           {static_cast<float>(Here), Tie, std::nextafterf(Tie, INFINITY),
            std::nextafterf(Tie, -INFINITY)})
        Values.push_back(X);
    }
    for (float X : {0.0F, -0.0F, 65519.996F, 65520.0F, -65520.0F, 1e30F,
                    std::numeric_limits<float>::max(), INFINITY, -INFINITY,
                    std::numeric_limits<float>::denorm_min()})
      Values.push_back(X);
    // NaNs whose payload lies only in the bits that are dropped, or nowhere
    // else than there.
    for (uint32_t Bits : {0x7f800001U, 0xff800001U, 0x7fffffffU, 0xffffffffU,
                          0x7fc00000U, 0x7fbfffffU})
      Values.push_back(fromBits(Bits));
    std::mt19937 Random(11);
    for (int I = 0; I < 100000; ++I)
      Values.push_back(fromBits(Random()));
    Values.resize((Values.size() + 63) / 64 * 64, 1.0F);

    for (const std::string &Level : hostLevels()) {
      LoadedKernel Kernel(Level, std::string("8xf32;8xf32;8xf32;8x") + F.Name,
                          "",
                          std::string(R"(
  %c8 = arith.constant 8 : index
  %row = arith.muli %tile, %c8 : index
  %t = tile.load %q[%b, %h, %row] : !attn.view<8xf32> -> tensor<8x8xf32>
  tile.store %t, %o[%b, %h, %row] : tensor<8x8xf32>, !attn.view<8x)") +
                              F.Name + ">\n  return");
      ASSERT_TRUE(Kernel);
      auto Rows = static_cast<int64_t>(Values.size() / 8);
      Data<float> From(1, 1, Rows, 8);
      From.Elements = Values;
      Data<uint16_t> To(1, 1, Rows, 8);
      Arguments A;
      A.Args.q = From.view();
      A.Args.o = To.view();
      for (int64_t Tile = 0; Tile < Rows / 8; ++Tile)
        Kernel.run(A.Args, 0, 0, Tile);
      for (size_t I = 0; I < Values.size(); ++I)
        ASSERT_TRUE(same(F.widen(To.Elements[I]), F.round(Values[I])))
            << Level << " " << F.Name << " " << Values[I] << ": "
            << To.Elements[I];
    }
  }
}
