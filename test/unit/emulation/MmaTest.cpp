// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Mma.h"
#include "codegen/nv/emulation/semantics/Convert.h"
#include "codegen/nv/emulation/semantics/Matrices.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace heddle::ptx;

namespace {

// PTX ISA, Matrix Fragments for mma.m16n8k16 with floating point type and
// .m16n8k8: the formulas as they stand there, element by element.
Coordinate isaA(MmaElement Element, unsigned K, unsigned Lane, unsigned I) {
  unsigned Group = Lane >> 2, InGroup = Lane % 4;
  if (Element == MmaElement::TF32) // m16n8k4 and m16n8k8
    return {I == 0 || I == 2 ? Group : Group + 8,
            I < 2 ? InGroup : InGroup + 4};
  if (K == 8) // row: group for a0 and a1
    return {I < 2 ? Group : Group + 8, InGroup * 2 + (I & 1)};
  unsigned Row = (I < 2 || (4 <= I && I < 6)) ? Group : Group + 8;
  unsigned Column = I < 4 ? InGroup * 2 + (I & 1) : InGroup * 2 + (I & 1) + 8;
  return {Row, Column};
}

Coordinate isaB(MmaElement Element, unsigned Lane, unsigned I) {
  unsigned Group = Lane >> 2, InGroup = Lane % 4;
  if (Element == MmaElement::TF32)
    return {I == 0 ? InGroup : InGroup + 4, Group};
  return {I < 2 ? InGroup * 2 + (I & 1) : InGroup * 2 + (I & 1) + 8, Group};
}

Coordinate isaC(unsigned Lane, unsigned I) {
  unsigned Group = Lane >> 2, InGroup = Lane % 4;
  return {I < 2 ? Group : Group + 8, InGroup * 2 + (I & 1)};
}

std::vector<MmaShape> shapes() {
  std::vector<MmaShape> Result;
  for (MmaElement Element :
       {MmaElement::F16, MmaElement::BF16, MmaElement::TF32})
    for (unsigned K : {4U, 8U, 16U})
      for (bool Half : {false, true})
        if (MmaShape Shape{Element, K, Half}; Shape.valid())
          Result.push_back(Shape);
  return Result;
}

TEST(Mma, Shapes) {
  // f16 {k8, k16} x {f32, f16}, bf16 {k8, k16}, tf32 {k4, k8}.
  EXPECT_EQ(shapes().size(), 8U);
  EXPECT_EQ((MmaShape{MmaElement::F16, 16, false}.registersA()), 4U);
  EXPECT_EQ((MmaShape{MmaElement::F16, 16, false}.registersB()), 2U);
  EXPECT_EQ((MmaShape{MmaElement::BF16, 8, false}.registersA()), 2U);
  EXPECT_EQ((MmaShape{MmaElement::BF16, 8, false}.registersB()), 1U);
  EXPECT_EQ((MmaShape{MmaElement::TF32, 8, false}.registersA()), 4U);
  EXPECT_EQ((MmaShape{MmaElement::TF32, 4, false}.registersA()), 2U);
  EXPECT_EQ((MmaShape{MmaElement::F16, 16, true}.registersC()), 2U);
}

TEST(Mma, FragmentsAreThoseOfTheIsa) {
  for (const MmaShape &Shape : shapes())
    for (unsigned Lane = 0; Lane < 32; ++Lane) {
      for (unsigned I = 0; I < Shape.registersA() * Shape.packed(); ++I)
        EXPECT_EQ(placeA(Shape, Lane, I), isaA(Shape.Element, Shape.K, Lane, I))
            << Lane << " a" << I;
      for (unsigned I = 0; I < Shape.registersB() * Shape.packed(); ++I)
        EXPECT_EQ(placeB(Shape, Lane, I), isaB(Shape.Element, Lane, I))
            << Lane << " b" << I;
      for (unsigned I = 0; I < 4; ++I)
        EXPECT_EQ(placeC(Lane, I), isaC(Lane, I)) << Lane << " c" << I;
    }
}

uint32_t bitsOf(double Value, MmaElement Element) {
  switch (Element) {
  case MmaElement::F16:
    return toF16(float(Value));
  case MmaElement::BF16:
    return toBF16(float(Value));
  case MmaElement::TF32:
    // The low bits of a tf32 operand mean nothing.
    return bitsAs<uint32_t>(float(Value)) | 0x1abc;
  }
  return 0;
}

/// Fills registers by the ISA's fragments, multiplies, and compares every
/// element of D with the sum written out.
void check(const MmaShape &Shape, bool InPlace) {
  std::mt19937 Random(Shape.K + unsigned(Shape.Element));
  auto Pick = [&] { return double(int(Random() % 33) - 16) / 8; };
  double A[16][16] = {}, B[16][8] = {}, C[16][8] = {};
  for (unsigned K = 0; K < Shape.K; ++K) {
    for (auto &Row : A)
      Row[K] = Pick();
    for (double &X : B[K])
      X = Pick();
  }
  for (auto &Row : C)
    for (double &X : Row)
      X = Pick();
  WarpRegister RegistersA[4] = {}, RegistersB[2] = {}, RegistersC[4] = {},
               RegistersD[4] = {};
  unsigned Packed = Shape.Element == MmaElement::TF32 ? 1 : 2;
  for (unsigned Lane = 0; Lane < 32; ++Lane) {
    for (unsigned I = 0; I < 16 * Shape.K / 32; ++I) {
      Coordinate At = isaA(Shape.Element, Shape.K, Lane, I);
      RegistersA[I / Packed][Lane] |=
          bitsOf(A[At.Row][At.Column], Shape.Element) << (16 * (I % Packed));
    }
    for (unsigned I = 0; I < Shape.K * 8 / 32; ++I) {
      Coordinate At = isaB(Shape.Element, Lane, I);
      RegistersB[I / Packed][Lane] |=
          bitsOf(B[At.Row][At.Column], Shape.Element) << (16 * (I % Packed));
    }
    for (unsigned I = 0; I < 4; ++I) {
      Coordinate At = isaC(Lane, I);
      if (Shape.HalfSum)
        RegistersC[I / 2][Lane] |= uint32_t(toF16(float(C[At.Row][At.Column])))
                                   << (16 * (I % 2));
      else
        RegistersC[I][Lane] = bitsAs<uint32_t>(float(C[At.Row][At.Column]));
    }
  }
  WarpRegister *D = InPlace ? RegistersC : RegistersD;
  multiply(Shape, RegistersA, RegistersB, RegistersC, D);
  for (unsigned Lane = 0; Lane < 32; ++Lane)
    for (unsigned I = 0; I < 4; ++I) {
      Coordinate At = isaC(Lane, I);
      double Sum = C[At.Row][At.Column]; // exact: few small numbers
      for (unsigned K = 0; K < Shape.K; ++K)
        Sum += A[At.Row][K] * B[K][At.Column];
      if (Shape.HalfSum)
        EXPECT_EQ((D[I / 2][Lane] >> (16 * (I % 2))) & 0xffff,
                  toF16(float(Sum)));
      else
        EXPECT_EQ(bitsAs<float>(D[I][Lane]), float(Sum)) << Lane << " d" << I;
    }
}

TEST(Mma, Products) {
  for (const MmaShape &Shape : shapes()) {
    check(Shape, false);
    check(Shape, true);
  }
}

/// The f32 value of D[0][0] for row `a` and column `b` of k16 f16 products.
float corner(const std::vector<float> &A, const std::vector<float> &B,
             float C) {
  MmaShape Shape;
  WarpRegister RegistersA[4] = {}, RegistersB[2] = {}, RegistersC[4] = {};
  for (unsigned Lane = 0; Lane < 32; ++Lane)
    for (unsigned I = 0; I < 8; ++I) {
      if (Coordinate At = isaA(Shape.Element, 16, Lane, I); At.Row == 0)
        RegistersA[I / 2][Lane] |= uint32_t(toF16(A[At.Column]))
                                   << (16 * (I % 2));
      if (Coordinate At = isaB(Shape.Element, Lane, I); I < 4 && At.Column == 0)
        RegistersB[I / 2][Lane] |= uint32_t(toF16(B[At.Row])) << (16 * (I % 2));
    }
  RegistersC[0][0] = bitsAs<uint32_t>(C);
  multiply(Shape, RegistersA, RegistersB, RegistersC, RegistersC);
  return bitsAs<float>(RegistersC[0][0]);
}

TEST(Mma, SumsInSinglePrecision) {
  std::vector<float> Zero(16, 0.0F), One(16, 1.0F);
  EXPECT_EQ(corner(Zero, One, 0.1F), 0.1F);
  // The product of two f16 numbers is exact: 2049 squared would not be in f16.
  std::vector<float> A(Zero), B(Zero);
  A[15] = B[15] = 1025;
  EXPECT_EQ(corner(A, B, 0), 1050625.0F);
  // An f16 subnormal counts.
  A[15] = 0x1p-24F;
  B[15] = 1;
  EXPECT_EQ(corner(A, B, 0), 0x1p-24F);
  // A NaN or an infinity reaches the sum; 0 times infinity is a NaN.
  A[3] = INFINITY;
  EXPECT_TRUE(std::isnan(corner(A, B, 0)));
  B[3] = -1;
  EXPECT_EQ(corner(A, B, 0), -INFINITY);
}

TEST(Matrices, LoadsTheRowsOfTheIsa) {
  for (unsigned Count : {1U, 2U, 4U})
    for (bool Transposed : {false, true}) {
      // Element (matrix, row, column) holds a number of its own.
      auto Name = [](unsigned Matrix, unsigned Row, unsigned Column) {
        return uint16_t(0x1000 * Matrix + 0x100 * Row + 0x11 * Column + 0x8003);
      };
      std::vector<MatrixRow> Rows(8 * size_t(Count));
      // Threads 0 to 7 hold the row addresses of the first matrix, 8 to 15 of
      // the second, and so on.
      for (unsigned Lane = 0; Lane < 8 * Count; ++Lane) {
        EXPECT_EQ(addressLane(Lane / 8, Lane % 8), Lane);
        for (unsigned Column = 0; Column < 8; ++Column) {
          uint16_t Value = Name(Lane / 8, Lane % 8, Column);
          std::memcpy(&Rows[Lane][size_t(2) * Column], &Value, 2);
        }
      }
      WarpRegister Out[4] = {};
      loadMatrices(Rows.data(), Count, Transposed, Out);
      // Row 0 is spread over threads 0 to 3, row 1 over 4 to 7, ..., two
      // elements each.
      for (unsigned Matrix = 0; Matrix < Count; ++Matrix)
        for (unsigned Row = 0; Row < 8; ++Row)
          for (unsigned Column = 0; Column < 8; ++Column) {
            unsigned Lane = 4 * Row + Column / 2;
            auto Is = uint16_t(Out[Matrix][Lane] >> (16 * (Column % 2)));
            EXPECT_EQ(Is, Transposed ? Name(Matrix, Column, Row)
                                     : Name(Matrix, Row, Column));
          }
      for (unsigned Matrix = Count; Matrix < 4; ++Matrix)
        EXPECT_EQ(Out[Matrix], WarpRegister{});
      std::vector<MatrixRow> Stored(Rows.size());
      storeMatrices(Out, Count, Transposed, Stored.data());
      EXPECT_EQ(Stored, Rows);
    }
}

// ldmatrix of a 16 by 16 tile gives the A fragment of m16n8k16: the two
// definitions meet.
TEST(Matrices, FeedTheProduct) {
  std::vector<MatrixRow> Rows(32);
  for (unsigned Lane = 0; Lane < 32; ++Lane)
    for (unsigned Column = 0; Column < 8; ++Column) {
      // Matrices 0 and 1 are the upper and the lower left, 2 and 3 the right.
      auto Value = uint16_t(100 * (Lane % 16) + Column + 8 * (Lane / 16));
      std::memcpy(&Rows[Lane][size_t(2) * Column], &Value, 2);
    }
  WarpRegister A[4];
  loadMatrices(Rows.data(), 4, false, A);
  for (unsigned Lane = 0; Lane < 32; ++Lane)
    for (unsigned I = 0; I < 8; ++I) {
      Coordinate At = isaA(MmaElement::F16, 16, Lane, I);
      EXPECT_EQ((A[I / 2][Lane] >> (16 * (I % 2))) & 0xffff,
                100 * At.Row + At.Column);
    }
}

} // namespace
