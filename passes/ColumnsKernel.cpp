// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/TileKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/IndexArithmetic.h"
#include "passes/PairTile.h"
#include <limits>

using namespace heddle;
using namespace mlir;

/// The one source; a combination has no columns of its own.
static constexpr unsigned kSource = 0;

/// Weights of pairs under a normaliser without a sum, 0 where they are not
/// kept.
static Value buildKeptWeights(KernelFrame &frame, const QueryTile &queries,
                              const KeyTile &keys, const PairTile &pairs) {
  ImplicitLocOpBuilder &b = frame.b;
  Value masked = tile::MaskOp::create(b, pairs.scores, pairs.bits);
  if (frame.spec.normalizer().getKind() != attn::NormalizerKind::Identity)
    return buildWeights(frame, kSource, queries, keys, masked);
  // The other functions take -inf to 0.
  attn::ScheduleAttr schedule = frame.spec.entry.getSchedule();
  auto modify = tile::ModifyOp::create(
      b, TypeRange{masked.getType()}, masked, frame.batch, frame.head,
      queries.first, keys.first, Value(), ValueRange(), schedule.getQueryBox(),
      schedule.getKeyBox());
  OpBuilder::InsertionGuard guard(b);
  Type index = b.getIndexType();
  SmallVector<Type> types = {b.getF32Type(), index, index, index, index};
  Block *block = b.createBlock(&modify.getBody(), {}, types,
                               SmallVector<Location>(types.size(), b.getLoc()));
  Value score = block->getArgument(0);
  Value isMasked = arith::CmpFOp::create(
      b, arith::CmpFPredicate::OEQ, score,
      frame.constant(-std::numeric_limits<float>::infinity()));
  tile::YieldOp::create(b, ValueRange{arith::SelectOp::create(
                               b, isMasked, frame.constant(0.0f), score)});
  return modify.getResult(0);
}

/// Adds what one tile of queries gives to the columns.
static void addTile(KernelFrame &frame, const QueryTile &queries,
                    const KeyTile &keys) {
  ImplicitLocOpBuilder &b = frame.b;
  attn::OutputsAttr outputs = frame.spec.outputs();
  Value rows =
      frame.loadQueries(kSource, queries, buildQueryFactor(frame, kSource));
  PairTile pairs = buildPairTile(frame, kSource, queries, rows, keys,
                                 /*wantScores=*/true);
  Value weights;
  if (frame.spec.isSoftmax()) {
    Value scores = pairs.scores;
    if (frame.spec.normalizer().getKind() == attn::NormalizerKind::Grouped)
      scores = tile::RegroupOp::create(
          b, scores, pairs.bits, queries.first.front(), keys.first.front());
    Value lse =
        tile::LoadOp::create(b, frame.tileType({frame.queryTile()}), frame.lse,
                             frame.batch, frame.head, queries.rows);
    weights = tile::WeightsOp::create(b, scores, lse, pairs.bits);
  } else {
    weights = buildKeptWeights(frame, queries, keys, pairs);
  }
  Value firstKey = keys.first.front();
  if (outputs.getColumnSums())
    tile::AddColumnsOp::create(b, weights, queries.count, frame.columnSums,
                               frame.batch, frame.head, firstKey);
  if (outputs.hasBlockMax())
    tile::RaiseBlocksOp::create(b, weights, queries.count, frame.blockMax,
                                frame.batch, frame.head, queries.rows, firstKey,
                                outputs.getBlockQ(), outputs.getBlockK());
}

void heddle::buildColumnsKernel(KernelFrame &frame) {
  ImplicitLocOpBuilder &b = frame.b;
  frame.open("columns", {}, {});
  Value firstKey =
      arith::MulIOp::create(b, frame.tile, frame.constant(frame.keyTile()));
  Value tiles = emitCeilDiv(b, frame.dim(tile::Axis::Position, frame.q),
                            frame.queryTile());
  scf::ForOp::create(
      b, frame.constant(int64_t{0}), tiles, frame.constant(int64_t{1}),
      ValueRange(), [&](OpBuilder &, Location, Value number, ValueRange) {
        QueryTile queries = frame.buildQueryTile(number);
        attn::FormulaAttr formula = frame.spec.sources[kSource].formula;
        attn::EmittedStatus answer =
            frame.emitStatus(kSource, formula, queries, firstKey);
        Value isLive =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ne, answer.status,
                                  frame.constantStatus(tile::Empty));
        scf::IfOp::create(b, isLive, [&](OpBuilder &, Location) {
          addTile(frame, queries,
                  frame.buildKeyTile(kSource, firstKey, answer.status));
          scf::YieldOp::create(b);
        });
        scf::YieldOp::create(b);
      });
  func::ReturnOp::create(b);
}
