// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors of a launch, with sequences apart or one after the other.

#include "codegen/nv/KernelCode.h"

#include "heddle/abi.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

/// What is known of a view at the top of the function.
enum : unsigned { SequenceStart, SequenceLength, OutputStart };

Value KernelCode::viewField(Value View, size_t Field, Type T) {
  return argument(Views.lookup(View) + Field, T);
}

Value KernelCode::viewShape(Value View, unsigned Axis) {
  return viewField(View, offsetof(heddle_view, shape) + Axis * sizeof(int64_t),
                   B.getI64Type());
}

Value KernelCode::viewStride(Value View, unsigned Axis) {
  return viewField(View, offsetof(heddle_view, stride) + Axis * sizeof(int64_t),
                   B.getI64Type());
}

Value KernelCode::viewData(Value View) {
  return viewField(View, offsetof(heddle_view, data), B.ptrType(Space::Global));
}

Value KernelCode::hasData(Value View) {
  return B.cmp(CmpIPredicate::ne, B.address(viewData(View)), 0);
}

Value KernelCode::ofView(Value View, unsigned Key, function_ref<Value()> Make) {
  Value &Known = ViewValues[{View, Key}];
  if (!Known) {
    OpBuilder::InsertionGuard Guard(B);
    if (Top)
      B.setInsertionPointAfter(Top);
    Known = Make();
  }
  return Known;
}

/// Where sequence `Number` begins, in rows of all sequences, and how many rows
/// it has, for a view with offsets; for others what `Plain` says.
static Value fromOffsets(NvBuilder &B, Value Offsets,
                         function_ref<Value()> Plain,
                         function_ref<Value()> Ragged) {
  return B.branch(
      B.cmp(CmpIPredicate::eq, B.address(Offsets), 0), {B.getI64Type()},
      [&]() -> NvBuilder::Values { return {Plain()}; },
      [&]() -> NvBuilder::Values { return {Ragged()}; })[0];
}

Value KernelCode::sequenceStart(Value View, Value Batch) {
  auto Start = [&](Value Number) {
    Value Offsets = viewField(View, offsetof(heddle_view, offsets),
                              B.ptrType(Space::Global));
    return fromOffsets(
        B, Offsets, [&] { return B.mul(Number, viewStride(View, 0)); },
        [&] {
          Value First =
              B.load(B.getI64Type(), B.offset(Offsets, Number, B.getI64Type()));
          return B.mul(First, viewStride(View, 2));
        });
  };
  if (Batch == Part)
    return ofView(View, OutputStart, [&] { return Start(Part); });
  // Every view is that of the task's sequence.
  return ofView(View, SequenceStart,
                [&] { return Start(scalarI64(Kernel.getArgument(0))); });
}

Value KernelCode::sequenceLength(Value View) {
  if (hasHeadRows(View))
    return Group;
  return ofView(View, SequenceLength, [&] {
    Value Offsets = viewField(View, offsetof(heddle_view, offsets),
                              B.ptrType(Space::Global));
    return fromOffsets(
        B, Offsets, [&] { return viewShape(View, 2); },
        [&] {
          Value At = B.offset(Offsets, scalarI64(Kernel.getArgument(0)),
                              B.getI64Type());
          Value First = B.load(B.getI64Type(), At);
          Value Next = B.load(B.getI64Type(), B.offset(At, 1, B.getI64Type()));
          return B.sub(Next, First);
        });
  });
}

Value KernelCode::headAddress(Value View, Value Batch, Value Head) {
  if (hasHeadRows(View))
    return headRowsAddress(View, Batch);
  Value At =
      B.add(sequenceStart(View, Batch), B.mul(Head, viewStride(View, 1)));
  return B.offset(viewData(View), At,
                  cast<attn::ViewType>(View.getType()).getElementType());
}

RowSource KernelCode::viewRows(Value View, Value Batch, Value Head) {
  auto Type = cast<attn::ViewType>(View.getType());
  RowSource Source;
  Source.Element = Type.getElementType();
  Source.Base = headAddress(View, Batch, Head);
  Source.Stride = viewStride(View, hasHeadRows(View) ? 1 : 2);
  Source.Length = sequenceLength(View);
  Source.Features = Type.getWidth();
  return Source;
}
