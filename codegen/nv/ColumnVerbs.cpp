// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums and maxima over the queries of a tile.

#include "codegen/nv/TileLowering.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

/// Every column's sum over the rows of a warp: one value per register of the
/// first row block that has the warp's first row, in all lanes of the column.
static NvBuilder::Values sumOverRows(NvBuilder &B, const Fragment &P) {
  const FragmentLayout &Of = P.Of;
  NvBuilder::Values Sums;
  for (int64_t Column = 0; Column < Of.columnBlocks(); ++Column)
    for (int64_t Element = 0; Element < 2; ++Element) {
      Value Sum;
      for (int64_t Row = 0; Row < Of.rowBlocks(); ++Row)
        for (int64_t Lower = 0; Lower < 2; ++Lower) {
          Value X = P.Regs[Of.registerOf(Row, Column, 2 * Lower + Element)];
          Sum = Sum ? B.fadd(Sum, X) : X;
        }
      // Lanes that differ in these bits have the same columns.
      for (int64_t Bit : {4, 8, 16})
        Sum = B.fadd(Sum, B.shuffleXor(Sum, Bit));
      Sums.push_back(Sum);
    }
  return Sums;
}

void TileLowering::lower(tile::AddColumnsOp Op) {
  const Fragment &Weights = get<Fragment>(Op.getP());
  const FragmentLayout &Of = Weights.Of;
  Value NumRows = scalarI64(Op.getRows());
  const int64_t Keys = Of.Columns, Warps = Of.Warps;
  SharedMemory::Part Memory = Shared.reserve(Warps * Keys * 4);
  Value Scratch = Shared.at(Memory.Offset);
  RowSource To = rowSource(Op.getView(), scalarI64(Op.getB()),
                           scalarI64(Op.getH()), Op.getK0());
  // Padding is a column of somebody else.
  To.limit(B, cast<RankedTensorType>(Op.getP().getType()).getDimSize(1));
  B.branch(hasData(Op.getView()), [&] {
    Fragment Existing = mapElements(B, Weights, [&](Value X, Value Row, Value) {
      Value Exists = B.cmp(CmpIPredicate::slt, B.toI64(Row), NumRows);
      return B.select(Exists, X, B.f32(0.0F));
    });
    Values Sums = sumOverRows(B, Existing);
    // The sums before may still be read.
    Shared.barrierUnlessFree(Memory);
    B.branch(B.cmp(CmpIPredicate::ult, B.lane(), 4), [&] {
      Value Row = B.offset(Scratch, B.mul(B.warp(), Keys), B.getF32Type());
      for (int64_t I = 0; I < static_cast<int64_t>(Sums.size()); ++I) {
        Value Column = Of.column(B, Of.registerOf(0, I / 2, I % 2));
        B.store(Sums[I], B.offset(Row, Column, B.getF32Type()));
      }
    });
    Shared.barrier();
    B.loop(B.thread(), B.i32(Keys), B.config().threads(), [&](Value Key) {
      // The same order every time.
      Value Sum;
      for (int64_t Warp = 0; Warp < Warps; ++Warp) {
        Value At = B.offset(Scratch, B.add(Key, Warp * Keys), B.getF32Type());
        Value X = B.load(B.getF32Type(), At);
        Sum = Sum ? B.fadd(Sum, X) : X;
      }
      Value Position = To.Position(B, Key);
      B.branch(To.exists(B, Position), [&] {
        Value At = To.row(B, Position);
        B.store(B.fadd(B.load(B.getF32Type(), At), Sum), At);
      });
    });
  });
}

/// Raises an element that other threads may raise at the same time to a
/// positive number. The bits of such numbers have the order of the numbers.
static void emitAtomicRaise(NvBuilder &B, Value To, Value Number) {
  // Most numbers are no maximum, and need no exclusive access.
  Value Old = B.load(B.getF32Type(), To);
  B.branch(B.cmp(CmpFPredicate::OGT, Number, Old), [&] {
    LLVM::AtomicRMWOp::create(B, LLVM::AtomicBinOp::umax, To,
                              B.bitcast(Number, B.getI32Type()),
                              LLVM::AtomicOrdering::monotonic,
                              /*syncscope=*/llvm::StringRef(),
                              /*alignment=*/4);
  });
}

void TileLowering::lower(tile::RaiseBlocksOp Op) {
  const Fragment &Weights = get<Fragment>(Op.getP());
  const FragmentLayout &Of = Weights.Of;
  Value NumRows = scalarI64(Op.getRows());
  Places Queries = places(Op.getRow0()), Keys = places(Op.getK0());
  auto BlockQ = static_cast<int64_t>(Op.getBlockQ());
  auto BlockK = static_cast<int64_t>(Op.getBlockK());
  Value To =
      headAddress(Op.getView(), scalarI64(Op.getB()), scalarI64(Op.getH()));
  Value Stride = viewStride(Op.getView(), 2);
  Value NumColumns = viewShape(Op.getView(), 3);
  B.branch(hasData(Op.getView()), [&] {
    Values BlockRow, RowExists;
    for (int64_t I = 0; I < Of.stats(); ++I) {
      Value Row = Of.rowOfStat(B, I);
      Value Query = Queries.At(B, Row);
      BlockRow.push_back(B.mul(B.div(Query, BlockQ), Stride));
      RowExists.push_back(
          B.bitAnd(B.cmp(CmpIPredicate::slt, B.toI64(Row), NumRows),
                   B.cmp(CmpIPredicate::sge, Query, 0)));
    }
    for (int64_t Register = 0; Register < Of.registers(); ++Register) {
      Value P = Weights.Regs[Register];
      int64_t Stat = Of.statOf(Register);
      // A key that is nowhere is in a column that does not exist.
      Value Column = B.div(Keys.At(B, Of.column(B, Register)), BlockK);
      Value Counts =
          B.bitAnd(B.bitAnd(RowExists[Stat],
                            B.cmp(CmpIPredicate::ult, Column, NumColumns)),
                   B.cmp(CmpFPredicate::OGT, P, B.f32(0.0F)));
      B.branch(Counts, [&] {
        Value At = B.add(BlockRow[Stat], Column);
        emitAtomicRaise(B, B.offset(To, At, B.getF32Type()), P);
      });
    }
  });
}
