// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/MatrixRegs.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;
using namespace mlir;

MatrixReader::MatrixReader(NvBuilder &B, const SharedTile &From,
                           const BlockLayout &Layout, Storage As,
                           Value FirstRow)
    : B(B), From(From), As(As) {
  SmallVector<int64_t> RowImages, ChunkImages;
  for (Point P : matrixAddresses(Layout, As == Storage::RowsTransposed)) {
    bool Swap = As == Storage::Columns;
    RowImages.push_back(Swap ? P.Column : P.Row);
    ChunkImages.push_back((Swap ? P.Row : P.Column) / From.chunkElements());
  }
  Value Row = applyLinear(B, RowImages, B.lane());
  // The rows added to it are multiples of eight: they do not swizzle.
  LanePlace =
      B.bitXor(applyLinear(B, ChunkImages, B.lane()), From.swizzle(B, Row));
  if (FirstRow)
    Row = B.add(Row, FirstRow);
  LaneRowBytes = B.mul(Row, From.rowBytes());
}

NvBuilder::Values MatrixReader::load(int64_t Row, int64_t Column) {
  int64_t Chunk = Column / From.chunkElements();
  int64_t Swizzled = Chunk & From.swizzleMask();
  Value &Address = Addresses[Swizzled];
  if (!Address) {
    Value Place = B.bitXor(LanePlace, B.i32(Swizzled));
    Address = B.bytes(
        From.Base, B.add(LaneRowBytes, B.mul(Place, SharedTile::ChunkBytes)));
  }
  Value At = B.bytes(Address, Row * From.rowBytes() +
                                  (Chunk - Swizzled) * SharedTile::ChunkBytes);
  auto Four = LLVM::LLVMStructType::getLiteral(
      B.getContext(), SmallVector<Type>(4, B.getI32Type()));
  Value Loaded = NVVM::LdMatrixOp::create(
      B, Four, At, /*num=*/4,
      As == Storage::RowsTransposed ? NVVM::MMALayout::col
                                    : NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(B.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  NvBuilder::Values Regs;
  for (int64_t I = 0; I < 4; ++I)
    Regs.push_back(LLVM::ExtractValueOp::create(B, Loaded, I));
  return Regs;
}
