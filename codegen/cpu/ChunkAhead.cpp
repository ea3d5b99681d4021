// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which rows of a chunk to come the products of a chunk ask the memory for. A
// chunk touches every row once and does little with it, so that its time is
// memory's unless all that a later one needs is under way meanwhile: rows to
// be read and rows to be written, spread over the long products. Asked for in
// one go they fill the queue of misses, and everything else waits for that.

#include "codegen/cpu/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

bool TileLowering::isOfChunk(Operation *Op) {
  auto Kernel = Op->getParentOfType<func::FuncOp>();
  auto Entry = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  return Entry && Entry.getState() && isa<scf::ForOp>(Op->getParentOp());
}

void TileLowering::wantNext(Block *Chunk, RankedTensorType Type,
                            const RowSource &From) {
  if (Type.getRank() != 2)
    return;
  int64_t Rows = Type.getDimSize(0);
  int64_t ElementBytes =
      static_cast<int64_t>(From.Element.getIntOrFloatBitWidth()) / 8;
  // One chunk is time enough for most rows, but not for all where each is on a
  // page of its own.
  constexpr int64_t ChunksAhead = 2;
  Value Next = B.add(From.First, ChunksAhead * Rows);
  RowsAhead Ahead;
  Ahead.Rows = Rows;
  Ahead.Bytes = Type.getDimSize(1) * ElementBytes;
  Ahead.Stride = B.mul(From.Stride, ElementBytes);
  Ahead.Base = From.row(B, Next);
  Ahead.Last = B.add(arith::SubIOp::create(B, From.Length, Next), -1);
  Wanted[Chunk].push_back(Ahead);
}

/// Multiply-adds of a product; 0 for other operations.
static int64_t workOf(Operation *Op) {
  auto Size = [](Value Tile, unsigned Axis) {
    return cast<RankedTensorType>(Tile.getType()).getDimSize(Axis);
  };
  if (auto Scores = dyn_cast<tile::ScoresOp>(Op))
    return Size(Scores.getS(), 0) * Size(Scores.getS(), 1) *
           Size(Scores.getQ(), 1);
  if (auto Accumulate = dyn_cast<tile::AccumulateOp>(Op))
    return Size(Accumulate.getP(), 0) * Size(Accumulate.getP(), 1) *
           Size(Accumulate.getResult(), 1);
  return 0;
}

SmallVector<RowsAhead, 2> TileLowering::rowsForNext(Operation *Product) {
  Block *Chunk = Product->getBlock();
  int64_t Most = 0;
  for (Operation &Op : *Chunk)
    Most = std::max(Most, workOf(&Op));
  auto IsLong = [&](Operation &Op) { return workOf(&Op) * 2 >= Most; };
  if (!IsLong(*Product))
    return {};
  SmallVector<RowsAhead, 4> &Rows = Wanted[Chunk];
  // Outputs come last, but where they go is known.
  if (WantsOutputs.insert(Chunk).second)
    for (auto Store : Chunk->getOps<tile::StoreOp>()) {
      auto Known = [&](Value V) { return Scalars.contains(V); };
      if (Known(Store.getB()) && Known(Store.getH()) && Known(Store.getRow()))
        wantNext(Chunk, cast<RankedTensorType>(Store.getTile().getType()),
                 rowSource(Store.getView(), Store.getB(), Store.getH(),
                           Store.getRow()));
    }
  int64_t Left = llvm::count_if(
      llvm::make_range(Product->getIterator(), Chunk->end()), IsLong);
  size_t Share = llvm::divideCeil(Rows.size(), Left);
  SmallVector<RowsAhead, 2> Result(Rows.end() - Share, Rows.end());
  Rows.resize(Rows.size() - Share);
  return Result;
}
