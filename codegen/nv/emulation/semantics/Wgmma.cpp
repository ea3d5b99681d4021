// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Wgmma.h"
#include "codegen/nv/emulation/semantics/Convert.h"

namespace heddle::ptx {

MatrixDescriptor decodeDescriptor(uint64_t Bits) {
  auto Field = [&](unsigned Low, unsigned Width) {
    return uint32_t(Bits >> Low) & ((1U << Width) - 1);
  };
  MatrixDescriptor Result;
  // Addresses and offsets are stored without their low four bits.
  Result.Start = Field(0, 14) << 4;
  Result.Leading = Field(16, 14) << 4;
  Result.Stride = Field(32, 14) << 4;
  Result.Base = Field(49, 3);
  constexpr Swizzle Modes[] = {Swizzle::None, Swizzle::B128, Swizzle::B64,
                               Swizzle::B32};
  Result.Mode = Modes[Field(62, 2)];
  Result.Malformed =
      Field(14, 2) || Field(30, 2) || Field(46, 3) || Field(52, 10);
  return Result;
}

uint32_t elementAddress(const MatrixDescriptor &Of, bool OuterMajor,
                        unsigned ElementBytes, unsigned Outer, unsigned K) {
  unsigned Width = swizzleBytes(Of.Mode),
           Span = Width / ElementBytes; // a row of the swizzle atom
  bool Plain = Of.Mode == Swizzle::None;
  uint32_t Offset = 0;
  if (OuterMajor) {
    // Rows of the atom run along M or N, its eight rows along k. Without
    // swizzling the two offsets change places.
    uint32_t NextOuter = Plain ? Of.Stride : Of.Leading,
             NextK = Plain ? Of.Leading : Of.Stride;
    Offset = (Outer % Span) * ElementBytes + (Outer / Span) * NextOuter +
             (K % 8) * Width + (K / 8) * NextK;
  } else {
    // Rows run along k. A swizzled matrix is no wider than a row: the leading
    // offset has no use there.
    uint32_t AlongK = Plain
                          ? (K % Span) * ElementBytes + (K / Span) * Of.Leading
                          : K * ElementBytes;
    Offset = AlongK + (Outer % 8) * Width + (Outer / 8) * Of.Stride;
  }
  return swizzled(Of.Start + Offset, Of.Mode, Of.Base);
}

bool WgmmaShape::valid() const {
  return N >= 8 && N <= 256 && N % 8 == 0 &&
         (Element == MmaElement::F16 || !HalfSum);
}

Coordinate placeWarpgroupD(unsigned Warp, unsigned Lane, unsigned Index) {
  Coordinate InBlock = placeC(Lane, Index % 4);
  return {WgmmaShape::RowsPerWarp * Warp + InBlock.Row,
          8 * (Index / 4) + InBlock.Column};
}

namespace {

MmaShape warpShape(const WgmmaShape &Shape) {
  MmaShape Result;
  Result.Element = Shape.Element;
  Result.K = Shape.k();
  return Result;
}

float widen(uint32_t Bits, MmaElement Element) {
  switch (Element) {
  case MmaElement::F16:
    return fromF16(uint16_t(Bits));
  case MmaElement::BF16:
    return fromBF16(uint16_t(Bits));
  case MmaElement::TF32:
    return fromTF32(Bits);
  }
  return 0;
}

} // namespace

Coordinate placeWarpgroupA(const WgmmaShape &Shape, unsigned Warp,
                           unsigned Lane, unsigned Index) {
  Coordinate InWarp = placeA(warpShape(Shape), Lane, Index);
  return {WgmmaShape::RowsPerWarp * Warp + InWarp.Row, InWarp.Column};
}

float elementValue(const WgmmaShape &Shape, const uint8_t *Bytes) {
  uint32_t Bits = 0;
  for (unsigned I = 0; I < Shape.elementBytes(); ++I)
    Bits |= uint32_t(Bytes[I]) << (8 * I);
  return widen(Bits, Shape.Element);
}

void rowsFromRegisters(const WgmmaShape &Shape, const WarpRegister *A,
                       std::vector<float> &Rows) {
  MmaShape Warp = warpShape(Shape);
  unsigned Packed = Warp.packed();
  Rows.resize(size_t(WgmmaShape::RowsPerWarp) * Shape.k());
  for (unsigned Index = 0; Index < WgmmaShape::registersA() * Packed; ++Index)
    for (unsigned Lane = 0; Lane < WarpSize; ++Lane) {
      Coordinate At = placeA(Warp, Lane, Index);
      uint32_t Bits = A[Index / Packed][Lane] >> (16 * (Index % Packed));
      Rows[At.Row * Shape.k() + At.Column] = widen(Bits, Shape.Element);
    }
}

void multiplyWarpgroup(const WgmmaShape &Shape, WgmmaModifiers How,
                       const float *Rows, const float *Columns,
                       WarpRegister *D) {
  unsigned N = Shape.N;
  std::vector<float> Sum(size_t(WgmmaShape::RowsPerWarp) * N);
  auto ForEach = [&](auto Visit) {
    for (unsigned Index = 0; Index < N / 2; ++Index)
      for (unsigned Lane = 0; Lane < WarpSize; ++Lane) {
        Coordinate At = placeWarpgroupD(0, Lane, Index);
        Visit(Sum[At.Row * N + At.Column], Index, Lane);
      }
  };
  if (How.Accumulate)
    ForEach([&](float &To, unsigned Index, unsigned Lane) {
      To = Shape.HalfSum
               ? fromF16(uint16_t(D[Index / 2][Lane] >> (16 * (Index % 2))))
               : bitsAs<float>(D[Index][Lane]);
    });
  // The sign of a product is that of both factors.
  float Sign = How.NegateA != How.NegateB ? -1.0F : 1.0F;
  for (unsigned Row = 0; Row < WgmmaShape::RowsPerWarp; ++Row)
    for (unsigned K = 0; K < Shape.k(); ++K) {
      float Factor = Sign * Rows[Row * Shape.k() + K];
      const float *Right = Columns + size_t(K) * N;
      float *Line = Sum.data() + size_t(Row) * N;
      for (unsigned Column = 0; Column < N; ++Column)
        Line[Column] += Factor * Right[Column];
    }
  ForEach([&](float &From, unsigned Index, unsigned Lane) {
    if (!Shape.HalfSum) {
      D[Index][Lane] = bitsAs<uint32_t>(From);
      return;
    }
    uint32_t Half = toF16(From);
    uint32_t &Pair = D[Index / 2][Lane];
    Pair = Index % 2 ? (Pair & 0xffff) | Half << 16 : Half;
  });
}

} // namespace heddle::ptx
