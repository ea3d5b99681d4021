// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/TileLowering.h"

#include "codegen/cpu/Causal.h"
#include "codegen/cpu/Convert.h"
#include "codegen/cpu/Panels.h"
#include "codegen/cpu/Softmax.h"
#include "dialect/tile/Views.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

TileLowering::TileLowering(func::FuncOp Kernel, Block *Entry, KernelKind Kind,
                           const Shape &S, Procedures &Shared)
    : Kernel(Kernel), Entry(Entry), Kind(Kind), B(Kernel.getLoc(), Entry, S),
      Shared(Shared) {}

LogicalResult TileLowering::run() {
  mapArguments();
  findFewRows();
  findSpans();
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
    if (Few)
      for (Value Result : Op.getResults())
        keepQueryRows(Result);
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
            tile::RaiseBlocksOp, tile::TransposeOp, tile::RowOp,
            tile::ElementOp, tile::LoadTableOp, tile::ReduceOp, tile::DecaysOp,
            tile::DecayedScoresOp, tile::CumulateOp, tile::SolveOp,
            tile::ExpandOp, tile::NumHeadsOp>(Verb)
      .Case<attn::AtOp, attn::SpanOp, attn::SeekOp, attn::ProbeOp, attn::RankOp,
            attn::MemberOp, attn::ExtentOp>(Verb)
      .Case<scf::ForOp, scf::WhileOp, scf::IfOp, tile::EachHeadOp,
            tile::CollectOp, tile::ModifyOp, tile::MapOp>(
          [&](auto Op) { return lower(Op); })
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
  if (!tile::isScalarArithmetic(Op))
    return Op->emitOpError()
           << "cannot be lowered to the cpu target: expected tile verbs, "
              "'scf.for', 'scf.while', 'scf.if' and scalar arithmetic; run "
              "'attn-tile' and 'attn-expand-tiles' first";
  B.clone(*Op, Scalars);
  return success();
}

//===----------------------------------------------------------------------===//
// Verbs
//===----------------------------------------------------------------------===//

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
  TileFactor Factor;
  Factor.All = scalar(Op.getFactor());
  defineProduct(Op.getResult(), Op.getTile(), {}, Factor);
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
  SmallVector<int64_t> Sizes = {P.Rows,
                                P.Depth,
                                P.Length,
                                P.ReduceOverRows,
                                static_cast<int64_t>(P.Counting),
                                codeOf(P.Copied.From.Element)};
  SmallVector<Value *> Inputs = {&P.A.Base,
                                 &P.A.Stride,
                                 &P.A.Last,
                                 &P.A.Addresses,
                                 &P.Copied.From.Base,
                                 &P.Copied.From.Stride,
                                 &P.Copied.From.Length,
                                 &P.Copied.From.First,
                                 &P.Copied.From.Positions,
                                 &P.Copied.Memory,
                                 &P.Copied.Length,
                                 &P.B,
                                 &P.StrideOfB,
                                 &P.InitialC,
                                 &P.Factor.PerQuery,
                                 &P.Factor.PerFeature.Base,
                                 &P.Factor.PerFeature.Stride,
                                 &P.Factor.All,
                                 &P.Words,
                                 &P.C,
                                 &P.Weigh.IsOff,
                                 &P.Weigh.Reference,
                                 &P.Weigh.Sums,
                                 &P.RowSpan.First,
                                 &P.RowSpan.End,
                                 &P.StepSpan.First,
                                 &P.StepSpan.End};
  auto Append = [&](RowsAhead &Rows) {
    Sizes.append({Rows.Rows, Rows.Bytes});
    Inputs.append({&Rows.Base, &Rows.Stride, &Rows.Last, &Rows.Positions});
  };
  Append(P.Ahead);
  for (RowsAhead &Rows : P.Later)
    Append(Rows);
  Shared.call(B, Verb, Sizes, Inputs,
              [&](KernelBuilder &Inside) { emitProduct(Inside, P); });
}

bool TileLowering::copiesRows(Product &P, Value V, bool ReduceOverRows) {
  Tile T = Tiles.lookup(V);
  if (!T.Unfetched || T.Unfetched->Element.isF32())
    return false;
  P.ReduceOverRows = ReduceOverRows;
  int64_t Elements = panelElements(B.shape(), P);
  if (Elements == 0)
    return false;
  P.Copied.From = *T.Unfetched;
  P.Copied.Length = B.i64(panelLength(B.shape(), P));
  P.Copied.Memory = Scratch->allocate(Elements * 4).Base;
  return true;
}

Product TileLowering::productOf(tile::ScoresOp Op) {
  auto Type = cast<RankedTensorType>(Op.getS().getType());
  Product P;
  P.Rows = Type.getDimSize(1);
  P.Depth = cast<RankedTensorType>(Op.getQ().getType()).getDimSize(1);
  P.Length = rowLength(B, Type);
  // Full and partial tiles share the code: a row is clamped for every key of a
  // register tile, not for every product.
  if (!copiesRows(P, Op.getK(), /*ReduceOverRows=*/false)) {
    KeySide Keys = keySide(Op.getK(), /*AllExist=*/false);
    P.A = Keys.View;
    P.ReduceOverRows = Keys.ByColumns;
  }
  P.B = stored(Op.getQ()).Base;
  if (needsLowerOnly(Op.getS()))
    P.Counting = Part::RowsToLane;
  else if (isOfChunk(Op))
    P.Later = rowsForNext(Op);
  else
    P.Ahead = valuesAhead(Op);
  if (P.Counting == Part::All)
    P.RowSpan = keySpan(Op, P.Rows);
  return P;
}

void TileLowering::callScores(tile::ScoresOp Op, const Buffer &To) {
  Product P = productOf(Op);
  P.C = To.Base;
  if (Weighs)
    leaveUnweighed(P);
  callProduct("scores", P);
}

void TileLowering::lower(tile::ScoresOp Op) {
  if (std::optional<LazyStep> Lazy = lazyStep(Op)) {
    lowerLazily(Op, *Lazy);
    return;
  }
  // Asked before the scores, the bits say which of them nobody needs.
  if (Value Bits = SpannedBy.lookup(Op))
    lower(Bits.getDefiningOp<tile::BitsOp>());
  Buffer To = allocate(Op.getS());
  byRows([&] { callRowScores(Op, To); }, [&] { callScores(Op, To); });
  define(Op.getS(), To);
}

bool TileLowering::takesColumns(tile::AccumulateOp Op, const RowView &View) {
  auto Type = cast<RankedTensorType>(Op.getP().getType());
  return !View.Last && Type.getDimSize(0) % B.lanes() == 0;
}

void TileLowering::callAccumulate(tile::AccumulateOp Op, const Tile &Before,
                                  const Buffer &To) {
  auto Type = cast<RankedTensorType>(Op.getResult().getType());
  Product P;
  P.Rows = Type.getDimSize(1);
  P.Depth = cast<RankedTensorType>(Op.getP().getType()).getDimSize(1);
  P.Length = rowLength(B, Type);
  if (!copiesRows(P, Op.getV(), /*ReduceOverRows=*/true)) {
    KeySide Values = keySide(Op.getV(), /*AllExist=*/false);
    // Without bits every pair takes part, so every row exists; rows of what was
    // transposed are columns of the result, which need not.
    if (!Op.getBits() && !Values.ByColumns)
      Values.View.Last = {};
    P.A = Values.View;
    P.ReduceOverRows = !Values.ByColumns;
  }
  if (const Tile &T = Tiles.lookup(Op.getP());
      T.Columns && takesColumns(Op, *T.Columns)) {
    P.B = T.Columns->Base;
    P.StrideOfB = T.Columns->Stride;
  } else {
    P.B = stored(Op.getP()).Base;
  }
  P.Factor = Before.Factor;
  P.InitialC = Before.Data.Base;
  if (Op.getUpper())
    P.Counting = Part::StepsToRow;
  else if (isCausal(Op.getBits()))
    P.Counting = Part::StepsToLane;
  else if (Op.getBits())
    P.Words = stored(Op.getBits()).Base;
  P.C = To.Base;
  if (isOfChunk(Op))
    P.Later = rowsForNext(Op);
  else if (P.Counting == Part::All)
    P.Ahead = keysAhead(Op);
  if (SpannedBy.contains(Op))
    P.StepSpan = keySpan(Op, P.Depth);
  callProduct("accumulate", P);
}

void TileLowering::lower(tile::AccumulateOp Op) {
  Tile Before = Tiles.lookup(Op.getO());
  if (!Before.Factor)
    Before.Data = stored(Op.getO());
  Buffer To = successor(Op.getO(), Op);
  byRows([&] { callRowSums(Op, Before, To); },
         [&] { callAccumulate(Op, Before, To); });
  define(Op.getResult(), To);
}

void TileLowering::callSoftmaxStep(SoftmaxStep Step) {
  Shared.call(B, "softmax_step", Step.Scores.getShape(),
              {&Step.S, &Step.M, &Step.L, &Step.P, &Step.NewM, &Step.NewL,
               &Step.Alpha, &Step.Keys.First, &Step.Keys.End, &Step.Margin},
              [&](KernelBuilder &Inside) { emitSoftmaxStep(Inside, Step); });
}

void TileLowering::lower(tile::SoftmaxStepOp Op) {
  // With the scores.
  if (Tiles.contains(Op.getP()))
    return;
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
  Step.Margin = marginOf(Op);
  Step.Keys = keySpan(Op, Step.Scores.getDimSize(1));
  callSoftmaxStep(Step);
  define(Op.getP(), P);
  define(Op.getNewM(), M);
  define(Op.getNewL(), L);
  define(Op.getAlpha(), Alpha);
}

void TileLowering::lower(tile::RescaleOp Op) {
  if (Rescaled.contains(Op)) {
    define(Op.getResult(), stored(Op.getO()));
    return;
  }
  TileFactor Factor;
  Factor.PerQuery = stored(Op.getAlpha()).Base;
  defineProduct(Op.getResult(), Op.getO(), Op.getAlpha(), Factor);
}

void TileLowering::lower(tile::FinishOp Op) {
  turnSums(Op.getO());
  SoftmaxEnd End;
  End.Output = cast<RankedTensorType>(Op.getO().getType());
  End.O = stored(Op.getO()).Base;
  End.M = stored(Op.getM()).Base;
  End.L = stored(Op.getL()).Base;
  Buffer Result = successor(Op.getO(), Op);
  Buffer Lse = successor(Op.getM(), Op);
  End.Result = Result.Base;
  End.Lse = Lse.Base;
  Shared.call(B, "finish", End.Output.getShape(),
              {&End.O, &End.M, &End.L, &End.Result, &End.Lse},
              [&](KernelBuilder &Inside) { emitSoftmaxEnd(Inside, End); });
  define(Op.getResult(), Result);
  define(Op.getLse(), Lse);
}
