// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Rotate.h"

#include "codegen/nv/Threads.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

namespace {

/// Rotates stretches of features of a row.
struct RowTurn {
  NvBuilder &B;
  const SharedTile &X;
  const Rotation &R;

  /// The row of a table for any position.
  Value angles(const AngleTable &T, Value Position) const {
    Value Row = B.min(B.max(Position, B.i64(0)), B.add(T.Rows, -1));
    return B.offset(T.Data, B.mul(Row, T.RowStride), B.getF32Type());
  }
  /// Whether all stretches of four angles that start at multiples of four are
  /// one load.
  Value inFours(const AngleTable &T) const {
    Value Bytes = B.bitOr(B.address(T.Data), B.mul(T.RowStride, 4));
    return B.bitAnd(B.cmp(CmpIPredicate::eq, B.bitAnd(Bytes, 15), 0),
                    B.cmp(CmpIPredicate::eq, T.ColumnStride, 1));
  }

  NvBuilder::Values loadAngles(const AngleTable &T, Value Position,
                               Value Feature, int64_t Count, bool Fours) const;
  NvBuilder::Values loadChunk(Value At) const;
  void storeChunk(const NvBuilder::Values &Elements, Value At) const;

  /// The features that the angles are of, in place.
  std::pair<Value, Value> turn(Value P, Value Q, Value Cos, Value Sin) const {
    return {B.fsub(B.fmul(P, Cos), B.fmul(Q, Sin)),
            B.fma(P, Sin, B.fmul(Q, Cos))};
  }
  /// One pair of chunks.
  void emitChunks(Value Number, bool Fours) const;
  /// One pair of features.
  void emitFeatures(Value Number) const;
};

} // namespace

NvBuilder::Values RowTurn::loadAngles(const AngleTable &T, Value Position,
                                      Value Feature, int64_t Count,
                                      bool Fours) const {
  Value Row = angles(T, Position);
  Type F32 = B.getF32Type();
  NvBuilder::Values Result;
  for (int64_t I = 0; I < Count; I += Fours ? 4 : 1) {
    Value At = B.add(Feature, I);
    if (!Fours) {
      Value Offset = B.mul(B.toI64(At), T.ColumnStride);
      Result.push_back(B.load(F32, B.offset(Row, Offset, F32)));
      continue;
    }
    Value Vector = B.load(VectorType::get({4}, F32), B.offset(Row, At, F32));
    for (int64_t J = 0; J < 4; ++J)
      Result.push_back(LLVM::ExtractElementOp::create(B, Vector, B.i32(J)));
  }
  return Result;
}

NvBuilder::Values RowTurn::loadChunk(Value At) const {
  bool Wide = X.Element.isF32();
  Value Vector = B.load(
      VectorType::get({4}, Wide ? Type(X.Element) : Type(B.getI32Type())), At);
  NvBuilder::Values Result;
  for (int64_t I = 0; I < 4; ++I) {
    Value Word = LLVM::ExtractElementOp::create(B, Vector, B.i32(I));
    if (Wide) {
      Result.push_back(Word);
      continue;
    }
    auto [Low, High] = B.unpack(Word, X.Element);
    Result.append({Low, High});
  }
  return Result;
}

void RowTurn::storeChunk(const NvBuilder::Values &Elements, Value At) const {
  bool Wide = X.Element.isF32();
  Value Vector = LLVM::UndefOp::create(
      B, VectorType::get({4}, Wide ? Type(X.Element) : Type(B.getI32Type())));
  for (int64_t I = 0; I < 4; ++I) {
    Value Word = Wide ? Elements[I]
                      : B.pack(Elements[2 * I], Elements[2 * I + 1], X.Element);
    Vector = LLVM::InsertElementOp::create(B, Vector, Word, B.i32(I));
  }
  B.store(Vector, At);
}

void RowTurn::emitChunks(Value Number, bool Fours) const {
  int64_t Width = X.chunkElements(), Chunks = R.Features / 2 / Width;
  Value Row = B.div(Number, Chunks), Chunk = B.rem(Number, Chunks);
  Value Position = R.Position(B, Row), Feature = B.mul(Chunk, Width);
  NvBuilder::Values Cos = loadAngles(R.Cos, Position, Feature, Width, Fours);
  NvBuilder::Values Sin = loadAngles(R.Sin, Position, Feature, Width, Fours);
  Value At = X.chunk(B, Row, Chunk);
  Value Other = X.chunk(B, Row, B.add(Chunk, Chunks));
  NvBuilder::Values Left = loadChunk(At), Right = loadChunk(Other);
  for (int64_t I = 0; I < Width; ++I)
    std::tie(Left[I], Right[I]) = turn(Left[I], Right[I], Cos[I], Sin[I]);
  storeChunk(Left, At);
  storeChunk(Right, Other);
}

void RowTurn::emitFeatures(Value Number) const {
  int64_t Half = R.Features / 2;
  Value Row = B.div(Number, Half), Feature = B.rem(Number, Half);
  Value Position = R.Position(B, Row);
  Value Cos = loadAngles(R.Cos, Position, Feature, 1, false).front();
  Value Sin = loadAngles(R.Sin, Position, Feature, 1, false).front();
  Value At = X.element(B, Row, Feature);
  Value Other = X.element(B, Row, B.add(Feature, Half));
  auto [Left, Right] = turn(B.widen(B.load(X.Element, At)),
                            B.widen(B.load(X.Element, Other)), Cos, Sin);
  B.store(B.round(Left, X.Element), At);
  B.store(B.round(Right, X.Element), Other);
}

void heddle::nv::emitRotate(NvBuilder &B, const SharedTile &X,
                            const Rotation &R) {
  RowTurn Turn{B, X, R};
  int64_t Half = R.Features / 2;
  if (Half % X.chunkElements() != 0) {
    B.loop(B.thread(), B.i32(X.Rows * Half), B.config().threads(),
           [&](Value Number) { Turn.emitFeatures(Number); });
    return;
  }
  int64_t Pairs = X.Rows * Half / X.chunkElements();
  B.branch(
      B.bitAnd(Turn.inFours(R.Cos), Turn.inFours(R.Sin)),
      [&] {
        forEachOfCta(B, Pairs, [&](Value Number) {
          Turn.emitChunks(Number, /*Fours=*/true);
        });
      },
      [&] {
        B.loop(B.thread(), B.i32(Pairs), B.config().threads(),
               [&](Value Number) { Turn.emitChunks(Number, /*Fours=*/false); });
      });
}

void heddle::nv::emitRotatedCopy(NvBuilder &B, const RowSource &From,
                                 const SharedTile &To, const Rotation &R,
                                 Value First) {
  const RowTurn Turn{B, To, R};
  const int64_t Half = R.Features / 2;
  Type F32 = B.getF32Type();
  auto Copy = [&](Value Number) {
    Value Row = B.div(Number, To.Columns), Column = B.rem(Number, To.Columns);
    Value Position = From.Position(B, Row), Feature = B.add(First, Column);
    Value Exists = B.bitAnd(From.exists(B, Position),
                            B.cmp(CmpIPredicate::slt, Feature, R.Features));
    auto Turned = [&]() -> NvBuilder::Values {
      Value IsLeft = B.cmp(CmpIPredicate::slt, Feature, Half);
      Value Pair = B.select(IsLeft, Feature, B.add(Feature, -Half));
      auto Load = [&](Value Of) {
        Value At = B.offset(From.row(B, Position), Of, From.Element);
        return B.widen(B.load(From.Element, At));
      };
      Value At = R.Position(B, Row);
      Value Cos = Turn.loadAngles(R.Cos, At, Pair, 1, false).front();
      Value Sin = Turn.loadAngles(R.Sin, At, Pair, 1, false).front();
      auto [Left, Right] =
          Turn.turn(Load(Pair), Load(B.add(Pair, Half)), Cos, Sin);
      return {B.select(IsLeft, Left, Right)};
    };
    Value X = B.branch(Exists, {F32}, Turned,
                       [&]() -> NvBuilder::Values { return {B.f32(0.0F)}; })[0];
    B.store(B.round(X, To.Element), To.element(B, Row, Column));
  };
  B.loop(B.thread(), B.i32(To.Rows * To.Columns), B.config().threads(), Copy);
}
