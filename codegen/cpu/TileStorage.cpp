// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the value of a tile lives, and who may write there next.

#include "codegen/cpu/Convert.h"
#include "codegen/cpu/LastUse.h"
#include "codegen/cpu/TileLowering.h"
#include "dialect/tile/Views.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// The type of a tile, or of those of all heads.
static RankedTensorType tileTypeOf(Value V) {
  if (auto Heads = dyn_cast<tile::HeadsType>(V.getType()))
    return Heads.getTile();
  return cast<RankedTensorType>(V.getType());
}

Buffer TileLowering::allocate(Value V) {
  if (auto Heads = dyn_cast<tile::HeadsType>(V.getType()))
    return Scratch->allocate(Heads.getCount() * headBytes(Heads.getTile()));
  return Scratch->allocate(tileBytes(B, tileTypeOf(V)));
}

void TileLowering::define(Value V, const Buffer &Data) {
  Tile T;
  T.Type = tileTypeOf(V);
  T.Data = Data;
  Tiles[V] = T;
}

//===----------------------------------------------------------------------===//
// Along the lanes
//===----------------------------------------------------------------------===//

/// The rows of a view as a source, from row 0 on.
static RowSource sourceOf(KernelBuilder &B, const RowView &View, int64_t Rows) {
  RowSource From;
  From.Element = B.getF32Type();
  From.Base = View.Base;
  From.Stride = View.Stride;
  From.Length = View.Last ? B.add(View.Last, 1) : B.i64(Rows);
  From.First = B.i64(0);
  return From;
}

Buffer TileLowering::stored(Value V) {
  Tile T = Tiles.lookup(V);
  if (T.inWorkspace())
    return T.Data;
  Buffer Result = allocate(V);
  if (T.InPlace) {
    transposeIn(T.Type, sourceOf(B, *T.InPlace, T.queries()), Result);
    return Result;
  }
  int64_t Length = rowLength(B, T.Type);
  if (T.Columns) {
    // Their padding too has a value: whole vectors are worked on.
    stageRows(sourceOf(B, *T.Columns, T.features()),
              {T.features(), T.queries(), Length}, {}, Result.Base);
    return Result;
  }
  scale(T, Result);
  return Result;
}

void TileLowering::scale(const Tile &T, const Buffer &To) {
  ScaledRows S{T.features(), rowLength(B, T.Type), T.Data.Base, T.Factor,
               To.Base};
  if (T.Factor.All && tile::isLinear(Kernel))
    return emitScaledRows(B, S);
  Shared.call(B, "scale", {S.Rows, S.Length},
              {&S.From, &S.By.PerQuery, &S.By.PerFeature.Base,
               &S.By.PerFeature.Stride, &S.By.All, &S.To},
              [&](KernelBuilder &Inside) { emitScaledRows(Inside, S); });
}

RowView TileLowering::columns(Value V) {
  Tile T = Tiles.lookup(V);
  if (T.Columns)
    return *T.Columns;
  return {stored(V).Base, B.i64(rowLength(B, T.Type)), {}};
}

KeySide TileLowering::keySide(Value V, bool AllExist) {
  Tile T = Tiles.lookup(V);
  if (T.Unfetched)
    T.InPlace = T.Unfetched->isListOfF32() ? listed(T.Type, *T.Unfetched)
                                           : fetch(T.Type, *T.Unfetched);
  KeySide Side{T.InPlace ? *T.InPlace : columns(V), !T.InPlace};
  if (AllExist)
    Side.View.Last = {};
  return Side;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

// A recurrence turns tiles in its loop, chunk by chunk: there the call, and
// what the procedure does not know, cost a few percent.

void TileLowering::transposeIn(RankedTensorType Type, RowSource From,
                               Buffer To) {
  if (tile::isLinear(Kernel))
    return emitTransposeIn(B, Type, From, To);
  SmallVector<int64_t> Sizes(Type.getShape());
  Sizes.append({codeOf(From.Element), From.AllExist});
  Shared.call(
      B, "rows_in", Sizes,
      {&From.Base, &From.Stride, &From.Length, &From.First, &From.Positions,
       &To.Base},
      [&](KernelBuilder &Inside) { emitTransposeIn(Inside, Type, From, To); });
}

void TileLowering::transposeOut(RankedTensorType Type, Buffer From,
                                RowSource To) {
  if (tile::isLinear(Kernel))
    return emitTransposeOut(B, Type, From, To);
  SmallVector<int64_t> Sizes(Type.getShape());
  Sizes.push_back(codeOf(To.Element));
  Shared.call(
      B, "rows_out", Sizes,
      {&To.Base, &To.Stride, &To.Length, &To.First, &To.Positions, &From.Base},
      [&](KernelBuilder &Inside) { emitTransposeOut(Inside, Type, From, To); });
}

void TileLowering::stageRows(const RowSource &From, const StagedShape &Shape,
                             const Rotation &Turn, Value To) {
  Staging S;
  S.Shape = Shape;
  S.From = From;
  S.Turn = Turn;
  S.To = To;
  Shared.call(B, "stage",
              {Shape.Rows, Shape.Width, Shape.Stride, codeOf(From.Element),
               Turn.IsSame},
              {&S.From.Base, &S.From.Stride, &S.From.Length, &S.From.First,
               &S.From.Positions, &S.Turn.First, &S.Turn.Positions, &S.Turn.Cos,
               &S.Turn.Sin, &S.Turn.CosRow, &S.Turn.SinRow, &S.To},
              [&](KernelBuilder &Inside) { emitStage(Inside, S); });
}

RowView TileLowering::stage(RankedTensorType Type, const RowSource &From,
                            const Rotation &Turn) {
  int64_t Rows = Type.getDimSize(0);
  int64_t Width = Type.getRank() == 2 ? Type.getDimSize(1) : 1;
  Value To = Scratch->allocate(Rows * Width * 4).Base;
  stageRows(From, {Rows, Width, Width}, Turn, To);
  return {To, B.i64(Width), {}};
}

RowView TileLowering::listed(RankedTensorType Type, const RowSource &From) {
  RowAddresses A;
  A.Rows = Type.getDimSize(0);
  A.Width = Type.getDimSize(1);
  A.From = From;
  A.Zeros = Scratch->allocate(B.shape().vectors(A.Width) * B.lanes() * 4).Base;
  A.To = Scratch->allocate(A.Rows * 8).Base;
  Shared.call(B, "addresses", {A.Rows, A.Width},
              {&A.From.Base, &A.From.Stride, &A.From.Length, &A.From.Positions,
               &A.Zeros, &A.To},
              [&](KernelBuilder &Inside) { emitAddresses(Inside, A); });
  RowView View;
  View.Addresses = A.To;
  return View;
}

RowSource TileLowering::rowsAsSource(Value V) {
  Tile T = Tiles.lookup(V);
  if (T.InPlace)
    return sourceOf(B, *T.InPlace, T.queries());
  // A tile that was computed: as rows, in scratch memory.
  Buffer Columns = stored(V);
  Buffer Rows = Scratch->allocate(T.queries() * T.features() * 4);
  RowSource To = sourceOf(B, {Rows.Base, B.i64(T.features()), {}}, T.queries());
  transposeOut(T.Type, Columns, To);
  return To;
}

bool TileLowering::wantsLanes(OpOperand &Use) {
  unsigned Number = Use.getOperandNumber();
  return llvm::TypeSwitch<Operation *, bool>(Use.getOwner())
      .Case([&](tile::ScoresOp Op) {
        return Number != Op.getKMutable().getOperandNumber();
      })
      .Case([&](tile::AccumulateOp Op) {
        return Number != Op.getVMutable().getOperandNumber();
      })
      .Case([&](tile::DecayedScoresOp Op) {
        return Number == Op.getQMutable().getOperandNumber();
      })
      .Case([&](tile::SolveOp Op) {
        return Number != Op.getAMutable().getOperandNumber();
      })
      .Case([&](tile::MapOp Op) { return !isColumnInput(Op, Use.get()); })
      .Case<tile::RotateOp, tile::StoreOp, tile::TransposeOp, tile::RowOp,
            tile::ElementOp>([](auto) { return false; })
      .Default([](Operation *) { return true; });
}

void TileLowering::defineView(Value V, const RowView &View, bool ByColumns) {
  Tile T;
  T.Type = cast<RankedTensorType>(V.getType());
  (ByColumns ? T.Columns : T.InPlace) = View;
  Tiles[V] = T;
  auto Wants = [&](OpOperand &Use) {
    if (!ByColumns || !wantsLanes(Use))
      return wantsLanes(Use);
    if (auto Map = dyn_cast<tile::MapOp>(Use.getOwner()))
      return !takesColumns(Map, V);
    auto Sum = dyn_cast<tile::AccumulateOp>(Use.getOwner());
    return !Sum || &Use != &Sum.getPMutable() || !takesColumns(Sum, View);
  };
  if (llvm::any_of(V.getUses(), Wants))
    define(V, stored(V));
}

//===----------------------------------------------------------------------===//
// Lifetimes
//===----------------------------------------------------------------------===//

bool TileLowering::endsLife(Operation *User, Value V) {
  // That of a head is part of what lives on.
  if (auto Argument = dyn_cast<BlockArgument>(V))
    if (auto Heads =
            dyn_cast<tile::EachHeadOp>(Argument.getOwner()->getParentOp()))
      if (llvm::is_contained(Heads.getRead(), Argument))
        return false;
  unsigned Uses = 0;
  for (Value Each : tile::tilesSharing(V)) {
    if (!isLastUse(Each, User))
      return false;
    Uses += llvm::count(Each.getUsers(), User);
  }
  return Uses <= 1;
}

Buffer TileLowering::successor(Value V, Operation *User) {
  Tile T = Tiles.lookup(V);
  if (T.Data && endsLife(User, V))
    return T.Data;
  return allocate(V);
}

bool TileLowering::isUntouched(Value V, Operation *From, Operation *To) {
  for (Value Each : tile::tilesSharing(V))
    for (Operation *User : Each.getUsers()) {
      Operation *There = From->getBlock()->findAncestorOpInBlock(*User);
      if (There && From->isBeforeInBlock(There) && There->isBeforeInBlock(To))
        return false;
    }
  return true;
}

void TileLowering::defineProduct(Value Result, Value V, Value Factors,
                                 const TileFactor &Factor) {
  Operation *Op = Result.getDefiningOp();
  Operation *User = Result.hasOneUse() ? *Result.user_begin() : nullptr;
  // The multiplication is left to a user that loads the elements anyway, if
  // nothing can overwrite either operand before that.
  bool IsLeft = isa_and_present<tile::AccumulateOp>(User) &&
                User->getBlock() == Op->getBlock() &&
                Result.use_begin()->getOperandNumber() == 0 &&
                endsLife(Op, V) && (!Factors || isUntouched(Factors, Op, User));
  Tile Scaled;
  Scaled.Type = cast<RankedTensorType>(Result.getType());
  Scaled.Data = stored(V);
  Scaled.Factor = Factor;
  if (IsLeft) {
    Tiles[Result] = Scaled;
    return;
  }
  Buffer To = successor(V, Op);
  scale(Scaled, To);
  define(Result, To);
}
