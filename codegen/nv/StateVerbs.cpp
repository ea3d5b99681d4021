// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows in and out, and what is done element by element.

#include "codegen/lanes/RegionLifter.h"
#include "codegen/nv/StateLowering.h"
#include "heddle/abi.h"
#include "llvm/ADT/STLExtras.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void StateLowering::lower(tile::LoadOp Op) {
  MemoryTile To = allocate(Op.getTile());
  RowSource From =
      viewRows(Op.getView(), scalarI64(Op.getB()), scalarI64(Op.getH()));
  Value First = scalarI64(Op.getRow());
  Arena->access({}, {To});
  makeElements(B, To, [&](Value Row, Value Column) {
    Value Position = B.add(First, B.toI64(Row));
    // Rows that do not exist are zeros.
    return B.branch(
        From.exists(B, Position), {B.getF32Type()},
        [&]() -> Values {
          return {
              B.widen(B.load(From.Element, B.offset(From.row(B, Position),
                                                    Column, From.Element)))};
        },
        [&]() -> Values { return {B.f32(0.0F)}; });
  });
  define(Op.getTile(), To);
}

void StateLowering::lower(tile::StoreOp Op) {
  const MemoryTile &From = get(Op.getTile());
  Arena->access({From}, {});
  Value Batch =
      Op.getB() == Kernel.getArgument(0) ? Part : scalarI64(Op.getB());
  B.branch(hasData(Op.getView()), [&] {
    RowSource To = viewRows(Op.getView(), Batch, scalarI64(Op.getH()));
    Value First = scalarI64(Op.getRow());
    // Neighbours in the tensor by neighbours.
    makeElements(
        B, From.Rows, From.Columns, /*ByRows=*/false,
        [&](Value Row, Value Column) -> Values {
          return {B.round(From.load(B, Row, Column), To.Element)};
        },
        [&](Value Row, Value Column, ValueRange X) {
          Value Position = B.add(First, B.toI64(Row));
          B.branch(To.exists(B, Position), [&] {
            B.store(X.front(),
                    B.offset(To.row(B, Position), Column, To.Element));
          });
        });
  });
}

void StateLowering::lower(tile::LoadTableOp Op) {
  Value Table = scalar(Op.getTable());
  auto Field = [&](size_t Offset, Type T) {
    return B.load(T, B.bytes(Table, static_cast<int64_t>(Offset)));
  };
  auto Stride = [&](size_t Axis) {
    return Field(offsetof(heddle_table, stride) + Axis * sizeof(int64_t),
                 B.getI64Type());
  };
  // An axis without elements has a first one to point at.
  auto Last = [&](size_t Axis) {
    Value Extent = Field(offsetof(heddle_table, shape) + Axis * sizeof(int64_t),
                         B.getI64Type());
    return B.max(B.add(Extent, -1), B.i64(0));
  };
  Value From = Field(offsetof(heddle_table, data), B.ptrType(Space::Global));
  Type F32 = B.getF32Type();
  size_t Axis = 0;
  for (Value Index : Op.getIndices()) {
    Value Inside = B.max(B.min(scalarI64(Index), Last(Axis)), B.i64(0));
    From = B.offset(From, B.mul(Inside, Stride(Axis++)), F32);
  }
  Value RowStride = Stride(Axis), ColumnStride = Stride(Axis + 1);
  Value LastRow = Last(Axis), LastColumn = Last(Axis + 1);
  MemoryTile To = allocate(Op.getTile());
  Arena->access({}, {To});
  makeElements(B, To, [&](Value Row, Value Column) -> Values {
    Value At = B.add(B.mul(B.min(B.toI64(Row), LastRow), RowStride),
                     B.mul(B.min(B.toI64(Column), LastColumn), ColumnStride));
    return {B.load(F32, B.offset(From, At, F32))};
  });
  define(Op.getTile(), To);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

void StateLowering::lower(tile::TransposeOp Op) {
  define(Op.getResult(), get(Op.getTile()).transposed());
}

void StateLowering::lower(tile::RowOp Op) {
  MemoryTile Tile = get(Op.getTile());
  Tile.Base = Tile.address(B, B.toI32(scalarI64(Op.getIndex())), B.i32(0));
  Tile.Rows = 1;
  define(Op.getResult(), Tile);
}

void StateLowering::lower(tile::ElementOp Op) {
  const MemoryTile &Tile = get(Op.getTile());
  Arena->access({Tile}, {});
  Scalars.map(Op.getResult(),
              Tile.load(B, B.toI32(scalarI64(Op.getIndex())), B.i32(0)));
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

void StateLowering::mapElements(Value Result, Value V, Operation *User,
                                ArrayRef<MemoryTile> Further,
                                ElementFunction F) {
  MemoryTile From = get(V), To = successor(V, User);
  SmallVector<MemoryTile> Reads(Further);
  Reads.push_back(From);
  Arena->access(Reads, {To});
  makeElements(B, To, [&](Value Row, Value Column) -> Values {
    return {F(From.load(B, Row, Column), Row, Column)};
  });
  define(Result, To);
}

void StateLowering::lower(tile::FillOp Op) {
  // A product begins with the number itself.
  if (llvm::all_of(Op->getUses(), [](OpOperand &Use) {
        auto Product = dyn_cast<tile::AccumulateOp>(Use.getOwner());
        return Product && Use.getOperandNumber() ==
                              Product.getOMutable().getOperandNumber();
      }))
    return;
  MemoryTile To = allocate(Op.getTile());
  Arena->access({}, {To});
  Value X = B.f32(Op.getValue().convertToFloat());
  makeElements(B, To, [&](Value, Value) -> Values { return {X}; });
  define(Op.getTile(), To);
}

void StateLowering::lower(tile::ScaleOp Op) {
  Value Factor = scalar(Op.getFactor());
  mapElements(Op.getResult(), Op.getTile(), Op, {},
              [&](Value X, Value, Value) { return B.fmul(X, Factor); });
}

void StateLowering::lower(tile::RescaleOp Op) {
  const MemoryTile Alpha = get(Op.getAlpha());
  mapElements(Op.getResult(), Op.getO(), Op, {Alpha},
              [&](Value X, Value Row, Value) {
                return B.fmul(X, Alpha.load(B, Row, B.i32(0)));
              });
}

LogicalResult StateLowering::lowerElementwise(Operation *Op) {
  const MemoryTile Other = get(Op->getOperand(1));
  mapElements(Op->getResult(0), Op->getOperand(0), Op, {Other},
              [&](Value X, Value Row, Value Column) {
                Value Y = Other.load(B, Row, Column);
                if (isa<arith::AddFOp>(Op))
                  return B.fadd(X, Y);
                return isa<arith::SubFOp>(Op) ? B.fsub(X, Y) : B.fmul(X, Y);
              });
  return success();
}

LogicalResult StateLowering::lower(tile::MapOp Op) {
  RegionCode Code;
  Code.Body = &Op.getBody().front();
  // i64, f32, i1 and pointers as they are.
  auto Lowered = [&](Value V) { return operand(V); };
  Values Params = llvm::map_to_vector(Op.getParams(), Lowered);
  Code.Captured = capturedValues(*Code.Body);
  Code.CapturedValues = llvm::map_to_vector(Code.Captured, Lowered);
  Value Batch = scalarI64(Op.getB()), Head = scalarI64(Op.getH());
  Value FirstRow = scalarI64(Op.getRow0());
  Value FirstColumn = scalarI64(Op.getColumn0());

  auto Type = cast<RankedTensorType>(Op.getResult(0).getType());
  SmallVector<MemoryTile> Inputs;
  std::optional<MemoryTile> First;
  bool ByRows = false;
  for (Value Input : Op.getInputs()) {
    const MemoryTile &Tile = get(Input);
    Inputs.push_back(Tile);
    if (Input.getType() != Type)
      continue;
    // Results lie as the first input does, the first one in its place where it
    // ends here.
    if (!First)
      ByRows = Tile.isTransposed();
    if (!First || First->Place != Tile.Place)
      if (endsLife(Op, Input) && Tile.isTransposed() == ByRows)
        First = Tile;
  }
  SmallVector<MemoryTile> Results;
  for (Value Result : Op.getResults())
    Results.push_back(Results.empty() && First ? *First
                                               : allocate(Result, ByRows));
  Arena->access(Inputs, Results);
  LogicalResult Ok = success();
  makeElements(B, Results, [&](Value Row, Value Column) -> Values {
    RegionLifter Lifter(Lanes, Code, "nv");
    SmallVector<Value> Arguments;
    for (const MemoryTile &Input : Inputs)
      // One value per row or per column has one column or row.
      Arguments.push_back(Input.load(B, Row, Column));
    Arguments.append({Batch, Head, B.add(FirstRow, B.toI64(Row)),
                      B.add(FirstColumn, B.toI64(Column))});
    llvm::append_range(Arguments, Params);
    lanes();
    auto Yielded = Lifter.lift(Arguments);
    Ok = success(Yielded.has_value());
    B.restoreInsertionPoint(Lanes.saveInsertionPoint());
    // Nobody gets a kernel that has no code for something.
    return succeeded(Ok) ? *Yielded : Values(Results.size(), B.f32(0.0F));
  });
  for (auto [V, Result] : llvm::zip_equal(Op.getResults(), Results))
    define(V, Result);
  return Ok;
}
