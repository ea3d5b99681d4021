// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Tiles.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

Value RowSource::position(KernelBuilder &B, Value Row) const {
  if (!Positions)
    return B.add(First, Row);
  return B.loadScalar(B.offset(Positions, Row, B.getI64Type()), B.getI64Type());
}

Value RowSource::exists(KernelBuilder &B, Value Position) const {
  // Unsigned: -1 stands for no position.
  return arith::CmpIOp::create(B, arith::CmpIPredicate::ult, Position, Length);
}

Value RowSource::row(KernelBuilder &B, Value Position) const {
  return B.offset(Base, B.mul(Position, Stride), Element);
}

RowView RowSource::view(KernelBuilder &B) const {
  Value Last;
  if (!AllExist)
    Last = B.add(arith::SubIOp::create(B, Length, First), -1);
  return {row(B, First), Stride, Last};
}

Value RowView::row(KernelBuilder &B, Value Row) const {
  if (Addresses)
    return B.loadScalar(B.offset(Addresses, Row, B.ptrType()), B.ptrType());
  if (Last)
    Row = B.min(Row, Last);
  return B.offset(Base, B.mul(Row, Stride));
}

Buffer Workspace::allocate(int64_t Bytes) {
  Bytes = llvm::alignTo(Bytes, 64);
  Buffer Result;
  if (auto It = Free.find(Bytes); It != Free.end()) {
    Result = It->second;
    Free.erase(It);
  } else {
    Result.Offset = End;
    Result.Bytes = Bytes;
    End += Bytes;
    // Addresses are computed once, at the top, where every use sees them.
    OpBuilder::InsertionGuard Guard(B);
    if (Operation *Last = Base.getDefiningOp())
      B.setInsertionPointAfter(Last);
    else
      B.setInsertionPointToStart(Entry);
    Result.Base = B.offset(Base, Result.Offset, B.getI8Type());
  }
  Live.push_back(Result);
  return Result;
}

void Workspace::close(size_t Mark, ArrayRef<Buffer> Kept) {
  SmallVector<Buffer> Since(Live.begin() + Mark, Live.end());
  Live.truncate(Mark);
  for (const Buffer &Buf : Since) {
    if (llvm::is_contained(Kept, Buf))
      Live.push_back(Buf);
    else
      Free.emplace(Buf.Bytes, Buf);
  }
}

bool Workspace::isSince(const Buffer &Buf, size_t Mark) const {
  return llvm::is_contained(ArrayRef(Live).drop_front(Mark), Buf);
}

IntegerType heddle::cpu::wordType(KernelBuilder &B) {
  return B.getIntegerType(std::max<uint64_t>(8, llvm::PowerOf2Ceil(B.lanes())));
}

int64_t heddle::cpu::rowLength(KernelBuilder &B, RankedTensorType Type) {
  int64_t Vectors = B.shape().vectors(Type.getDimSize(0));
  return Type.getElementType().isInteger(1) ? Vectors : Vectors * B.lanes();
}

/// Bytes of what a tile is made of: an f32, an i64 for a position, a word of
/// bits.
static int64_t elementBytes(KernelBuilder &B, RankedTensorType Type) {
  if (Type.getElementType().isIndex())
    return 8;
  return Type.getElementType().isInteger(1) ? wordType(B).getWidth() / 8 : 4;
}

int64_t heddle::cpu::tileBytes(KernelBuilder &B, RankedTensorType Type) {
  int64_t Rows = Type.getRank() == 2 ? Type.getDimSize(1) : 1;
  return Rows * rowLength(B, Type) * elementBytes(B, Type);
}

void heddle::cpu::forEachVector(KernelBuilder &B, RankedTensorType Type,
                                function_ref<void(Value)> Body) {
  B.loop(tileBytes(B, Type) / 4, B.lanes(), Body);
}

void heddle::cpu::copyBuffer(KernelBuilder &B, RankedTensorType Type,
                             const Buffer &From, const Buffer &To) {
  if (From == To)
    return;
  if (Type.getElementType().isF32()) {
    forEachVector(B, Type, [&](Value At) {
      B.storeVector(B.loadVector(B.offset(From.Base, At)),
                    B.offset(To.Base, At));
    });
    return;
  }
  IntegerType Word =
      Type.getElementType().isIndex() ? B.getI64Type() : wordType(B);
  B.loop(tileBytes(B, Type) / elementBytes(B, Type), 1, [&](Value At) {
    B.storeScalar(B.loadScalar(B.offset(From.Base, At, Word), Word),
                  B.offset(To.Base, At, Word));
  });
}

KernelBuilder::Values TileFactor::vectors(KernelBuilder &B, Value Feature,
                                          Value Offset, int64_t Count) const {
  if (PerQuery) {
    KernelBuilder::Values Result;
    Value Base = B.offset(PerQuery, Offset);
    for (int64_t J = 0; J < Count; ++J)
      Result.push_back(B.loadVector(B.offset(Base, J * B.lanes())));
    return Result;
  }
  Value Scalar = All;
  if (PerFeature.Base)
    Scalar = B.loadScalar(PerFeature.row(B, Feature));
  if (!Scalar)
    return {};
  return KernelBuilder::Values(Count, B.splat(Scalar));
}

void heddle::cpu::emitScaledRows(KernelBuilder &B, const ScaledRows &S) {
  auto Scale = [&](Value At, Value Factor) {
    Value Element = B.loadVector(B.offset(S.From, At));
    B.storeVector(B.fmul(Element, Factor), B.offset(S.To, At));
  };
  if (S.By.All) {
    Value Factor = B.splat(S.By.All);
    B.loop(S.Rows * S.Length, B.lanes(), [&](Value At) { Scale(At, Factor); });
    return;
  }
  B.loop(S.Rows, 1, [&](Value Row) {
    B.loop(S.Length, B.lanes(), [&](Value Offset) {
      Scale(B.add(B.mul(Row, S.Length), Offset),
            S.By.vectors(B, Row, Offset, 1).front());
    });
  });
}

void heddle::cpu::emitAddresses(KernelBuilder &B, const RowAddresses &A) {
  B.loop(A.Width, B.lanes(), [&](Value At) {
    B.storeVector(B.splat(0.0F), B.offset(A.Zeros, At));
  });
  B.loop(A.Rows, 1, [&](Value Number) {
    Value Position = A.From.position(B, Number);
    Value Row =
        B.select(A.From.exists(B, Position), A.From.row(B, Position), A.Zeros);
    B.storeScalar(Row, B.offset(A.To, Number, B.ptrType()));
  });
}

Value KeySide::element(KernelBuilder &B, Value Row, Value Column) const {
  return ByColumns ? B.offset(View.row(B, Column), Row)
                   : B.offset(View.row(B, Row), Column);
}
