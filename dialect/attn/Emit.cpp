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
  IndexAccess *access;

  Value read(unsigned param, ArrayRef<Value> indices) {
    return access->read(builder, loc, param, indices);
  }
  Value holds(unsigned param, ArrayRef<Value> indices, Value x) {
    return access->contains(builder, loc, param, indices, x);
  }
  IndexAccess::Span span(unsigned param, ArrayRef<Value> leading, Value first,
                         Value last) {
    return access->span(builder, loc, param, leading, first, last);
  }
  Value seek(unsigned param, ArrayRef<Value> leading, Value from, Value lo,
             Value hi, bool outside) {
    return access->seek(builder, loc, param, leading, from, lo, hi, outside);
  }
  IndexAccess::Probe probe(unsigned param, ArrayRef<Value> leading, Value first,
                           Value last, Value lo, Value hi) {
    return access->probe(builder, loc, param, leading, first, last, lo, hi);
  }

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

//===----------------------------------------------------------------------===//
// Access by operations
//===----------------------------------------------------------------------===//

IndexAccess::~IndexAccess() = default;

Value OperandAccess::read(OpBuilder &builder, Location loc, unsigned param,
                          ArrayRef<Value> indices) {
  return AtOp::create(builder, loc, operands[param], indices);
}

Value OperandAccess::contains(OpBuilder &builder, Location loc, unsigned param,
                              ArrayRef<Value> indices, Value value) {
  Value row = indices.empty()
                  ? Value(arith::ConstantIndexOp::create(builder, loc, 0))
                  : indices.back();
  ArrayRef<Value> leading = indices.empty() ? indices : indices.drop_back();
  return probe(builder, loc, param, leading, row, row, value, value).some;
}

IndexAccess::Span OperandAccess::span(OpBuilder &builder, Location loc,
                                      unsigned param, ArrayRef<Value> leading,
                                      Value first, Value last) {
  Type index = builder.getIndexType();
  auto op = SpanOp::create(builder, loc, index, index, operands[param], leading,
                           first, last);
  return {op.getLo(), op.getHi()};
}

Value OperandAccess::seek(OpBuilder &builder, Location loc, unsigned param,
                          ArrayRef<Value> leading, Value from, Value lo,
                          Value hi, bool outside) {
  return SeekOp::create(builder, loc, builder.getIndexType(), operands[param],
                        leading, from, lo, hi, outside);
}

IndexAccess::Probe OperandAccess::probe(OpBuilder &builder, Location loc,
                                        unsigned param, ArrayRef<Value> leading,
                                        Value first, Value last, Value lo,
                                        Value hi) {
  Type index = builder.getIndexType(), i1 = builder.getI1Type();
  auto op = ProbeOp::create(builder, loc, i1, i1, index, index, operands[param],
                            leading, first, last, lo, hi);
  return {op.getSome(), op.getEvery(), op.getNext(), op.getPrevious()};
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

static EmitArithmetic arithmeticFor(OpBuilder &builder, Location loc,
                                    const Coordinates &at) {
  return {builder, loc, getElementTypeOrSelf(at.k.back().getType()), at.access};
}

static EmitAlgebra::Box pointAt(const Coordinates &at) {
  auto points = [](ArrayRef<Value> coordinates) {
    SmallVector<EmitAlgebra::Range, 3> ranges;
    for (Value x : llvm::reverse(coordinates))
      ranges.push_back({x, x});
    return ranges;
  };
  return {at.b, at.h, points(at.q), points(at.k), at.numKeys, at.params, 1};
}

Value emitContains(OpBuilder &builder, Location loc, FormulaAttr formula,
                   const Coordinates &at) {
  EmitArithmetic arithmetic = arithmeticFor(builder, loc, at);
  return EmitAlgebra(arithmetic).contains(formula, pointAt(at));
}

Value emitValue(OpBuilder &builder, Location loc, AffineExpr expr,
                const Coordinates &at) {
  EmitArithmetic arithmetic = arithmeticFor(builder, loc, at);
  return EmitAlgebra(arithmetic).value(expr, pointAt(at));
}

/// Whether an element of a table is in the expression.
static bool readsTable(AffineExpr expr) {
  return expr
      .walk([](AffineExpr part) {
        return getRead(part) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

std::optional<EmittedKeys> emitKeys(OpBuilder &builder, Location loc,
                                    FormulaAttr atom, unsigned axis,
                                    const Coordinates &at) {
  if (atom.getKind() != FormulaKind::Between || readsTable(atom.getForm()))
    return std::nullopt;
  // The algebra asks along the innermost axis: the axes change places.
  SmallVector<AffineExpr> dims;
  for (unsigned dim = 0; dim < kFirstReadDim; ++dim)
    dims.push_back(getAffineDimExpr(dim, builder.getContext()));
  std::swap(dims[DimQ], dims[queryDim(axis)]);
  std::swap(dims[DimK], dims[keyDim(axis)]);
  AffineExpr form = canonicalize(atom.getForm().replaceDims(dims));
  Coordinates there = at;
  std::swap(there.q.back(), there.q[there.q.size() - 1 - axis]);
  std::swap(there.k.back(), there.k[there.k.size() - 1 - axis]);
  std::optional<int> direction = EmitAlgebra::direction(form);
  if (!direction || *direction == 0)
    return std::nullopt;
  for (unsigned other = 1; other < kNumAxes; ++other)
    if (uses(form, keyDim(other)))
      return std::nullopt;

  EmitArithmetic arithmetic = arithmeticFor(builder, loc, there);
  EmitAlgebra algebra(arithmetic);
  EmitAlgebra::Box point = pointAt(there);
  // The first key from which on the form is at least `bound`, or, where it
  // falls, below it.
  auto reach = [&](Value bound) {
    if (*direction < 0)
      bound = arithmetic.sub(bound, arithmetic.constant(1));
    return algebra.reach(form, /*lower=*/true, bound, point);
  };
  EmittedKeys keys;
  if (!atom.getLows().empty())
    keys.begin = reach(algebra.combineBounds(atom.getLows(), true, point));
  if (!atom.getHighs().empty())
    keys.end = reach(algebra.combineBounds(atom.getHighs(), false, point));
  if (*direction < 0)
    std::swap(keys.begin, keys.end);
  return keys;
}

EmittedStatus emitStatus(OpBuilder &builder, Location loc, FormulaAttr formula,
                         const Coordinates &at, ArrayRef<int64_t> queries,
                         ArrayRef<int64_t> keys) {
  EmitArithmetic arithmetic = arithmeticFor(builder, loc, at);
  auto ranges = [&](ArrayRef<Value> from, ArrayRef<int64_t> sizes) {
    SmallVector<EmitAlgebra::Range, 3> ranges;
    for (size_t axis = from.size(); axis-- > 0;)
      ranges.push_back(
          {from[axis],
           arithmetic.add(from[axis], arithmetic.constant(sizes[axis] - 1))});
    return ranges;
  };
  EmitAlgebra::Box box{at.b,
                       at.h,
                       ranges(at.q, queries),
                       ranges(at.k, keys),
                       at.numKeys,
                       at.params,
                       keys.back()};
  EmitAlgebra::At answer = EmitAlgebra(arithmetic).at(formula, box);
  Type i32 = builder.getI32Type();
  auto number = [&](int32_t x) { return arithmetic.constantOf(i32, x); };
  Value status =
      arithmetic.select(answer.empty, number(0),
                        arithmetic.select(answer.full, number(2), number(1)));
  return {status, answer.until};
}

} // namespace heddle::attn
