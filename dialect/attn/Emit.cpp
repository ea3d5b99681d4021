// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Emit.h"
#include "dialect/attn/Sets.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace heddle::attn {

namespace {
/// SSA values as the arithmetic of the algebra. Operands are scalars or vectors
/// of one element type; constants fold, so that an open bound costs nothing.
struct EmitArithmetic {
  using Int = Value;
  using Bool = Value;

  OpBuilder &builder;
  Location loc;
  Type type; ///< of the integers: `index` or an integer type.

  Value constantOf(Type of, int64_t x) {
    return arith::ConstantOp::create(
        builder, loc, cast<TypedAttr>(builder.getIntegerAttr(of, x)));
  }
  Value constant(int64_t x) { return constantOf(type, x); }
  Value truth(bool x) { return constantOf(builder.getI1Type(), x); }

  static std::optional<int64_t> known(Value value) {
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant)))
      return constant.getSExtValue();
    return std::nullopt;
  }

  /// Makes both operands vectors when one is.
  void unify(Value &x, Value &y) {
    auto splat = [&](Value value, Type like) {
      auto vector = dyn_cast<VectorType>(like);
      if (!vector || isa<VectorType>(value.getType()))
        return value;
      auto shape = VectorType::get(vector.getShape(), value.getType(),
                                   vector.getScalableDims());
      return builder.createOrFold<vector::BroadcastOp>(loc, shape, value);
    };
    Value z = splat(x, y.getType());
    y = splat(y, x.getType());
    x = z;
  }
  template <typename Op> Value binary(Value x, Value y) {
    unify(x, y);
    return builder.createOrFold<Op>(loc, x, y);
  }
  Value compare(arith::CmpIPredicate predicate, Value x, Value y) {
    unify(x, y);
    return builder.createOrFold<arith::CmpIOp>(loc, predicate, x, y);
  }

  Value add(Value x, Value y) { return binary<arith::AddIOp>(x, y); }
  Value sub(Value x, Value y) { return binary<arith::SubIOp>(x, y); }
  Value min(Value x, Value y) { return binary<arith::MinSIOp>(x, y); }
  Value max(Value x, Value y) { return binary<arith::MaxSIOp>(x, y); }
  Value bitAnd(Value x, Value y) { return binary<arith::AndIOp>(x, y); }
  Value mul(Value x, int64_t y) {
    return binary<arith::MulIOp>(x, constant(y));
  }
  // Divisions by powers of two are shifts and masks on two's complement; the
  // others round down by hand, since `floordivsi` has no direct lowering.
  Value floorDiv(Value x, int64_t y) {
    if (llvm::isPowerOf2_64(y))
      return binary<arith::ShRSIOp>(x, constant(llvm::Log2_64(y)));
    // floor(x / y) = (x - (x < 0 ? y - 1 : 0)) / y, truncating.
    Value bias = select(less(x, constant(0)), constant(y - 1), constant(0));
    return binary<arith::DivSIOp>(sub(x, bias), constant(y));
  }
  Value mod(Value x, int64_t y) {
    if (llvm::isPowerOf2_64(y))
      return bitAnd(x, constant(y - 1));
    return sub(x, mul(floorDiv(x, y), y));
  }
  Value less(Value x, Value y) {
    return compare(arith::CmpIPredicate::slt, x, y);
  }
  Value equal(Value x, Value y) {
    return compare(arith::CmpIPredicate::eq, x, y);
  }
  Value both(Value x, Value y) { return binary<arith::AndIOp>(x, y); }
  Value either(Value x, Value y) { return binary<arith::OrIOp>(x, y); }
  Value negate(Value x) { return binary<arith::XOrIOp>(x, truth(true)); }
  Value select(Value c, Value x, Value y) {
    if (std::optional<int64_t> condition = known(c))
      return *condition ? x : y;
    if (x == y)
      return x;
    unify(x, y);
    if (isa<VectorType>(c.getType())) {
      unify(x, c);
      unify(y, c);
    }
    return builder.createOrFold<arith::SelectOp>(loc, c, x, y);
  }
  Value floorPow2(Value x) {
    Type i64 = builder.getI64Type();
    Value wide = x.getType() == i64
                     ? x
                     : builder.createOrFold<arith::IndexCastOp>(loc, i64, x);
    Value zeros = math::CountLeadingZerosOp::create(builder, loc, wide);
    Value shift =
        arith::SubIOp::create(builder, loc, constantOf(i64, 63), zeros);
    Value power =
        arith::ShLIOp::create(builder, loc, constantOf(i64, 1), shift);
    return x.getType() == i64 ? power
                              : builder.createOrFold<arith::IndexCastOp>(
                                    loc, x.getType(), power);
  }
};
using EmitAlgebra = SetAlgebra<EmitArithmetic>;
} // namespace

static EmitArithmetic arithmeticFor(OpBuilder &builder, Location loc,
                                    const Coordinates &at) {
  return {builder, loc, getElementTypeOrSelf(at.k.getType())};
}

Value emitContains(OpBuilder &builder, Location loc, FormulaAttr formula,
                   const Coordinates &at) {
  EmitArithmetic arithmetic = arithmeticFor(builder, loc, at);
  EmitAlgebra::Box point{at.b, at.h,       at.q,      at.q, at.k,
                         at.k, at.numKeys, at.params, 1};
  return EmitAlgebra(arithmetic).contains(formula, point);
}

EmittedStatus emitStatus(OpBuilder &builder, Location loc, FormulaAttr formula,
                         const Coordinates &at, int64_t queries, int64_t keys) {
  EmitArithmetic arithmetic = arithmeticFor(builder, loc, at);
  Value q1 = arithmetic.add(at.q, arithmetic.constant(queries - 1));
  Value k1 = arithmetic.add(at.k, arithmetic.constant(keys - 1));
  EmitAlgebra::Box box{at.b, at.h,       at.q,      q1,  at.k,
                       k1,   at.numKeys, at.params, keys};
  EmitAlgebra::At answer = EmitAlgebra(arithmetic).at(formula, box);
  Type i32 = builder.getI32Type();
  auto number = [&](int32_t x) { return arithmetic.constantOf(i32, x); };
  Value status =
      arithmetic.select(answer.empty, number(0),
                        arithmetic.select(answer.full, number(2), number(1)));
  return {status, answer.until};
}

} // namespace heddle::attn
