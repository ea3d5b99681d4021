// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Softmax.h"

#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle::nv;
using namespace mlir;
using arith::CmpFPredicate;

static constexpr float Infinity = std::numeric_limits<float>::infinity();

SoftmaxStep heddle::nv::emitSoftmaxStep(NvBuilder &B, const Fragment &S,
                                        const RowStats &M, const RowStats &L,
                                        Value Factor) {
  Value Minus = B.f32(-Infinity), Zero = B.f32(0.0F), One = B.f32(1.0F);
  SoftmaxStep Step;
  // A NaN score loses here and reaches p below.
  NvBuilder::Values Reference;
  for (auto [Old, Most] : llvm::zip_equal(M.Regs, maxRows(B, S).Regs)) {
    Value Tile = Factor ? B.fmul(Most, Factor) : Most;
    Value New = B.fmax(Old, Tile);
    // A row without a finite score yet is measured from 0: p = 2^-inf = 0.
    Value From = B.select(B.cmp(CmpFPredicate::OEQ, New, Minus), Zero, New);
    Step.M.Regs.push_back(New);
    Reference.push_back(From);
    Step.Alpha.Regs.push_back(B.select(B.cmp(CmpFPredicate::OEQ, Old, New), One,
                                       B.ex2(B.fsub(Old, From))));
  }
  Step.P = mapRegisters(B, S, [&](Value X, int64_t I) {
    Value From = Reference[S.Of.statOf(I)];
    if (!Factor)
      return B.ex2(B.fsub(X, From));
    return B.ex2(B.fma(X, Factor, arith::NegFOp::create(B, From)));
  });
  for (auto [Old, Alpha, Sum] :
       llvm::zip_equal(L.Regs, Step.Alpha.Regs, sumRows(B, Step.P).Regs))
    Step.L.Regs.push_back(B.fma(Old, Alpha, Sum));
  return Step;
}

SoftmaxEnd heddle::nv::emitFinish(NvBuilder &B, const Fragment &O,
                                  const RowStats &M, const RowStats &L) {
  Value Zero = B.f32(0.0F);
  NvBuilder::Values Empty, Inverse;
  SoftmaxEnd End;
  for (auto [Max, Sum] : llvm::zip_equal(M.Regs, L.Regs)) {
    Empty.push_back(B.cmp(CmpFPredicate::OEQ, Sum, Zero));
    Inverse.push_back(B.fdiv(B.f32(1.0F), Sum));
    Value Log = B.fadd(Max, B.lg2(Sum));
    End.Lse.Regs.push_back(B.select(Empty.back(), B.f32(-Infinity),
                                    B.fmul(Log, B.f32(0x1.62e430p-1F))));
  }
  End.O = mapRegisters(B, O, [&](Value X, int64_t I) {
    int64_t Row = O.Of.statOf(I);
    // Not 0 * o: that would be NaN for the empty row.
    return B.select(Empty[Row], Zero, B.fmul(X, Inverse[Row]));
  });
  return End;
}

Fragment heddle::nv::emitWeights(NvBuilder &B, const Fragment &S,
                                 const RowStats &Lse) {
  Value Minus = B.f32(-Infinity), Zero = B.f32(0.0F);
  NvBuilder::Values None, Log;
  for (Value Row : Lse.Regs) {
    None.push_back(B.cmp(CmpFPredicate::OEQ, Row, Minus));
    Log.push_back(B.fmul(Row, B.f32(0x1.715476p+0F)));
  }
  return mapRegisters(B, S, [&](Value X, int64_t I) {
    int64_t Row = S.Of.statOf(I);
    return B.select(None[Row], Zero, B.ex2(B.fsub(X, Log[Row])));
  });
}
