// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/MatrixRegs.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;
using namespace mlir;

MatrixReader::MatrixReader(NvBuilder &B, const SharedTile &From,
                           const BlockLayout &Layout, Storage As,
                           Value FirstRow)
    : B(B), From(From), Layout(Layout), As(As) {
  if (isElementwise()) {
    assert(!FirstRow && "values are read from the first row on");
    Value Row = Layout.laneRow(B), Column = Layout.laneColumn(B);
    LanePlace =
        B.bitXor(B.div(Column, From.chunkElements()), From.swizzle(B, Row));
    LaneRowBytes = B.add(B.mul(Row, From.rowBytes()),
                         B.mul(B.bitAnd(Column, From.chunkElements() - 1),
                               byteWidth(From.Element)));
    return;
  }
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

bool MatrixReader::isElementwise() const {
  return As == Storage::RowsTransposed && From.Element.isF32();
}

Value MatrixReader::address(int64_t Row, int64_t Chunk) {
  // What the row's lower bits swizzle; those of the lane have done their part.
  int64_t Swizzled = (Chunk ^ From.placeOf(Row, 0)) & From.swizzleMask();
  Value &Address = Addresses[Swizzled];
  if (!Address) {
    Value Place = B.bitXor(LanePlace, B.i32(Swizzled));
    Address = B.bytes(
        From.Base, B.add(LaneRowBytes, B.mul(Place, SharedTile::ChunkBytes)));
  }
  int64_t Rest = Chunk & ~From.swizzleMask();
  return B.bytes(Address,
                 Row * From.rowBytes() + Rest * SharedTile::ChunkBytes);
}

NvBuilder::Values MatrixReader::load(int64_t Row, int64_t Column) {
  NvBuilder::Values Regs;
  if (isElementwise()) {
    for (int64_t I = 0; I < Layout.elements(); ++I) {
      Point P = Layout.at(I, 0);
      Value At =
          address(Row + P.Row, (Column + P.Column) / From.chunkElements());
      Regs.push_back(B.load(B.getI32Type(), At));
    }
    return Regs;
  }
  Value At = address(Row, Column / From.chunkElements());
  auto Four = LLVM::LLVMStructType::getLiteral(
      B.getContext(), SmallVector<Type>(4, B.getI32Type()));
  Value Loaded = NVVM::LdMatrixOp::create(
      B, Four, At, /*num=*/4,
      As == Storage::RowsTransposed ? NVVM::MMALayout::col
                                    : NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(B.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  for (int64_t I = 0; I < 4; ++I)
    Regs.push_back(LLVM::ExtractValueOp::create(B, Loaded, I));
  return Regs;
}
