// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/LaneMath.h"

#include <limits>

using namespace heddle;
using namespace mlir;
using arith::CmpFPredicate;

static Value splatI32(LaneBuilder &B, int32_t V) {
  return B.splatConstant(B.getI32IntegerAttr(V));
}

static Value asInt(LaneBuilder &B, Value X) {
  return arith::BitcastOp::create(B, B.ofLanes(B.getI32Type()), X);
}

static Value asFloat(LaneBuilder &B, Value X) {
  return arith::BitcastOp::create(B, B.ofLanes(B.getF32Type()), X);
}

/// A polynomial, the highest coefficient first.
static Value polynomial(LaneBuilder &B, Value X, ArrayRef<float> Terms) {
  Value P = B.splat(Terms.front());
  for (float Term : Terms.drop_front())
    P = B.fma(P, X, B.splat(Term));
  return P;
}

// 1 + f c(f), the minimax fit that is exact at 0. Relative error 9e-8 before
// rounding.
Value heddle::emitFractionalExp2(LaneBuilder &B, Value Fraction) {
  return polynomial(B, Fraction,
                    {0x1.5bba08p-10F, 0x1.3cea88p-7F, 0x1.c6b752p-5F,
                     0x1.ebf9bcp-3F, 0x1.62e42ap-1F, 1.0F});
}

/// 1.5 * 2^23: a sum with a number that is much smaller is an integer.
static constexpr float Magic = 12582912.0F;

Value heddle::emitExp2(LaneBuilder &B, Value X) {
  // At -127 the exponent field below becomes 0 and with it the result. The
  // comparison is false for NaN, which therefore passes.
  Value Floor = B.splat(-127.0F);
  X = B.select(B.cmp(CmpFPredicate::OLT, X, Floor), Floor, X);
  // Adding 1.5 * 2^23 rounds to an integer n and leaves it in the low bits of
  // the sum, where the extra 127 makes it the exponent field of 2^n.
  Value Offset = B.splat(Magic + 127.0F);
  Value Shifted = B.fadd(X, Offset);
  Value Fraction = B.fsub(X, B.fsub(Shifted, Offset));
  Value Power =
      asFloat(B, arith::ShLIOp::create(B, asInt(B, Shifted), splatI32(B, 23)));
  return B.fmul(emitFractionalExp2(B, Fraction), Power);
}

Value heddle::emitLog2(LaneBuilder &B, Value X) {
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
  Value Whole = arith::SIToFPOp::create(B, B.ofLanes(B.getF32Type()), Exponent);
  Value Result = B.fma(Series, Z, Whole);
  Value IsNaN = B.cmp(CmpFPredicate::UNO, X, X);
  return B.select(IsNaN, X, Result);
}

//===----------------------------------------------------------------------===//
// For every argument
//===----------------------------------------------------------------------===//

static constexpr float Infinity = std::numeric_limits<float>::infinity();
static constexpr float NotANumber = std::numeric_limits<float>::quiet_NaN();

static Value abs(LaneBuilder &B, Value X) {
  return asFloat(
      B, arith::AndIOp::create(B, asInt(B, X), splatI32(B, 0x7fffffff)));
}

/// `Magnitude`, which is not negative, with the sign of `X`.
static Value withSign(LaneBuilder &B, Value Magnitude, Value X) {
  Value Sign = arith::AndIOp::create(
      B, asInt(B, X), splatI32(B, std::numeric_limits<int32_t>::min()));
  return asFloat(B, arith::OrIOp::create(B, asInt(B, Magnitude), Sign));
}

namespace {
/// The integer next to a number of less than 22 bits, as both types.
struct Rounded {
  Value Float, Int;
};
} // namespace

static Rounded roundToInt(LaneBuilder &B, Value X) {
  // See emitExp2.
  constexpr int32_t MagicBits = 0x4b400000;
  Value Shifted = B.fadd(X, B.splat(Magic));
  return {B.fsub(Shifted, B.splat(Magic)),
          arith::SubIOp::create(B, asInt(B, Shifted), splatI32(B, MagicBits))};
}

/// 2^(f + n) for |f| <= 1/2 and |n| < 250.
static Value scaledExp2(LaneBuilder &B, Value Fraction, Value N) {
  // Two factors, since n itself need not fit the exponent field.
  auto Power = [&](Value Exponent) {
    Value Biased = arith::AddIOp::create(B, Exponent, splatI32(B, 127));
    return asFloat(B, arith::ShLIOp::create(B, Biased, splatI32(B, 23)));
  };
  Value Half = arith::ShRSIOp::create(B, N, splatI32(B, 1));
  Value P = B.fmul(emitFractionalExp2(B, Fraction), Power(Half));
  return B.fmul(P, Power(arith::SubIOp::create(B, N, Half)));
}

/// 2^n x for 0.7 < x < 1.5, of which `Shifted` holds n in its low bits; 0 for
/// arguments below `Low`, infinity above `High`, NaN at NaN.
static Value timesPower(LaneBuilder &B, Value X, Value Shifted, Value Argument,
                        float Low, float High) {
  Value Power = arith::ShLIOp::create(B, asInt(B, Shifted), splatI32(B, 23));
  Value Result = asFloat(B, arith::AddIOp::create(B, asInt(B, X), Power));
  Value Fits = B.cmp(CmpFPredicate::OLE, Argument, B.splat(High));
  Value Beyond = B.fmul(Argument, B.splat(Infinity));
  Result = B.select(Fits, Result, Beyond);
  return B.select(B.cmp(CmpFPredicate::OLT, Argument, B.splat(Low)),
                  B.splat(0.0F), Result);
}

Value heddle::emitAnyExp2(LaneBuilder &B, Value X) {
  // See emitExp2.
  Value Shifted = B.fadd(X, B.splat(Magic));
  Value Fraction = B.fsub(X, B.fsub(Shifted, B.splat(Magic)));
  return timesPower(B, emitFractionalExp2(B, Fraction), Shifted, X, -126.0F,
                    0x1.fffffep+6F);
}

/// e^x = 2^n p: p, for `Shifted` the sum of `Offset` and x log2 e, in whose low
/// bits n is.
static Value fractionalExp(LaneBuilder &B, Value X, Value Shifted,
                           float Offset) {
  Value N = B.fsub(Shifted, B.splat(Offset));
  // x - n ln 2 in two steps: n times the upper part of ln 2 is exact.
  Value Rest = B.fma(N, B.splat(-0x1.62e4p-1F), X);
  Rest = B.fma(N, B.splat(-0x1.7f7d1cp-20F), Rest);
  // 1 + r c(r), the minimax fit that is exact at 0, relative error 9e-8.
  return polynomial(B, Rest,
                    {0x1.0fa318p-7F, 0x1.573a1cp-5F, 0x1.555a7ap-3F,
                     0x1.fffdc6p-2F, 0x1.fffff6p-1F, 1.0F});
}

static constexpr float Log2E = 0x1.715476p+0F;

Value heddle::emitAnyExp(LaneBuilder &B, Value X) {
  Value Shifted = B.fma(X, B.splat(Log2E), B.splat(Magic));
  // ln 2^-126, and the last one below ln 2^128.
  return timesPower(B, fractionalExp(B, X, Shifted, Magic), Shifted, X,
                    -0x1.5d589ep+6F, 0x1.62e42ep+6F);
}

Value heddle::emitExp(LaneBuilder &B, Value X) {
  // As in emitExp2; -127 ln 2.
  Value Floor = B.splat(-0x1.601e68p+6F);
  X = B.select(B.cmp(CmpFPredicate::OLT, X, Floor), Floor, X);
  constexpr float Offset = Magic + 127.0F;
  Value Shifted = B.fma(X, B.splat(Log2E), B.splat(Offset));
  Value Power =
      asFloat(B, arith::ShLIOp::create(B, asInt(B, Shifted), splatI32(B, 23)));
  return B.fmul(fractionalExp(B, X, Shifted, Offset), Power);
}

Value heddle::emitAnyLog2(LaneBuilder &B, Value X) {
  Value Zero = B.splat(0.0F);
  // Denormal numbers are made normal.
  Value Small = B.cmp(CmpFPredicate::OLT, X, B.splat(0x1p-126F));
  Value Scaled = B.select(Small, B.fmul(X, B.splat(0x1p+25F)), X);
  Value Log = emitLog2(B, Scaled);
  Log = B.select(Small, B.fsub(Log, B.splat(25.0F)), Log);
  Value Top = B.splat(Infinity);
  Log = B.select(B.cmp(CmpFPredicate::OEQ, X, Top), Top, Log);
  Log = B.select(B.cmp(CmpFPredicate::OEQ, X, Zero), B.splat(-Infinity), Log);
  return B.select(B.cmp(CmpFPredicate::OLT, X, Zero), B.splat(NotANumber), Log);
}

Value heddle::emitAnyLog(LaneBuilder &B, Value X) {
  return B.fmul(emitAnyLog2(B, X), B.splat(0x1.62e430p-1F));
}

Value heddle::emitTanh(LaneBuilder &B, Value X) {
  Value Size = abs(B, X);
  // Near 0: x + x^3 p(x^2), minimax for |x| <= 5/8, relative error 4e-9.
  Value X2 = B.fmul(Size, Size);
  Value P = polynomial(B, X2,
                       {-0x1.76ab88p-8F, 0x1.5256b4p-6F, -0x1.b84442p-5F,
                        0x1.110768p-3F, -0x1.555534p-2F});
  Value Near = B.fma(B.fmul(P, X2), Size, Size);
  // Elsewhere 1 - 2 / (e^(2 |x|) + 1).
  Value E = emitAnyExp(B, B.fadd(Size, Size));
  Value Far =
      B.fsub(B.splat(1.0F),
             arith::DivFOp::create(B, B.splat(2.0F), B.fadd(E, B.splat(1.0F))));
  Value IsNear = B.cmp(CmpFPredicate::OLT, Size, B.splat(0.625F));
  return withSign(B, B.select(IsNear, Near, Far), X);
}

Value heddle::emitErf(LaneBuilder &B, Value X) {
  Value Size = abs(B, X);
  // Near 0: x p(x^2), minimax for |x| <= 1, relative error 2e-9.
  Value P = polynomial(B, B.fmul(Size, Size),
                       {0x1.4ae4a0p-14F, -0x1.a485dap-11F, 0x1.5419f2p-8F,
                        -0x1.b7fbb4p-6F, 0x1.ce2d20p-4F, -0x1.81273ep-2F,
                        0x1.20dd74p+0F});
  Value Near = B.fmul(P, Size);
  // Elsewhere 1 - 2^-p(|x|), p the fit of -log2 erfc on [1, 4]; from there on
  // erf is 1 in f32.
  Value Far = B.select(B.cmp(CmpFPredicate::OGT, Size, B.splat(4.0F)),
                       B.splat(4.0F), Size);
  Value Q = polynomial(B, Far,
                       {-0x1.193c8cp-12F, 0x1.163bf6p-8F, -0x1.01da12p-5F,
                        0x1.3082dep-3F, 0x1.d76950p-1F, 0x1.a0416cp+0F,
                        0x1.08a6a8p-11F});
  Far = B.fsub(B.splat(1.0F), emitExp2(B, B.fsub(B.splat(0.0F), Q)));
  Value IsNear = B.cmp(CmpFPredicate::OLT, Size, B.splat(1.0F));
  return withSign(B, B.select(IsNear, Near, Far), X);
}

//===----------------------------------------------------------------------===//
// In double precision
//===----------------------------------------------------------------------===//

static Type doubles(LaneBuilder &B) { return B.ofLanes(B.getF64Type()); }

static Value splatDouble(LaneBuilder &B, double V) {
  return B.splatConstant(B.getF64FloatAttr(V));
}

static Value asDouble(LaneBuilder &B, Value X) {
  return arith::ExtFOp::create(B, doubles(B), X);
}

static Value asSingle(LaneBuilder &B, Value X) {
  return arith::TruncFOp::create(B, B.ofLanes(B.getF32Type()), X);
}

/// sin (x + Quarters pi / 2).
static Value emitSine(LaneBuilder &B, Value X, int32_t Quarters) {
  constexpr double Magic = 0x1.8p+52;
  Value Wide = asDouble(B, X);
  // The number of quarter turns, rounded, is in the low bits of the sum.
  Value Shifted =
      B.fma(Wide, splatDouble(B, 0x1.45f306dc9c883p-1), splatDouble(B, Magic));
  Value Turns = B.fsub(Shifted, splatDouble(B, Magic));
  // Times the upper 33 bits of pi / 2 they are exact while there are 2^20.
  Value Rest = B.fma(Turns, splatDouble(B, -0x1.921fb544p+0), Wide);
  Rest = B.fma(Turns, splatDouble(B, -0x1.0b4611a626331p-34), Rest);
  Value R = asSingle(B, Rest);
  Value R2 = B.fmul(R, R);
  // Minimax for |r| <= pi / 4, errors 4e-9 and 1e-10.
  Value Sine =
      polynomial(B, R2, {-0x1.993d6cp-13F, 0x1.11072ep-7F, -0x1.555546p-3F});
  Sine = B.fma(B.fmul(Sine, R2), R, R);
  Value Cosine = polynomial(
      B, R2, {0x1.99f2d6p-16F, -0x1.6c0c58p-10F, 0x1.55554ap-5F, -0.5F, 1.0F});
  auto Longs = B.ofLanes(B.getI64Type());
  auto Ints = B.ofLanes(B.getI32Type());
  Value Quarter = arith::TruncIOp::create(
      B, Ints, arith::BitcastOp::create(B, Longs, Shifted));
  Quarter = arith::AddIOp::create(B, Quarter, splatI32(B, Quarters));
  Value Odd = arith::CmpIOp::create(
      B, arith::CmpIPredicate::ne,
      arith::AndIOp::create(B, Quarter, splatI32(B, 1)), splatI32(B, 0));
  Value Sign = arith::ShLIOp::create(
      B, arith::AndIOp::create(B, Quarter, splatI32(B, 2)), splatI32(B, 30));
  Value Result = asInt(B, B.select(Odd, Cosine, Sine));
  Result = asFloat(B, arith::XOrIOp::create(B, Result, Sign));
  Value Known = B.cmp(CmpFPredicate::OLT, abs(B, X), B.splat(0x1p+50F));
  return B.select(Known, Result, B.splat(NotANumber));
}

Value heddle::emitSin(LaneBuilder &B, Value X) { return emitSine(B, X, 0); }
Value heddle::emitCos(LaneBuilder &B, Value X) { return emitSine(B, X, 1); }

/// log2 x in f64 for x >= 0, relative error 1e-11.
static Value doubleLog2(LaneBuilder &B, Value X) {
  Value Small = B.cmp(CmpFPredicate::OLT, X, B.splat(0x1p-126F));
  Value Normal = B.select(Small, B.fmul(X, B.splat(0x1p+25F)), X);
  // As in emitLog2.
  Value Bits = asInt(B, Normal);
  Value Exponent = arith::ShRSIOp::create(
      B, arith::SubIOp::create(B, Bits, splatI32(B, 0x3f3504f3)),
      splatI32(B, 23));
  Value Y = asDouble(
      B, asFloat(B, arith::SubIOp::create(
                        B, Bits,
                        arith::ShLIOp::create(B, Exponent, splatI32(B, 23)))));
  Value One = splatDouble(B, 1.0);
  Value Z = arith::DivFOp::create(B, B.fsub(Y, One), B.fadd(Y, One));
  Value Z2 = B.fmul(Z, Z);
  constexpr double TwoByLn2 = 0x1.71547652b82fep+1;
  Value Series = splatDouble(B, TwoByLn2 / 13);
  for (int N = 11; N > 0; N -= 2)
    Series = B.fma(Series, Z2, splatDouble(B, TwoByLn2 / N));
  Value Whole = arith::SIToFPOp::create(B, doubles(B), Exponent);
  Whole = B.select(Small, B.fsub(Whole, splatDouble(B, 25.0)), Whole);
  Value Log = B.fma(Series, Z, Whole);
  constexpr double Top = std::numeric_limits<double>::infinity();
  auto Where = [&](CmpFPredicate P, float Limit, double Value) {
    Log = B.select(B.cmp(P, X, B.splat(Limit)), splatDouble(B, Value), Log);
  };
  Where(CmpFPredicate::OEQ, 0.0F, -Top);
  Where(CmpFPredicate::OEQ, Infinity, Top);
  Where(CmpFPredicate::UNO, 0.0F, std::numeric_limits<double>::quiet_NaN());
  return Log;
}

Value heddle::emitPow(LaneBuilder &B, Value X, Value Y) {
  Value One = B.splat(1.0F), Zero = B.splat(0.0F);
  Value Size = abs(B, X);
  Value Wide = B.fmul(doubleLog2(B, Size), asDouble(B, Y));
  // 1 to any power, infinite ones too.
  Wide =
      B.select(B.cmp(CmpFPredicate::OEQ, Size, One), splatDouble(B, 0.0), Wide);
  // Beyond 200 the result is 0 or infinite anyway. NaN passes.
  Value Limit = splatDouble(B, 200.0);
  Wide = B.select(B.cmp(CmpFPredicate::OGT, Wide, Limit), Limit, Wide);
  Limit = splatDouble(B, -200.0);
  Wide = B.select(B.cmp(CmpFPredicate::OLT, Wide, Limit), Limit, Wide);
  Rounded N = roundToInt(B, asSingle(B, Wide));
  Value Fraction = asSingle(B, B.fsub(Wide, asDouble(B, N.Float)));
  Value Power = scaledExp2(B, Fraction, N.Int);

  // Negative bases, -0 among them, have integer powers.
  Value Half = B.fmul(Y, B.splat(0.5F));
  Value IsWhole = B.cmp(CmpFPredicate::OEQ, emitFloor(B, Y), Y);
  Value IsOdd = arith::AndIOp::create(
      B, IsWhole, B.cmp(CmpFPredicate::UNE, emitFloor(B, Half), Half));
  Value Result = B.select(IsOdd, withSign(B, Power, X), Power);
  Value IsNegative = B.cmp(CmpFPredicate::OLT, X, Zero);
  Result = B.select(IsNegative, B.select(IsWhole, Result, B.splat(NotANumber)),
                    Result);
  Result = B.select(B.cmp(CmpFPredicate::OEQ, X, One), One, Result);
  return B.select(B.cmp(CmpFPredicate::OEQ, Y, Zero), One, Result);
}

//===----------------------------------------------------------------------===//
// Rounding
//===----------------------------------------------------------------------===//

Value heddle::emitFloor(LaneBuilder &B, Value X) {
  // From 2^23 on there are only integers, and the conversion would overflow.
  Value Size = abs(B, X);
  Value Small = B.cmp(CmpFPredicate::OLT, Size, B.splat(0x1p+23F));
  Value Safe = B.select(Small, X, B.splat(0.0F));
  auto Ints = B.ofLanes(B.getI32Type());
  Value Whole = arith::SIToFPOp::create(B, B.ofLanes(B.getF32Type()),
                                        arith::FPToSIOp::create(B, Ints, Safe));
  Whole = B.select(B.cmp(CmpFPredicate::OGT, Whole, Safe),
                   B.fsub(Whole, B.splat(1.0F)), Whole);
  // -0 stays -0.
  return B.select(Small, withSign(B, abs(B, Whole), X), X);
}

Value heddle::emitCeil(LaneBuilder &B, Value X) {
  auto Negate = [&](Value V) -> Value { return arith::NegFOp::create(B, V); };
  return Negate(emitFloor(B, Negate(X)));
}
