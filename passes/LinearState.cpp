// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearState.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace heddle;
using namespace mlir;

SmallVector<Value> LinearState::list() const {
  SmallVector<Value> values;
  for (Value value : {s, z, v, n})
    if (value)
      values.push_back(value);
  return values;
}

LinearState LinearState::with(ValueRange values) const {
  LinearState result = *this;
  for (Value *place : {&result.s, &result.z, &result.v, &result.n})
    if (*place) {
      *place = values.front();
      values = values.drop_front();
    }
  return result;
}

/// A vector of one row as such.
static Value asVector(LinearFrame &frame, Value row) {
  int64_t size = cast<RankedTensorType>(row.getType()).getDimSize(1);
  return tile::TransposeOp::create(frame.b, frame.tileType({size}), row);
}

LinearState heddle::loadState(LinearFrame &frame) {
  ImplicitLocOpBuilder &b = frame.b;
  Value zero = frame.constant(int64_t{0});
  LinearState state;
  int64_t features = frame.sizes.features;
  state.s = frame.transpose(frame.load(frame.stateIn, features, zero));
  auto loadSums = [&](int64_t size, Value at) -> Value {
    return tile::LoadOp::create(b, frame.tileType({size}), frame.sumsIn,
                                frame.batch, frame.head, at);
  };
  if (frame.hasSums())
    state.z = loadSums(features, zero);
  if (frame.hasMagnitude()) {
    Value behind = frame.constant(features);
    state.v = asVector(frame, frame.load(frame.stateIn, 1, behind));
    state.n = frame.element(loadSums(1, behind));
  }
  return state;
}

void heddle::storeState(LinearFrame &frame, const LinearState &state) {
  Value zero = frame.constant(int64_t{0});
  frame.store(frame.transpose(state.s), frame.stateOut, zero);
  if (state.z)
    frame.store(state.z, frame.sumsOut, zero);
  if (!state.v)
    return;
  Value behind = frame.constant(frame.sizes.features);
  frame.store(frame.asRow(state.v), frame.stateOut, behind);
  frame.store(frame.map({1}, {}, [&](auto, Value, Value) { return state.n; }),
              frame.sumsOut, behind);
}

Value heddle::buildQuotient(LinearFrame &frame, const QuotientParts &parts) {
  ImplicitLocOpBuilder &b = frame.b;
  Value zero = frame.constant(0.0F);
  Value result = frame.mul(parts.num, parts.inverse);
  if (parts.v)
    result = frame.subtract(frame.add(parts.num, result),
                            frame.mul(parts.ratio, parts.v));
  Value isZero =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, parts.z, zero);
  return frame.select(isZero, zero, result);
}

Value heddle::buildExpansion(LinearFrame &frame, Value rows) {
  attn::ExpandAttr expand = frame.recurrence().getExpand();
  if (expand.isNone())
    return rows;
  IntegerAttr power;
  if (expand.getKind() == attn::ExpandKind::Power)
    power = frame.b.getI64IntegerAttr(expand.getPower());
  int64_t tokens = cast<RankedTensorType>(rows.getType()).getDimSize(0);
  return tile::ExpandOp::create(
      frame.b, frame.tileType({tokens, frame.sizes.features}), rows, power);
}

Value heddle::buildExpandedScore(LinearFrame &frame, Value score) {
  attn::ExpandAttr expand = frame.recurrence().getExpand();
  switch (expand.getKind()) {
  case attn::ExpandKind::None:
    return score;
  case attn::ExpandKind::Taylor: {
    Value half = frame.mul(score, frame.constant(0.5F));
    Value square = frame.mul(half, score);
    return frame.add(frame.add(square, score), frame.constant(1.0F));
  }
  case attn::ExpandKind::Power:
    break;
  }
  // By squaring.
  Value result, square = score;
  for (int64_t left = expand.getPower(); left > 0; left /= 2) {
    if (left % 2 != 0)
      result = result ? frame.mul(result, square) : square;
    if (left > 1)
      square = frame.mul(square, square);
  }
  return result;
}
