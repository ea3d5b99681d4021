// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the tiles of kernels with a state live, and how long.

#include "codegen/nv/StateLowering.h"
#include "dialect/tile/Views.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

/// The last operation of `Home` that sees the memory of `V`, inside or out;
/// null for none.
static Operation *findLastUse(Block &Home, Value V) {
  Operation *Last = nullptr;
  for (Value Each : tile::tilesSharing(V))
    for (Operation *User : Each.getUsers())
      if (Operation *There = Home.findAncestorOpInBlock(*User);
          There && (!Last || Last->isBeforeInBlock(There)))
        Last = There;
  return Last;
}

void StateLowering::findLastUses(Block &Block) {
  for (Operation &Op : Block)
    for (Value V : Op.getResults()) {
      if (!isTile(V) || tile::viewedTile(V))
        continue;
      Operation *Last = findLastUse(Block, V);
      LastUses[Last ? Last : &Op].push_back(V);
    }
}

void StateLowering::releaseAfter(Operation *Op) {
  auto It = LastUses.find(Op);
  if (It == LastUses.end())
    return;
  for (Value V : It->second) {
    auto Tile = Tiles.find(V);
    if (Tile == Tiles.end())
      continue;
    const int Place = Tile->second.Place;
    // A result may have taken the memory over.
    if (Owners.lookup(Place) == V)
      Arena->release(Place);
  }
}

bool StateLowering::endsLife(Operation *User, Value V) const {
  Value Root = V;
  while (Value Shown = tile::viewedTile(Root))
    Root = Shown;
  if (Root.getParentBlock() != User->getBlock() ||
      findLastUse(*User->getBlock(), V) != User)
    return false;
  unsigned Uses = 0;
  for (Value Each : tile::tilesSharing(V)) {
    // A row is less than the memory.
    if (Each.getDefiningOp<tile::RowOp>())
      return false;
    Uses += llvm::count(Each.getUsers(), User);
  }
  return Uses == 1;
}

void StateLowering::define(Value V, const MemoryTile &Is) {
  Tiles[V] = Is;
  auto [It, IsNew] = Owners.try_emplace(Is.Place, V);
  // What a loop carries stays the loop's.
  if (!IsNew && It->second && !tile::viewedTile(V))
    It->second = V;
}

MemoryTile StateLowering::allocate(Value Like, bool Transposed) {
  auto Type = cast<RankedTensorType>(Like.getType());
  return Arena->allocate(Type.getDimSize(0),
                         Type.getRank() == 2 ? Type.getDimSize(1) : 1,
                         Transposed);
}

MemoryTile StateLowering::successor(Value V, Operation *User) {
  const MemoryTile &Tile = get(V);
  if (endsLife(User, V))
    return Tile;
  return allocate(V, Tile.isTransposed());
}

void StateLowering::copy(const MemoryTile &From, const MemoryTile &To) {
  Arena->access({From}, {To});
  makeElements(B, To, [&](Value Row, Value Column) -> Values {
    return {From.load(B, Row, Column)};
  });
}
