// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fragment layouts against the formulas of the PTX ISA, chapter "Warp-level
// matrix instructions".

#include "codegen/nv/Fragment.h"
#include "codegen/nv/SharedTile.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ArrayRef.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

using namespace heddle::nv;

namespace {

/// "Matrix Fragments for mma.m16n8k16 with floating point type", as printed
/// there.
Point printedA(int64_t I, int64_t Lane) {
  int64_t Group = Lane >> 2, InGroup = Lane % 4;
  int64_t Row = (0 <= I && I < 2) || (4 <= I && I < 6) ? Group : Group + 8;
  int64_t Column = I < 4 ? InGroup * 2 + (I & 1) : InGroup * 2 + (I & 1) + 8;
  return {Row, Column};
}

Point printedB(int64_t I, int64_t Lane) {
  int64_t Group = Lane >> 2, InGroup = Lane % 4;
  return {I < 2 ? InGroup * 2 + (I & 1) : InGroup * 2 + (I & 1) + 8, Group};
}

Point printedC(int64_t I, int64_t Lane) {
  int64_t Group = Lane >> 2, InGroup = Lane % 4;
  return {I < 2 ? Group : Group + 8, InGroup * 2 + (I & 1)};
}

void expectPrinted(const BlockLayout &Layout, int64_t Elements, Point Extents,
                   Point (*Printed)(int64_t, int64_t)) {
  ASSERT_EQ(Layout.elements(), Elements);
  EXPECT_EQ(Layout.extents(), Extents);
  for (int64_t I = 0; I < Elements; ++I)
    for (int64_t Lane = 0; Lane < 32; ++Lane) {
      Point P = Layout.at(I, Lane);
      EXPECT_EQ(P, Printed(I, Lane)) << I << " of lane " << Lane;
      BlockLayout::Holder H = Layout.find(P);
      EXPECT_EQ(H.Element, I);
      EXPECT_EQ(H.Lane, Lane);
    }
}

} // namespace

namespace heddle::nv {
std::ostream &operator<<(std::ostream &Out, const Point &P) {
  return Out << '(' << P.Row << ", " << P.Column << ')';
}
} // namespace heddle::nv

TEST(Layout, OperandsAreThoseOfTheIsa) {
  expectPrinted(BlockLayout::operandA(), 8, {16, 16}, printedA);
  expectPrinted(BlockLayout::operandB(), 4, {16, 8}, printedB);
  expectPrinted(BlockLayout::accumulator(), 4, {16, 8}, printedC);
  expectPrinted(BlockLayout::operandBPair(), 8, {16, 16},
                [](int64_t I, int64_t Lane) {
                  Point P = printedB(I % 4, Lane);
                  return Point{P.Row, P.Column + I / 4 * 8};
                });
}

/// "Matrix Fragments for mma.m16n8k8", .tf32, as printed there.
static Point printedA32(int64_t I, int64_t Lane) {
  int64_t Group = Lane >> 2, InGroup = Lane % 4;
  return {I == 0 || I == 2 ? Group : Group + 8,
          I == 0 || I == 1 ? InGroup : InGroup + 4};
}

static Point printedB32(int64_t I, int64_t Lane) {
  int64_t Group = Lane >> 2, InGroup = Lane % 4;
  return {I == 0 ? InGroup : InGroup + 4, Group};
}

TEST(Layout, Tf32OperandsAreThoseOfTheIsa) {
  constexpr Multiplicand Tf32 = Multiplicand::Tf32;
  expectPrinted(BlockLayout::operandA(Tf32), 4, {16, 8}, printedA32);
  expectPrinted(BlockLayout::operandB(Tf32), 2, {8, 8}, printedB32);
  expectPrinted(BlockLayout::operandBPair(Tf32), 4, {8, 16},
                [](int64_t I, int64_t Lane) {
                  Point P = printedB32(I % 2, Lane);
                  return Point{P.Row, P.Column + I / 2 * 8};
                });
}

// Weights and values agree about which key a step of the sum is, and the
// weights are accumulators as they are.
TEST(Layout, Tf32WeightsMeetTheirValues) {
  constexpr Multiplicand Tf32 = Multiplicand::Tf32;
  const BlockLayout Weights = BlockLayout::weights(Tf32),
                    Values = BlockLayout::valuePair(Tf32);
  std::array<int64_t, 8> KeyOf;
  KeyOf.fill(-1);
  FragmentLayout Of{16, 1, 8};
  for (int64_t I = 0; I < 4; ++I)
    for (int64_t Lane = 0; Lane < 32; ++Lane) {
      Point Step = printedA32(I, Lane), At = Weights.at(I, Lane);
      EXPECT_EQ(At.Row, Step.Row);
      int64_t &Key = KeyOf[Step.Column];
      EXPECT_TRUE(Key == -1 || Key == At.Column);
      Key = At.Column;
      EXPECT_EQ(Of.find(At)->Lane, Lane);
    }
  for (int64_t I = 0; I < 4; ++I)
    for (int64_t Lane = 0; Lane < 32; ++Lane) {
      Point Step = printedB32(I % 2, Lane), At = Values.at(I, Lane);
      EXPECT_EQ(At.Row, KeyOf[Step.Row]);
      EXPECT_EQ(At.Column, Step.Column + I / 2 * 8);
    }
}

// What a lane has of an accumulator is what it must have of operand A: the
// weights stay in their registers.
TEST(Layout, AccumulatorsBecomeOperandsInPlace) {
  FragmentLayout Of{16, 1, 16};
  BlockLayout A = BlockLayout::operandA();
  for (int64_t I = 0; I < A.elements(); ++I) {
    int64_t Register = Of.find(A.at(I, 0))->Register;
    for (int64_t Lane = 0; Lane < 32; ++Lane)
      EXPECT_EQ(Of.at(Register, Lane, 0), A.at(I, Lane));
  }
}

namespace {

/// "Warp-level matrix load instruction: ldmatrix": what register i, half `Half`
/// of a lane gets from the matrices whose rows lanes point at. The matrices are
/// here eight consecutive columns each, starting at the places given.
Point loaded(llvm::ArrayRef<Point> Addresses, bool Trans, int64_t I,
             int64_t Half, int64_t Lane) {
  int64_t Row = Lane / 4, Column = Lane % 4 * 2 + Half;
  if (Trans)
    std::swap(Row, Column);
  Point At = Addresses[I * 8 + Row];
  return {At.Row, At.Column + Column};
}

/// Checks one way to hold a layout in memory; `ToStorage` maps places of the
/// layout to those of the memory.
void expectLoads(const BlockLayout &Layout, bool Trans,
                 Point (*ToStorage)(Point)) {
  llvm::SmallVector<Point, 5> Images = matrixAddresses(Layout, Trans);
  ASSERT_EQ(Images.size(), 5U);
  std::array<Point, 32> Addresses;
  for (int64_t Lane = 0; Lane < 32; ++Lane) {
    Point P;
    for (int64_t Bit = 0; Bit < 5; ++Bit)
      if (Lane >> Bit & 1)
        P = P ^ Images[Bit];
    Addresses[Lane] = ToStorage(P);
    EXPECT_EQ(Addresses[Lane].Column % 8, 0) << "lane " << Lane;
  }
  for (int64_t Lane = 0; Lane < 32; ++Lane)
    for (int64_t I = 0; I < 8; ++I)
      EXPECT_EQ(loaded(Addresses, Trans, I / 2, I % 2, Lane),
                ToStorage(Layout.at(I, Lane)))
          << I << " of lane " << Lane;
}

Point same(Point P) { return P; }
Point swapped(Point P) { return {P.Column, P.Row}; }

} // namespace

TEST(Layout, LdmatrixGivesOperands) {
  expectLoads(BlockLayout::operandA(), /*Trans=*/false, same);
  // Keys: a row of memory is a column of B.
  expectLoads(BlockLayout::operandBPair(), /*Trans=*/false, swapped);
  // Values: a row of memory is a row of B.
  expectLoads(BlockLayout::operandBPair(), /*Trans=*/true, same);
}

TEST(Layout, TilesAreHeldOnce) {
  for (FragmentLayout Of :
       {FragmentLayout{16, 4, 64}, FragmentLayout{16, 4, 48},
        FragmentLayout{32, 2, 80}, FragmentLayout{48, 1, 8},
        FragmentLayout{16, 8, 512}}) {
    std::set<std::pair<int64_t, int64_t>> Seen;
    for (int64_t Warp = 0; Warp < Of.Warps; ++Warp)
      for (int64_t Lane = 0; Lane < 32; ++Lane)
        for (int64_t Register = 0; Register < Of.registers(); ++Register) {
          Point P = Of.at(Register, Lane, Warp);
          EXPECT_LT(P.Row, Of.Warps * Of.WarpRows);
          EXPECT_LT(P.Column, Of.Columns);
          EXPECT_TRUE(Seen.emplace(P.Row, P.Column).second);
          std::optional<FragmentLayout::Holder> H = Of.find(P);
          ASSERT_TRUE(H);
          EXPECT_EQ(H->Register, Register);
          EXPECT_EQ(H->Lane, Lane);
          EXPECT_EQ(H->Warp, Warp);
          // A statistic stands for one row of the thread.
          EXPECT_EQ(P.Row,
                    Warp * Of.WarpRows + Of.statOf(Register) * 8 + Lane / 4);
        }
    EXPECT_EQ(Seen.size(),
              static_cast<size_t>(Of.Warps * Of.WarpRows * Of.Columns));
    EXPECT_FALSE(Of.find({Of.Warps * Of.WarpRows, 0}));
    EXPECT_FALSE(Of.find({0, Of.Columns}));
    EXPECT_FALSE(Of.find({-1, 0}));
  }
}

TEST(SharedTile, SwizzleKeepsEightRowsApart) {
  mlir::MLIRContext Context;
  for (mlir::Type Element : {mlir::Type(mlir::Float16Type::get(&Context)),
                             mlir::Type(mlir::Float32Type::get(&Context))})
    for (int64_t Features = 1; Features <= 512; ++Features) {
      SharedTile T = SharedTile::get({}, 64, Features, Element);
      EXPECT_EQ(T.Columns % 16, 0);
      EXPECT_GE(T.Columns, Features);
      EXPECT_LT(T.Columns, Features + 16);
      EXPECT_EQ(T.bytes() % 128, 0);
      for (int64_t Row = 0; Row < T.Rows; ++Row) {
        std::set<int64_t> Places;
        for (int64_t Chunk = 0; Chunk < T.chunks(); ++Chunk) {
          int64_t Place = T.placeOf(Row, Chunk);
          EXPECT_GE(Place, 0);
          EXPECT_LT(Place, T.chunks());
          Places.insert(Place);
          // Rows eight apart are swizzled alike.
          EXPECT_EQ(Place, T.placeOf(Row % 8, Chunk));
        }
        ASSERT_EQ(Places.size(), static_cast<size_t>(T.chunks()));
      }
      for (int64_t Chunk = 0; Chunk < T.chunks(); ++Chunk) {
        std::set<int64_t> Banks;
        for (int64_t Row = 0; Row < 8; ++Row)
          Banks.insert((Row * T.chunks() + T.placeOf(Row, Chunk)) % 8);
        ASSERT_EQ(Banks.size(), 8U) << Features << " features";
      }
    }
}
