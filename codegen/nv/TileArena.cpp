// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/TileArena.h"

#include "codegen/nv/SharedMemory.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace heddle::nv;
using namespace mlir;

/// Elements from one stretch to the next: 4 modulo 8, so that eight stretches
/// start in different banks of shared memory, four apart.
static int64_t stretchOf(int64_t Elements) {
  return Elements == 1 ? 1 : roundUp(Elements, 8) + 4;
}

int64_t TileArena::findGap(bool IsShared, int64_t Bytes) const {
  SmallVector<const Piece *> Used;
  for (const Piece &P : Pieces)
    if (P.IsShared == IsShared && !P.IsFree)
      Used.push_back(&P);
  llvm::sort(Used, [](const Piece *X, const Piece *Y) {
    return X->Offset < Y->Offset;
  });
  int64_t Offset = 0;
  for (const Piece *P : Used) {
    if (P->Offset - Offset >= Bytes)
      break;
    Offset = std::max(Offset, P->Offset + P->Bytes);
  }
  return Offset;
}

Value TileArena::baseOf(const Piece &P) {
  Value &Known = Bases[{P.IsShared, P.Offset}];
  if (!Known) {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointAfterValue(Workspace);
    Known = P.IsShared ? SharedMemory(B).at(P.Offset)
                       : B.bytes(Workspace, P.Offset);
  }
  return Known;
}

MemoryTile TileArena::allocate(int64_t Rows, int64_t Columns, bool Transposed) {
  constexpr int64_t Alignment = 128;
  MemoryTile Tile;
  Tile.Rows = Rows;
  Tile.Columns = Columns;
  const int64_t Stretch = stretchOf(Transposed ? Rows : Columns);
  (Transposed ? Tile.ColumnStride : Tile.RowStride) = Stretch;
  (Transposed ? Tile.RowStride : Tile.ColumnStride) = 1;
  const int64_t Elements = Stretch * (Transposed ? Columns : Rows);
  Piece P;
  P.Bytes = roundUp(Elements * byteWidth(B.getF32Type()), Alignment);
  P.Offset = findGap(true, P.Bytes);
  P.IsShared = P.Offset + P.Bytes <= SharedLimit;
  if (P.IsShared) {
    MostShared = std::max(MostShared, P.Offset + P.Bytes);
  } else {
    P.Offset = findGap(false, P.Bytes);
    MostWorkspace = std::max(MostWorkspace, P.Offset + P.Bytes);
  }
  Tile.Base = baseOf(P);
  Tile.Place = static_cast<int>(Pieces.size());
  Pieces.push_back(P);
  return Tile;
}

void TileArena::release(int Place) { Pieces[Place].IsFree = true; }

bool TileArena::touches(const MemoryTile &Tile, ArrayRef<Piece> Any) const {
  const Piece &Own = Pieces[Tile.Place];
  return llvm::any_of(Any, [&](const Piece &P) { return P.overlaps(Own); });
}

void TileArena::access(ArrayRef<MemoryTile> Reads,
                       ArrayRef<MemoryTile> Writes) {
  const bool MustMeet =
      llvm::any_of(Reads,
                   [&](const MemoryTile &T) { return touches(T, Written); }) ||
      llvm::any_of(Writes, [&](const MemoryTile &T) {
        return touches(T, Written) || touches(T, Read);
      });
  if (MustMeet)
    settle();
  for (const MemoryTile &T : Reads)
    Read.push_back(Pieces[T.Place]);
  for (const MemoryTile &T : Writes)
    Written.push_back(Pieces[T.Place]);
}

void TileArena::settle() {
  if (Read.empty() && Written.empty())
    return;
  B.barrier();
  Read.clear();
  Written.clear();
}
