// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/PairTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/IndexArithmetic.h"

using namespace heddle;
using namespace mlir;

Value heddle::buildQueryFactor(KernelFrame &frame, unsigned source) {
  // A score region sees scores in their own units.
  attn::PatternOp pattern = frame.spec.sources[source].pattern;
  if (!frame.spec.isSoftmax() || pattern.hasScore())
    return frame.scale;
  return arith::MulFOp::create(frame.b, frame.scale, frame.constant(kLog2E));
}

/// The weight of a score under a normaliser without a sum.
static Value weightOf(ImplicitLocOpBuilder &b, attn::NormalizerKind kind,
                      Value score) {
  auto constant = [&](float value) -> Value {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  };
  auto positive = [&]() -> Value {
    return arith::MaximumFOp::create(b, score, constant(0));
  };
  switch (kind) {
  case attn::NormalizerKind::Sigmoid: {
    Value power = math::ExpOp::create(b, arith::NegFOp::create(b, score));
    return arith::DivFOp::create(b, constant(1),
                                 arith::AddFOp::create(b, constant(1), power));
  }
  case attn::NormalizerKind::Relu:
    return positive();
  case attn::NormalizerKind::Relu2: {
    Value x = positive();
    return arith::MulFOp::create(b, x, x);
  }
  case attn::NormalizerKind::Identity:
    return score;
  case attn::NormalizerKind::Softmax:
  case attn::NormalizerKind::Grouped:
    break;
  }
  llvm_unreachable("the others have a sum");
}

/// Copies the score region of `pattern` into a region with the arguments of
/// tile.modify; gives the changed score and the factor.
static SmallVector<Value> cloneScore(ImplicitLocOpBuilder &b,
                                     attn::PatternOp pattern, Block &into,
                                     Value numKeys) {
  Block &from = pattern.getScore().front();
  unsigned numParams = pattern.getNumParams();
  unsigned numCoordinates = pattern.getNumCoordinates();
  // There parameters come first, here last.
  IRMapping map;
  for (unsigned i = 0; i < numParams; ++i)
    map.map(from.getArgument(i), into.getArgument(1 + numCoordinates + i));
  for (unsigned i = 0; i < 1 + numCoordinates; ++i)
    map.map(from.getArgument(numParams + i), into.getArgument(i));
  for (Operation &op : from.without_terminator())
    cloneRegionOp(b, op, map, numKeys);
  SmallVector<Value> results;
  for (Value value : from.getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(value));
  return results;
}

/// A tile.modify whose region is the score region of the source's pattern
/// (`change`), the weight function (`weigh`), or the one after the other.
static tile::ModifyOp buildModify(KernelFrame &frame, unsigned source,
                                  const QueryTile &queries, const KeyTile &keys,
                                  Value scores, bool change, bool weigh) {
  ImplicitLocOpBuilder &b = frame.b;
  attn::PatternOp pattern = frame.spec.sources[source].pattern;
  SmallVector<Value> params;
  bool hasFactor = false;
  if (change) {
    params = frame.sources[source].params;
    // The region knows nothing but its arguments.
    params.push_back(frame.sources[source].numKeys);
    hasFactor = static_cast<bool>(
        cast<attn::ScoreOp>(pattern.getScore().front().getTerminator())
            .getFactor());
  }
  attn::ScheduleAttr schedule = frame.spec.entry.getSchedule();
  SmallVector<Type> types(hasFactor ? 2 : 1, scores.getType());
  auto modify = tile::ModifyOp::create(
      b, types, scores, frame.batch, frame.head, queries.first, keys.first,
      keys.listed, params, schedule.getQueryBox(), schedule.getKeyBox());

  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> arguments = {b.getF32Type()};
  arguments.append(pattern.getNumCoordinates(), b.getIndexType());
  llvm::append_range(arguments, ValueRange(params).getTypes());
  Block *block =
      b.createBlock(&modify.getBody(), {}, arguments,
                    SmallVector<Location>(arguments.size(), b.getLoc()));
  SmallVector<Value> results = {block->getArgument(0)};
  if (change)
    results = cloneScore(b, pattern, *block, block->getArguments().back());
  if (weigh)
    results.front() =
        weightOf(b, frame.spec.normalizer().getKind(), results.front());
  tile::YieldOp::create(b, results);
  return modify;
}

Value heddle::buildWeights(KernelFrame &frame, unsigned source,
                           const QueryTile &queries, const KeyTile &keys,
                           Value scores) {
  if (frame.spec.normalizer().getKind() == attn::NormalizerKind::Identity)
    return scores;
  return buildModify(frame, source, queries, keys, scores, /*change=*/false,
                     /*weigh=*/true)
      .getResult(0);
}

PairTile heddle::buildPairTile(KernelFrame &frame, unsigned source,
                               const QueryTile &queries, Value queryRows,
                               const KeyTile &keys, bool wantScores,
                               const SharedKeys &shared) {
  ImplicitLocOpBuilder &b = frame.b;
  attn::PatternOp pattern = frame.spec.sources[source].pattern;
  bool hasScore = pattern.hasScore();
  PairTile pairs;
  Value keyRows = shared.keys ? shared.keys : frame.loadKeys(source, keys);
  Value scores =
      tile::ScoresOp::create(b, frame.pairType(), queryRows, keyRows);
  bool isSoftmax = frame.spec.isSoftmax();
  // One region does for both where nobody looks in between.
  bool atOnce = hasScore && !isSoftmax && !wantScores;
  if (hasScore) {
    auto modify = buildModify(frame, source, queries, keys, scores,
                              /*change=*/true, /*weigh=*/atOnce);
    scores = modify.getResult(0);
    if (modify.getNumResults() > 1)
      pairs.factors = modify.getResult(1);
  }
  if (atOnce)
    pairs.weights = scores;
  else if (!isSoftmax)
    pairs.weights = buildWeights(frame, source, queries, keys, scores);
  else if (hasScore)
    scores = tile::ScaleOp::create(b, scores, frame.constant(kLog2E));
  if (!atOnce)
    pairs.scores = scores;
  pairs.bits =
      shared.bits ? shared.bits : frame.buildBits(source, queries, keys);
  return pairs;
}
