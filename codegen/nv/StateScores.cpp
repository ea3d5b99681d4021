// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of tiles, and the softmax over a window of keys.

#include "codegen/nv/MemoryProducts.h"
#include "codegen/nv/StateLowering.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

Value StateLowering::isKept(tile::BitsOp Bits, Value Row, Value Column) {
  IntegerAttr Status;
  if (matchPattern(Bits.getStatus(), m_Constant(&Status)) &&
      Status.getInt() == tile::Full)
    return B.i1(true);
  Values Params, Integers;
  for (Value Param : Bits.getParams()) {
    bool IsReal = Param.getType().isF32();
    Params.push_back(IsReal ? Value() : operand(Param));
    Integers.push_back(Param.getType().isIndex() ? Params.back() : Value());
  }
  ParameterAccess Access(lanes(), Params, &Functions);
  Value NumKeys = scalarI64(Bits.getNumKeys());
  SmallVector<Value> Query = scalarsI64(Bits.getQ0());
  SmallVector<Value> Key = scalarsI64(Bits.getK0());
  Query.front() = B.add(Query.front(), B.toI64(Row));
  Key.front() = B.add(Key.front(), B.toI64(Column));
  attn::Coordinates Here{scalarI64(Bits.getB()),
                         scalarI64(Bits.getH()),
                         Query,
                         Key,
                         NumKeys,
                         Integers,
                         &Access};
  Value Kept = attn::emitContains(B, B.getLoc(), Bits.getFormula(), Here);
  return B.bitAnd(B.cmp(CmpIPredicate::slt, Key.front(), NumKeys), Kept);
}

/// True for rows of f16 or bf16 as they are in memory.
static bool isNarrow(Value V) {
  while (auto View = V.getDefiningOp<tile::TransposeOp>())
    V = View.getTile();
  auto Load = V.getDefiningOp<tile::LoadOp>();
  return Load && !cast<attn::ViewType>(Load.getView().getType())
                      .getElementType()
                      .isF32();
}

void StateLowering::lower(tile::ScoresOp Op) {
  MemoryProduct P;
  P.LeftIsExact = isNarrow(Op.getQ());
  P.RightIsExact = isNarrow(Op.getK());
  P.Left = get(Op.getQ());
  P.Right = get(Op.getK()).transposed();
  P.To = allocate(Op.getS());
  Arena->access({P.Left, P.Right}, {P.To});
  emitMemoryProduct(B, P);
  define(Op.getS(), P.To);
}

void StateLowering::lower(tile::AccumulateOp Op) {
  MemoryProduct P;
  P.Left = get(Op.getP());
  P.Right = get(Op.getV());
  P.LeftIsExact = isNarrow(Op.getP());
  P.RightIsExact = isNarrow(Op.getV());
  SmallVector<MemoryTile> Reads = {P.Left, P.Right};
  auto Start = Op.getO().getDefiningOp<tile::FillOp>();
  if (Start && !Tiles.contains(Op.getO())) {
    P.Start = Start.getValue().convertToFloat();
    P.To = allocate(Op.getResult());
  } else {
    P.From = get(Op.getO());
    P.To = successor(Op.getO(), Op);
    Reads.push_back(*P.From);
  }
  Arena->access(Reads, {P.To});
  auto Kept = [&](Value Row, Value Column) {
    return isKept(Op.getBits().getDefiningOp<tile::BitsOp>(), Row, Column);
  };
  if (Op.getBits())
    P.IsKept = Kept;
  emitMemoryProduct(B, P);
  define(Op.getResult(), P.To);
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

static constexpr float Beyond = std::numeric_limits<float>::infinity();

void StateLowering::lower(tile::MaskOp Op) {
  auto Bits = Op.getBits().getDefiningOp<tile::BitsOp>();
  mapElements(Op.getResult(), Op.getS(), Op, {},
              [&](Value X, Value Row, Value Column) {
                return B.select(isKept(Bits, Row, Column), X, B.f32(-Beyond));
              });
}

void StateLowering::lower(tile::SoftmaxStepOp Op) {
  Value Minus = B.f32(-Beyond), Zero = B.f32(0.0F), None = B.i32(0);
  const MemoryTile S = get(Op.getS()), M = get(Op.getM()), L = get(Op.getL());
  MemoryTile P = successor(Op.getS(), Op);
  MemoryTile NewM = allocate(Op.getNewM()), NewL = allocate(Op.getNewL());
  MemoryTile Alpha = allocate(Op.getAlpha());
  Arena->access({S, M, L}, {P, NewM, NewL, Alpha});
  forEachOfWarps(B, S.Rows, [&](Value Row) {
    // A NaN score loses here and reaches p below.
    Value Most =
        reduceWarp(B,
                   foldByLanes(
                       B, S.Columns, Minus,
                       [&](Value Column) { return S.load(B, Row, Column); },
                       [&](Value, Value Y, Value X) { return B.fmax(X, Y); }),
                   [&](Value X, Value Y) { return B.fmax(X, Y); });
    Value Old = M.load(B, Row, None);
    Value New = B.fmax(Old, Most);
    // A row without a finite score yet is measured from 0: p = 2^-inf = 0.
    Value From = B.select(B.cmp(CmpFPredicate::OEQ, New, Minus), Zero, New);
    Value Sum =
        reduceWarp(B,
                   foldByLanes(
                       B, S.Columns, Zero,
                       [&](Value Column) {
                         return B.ex2(B.fsub(S.load(B, Row, Column), From));
                       },
                       [&](Value Column, Value E, Value X) {
                         P.store(B, E, Row, Column);
                         return B.fadd(X, E);
                       }),
                   [&](Value X, Value Y) { return B.fadd(X, Y); });
    Value A = B.select(B.cmp(CmpFPredicate::OEQ, Old, New), B.f32(1.0F),
                       B.ex2(B.fsub(Old, From)));
    B.branch(B.cmp(CmpIPredicate::eq, B.lane(), 0), [&] {
      NewM.store(B, New, Row, None);
      NewL.store(B, B.fma(L.load(B, Row, None), A, Sum), Row, None);
      Alpha.store(B, A, Row, None);
    });
  });
  define(Op.getP(), P);
  define(Op.getNewM(), NewM);
  define(Op.getNewL(), NewL);
  define(Op.getAlpha(), Alpha);
}

void StateLowering::lower(tile::FinishOp Op) {
  const MemoryTile M = get(Op.getM()), L = get(Op.getL());
  Value None = B.i32(0);
  auto IsEmpty = [&](Value Sum) {
    return B.cmp(CmpFPredicate::OEQ, Sum, B.f32(0.0F));
  };
  if (!Op.getLse().use_empty()) {
    MemoryTile Lse = allocate(Op.getLse());
    Arena->access({M, L}, {Lse});
    makeElements(B, Lse, [&](Value Row, Value) -> Values {
      Value Sum = L.load(B, Row, None);
      Value Log = B.fmul(B.fadd(M.load(B, Row, None), B.lg2(Sum)),
                         B.f32(0x1.62e430p-1F));
      return {B.select(IsEmpty(Sum), B.f32(-Beyond), Log)};
    });
    define(Op.getLse(), Lse);
  }
  mapElements(Op.getResult(), Op.getO(), Op, {L},
              [&](Value X, Value Row, Value) {
                Value Sum = L.load(B, Row, None);
                // Not o / 0: that would be NaN for the empty row.
                return B.select(IsEmpty(Sum), B.f32(0.0F), B.fdiv(X, Sum));
              });
}
