// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads of tables by a map that can be done ahead of it.

#include "codegen/cpu/Map.h"
#include "codegen/cpu/TileLowering.h"
#include "heddle/abi.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;
using arith::CmpIPredicate;

static Value holds(KernelBuilder &B, CmpIPredicate P, Value X, Value Y) {
  return arith::CmpIOp::create(B, P, X, Y);
}

static Value moveInto(KernelBuilder &B, Value Index, Value Last) {
  return arith::MaxSIOp::create(B, B.min(Index, Last), B.i64(0));
}

void heddle::cpu::emitTableRows(KernelBuilder &B, const TableRows &T) {
  Value Conditions[] = {
      holds(B, CmpIPredicate::eq, T.ColumnStride, B.i64(1)),
      holds(B, CmpIPredicate::sge, T.FirstRow, B.i64(0)),
      holds(B, CmpIPredicate::sge, T.FirstColumn, B.i64(0)),
      holds(B, CmpIPredicate::sle, B.add(T.FirstRow, T.Rows - 1), T.LastRow),
      holds(B, CmpIPredicate::sle, B.add(T.FirstColumn, T.Columns - 1),
            T.LastColumn)};
  Value InOnePiece = Conditions[0];
  for (Value Condition : ArrayRef(Conditions).drop_front())
    InOnePiece = arith::AndIOp::create(B, InOnePiece, Condition);
  auto Type = RankedTensorType::get({T.Rows, T.Columns}, B.getF32Type());
  B.branch(
      InOnePiece,
      [&] {
        RowSource From;
        From.Element = B.getF32Type();
        From.Base = B.offset(T.From, T.FirstColumn);
        From.Stride = T.RowStride;
        From.Length = B.add(T.LastRow, 1);
        From.First = T.FirstRow;
        Buffer To;
        To.Base = T.To;
        emitTransposeIn(B, Type, From, To);
      },
      [&] {
        int64_t Length = rowLength(B, Type);
        B.loop(T.Columns, 1, [&](Value Column) {
          Value Inside =
              moveInto(B, B.add(T.FirstColumn, Column), T.LastColumn);
          Value From = B.offset(T.From, B.mul(Inside, T.ColumnStride));
          Value To = B.offset(T.To, B.mul(Column, Length));
          B.loop(T.Rows, 1, [&](Value Row) {
            Value At = moveInto(B, B.add(T.FirstRow, Row), T.LastRow);
            B.storeScalar(B.loadScalar(B.offset(From, B.mul(At, T.RowStride))),
                          B.offset(To, Row));
          });
        });
      });
}

/// Which index of a read by a map is the row of the tile, when the last is its
/// column and the others are the same for all elements.
static std::optional<size_t> rowIndex(tile::MapOp Op, attn::AtOp Read) {
  Block &Body = Op.getBody().front();
  size_t Inputs = Op.getInputs().size();
  Value Row = Body.getArgument(Inputs + 2);
  Value Column = Body.getArgument(Inputs + 3);
  if (!Read.getType().isF32() || Read.getIndices().back() != Column)
    return std::nullopt;
  std::optional<size_t> Found;
  for (auto [I, Index] : llvm::enumerate(Read.getIndices().drop_back())) {
    if (Index == Row && !Found) {
      Found = I;
      continue;
    }
    bool IsUniform =
        Index.getParentBlock() != &Body || matchPattern(Index, m_Constant()) ||
        (isa<BlockArgument>(Index) && Index != Row && Index != Column);
    if (!IsUniform)
      return std::nullopt;
  }
  return Found;
}

Value TileLowering::outside(tile::MapOp Op, Value V) {
  size_t Inputs = Op.getInputs().size();
  APInt Known;
  if (matchPattern(V, m_ConstantInt(&Known)))
    return B.i64(Known.getSExtValue());
  auto Argument = dyn_cast<BlockArgument>(V);
  if (!Argument || Argument.getOwner() != &Op.getBody().front())
    return scalarI64(V);
  // Batch, head, row, column, parameters.
  size_t Number = Argument.getArgNumber() - Inputs;
  Value Heads[] = {Op.getB(), Op.getH()};
  return scalarI64(Number < 2 ? Heads[Number] : Op.getParams()[Number - 4]);
}

void TileLowering::bringTableRows(tile::MapOp Op, MapRegion &Map) {
  if (Map.Type.getRank() != 2 || Map.Type.getDimSize(0) == 1)
    return;
  for (auto Read : Op.getBody().front().getOps<attn::AtOp>()) {
    std::optional<size_t> Row = rowIndex(Op, Read);
    if (!Row)
      continue;
    Value Table = outside(Op, Read.getTable());
    auto Field = [&](size_t Array, size_t Axis) {
      size_t Offset = Array + Axis * sizeof(int64_t);
      return B.loadScalar(
          B.offset(Table, static_cast<int64_t>(Offset), B.getI8Type()),
          B.getI64Type());
    };
    auto Stride = [&](size_t Axis) {
      return Field(offsetof(heddle_table, stride), Axis);
    };
    // An axis without elements has a first one to point at.
    auto Last = [&](size_t Axis) -> Value {
      Value Extent = Field(offsetof(heddle_table, shape), Axis);
      return arith::MaxSIOp::create(B, B.add(Extent, -1), B.i64(0));
    };
    size_t Column = Read.getIndices().size() - 1;
    TableRows T;
    T.Rows = Map.Type.getDimSize(0);
    T.Columns = Map.Type.getDimSize(1);
    T.From = B.loadScalar(
        B.offset(Table, offsetof(heddle_table, data), B.getI8Type()),
        B.ptrType());
    for (auto [Axis, Index] : llvm::enumerate(Read.getIndices().drop_back()))
      if (Axis != *Row)
        T.From =
            B.offset(T.From, B.mul(moveInto(B, outside(Op, Index), Last(Axis)),
                                   Stride(Axis)));
    T.RowStride = Stride(*Row);
    T.ColumnStride = Stride(Column);
    T.LastRow = Last(*Row);
    T.LastColumn = Last(Column);
    T.FirstRow = Map.FirstRow;
    T.FirstColumn = Map.FirstColumn;
    T.To = Scratch->allocate(tileBytes(B, Map.Type)).Base;
    if (isOfChunk(Op))
      wantNext(Op->getBlock(), Map.Type,
               {B.getF32Type(), B.offset(T.From, T.FirstColumn), T.RowStride,
                B.add(T.LastRow, 1), T.FirstRow, Value()});
    Shared.call(B, "table_rows", {T.Rows, T.Columns},
                {&T.From, &T.RowStride, &T.ColumnStride, &T.LastRow,
                 &T.LastColumn, &T.FirstRow, &T.FirstColumn, &T.To},
                [&](KernelBuilder &Inside) { emitTableRows(Inside, T); });
    Map.Known.push_back(Read.getResult());
    Map.KnownTiles.push_back(T.To);
  }
}
