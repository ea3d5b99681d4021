// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/IndexArithmetic.h"

#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle;
using namespace mlir;

static Value constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value heddle::emitFloorDiv(ImplicitLocOpBuilder &b, Value x, int64_t divisor) {
  if (llvm::isPowerOf2_64(divisor))
    return b.createOrFold<arith::ShRSIOp>(x,
                                          constant(b, llvm::Log2_64(divisor)));
  // floor(x / y) = (x - (x < 0 ? y - 1 : 0)) / y, truncating.
  Value zero = constant(b, 0);
  Value isNegative =
      b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, x, zero);
  Value bias = b.createOrFold<arith::SelectOp>(isNegative,
                                               constant(b, divisor - 1), zero);
  return b.createOrFold<arith::DivSIOp>(b.createOrFold<arith::SubIOp>(x, bias),
                                        constant(b, divisor));
}

Value heddle::emitMod(ImplicitLocOpBuilder &b, Value x, int64_t divisor) {
  if (llvm::isPowerOf2_64(divisor))
    return b.createOrFold<arith::AndIOp>(x, constant(b, divisor - 1));
  return b.createOrFold<arith::SubIOp>(
      x, b.createOrFold<arith::MulIOp>(emitFloorDiv(b, x, divisor),
                                       constant(b, divisor)));
}

Value heddle::emitCeilDiv(ImplicitLocOpBuilder &b, Value x, int64_t divisor) {
  return emitFloorDiv(
      b, b.createOrFold<arith::AddIOp>(x, constant(b, divisor - 1)), divisor);
}

/// The coordinate that a dimension of a formula stands for.
static Value coordinate(unsigned dim, const attn::Coordinates &at) {
  if (dim == attn::DimB)
    return at.b;
  if (dim == attn::DimH)
    return at.h;
  unsigned axis = (dim - attn::DimQ) / 2;
  const SmallVector<Value> &side = dim == attn::queryDim(axis) ? at.q : at.k;
  return side[side.size() - 1 - axis];
}

Value heddle::emitExpr(ImplicitLocOpBuilder &b, AffineExpr expr,
                       const attn::Coordinates &at) {
  if (attn::ReadAttr read = attn::getRead(expr)) {
    SmallVector<Value> indices;
    for (AffineExpr index : read.getIndices())
      indices.push_back(emitExpr(b, index, at));
    return at.access->read(b, b.getLoc(), read.getParam(), indices);
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return coordinate(dim.getPosition(), at);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbol.getPosition() == attn::kNumKeysSymbol
               ? at.numKeys
               : at.params[symbol.getPosition() - attn::paramSymbol(0)];
  if (auto number = dyn_cast<AffineConstantExpr>(expr))
    return constant(b, number.getValue());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value x = emitExpr(b, binary.getLHS(), at);
  auto divisor = [&] {
    return cast<AffineConstantExpr>(binary.getRHS()).getValue();
  };
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return b.createOrFold<arith::AddIOp>(x, emitExpr(b, binary.getRHS(), at));
  case AffineExprKind::Mul:
    return b.createOrFold<arith::MulIOp>(x, emitExpr(b, binary.getRHS(), at));
  case AffineExprKind::FloorDiv:
    return emitFloorDiv(b, x, divisor());
  case AffineExprKind::Mod:
    return emitMod(b, x, divisor());
  default:
    llvm_unreachable("formulas hold no other expressions");
  }
}

void heddle::cloneRegionOp(ImplicitLocOpBuilder &b, Operation &op,
                           IRMapping &map, Value numKeys) {
  if (auto number = dyn_cast<attn::NumKeysOp>(op)) {
    map.map(number.getResult(), numKeys);
    return;
  }
  if (auto mod = dyn_cast<attn::ModOp>(op)) {
    map.map(mod.getResult(),
            emitMod(b, map.lookupOrDefault(mod.getValue()), mod.getModulus()));
    return;
  }
  APInt divisor;
  if (isa<arith::FloorDivSIOp, arith::CeilDivSIOp>(op) &&
      matchPattern(op.getOperand(1), m_ConstantInt(&divisor))) {
    Value x = map.lookupOrDefault(op.getOperand(0));
    map.map(op.getResult(0), isa<arith::FloorDivSIOp>(op)
                                 ? emitFloorDiv(b, x, divisor.getSExtValue())
                                 : emitCeilDiv(b, x, divisor.getSExtValue()));
    return;
  }
  b.clone(op, map);
}
