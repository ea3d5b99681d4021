// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Regroup.h"

#include "codegen/cpu/Masks.h"
#include "codegen/lanes/LaneMath.h"
#include "codegen/lanes/Ramp.h"

#include <limits>

using namespace heddle::cpu;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

void heddle::cpu::emitRegroup(KernelBuilder &B, const Regroup &R) {
  int64_t Length = rowLength(B, R.Scores);
  int64_t Landmark = R.Scores.getDimSize(1) - 1;
  int64_t Words = Length / B.lanes();
  Value Zero = B.splat(0.0F);
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  B.loop(Words, 1, [&](Value Vector) {
    Value Offset = B.mul(Vector, B.lanes());
    auto Place = [&](Value Base, Value Key) {
      return B.offset(Base, B.add(B.mul(Key, Length), Offset));
    };
    auto Kept = [&](Value Key) {
      Value At = B.add(B.mul(Key, Words), Vector);
      Value S = B.loadVector(Place(R.S, Key));
      return B.select(loadMask(B, B.offset(R.Words, At, wordType(B))), S,
                      Minus);
    };
    Value Start =
        arith::SubIOp::create(B, B.add(R.FirstQuery, Offset), R.FirstKey);
    Value Place0 = B.add(B.splat(Start), iota(B));
    Value IsOwn = arith::CmpIOp::create(B, CmpIPredicate::ult, Place0,
                                        B.splat(B.i64(Landmark + 1)));
    Value OfLandmark = Kept(B.i64(Landmark));

    Value Max = B.loop(Landmark, 1, Minus, [&](Value Key, ValueRange Carried) {
      Value S = Kept(Key);
      Value Larger = B.cmp(CmpFPredicate::OGT, S, Carried[0]);
      return KernelBuilder::Values{B.select(Larger, S, Carried[0])};
    })[0];
    Value None = B.cmp(CmpFPredicate::OEQ, Max, Minus);
    Value Reference = B.select(None, Zero, Max);
    Value Sum = B.loop(Landmark, 1, Zero, [&](Value Key, ValueRange Carried) {
      Value P = emitExp2(B, B.fsub(Kept(Key), Reference));
      return KernelBuilder::Values{B.fadd(Carried[0], P)};
    })[0];
    // What is added to the scores of the group. Nothing is kept where the
    // landmark is not.
    Value Share = B.fsub(OfLandmark, B.fadd(Reference, emitLog2(B, Sum)));
    Value Lost = arith::OrIOp::create(
        B, None, B.cmp(CmpFPredicate::OEQ, OfLandmark, Minus));
    Share = B.select(IsOwn, Zero, B.select(Lost, Minus, Share));
    B.loop(Landmark, 1, [&](Value Key) {
      Value S = Kept(Key);
      Value Result = B.fadd(S, Share);
      // Also where the score itself is infinite.
      Value Gone =
          arith::OrIOp::create(B, B.cmp(CmpFPredicate::OEQ, S, Minus),
                               B.cmp(CmpFPredicate::OEQ, Share, Minus));
      B.storeVector(B.select(Gone, Minus, Result), Place(R.Result, Key));
    });
    B.storeVector(Minus, Place(R.Result, B.i64(Landmark)));
  });
}
