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

/// Weights of pairs under a normaliser without a sum, 0 where they are not
/// kept.
static Value buildKeptWeights(KernelFrame &frame, unsigned source,
                              const QueryTile &queries, const KeyTile &keys,
                              const PairTile &pairs) {
  ImplicitLocOpBuilder &b = frame.b;
  Value masked = tile::MaskOp::create(b, pairs.scores, pairs.bits);
  if (frame.spec.normalizer().getKind() != attn::NormalizerKind::Identity)
    return buildWeights(frame, source, queries, keys, masked);
  // The other functions take -inf to 0.
  attn::ScheduleAttr schedule = frame.spec.entry.getSchedule();
  auto modify = tile::ModifyOp::create(
      b, TypeRange{masked.getType()}, masked, frame.batch, frame.head,
      queries.first, keys.first, Value(), ValueRange(), schedule.getQueryBox(),
      schedule.getKeyBox());
  OpBuilder::InsertionGuard guard(b);
  Type index = b.getIndexType();
  SmallVector<Type> types = {b.getF32Type()};
  types.append(frame.spec.first().getNumCoordinates(), index);
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

/// Adds what one tile of queries gives to the columns of a source.
static void addTile(KernelFrame &frame, unsigned source,
                    const QueryTile &queries, const KeyTile &keys) {
  ImplicitLocOpBuilder &b = frame.b;
  attn::OutputsAttr outputs = frame.spec.outputs();
  const KernelFrame::Source &to = frame.sources[source];
  Value rows =
      frame.loadQueries(source, queries, buildQueryFactor(frame, source));
  PairTile pairs = buildPairTile(frame, source, queries, rows, keys,
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
    weights = buildKeptWeights(frame, source, queries, keys, pairs);
  }
  if (outputs.getColumnSums())
    tile::AddColumnsOp::create(b, weights, queries.count, to.columnSums,
                               frame.batch, frame.head, keys.rows);
  if (outputs.hasBlockMax())
    tile::RaiseBlocksOp::create(
        b, weights, queries.count, to.blockMax, frame.batch, frame.head,
        queries.rows, keys.rows, outputs.getBlockQ(), outputs.getBlockK());
}

/// Sweeps the queries over a tile of the source's keys.
static void buildSweep(KernelFrame &frame, unsigned source) {
  ImplicitLocOpBuilder &b = frame.b;
  // Queries outside of a grid keep nothing, and so have no weights.
  attn::FormulaAttr formula =
      frame.ofExistingQueries(source, frame.spec.sources[source].formula);
  SmallVector<Value> firstKey = frame.firstKeyOf(frame.tile);
  scf::ForOp::create(
      b, frame.constant(int64_t{0}), frame.numQueryTiles(),
      frame.constant(int64_t{1}), ValueRange(),
      [&](OpBuilder &, Location, Value number, ValueRange) {
        QueryTile queries = frame.buildQueryTile(number);
        attn::EmittedStatus answer =
            frame.emitStatus(source, formula, queries, firstKey);
        Value isLive =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ne, answer.status,
                                  frame.constantStatus(tile::Empty));
        scf::IfOp::create(b, isLive, [&](OpBuilder &, Location) {
          KeyTile keys = frame.buildKeyTile(source, firstKey, answer.status);
          keys.formula = formula;
          addTile(frame, source, queries, keys);
          scf::YieldOp::create(b);
        });
        scf::YieldOp::create(b);
      });
}

void heddle::buildColumnsKernel(KernelFrame &frame) {
  ImplicitLocOpBuilder &b = frame.b;
  Value wanted = frame.open("columns", {b.getIndexType()}, {});
  unsigned numSources = frame.spec.sources.size();
  for (unsigned source = 0; source < numSources; ++source) {
    if (numSources == 1) {
      buildSweep(frame, source);
      break;
    }
    Value isWanted =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, wanted,
                              frame.constant(static_cast<int64_t>(source)));
    scf::IfOp::create(b, isWanted, [&](OpBuilder &, Location) {
      buildSweep(frame, source);
      scf::YieldOp::create(b);
    });
  }
  func::ReturnOp::create(b);
}
