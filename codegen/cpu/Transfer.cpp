// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Transfer.h"

using namespace heddle::cpu;
using namespace mlir;

void heddle::cpu::emitTransposeIn(KernelBuilder &B, RankedTensorType Type,
                                  const RowView &From, Value Existing,
                                  const Buffer &To) {
  int64_t Length = rowLength(B, Type);
  int64_t Features = Type.getDimSize(1);
  Value None =
      arith::CmpIOp::create(B, arith::CmpIPredicate::sle, Existing, B.i64(0));
  Value Rows = B.select(None, B.i64(0), B.i64(Type.getDimSize(0)));
  B.loop(Rows, 1, [&](Value Query) {
    Value Row = From.row(B, Query);
    Value Column = B.offset(To.Base, Query);
    B.loop(Features, 1, [&](Value Feature) {
      B.storeScalar(B.loadScalar(B.offset(Row, Feature)),
                    B.offset(Column, B.mul(Feature, Length)));
    });
  });
}

void heddle::cpu::emitTransposeOut(KernelBuilder &B, RankedTensorType Type,
                                   const Buffer &From, Value Count, Value Base,
                                   Value Stride) {
  int64_t Length = rowLength(B, Type);
  int64_t Features = Type.getRank() == 2 ? Type.getDimSize(1) : 1;
  B.loop(Count, 1, [&](Value Query) {
    Value Row = B.offset(Base, B.mul(Query, Stride));
    Value Column = B.offset(From.Base, Query);
    B.loop(Features, 1, [&](Value Feature) {
      B.storeScalar(B.loadScalar(B.offset(Column, B.mul(Feature, Length))),
                    B.offset(Row, Feature));
    });
  });
}
