// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verbs on tiles of scores and weights that look at where their elements lie.
// What a tile's status decides is decided by a branch that all threads take.

#include "codegen/lanes/RegionLifter.h"
#include "codegen/nv/Softmax.h"
#include "codegen/nv/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Coordinates
//===----------------------------------------------------------------------===//

/// Places within a box, row by row: coordinates of number `X` (i32) as i64. The
/// outermost one is not reduced, so that numbers beyond the box lie beyond it
/// too.
static SmallVector<Value> unflatten(NvBuilder &B, Value X,
                                    ArrayRef<int64_t> Box) {
  SmallVector<Value> Result(Box.size());
  for (size_t Axis = Box.size() - 1; Axis > 0; --Axis) {
    Result[Axis] = B.toI64(B.rem(X, Box[Axis]));
    X = B.div(X, Box[Axis]);
  }
  Result.front() = B.toI64(X);
  return Result;
}

/// Coordinates of element `Number` of a tile that starts at `First`.
static SmallVector<Value> placeOf(NvBuilder &B, Value Number,
                                  ArrayRef<Value> First,
                                  ArrayRef<int64_t> Box) {
  if (Box.empty())
    return {B.add(First.front(), B.toI64(Number))};
  SmallVector<Value> Result = unflatten(B, Number, Box);
  for (auto [Place, Start] : llvm::zip_equal(Result, First))
    Place = B.add(Place, Start);
  return Result;
}

SmallVector<Value> nv::Coordinates::query(NvBuilder &B, Value Row) const {
  return placeOf(B, Row, FirstQuery, QueryBox);
}

SmallVector<Value> nv::Coordinates::key(NvBuilder &B, Value Column) const {
  if (Listed)
    return {Listed->At(B, Column)};
  return placeOf(B, Column, FirstKey, KeyBox);
}

template <typename Op> nv::Coordinates TileLowering::coordinates(Op Verb) {
  nv::Coordinates At;
  At.Batch = scalarI64(Verb.getB());
  At.Head = scalarI64(Verb.getH());
  At.FirstQuery = scalarsI64(Verb.getQ0());
  At.FirstKey = scalarsI64(Verb.getK0());
  if (Verb.getListed())
    At.Listed = get<Places>(Verb.getListed());
  At.QueryBox = llvm::to_vector(Verb.getQueryBox());
  At.KeyBox = llvm::to_vector(Verb.getKeyBox());
  return At;
}

template nv::Coordinates TileLowering::coordinates(tile::BitsOp);
template nv::Coordinates TileLowering::coordinates(tile::ModifyOp);

//===----------------------------------------------------------------------===//
// Kept pairs
//===----------------------------------------------------------------------===//

static constexpr float MinusInfinity = -std::numeric_limits<float>::infinity();

void TileLowering::lower(tile::MaskOp Op) {
  define(Op.getResult(),
         selectKept(B, get<Fragment>(Op.getS()), get<KeptBits>(Op.getBits()),
                    MinusInfinity));
  if (Value Factor = Factors.lookup(Op.getS()))
    Factors[Op.getResult()] = Factor;
}

void TileLowering::lower(tile::AccumulateOp Op) {
  Fragment O = get<Fragment>(Op.getO());
  const Fragment &P = get<Fragment>(Op.getP());
  const StagedRows &V = get<StagedRows>(Op.getV());
  WeightRange Range =
      isa_and_present<tile::SoftmaxStepOp>(Op.getP().getDefiningOp())
          ? WeightRange::AtMostOne
          : WeightRange::Any;
  if (!Op.getBits()) {
    forEachValueSlice(V, O, [&](Fragment &Part, const SharedTile &Values) {
      emitAccumulate(B, Part, P, Values, Range);
    });
    define(Op.getResult(), O);
    return;
  }
  const KeptBits &Bits = get<KeptBits>(Op.getBits());
  // Weights that come of masked scores are 0 where the bit is.
  auto IsMasked = [&](Operation *Source) {
    auto Step = dyn_cast_if_present<tile::SoftmaxStepOp>(Source);
    Operation *Masked = Step ? Step.getS().getDefiningOp() : nullptr;
    return isa_and_present<tile::MaskOp, tile::RegroupOp>(Masked) &&
           Masked->getOperand(1) == Op.getBits();
  };
  Fragment Weights =
      IsMasked(Op.getP().getDefiningOp()) ? P : selectKept(B, P, Bits, 0.0F);
  forEachValueSlice(V, O, [&](Fragment &Part, const SharedTile &Values) {
    emitAccumulate(B, Part, Weights, Values, Range, Bits);
  });
  define(Op.getResult(), O);
}

void TileLowering::lower(tile::WeightsOp Op) {
  Fragment P =
      emitWeights(B, get<Fragment>(Op.getS()), get<RowStats>(Op.getLse()));
  define(Op.getP(), selectKept(B, P, get<KeptBits>(Op.getBits()), 0.0F));
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

LogicalResult TileLowering::lower(tile::ModifyOp Op) {
  RegionCode Code;
  Code.Body = &Op.getBody().front();
  nv::Coordinates At = coordinates(Op);
  // i64, f32, i1 and pointers as they are.
  auto Lowered = [&](Value V) { return operand(V); };
  Values Params = llvm::map_to_vector(Op.getParams(), Lowered);
  Code.Captured = capturedValues(*Code.Body);
  Code.CapturedValues = llvm::map_to_vector(Code.Captured, Lowered);
  RegionLifter Lifter(lanes(), Code, "nv", OperandMemory::Fields::Here);
  const Fragment &S = get<Fragment>(Op.getS());
  SmallVector<Fragment> Results(Op.getNumResults(), Fragment{S.Of, {}});
  for (auto [I, Score] : llvm::enumerate(S.Regs)) {
    auto Register = static_cast<int64_t>(I);
    SmallVector<Value> Arguments{Score, At.Batch, At.Head};
    llvm::append_range(Arguments, At.query(B, S.Of.row(B, Register)));
    llvm::append_range(Arguments, At.key(B, S.Of.column(B, Register)));
    llvm::append_range(Arguments, Params);
    lanes();
    auto Changed = Lifter.lift(Arguments);
    if (!Changed)
      return failure();
    for (auto [Result, Element] : llvm::zip_equal(Results, *Changed))
      Result.Regs.push_back(Element);
  }
  for (auto [Result, Elements] : llvm::zip_equal(Op.getResults(), Results))
    define(Result, Elements);
  return success();
}

void TileLowering::lower(tile::RegroupOp Op) {
  Value Minus = B.f32(MinusInfinity), Zero = B.f32(0.0F);
  Fragment S = selectKept(B, get<Fragment>(Op.getS()),
                          get<KeptBits>(Op.getBits()), MinusInfinity);
  int64_t Landmark =
      cast<RankedTensorType>(Op.getS().getType()).getDimSize(1) - 1;
  auto IsLandmark = [&](Value Column) {
    return B.cmp(CmpIPredicate::eq, Column, Landmark);
  };
  Fragment Ordinary = mapElements(B, S, [&](Value X, Value, Value Column) {
    return B.select(IsLandmark(Column), Minus, X);
  });
  // One element of a row is not 0: the sum is that element, NaN included.
  RowStats OfLandmark =
      sumRows(B, mapElements(B, S, [&](Value X, Value, Value Column) {
                return B.select(IsLandmark(Column), X, Zero);
              }));
  RowStats Most = maxRows(B, Ordinary);
  Values Reference, None;
  for (Value Max : Most.Regs) {
    None.push_back(B.cmp(CmpFPredicate::OEQ, Max, Minus));
    Reference.push_back(B.select(None.back(), Zero, Max));
  }
  RowStats Sum = sumRows(B, mapRegisters(B, Ordinary, [&](Value X, int64_t I) {
                           return B.ex2(B.fsub(X, Reference[S.Of.statOf(I)]));
                         }));
  // What is added to the scores of the group. Nothing is kept where the
  // landmark is not.
  Value Start = B.sub(scalarI64(Op.getQ0()), scalarI64(Op.getK0()));
  Values Share;
  for (int64_t I = 0; I < S.Of.stats(); ++I) {
    Value Place = B.add(Start, B.toI64(S.Of.rowOfStat(B, I)));
    Value IsOwn = B.cmp(CmpIPredicate::ult, Place, Landmark + 1);
    Value Lost =
        B.bitOr(None[I], B.cmp(CmpFPredicate::OEQ, OfLandmark.Regs[I], Minus));
    Value Group = B.fadd(Reference[I], B.lg2(Sum.Regs[I]));
    Value Of = B.select(Lost, Minus, B.fsub(OfLandmark.Regs[I], Group));
    Share.push_back(B.select(IsOwn, Zero, Of));
  }
  define(Op.getResult(), mapRegisters(B, Ordinary, [&](Value X, int64_t I) {
           Value Added = Share[S.Of.statOf(I)];
           // Also where the score itself is infinite.
           Value Gone = B.bitOr(B.cmp(CmpFPredicate::OEQ, X, Minus),
                                B.cmp(CmpFPredicate::OEQ, Added, Minus));
           return B.select(Gone, Minus, B.fadd(X, Added));
         }));
}
