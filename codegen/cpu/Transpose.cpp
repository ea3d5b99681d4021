// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Transpose.h"

#include "codegen/cpu/Convert.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

/// The most rows and features of a square. Wider ones save instructions, but
/// take the code generator much longer than all they save.
static constexpr int64_t MaxSide = 8;

/// Turns a square of vectors: element j of vector i becomes element i of vector
/// j. Each step swaps the off-diagonal quarters of squares of twice its size.
static void turn(KernelBuilder &B, MutableArrayRef<Value> Square) {
  auto Side = static_cast<int64_t>(Square.size());
  for (int64_t Size = 1; Size < Side; Size *= 2) {
    SmallVector<int64_t> Upper, Lower;
    for (int64_t J = 0; J < Side; ++J) {
      bool IsRight = (J & Size) != 0;
      Upper.push_back(IsRight ? Side + J - Size : J);
      Lower.push_back(IsRight ? Side + J : J + Size);
    }
    for (int64_t I = 0; I < Side; ++I) {
      if (I & Size)
        continue;
      Value Top = Square[I], Bottom = Square[I + Size];
      Square[I] = vector::ShuffleOp::create(B, Top, Bottom, Upper);
      Square[I + Size] = vector::ShuffleOp::create(B, Top, Bottom, Lower);
    }
  }
}

namespace {
/// One direction. `Rows` are in memory, `Tile` is along the lanes.
class Transposition {
public:
  Transposition(KernelBuilder &B, RankedTensorType Type, const RowSource &Rows,
                Value Tile)
      : B(B), Rows(Rows), Tile(Tile), Queries(Type.getDimSize(0)),
        Features(Type.getRank() == 2 ? Type.getDimSize(1) : 1),
        Length(rowLength(B, Type)), Side(std::min(B.lanes(), MaxSide)) {}
  virtual ~Transposition() = default;

  void emit();

protected:
  /// Features from `From` on of one row.
  virtual void emitRow(Value Query, Value Row, int64_t From) = 0;
  virtual void emitMissingRow(Value Query, int64_t From) = 0;
  /// One square; the rows exist.
  virtual void emitSquare(Value Query, ArrayRef<Value> RowAt,
                          Value Feature) = 0;

  Value inTile(Value Query, Value Feature) {
    return B.offset(Tile, B.add(B.mul(Feature, Length), Query));
  }
  Value inRow(Value Row, Value Feature) {
    return B.offset(Row, Feature, Rows.Element);
  }

  KernelBuilder &B;
  const RowSource &Rows;
  Value Tile;
  int64_t Queries, Features, Length;
  /// Of a square.
  int64_t Side;

private:
  /// Features from `From` on of `Count` queries, one at a time.
  void emitSingly(Value First, int64_t Count, int64_t From);
};
} // namespace

void Transposition::emitSingly(Value First, int64_t Count, int64_t From) {
  B.loop(Count, 1, [&](Value I) {
    Value Query = B.add(First, I);
    Value Position = Rows.position(B, Query);
    B.branch(
        Rows.exists(B, Position),
        [&] { emitRow(Query, Rows.row(B, Position), From); },
        [&] { emitMissingRow(Query, From); });
  });
}

void Transposition::emit() {
  int64_t Squares = Features / Side * Side;
  int64_t Main = llvm::isPowerOf2_64(Side) ? Queries / Side * Side : 0;
  if (Squares == 0)
    Main = 0;
  B.loop(Main, Side, [&](Value Query) {
    SmallVector<Value> Positions;
    Value AllExist;
    auto EmitSquares = [&] {
      SmallVector<Value> RowAt;
      for (Value Position : Positions)
        RowAt.push_back(Rows.row(B, Position));
      B.loop(Squares, Side,
             [&](Value Feature) { emitSquare(Query, RowAt, Feature); });
      if (Squares < Features)
        emitSingly(Query, Side, Squares);
    };
    for (int64_t I = 0; I < Side; ++I) {
      Positions.push_back(Rows.position(B, B.add(Query, I)));
      // Of a stretch the ends will do.
      if (Rows.AllExist || (!Rows.Positions && I != 0 && I != Side - 1))
        continue;
      Value Exists = Rows.exists(B, Positions.back());
      AllExist = AllExist ? arith::AndIOp::create(B, AllExist, Exists) : Exists;
    }
    if (Rows.AllExist) {
      EmitSquares();
      return;
    }
    B.branch(AllExist, EmitSquares, [&] { emitSingly(Query, Side, 0); });
  });
  if (Main < Queries)
    emitSingly(B.i64(Main), Queries - Main, 0);
}

namespace {
class ToTile : public Transposition {
  using Transposition::Transposition;

  void emitRow(Value Query, Value Row, int64_t From) override {
    B.loop(Features - From, 1, [&](Value I) {
      Value Feature = B.add(I, From);
      B.storeScalar(loadWidened(B, inRow(Row, Feature), Rows.Element, 1),
                    inTile(Query, Feature));
    });
  }
  void emitMissingRow(Value Query, int64_t From) override {
    B.loop(Features - From, 1, [&](Value I) {
      B.storeScalar(B.f32(0.0F), inTile(Query, B.add(I, From)));
    });
  }
  void emitSquare(Value Query, ArrayRef<Value> RowAt, Value Feature) override {
    SmallVector<Value> Square;
    for (Value Row : RowAt)
      Square.push_back(loadWidened(B, inRow(Row, Feature), Rows.Element, Side));
    turn(B, Square);
    Value To = inTile(Query, Feature);
    for (auto [J, Column] : llvm::enumerate(Square))
      storeNarrowed(B, Column, B.offset(To, static_cast<int64_t>(J) * Length),
                    B.getF32Type());
  }
};

class FromTile : public Transposition {
  using Transposition::Transposition;

  void emitRow(Value Query, Value Row, int64_t From) override {
    B.loop(Features - From, 1, [&](Value I) {
      Value Feature = B.add(I, From);
      storeNarrowed(B, B.loadScalar(inTile(Query, Feature)),
                    inRow(Row, Feature), Rows.Element);
    });
  }
  void emitMissingRow(Value, int64_t) override {}
  void emitSquare(Value Query, ArrayRef<Value> RowAt, Value Feature) override {
    SmallVector<Value> Square;
    Value At = inTile(Query, Feature);
    for (int64_t J = 0; J < Side; ++J)
      Square.push_back(
          loadWidened(B, B.offset(At, J * Length), B.getF32Type(), Side));
    turn(B, Square);
    for (auto [Row, Elements] : llvm::zip(RowAt, Square))
      storeNarrowed(B, Elements, inRow(Row, Feature), Rows.Element);
  }
};
} // namespace

void heddle::cpu::emitTransposeIn(KernelBuilder &B, RankedTensorType Type,
                                  const RowSource &From, const Buffer &To) {
  ToTile(B, Type, From, To.Base).emit();
}

void heddle::cpu::emitTransposeOut(KernelBuilder &B, RankedTensorType Type,
                                   const Buffer &From, const RowSource &To) {
  FromTile(B, Type, To, From.Base).emit();
}
