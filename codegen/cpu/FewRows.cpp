// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/FewRows.h"

#include "codegen/cpu/Causal.h"
#include "codegen/cpu/Convert.h"
#include "codegen/cpu/RowProducts.h"
#include "codegen/cpu/TileLowering.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

//===----------------------------------------------------------------------===//
// Which kernels
//===----------------------------------------------------------------------===//

/// True for a tile of one vector of rows with features enough for another.
static bool isOneVector(Value Tile, int64_t Lanes) {
  auto Type = cast<RankedTensorType>(Tile.getType());
  return Type.getRank() == 2 && Type.getDimSize(0) == Lanes &&
         Type.getDimSize(1) >= Lanes;
}

/// True if the factors are applied where the product is computed, which knows
/// how the tile is stored.
static bool isLeftToProduct(tile::RescaleOp Op) {
  Value Result = Op.getResult();
  if (!Result.hasOneUse() || !Op.getO().hasOneUse() ||
      !Op.getAlpha().hasOneUse())
    return false;
  auto User = dyn_cast<tile::AccumulateOp>(*Result.user_begin());
  return User && User->getBlock() == Op->getBlock() && User.getO() == Result;
}

/// True where a sum may be stored either way.
static bool allowsRows(OpOperand &Use) {
  Operation *Op = Use.getOwner();
  return llvm::TypeSwitch<Operation *, bool>(Op)
      .Case([&](tile::AccumulateOp Sum) { return Sum.getO() == Use.get(); })
      .Case([&](tile::RescaleOp Scaled) { return isLeftToProduct(Scaled); })
      // They turn the tile where it lies.
      .Case<tile::FinishOp, tile::StoreOp>([&](Operation *End) {
        return Use.get().hasOneUse() && isa<func::FuncOp>(End->getParentOp());
      })
      .Default([](Operation *Other) {
        return isa<RegionBranchOpInterface, RegionBranchTerminatorOpInterface>(
            Other);
      });
}

static bool allowsRows(Value Sum, int64_t Lanes) {
  Operation *Op = Sum.getDefiningOp();
  bool IsMade = !Op || isa<tile::FillOp, tile::RescaleOp, tile::AccumulateOp,
                           RegionBranchOpInterface>(Op);
  return IsMade && isOneVector(Sum, Lanes) &&
         llvm::all_of(Sum.getUses(),
                      [](OpOperand &Use) { return allowsRows(Use); });
}

bool FewRows::find(func::FuncOp Kernel, const Shape &S) {
  int64_t Lanes = S.Lanes;
  if (!llvm::isPowerOf2_64(Lanes) || Lanes < KeysAtOnce || Lanes >= S.Registers)
    return false;
  // Tiles that share a place.
  llvm::EquivalenceClasses<void *> Places;
  auto Join = [&](Value X, Value Y) {
    Places.unionSets(X.getAsOpaquePointer(), Y.getAsOpaquePointer());
  };
  SmallVector<Value> Results;
  bool AllFit = true;
  Kernel.walk([&](Operation *Op) {
    if (auto Scores = dyn_cast<tile::ScoresOp>(Op)) {
      Value Q = Scores.getQ(), K = Scores.getK();
      AllFit &=
          !needsLowerOnly(Scores.getS()) && isOneVector(Q, Lanes) &&
          Q.getDefiningOp() &&
          Q.getParentBlock() == &Kernel.getBody().front() &&
          isa_and_present<tile::LoadOp, tile::RotateOp>(K.getDefiningOp()) &&
          cast<RankedTensorType>(K.getType()).getDimSize(0) % KeysAtOnce == 0;
      Queries[Q] = {};
    } else if (auto Sum = dyn_cast<tile::AccumulateOp>(Op)) {
      AllFit &= !isCausal(Sum.getBits()) &&
                isa_and_present<tile::LoadOp>(Sum.getV().getDefiningOp());
      Join(Sum.getO(), Sum.getResult());
      Results.push_back(Sum.getResult());
    } else if (auto Scaled = dyn_cast<tile::RescaleOp>(Op)) {
      Join(Scaled.getO(), Scaled.getResult());
    } else if (auto Branch = dyn_cast<RegionBranchOpInterface>(Op)) {
      RegionBranchSuccessorMapping Inputs;
      Branch.getSuccessorOperandInputMapping(Inputs);
      for (auto &[Operand, Successors] : Inputs)
        for (Value Input : Successors)
          Join(Operand->get(), Input);
    }
  });
  for (Value Result : Results)
    for (auto Each = Places.findLeader(Result.getAsOpaquePointer());
         Each != Places.member_end(); ++Each)
      Sums.insert(Value::getFromOpaquePointer(*Each));
  return AllFit && !Queries.empty() &&
         llvm::all_of(Sums, [&](Value V) { return allowsRows(V, Lanes); });
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

void TileLowering::findFewRows() {
  auto Of = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  FewRows Found;
  if (Kind != KernelKind::Task || !Of.getPacked() ||
      !Found.find(Kernel, B.shape()))
    return;
  tile::Signature S(Kernel.getFunctionType(), Kind);
  Value Rows = sequenceLength(Kernel.getArgument(S.FirstView));
  Value Before = B.mul(scalarI64(Kernel.getArgument(2)), B.lanes());
  Found.Count = arith::SubIOp::create(B, Rows, Before);
  Found.IsFew = arith::CmpIOp::create(B, arith::CmpIPredicate::sle, Found.Count,
                                      B.i64(mostRows(B.shape())));
  Few = std::move(Found);
}

/// Elements of rows of whole vectors, from where they lie along the lanes, or
/// the other way.
static void emitTurn(KernelBuilder &B, Value Rows, Value Count, Value Tile,
                     int64_t Width, bool IsToRows) {
  int64_t RowLength = B.shape().vectors(Width) * B.lanes();
  B.loop(Count, 1, [&](Value Row) {
    B.loop(Width, 1, [&](Value Feature) {
      Value InRow = B.offset(Rows, B.add(B.mul(Row, RowLength), Feature));
      Value InTile = B.offset(Tile, B.add(B.mul(Feature, B.lanes()), Row));
      B.storeScalar(B.loadScalar(IsToRows ? InTile : InRow),
                    IsToRows ? InRow : InTile);
    });
  });
}

void TileLowering::keepQueryRows(Value Q) {
  auto At = Few->Queries.find(Q);
  if (At == Few->Queries.end())
    return;
  int64_t Width = cast<RankedTensorType>(Q.getType()).getDimSize(1);
  int64_t Length = B.shape().vectors(Width) * B.lanes() * mostRows(B.shape());
  Value Rows = Scratch->allocate(Length * 4).Base;
  Value Tile = stored(Q).Base;
  B.branch(Few->IsFew, [&] {
    B.loop(Length, B.lanes(),
           [&](Value I) { B.storeVector(B.splat(0.0F), B.offset(Rows, I)); });
    emitTurn(B, Rows, Few->Count, Tile, Width, /*IsToRows=*/true);
  });
  At->second = Rows;
}

void TileLowering::turnSums(Value O) {
  if (!Few || !Few->Sums.contains(O))
    return;
  Buffer Sums = stored(O);
  Buffer Rows = allocate(O);
  auto Type = cast<RankedTensorType>(O.getType());
  B.branch(Few->IsFew, [&] {
    copyBuffer(B, Type, Sums, Rows);
    emitTurn(B, Rows.Base, Few->Count, Sums.Base, Type.getDimSize(1),
             /*IsToRows=*/false);
  });
}

bool TileLowering::isFetchedByProduct(tile::LoadOp Op) {
  if (!Few || !Op.getTile().hasOneUse())
    return false;
  OpOperand &Use = *Op.getTile().use_begin();
  return Use.getOwner()->getBlock() == Op->getBlock() &&
         isa<tile::ScoresOp, tile::AccumulateOp>(Use.getOwner()) &&
         !wantsLanes(Use);
}

StoredRows TileLowering::storedRows(Value V) {
  Tile T = Tiles.lookup(V);
  if (!T.Unfetched)
    return {B.getF32Type(), *T.InPlace, {}, {}, /*AreCopies=*/true};
  const RowSource &From = *T.Unfetched;
  if (!From.Positions)
    return {From.Element, From.view(B), {}, rowsInRun(V)};
  return {From.Element,
          {From.Base, From.Stride, B.add(From.Length, -1)},
          From.Positions};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void TileLowering::byRows(llvm::function_ref<void()> OfFew,
                          llvm::function_ref<void()> OfAny) {
  if (Few)
    B.branch(Few->IsFew, OfFew, OfAny);
  else
    OfAny();
}

static SmallVector<int64_t> sizesOf(int64_t Keys, int64_t Width,
                                    const StoredRows &Rows,
                                    const RowsToCome &Next) {
  return {Keys,           Width,          codeOf(Rows.Element),
          Rows.AreCopies, Next.Rows.Rows, Next.Rows.Bytes,
          Next.End};
}

void TileLowering::callRowScores(tile::ScoresOp Op, const Buffer &To) {
  auto Type = cast<RankedTensorType>(Op.getK().getType());
  RowScores P{Type.getDimSize(0),
              Type.getDimSize(1),
              storedRows(Op.getK()),
              Few->Queries.lookup(Op.getQ()),
              Few->Count,
              To.Base,
              valuesToCome(Op)};
  RowsAhead &Rows = P.Next.Rows;
  Shared.call(B, "row_scores", sizesOf(P.Keys, P.Width, P.K, P.Next),
              {&P.K.View.Base, &P.K.View.Stride, &P.K.View.Last, &P.K.Positions,
               &P.K.InRun, &P.Q, &P.Count, &P.S, &Rows.Base, &Rows.Stride,
               &Rows.Last, &Rows.Positions, &P.Next.Begin},
              [&](KernelBuilder &Inside) { emitRowScores(Inside, P); });
}

void TileLowering::callRowSums(tile::AccumulateOp Op, const Tile &Before,
                               const Buffer &To) {
  auto Type = cast<RankedTensorType>(Op.getV().getType());
  Value Words = Op.getBits() ? stored(Op.getBits()).Base : Value();
  RowSums P{Type.getDimSize(0),
            Type.getDimSize(1),
            storedRows(Op.getV()),
            stored(Op.getP()).Base,
            Before.Data.Base,
            Before.Factor.PerQuery,
            Words,
            Few->Count,
            To.Base,
            keysToCome(Op)};
  // Without bits every pair takes part, so every row exists.
  if (!Words && !P.V.Positions)
    P.V.View.Last = {};
  RowsAhead &Rows = P.Next.Rows;
  Shared.call(B, "row_sums", sizesOf(P.Keys, P.Width, P.V, P.Next),
              {&P.V.View.Base, &P.V.View.Stride, &P.V.View.Last, &P.V.Positions,
               &P.V.InRun, &P.P, &P.Before, &P.Factor, &P.Words, &P.Count, &P.O,
               &Rows.Base, &Rows.Stride, &Rows.Last, &Rows.Positions,
               &P.Next.Begin},
              [&](KernelBuilder &Inside) { emitRowSums(Inside, P); });
}
