// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearState.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace heddle;
using namespace mlir;

SmallVector<Value> LinearState::list() const {
  SmallVector<Value> values = llvm::to_vector_of<Value>(s);
  llvm::append_range(values, z);
  for (Value value : {v, n})
    if (value)
      values.push_back(value);
  return values;
}

LinearState LinearState::with(ValueRange values) const {
  LinearState result = *this;
  auto put = [&](Value &place) {
    if (!place)
      return;
    place = values.front();
    values = values.drop_front();
  };
  for (FeatureParts *parts : {&result.s, &result.z})
    for (Value &place : *parts)
      put(place);
  put(result.v);
  put(result.n);
  return result;
}

/// A vector of one row as such.
static Value asVector(LinearFrame &frame, Value row) {
  int64_t size = cast<RankedTensorType>(row.getType()).getDimSize(1);
  return frame.b.createOrFold<tile::TransposeOp>(frame.tileType({size}), row);
}

LinearState heddle::loadState(LinearFrame &frame) {
  ImplicitLocOpBuilder &b = frame.b;
  auto loadSums = [&](int64_t size, Value at) -> Value {
    return tile::LoadOp::create(b, frame.tileType({size}), frame.sumsIn,
                                frame.batch, frame.head, at);
  };
  LinearState state;
  int64_t size = frame.partFeatures();
  for (int64_t part = 0; part < frame.sizes.features; part += size) {
    Value at = frame.constant(part);
    state.s.push_back(frame.transpose(frame.load(frame.stateIn, size, at)));
    if (frame.hasSums())
      state.z.push_back(loadSums(size, at));
  }
  if (frame.hasMagnitude()) {
    Value behind = frame.constant(frame.sizes.features);
    state.v = asVector(frame, frame.load(frame.stateIn, 1, behind));
    state.n = frame.element(loadSums(1, behind));
  }
  return state;
}

void heddle::storeState(LinearFrame &frame, const LinearState &state) {
  int64_t size = frame.partFeatures();
  for (auto [part, s] : llvm::enumerate(state.s)) {
    Value at = frame.constant(static_cast<int64_t>(part) * size);
    frame.store(frame.transpose(s), frame.stateOut, at);
    if (frame.hasSums())
      frame.store(state.z[part], frame.sumsOut, at);
  }
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

/// The parts side by side in one tile, by a product with ones.
static Value join(LinearFrame &frame, const FeatureParts &parts) {
  if (parts.size() == 1)
    return parts.front();
  int64_t size = cast<RankedTensorType>(parts.front().getType()).getDimSize(1);
  Value result;
  for (auto [number, part] : llvm::enumerate(parts)) {
    int64_t first = static_cast<int64_t>(number) * size;
    Value place = frame.map(
        {size, frame.sizes.mapped}, {},
        [&](auto, Value row, Value column) {
          Value isThere = arith::CmpIOp::create(
              frame.b, arith::CmpIPredicate::eq, row, column);
          return frame.select(isThere, frame.constant(1.0F),
                              frame.constant(0.0F));
        },
        frame.constant(first));
    result = frame.product(result, part, place);
  }
  return result;
}

FeatureParts heddle::buildExpansion(LinearFrame &frame,
                                    const FeatureParts &rows) {
  attn::ExpandAttr expand = frame.recurrence().getExpand();
  if (expand.isNone())
    return rows;
  IntegerAttr power;
  if (expand.getKind() == attn::ExpandKind::Power)
    power = frame.b.getI64IntegerAttr(expand.getPower());
  Value joined = join(frame, rows);
  int64_t tokens = cast<RankedTensorType>(joined.getType()).getDimSize(0);
  return {tile::ExpandOp::create(
      frame.b, frame.tileType({tokens, frame.sizes.features}), joined, power)};
}

Value heddle::buildScores(LinearFrame &frame, const FeatureParts &x,
                          const FeatureParts &y) {
  Value result = frame.scores(x.front(), y.front());
  for (auto [one, other] : llvm::drop_begin(llvm::zip_equal(x, y)))
    result = frame.product(result, one, frame.transpose(other));
  return result;
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
