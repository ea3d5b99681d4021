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

bool heddle::cpu::isTile(Value V) { return isa<RankedTensorType>(V.getType()); }

TileLowering::TileLowering(func::FuncOp Kernel, Block *Entry, bool IsCount,
                           const Shape &S, Procedures &Shared)
    : Kernel(Kernel), Entry(Entry), IsCount(IsCount),
      B(Kernel.getLoc(), Entry, S), Shared(Shared) {}

LogicalResult TileLowering::run() {
  mapArguments();
  return lowerBlock(Kernel.getBody().front());
}

LogicalResult TileLowering::lowerBlock(Block &Block) {
  for (Operation &Op : Block) {
    // The terminators of loops and branches belong to those.
    if (isa<scf::YieldOp, scf::ConditionOp>(Op))
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
      .Case<tile::DimOp, tile::LoadOp, tile::StoreOp, tile::FillOp,
            tile::ScaleOp, tile::ScoresOp, tile::BitsOp, tile::CountOp,
            tile::MaskOp, tile::SoftmaxStepOp, tile::RescaleOp,
            tile::AccumulateOp, tile::FinishOp>(Verb)
      .Case<scf::ForOp, scf::WhileOp, scf::IfOp>(
          [&](auto Op) { return lower(Op); })
      .Case([&](func::ReturnOp Op) { return lowerReturn(Op); })
      .Default([&](Operation *Op) { return lowerScalarOp(Op); });
}

LogicalResult TileLowering::lowerScalarOp(Operation *Op) {
  bool OnlyScalars = llvm::none_of(Op->getOperands(), isTile) &&
                     llvm::none_of(Op->getResults(), isTile);
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
  int64_t Features = T.features();
  Buffer Rows = Scratch->allocate(T.queries() * Features * 4);
  Value Stride = B.i64(Features);
  emitTransposeOut(B, T.Type, Columns, B.i64(T.queries()), Rows.Base, Stride);
  return {Rows.Base, Stride, {}};
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
  Value Size = viewShape(Op.getView(), static_cast<unsigned>(Op.getAxis()));
  Scalars.map(Op.getResult(), B.toIndex(Size));
}

void TileLowering::lower(tile::LoadOp Op) {
  Value Row = scalarI64(Op.getRow());
  Value Length = viewShape(Op.getView(), 2);
  Tile T;
  T.Type = cast<RankedTensorType>(Op.getTile().getType());
  T.InPlace = RowView{
      rowAddress(Op.getView(), scalar(Op.getB()), scalar(Op.getH()), Row),
      viewStride(Op.getView(), 2),
      B.add(arith::SubIOp::create(B, Length, Row), -1)};
  // Only rows of keys and values are read where they lie.
  bool OnlyRows = llvm::all_of(Op.getTile().getUses(), [](OpOperand &Use) {
    if (auto Scores = dyn_cast<tile::ScoresOp>(Use.getOwner()))
      return Use.getOperandNumber() == Scores.getKMutable().getOperandNumber();
    if (auto Sum = dyn_cast<tile::AccumulateOp>(Use.getOwner()))
      return Use.getOperandNumber() == Sum.getVMutable().getOperandNumber();
    return false;
  });
  if (!OnlyRows) {
    Buffer Columns = Scratch->allocate(tileBytes(B, T.Type));
    emitTransposeIn(B, T.Type, *T.InPlace, Length, Columns);
    T.InPlace.reset();
    T.Data = Columns;
  }
  Tiles[Op.getTile()] = T;
}

void TileLowering::lower(tile::StoreOp Op) {
  auto Type = cast<RankedTensorType>(Op.getTile().getType());
  Buffer From = stored(Op.getTile());
  Value Row = scalarI64(Op.getRow());
  Value Left = arith::SubIOp::create(B, viewShape(Op.getView(), 2), Row);
  Value Count = B.min(Left, B.i64(Type.getDimSize(0)));
  Value NoData =
      LLVM::ICmpOp::create(B, LLVM::ICmpPredicate::eq, viewData(Op.getView()),
                           LLVM::ZeroOp::create(B, B.ptrType()));
  Count = B.select(NoData, B.i64(0), Count);
  emitTransposeOut(
      B, Type, From, Count,
      rowAddress(Op.getView(), scalar(Op.getB()), scalar(Op.getH()), Row),
      viewStride(Op.getView(), 2));
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

void TileLowering::callProduct(llvm::StringRef Verb, Product P) {
  Shared.call(B, Verb, {P.Rows, P.Depth, P.Length, P.ReduceOverRows},
              {&P.A.Base, &P.A.Stride, &P.A.Last, &P.B, &P.InitialC, &P.Factor,
               &P.Words, &P.C},
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
  callProduct("accumulate", P);
  define(Op.getResult(), To);
}

BitsSource TileLowering::bitsSource(tile::BitsOp Op) {
  BitsSource Bits;
  Bits.Formula = Op.getFormula();
  Bits.Type = cast<RankedTensorType>(Op.getBits().getType());
  Bits.Batch = scalarI64(Op.getB());
  Bits.Head = scalarI64(Op.getH());
  Bits.FirstQuery = scalarI64(Op.getQ0());
  Bits.FirstKey = scalarI64(Op.getK0());
  Bits.NumKeys = scalarI64(Op.getNumKeys());
  for (Value Param : Op.getParams())
    Bits.Params.push_back(scalarI64(Param));
  IntegerAttr Status;
  Bits.Full = matchPattern(Op.getStatus(), m_Constant(&Status)) &&
              Status.getInt() == tile::Full;
  return Bits;
}

void TileLowering::lower(tile::BitsOp Op) {
  BitsSource Bits = bitsSource(Op);
  bool OnlyCounted =
      llvm::all_of(Op.getBits().getUsers(), llvm::IsaPred<tile::CountOp>);
  if (OnlyCounted && Bits.Full) {
    CountedOnes.insert(Op.getBits());
    return;
  }
  Buffer To = allocate(Op.getBits());
  // One formula for the kernel and for the function that counts.
  SmallVector<Value *> Inputs{&Bits.Batch,    &Bits.Head,    &Bits.FirstQuery,
                              &Bits.FirstKey, &Bits.NumKeys, &To.Base};
  for (Value &Param : Bits.Params)
    Inputs.push_back(&Param);
  const void *Formula = Bits.Formula.getAsOpaquePointer();
  Shared.call(B, "bits",
              {Bits.Type.getDimSize(0), Bits.Type.getDimSize(1), Bits.Full,
               static_cast<int64_t>(reinterpret_cast<uintptr_t>(Formula))},
              Inputs,
              [&](KernelBuilder &Inside) { emitBits(Inside, Bits, To); });
  define(Op.getBits(), To);
}

void TileLowering::lower(tile::CountOp Op) {
  Value Rows = scalarI64(Op.getRows());
  Value Count =
      CountedOnes.contains(Op.getBits())
          ? emitCountOfOnes(B, cast<RankedTensorType>(Op.getBits().getType()),
                            Rows)
          : emitCount(B, Tiles.lookup(Op.getBits()), Rows);
  Scalars.map(Op.getCount(), B.toIndex(Count));
}

void TileLowering::lower(tile::MaskOp Op) {
  Buffer From = stored(Op.getS());
  Buffer Bits = stored(Op.getBits());
  Buffer To = successor(Op.getS(), Op);
  emitMask(B, cast<RankedTensorType>(Op.getResult().getType()), From, Bits, To);
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
