// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Layout.h"

#include "llvm/ADT/STLExtras.h"

#include <map>

using namespace heddle::nv;
using namespace mlir;

/// The image of a number under a linear map.
static Point apply(ArrayRef<Point> Images, int64_t X) {
  Point Result;
  for (auto [Bit, Image] : llvm::enumerate(Images))
    if (X >> Bit & 1)
      Result = Result ^ Image;
  return Result;
}

BlockLayout BlockLayout::operandA(Multiplicand Of) {
  if (Of == Multiplicand::Tf32)
    return {{{8, 0}, {0, 4}}, {{0, 1}, {0, 2}, {1, 0}, {2, 0}, {4, 0}}};
  return {{{0, 1}, {8, 0}, {0, 8}}, {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}}};
}

BlockLayout BlockLayout::operandB(Multiplicand Of) {
  if (Of == Multiplicand::Tf32)
    return {{{4, 0}}, {{1, 0}, {2, 0}, {0, 1}, {0, 2}, {0, 4}}};
  return {{{1, 0}, {8, 0}}, {{2, 0}, {4, 0}, {0, 1}, {0, 2}, {0, 4}}};
}

/// The same with eight columns more.
static BlockLayout pairOf(const BlockLayout &Left) {
  SmallVector<Point, 4> Elements(Left.elementBits());
  Elements.push_back({0, 8});
  return {Elements, Left.laneBits()};
}

BlockLayout BlockLayout::operandBPair(Multiplicand Of) {
  return pairOf(operandB(Of));
}

/// The three bits of a step among eight, turned: steps c and c + 4 become 2c
/// and 2c + 1.
static int64_t turnStep(int64_t Step) {
  return (Step << 1 & 6) | (Step >> 2 & 1);
}

BlockLayout BlockLayout::weights(Multiplicand Of) {
  BlockLayout A = operandA(Of);
  if (Of == Multiplicand::Tf32)
    for (MutableArrayRef<Point> Bits : {MutableArrayRef<Point>(A.ElementBits),
                                        MutableArrayRef<Point>(A.LaneBits)})
      for (Point &P : Bits)
        P.Column = turnStep(P.Column);
  return A;
}

BlockLayout BlockLayout::valuePair(Multiplicand Of) {
  BlockLayout Pair = operandBPair(Of);
  if (Of == Multiplicand::Tf32)
    for (MutableArrayRef<Point> Bits :
         {MutableArrayRef<Point>(Pair.ElementBits),
          MutableArrayRef<Point>(Pair.LaneBits)})
      for (Point &P : Bits)
        P.Row = turnStep(P.Row);
  return Pair;
}

BlockLayout BlockLayout::accumulator() {
  return {{{0, 1}, {8, 0}}, {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}}};
}

Point BlockLayout::extents() const {
  Point Last = at(elements() - 1, WarpSize - 1);
  return {Last.Row + 1, Last.Column + 1};
}

Point BlockLayout::at(int64_t Element, int64_t Lane) const {
  return apply(ElementBits, Element) ^ apply(LaneBits, Lane);
}

BlockLayout::Holder BlockLayout::find(Point P) const {
  // Each image is one bit of the row or of the column, and no two are the same:
  // the inverse takes the bits back one by one.
  auto Preimage = [&](ArrayRef<Point> Images) {
    int64_t Result = 0;
    for (auto [Bit, Image] : llvm::enumerate(Images))
      if ((P.Row & Image.Row) != 0 || (P.Column & Image.Column) != 0)
        Result |= int64_t{1} << Bit;
    return Result;
  };
  return {Preimage(ElementBits), Preimage(LaneBits)};
}

Value BlockLayout::laneRow(NvBuilder &B) const {
  return applyLinear(
      B, llvm::map_to_vector(LaneBits, [](Point P) { return P.Row; }),
      B.lane());
}

Value BlockLayout::laneColumn(NvBuilder &B) const {
  return applyLinear(
      B, llvm::map_to_vector(LaneBits, [](Point P) { return P.Column; }),
      B.lane());
}

SmallVector<Point, 5> heddle::nv::matrixAddresses(const BlockLayout &Layout,
                                                  bool Transposed) {
  ArrayRef<Point> Element = Layout.elementBits(), Lane = Layout.laneBits();
  SmallVector<Point, 5> Result;
  // Rows of a matrix as they lie in memory: row r goes to lanes 4r ... 4r + 3,
  // or its element c to lane 4c + r / 2, the halves of whose register are rows
  // that differ in bit 0.
  if (Transposed)
    Result = {Element[0], Lane[0], Lane[1]};
  else
    Result = {Lane[2], Lane[3], Lane[4]};
  // Matrix i goes to register i: elements 2i and 2i + 1, or the one.
  llvm::append_range(Result, Element.take_back(2));
  return Result;
}

Value heddle::nv::applyLinear(NvBuilder &B, ArrayRef<int64_t> Images, Value X) {
  // Bits that move equally far move together.
  std::map<int64_t, int64_t> MaskOfShift;
  for (auto [Bit, Image] : llvm::enumerate(Images))
    if (Image != 0)
      MaskOfShift[llvm::Log2_64(Image) - static_cast<int64_t>(Bit)] |=
          int64_t{1} << Bit;
  Value Result;
  for (auto [Shift, Mask] : MaskOfShift) {
    Value Bits = B.bitAnd(X, Mask);
    Bits = Shift >= 0 ? B.shl(Bits, Shift) : B.shr(Bits, -Shift);
    Result = Result ? B.bitOr(Result, Bits) : Bits;
  }
  return Result ? Result : B.i32(0);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {

/// A register's block and its element there.
struct Place {
  int64_t RowBlock, ColumnBlock, Element;

  Place(const FragmentLayout &Of, int64_t Register)
      : RowBlock(Register / 4 / Of.columnBlocks()),
        ColumnBlock(Register / 4 % Of.columnBlocks()), Element(Register % 4) {}
};

} // namespace

int64_t FragmentLayout::statOf(int64_t Register) const {
  Place P(*this, Register);
  bool Lower = BlockLayout::accumulator().at(P.Element, 0).Row != 0;
  return P.RowBlock * 2 + (Lower ? 1 : 0);
}

Point FragmentLayout::at(int64_t Register, int64_t Lane, int64_t Warp) const {
  Place P(*this, Register);
  Point In = BlockLayout::accumulator().at(P.Element, Lane);
  return {Warp * WarpRows + P.RowBlock * 16 + In.Row,
          P.ColumnBlock * 8 + In.Column};
}

std::optional<FragmentLayout::Holder> FragmentLayout::find(Point P) const {
  if (P.Row < 0 || P.Row >= Warps * WarpRows || P.Column < 0 ||
      P.Column >= Columns)
    return std::nullopt;
  BlockLayout::Holder In =
      BlockLayout::accumulator().find({P.Row % 16, P.Column % 8});
  return Holder{registerOf(P.Row % WarpRows / 16, P.Column / 8, In.Element),
                In.Lane, P.Row / WarpRows};
}

static Value rowFrom(NvBuilder &B, const FragmentLayout &Of, int64_t InWarp) {
  Value Lane = BlockLayout::accumulator().laneRow(B);
  return B.add(B.add(B.mul(B.warp(), Of.WarpRows), Lane), InWarp);
}

Value FragmentLayout::row(NvBuilder &B, int64_t Register) const {
  return rowOfStat(B, statOf(Register));
}

Value FragmentLayout::rowOfStat(NvBuilder &B, int64_t Stat) const {
  return rowFrom(B, *this, Stat * 8);
}

Value FragmentLayout::column(NvBuilder &B, int64_t Register) const {
  return B.add(BlockLayout::accumulator().laneColumn(B),
               at(Register, 0, 0).Column);
}
