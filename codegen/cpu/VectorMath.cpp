// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/VectorMath.h"

using namespace heddle::cpu;
using namespace mlir;

static Value splatI32(KernelBuilder &B, int32_t V) {
  auto Type = VectorType::get({B.lanes()}, B.getI32Type());
  return B.constant(DenseElementsAttr::get(Type, V));
}

static Value asInt(KernelBuilder &B, Value X) {
  auto Type = VectorType::get({B.lanes()}, B.getI32Type());
  return arith::BitcastOp::create(B, Type, X);
}

static Value asFloat(KernelBuilder &B, Value X) {
  return arith::BitcastOp::create(B, B.vectorType(), X);
}

Value heddle::cpu::emitExp2(KernelBuilder &B, Value X) {
  // At -127 the exponent field below becomes 0 and with it the result. The
  // comparison is false for NaN, which therefore passes.
  Value Floor = B.splat(-127.0F);
  X = B.select(B.cmp(arith::CmpFPredicate::OLT, X, Floor), Floor, X);
  // Adding 1.5 * 2^23 rounds to an integer n and leaves it in the low bits of
  // the sum, where the extra 127 makes it the exponent field of 2^n.
  Value Magic = B.splat(12582912.0F + 127.0F);
  Value Shifted = B.fadd(X, Magic);
  Value Fraction = B.fsub(X, B.fsub(Shifted, Magic));
  Value Power =
      asFloat(B, arith::ShLIOp::create(B, asInt(B, Shifted), splatI32(B, 23)));
  // 1 + f c(f), the minimax fit of 2^f on [-1/2, 1/2] that is exact at 0.
  // Relative error 9e-8 before rounding.
  Value P = B.splat(0x1.5bba08p-10F);
  for (float C :
       {0x1.3cea88p-7F, 0x1.c6b752p-5F, 0x1.ebf9bcp-3F, 0x1.62e42ap-1F, 1.0F})
    P = B.fma(P, Fraction, B.splat(C));
  return B.fmul(P, Power);
}

Value heddle::cpu::emitLog2(KernelBuilder &B, Value X) {
  // x = 2^e y with y in [sqrt(1/2), sqrt(2)): the bits of sqrt(1/2) are where
  // the exponent rolls over.
  Value Bits = asInt(B, X);
  Value Exponent = arith::ShRSIOp::create(
      B, arith::SubIOp::create(B, Bits, splatI32(B, 0x3f3504f3)),
      splatI32(B, 23));
  Value Y = asFloat(
      B, arith::SubIOp::create(
             B, Bits, arith::ShLIOp::create(B, Exponent, splatI32(B, 23))));
  // log2 y = 2 / ln 2 * artanh z, z = (y - 1) / (y + 1), |z| < 0.172: the
  // series up to z^9 leaves 1e-9.
  Value One = B.splat(1.0F);
  Value Z = arith::DivFOp::create(B, B.fsub(Y, One), B.fadd(Y, One));
  Value Z2 = B.fmul(Z, Z);
  Value Series = B.splat(0x1.484b14p-2F); // 2 / (9 ln 2)
  for (float C : {0x1.a61762p-2F,         // 2 / (7 ln 2)
                  0x1.2776c6p-1F,         // 2 / (5 ln 2)
                  0x1.ec709ep-1F,         // 2 / (3 ln 2)
                  0x1.715476p+1F})        // 2 / ln 2
    Series = B.fma(Series, Z2, B.splat(C));
  Value Whole = arith::SIToFPOp::create(B, B.vectorType(), Exponent);
  Value Result = B.fma(Series, Z, Whole);
  Value IsNaN = B.cmp(arith::CmpFPredicate::UNO, X, X);
  return B.select(IsNaN, X, Result);
}
