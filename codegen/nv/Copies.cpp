// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Copies.h"

#include "codegen/nv/Threads.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

namespace {

/// Copies that one thread starts in a row without a loop.
constexpr int64_t MostAtOnce = 16;

/// One copy of rows into a tile.
struct RowCopy {
  NvBuilder &B;
  const RowSource &From;
  const SharedTile &To;

  /// By cp.async; rows start at multiples of 16 bytes.
  void emitChunk(Value Row, Value Chunk);
  /// All of them: a thread has the same chunk of every `step()`th row, by
  /// which no chunk's place in its row changes if it is a multiple of eight.
  void emitSteps();
  void emitConsecutive(Value Row, Value Chunk);
  int64_t step() const {
    int64_t AtOnce = B.config().threads() / To.chunks(), Step = 1;
    while (Step * 2 <= AtOnce && To.Rows % (Step * 2) == 0)
      Step *= 2;
    return Step;
  }
  bool isStepped() const {
    return To.chunks() <= B.config().threads() &&
           To.Rows / step() <= MostAtOnce;
  }
  /// The bytes of a chunk that a row has; the rest is padding.
  Value bytesOf(Value Chunk);
  /// Element by element.
  void emitElement(Value Number);
};

} // namespace

Value RowCopy::bytesOf(Value Chunk) {
  int64_t Full = From.Features * byteWidth(From.Element);
  Value Whole = B.i32(SharedTile::ChunkBytes);
  if (Full == To.rowBytes())
    return Whole;
  Value Left = B.sub(B.i32(Full), B.mul(Chunk, SharedTile::ChunkBytes));
  return B.min(Whole, B.max(Left, B.i32(0)));
}

/// Bytes beyond `Bytes` become zero; of none, the address does not matter (PTX
/// ISA, cp.async).
static void emitCpAsync(NvBuilder &B, Value To, Value From, Value Bytes) {
  NVVM::CpAsyncOp::create(B, To, From, SharedTile::ChunkBytes,
                          NVVM::LoadCacheModifierKind::CG, Bytes);
}

void RowCopy::emitChunk(Value Row, Value Chunk) {
  Value Position = From.Position(B, Row);
  Value Source =
      B.bytes(From.row(B, Position), B.mul(Chunk, SharedTile::ChunkBytes));
  emitCpAsync(B, To.chunk(B, Row, Chunk), Source,
              B.select(From.exists(B, Position), bytesOf(Chunk), B.i32(0)));
}

void RowCopy::emitConsecutive(Value Row, Value Chunk) {
  Value Bytes = bytesOf(Chunk), Position = B.add(From.First, B.toI64(Row));
  Value Source =
      B.bytes(From.row(B, Position), B.mul(Chunk, SharedTile::ChunkBytes));
  Value StepBytes = B.mul(From.Stride, step() * byteWidth(From.Element));
  // The rows from this one on that exist are [Begin, Begin + Count).
  auto Clamp = [&](Value X) {
    return B.toI32(B.min(B.max(X, B.i64(0)), B.i64(To.Rows)));
  };
  Value Begin = Clamp(B.sub(B.i64(0), Position));
  Value End = Clamp(B.sub(From.Length, Position));
  Value Count = B.sub(B.max(Begin, End), Begin);
  Value First = To.chunk(B, Row, Chunk);
  for (int64_t I = 0; I < To.Rows; I += step()) {
    Value Exists = B.cmp(CmpIPredicate::ult, B.sub(B.i32(I), Begin), Count);
    Value Target = step() % SharedTile::SwizzleRows == 0
                       ? B.bytes(First, I * To.rowBytes())
                       : To.chunk(B, B.add(Row, I), Chunk);
    emitCpAsync(B, Target, Source, B.select(Exists, Bytes, B.i32(0)));
    Source = B.bytes(Source, StepBytes);
  }
}

void RowCopy::emitSteps() {
  int64_t Chunks = To.chunks(), Used = step() * Chunks;
  auto Copy = [&] {
    Value Row = B.div(B.thread(), Chunks), Chunk = B.rem(B.thread(), Chunks);
    if (From.First) {
      emitConsecutive(Row, Chunk);
      return;
    }
    // Rows of threads are less than a step, a power of two.
    for (int64_t I = 0; I < To.Rows; I += step())
      emitChunk(B.bitOr(Row, B.i32(I)), Chunk);
  };
  if (Used < B.config().threads())
    B.branch(B.cmp(CmpIPredicate::slt, B.thread(), Used), Copy);
  else
    Copy();
}

void RowCopy::emitElement(Value Number) {
  Value Row = B.div(Number, To.Columns), Column = B.rem(Number, To.Columns);
  Value Position = From.Position(B, Row);
  Value Exists = From.exists(B, Position);
  if (From.Features < To.Columns)
    Exists = B.bitAnd(Exists, B.cmp(CmpIPredicate::slt, Column, From.Features));
  NvBuilder::Values Loaded = B.branch(
      Exists, {To.Element},
      [&]() -> NvBuilder::Values {
        return {B.load(To.Element,
                       B.offset(From.row(B, Position), Column, From.Element))};
      },
      [&]() -> NvBuilder::Values {
        return {B.constant(B.getFloatAttr(To.Element, 0.0))};
      });
  B.store(Loaded.front(), To.element(B, Row, Column));
}

void heddle::nv::emitCopy(NvBuilder &B, const RowSource &From,
                          const SharedTile &To) {
  RowCopy Copy{B, From, To};
  B.branch(
      From.isAligned(B, SharedTile::ChunkBytes),
      [&] {
        if (Copy.isStepped())
          Copy.emitSteps();
        else
          forEachOfCta(B, To.Rows * To.chunks(), [&](Value Number) {
            Copy.emitChunk(B.div(Number, To.chunks()),
                           B.rem(Number, To.chunks()));
          });
      },
      [&] {
        B.loop(B.thread(), B.i32(To.Rows * To.Columns), B.config().threads(),
               [&](Value Number) { Copy.emitElement(Number); });
      });
}

void heddle::nv::commitCopies(NvBuilder &B) {
  NVVM::CpAsyncCommitGroupOp::create(B);
}

void heddle::nv::waitCopies(NvBuilder &B, int64_t Pending) {
  NVVM::CpAsyncWaitGroupOp::create(B, static_cast<uint32_t>(Pending));
}

void heddle::nv::emitZero(NvBuilder &B, const SharedTile &To) {
  auto Chunk = VectorType::get({4}, B.getI32Type());
  Value Zero =
      B.constant(DenseElementsAttr::get(Chunk, static_cast<int32_t>(0)));
  forEachOfCta(B, To.Rows * To.chunks(), [&](Value Number) {
    B.store(Zero, B.bytes(To.Base, B.mul(Number, SharedTile::ChunkBytes)),
            SharedTile::ChunkBytes);
  });
}
