// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/MicroKernel.h"

#include "codegen/cpu/Masks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <optional>

using namespace heddle::cpu;
using namespace mlir;

namespace {

/// One register tile: rows [FirstRow, FirstRow + Rows) and `Vectors` vectors
/// from `FirstVector` on.
class RegisterTile {
public:
  RegisterTile(KernelBuilder &B, const Product &P, Value FirstRow, int64_t Rows,
               Value FirstVector, int64_t Vectors)
      : B(B), P(P), FirstRow(FirstRow), FirstVector(FirstVector), Rows(Rows),
        Vectors(Vectors) {}

  void emit(ArrayRef<Value> RowPointers);

private:
  Value matrixRow(Value Matrix, Value Row) {
    Value At = B.add(B.mul(Row, P.Length), B.mul(FirstVector, B.lanes()));
    return B.offset(Matrix, At);
  }
  KernelBuilder::Values initial();
  /// Steps [Step, Step + Count) of the reduction.
  KernelBuilder::Values advance(ArrayRef<Value> RowPointers, Value Step,
                                int64_t Count, ValueRange Sums);
  /// This step's share of rows ahead, as if the register tile were `Tiles`
  /// further on.
  void fetchAhead(const RowsAhead &Ahead, Value Step, int64_t Tiles);
  /// The rows of `P.A` themselves, for a product that works through them.
  std::optional<RowsAhead> ownRows() const;

  KernelBuilder &B;
  const Product &P;
  Value FirstRow, FirstVector;
  int64_t Rows, Vectors;
};

} // namespace

KernelBuilder::Values RegisterTile::initial() {
  KernelBuilder::Values Sums;
  if (!P.InitialC) {
    Sums.assign(Rows * Vectors, B.splat(0.0F));
    return Sums;
  }
  KernelBuilder::Values Factors;
  if (P.Factor) {
    Value Base = B.offset(P.Factor, B.mul(FirstVector, B.lanes()));
    for (int64_t J = 0; J < Vectors; ++J)
      Factors.push_back(B.loadVector(B.offset(Base, J * B.lanes())));
  }
  Value Base = matrixRow(P.InitialC, FirstRow);
  for (int64_t I = 0; I < Rows; ++I)
    for (int64_t J = 0; J < Vectors; ++J) {
      Value Sum = B.loadVector(B.offset(Base, I * P.Length + J * B.lanes()));
      Sums.push_back(P.Factor ? B.fmul(Sum, Factors[J]) : Sum);
    }
  return Sums;
}

KernelBuilder::Values RegisterTile::advance(ArrayRef<Value> RowPointers,
                                            Value Step, int64_t Count,
                                            ValueRange Carried) {
  KernelBuilder::Values Sums = llvm::to_vector_of<Value>(Carried);
  Value BRow = matrixRow(P.B, Step);
  Value WordRow;
  int64_t WordLength = P.Length / B.lanes();
  if (P.Words)
    WordRow = B.offset(P.Words, B.add(B.mul(Step, WordLength), FirstVector),
                       wordType(B));
  KernelBuilder::Values AtStep;
  if (!P.ReduceOverRows)
    for (Value Pointer : RowPointers)
      AtStep.push_back(B.offset(Pointer, Step));

  for (int64_t U = 0; U < Count; ++U) {
    KernelBuilder::Values Right, Masks;
    for (int64_t J = 0; J < Vectors; ++J) {
      Right.push_back(
          B.loadVector(B.offset(BRow, U * P.Length + J * B.lanes())));
      if (P.Words)
        Masks.push_back(
            loadMask(B, B.offset(WordRow, U * WordLength + J, wordType(B))));
    }
    Value Row;
    if (P.ReduceOverRows)
      Row = B.offset(P.A.row(B, B.add(Step, U)), FirstRow);
    for (int64_t I = 0; I < Rows; ++I) {
      Value Pointer =
          P.ReduceOverRows ? B.offset(Row, I) : B.offset(AtStep[I], U);
      Value Left = B.splat(B.loadScalar(Pointer));
      for (int64_t J = 0; J < Vectors; ++J) {
        Value &Sum = Sums[I * Vectors + J];
        Value Next = B.fma(Left, Right[J], Sum);
        Sum = P.Words ? B.select(Masks[J], Next, Sum) : Next;
      }
    }
  }
  return Sums;
}

/// Bytes of a cache line on every machine of this target.
static constexpr int64_t LineBytes = 64;

std::optional<RowsAhead> RegisterTile::ownRows() const {
  // Rows that all exist are copies, just made.
  if (P.ReduceOverRows || !P.A.Last)
    return std::nullopt;
  RowsAhead Own;
  Own.Rows = P.Rows;
  Own.Bytes = P.Depth * 4;
  Own.Base = P.A.Base;
  Own.Stride = B.mul(P.A.Stride, 4);
  Own.Last = P.A.Last;
  return Own;
}

void RegisterTile::fetchAhead(const RowsAhead &Ahead, Value Step,
                              int64_t Tiles) {
  int64_t PerRow = llvm::divideCeil(Ahead.Bytes, LineBytes);
  int64_t Unroll = std::min(B.shape().Unroll, P.Depth);
  int64_t PerTile =
      llvm::divideCeil(Ahead.Rows * PerRow, llvm::divideCeil(P.Rows, Rows));
  int64_t PerStep = llvm::divideCeil(PerTile, P.Depth / Unroll);
  // Lines count over all rows. The last tile may run past the last of them.
  Value Tile = arith::DivUIOp::create(B, FirstRow, B.i64(Rows));
  Value First =
      B.add(B.mul(B.add(Tile, Tiles), PerTile),
            B.mul(arith::DivUIOp::create(B, Step, B.i64(Unroll)), PerStep));
  for (int64_t I = 0; I < PerStep; ++I) {
    Value Line = B.add(First, I);
    Value Row = arith::DivUIOp::create(B, Line, B.i64(PerRow));
    Value Column =
        B.mul(arith::RemUIOp::create(B, Line, B.i64(PerRow)), LineBytes);
    Row = B.min(Row, Ahead.Positions ? B.i64(Ahead.Rows - 1) : Ahead.Last);
    if (Ahead.Positions)
      Row = B.loadScalar(B.offset(Ahead.Positions, Row, B.getI64Type()),
                         B.getI64Type());
    Value At = B.add(B.mul(Row, Ahead.Stride), Column);
    B.prefetch(B.offset(Ahead.Base, At, B.getI8Type()));
  }
}

void RegisterTile::emit(ArrayRef<Value> RowPointers) {
  int64_t Unroll = std::min(B.shape().Unroll, P.Depth);
  int64_t Main = P.Depth / Unroll * Unroll;
  std::optional<RowsAhead> Own = ownRows();
  KernelBuilder::Values Sums =
      B.loop(Main, Unroll, initial(), [&](Value Step, ValueRange Carried) {
        if (P.Ahead.Base)
          fetchAhead(P.Ahead, Step, 0);
        if (Own)
          fetchAhead(*Own, Step, 1);
        return advance(RowPointers, Step, Unroll, Carried);
      });
  if (Main < P.Depth)
    Sums = advance(RowPointers, B.i64(Main), P.Depth - Main, Sums);
  Value Base = matrixRow(P.C, FirstRow);
  for (int64_t I = 0; I < Rows; ++I)
    for (int64_t J = 0; J < Vectors; ++J)
      B.storeVector(Sums[I * Vectors + J],
                    B.offset(Base, I * P.Length + J * B.lanes()));
}

/// All vectors of rows [FirstRow, FirstRow + Rows), as many at once as the
/// registers hold beside the operands of one step, with one to spare for the
/// next broadcast: without it the scheduler spills.
static void emitRows(KernelBuilder &B, const Product &P, Value FirstRow,
                     int64_t Rows) {
  const Shape &S = B.shape();
  int64_t Vectors = P.Length / S.Lanes;
  int64_t Fit = (S.Registers - 2 - S.ProductScratch) / (Rows + 1);
  int64_t AtOnce = largestDivisor(Vectors, std::max<int64_t>(Fit, 1));
  KernelBuilder::Values RowPointers;
  if (!P.ReduceOverRows)
    for (int64_t I = 0; I < Rows; ++I)
      RowPointers.push_back(P.A.row(B, B.add(FirstRow, I)));
  B.loop(Vectors, AtOnce, [&](Value FirstVector) {
    RegisterTile(B, P, FirstRow, Rows, FirstVector, AtOnce).emit(RowPointers);
  });
}

void heddle::cpu::emitProduct(KernelBuilder &B, const Product &P) {
  int64_t Fit = std::max<int64_t>(
      1, (B.shape().Registers - 3 - B.shape().ProductScratch) / 2);
  int64_t AtOnce = std::min(P.Rows, largestDivisor(B.shape().Rows, Fit));
  int64_t Main = P.Rows / AtOnce * AtOnce;
  B.loop(Main, AtOnce,
         [&](Value FirstRow) { emitRows(B, P, FirstRow, AtOnce); });
  if (Main < P.Rows)
    emitRows(B, P, B.i64(Main), P.Rows - Main);
}
