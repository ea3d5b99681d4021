// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Rows.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

std::function<Value(NvBuilder &B, Value Row)> RowSource::from(Value First) {
  return
      [First](NvBuilder &B, Value Row) { return B.add(First, B.toI64(Row)); };
}

void RowSource::limit(NvBuilder &B, int64_t Rows) {
  constexpr int64_t Block = 16;
  if (Rows % Block == 0)
    return;
  if (First) {
    Length = B.min(Length, B.add(First, Rows));
    return;
  }
  Position = [Rows, Of = Position](NvBuilder &B, Value Row) {
    return B.select(B.cmp(CmpIPredicate::slt, Row, Rows), Of(B, Row),
                    B.i64(-1));
  };
}

Value RowSource::exists(NvBuilder &B, Value Position) const {
  // Negative numbers are large ones.
  return B.cmp(CmpIPredicate::ult, Position, Length);
}

Value RowSource::row(NvBuilder &B, Value Position) const {
  return B.offset(Base, B.mul(Position, Stride), Element);
}

Value RowSource::isAligned(NvBuilder &B, int64_t Bytes) const {
  Value Both = B.bitOr(B.address(Base), B.mul(Stride, byteWidth(Element)));
  return B.cmp(CmpIPredicate::eq, B.bitAnd(Both, Bytes - 1), 0);
}
