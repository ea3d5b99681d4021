// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Softmax.h"

#include "codegen/lanes/LaneMath.h"
#include "codegen/lanes/Structured.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle::cpu;
using namespace mlir;
using arith::CmpFPredicate;

/// Vectors of queries worked on at the same time: independent chains that hide
/// latency, few enough for sixteen registers.
static constexpr int64_t QueryVectorsAtOnce = 3;

/// For groups of vectors, the offset of each in a row.
static void
forEachGroup(KernelBuilder &B, int64_t Length,
             function_ref<void(Value Offset, int64_t Vectors)> Body) {
  int64_t Vectors = Length / B.lanes();
  int64_t AtOnce = largestDivisor(Vectors, QueryVectorsAtOnce);
  B.loop(Length, AtOnce * B.lanes(),
         [&](Value Offset) { Body(Offset, AtOnce); });
}

static KernelBuilder::Values loadVectors(KernelBuilder &B, Value Base,
                                         int64_t Vectors) {
  KernelBuilder::Values Result;
  for (int64_t J = 0; J < Vectors; ++J)
    Result.push_back(B.loadVector(B.offset(Base, J * B.lanes())));
  return Result;
}

static void storeVectors(KernelBuilder &B, ArrayRef<Value> Vectors,
                         Value Base) {
  for (auto [J, V] : llvm::enumerate(Vectors))
    B.storeVector(V, B.offset(Base, static_cast<int64_t>(J) * B.lanes()));
}

void heddle::cpu::emitSoftmaxStep(KernelBuilder &B, const SoftmaxStep &Step) {
  int64_t Length = rowLength(B, Step.Scores);
  int64_t Keys = Step.Scores.getDimSize(1);
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  auto EachKey = [&](ValueRange Inits, KernelBuilder::LoopBody Body) {
    return Step.Keys.First ? emitLoop(B, Step.Keys.First, Step.Keys.End,
                                      B.i64(1), Inits, Body)
                           : B.loop(Keys, 1, Inits, Body);
  };
  forEachGroup(B, Length, [&](Value Offset, int64_t Vectors) {
    auto RowAt = [&](Value Base, Value Key) {
      return B.offset(Base, B.add(B.mul(Key, Length), Offset));
    };
    KernelBuilder::Values OldM =
        loadVectors(B, B.offset(Step.M, Offset), Vectors);
    KernelBuilder::Values NewM =
        EachKey(OldM, [&](Value Key, ValueRange Carried) {
          KernelBuilder::Values Max;
          KernelBuilder::Values S = loadVectors(B, RowAt(Step.S, Key), Vectors);
          // A NaN score loses here and reaches p below.
          for (auto [X, M] : llvm::zip_equal(S, Carried))
            Max.push_back(B.select(B.cmp(CmpFPredicate::OGT, X, M), X, M));
          return Max;
        });

    if (Step.Margin)
      for (auto [Old, New] : llvm::zip_equal(OldM, NewM))
        New = B.select(B.cmp(CmpFPredicate::OGT, New, Old),
                       B.fadd(New, B.splat(Step.Margin)), New);

    // A row without a finite score yet is measured from 0: p = 2^-inf = 0.
    KernelBuilder::Values Reference, Alpha, Zero;
    for (auto [Old, New] : llvm::zip_equal(OldM, NewM)) {
      Value R =
          B.select(B.cmp(CmpFPredicate::OEQ, New, Minus), B.splat(0.0F), New);
      Reference.push_back(R);
      Alpha.push_back(B.select(B.cmp(CmpFPredicate::OEQ, Old, New),
                               B.splat(1.0F), emitExp2(B, B.fsub(Old, R))));
      Zero.push_back(B.splat(0.0F));
    }
    KernelBuilder::Values Sums =
        EachKey(Zero, [&](Value Key, ValueRange Carried) {
          KernelBuilder::Values P, Sum;
          KernelBuilder::Values S = loadVectors(B, RowAt(Step.S, Key), Vectors);
          for (auto [X, R, Before] : llvm::zip_equal(S, Reference, Carried)) {
            P.push_back(emitExp2(B, B.fsub(X, R)));
            Sum.push_back(B.fadd(Before, P.back()));
          }
          storeVectors(B, P, RowAt(Step.P, Key));
          return Sum;
        });
    KernelBuilder::Values OldL =
        loadVectors(B, B.offset(Step.L, Offset), Vectors);
    KernelBuilder::Values NewL;
    for (auto [L, A, Sum] : llvm::zip_equal(OldL, Alpha, Sums))
      NewL.push_back(B.fma(L, A, Sum));
    storeVectors(B, NewM, B.offset(Step.NewM, Offset));
    storeVectors(B, NewL, B.offset(Step.NewL, Offset));
    storeVectors(B, Alpha, B.offset(Step.Alpha, Offset));
  });
}

/// x times 2^floor(n).
static Value emitScaleBy2(KernelBuilder &B, Value X, Value N) {
  // All lanes, rounding as usual.
  Value Mask = B.constant(B.getI16IntegerAttr(-1));
  Value Usual = B.constant(B.getI32IntegerAttr(4));
  return LLVM::CallIntrinsicOp::create(
             B, X.getType(),
             B.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
             ValueRange{X, N, X, Mask, Usual})
      .getResult(0);
}

Value heddle::cpu::emitWeight(KernelBuilder &B, Value X) {
  if (B.shape().ScalesBy2) {
    // Both ends take care of themselves: floor(n) is the exponent, however far
    // out of range.
    Value N = LLVM::RoundEvenOp::create(B, X);
    Value P = emitFractionalExp2(B, B.fsub(X, N));
    return emitScaleBy2(B, P, N);
  }
  // Infinite from there on. The comparison lets NaN pass.
  Value Top = B.splat(128.0F);
  return emitExp2(B, B.select(B.cmp(CmpFPredicate::OGT, X, Top), Top, X));
}

/// i1: `Holds` for every vector of a row.
static Value emitHoldsForAll(KernelBuilder &B, int64_t Length, Value Row,
                             function_ref<Value(Value)> Holds) {
  Value All;
  for (int64_t At = 0; At < Length; At += B.lanes()) {
    Value Here = Holds(B.loadVector(B.offset(Row, At)));
    All = All ? arith::AndIOp::create(B, All, Here) : Here;
  }
  auto Word = B.getIntegerType(B.lanes());
  Value Bits = LLVM::BitcastOp::create(B, Word, All);
  Value Ones =
      B.constant(B.getIntegerAttr(Word, APInt::getAllOnes(Word.getWidth())));
  return arith::CmpIOp::create(B, arith::CmpIPredicate::eq, Bits, Ones);
}

Value heddle::cpu::emitHasReferences(KernelBuilder &B, int64_t Length,
                                     Value M) {
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  return emitHoldsForAll(B, Length, M, [&](Value X) {
    return B.cmp(CmpFPredicate::OGT, X, Minus);
  });
}

Value heddle::cpu::emitIsWithin(KernelBuilder &B, int64_t Length, Value Row,
                                float Limit) {
  Value Bound = B.splat(Limit);
  return emitHoldsForAll(B, Length, Row, [&](Value X) {
    return B.cmp(CmpFPredicate::OLE, X, Bound);
  });
}

void heddle::cpu::emitSoftmaxEnd(KernelBuilder &B, const SoftmaxEnd &End) {
  int64_t Length = rowLength(B, End.Output);
  int64_t Features = End.Output.getDimSize(1);
  Value Zero = B.splat(0.0F);
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  B.loop(Length, B.lanes(), [&](Value Offset) {
    Value L = B.loadVector(B.offset(End.L, Offset));
    Value M = B.loadVector(B.offset(End.M, Offset));
    Value Empty = B.cmp(CmpFPredicate::OEQ, L, Zero);
    Value Inverse = arith::DivFOp::create(B, B.splat(1.0F), L);
    B.loop(Features, 1, [&](Value Feature) {
      Value At = B.add(B.mul(Feature, Length), Offset);
      Value O = B.loadVector(B.offset(End.O, At));
      // Not 0 * o: that would be NaN for the empty row.
      B.storeVector(B.select(Empty, Zero, B.fmul(O, Inverse)),
                    B.offset(End.Result, At));
    });
    Value Log = B.fadd(M, emitLog2(B, L));
    Value Lse = B.fmul(Log, B.splat(0x1.62e430p-1F));
    B.storeVector(B.select(Empty, Minus, Lse), B.offset(End.Lse, Offset));
  });
}
