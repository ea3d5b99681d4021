// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles from and to the tensors that a kernel works on.

#include "codegen/cpu/Causal.h"
#include "codegen/cpu/Panels.h"
#include "codegen/cpu/TileLowering.h"
#include "dialect/tile/Views.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

void TileLowering::lower(tile::DimOp Op) {
  Value Size =
      Op.getAxis() == tile::Axis::Position
          ? sequenceLength(Op.getView())
          : viewShape(Op.getView(), static_cast<unsigned>(Op.getAxis()));
  Scalars.map(Op.getResult(), B.toIndex(Size));
}

RowSource TileLowering::rowSource(Value View, Value Batch, Value Head,
                                  Value Row) {
  RowSource Source;
  Source.Element = storageType(View);
  Source.Base = headAddress(View, scalar(Batch), scalar(Head));
  Source.Stride = viewStride(View, 2);
  Source.Length = sequenceLength(View);
  if (isTile(Row))
    Source.Positions = stored(Row).Base;
  else
    Source.First = scalarI64(Row);
  return Source;
}

RowView TileLowering::fetch(RankedTensorType Type, const RowSource &From) {
  if (From.isStretchOfF32())
    return From.view(B);
  return stage(Type, From);
}

/// True if the loaded rows can be fetched by the one user of the tile, which
/// turns them and follows in the same block: nothing comes between.
static bool isFetchedByRotation(tile::LoadOp Op) {
  if (!Op.getTile().hasOneUse())
    return false;
  auto Rotate = dyn_cast<tile::RotateOp>(*Op.getTile().user_begin());
  return Rotate && Rotate->getBlock() == Op->getBlock() &&
         Rotate.getRow() == Op.getRow();
}

bool TileLowering::isReadByProduct(tile::LoadOp Op,
                                   const RowSource &From) const {
  if (isOfChunk(Op) || !Op.getTile().hasOneUse() || From.isStretchOfF32())
    return false;
  Operation *User = *Op.getTile().user_begin();
  // Copies in the shadow of a product are cheap enough to be made for every
  // head; addresses are not.
  Operation *Beside = User;
  if (isa<tile::EachHeadOp>(User->getParentOp()) && !From.isListOfF32())
    Beside = User->getParentOp();
  if (User->getBlock() != Op->getBlock() &&
      Beside->getBlock() != Op->getBlock())
    return false;
  auto Size = [](Value Tile, unsigned Axis) {
    return cast<RankedTensorType>(Tile.getType()).getDimSize(Axis);
  };
  auto Fits = [&](const Product &P) {
    return From.isListOfF32() || panelElements(B.shape(), P) != 0;
  };
  Product P = {};
  if (auto Scores = dyn_cast<tile::ScoresOp>(User)) {
    P.Rows = Size(Scores.getS(), 1);
    P.Depth = Size(Scores.getQ(), 1);
    P.ReduceOverRows = false;
    return !needsLowerOnly(Scores.getS()) && Fits(P);
  }
  if (auto Accumulate = dyn_cast<tile::AccumulateOp>(User)) {
    P.Rows = Size(Accumulate.getResult(), 1);
    P.Depth = Size(Accumulate.getP(), 1);
    P.ReduceOverRows = true;
    return !isCausal(Accumulate.getBits()) && Fits(P);
  }
  return false;
}

void TileLowering::lower(tile::LoadOp Op) {
  Value Result = Op.getTile();
  if (Result.use_empty())
    return;
  RowSource From = rowSource(Op.getView(), Op.getB(), Op.getH(), Op.getRow());
  if (isOfChunk(Op) && From.First)
    wantNext(Op->getBlock(), cast<RankedTensorType>(Result.getType()), From);
  From.AllExist = Op->hasAttr(tile::kAllExistAttr);
  Tile T;
  T.Type = cast<RankedTensorType>(Result.getType());
  if (llvm::any_of(Result.getUses(), wantsLanes)) {
    T.Data = allocate(Result);
    transposeIn(T.Type, From, T.Data);
  } else if (isFetchedByRotation(Op) || isFetchedByProduct(Op) ||
             isReadByProduct(Op, From)) {
    T.Unfetched = From;
  } else if (From.isListOfF32() && isReadByHeads(Op)) {
    T.InPlace = listed(T.Type, From);
  } else {
    T.InPlace = fetch(T.Type, From);
  }
  Tiles[Result] = T;
}

void TileLowering::lower(tile::StoreOp Op) {
  auto Type = cast<RankedTensorType>(Op.getTile().getType());
  turnSums(Op.getTile());
  RowSource To = rowSource(Op.getView(), Op.getB(), Op.getH(), Op.getRow());
  To.Length = B.select(noData(Op.getView()), B.i64(0), To.Length);
  Tile T = Tiles.lookup(Op.getTile());
  if (T.InPlace)
    emitRowCopies(B, {T.queries(), T.features(), *T.InPlace, To});
  else
    transposeOut(Type, stored(Op.getTile()), To);
}

void TileLowering::lower(tile::RotateOp Op) {
  Tile T = Tiles.lookup(Op.getTile());
  auto Type = cast<RankedTensorType>(Op.getResult().getType());
  Rotation Turn;
  if (isTile(Op.getRow()))
    Turn.Positions = stored(Op.getRow()).Base;
  else
    Turn.First = scalarI64(Op.getRow());
  Turn.IsSame = Op.getSame();
  Turn.Cos = scalar(Op.getCos());
  Turn.Sin = scalar(Op.getSin());
  int64_t RowBytes = Type.getDimSize(1) / 2 * 4;
  Turn.CosRow = Scratch->allocate(RowBytes).Base;
  Turn.SinRow = Scratch->allocate(RowBytes).Base;
  RowSource From = T.Unfetched ? *T.Unfetched : rowsAsSource(Op.getTile());
  defineView(Op.getResult(), stage(Type, From, Turn), /*ByColumns=*/false);
}
