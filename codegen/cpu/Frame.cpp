// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the C ABI (heddle/abi.h) and the arguments of a kernel at the tile
// level.

#include "codegen/cpu/TileLowering.h"

#include "heddle/abi.h"
#include "llvm/ADT/STLExtras.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// Arguments of the tile-level kernel; the pattern's parameters follow.
enum Argument : unsigned {
  Batch,
  Head,
  QueryTile,
  FirstView,
  Origin = FirstView + 5,
  Scale,
  FirstParam
};

LogicalResult heddle::cpu::checkKernel(func::FuncOp Kernel, bool IsCount) {
  FunctionType Type = Kernel.getFunctionType();
  unsigned Tail = IsCount ? 1 : 0;
  bool Ok = Type.getNumInputs() >= FirstParam + Tail;
  for (unsigned I = 0, E = Type.getNumInputs(); Ok && I < E; ++I) {
    mlir::Type T = Type.getInput(I);
    if (I >= FirstView && I < Origin)
      Ok = isa<attn::ViewType>(T);
    else if (I == Scale)
      Ok = T.isF32();
    else if (I + Tail == E && IsCount)
      Ok = T.isInteger(1);
    else
      Ok = T.isIndex();
  }
  if (!Ok)
    return Kernel.emitOpError()
           << "has the arguments " << Type
           << "; expected (index, index, index, five views, index, f32, "
              "index...)"
           << (IsCount ? " followed by i1" : "");
  unsigned Results = IsCount ? 3 : 0;
  if (Type.getNumResults() != Results ||
      !llvm::all_of(Type.getResults(),
                    [](mlir::Type T) { return T.isIndex(); }))
    return Kernel.emitOpError() << "returns " << Type.getResults()
                                << "; expected " << Results << " index values";
  if (!Kernel.getBody().hasOneBlock())
    return Kernel.emitOpError() << "has several blocks; expected structured "
                                   "control flow in one block";
  return success();
}

void TileLowering::mapArguments() {
  Value Args = Entry->getArgument(0);
  for (unsigned I : {Batch, Head, QueryTile})
    Scalars.map(Kernel.getArgument(I), B.toIndex(Entry->getArgument(1 + I)));

  constexpr size_t Views[] = {
      offsetof(heddle_args, q), offsetof(heddle_args, k),
      offsetof(heddle_args, v), offsetof(heddle_args, o),
      offsetof(heddle_args, lse)};
  for (auto [I, Offset] : llvm::enumerate(Views))
    ViewOffsets[Kernel.getArgument(FirstView + I)] = Offset;

  auto Pointer = [&](size_t Offset) {
    return B.loadScalar(
        B.offset(Args, static_cast<int64_t>(Offset), B.getI8Type()),
        B.ptrType());
  };
  Value Origins = Pointer(offsetof(heddle_args, origin));
  Scalars.map(Kernel.getArgument(Origin),
              B.toIndex(B.loadScalar(
                  B.offset(Origins, Entry->getArgument(1), B.getI64Type()),
                  B.getI64Type())));
  Scalars.map(Kernel.getArgument(Scale),
              B.loadScalar(
                  B.offset(Args, offsetof(heddle_args, scale), B.getI8Type())));
  unsigned End = Kernel.getNumArguments() - (IsCount ? 1 : 0);
  if (End > FirstParam) {
    Value Params = Pointer(offsetof(heddle_args, params));
    for (unsigned I = FirstParam; I < End; ++I)
      Scalars.map(Kernel.getArgument(I),
                  B.toIndex(B.loadScalar(
                      B.offset(Params, I - FirstParam, B.getI64Type()),
                      B.getI64Type())));
  }

  Value Memory;
  if (IsCount) {
    auto Zero = B.constant(B.getI32IntegerAttr(0));
    Scalars.map(Kernel.getArgument(End),
                arith::CmpIOp::create(B, arith::CmpIPredicate::ne,
                                      Entry->getArgument(4), Zero));
    // Counting gets no workspace from its caller and hardly ever needs any:
    // the size is filled in at the end.
    Memory = LLVM::AllocaOp::create(B, B.ptrType(), B.getI8Type(), B.i64(0),
                                    /*alignment=*/64);
  } else {
    Memory = Entry->getArgument(4);
  }
  Scratch.emplace(B, Entry, Memory);
}

LogicalResult TileLowering::lowerReturn(func::ReturnOp Op) {
  if (IsCount) {
    Value Out = Entry->getArgument(5);
    for (auto [I, V] : llvm::enumerate(Op.getOperands()))
      B.storeScalar(scalarI64(V),
                    B.offset(Out, static_cast<int64_t>(I), B.getI64Type()));
  }
  LLVM::ReturnOp::create(B, ValueRange());
  if (IsCount) {
    auto Memory = *Entry->getOps<LLVM::AllocaOp>().begin();
    if (Scratch->size() == 0)
      Memory.erase();
    else
      Memory.getArraySizeMutable().assign(B.i64(Scratch->size()));
  }
  return success();
}

Value TileLowering::viewField(Value View, size_t Field) {
  size_t Offset = ViewOffsets.lookup(View) + Field;
  auto Load = [&] {
    Type T =
        Field == offsetof(heddle_view, data) ? B.ptrType() : B.getI64Type();
    return B.loadScalar(B.offset(Entry->getArgument(0),
                                 static_cast<int64_t>(Offset), B.getI8Type()),
                        T);
  };
  // Outside of loops a field is read where it is used: what the end of the
  // kernel needs would otherwise occupy registers all the way there.
  if (B.getInsertionBlock() == Entry)
    return Load();
  Value &Known = Fields[Offset];
  if (!Known) {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(Entry);
    Known = Load();
  }
  return Known;
}

Value TileLowering::viewData(Value View) {
  return viewField(View, offsetof(heddle_view, data));
}

Value TileLowering::viewShape(Value View, unsigned Axis) {
  return viewField(View, offsetof(heddle_view, shape) + Axis * sizeof(int64_t));
}

Value TileLowering::viewStride(Value View, unsigned Axis) {
  return viewField(View,
                   offsetof(heddle_view, stride) + Axis * sizeof(int64_t));
}

Value TileLowering::rowAddress(Value View, Value Batch, Value Head, Value Row) {
  Value At = B.mul(B.toI64(Batch), viewStride(View, 0));
  At = B.add(At, B.mul(B.toI64(Head), viewStride(View, 1)));
  At = B.add(At, B.mul(B.toI64(Row), viewStride(View, 2)));
  return B.offset(viewData(View), At);
}
