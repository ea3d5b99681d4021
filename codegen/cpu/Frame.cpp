// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the C ABI (heddle/abi.h) and the arguments of a kernel at the tile
// level.

#include "codegen/cpu/TileLowering.h"

#include "heddle/abi.h"
#include "llvm/ADT/STLExtras.h"

#include <cstddef>
#include <iterator>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;
using tile::Signature;

Value TileLowering::argument(size_t Field, mlir::Type T) {
  return B.loadScalar(B.offset(Entry->getArgument(0),
                               static_cast<int64_t>(Field), B.getI8Type()),
                      T);
}

void TileLowering::mapLinearViews(unsigned First) {
  Value Args = Entry->getArgument(0);
  Value Source = argument(offsetof(heddle_args, sources), B.ptrType());
  const ViewPlace Places[] = {
      {Args, offsetof(heddle_args, q)},
      {Source, offsetof(heddle_source, k)},
      {Source, offsetof(heddle_source, v)},
      {Args, offsetof(heddle_args, o)},
      {Args, offsetof(heddle_args, state_in)},
      {Args, offsetof(heddle_args, state_out)},
      {Args, offsetof(heddle_args, sums_in)},
      {Args, offsetof(heddle_args, sums_out)},
      {Args, offsetof(heddle_args, factor)},
  };
  static_assert(std::size(Places) == Signature::NumLinearViews);
  for (auto [I, Place] : llvm::enumerate(Places))
    Views[Kernel.getArgument(First + I)] = Place;
}

void TileLowering::mapViews(unsigned First, unsigned NumSources) {
  unsigned Next = First;
  auto Map = [&](Value Base, size_t Offset) {
    Views[Kernel.getArgument(Next++)] = {Base, Offset};
  };
  Value Args = Entry->getArgument(0);
  Map(Args, offsetof(heddle_args, q));
  Value Sources = argument(offsetof(heddle_args, sources), B.ptrType());
  for (unsigned I = 0; I < NumSources; ++I) {
    Map(Sources, I * sizeof(heddle_source) + offsetof(heddle_source, k));
    Map(Sources, I * sizeof(heddle_source) + offsetof(heddle_source, v));
  }
  for (size_t Output : {offsetof(heddle_args, o), offsetof(heddle_args, lse),
                        offsetof(heddle_args, row_max)})
    Map(Args, Output);
  for (unsigned I = 0; I < NumSources; ++I)
    for (size_t Output : {offsetof(heddle_source, column_sums),
                          offsetof(heddle_source, block_max)})
      Map(Sources, I * sizeof(heddle_source) + Output);
}

void TileLowering::mapParameters(unsigned First, unsigned End) {
  if (First == End)
    return;
  Value Operands = argument(offsetof(heddle_args, operands), B.ptrType());
  for (unsigned I = First; I < End; ++I) {
    BlockArgument Parameter = Kernel.getArgument(I);
    Value At = B.offset(Operands, I - First, B.getI64Type());
    Value Operand;
    if (Parameter.getType().isIndex())
      Operand = B.toIndex(B.loadScalar(At, B.getI64Type()));
    else if (Parameter.getType().isF32())
      Operand = arith::TruncFOp::create(B, B.getF32Type(),
                                        B.loadScalar(At, B.getF64Type()));
    else
      Operand = B.loadScalar(At, B.ptrType());
    Scalars.map(Parameter, Operand);
  }
}

Value TileLowering::sequence() {
  return Kind == KernelKind::Check ? B.i64(0) : Entry->getArgument(1);
}

void TileLowering::mapArguments() {
  Signature S(Kernel.getFunctionType(), Kind);
  for (unsigned I = 0; I < S.FirstView; ++I)
    Scalars.map(Kernel.getArgument(I), B.toIndex(Entry->getArgument(1 + I)));
  bool Linear = tile::isLinear(Kernel);
  if (Linear)
    mapLinearViews(S.FirstView);
  else
    mapViews(S.FirstView, S.numSources());
  Value Origin = argument(offsetof(heddle_args, origin), B.ptrType());
  // A kernel with a state is given that of its stretch.
  if (!Linear)
    Origin = B.offset(Origin, sequence(), B.getI64Type());
  Scalars.map(Kernel.getArgument(S.Origin),
              B.toIndex(B.loadScalar(Origin, B.getI64Type())));
  Scalars.map(Kernel.getArgument(S.scale()),
              argument(offsetof(heddle_args, scale), B.getF32Type()));
  mapParameters(S.firstParam(), S.End);
  IndexTable = argument(offsetof(heddle_args, index), B.ptrType());
  Top = IndexTable.getDefiningOp();

  if (Kind == KernelKind::Count)
    Scalars.map(Kernel.getArgument(S.End),
                arith::CmpIOp::create(B, arith::CmpIPredicate::ne,
                                      Entry->getArgument(4),
                                      B.constant(B.getI32IntegerAttr(0))));
  if (Kind == KernelKind::Columns)
    Scalars.map(Kernel.getArgument(S.End), B.toIndex(Entry->getArgument(4)));
  Value Memory;
  if (hasWorkspace()) {
    Memory = Entry->getArguments().back();
  } else {
    // Counting and checking get no workspace from their caller and hardly ever
    // need any: the size is filled in at the end.
    Stack = LLVM::AllocaOp::create(B, B.ptrType(), B.getI8Type(), B.i64(0),
                                   /*alignment=*/64);
    Memory = Stack;
  }
  Scratch.emplace(B, Entry, Memory);
}

LogicalResult TileLowering::lowerReturn(func::ReturnOp Op) {
  Values Results;
  for (Value V : Op.getOperands())
    Results.push_back(scalarI64(V));
  // A check returns its first result and stores the others.
  Values Returned;
  if (Kind == KernelKind::Check) {
    Returned.push_back(Results.front());
    Results.erase(Results.begin());
  }
  for (auto [I, V] : llvm::enumerate(Results))
    B.storeScalar(V, B.offset(Entry->getArguments().back(),
                              static_cast<int64_t>(I), B.getI64Type()));
  LLVM::ReturnOp::create(B, Returned);
  if (Stack) {
    if (Scratch->size() == 0)
      Stack.erase();
    else
      Stack.getArraySizeMutable().assign(B.i64(Scratch->size()));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Value TileLowering::ofView(Value View, size_t Key, function_ref<Value()> Make) {
  // Outside of loops a value is made where it is used: what the end of the
  // kernel needs would otherwise occupy registers all the way there.
  if (B.getInsertionBlock() == Entry)
    return Make();
  std::pair<Value, size_t> Name(View, Key);
  if (Value Known = ViewValues.lookup(Name))
    return Known;
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointAfter(Top);
  Value Made = Make();
  ViewValues[Name] = Made;
  return Made;
}

Value TileLowering::viewField(Value View, size_t Field) {
  return ofView(View, Field, [&] {
    ViewPlace Place = Views.lookup(View);
    bool IsPointer = Field == offsetof(heddle_view, data) ||
                     Field == offsetof(heddle_view, offsets);
    return B.loadScalar(B.offset(Place.Base,
                                 static_cast<int64_t>(Place.Offset + Field),
                                 B.getI8Type()),
                        IsPointer ? B.ptrType() : B.getI64Type());
  });
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

/// Keys of `ofView` beside the offsets of fields.
enum : size_t { SequenceStart = sizeof(heddle_view), SequenceLength };

TileLowering::Ragged TileLowering::ragged(Value View, Value Batch) {
  Value Offsets = viewField(View, offsetof(heddle_view, offsets));
  Value IsPlain = LLVM::ICmpOp::create(B, LLVM::ICmpPredicate::eq, Offsets,
                                       LLVM::ZeroOp::create(B, B.ptrType()));
  // Where there are no offsets, something readable is read in their place: no
  // branch.
  Value At = B.select(IsPlain, Entry->getArgument(0),
                      B.offset(Offsets, Batch, B.getI64Type()));
  return {IsPlain, At};
}

Value TileLowering::sequenceStart(Value View, Value Batch) {
  auto Start = [&](Value Number) {
    Ragged R = ragged(View, Number);
    Value First = B.loadScalar(R.Offset, B.getI64Type());
    return B.select(R.IsPlain, B.mul(Number, viewStride(View, 0)),
                    B.mul(First, viewStride(View, 2)));
  };
  if (Kind == KernelKind::Check || Batch != scalar(Kernel.getArgument(0)))
    return Start(B.toI64(Batch));
  return ofView(View, SequenceStart, [&] { return Start(sequence()); });
}

Value TileLowering::sequenceLength(Value View) {
  return ofView(View, SequenceLength, [&] {
    Ragged R = ragged(View, sequence());
    Value First = B.loadScalar(R.Offset, B.getI64Type());
    Value Next =
        B.loadScalar(B.offset(R.Offset, 1, B.getI64Type()), B.getI64Type());
    return B.select(R.IsPlain, viewShape(View, 2),
                    arith::SubIOp::create(B, Next, First));
  });
}

Value TileLowering::headAddress(Value View, Value Batch, Value Head) {
  Value At = B.add(sequenceStart(View, Batch),
                   B.mul(B.toI64(Head), viewStride(View, 1)));
  return B.offset(viewData(View), At, storageType(View));
}

mlir::Type TileLowering::storageType(Value View) {
  return cast<attn::ViewType>(View.getType()).getElementType();
}
