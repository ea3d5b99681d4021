// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Rows.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

std::function<Value(NvBuilder &B, Value Row)> RowSource::from(Value First) {
  return
      [First](NvBuilder &B, Value Row) { return B.add(First, B.toI64(Row)); };
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
