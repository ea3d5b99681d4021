// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Rotate.h"

using namespace heddle::nv;
using namespace mlir;

/// Element (position, t) of a table, for any position.
static Value loadAngle(NvBuilder &B, const AngleTable &T, Value Position,
                       Value Feature) {
  Value Last = B.add(T.Rows, -1);
  Value Row = B.min(B.max(Position, B.i64(0)), Last);
  Value At =
      B.add(B.mul(Row, T.RowStride), B.mul(B.toI64(Feature), T.ColumnStride));
  return B.load(B.getF32Type(), B.offset(T.Data, At, B.getF32Type()));
}

void heddle::nv::emitRotate(NvBuilder &B, const SharedTile &X,
                            const Rotation &R) {
  int64_t Half = R.Features / 2;
  B.loop(B.thread(), B.i32(X.Rows * Half), B.config().threads(),
         [&](Value Number) {
           Value Row = B.div(Number, Half), Feature = B.rem(Number, Half);
           Value Position = R.Position(B, Row);
           Value Cos = loadAngle(B, R.Cos, Position, Feature);
           Value Sin = loadAngle(B, R.Sin, Position, Feature);
           Value At = X.element(B, Row, Feature);
           Value Other = X.element(B, Row, B.add(Feature, Half));
           Value P = B.widen(B.load(X.Element, At));
           Value Q = B.widen(B.load(X.Element, Other));
           Value Turned = B.fsub(B.fmul(P, Cos), B.fmul(Q, Sin));
           Value OtherTurned = B.fma(P, Sin, B.fmul(Q, Cos));
           B.store(B.round(Turned, X.Element), At);
           B.store(B.round(OtherTurned, X.Element), Other);
         });
}
