// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verbs that recurrences are made of.

#include "codegen/cpu/Decays.h"
#include "codegen/cpu/Expand.h"
#include "codegen/cpu/Reduce.h"
#include "codegen/cpu/Solve.h"
#include "codegen/cpu/TileLowering.h"
#include "heddle/abi.h"
#include "mlir/IR/Matchers.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

static RankedTensorType tileType(Value V) {
  return cast<RankedTensorType>(V.getType());
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

void TileLowering::lower(tile::TransposeOp Op) {
  Tile T = Tiles.lookup(Op.getTile());
  if (T.InPlace)
    defineView(Op.getResult(), *T.InPlace, /*ByColumns=*/true);
  else
    defineView(Op.getResult(), columns(Op.getTile()), /*ByColumns=*/false);
}

void TileLowering::lower(tile::RowOp Op) {
  Tile T = Tiles.lookup(Op.getTile());
  Value Row = scalarI64(Op.getIndex());
  if (T.InPlace) {
    defineView(Op.getResult(), {T.InPlace->row(B, Row), B.i64(0), {}},
               /*ByColumns=*/false);
    return;
  }
  RowView Columns = columns(Op.getTile());
  Columns.Base = B.offset(Columns.Base, Row);
  defineView(Op.getResult(), Columns, /*ByColumns=*/true);
}

void TileLowering::lower(tile::ElementOp Op) {
  KeySide Vector = keySide(Op.getTile(), /*AllExist=*/false);
  Value At = Vector.element(B, scalarI64(Op.getIndex()), B.i64(0));
  Scalars.map(Op.getResult(), B.loadScalar(At));
}

namespace {
/// A matrix of a table, copied as rows of `Columns` elements.
struct TableMatrix {
  int64_t Rows, Columns;
  Value From, RowStride, ColumnStride, LastRow, LastColumn, To;
};
} // namespace

static void emitTableMatrix(KernelBuilder &B, const TableMatrix &M) {
  B.loop(M.Rows, 1, [&](Value Row) {
    Value From = B.offset(M.From, B.mul(B.min(Row, M.LastRow), M.RowStride));
    Value To = B.offset(M.To, B.mul(Row, M.Columns));
    B.loop(M.Columns, 1, [&](Value Column) {
      Value At = B.mul(B.min(Column, M.LastColumn), M.ColumnStride);
      B.storeScalar(B.loadScalar(B.offset(From, At)), B.offset(To, Column));
    });
  });
}

void TileLowering::lower(tile::LoadTableOp Op) {
  Value Table = scalar(Op.getTable());
  auto Field = [&](size_t Offset, Type T) {
    return B.loadScalar(
        B.offset(Table, static_cast<int64_t>(Offset), B.getI8Type()), T);
  };
  auto Stride = [&](size_t Axis) {
    return Field(offsetof(heddle_table, stride) + Axis * sizeof(int64_t),
                 B.getI64Type());
  };
  // An axis without elements has a first one to point at.
  auto Last = [&](size_t Axis) -> Value {
    Value Extent = Field(offsetof(heddle_table, shape) + Axis * sizeof(int64_t),
                         B.getI64Type());
    return arith::MaxSIOp::create(B, B.add(Extent, -1), B.i64(0));
  };
  auto Type = tileType(Op.getTile());
  TableMatrix M;
  M.Rows = Type.getDimSize(0);
  M.Columns = Type.getDimSize(1);
  M.From = Field(offsetof(heddle_table, data), B.ptrType());
  size_t Axis = 0;
  for (Value Index : Op.getIndices()) {
    Value Inside = arith::MaxSIOp::create(
        B, B.min(scalarI64(Index), Last(Axis)), B.i64(0));
    M.From = B.offset(M.From, B.mul(Inside, Stride(Axis++)));
  }
  M.RowStride = Stride(Axis);
  M.ColumnStride = Stride(Axis + 1);
  M.LastRow = Last(Axis);
  M.LastColumn = Last(Axis + 1);
  M.To = Scratch->allocate(M.Rows * M.Columns * 4).Base;
  // Rows where they lie are as good as copies.
  Value InPlace = arith::AndIOp::create(
      B,
      arith::CmpIOp::create(B, arith::CmpIPredicate::eq, M.ColumnStride,
                            B.i64(1)),
      arith::CmpIOp::create(B, arith::CmpIPredicate::sge, M.LastColumn,
                            B.i64(M.Columns - 1)));
  B.branch(
      InPlace, [] {},
      [&] {
        Shared.call(B, "table", {M.Rows, M.Columns},
                    {&M.From, &M.RowStride, &M.ColumnStride, &M.LastRow,
                     &M.LastColumn, &M.To},
                    [&](KernelBuilder &Inside) { emitTableMatrix(Inside, M); });
      });
  RowView View{B.select(InPlace, M.From, M.To),
               B.select(InPlace, M.RowStride, B.i64(M.Columns)),
               B.select(InPlace, M.LastRow, B.i64(M.Rows - 1))};
  defineView(Op.getTile(), View, /*ByColumns=*/false);
}

//===----------------------------------------------------------------------===//
// Sums and products
//===----------------------------------------------------------------------===//

void TileLowering::lower(tile::ReduceOp Op) {
  Reduction R;
  R.Type = tileType(Op.getTile());
  R.IsSum = Op.getKind() == tile::Reduction::Sum;
  R.OverColumns = Op.getAxis() == 1;
  R.From = stored(Op.getTile()).Base;
  Buffer To = allocate(Op.getResult());
  R.To = To.Base;
  Shared.call(
      B, "reduce",
      {R.Type.getDimSize(0), R.Type.getDimSize(1), R.IsSum, R.OverColumns},
      {&R.From, &R.To},
      [&](KernelBuilder &Inside) { emitReduction(Inside, R); });
  define(Op.getResult(), To);
}

void TileLowering::lower(tile::DecaysOp Op) {
  Decays D;
  D.Type = tileType(Op.getW());
  D.A = stored(Op.getA()).Base;
  Buffer W = allocate(Op.getW());
  Buffer FromStart = allocate(Op.getFromStart());
  Buffer ToEnd = allocate(Op.getToEnd());
  D.W = W.Base;
  D.FromStart = FromStart.Base;
  D.ToEnd = ToEnd.Base;
  int64_t Tokens = D.Type.getDimSize(0);
  Shared.call(B, "decays", {Tokens}, {&D.A, &D.W, &D.FromStart, &D.ToEnd},
              [&](KernelBuilder &Inside) { emitDecays(Inside, D); });
  define(Op.getW(), W);
  define(Op.getFromStart(), FromStart);
  define(Op.getToEnd(), ToEnd);
  Scalars.map(Op.getTotal(),
              B.loadScalar(B.offset(FromStart.Base, Tokens - 1)));
}

/// What a product's code depends on: strides of tiles that were computed are
/// known, and are no input then.
static int64_t takeKnownStride(KeySide &Side) {
  APInt Known;
  if (!matchPattern(Side.View.Stride, m_ConstantInt(&Known)))
    return -1;
  Side.View.Stride = {};
  return Known.getSExtValue();
}

static void giveKnownStride(KernelBuilder &B, KeySide &Side, int64_t Known) {
  if (!Side.View.Stride)
    Side.View.Stride = B.i64(Known);
}

void TileLowering::lower(tile::DecayedScoresOp Op) {
  DecayedScores D;
  D.Type = tileType(Op.getQ());
  D.Q = stored(Op.getQ()).Base;
  D.K = keySide(Op.getK(), /*AllExist=*/false);
  D.A = keySide(Op.getA(), /*AllExist=*/false);
  Buffer To = allocate(Op.getS());
  D.S = To.Base;
  D.Before = Op.getBefore();
  int64_t OfK = takeKnownStride(D.K);
  int64_t OfA = takeKnownStride(D.A);
  Shared.call(B, "decayed_scores",
              {D.Type.getDimSize(0), D.Type.getDimSize(1), D.K.ByColumns, OfK,
               D.A.ByColumns, OfA, D.Before},
              {&D.Q, &D.K.View.Base, &D.K.View.Stride, &D.K.View.Last,
               &D.A.View.Base, &D.A.View.Stride, &D.A.View.Last, &D.S},
              [&](KernelBuilder &Inside) {
                giveKnownStride(Inside, D.K, OfK);
                giveKnownStride(Inside, D.A, OfA);
                emitDecayedScores(Inside, D);
              });
  define(Op.getS(), To);
}

void TileLowering::lower(tile::CumulateOp Op) {
  Cumulation C;
  C.Type = tileType(Op.getA());
  C.A = stored(Op.getA()).Base;
  Buffer FromStart = successor(Op.getA(), Op);
  Buffer ToEnd = allocate(Op.getToEnd());
  Buffer Total = allocate(Op.getTotal());
  C.FromStart = FromStart.Base;
  C.ToEnd = ToEnd.Base;
  C.Total = Total.Base;
  C.Before = Op.getBefore();
  Shared.call(B, "cumulate",
              {C.Type.getDimSize(0), C.Type.getDimSize(1), C.Before},
              {&C.A, &C.FromStart, &C.ToEnd, &C.Total},
              [&](KernelBuilder &Inside) { emitCumulation(Inside, C); });
  define(Op.getFromStart(), FromStart);
  define(Op.getToEnd(), ToEnd);
  define(Op.getTotal(), Total);
}

void TileLowering::lower(tile::SolveOp Op) {
  Substitution S;
  S.Type = tileType(Op.getR());
  S.A = keySide(Op.getA(), /*AllExist=*/false);
  S.R = stored(Op.getR()).Base;
  Buffer To = successor(Op.getR(), Op);
  S.U = To.Base;
  int64_t OfA = takeKnownStride(S.A);
  Shared.call(B, "solve",
              {S.Type.getDimSize(0), S.Type.getDimSize(1), S.A.ByColumns, OfA},
              {&S.A.View.Base, &S.A.View.Stride, &S.A.View.Last, &S.R, &S.U},
              [&](KernelBuilder &Inside) {
                giveKnownStride(Inside, S.A, OfA);
                emitSubstitution(Inside, S);
              });
  define(Op.getU(), To);
}

void TileLowering::lower(tile::ExpandOp Op) {
  Expansion E;
  E.Type = tileType(Op.getX());
  if (std::optional<uint64_t> Power = Op.getPower())
    E.Power = static_cast<int64_t>(*Power);
  E.X = stored(Op.getX()).Base;
  Buffer To = allocate(Op.getResult());
  E.To = To.Base;
  Shared.call(B, "expand",
              {E.Type.getDimSize(0), E.Type.getDimSize(1), E.Power.value_or(0)},
              {&E.X, &E.To},
              [&](KernelBuilder &Inside) { emitExpansion(Inside, E); });
  define(Op.getResult(), To);
}
