// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearChunk.h"

#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace heddle;
using namespace mlir;

//===----------------------------------------------------------------------===//
// The state
//===----------------------------------------------------------------------===//

Value LinearChunk::timesColumns(Value tile, Value vector) {
  return frame.map(
      cast<RankedTensorType>(tile.getType()).getShape(),
      {tile, frame.asRow(vector)},
      [&](ValueRange in, Value, Value) { return frame.mul(in[0], in[1]); });
}

LinearState LinearChunk::advance(const LinearState &state,
                                 const ChunkKeys &keys) {
  auto fade = [&](Value tile) -> Value {
    return keys.total ? Value(tile::ScaleOp::create(b, tile, keys.total))
                      : tile;
  };
  LinearState next;
  for (auto [part, phi] : llvm::enumerate(keys.phiToEnd)) {
    Value s = isPerChannel() ? timesColumns(state.s[part], keys.totals[part])
                             : fade(state.s[part]);
    s = frame.product(s, keys.vToEndT, phi);
    if (keys.erasure.vT)
      s = frame.product(s, keys.erasure.vT, keys.erasure.yToEnd[part]);
    next.s.push_back(s);
    if (!frame.hasSums())
      continue;
    Value z = isPerChannel() ? frame.mul(state.z[part], keys.totals[part])
                             : fade(state.z[part]);
    Value sum =
        keys.areLanes ? frame.sum(phi, 0) : frame.sum(frame.transpose(phi), 1);
    next.z.push_back(frame.add(z, sum));
  }
  if (!state.v)
    return next;
  Value values = keys.toEnd ? timesColumns(keys.vT, keys.toEnd) : keys.vT;
  next.v = frame.add(fade(state.v), frame.sum(values, 1));
  if (!keys.toEnd) {
    next.n = frame.add(state.n, keys.number);
    return next;
  }
  // Tokens that don't exist count for nothing.
  Value counted =
      frame.map({keys.size}, keys.toEnd, [&](ValueRange in, Value row, Value) {
        Value exists = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT,
                                             asFloat(row), keys.number);
        return frame.select(exists, in[0], frame.constant(0.0F));
      });
  Value sum = frame.element(frame.sum(frame.asRow(counted), 1));
  next.n = frame.add(frame.mul(state.n, keys.total), sum);
  return next;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

Value LinearChunk::causalBits(int64_t size) {
  MLIRContext *context = b.getContext();
  AffineExpr distance = getAffineDimExpr(attn::DimQ, context) -
                        getAffineDimExpr(attn::DimK, context);
  attn::FormulaAttr formula =
      attn::getBetween(distance, {getAffineConstantExpr(0, context)}, {});
  Value zero = frame.constant(int64_t{0});
  auto type = RankedTensorType::get({size, size}, b.getI1Type());
  return tile::BitsOp::create(b, type, formula, frame.batch, frame.head, zero,
                              zero, Value(), frame.constant(size),
                              frame.constantStatus(tile::Partial), ValueRange{},
                              ArrayRef<int64_t>{}, ArrayRef<int64_t>{});
}

Value LinearChunk::buildPairs(const FeatureParts &x, const FeatureParts &y,
                              const ChunkKeys &keys, bool before) {
  if (!isPerChannel())
    return buildScores(frame, x, y);
  Value scores;
  auto type = frame.tileType({keys.size, keys.size});
  for (auto [q, k, a] : llvm::zip_equal(x, y, keys.a)) {
    Value part = tile::DecayedScoresOp::create(b, type, q, k, a, before);
    scores = scores ? frame.add(scores, part) : part;
  }
  return scores;
}

FeatureParts LinearChunk::fromStart(FeatureParts rows, const ChunkKeys *keys) {
  if (keys && isPerChannel())
    for (auto [part, products] : llvm::zip_equal(rows, keys->fromStarts))
      part = frame.mul(part, products);
  return rows;
}

Value LinearChunk::pairWeights(const FeatureParts &x, const ChunkKeys &keys) {
  Value scores = buildPairs(x, keys.y, keys);
  if (!frame.isExpanded() && !frame.hasSums())
    return keys.w ? frame.mul(scores, keys.w) : scores;
  SmallVector<Value> inputs = {scores};
  if (keys.w)
    inputs.push_back(keys.w);
  return frame.map({keys.size, keys.size}, inputs,
                   [&](ValueRange in, Value row, Value column) {
                     Value weight = buildExpandedScore(frame, in[0]);
                     if (keys.w)
                       weight = frame.mul(weight, in[1]);
                     if (!frame.hasSums())
                       return weight;
                     return frame.select(frame.less(row, column),
                                         frame.constant(0.0F), weight);
                   });
}

/// `magnitude`: the values so far, for every query.
Value LinearChunk::sumOfValues(const LinearState &state, const ChunkKeys *keys,
                               int64_t size) {
  SmallVector<Value> inputs = {frame.asRow(state.v)};
  bool decays = keys && keys->fromStart;
  if (decays)
    inputs.push_back(keys->fromStart);
  Value before = frame.map(
      {size, frame.sizes.values}, inputs, [&](ValueRange in, Value, Value) {
        return decays ? frame.mul(in[0], in[1]) : Value(in[0]);
      });
  if (!keys)
    return before;
  Value w = keys->w ? keys->w : frame.fill(frame.tileType({size, size}), 1);
  return frame.product(before, w, keys->v, causalBits(size));
}

/// `magnitude`: the factors so far.
Value LinearChunk::sumOfFactors(const LinearState &state, const ChunkKeys *keys,
                                int64_t size) {
  if (!keys)
    return frame.map({size}, {}, [&](auto, Value, Value) { return state.n; });
  if (!keys->w)
    return frame.map({size}, {}, [&](auto, Value row, Value) {
      Value more = frame.add(asFloat(row), frame.constant(1.0F));
      return frame.add(state.n, more);
    });
  return frame.map({size}, {frame.sum(keys->w, 1), keys->fromStart},
                   [&](ValueRange in, Value, Value) {
                     return frame.add(in[0], frame.mul(in[1], state.n));
                   });
}

FeatureParts LinearChunk::loadQueries(const TokenTile &queries) {
  TokenTile all = queries;
  // Rows that don't exist aren't stored.
  all.end = Value();
  RowMap map{&frame.recurrence().getQuery(), TokenAxis::Rows, frame.scale};
  Value q = frame.load(frame.q, queries);
  return buildFeatures(frame, map, q, all);
}

bool LinearChunk::areValuesLanes() const {
  // The window's sums are softmax's, of queries along the lanes.
  return !frame.isForDevice() && !frame.window() &&
         frame.sizes.values % frame.spec.entry.getSchedule().getLanes() == 0 &&
         frame.sizes.values >= frame.chunk();
}

Value LinearChunk::outputsOfState(const LinearState &state,
                                  const FeatureParts &phi,
                                  const ChunkKeys *keys) {
  bool fades = keys && keys->fromStart;
  if (areValuesLanes()) {
    Value result = buildScores(frame, state.s, phi);
    return fades ? timesColumns(result, keys->fromStart) : result;
  }
  Value result = buildScores(frame, phi, state.s);
  return fades ? Value(tile::RescaleOp::create(b, result, keys->fromStart))
               : result;
}

Value LinearChunk::addPairs(Value num, Value weights, Value v, Value vT) {
  if (!areValuesLanes())
    return frame.product(
        num, weights, v,
        causalBits(cast<RankedTensorType>(v.getType()).getDimSize(0)));
  return tile::AccumulateOp::create(b, num.getType(), num, vT,
                                    frame.transpose(weights), Value(),
                                    /*upper=*/true);
}

ChunkSums LinearChunk::sumUp(const LinearState &state, const ChunkKeys *keys,
                             const FeatureParts &x, int64_t size) {
  FeatureParts phi = fromStart(buildExpansion(frame, x), keys);
  bool fades = keys && keys->fromStart;

  Value num = outputsOfState(state, phi, keys);
  Value weights;
  if (keys) {
    weights = pairWeights(x, *keys);
    num = addPairs(num, weights, keys->v, keys->vT);
    if (const ChunkErasure &erasure = keys->erasure; erasure.v)
      num =
          addPairs(num, buildPairs(x, erasure.y, *keys), erasure.v, erasure.vT);
  }
  ChunkSums sums;
  (areValuesLanes() ? sums.numT : sums.num) = num;
  if (frame.hasSums()) {
    FeatureParts rows = llvm::to_vector<2>(
        llvm::map_range(state.z, [&](Value z) { return frame.asRow(z); }));
    sums.z = frame.sum(buildScores(frame, phi, rows), 1);
    if (fades)
      sums.z = frame.mul(sums.z, keys->fromStart);
    if (keys)
      sums.z = frame.add(sums.z, frame.sum(weights, 1));
  }
  if (state.v) {
    sums.v = sumOfValues(state, keys, size);
    sums.n = sumOfFactors(state, keys, size);
  }
  return sums;
}

void LinearChunk::addKeys(ChunkSums &sums, const FeatureParts &x,
                          const ChunkKeys &keys) {
  Value weights = pairWeights(x, keys);
  sums.num = addPairs(sums.num, weights, keys.v, keys.vT);
  if (sums.z)
    sums.z = frame.add(sums.z, frame.sum(weights, 1));
}

void LinearChunk::storeOutput(const ChunkSums &sums, const TokenTile &queries) {
  bool areLanes = sums.numT != nullptr;
  Value result = areLanes ? sums.numT : sums.num;
  int64_t size = queries.size;
  auto divide = [&](Value x, Value y) {
    SmallVector<Value> inputs = {y};
    if (x)
      inputs.push_back(x);
    return frame.map({size}, inputs, [&](ValueRange in, Value, Value) -> Value {
      Value above = x ? Value(in[1]) : frame.constant(1.0F);
      return arith::DivFOp::create(b, above, in[0]);
    });
  };
  if (sums.z) {
    SmallVector<Value> inputs = {sums.z, divide(Value(), sums.z)};
    if (sums.v)
      inputs.append({sums.v, divide(sums.z, sums.n)});
    // Vectors have an element per token, the tile of sums a row.
    if (areLanes)
      for (Value &input : inputs)
        input = frame.transpose(input);
    inputs.insert(inputs.begin(), result);
    result =
        frame.map(cast<RankedTensorType>(result.getType()).getShape(), inputs,
                  [&](ValueRange in, Value, Value) {
                    QuotientParts parts{in[0], in[1], in[2], Value(), Value()};
                    if (sums.v)
                      parts.v = in[3], parts.ratio = in[4];
                    return buildQuotient(frame, parts);
                  });
  }
  TokenTile all = queries;
  all.end = Value();
  RowMap map{&frame.recurrence().getOutput(),
             areLanes ? TokenAxis::Columns : TokenAxis::Rows, Value()};
  Value rows = buildFeatures(frame, map, result, all).front();
  frame.store(areLanes ? frame.transpose(rows) : rows, frame.o, queries.row);
}

LinearState LinearChunk::advanceOver(Value begin, Value end, Value zero,
                                     const LinearState &state) {
  return state.with(
      frame.forEachTile(begin, end, zero, frame.chunk(), state.list(),
                        [&](const TokenTile &tokens, ValueRange carried) {
                          LinearState now = state.with(carried);
                          ChunkKeys keys = loadKeys(tokens);
                          replaceValues(keys, now);
                          return advance(now, keys).list();
                        }));
}
