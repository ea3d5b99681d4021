// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/MemoryTile.h"

#include <utility>

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

MemoryTile MemoryTile::transposed() const {
  MemoryTile Result = *this;
  std::swap(Result.Rows, Result.Columns);
  std::swap(Result.RowStride, Result.ColumnStride);
  return Result;
}

Value MemoryTile::address(NvBuilder &B, Value Row, Value Column) const {
  Value At;
  if (Rows > 1)
    At = B.mul(Row, RowStride);
  if (Columns > 1) {
    Value Further = B.mul(Column, ColumnStride);
    At = At ? B.add(At, Further) : Further;
  }
  return At ? B.offset(Base, At, B.getF32Type()) : Base;
}

Value MemoryTile::load(NvBuilder &B, Value Row, Value Column) const {
  return B.load(B.getF32Type(), address(B, Row, Column));
}

void MemoryTile::store(NvBuilder &B, Value X, Value Row, Value Column) const {
  B.store(X, address(B, Row, Column));
}

/// Numbers from `First` on in steps of `Step`, all below `Count`.
static void forEachFrom(NvBuilder &B, Value First, int64_t Count, int64_t Step,
                        function_ref<void(Value)> Body) {
  if (Count > Step) {
    B.loop(First, B.i32(Count), Step, Body);
    return;
  }
  // A branch in any case: what is in it may become a function.
  Value Takes =
      Count == Step ? B.i1(true) : B.cmp(CmpIPredicate::ult, First, Count);
  B.branch(Takes, [&] { Body(First); });
}

void heddle::nv::forEachOfThreads(NvBuilder &B, int64_t Count,
                                  function_ref<void(Value)> Body) {
  forEachFrom(B, B.thread(), Count, B.config().threads(), Body);
}

void heddle::nv::forEachOfWarps(NvBuilder &B, int64_t Count,
                                function_ref<void(Value)> Body) {
  forEachFrom(B, B.warp(), Count, B.config().Warps, Body);
}

void heddle::nv::forEachElement(NvBuilder &B, int64_t Rows, int64_t Columns,
                                bool ByRows, ElementBody Body) {
  const int64_t Inner = ByRows ? Rows : Columns;
  forEachOfThreads(B, Rows * Columns, [&](Value Number) {
    if (Rows == 1 || Columns == 1) {
      Rows == 1 ? Body(B.i32(0), Number) : Body(Number, B.i32(0));
      return;
    }
    Value Outer = B.div(Number, Inner), Rest = B.rem(Number, Inner);
    ByRows ? Body(Rest, Outer) : Body(Outer, Rest);
  });
}

void heddle::nv::forEachElement(NvBuilder &B, const MemoryTile &Tile,
                                ElementBody Body) {
  forEachElement(B, Tile.Rows, Tile.Columns, Tile.isTransposed(), Body);
}
