// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearWindow.h"

#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <limits>

using namespace heddle;
using namespace mlir;

WindowBounds heddle::findWindowBounds(LinearFrame &frame) {
  ImplicitLocOpBuilder &b = frame.b;
  Value zero = frame.constant(int64_t{0});
  Value ahead = frame.keysAhead();
  WindowBounds bounds;
  bounds.shift = arith::SubIOp::create(b, ahead, frame.window());
  bounds.early = arith::MaxSIOp::create(b, zero, bounds.shift);
  Value lag = arith::SubIOp::create(b, zero, bounds.shift);
  bounds.without = arith::MinSIOp::create(b, frame.numQueries(),
                                          arith::MaxSIOp::create(b, zero, lag));
  bounds.keyZero = arith::SubIOp::create(b, frame.origin, ahead);
  return bounds;
}

/// Keys that exist, less than the window behind the query and not after it.
static attn::FormulaAttr windowFormula(MLIRContext *context, unsigned param) {
  auto symbol = [&](unsigned number) {
    return getAffineSymbolExpr(number, context);
  };
  AffineExpr key = getAffineDimExpr(attn::DimK, context);
  AffineExpr distance = getAffineDimExpr(attn::DimQ, context) - key;
  return attn::getAll(
      context, {attn::getBetween(distance, {getAffineConstantExpr(0, context)},
                                 {symbol(attn::paramSymbol(param))}),
                attn::getBetween(key, {}, {symbol(attn::kNumKeysSymbol)})});
}

LinearWindow::Softmax LinearWindow::run(const TokenTile &queries) {
  int64_t size = queries.size, keyTile = frame.keyTile();
  unsigned param = *frame.recurrence().getWindowParam();
  attn::FormulaAttr formula = windowFormula(b.getContext(), param);
  Value position = arith::AddIOp::create(b, queries.row, frame.keysAhead());
  Value factor = arith::MulFOp::create(b, frame.scale, frame.constant(kLog2E));
  Value q =
      tile::ScaleOp::create(b, frame.load(frame.q, size, queries.row), factor);

  auto outType = frame.tileType({size, frame.sizes.values});
  auto rowType = frame.tileType({size});
  auto pairType = frame.tileType({size, keyTile});
  SmallVector<Value> state = {
      frame.fill(outType, 0),
      frame.fill(rowType, -std::numeric_limits<float>::infinity()),
      frame.fill(rowType, 0)};
  Value tiles = attn::TilesOp::create(b, formula, frame.batch, frame.head,
                                      position, frame.numKeys(), frame.params,
                                      size, keyTile, ArrayRef<int64_t>{},
                                      ArrayRef<int64_t>{}, ArrayRef<int64_t>{});
  auto loop = tile::ForeachOp::create(
      b, tiles, /*axes=*/1, state,
      [&](OpBuilder &, Location, ValueRange first, Value status,
          ValueRange carried) -> SmallVector<Value> {
        Value k = frame.load(frame.k(), keyTile, first.front());
        Value v = frame.load(frame.v(), keyTile, first.front());
        Value scores = tile::ScoresOp::create(b, pairType, q, k);
        auto bitsType = RankedTensorType::get({size, keyTile}, b.getI1Type());
        Value bits = tile::BitsOp::create(
            b, bitsType, formula, frame.batch, frame.head, position, first,
            Value(), frame.numKeys(), status, frame.params, ArrayRef<int64_t>{},
            ArrayRef<int64_t>{});
        auto step = tile::SoftmaxStepOp::create(
            b, pairType, rowType, rowType, rowType,
            tile::MaskOp::create(b, scores, bits), carried[1], carried[2]);
        Value o = tile::RescaleOp::create(b, carried[0], step.getAlpha());
        o = frame.product(o, step.getP(), v, bits);
        return {o, step.getNewM(), step.getNewL()};
      });
  return {loop.getResult(0), loop.getResult(1), loop.getResult(2)};
}

void LinearWindow::join(ChunkSums &sums, const TokenTile &queries) {
  Softmax softmax = run(queries);
  if (sums.z) {
    sums.num = frame.add(softmax.o, sums.num);
    sums.z = frame.add(softmax.l, sums.z);
    return;
  }
  auto finish =
      tile::FinishOp::create(b, softmax.o.getType(), softmax.l.getType(),
                             softmax.o, softmax.m, softmax.l);
  sums.num = frame.add(finish.getResult(), sums.num);
}

LinearWindow::Softmax LinearWindow::runToken(const TokenTile &query) {
  int64_t size = frame.keyTile();
  Value zero = frame.constant(int64_t{0});
  Value own = arith::AddIOp::create(b, query.row, frame.keysAhead());
  Value end = arith::AddIOp::create(b, own, frame.constant(int64_t{1}));
  Value begin = arith::MaxSIOp::create(
      b, zero, arith::SubIOp::create(b, end, frame.window()));
  Value q =
      tile::ScaleOp::create(b, frame.load(frame.q, 1, query.row), frame.scale);
  Value least = frame.constant(-std::numeric_limits<float>::infinity());
  auto expOf = [&](Value x, Value y) {
    return math::ExpOp::create(b, frame.subtract(x, y));
  };
  auto addTile = [&](const TokenTile &keys, ValueRange carried) {
    Value o = carried[0], m = carried[1], l = carried[2];
    Value s = frame.scores(frame.load(frame.k(), size, keys.row), q);
    Value v = frame.transpose(frame.load(frame.v(), size, keys.row));
    // Nothing of later keys may get in, not even times 0.
    if (keys.end) {
      s = frame.map(
          {size, 1}, s,
          [&](ValueRange in, Value row, Value) {
            return frame.select(frame.less(row, keys.end), in[0], least);
          },
          keys.row);
      v = frame.map(
          {frame.sizes.values, size}, v,
          [&](ValueRange in, Value, Value column) {
            return frame.select(frame.less(column, keys.end), in[0],
                                frame.constant(0.0F));
          },
          Value(), keys.row);
    }
    Value largest = frame.element(tile::ReduceOp::create(
        b, frame.tileType({1}), tile::Reduction::Max, s, /*axis=*/0));
    Value newM = arith::MaximumFOp::create(b, m, largest);
    // Where every score is -inf, so that no difference is NaN.
    Value isLeast =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, newM, least);
    Value base = frame.select(isLeast, frame.constant(0.0F), newM);
    Value alpha = frame.element(
        frame.map({1}, {}, [&](auto, Value, Value) { return expOf(m, base); }));
    Value p = frame.map({size, 1}, s, [&](ValueRange in, Value, Value) {
      return expOf(in[0], base);
    });
    Value newL = frame.add(frame.mul(l, alpha), frame.element(frame.sum(p, 0)));
    Value faded = tile::ScaleOp::create(b, o, alpha);
    return LinearFrame::Carried{frame.product(faded, v, p), newM, newL};
  };
  LinearFrame::Carried sums =
      frame.forEachTile(begin, end, zero, size,
                        {frame.fill(frame.tileType({frame.sizes.values, 1}), 0),
                         least, frame.constant(0.0F)},
                        addTile);
  return {sums[0], sums[1], sums[2]};
}

void LinearWindow::joinToken(Value &num, Value &z, const TokenTile &query) {
  Softmax softmax = runToken(query);
  if (z) {
    num = frame.add(softmax.o, num);
    z = frame.add(softmax.l, z);
    return;
  }
  Value zero = frame.constant(0.0F);
  Value isEmpty =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, softmax.l, zero);
  Value inverse = arith::DivFOp::create(b, frame.constant(1.0F), softmax.l);
  num = frame.add(
      tile::ScaleOp::create(b, softmax.o, frame.select(isEmpty, zero, inverse)),
      num);
}
