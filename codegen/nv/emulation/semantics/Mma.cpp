// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Mma.h"
#include "codegen/nv/emulation/semantics/Convert.h"

namespace heddle::ptx {

bool MmaShape::valid() const {
  if (Element == MmaElement::TF32)
    return (K == 4 || K == 8) && !HalfSum;
  return (K == 8 || K == 16) && (Element == MmaElement::F16 || !HalfSum);
}

// The ISA's groupID is lane / 4 and threadID_in_group is lane mod 4. Elements
// of one register are neighbours along k; the next register is 8 rows down,
// those after it one block of 4 registers' worth of k on.
Coordinate placeA(const MmaShape &Shape, unsigned Lane, unsigned Index) {
  unsigned Packed = Shape.packed(), Register = Index / Packed;
  return {Lane / 4 + 8 * (Register % 2),
          Packed * (Lane % 4) + Index % Packed + 4 * Packed * (Register / 2)};
}

Coordinate placeB(const MmaShape &Shape, unsigned Lane, unsigned Index) {
  unsigned Packed = Shape.packed(), Register = Index / Packed;
  return {Packed * (Lane % 4) + Index % Packed + 4 * Packed * Register,
          Lane / 4};
}

Coordinate placeC(unsigned Lane, unsigned Index) {
  return {Lane / 4 + 8 * (Index / 2), 2 * (Lane % 4) + Index % 2};
}

namespace {

// A register of all lanes, read as memory, is a matrix of eight rows with four
// lanes each: of A eight rows of k elements, of B eight columns of them.
template <MmaElement Element>
constexpr unsigned Packed = Element == MmaElement::TF32 ? 1 : 2;
template <MmaElement Element>
constexpr unsigned Elements = WarpSize * Packed<Element>;

/// The values of a register, in the order of lanes and of elements in a lane.
template <MmaElement Element> void widen(const WarpRegister &From, float *To) {
  if constexpr (Element == MmaElement::TF32) {
    for (unsigned I = 0; I < WarpSize; ++I)
      To[I] = fromTF32(From[I]);
  } else {
    uint16_t Halves[2 * WarpSize];
    std::memcpy(Halves, From.data(), sizeof(Halves));
    for (unsigned I = 0; I < 2 * WarpSize; ++I)
      To[I] =
          Element == MmaElement::F16 ? fromF16(Halves[I]) : fromBF16(Halves[I]);
  }
}

constexpr unsigned Rows = MmaShape::M, Columns = MmaShape::N;

/// Adds A B to the rows of `sum`, eight neighbours along k after the other
/// (four of tf32): what one register holds.
template <MmaElement Element>
void accumulate(unsigned Slices, const WarpRegister *A, const WarpRegister *B,
                float (*Sum)[Columns]) {
  constexpr unsigned Depth = 4 * Packed<Element>;
  for (unsigned Slice = 0; Slice < Slices; ++Slice) {
    float Left[2][Elements<Element>], Turned[Elements<Element>],
        Right[Depth][Columns];
    widen<Element>(A[2 * Slice], Left[0]);
    widen<Element>(A[2 * Slice + 1], Left[1]);
    widen<Element>(B[Slice], Turned);
    for (unsigned Column = 0; Column < Columns; ++Column)
      for (unsigned K = 0; K < Depth; ++K)
        Right[K][Column] = Turned[Column * Depth + K];
    for (unsigned Row = 0; Row < Rows; ++Row) {
      const float *Factors = Left[Row / 8] + size_t(Row % 8) * Depth;
      float Line[Columns];
      std::memcpy(Line, Sum[Row], sizeof(Line));
      for (unsigned K = 0; K < Depth; ++K)
        for (unsigned Column = 0; Column < Columns; ++Column)
          Line[Column] += Factors[K] * Right[K][Column];
      std::memcpy(Sum[Row], Line, sizeof(Line));
    }
  }
}

} // namespace

void multiply(const MmaShape &Shape, const WarpRegister *A,
              const WarpRegister *B, const WarpRegister *C, WarpRegister *D) {
  float Sum[Rows][Columns];
  auto At = [&](unsigned Lane, unsigned Index) -> float & {
    Coordinate Place = placeC(Lane, Index);
    return Sum[Place.Row][Place.Column];
  };
  for (unsigned Lane = 0; Lane < WarpSize; ++Lane)
    for (unsigned Index = 0; Index < 4; ++Index)
      At(Lane, Index) =
          Shape.HalfSum
              ? fromF16(uint16_t(C[Index / 2][Lane] >> (16 * (Index % 2))))
              : bitsAs<float>(C[Index][Lane]);
  unsigned Slices = Shape.registersB();
  switch (Shape.Element) {
  case MmaElement::F16:
    accumulate<MmaElement::F16>(Slices, A, B, Sum);
    break;
  case MmaElement::BF16:
    accumulate<MmaElement::BF16>(Slices, A, B, Sum);
    break;
  case MmaElement::TF32:
    accumulate<MmaElement::TF32>(Slices, A, B, Sum);
    break;
  }
  for (unsigned Lane = 0; Lane < WarpSize; ++Lane)
    if (Shape.HalfSum)
      for (unsigned Pair = 0; Pair < 2; ++Pair)
        D[Pair][Lane] = toF16(At(Lane, 2 * Pair)) |
                        uint32_t(toF16(At(Lane, 2 * Pair + 1))) << 16;
    else
      for (unsigned Index = 0; Index < 4; ++Index)
        D[Index][Lane] = bitsAs<uint32_t>(At(Lane, Index));
}

} // namespace heddle::ptx
