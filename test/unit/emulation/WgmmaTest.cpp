// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Wgmma.h"
#include "codegen/nv/emulation/semantics/Convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

using namespace heddle::ptx;

namespace {

// A layout as the ISA writes it: modes of (shape, stride), counted fastest
// first. Value of a coordinate along one of the two dimensions.
struct Mode {
  unsigned Shape, Stride;
};
unsigned along(const std::vector<Mode> &Modes, unsigned At) {
  unsigned Offset = 0;
  for (size_t I = 0; I < Modes.size(); ++I) {
    bool Last = I + 1 == Modes.size();
    Offset += (Last ? At : At % Modes[I].Shape) * Modes[I].Stride;
    At /= Modes[I].Shape;
  }
  return Offset;
}

/// Swizzle<B, 4, 3> of CuTe on byte addresses: bits [7, 7 + B) are xor-ed into
/// bits [4, 4 + B).
uint32_t cute(unsigned B, uint32_t Address) {
  return Address ^ (((Address >> 7) & ((1U << B) - 1)) << 4);
}

uint64_t descriptor(uint32_t Start, uint32_t Leading, uint32_t Stride,
                    unsigned Mode, unsigned BaseOffset = 0) {
  auto Encode = [](uint64_t X) { return (X & 0x3ffff) >> 4; };
  return Encode(Start) | Encode(Leading) << 16 | Encode(Stride) << 32 |
         uint64_t(BaseOffset) << 49 | uint64_t(Mode) << 62;
}

// Swizzle modes of the descriptor: 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes.
const unsigned Bits[] = {0, 3, 2, 1};

// PTX ISA, Canonical Layouts: the table, in elements; T elements are 16 bytes.
TEST(Wgmma, OperandsLieInCanonicalLayouts) {
  const uint32_t Start = 0x4c00, LeadingBytes = 0x2400, StrideBytes = 0x1800;
  for (unsigned ElementBytes : {2U, 4U})
    for (unsigned Code = 0; Code < 4; ++Code) {
      unsigned T = 16 / ElementBytes, Lbo = LeadingBytes / ElementBytes,
               Sbo = StrideBytes / ElementBytes;
      unsigned Wide = T << Bits[Code]; // 1T, 2T, 4T, 8T
      std::vector<Mode> OuterK, InnerK, OuterMn, InnerMn;
      if (Code == 0) {
        OuterK = {{8, T}, {~0U, Sbo}}; // ((8,m),(T,2k)):((1T,SBO),(1,LBO))
        InnerK = {{T, 1}, {~0U, Lbo}};
        OuterMn = {
            {T, 1}, {1, T}, {~0U, Sbo}}; // ((T,1,m),(8,k)):((1,T,SBO),(1T,LBO))
        InnerMn = {{8, T}, {~0U, Lbo}};
      } else {
        OuterK = {{8, Wide}, {~0U, Sbo}}; // ((8,m),(T,2k)):((nT,SBO),(1,T))
        InnerK = {{T, 1}, {~0U, T}};
        OuterMn = {{T, 1},
                   {Wide / T, T},
                   {~0U, Lbo}}; // ((T,n,m),(8,k)):((1,T,LBO),(nT,SBO))
        InnerMn = {{8, Wide}, {~0U, Sbo}};
      }
      MatrixDescriptor Of =
          decodeDescriptor(descriptor(Start, LeadingBytes, StrideBytes, Code));
      ASSERT_FALSE(Of.Malformed);
      for (unsigned Outer = 0; Outer < 256; ++Outer)
        for (unsigned K = 0; K < 32 / ElementBytes; ++K) {
          uint32_t Major =
              Start + ElementBytes * (along(OuterK, Outer) + along(InnerK, K));
          EXPECT_EQ(elementAddress(Of, false, ElementBytes, Outer, K),
                    cute(Bits[Code], Major));
          uint32_t Transposed = Start + ElementBytes * (along(OuterMn, Outer) +
                                                        along(InnerMn, K));
          EXPECT_EQ(elementAddress(Of, true, ElementBytes, Outer, K),
                    cute(Bits[Code], Transposed));
        }
    }
}

// The numbers of the ISA's own examples (Figures of K major and MN major
// layouts): exact layouts with their offsets.
TEST(Wgmma, ExamplesOfTheIsa) {
  struct Example {
    unsigned ElementBytes;
    bool OuterMajor;
    unsigned Code;
    uint32_t Leading, Stride; // in elements
    std::vector<Mode> Outer, Inner;
  };
  const Example Examples[] = {
      // Swizzle<0,4,3> o ((8,2),(4,4)):((4,32),(1,64)), tf32
      {4, false, 0, 64, 32, {{8, 4}, {2, 32}}, {{4, 1}, {4, 64}}},
      // Swizzle<1,4,3> o ((8,2),(4,4)):((8,64),(1,4)), tf32
      {4, false, 3, 0, 64, {{8, 8}, {2, 64}}, {{4, 1}, {4, 4}}},
      // Swizzle<0,4,3> o ((8,1,2),(8,2)):((1,8,64),(8,128)), bf16
      {2, true, 0, 128, 64, {{8, 1}, {1, 8}, {2, 64}}, {{8, 8}, {2, 128}}},
      // Swizzle<1,4,3> o ((8,2,2),(8,2)):((1,8,128),(16,256)), bf16
      {2, true, 3, 128, 256, {{8, 1}, {2, 8}, {2, 128}}, {{8, 16}, {2, 256}}},
      // Swizzle<2,4,3> o ((8,4,2),(8,2)):((1,8,256),(32,512)), bf16
      {2, true, 2, 256, 512, {{8, 1}, {4, 8}, {2, 256}}, {{8, 32}, {2, 512}}},
  };
  for (const Example &E : Examples) {
    MatrixDescriptor Of = decodeDescriptor(descriptor(
        0, E.Leading * E.ElementBytes, E.Stride * E.ElementBytes, E.Code));
    unsigned Outer = 1, Inner = 1;
    for (const Mode &M : E.Outer)
      Outer *= M.Shape;
    for (const Mode &M : E.Inner)
      Inner *= M.Shape;
    // One instruction reads 32 bytes along k. (The second example goes on past
    // its row of 32 bytes, where its elements would overlap.)
    Inner = std::min(Inner, 32 / E.ElementBytes);
    std::set<uint32_t> Seen;
    for (unsigned O = 0; O < Outer; ++O)
      for (unsigned K = 0; K < Inner; ++K) {
        uint32_t Is = elementAddress(Of, E.OuterMajor, E.ElementBytes, O, K);
        EXPECT_EQ(Is, cute(Bits[E.Code], E.ElementBytes * (along(E.Outer, O) +
                                                           along(E.Inner, K))));
        Seen.insert(Is);
      }
    EXPECT_EQ(Seen.size(), size_t(Outer) * Inner)
        << "no two elements share a place";
  }
}

TEST(Wgmma, DescriptorFields) {
  MatrixDescriptor Of =
      decodeDescriptor(descriptor(0x3fff0, 0x12340, 0x2bcd0, 2, 5));
  EXPECT_EQ(Of.Start, 0x3fff0U);
  EXPECT_EQ(Of.Leading, 0x12340U);
  EXPECT_EQ(Of.Stride, 0x2bcd0U);
  EXPECT_EQ(Of.Base, 5U);
  EXPECT_EQ(Of.Mode, Swizzle::B64);
  EXPECT_FALSE(Of.Malformed);
  // Each bit belongs to a field or makes the descriptor malformed.
  for (unsigned Bit = 0; Bit < 64; ++Bit) {
    bool InField = Bit < 14 || (Bit >= 16 && Bit < 30) ||
                   (Bit >= 32 && Bit < 46) || (Bit >= 49 && Bit < 52) ||
                   Bit >= 62;
    EXPECT_EQ(decodeDescriptor(uint64_t(1) << Bit).Malformed, !InField) << Bit;
  }
}

// PTX ISA, Register Fragments for wgmma.mma_async.m64nNk16: warp w has rows
// 16 w + lane / 4 and 8 below; columns 8 i + 2 (lane mod 4) and the next.
TEST(Wgmma, Fragments) {
  for (unsigned Warp = 0; Warp < 4; ++Warp)
    for (unsigned Lane = 0; Lane < 32; ++Lane)
      for (unsigned I = 0; I < 128; ++I) {
        Coordinate Should{Warp * 16 + Lane / 4 + (I % 4 < 2 ? 0U : 8U),
                          (I / 4) * 8 + (Lane % 4) * 2 + (I & 1)};
        EXPECT_EQ(placeWarpgroupD(Warp, Lane, I), Should);
      }
  WgmmaShape Half, Tf32;
  Tf32.Element = MmaElement::TF32;
  for (unsigned Warp = 0; Warp < 4; ++Warp)
    for (unsigned Lane = 0; Lane < 32; ++Lane) {
      for (unsigned I = 0; I < 8; ++I) {
        bool Lower = I == 2 || I == 3 || I == 6 || I == 7;
        Coordinate Should{Warp * 16 + Lane / 4 + (Lower ? 8U : 0U),
                          (Lane % 4) * 2 + (I & 1) + (I < 4 ? 0U : 8U)};
        EXPECT_EQ(placeWarpgroupA(Half, Warp, Lane, I), Should);
      }
      for (unsigned I = 0; I < 4; ++I) {
        Coordinate Should{Warp * 16 + Lane / 4 + (I % 2 ? 8U : 0U),
                          Lane % 4 + (I < 2 ? 0U : 4U)};
        EXPECT_EQ(placeWarpgroupA(Tf32, Warp, Lane, I), Should);
      }
    }
}

uint32_t bitsOf(float Value, MmaElement Element) {
  switch (Element) {
  case MmaElement::F16:
    return toF16(Value);
  case MmaElement::BF16:
    return toBF16(Value);
  case MmaElement::TF32:
    return bitsAs<uint32_t>(Value);
  }
  return 0;
}

TEST(Wgmma, Products) {
  std::mt19937 Random(3);
  auto Pick = [&] { return float(int(Random() % 17) - 8) / 4; };
  for (MmaElement Element :
       {MmaElement::F16, MmaElement::BF16, MmaElement::TF32})
    for (bool HalfSum : {false, true})
      for (unsigned N : {8U, 24U, 64U, 256U})
        for (unsigned Flags = 0; Flags < 8; ++Flags) {
          WgmmaShape Shape{Element, N, HalfSum};
          if (!Shape.valid())
            continue;
          WgmmaModifiers How{(Flags & 1) != 0, (Flags & 2) != 0,
                             (Flags & 4) != 0};
          unsigned K = Element == MmaElement::TF32 ? 8 : 16,
                   Packed = Element == MmaElement::TF32 ? 1 : 2;
          ASSERT_EQ(Shape.k(), K);
          std::vector<float> A(size_t(16) * K), B(size_t(K) * N),
              D(size_t(16) * N);
          for (auto *Matrix : {&A, &B, &D})
            for (float &X : *Matrix)
              X = Pick();
          // Row r of the warp's A, column c: lane 4 (r mod 8) + (c / packed)
          // mod 4.
          WarpRegister RegistersA[4] = {};
          for (unsigned Row = 0; Row < 16; ++Row)
            for (unsigned Column = 0; Column < K; ++Column) {
              unsigned Lane = 4 * (Row % 8) + (Column / Packed) % 4;
              unsigned Register = Row / 8 + 2 * (Column / (4 * Packed));
              RegistersA[Register][Lane] |= bitsOf(A[Row * K + Column], Element)
                                            << (16 * (Column % Packed));
            }
          std::vector<float> Rows;
          rowsFromRegisters(Shape, RegistersA, Rows);
          EXPECT_EQ(Rows, A);
          std::vector<WarpRegister> RegistersD(Shape.registersD());
          auto At = [&](unsigned Row, unsigned Column) {
            return std::pair<unsigned, unsigned>{
                4 * (Row % 8) + (Column % 8) / 2,
                4 * (Column / 8) + 2 * (Row / 8) + Column % 2};
          };
          for (unsigned Row = 0; Row < 16; ++Row)
            for (unsigned Column = 0; Column < N; ++Column) {
              auto [Lane, Index] = At(Row, Column);
              float X = D[Row * N + Column];
              if (HalfSum)
                RegistersD[Index / 2][Lane] |= uint32_t(toF16(X))
                                               << (16 * (Index % 2));
              else
                RegistersD[Index][Lane] = bitsAs<uint32_t>(X);
            }
          multiplyWarpgroup(Shape, How, Rows.data(), B.data(),
                            RegistersD.data());
          for (unsigned Row = 0; Row < 16; ++Row)
            for (unsigned Column = 0; Column < N; ++Column) {
              double Sum = How.Accumulate ? D[Row * N + Column] : 0;
              for (unsigned I = 0; I < K; ++I)
                Sum += (How.NegateA ? -1.0 : 1.0) * A[Row * K + I] *
                       (How.NegateB ? -1.0 : 1.0) * B[I * N + Column];
              auto [Lane, Index] = At(Row, Column);
              if (HalfSum)
                ASSERT_EQ((RegistersD[Index / 2][Lane] >> (16 * (Index % 2))) &
                              0xffff,
                          toF16(float(Sum)));
              else
                ASSERT_EQ(bitsAs<float>(RegistersD[Index][Lane]), float(Sum));
            }
        }
  EXPECT_FALSE((WgmmaShape{MmaElement::F16, 12, false}.valid()));
  EXPECT_FALSE((WgmmaShape{MmaElement::F16, 264, false}.valid()));
  EXPECT_FALSE((WgmmaShape{MmaElement::F16, 0, false}.valid()));
}

TEST(Wgmma, ElementValues) {
  const uint8_t Bytes[] = {0x80, 0x3f, 0x80, 0x3f};
  EXPECT_EQ(elementValue({MmaElement::BF16, 8, false}, Bytes), 1.0F);
  EXPECT_EQ(elementValue({MmaElement::F16, 8, false}, Bytes), 1.875F);
  EXPECT_EQ(elementValue({MmaElement::TF32, 8, false}, Bytes),
            bitsAs<float>(0x3f802000U))
      << "low 13 bits are not read";
}

TEST(Wgmma, Groups) {
  WgmmaGroups<int> Groups;
  EXPECT_TRUE(Groups.idle());
  Groups.issue(1);
  Groups.issue(2);
  EXPECT_TRUE(Groups.uncommitted());
  EXPECT_TRUE(Groups.wait(0).empty())
      << "what is not committed is not waited for";
  Groups.commit();
  Groups.issue(3);
  Groups.commit();
  Groups.commit(); // an empty group counts
  EXPECT_FALSE(Groups.uncommitted());
  EXPECT_EQ(Groups.wait(3), (std::vector<int>{}));
  EXPECT_EQ(Groups.wait(2), (std::vector<int>{1, 2}));
  EXPECT_FALSE(Groups.idle());
  EXPECT_EQ(Groups.wait(1), (std::vector<int>{3}));
  EXPECT_TRUE(Groups.idle());
  EXPECT_TRUE(Groups.wait(0).empty());
}

} // namespace
