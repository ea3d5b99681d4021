// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Copies.h"

#include "codegen/nv/Threads.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

namespace {

/// One copy of rows into a tile.
struct RowCopy {
  NvBuilder &B;
  const RowSource &From;
  const SharedTile &To;

  /// By cp.async; rows start at multiples of 16 bytes.
  void emitChunk(Value Number);
  /// Element by element.
  void emitElement(Value Number);
};

} // namespace

void RowCopy::emitChunk(Value Number) {
  Value Row = B.div(Number, To.chunks()), Chunk = B.rem(Number, To.chunks());
  Value Position = From.Position(B, Row);
  Value Exists = From.exists(B, Position);
  int64_t Full = From.Features * byteWidth(From.Element);
  Value Bytes = B.i32(SharedTile::ChunkBytes);
  if (Full < To.rowBytes()) {
    Value Left = B.sub(B.i32(Full), B.mul(Chunk, SharedTile::ChunkBytes));
    Bytes = B.min(Bytes, B.max(Left, B.i32(0)));
    Exists = B.bitAnd(Exists, B.cmp(CmpIPredicate::sgt, Left, 0));
  }
  Value Source =
      B.bytes(From.row(B, Position), B.mul(Chunk, SharedTile::ChunkBytes));
  // Bytes beyond the source's size become zero (PTX ISA, cp.async); of a row
  // that does not exist none are read, and the address stays inside the tensor.
  NVVM::CpAsyncOp::create(
      B, To.chunk(B, Row, Chunk), B.select(Exists, Source, From.Base),
      SharedTile::ChunkBytes, NVVM::LoadCacheModifierKind::CG,
      B.select(Exists, Bytes, B.i32(0)));
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
        forEachOfCta(B, To.Rows * To.chunks(),
                     [&](Value Number) { Copy.emitChunk(Number); });
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
