// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/SharedTile.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace heddle::nv;
using namespace mlir;

SharedTile SharedTile::get(Value Base, int64_t Rows, int64_t Features,
                           Type Element) {
  return {Base, Rows, roundUp(Features, 16), Element};
}

int64_t SharedTile::rowBytes() const { return Columns * byteWidth(Element); }
int64_t SharedTile::bytes() const { return roundUp(Rows * rowBytes(), 128); }

/// The t of the file's comment.
static int64_t swizzleBits(const SharedTile &T) {
  return std::min<int64_t>(
      3, llvm::countr_zero(static_cast<uint64_t>(T.chunks())));
}

int64_t SharedTile::swizzleMask() const {
  return (int64_t{1} << swizzleBits(*this)) - 1;
}

int64_t SharedTile::placeOf(int64_t Row, int64_t Chunk) const {
  return Chunk ^ (Row >> (3 - swizzleBits(*this)) & swizzleMask());
}

Value SharedTile::swizzle(NvBuilder &B, Value Row) const {
  return B.bitAnd(B.shr(Row, 3 - swizzleBits(*this)), swizzleMask());
}

Value SharedTile::chunk(NvBuilder &B, Value Row, Value Chunk) const {
  Value Place = B.bitXor(Chunk, swizzle(B, Row));
  return B.bytes(Base, B.add(B.mul(Row, rowBytes()), B.mul(Place, ChunkBytes)));
}

Value SharedTile::element(NvBuilder &B, Value Row, Value Column) const {
  Value InChunk = B.bitAnd(Column, chunkElements() - 1);
  return B.offset(chunk(B, Row, B.div(Column, chunkElements())), InChunk,
                  Element);
}
