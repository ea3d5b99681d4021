// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verbs on tiles of scores and weights that look at where their elements lie.

#include "codegen/cpu/BoxBits.h"
#include "codegen/cpu/Causal.h"
#include "codegen/cpu/Columns.h"
#include "codegen/cpu/Regroup.h"
#include "codegen/cpu/ScoreRegion.h"
#include "codegen/cpu/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

template <typename Op> TileCoordinates TileLowering::coordinates(Op Verb) {
  TileCoordinates At;
  At.Batch = scalarI64(Verb.getB());
  At.Head = scalarI64(Verb.getH());
  for (Value Query : Verb.getQ0())
    At.FirstQuery.push_back(scalarI64(Query));
  for (Value Key : Verb.getK0())
    At.FirstKey.push_back(scalarI64(Key));
  if (Verb.getListed())
    At.Listed = stored(Verb.getListed()).Base;
  At.QueryBox = llvm::to_vector(Verb.getQueryBox());
  At.KeyBox = llvm::to_vector(Verb.getKeyBox());
  return At;
}

Value TileLowering::noData(Value View) {
  return LLVM::ICmpOp::create(B, LLVM::ICmpPredicate::eq, viewData(View),
                              LLVM::ZeroOp::create(B, B.ptrType()));
}

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

BitsSource TileLowering::bitsSource(tile::BitsOp Op) {
  BitsSource Bits;
  Bits.Formula = Op.getFormula();
  Bits.Type = cast<RankedTensorType>(Op.getBits().getType());
  Bits.At = coordinates(Op);
  Bits.NumKeys = scalarI64(Op.getNumKeys());
  for (Value Param : Op.getParams())
    Bits.Params.push_back(Param.getType().isF32() ? Value() : scalarI64(Param));
  IntegerAttr Status;
  Bits.Full = matchPattern(Op.getStatus(), m_Constant(&Status)) &&
              Status.getInt() == tile::Full;
  return Bits;
}

void TileLowering::lower(tile::BitsOp Op) {
  // With the scores.
  if (Spans.contains(Op.getBits()))
    return;
  // Their users know them without looking.
  if (isCausal(Op.getBits()) &&
      llvm::all_of(Op.getBits().getUsers(), llvm::IsaPred<tile::AccumulateOp>))
    return;
  BitsSource Bits = bitsSource(Op);
  bool OnlyCounted =
      llvm::all_of(Op.getBits().getUsers(), llvm::IsaPred<tile::CountOp>);
  if (OnlyCounted && Bits.Full) {
    CountedOnes.insert(Op.getBits());
    return;
  }
  Buffer To = allocate(Op.getBits());
  // One formula for the kernel and for the function that counts.
  SmallVector<Value *> Inputs;
  Bits.At.appendInputs(Inputs);
  if (std::optional<BoxBits> Box = BoxBits::find(Bits))
    Bits.Parts = Scratch->allocate(Box->bytes(B)).Base;
  Inputs.append({&Bits.NumKeys, &Bits.Parts, &To.Base});
  for (Value &Param : Bits.Params)
    Inputs.push_back(&Param);
  const void *Formula = Bits.Formula.getAsOpaquePointer();
  SmallVector<int64_t> Sizes{
      Bits.Type.getDimSize(0), Bits.Type.getDimSize(1), Bits.Full,
      static_cast<int64_t>(reinterpret_cast<uintptr_t>(Formula))};
  Bits.At.appendSizes(Sizes);
  Shared.call(B, "bits", Sizes, Inputs,
              [&](KernelBuilder &Inside) { emitBits(Inside, Bits, To); });
  define(Op.getBits(), To);
  if (llvm::is_contained(llvm::make_second_range(SpannedBy), Op.getBits()))
    Spans[Op.getBits()] = emitKeySpan(
        B, Bits.Type, To, keyGranule(B.shape(), Bits.Type.getDimSize(1)));
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
  auto Type = cast<RankedTensorType>(Op.getResult().getType());
  KeySpan Keys;
  if (SpannedBy.contains(Op))
    Keys = keySpan(Op, Type.getDimSize(1));
  Shared.call(B, "mask", Type.getShape(),
              {&From.Base, &Bits.Base, &Keys.First, &Keys.End, &To.Base},
              [&](KernelBuilder &Inside) {
                emitMask(Inside, Type, Keys, From, Bits, To);
              });
  define(Op.getResult(), To);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

LogicalResult TileLowering::lower(tile::ModifyOp Op) {
  ScoreRegion Region;
  Region.Type = cast<RankedTensorType>(Op.getS().getType());
  Region.Code.Body = &Op.getBody().front();
  Region.At = coordinates(Op);
  // i64, f32, i1 and pointers as they are.
  auto Lowered = [&](Value V) { return B.toI64(scalar(V)); };
  llvm::append_range(Region.Params, llvm::map_range(Op.getParams(), Lowered));
  Region.Code.Captured = capturedValues(*Region.Code.Body);
  llvm::append_range(Region.Code.CapturedValues,
                     llvm::map_range(Region.Code.Captured, Lowered));
  Region.Scores = stored(Op.getS()).Base;
  SmallVector<Buffer> To;
  for (Value Result : Op.getResults())
    To.push_back(To.empty() ? successor(Op.getS(), Op) : allocate(Result));
  for (const Buffer &Buf : To)
    Region.Results.push_back(Buf.Base);

  SmallVector<Value *> Inputs;
  Region.At.appendInputs(Inputs);
  for (SmallVector<Value> *Some :
       {&Region.Params, &Region.Code.CapturedValues, &Region.Results})
    for (Value &V : *Some)
      Inputs.push_back(&V);
  Inputs.push_back(&Region.Scores);
  SmallVector<int64_t> Sizes;
  Region.At.appendSizes(Sizes);
  llvm::append_range(Sizes, Region.Type.getShape());
  Region.Code.appendSizes(Sizes);
  LogicalResult Ok = success();
  Shared.call(B, "modify", Sizes, Inputs, [&](KernelBuilder &Inside) {
    Ok = emitScoreRegion(Inside, Region);
  });
  for (auto [Result, Buf] : llvm::zip_equal(Op.getResults(), To))
    define(Result, Buf);
  return Ok;
}

void TileLowering::lower(tile::RegroupOp Op) {
  Regroup R;
  R.Scores = cast<RankedTensorType>(Op.getS().getType());
  R.S = stored(Op.getS()).Base;
  R.Words = stored(Op.getBits()).Base;
  R.FirstQuery = scalarI64(Op.getQ0());
  R.FirstKey = scalarI64(Op.getK0());
  Buffer To = successor(Op.getS(), Op);
  R.Result = To.Base;
  Shared.call(B, "regroup", R.Scores.getShape(),
              {&R.S, &R.Words, &R.FirstQuery, &R.FirstKey, &R.Result},
              [&](KernelBuilder &Inside) { emitRegroup(Inside, R); });
  define(Op.getResult(), To);
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

void TileLowering::lower(tile::WeightsOp Op) {
  ColumnWeights W;
  W.Scores = cast<RankedTensorType>(Op.getS().getType());
  W.S = stored(Op.getS()).Base;
  W.Lse = stored(Op.getLse()).Base;
  W.Words = stored(Op.getBits()).Base;
  Buffer To = successor(Op.getS(), Op);
  W.P = To.Base;
  Shared.call(B, "weights", W.Scores.getShape(), {&W.S, &W.Lse, &W.Words, &W.P},
              [&](KernelBuilder &Inside) { emitColumnWeights(Inside, W); });
  define(Op.getP(), To);
}

void TileLowering::lower(tile::AddColumnsOp Op) {
  ColumnSums Sums;
  Sums.Weights = cast<RankedTensorType>(Op.getP().getType());
  Sums.P = stored(Op.getP()).Base;
  Sums.Rows = B.min(scalarI64(Op.getRows()), B.i64(Sums.Weights.getDimSize(0)));
  RowSource &To = Sums.To;
  To = rowSource(Op.getView(), Op.getB(), Op.getH(), Op.getK0());
  To.Length = B.select(noData(Op.getView()), B.i64(0), To.Length);
  Shared.call(B, "add_columns", Sums.Weights.getShape(),
              {&Sums.P, &Sums.Rows, &To.Base, &To.Stride, &To.Length, &To.First,
               &To.Positions},
              [&](KernelBuilder &Inside) { emitColumnSums(Inside, Sums); });
}

void TileLowering::lower(tile::RaiseBlocksOp Op) {
  BlockMaxima Maxima;
  Maxima.Weights = cast<RankedTensorType>(Op.getP().getType());
  Maxima.BlockQ = static_cast<int64_t>(Op.getBlockQ());
  Maxima.BlockK = static_cast<int64_t>(Op.getBlockK());
  Maxima.P = stored(Op.getP()).Base;
  Value Rows =
      B.min(scalarI64(Op.getRows()), B.i64(Maxima.Weights.getDimSize(0)));
  Maxima.Rows = B.select(noData(Op.getView()), B.i64(0), Rows);
  auto PlacesOf = [&](Value V) {
    return isTile(V) ? TilePlaces{{}, stored(V).Base}
                     : TilePlaces{scalarI64(V), {}};
  };
  Maxima.Queries = PlacesOf(Op.getRow0());
  Maxima.Keys = PlacesOf(Op.getK0());
  if (Maxima.isScattered())
    Maxima.Line = Scratch->allocate(rowLength(B, Maxima.Weights) * 4).Base;
  Maxima.To = headAddress(Op.getView(), scalar(Op.getB()), scalar(Op.getH()));
  Maxima.Stride = viewStride(Op.getView(), 2);
  Maxima.Columns = viewShape(Op.getView(), 3);
  ArrayRef<int64_t> Shape = Maxima.Weights.getShape();
  Shared.call(B, "raise_blocks",
              {Shape[0], Shape[1], Maxima.BlockQ, Maxima.BlockK},
              {&Maxima.P, &Maxima.Rows, &Maxima.Queries.First,
               &Maxima.Queries.List, &Maxima.Keys.First, &Maxima.Keys.List,
               &Maxima.To, &Maxima.Stride, &Maxima.Columns, &Maxima.Line},
              [&](KernelBuilder &Inside) { emitBlockMaxima(Inside, Maxima); });
}
