// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a matrix are that the threads of a warp hold together.
// The operands of mma.sync are blocks whose row and column are linear functions
// over GF(2) of the bits of the element's number in the thread and of the lane:
// every bit contributes a fixed row and column, and contributions are combined
// by exclusive or. A map is therefore given by the images of the bits, and what
// is asked of it (the element of a thread, the thread of an element, code that
// computes a row from the lane, which addresses ldmatrix wants) is computed
// from those. Larger tiles are arrays of blocks.

#ifndef HEDDLE_CODEGEN_NV_LAYOUT_H
#define HEDDLE_CODEGEN_NV_LAYOUT_H

#include "codegen/nv/NvBuilder.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace heddle::nv {

/// A place in a matrix.
struct Point {
  int64_t Row = 0, Column = 0;

  bool operator==(const Point &P) const {
    return Row == P.Row && Column == P.Column;
  }
  bool operator!=(const Point &P) const { return !(*this == P); }
  Point operator^(const Point &P) const {
    return {Row ^ P.Row, Column ^ P.Column};
  }
};

/// What mma.sync multiplies.
enum class Multiplicand {
  Half, ///< f16 or bf16, two in a register
  Tf32, ///< f32 rounded to tf32, one in a register
};

/// One block that a warp holds.
class BlockLayout {
public:
  /// Images of the bits of the element's number in a thread, and of the lane,
  /// lowest bit first.
  BlockLayout(llvm::ArrayRef<Point> ElementBits, llvm::ArrayRef<Point> LaneBits)
      : ElementBits(ElementBits), LaneBits(LaneBits) {}

  /// Operands of mma.sync.aligned.m16n8k16 with f16 or bf16 multiplicands and
  /// f32 accumulators (PTX ISA, "Matrix Fragments for mma.m16n8k16 with
  /// floating point type"): A is 16 rows by 16 columns of k, B 16 rows of k by
  /// 8 columns, C and D 16 rows by 8 columns. Elements 2i and 2i + 1 of A and B
  /// are the halves of the i-th register. With tf32 those of
  /// mma.sync.aligned.m16n8k8 ("Matrix Fragments for mma.m16n8k8"): A is 16
  /// rows by 8 columns of k, B 8 rows of k by 8 columns, and every element is a
  /// register.
  static BlockLayout operandA(Multiplicand Of = Multiplicand::Half);
  static BlockLayout operandB(Multiplicand Of = Multiplicand::Half);
  /// Two operands B side by side: the upper half of the elements are those of
  /// the right one.
  static BlockLayout operandBPair(Multiplicand Of = Multiplicand::Half);
  static BlockLayout accumulator();

  /// Operand A, and two operands B side by side, of a product over keys whose
  /// order is ours to choose: such that accumulators are operand A as they are.
  /// With tf32, steps c and c + 4 of the sum are keys 2c and 2c + 1 then.
  static BlockLayout weights(Multiplicand Of);
  static BlockLayout valuePair(Multiplicand Of);

  /// Elements of a thread.
  int64_t elements() const { return int64_t{1} << ElementBits.size(); }
  /// The block's extents, both powers of two.
  Point extents() const;

  Point at(int64_t Element, int64_t Lane) const;
  struct Holder {
    int64_t Element, Lane;
  };
  /// Who holds an element of the block: at() is a bijection.
  Holder find(Point P) const;

  /// Code for the contributions of the lane to row and column: i32, to be
  /// combined with those of an element's number by exclusive or (or by adding:
  /// no bit is in both).
  mlir::Value laneRow(NvBuilder &B) const;
  mlir::Value laneColumn(NvBuilder &B) const;

  /// Of a layout that outlives them.
  llvm::ArrayRef<Point> elementBits() const & { return ElementBits; }
  llvm::ArrayRef<Point> laneBits() const & { return LaneBits; }
  llvm::ArrayRef<Point> elementBits() && = delete;
  llvm::ArrayRef<Point> laneBits() && = delete;

private:
  llvm::SmallVector<Point, 4> ElementBits;
  llvm::SmallVector<Point, 5> LaneBits;
};

/// Where the lanes of an ldmatrix.x4 point, for its registers to come out as
/// those of a layout with eight 16-bit elements, or with four of 32 bits, which
/// ldmatrix takes for pairs: the images of the lane's bits, in coordinates of
/// the layout. ldmatrix takes the eight rows of matrix i, eight
/// 16-bit elements each, from where lanes 8i ... 8i + 7 point, and gives
/// elements 2c and 2c + 1 of row r to lane 4r + c as its register i (PTX ISA,
/// "Warp-level matrix load instruction: ldmatrix"); with `Transposed` (.trans),
/// elements 2c and 2c + 1 of column r,
/// which only 16-bit elements can use.
llvm::SmallVector<Point, 5> matrixAddresses(const BlockLayout &Layout,
                                            bool Transposed);

/// Code for a linear map of an i32: the exclusive or of the images of those
/// bits of `X` that are set. Each image is zero or one bit.
mlir::Value applyLinear(NvBuilder &B, llvm::ArrayRef<int64_t> Images,
                        mlir::Value X);

/// A tile of f32 that the CTA holds: warp w has rows [w * WarpRows,
/// (w + 1) * WarpRows), in accumulator blocks. Register 4 * (i * Columns / 8 +
/// j)
/// + e is element e of the block in block row i and block column j.
struct FragmentLayout {
  /// Rows of a warp: a multiple of 16.
  int64_t WarpRows = 16;
  int64_t Warps = 4;
  /// A multiple of 8.
  int64_t Columns = 0;

  int64_t rowBlocks() const { return WarpRows / 16; }
  int64_t columnBlocks() const { return Columns / 8; }
  int64_t registers() const { return rowBlocks() * columnBlocks() * 4; }
  /// Number of row statistics that a thread has for such a tile; see RowStats.
  int64_t stats() const { return rowBlocks() * 2; }

  int64_t registerOf(int64_t RowBlock, int64_t ColumnBlock,
                     int64_t Element) const {
    return (RowBlock * columnBlocks() + ColumnBlock) * 4 + Element;
  }
  /// Which of the thread's row statistics belongs to a register's row.
  int64_t statOf(int64_t Register) const;

  Point at(int64_t Register, int64_t Lane, int64_t Warp) const;
  struct Holder {
    int64_t Register, Lane, Warp;
  };
  std::optional<Holder> find(Point P) const;

  /// Code for the row and column in the CTA's tile: i32. The column depends on
  /// the lane, the row on lane and warp.
  mlir::Value row(NvBuilder &B, int64_t Register) const;
  mlir::Value column(NvBuilder &B, int64_t Register) const;
  mlir::Value rowOfStat(NvBuilder &B, int64_t Stat) const;

  bool operator==(const FragmentLayout &L) const {
    return WarpRows == L.WarpRows && Warps == L.Warps && Columns == L.Columns;
  }
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_LAYOUT_H
