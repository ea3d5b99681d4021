// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Convert.h"

using namespace heddle::cpu;
using namespace mlir;
using arith::CmpIPredicate;

/// `Scalar`, or a vector of it as long as `Model`.
static Type shapedLike(Type Model, Type Scalar) {
  if (auto Vector = dyn_cast<VectorType>(Model))
    return VectorType::get(Vector.getShape(), Scalar);
  return Scalar;
}

namespace {

/// Arithmetic on the bits of f32 values, scalars or vectors alike.
class Bits {
public:
  Bits(KernelBuilder &B, Type Model)
      : B(B), I16(shapedLike(Model, B.getI16Type())),
        I32(shapedLike(Model, B.getI32Type())),
        F16(shapedLike(Model, B.getF16Type())),
        F32(shapedLike(Model, B.getF32Type())) {}

  Value widenHalf(Value Stored);
  Value widenBrain(Value Stored);
  Value narrowHalf(Value X);
  Value narrowBrain(Value X);

private:
  Value constant(uint32_t V) {
    if (auto Vector = dyn_cast<VectorType>(I32))
      return B.constant(DenseElementsAttr::get(Vector, APInt(32, V)));
    return B.constant(B.getIntegerAttr(I32, APInt(32, V)));
  }
  Value add(Value X, Value Y) { return arith::AddIOp::create(B, X, Y); }
  Value sub(Value X, Value Y) { return arith::SubIOp::create(B, X, Y); }
  Value both(Value X, Value Y) { return arith::AndIOp::create(B, X, Y); }
  Value either(Value X, Value Y) { return arith::OrIOp::create(B, X, Y); }
  Value left(Value X, uint32_t N) {
    return arith::ShLIOp::create(B, X, constant(N));
  }
  Value right(Value X, uint32_t N) {
    return arith::ShRUIOp::create(B, X, constant(N));
  }
  /// Of values below 2^31.
  Value below(Value X, uint32_t Limit) {
    return arith::CmpIOp::create(B, CmpIPredicate::slt, X, constant(Limit));
  }
  Value asFloat(Value X) { return arith::BitcastOp::create(B, F32, X); }
  Value asInt(Value X) { return arith::BitcastOp::create(B, I32, X); }
  /// The upper bits from bit `N` on, rounded to nearest even.
  Value roundedRight(Value X, uint32_t N) {
    Value Odd = both(right(X, N), constant(1));
    return right(add(add(X, constant((1U << (N - 1)) - 1)), Odd), N);
  }

  KernelBuilder &B;
  Type I16, I32, F16, F32;
};

} // namespace

Value Bits::widenHalf(Value Stored) {
  if (B.shape().ConvertsHalf)
    return LLVM::FPExtOp::create(B, F32,
                                 arith::BitcastOp::create(B, F16, Stored));
  Value Wide = arith::ExtUIOp::create(B, I32, Stored);
  Value Sign = left(both(Wide, constant(0x8000)), 16);
  Value Rest = both(Wide, constant(0x7fff));
  // The fraction where an f32 has it; the exponents' biases differ by 112.
  Value Shifted = left(Rest, 13);
  Value Normal = add(Shifted, constant(112U << 23));
  // Infinity and NaN have the largest exponent, which is 112 further up.
  Value Special = add(Shifted, constant(224U << 23));
  // 2^-14 (1 + f) - 2^-14 leaves the subnormal 2^-14 f, a normal f32.
  Value Least = constant(113U << 23);
  Value Subnormal = asInt(B.fsub(asFloat(add(Shifted, Least)), asFloat(Least)));
  Value Result = B.select(below(Rest, 0x400), Subnormal, Normal);
  Result = B.select(below(Rest, 0x7c00), Result, Special);
  return asFloat(either(Result, Sign));
}

Value Bits::widenBrain(Value Stored) {
  return asFloat(left(arith::ExtUIOp::create(B, I32, Stored), 16));
}

Value Bits::narrowHalf(Value X) {
  if (B.shape().ConvertsHalf)
    return arith::BitcastOp::create(B, I16, LLVM::FPTruncOp::create(B, F16, X));
  Value All = asInt(X);
  Value Sign = both(right(All, 16), constant(0x8000));
  Value Rest = both(All, constant(0x7fffffff));
  // Rounding carries into the exponent, up to that of infinity.
  Value Normal = roundedRight(sub(Rest, constant(112U << 23)), 13);
  // Beside 1/2 the last place of an f32 is that of a subnormal f16.
  Value Half = constant(126U << 23);
  Value Subnormal = sub(asInt(B.fadd(asFloat(Rest), asFloat(Half))), Half);
  Value NaN = either(both(right(Rest, 13), constant(0x3ff)), constant(0x7e00));
  Value Result = B.select(below(Rest, 113U << 23), Subnormal, Normal);
  Result = B.select(below(Rest, 143U << 23), Result, constant(0x7c00));
  Result = B.select(below(Rest, (255U << 23) + 1), Result, NaN);
  return arith::TruncIOp::create(B, I16, either(Result, Sign));
}

Value Bits::narrowBrain(Value X) {
  Value All = asInt(X);
  // A NaN's lower bits must not carry, nor may it become infinity without them.
  Value Quiet = either(right(All, 16), constant(0x40));
  Value IsNaN = B.cmp(arith::CmpFPredicate::UNO, X, X);
  return arith::TruncIOp::create(B, I16,
                                 B.select(IsNaN, Quiet, roundedRight(All, 16)));
}

/// The type elements are loaded and stored as.
static Type storedType(KernelBuilder &B, Type Element) {
  return Element.isF32() ? Element : B.getI16Type();
}

static unsigned alignmentOf(Type Element) {
  return Element.getIntOrFloatBitWidth() / 8;
}

int64_t heddle::cpu::codeOf(Type Element) {
  enum : int64_t { None, F32, F16, BF16 };
  if (!Element)
    return None;
  return Element.isF32() ? F32 : Element.isF16() ? F16 : BF16;
}

Value heddle::cpu::loadWidened(KernelBuilder &B, Value Pointer, Type Element,
                               int64_t Count) {
  Type T = storedType(B, Element);
  if (Count > 1)
    T = VectorType::get({Count}, T);
  Value Stored = LLVM::LoadOp::create(B, T, Pointer, alignmentOf(Element));
  if (Element.isF32())
    return Stored;
  Bits Convert(B, T);
  return Element.isF16() ? Convert.widenHalf(Stored)
                         : Convert.widenBrain(Stored);
}

void heddle::cpu::storeNarrowed(KernelBuilder &B, Value X, Value Pointer,
                                Type Element) {
  if (!Element.isF32()) {
    Bits Convert(B, X.getType());
    X = Element.isF16() ? Convert.narrowHalf(X) : Convert.narrowBrain(X);
  }
  LLVM::StoreOp::create(B, X, Pointer, alignmentOf(Element));
}
