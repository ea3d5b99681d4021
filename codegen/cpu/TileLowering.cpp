// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/TileLowering.h"

#include "codegen/cpu/LastUse.h"
#include "codegen/cpu/Softmax.h"
#include "codegen/cpu/Transfer.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

bool heddle::cpu::isTile(Value V) {
  auto Type = dyn_cast<RankedTensorType>(V.getType());
  return Type && Type.hasStaticShape();
}

bool heddle::cpu::isTableOrSet(Value V) {
  return isa<attn::SetType>(V.getType()) ||
         (isa<RankedTensorType>(V.getType()) && !isTile(V));
}

TileLowering::TileLowering(func::FuncOp Kernel, Block *Entry, KernelKind Kind,
                           const Shape &S, Procedures &Shared)
    : Kernel(Kernel), Entry(Entry), Kind(Kind), B(Kernel.getLoc(), Entry, S),
      Shared(Shared) {}

LogicalResult TileLowering::run() {
  mapArguments();
  return lowerBlock(Kernel.getBody().front());
}

LogicalResult TileLowering::lowerBlock(Block &Block) {
  for (Operation &Op : Block) {
    // The terminators of regions belong to whoever has the region.
    if (isa<scf::YieldOp, scf::ConditionOp, tile::YieldOp>(Op))
      continue;
    B.setLoc(Op.getLoc());
    if (failed(lowerOp(&Op)))
      return failure();
  }
  return success();
}

LogicalResult TileLowering::lowerOp(Operation *Op) {
  auto Verb = [&](auto Op) {
    lower(Op);
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(Op)
      .Case<tile::PositionsOp, tile::DimOp, tile::LoadOp, tile::StoreOp,
            tile::FillOp, tile::ScaleOp, tile::RotateOp, tile::ScoresOp,
            tile::BitsOp, tile::CountOp, tile::MaskOp, tile::RegroupOp,
            tile::SoftmaxStepOp, tile::RescaleOp, tile::AccumulateOp,
            tile::FinishOp, tile::WeightsOp, tile::AddColumnsOp,
            tile::RaiseBlocksOp>(Verb)
      .Case<attn::AtOp, attn::SpanOp, attn::SeekOp, attn::ProbeOp, attn::RankOp,
            attn::MemberOp, attn::ExtentOp>(Verb)
      .Case<scf::ForOp, scf::WhileOp, scf::IfOp, tile::CollectOp,
            tile::ModifyOp>([&](auto Op) { return lower(Op); })
      .Case<arith::AddFOp, arith::MulFOp>([&](auto Op) {
        if (!isTile(Op.getResult()))
          return lowerScalarOp(Op);
        lowerElementwise(Op, [&](Value X, Value Y) -> Value {
          return decltype(Op)::create(B, X, Y);
        });
        return success();
      })
      .Case([&](func::ReturnOp Op) { return lowerReturn(Op); })
      .Default([&](Operation *Op) { return lowerScalarOp(Op); });
}

LogicalResult TileLowering::lowerScalarOp(Operation *Op) {
  auto IsScalar = [](Value V) { return !isTile(V) && !isTableOrSet(V); };
  bool OnlyScalars = llvm::all_of(Op->getOperands(), IsScalar) &&
                     llvm::all_of(Op->getResults(), IsScalar);
  bool Ours =
      isa_and_present<attn::AttnDialect, tile::TileDialect>(Op->getDialect());
  if (Ours || !OnlyScalars || Op->getNumRegions() != 0 ||
      !isMemoryEffectFree(Op))
    return Op->emitOpError()
           << "cannot be lowered to the cpu target: expected tile verbs, "
              "'scf.for', 'scf.while', 'scf.if' and scalar arithmetic; run "
              "'attn-tile' and 'attn-expand-tiles' first";
  B.clone(*Op, Scalars);
  return success();
}

//===----------------------------------------------------------------------===//
// Tiles and where they live
//===----------------------------------------------------------------------===//

Buffer TileLowering::allocate(Value V) {
  return Scratch->allocate(tileBytes(B, cast<RankedTensorType>(V.getType())));
}

void TileLowering::define(Value V, const Buffer &Data) {
  Tile T;
  T.Type = cast<RankedTensorType>(V.getType());
  T.Data = Data;
  Tiles[V] = T;
}

Buffer TileLowering::stored(Value V) {
  Tile T = Tiles.lookup(V);
  if (T.inWorkspace())
    return T.Data;
  // Not a tile in place: those are made for their rows alone.
  Buffer Result = allocate(V);
  int64_t Length = rowLength(B, T.Type);
  B.loop(T.features(), 1, [&](Value Feature) {
    B.loop(Length, B.lanes(), [&](Value Offset) {
      Value At = B.add(B.mul(Feature, Length), Offset);
      Value Factor = B.loadVector(B.offset(T.Factor->Base, Offset));
      Value Element = B.loadVector(B.offset(T.Data.Base, At));
      B.storeVector(B.fmul(Element, Factor), B.offset(Result.Base, At));
    });
  });
  return Result;
}

RowView TileLowering::rows(Value V, bool AllExist) {
  Tile T = Tiles.lookup(V);
  if (T.InPlace) {
    RowView View = *T.InPlace;
    if (AllExist)
      View.Last = {};
    return View;
  }
  // A key-side tile that was computed: as rows again, in scratch memory.
  Buffer Columns = stored(V);
  Buffer Rows = Scratch->allocate(T.queries() * T.features() * 4);
  RowSource To;
  To.Element = B.getF32Type();
  To.Base = Rows.Base;
  To.Stride = B.i64(T.features());
  To.Length = B.i64(T.queries());
  To.First = B.i64(0);
  emitTransposeOut(B, T.Type, Columns, To);
  return {Rows.Base, To.Stride, {}};
}

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

RowView TileLowering::stage(RankedTensorType Type, const RowSource &From,
                            const Rotation &Turn) {
  Staging S;
  S.Rows = Type.getDimSize(0);
  S.Width = Type.getDimSize(1);
  S.From = From;
  S.Turn = Turn;
  S.To = Scratch->allocate(S.Rows * S.Width * 4).Base;
  RowView Result{S.To, B.i64(S.Width), {}};
  enum : int64_t { F32, F16, BF16 };
  int64_t Element = From.Element.isF32()   ? F32
                    : From.Element.isF16() ? F16
                                           : BF16;
  Shared.call(B, "stage", {S.Rows, S.Width, Element},
              {&S.From.Base, &S.From.Stride, &S.From.Length, &S.From.First,
               &S.From.Positions, &S.Turn.First, &S.Turn.Positions, &S.Turn.Cos,
               &S.Turn.Sin, &S.Turn.CosRow, &S.Turn.SinRow, &S.To},
              [&](KernelBuilder &Inside) { emitStage(Inside, S); });
  return Result;
}

/// True if the user wants rows, not columns: only rows of keys and values are
/// read where they lie.
static bool wantsRows(OpOperand &Use) {
  if (auto Scores = dyn_cast<tile::ScoresOp>(Use.getOwner()))
    return Use.getOperandNumber() == Scores.getKMutable().getOperandNumber();
  if (auto Sum = dyn_cast<tile::AccumulateOp>(Use.getOwner()))
    return Use.getOperandNumber() == Sum.getVMutable().getOperandNumber();
  return isa<tile::RotateOp>(Use.getOwner());
}

void TileLowering::defineRows(Value V, const RowView &View) {
  Tile T;
  T.Type = cast<RankedTensorType>(V.getType());
  if (llvm::all_of(V.getUses(), wantsRows)) {
    T.InPlace = View;
  } else {
    T.Data = allocate(V);
    emitTransposeIn(B, T.Type, sourceOf(B, View, T.queries()), T.Data);
  }
  Tiles[V] = T;
}

Buffer TileLowering::successor(Value V, Operation *User) {
  Tile T = Tiles.lookup(V);
  if (T.Data && isLastUse(V, User))
    return T.Data;
  return allocate(V);
}

//===----------------------------------------------------------------------===//
// Verbs
//===----------------------------------------------------------------------===//

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

/// True if the loaded rows can be fetched by the one user of the tile, which
/// turns them and follows in the same block: nothing comes between.
static bool isFetchedByRotation(tile::LoadOp Op) {
  if (!Op.getTile().hasOneUse())
    return false;
  auto Rotate = dyn_cast<tile::RotateOp>(*Op.getTile().user_begin());
  return Rotate && Rotate->getBlock() == Op->getBlock() &&
         Rotate.getRow() == Op.getRow();
}

void TileLowering::lower(tile::LoadOp Op) {
  Value Result = Op.getTile();
  if (Result.use_empty())
    return;
  RowSource From = rowSource(Op.getView(), Op.getB(), Op.getH(), Op.getRow());
  Tile T;
  T.Type = cast<RankedTensorType>(Result.getType());
  if (!llvm::all_of(Result.getUses(), wantsRows)) {
    T.Data = allocate(Result);
    emitTransposeIn(B, T.Type, From, T.Data);
  } else if (isFetchedByRotation(Op)) {
    T.Unfetched = From;
  } else if (From.Element.isF32() && From.First) {
    T.InPlace =
        RowView{From.row(B, From.First), From.Stride,
                B.add(arith::SubIOp::create(B, From.Length, From.First), -1)};
  } else {
    T.InPlace = stage(T.Type, From);
  }
  Tiles[Result] = T;
}

void TileLowering::lower(tile::StoreOp Op) {
  auto Type = cast<RankedTensorType>(Op.getTile().getType());
  Buffer From = stored(Op.getTile());
  RowSource To = rowSource(Op.getView(), Op.getB(), Op.getH(), Op.getRow());
  To.Length = B.select(noData(Op.getView()), B.i64(0), To.Length);
  emitTransposeOut(B, Type, From, To);
}

void TileLowering::lower(tile::RotateOp Op) {
  Tile T = Tiles.lookup(Op.getTile());
  auto Type = cast<RankedTensorType>(Op.getResult().getType());
  Rotation Turn;
  if (isTile(Op.getRow()))
    Turn.Positions = stored(Op.getRow()).Base;
  else
    Turn.First = scalarI64(Op.getRow());
  Turn.Cos = scalar(Op.getCos());
  Turn.Sin = scalar(Op.getSin());
  int64_t RowBytes = Type.getDimSize(1) / 2 * 4;
  Turn.CosRow = Scratch->allocate(RowBytes).Base;
  Turn.SinRow = Scratch->allocate(RowBytes).Base;
  RowSource From =
      T.Unfetched
          ? *T.Unfetched
          : sourceOf(B, rows(Op.getTile(), /*AllExist=*/false), T.queries());
  defineRows(Op.getResult(), stage(Type, From, Turn));
}

void TileLowering::lower(tile::FillOp Op) {
  auto Type = cast<RankedTensorType>(Op.getTile().getType());
  Buffer To = allocate(Op.getTile());
  Value Element = B.splat(Op.getValue().convertToFloat());
  forEachVector(B, Type, [&](Value At) {
    B.storeVector(Element, B.offset(To.Base, At));
  });
  define(Op.getTile(), To);
}

void TileLowering::lower(tile::ScaleOp Op) {
  Buffer From = stored(Op.getTile());
  Buffer To = successor(Op.getTile(), Op);
  Value Factor = B.splat(scalar(Op.getFactor()));
  forEachVector(B, cast<RankedTensorType>(Op.getResult().getType()),
                [&](Value At) {
                  Value X = B.loadVector(B.offset(From.Base, At));
                  B.storeVector(B.fmul(X, Factor), B.offset(To.Base, At));
                });
  define(Op.getResult(), To);
}

void TileLowering::lowerElementwise(
    Operation *Op, llvm::function_ref<Value(Value, Value)> Combine) {
  Value Left = Op->getOperand(0);
  Buffer X = stored(Left);
  Buffer Y = stored(Op->getOperand(1));
  Buffer To = successor(Left, Op);
  forEachVector(B, cast<RankedTensorType>(Left.getType()), [&](Value At) {
    Value Result = Combine(B.loadVector(B.offset(X.Base, At)),
                           B.loadVector(B.offset(Y.Base, At)));
    B.storeVector(Result, B.offset(To.Base, At));
  });
  define(Op->getResult(0), To);
}

void TileLowering::callProduct(llvm::StringRef Verb, Product P) {
  RowsAhead &Ahead = P.Ahead;
  Shared.call(
      B, Verb,
      {P.Rows, P.Depth, P.Length, P.ReduceOverRows, Ahead.Rows, Ahead.Bytes},
      {&P.A.Base, &P.A.Stride, &P.A.Last, &P.B, &P.InitialC, &P.Factor,
       &P.Words, &P.C, &Ahead.Base, &Ahead.Stride, &Ahead.Last,
       &Ahead.Positions},
      [&](KernelBuilder &Inside) { emitProduct(Inside, P); });
}

void TileLowering::lower(tile::ScoresOp Op) {
  auto Type = cast<RankedTensorType>(Op.getS().getType());
  Product P;
  P.Rows = Type.getDimSize(1);
  P.Depth = cast<RankedTensorType>(Op.getQ().getType()).getDimSize(1);
  P.Length = rowLength(B, Type);
  // Full and partial tiles share the code: a row is clamped for every key of a
  // register tile, not for every product.
  P.A = rows(Op.getK(), /*AllExist=*/false);
  P.ReduceOverRows = false;
  P.B = stored(Op.getQ()).Base;
  Buffer To = allocate(Op.getS());
  P.C = To.Base;
  P.Ahead = valuesAhead(Op);
  callProduct("scores", P);
  define(Op.getS(), To);
}

void TileLowering::lower(tile::AccumulateOp Op) {
  auto Type = cast<RankedTensorType>(Op.getResult().getType());
  Product P;
  P.Rows = Type.getDimSize(1);
  P.Depth = cast<RankedTensorType>(Op.getP().getType()).getDimSize(1);
  P.Length = rowLength(B, Type);
  // Without bits every pair takes part, so every row exists.
  P.A = rows(Op.getV(), /*AllExist=*/!Op.getBits());
  P.ReduceOverRows = true;
  P.B = stored(Op.getP()).Base;
  Tile Before = Tiles.lookup(Op.getO());
  P.InitialC = Before.Data.Base;
  if (Before.Factor)
    P.Factor = Before.Factor->Base;
  if (Op.getBits())
    P.Words = stored(Op.getBits()).Base;
  Buffer To = successor(Op.getO(), Op);
  P.C = To.Base;
  P.Ahead = keysAhead(Op);
  callProduct("accumulate", P);
  define(Op.getResult(), To);
}

void TileLowering::lower(tile::SoftmaxStepOp Op) {
  SoftmaxStep Step;
  Step.Scores = cast<RankedTensorType>(Op.getS().getType());
  Step.S = stored(Op.getS()).Base;
  Step.M = stored(Op.getM()).Base;
  Step.L = stored(Op.getL()).Base;
  Buffer P = successor(Op.getS(), Op);
  Buffer M = successor(Op.getM(), Op);
  Buffer L = successor(Op.getL(), Op);
  Buffer Alpha = allocate(Op.getAlpha());
  Step.P = P.Base;
  Step.NewM = M.Base;
  Step.NewL = L.Base;
  Step.Alpha = Alpha.Base;
  Shared.call(
      B, "softmax_step", Step.Scores.getShape(),
      {&Step.S, &Step.M, &Step.L, &Step.P, &Step.NewM, &Step.NewL, &Step.Alpha},
      [&](KernelBuilder &Inside) { emitSoftmaxStep(Inside, Step); });
  define(Op.getP(), P);
  define(Op.getNewM(), M);
  define(Op.getNewL(), L);
  define(Op.getAlpha(), Alpha);
}

void TileLowering::lower(tile::RescaleOp Op) {
  Buffer O = stored(Op.getO());
  Buffer Alpha = stored(Op.getAlpha());
  Value Result = Op.getResult();
  // The product is left to the user that loads the elements anyway, if nothing
  // can overwrite either operand before that.
  bool Deferred = Result.hasOneUse() && isLastUse(Op.getO(), Op) &&
                  Op.getAlpha().hasOneUse() &&
                  isa<tile::AccumulateOp>(*Result.user_begin()) &&
                  (*Result.user_begin())->getBlock() == Op->getBlock() &&
                  Result.use_begin()->getOperandNumber() == 0;
  define(Result, O);
  Tiles[Result].Factor = Alpha;
  if (!Deferred)
    define(Result, stored(Result));
}

void TileLowering::lower(tile::FinishOp Op) {
  SoftmaxEnd End;
  End.Output = cast<RankedTensorType>(Op.getO().getType());
  End.O = stored(Op.getO()).Base;
  End.M = stored(Op.getM()).Base;
  End.L = stored(Op.getL()).Base;
  Buffer Result = successor(Op.getO(), Op);
  Buffer Lse = successor(Op.getM(), Op);
  End.Result = Result.Base;
  End.Lse = Lse.Base;
  emitSoftmaxEnd(B, End);
  define(Op.getResult(), Result);
  define(Op.getLse(), Lse);
}
