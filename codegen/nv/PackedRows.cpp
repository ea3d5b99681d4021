// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed code: rows are the query heads that share a key head, at one query,
// and a task may have a part of their keys (heddle_device_launch). The views
// are those of the tensors; what the rows of q and of outputs are is decided
// here, and nothing above knows.

#include "codegen/nv/TileLowering.h"

#include "heddle/abi.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

/// Axes of a view.
enum : unsigned { HeadAxis = 1, PositionAxis = 2 };

bool KernelCode::isPacked() const {
  auto Of = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  return Of && Of.getPacked();
}

bool KernelCode::hasHeadRows(Value View) const {
  // Views of sources come behind the others in the launch's block.
  return isPacked() &&
         Views.lookup(View) < static_cast<size_t>(sourcesOffset());
}

void KernelCode::mapHeads() {
  Value Heads = viewShape(Kernel.getArgument(Sig.FirstView), HeadAxis);
  Value KeyHeads = viewShape(Kernel.getArgument(Sig.firstKeys()), HeadAxis);
  Group = arith::DivUIOp::create(B, Heads, KeyHeads);
}

Value KernelCode::headRowsAddress(Value View, Value Batch) {
  Value Row = B.add(B.mul(Hidden[RowHead], viewStride(View, HeadAxis)),
                    B.mul(Query, viewStride(View, PositionAxis)));
  return B.offset(viewData(View), B.add(sequenceStart(View, Batch), Row),
                  cast<attn::ViewType>(View.getType()).getElementType());
}

RowSource TileLowering::partialRows(Value View, Value Row) {
  const Config &C = B.config();
  Type F32 = B.getF32Type();
  const int64_t Width = cast<attn::ViewType>(View.getType()).getWidth();
  // o, lse and row_max in turn; a room begins with the tile's first row.
  int64_t Offset = 0;
  if (View == Kernel.getArgument(Sig.lse()))
    Offset = C.QueryTile * C.V;
  else if (View == Kernel.getArgument(Sig.rowMax()))
    Offset = C.QueryTile * (C.V + 1);
  Value Rooms = argument(offsetof(heddle_device_launch, workspace),
                         B.ptrType(Space::Global));
  Value Before = B.mul(scalarI64(Kernel.getArgument(2)), C.QueryTile * Width);
  Value First =
      B.sub(B.add(B.mul(Part, HEDDLE_PARTIAL_FLOATS(C.QueryTile, C.V)), Offset),
            Before);
  RowSource To;
  To.Element = F32;
  To.Base = B.offset(Rooms, First, F32);
  To.Stride = B.i64(Width);
  To.Length = Group;
  To.Position = places(Row).At;
  To.Features = Width;
  return To;
}

void TileLowering::storePacked(tile::StoreOp Op) {
  Value View = Op.getView();
  B.branch(
      B.cmp(CmpIPredicate::slt, Part, 0),
      [&] {
        B.branch(hasData(View), [&] {
          storeTile(Op.getTile(), rowSource(View, scalarI64(Op.getB()),
                                            scalarI64(Op.getH()), Op.getRow()));
        });
      },
      // Whoever merges asks for all of it.
      [&] { storeTile(Op.getTile(), partialRows(View, Op.getRow())); });
}
