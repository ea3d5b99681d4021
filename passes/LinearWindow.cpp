// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearWindow.h"

#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
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
