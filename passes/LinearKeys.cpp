// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The keys and values of a chunk: mapped, with the products of their factors,
// and with what a delta rule writes in place of the values.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/LinearChunk.h"

using namespace heddle;
using namespace mlir;

void LinearChunk::loadFactorsByFeature(ChunkKeys &keys,
                                       const TokenTile &tokens) {
  int64_t size = frame.sizes.inputs;
  for (int64_t first = 0; first < frame.sizes.mapped; first += size) {
    Value a = buildFactors(frame, tokens, TokenAxis::Rows, first, size);
    auto products = tile::CumulateOp::create(b, a, frame.erasesFirst());
    Value fromStart = products.getFromStart();
    keys.a.push_back(a);
    if (frame.erasesFirst()) {
      keys.before.push_back(fromStart);
      fromStart = frame.mul(fromStart, a);
    }
    keys.fromStarts.push_back(fromStart);
    keys.toEnds.push_back(products.getToEnd());
    keys.totals.push_back(products.getTotal());
  }
}

void LinearChunk::loadFactors(ChunkKeys &keys, const TokenTile &tokens) {
  if (frame.decay() == attn::DecayKind::None)
    return;
  if (isPerChannel()) {
    loadFactorsByFeature(keys, tokens);
    return;
  }
  TokenTile at = tokens;
  // One factor for all tokens is computed once.
  if (frame.decay() == attn::DecayKind::Constant && !tokens.end)
    at.first = frame.constant(int64_t{0});
  Value a = buildFactors(frame, at);
  auto products =
      tile::DecaysOp::create(b, frame.tileType({keys.size, keys.size}),
                             a.getType(), a.getType(), b.getF32Type(), a);
  keys.w = products.getW();
  keys.fromStart = products.getFromStart();
  keys.toEnd = products.getToEnd();
  keys.total = products.getTotal();
  if (frame.decay() == attn::DecayKind::Constant)
    keys.total = buildPower(buildLogFactor(frame, at), countTokens(tokens));
}

/// A factor that is rounded errs alike for all tokens, so that the product of
/// very many has another rate. Not so where each chunk has one of its own.
Value LinearChunk::buildPower(Value logFactor, Value number) {
  return frame.element(frame.map({1}, {}, [&](auto, Value, Value) {
    return math::ExpOp::create(b, frame.mul(logFactor, number));
  }));
}

ChunkKeys LinearChunk::loadKeys(const TokenTile &tokens) {
  attn::RecurrenceOp recurrence = frame.recurrence();
  ChunkKeys keys;
  keys.size = tokens.size;
  loadFactors(keys, tokens);
  Value k = frame.load(frame.k(), tokens);
  Value v = frame.load(frame.v(), tokens);

  // Keys are used as rows, which is how they lie in memory. Only what combines
  // features wants the tokens along the lanes.
  bool isMapped = !recurrence.getKey().empty() || tokens.end;
  keys.areLanes = frame.isExpanded() || isPerChannel();
  bool areRows = keys.areLanes || !isMapped;
  TokenAxis axis = areRows ? TokenAxis::Rows : TokenAxis::Columns;
  RowMap map{&recurrence.getKey(), axis, Value()};
  keys.y = buildFeatures(frame, map, areRows ? k : frame.transpose(k), tokens);
  if (!areRows)
    for (Value &y : keys.y)
      y = frame.transpose(y);
  RowMap valueMap{&recurrence.getValue(), TokenAxis::Columns, Value()};
  keys.vT = buildFeatures(frame, valueMap, frame.transpose(v), tokens).front();
  bool asIs = recurrence.getValue().empty() && !tokens.end;
  keys.v = asIs ? v : frame.transpose(keys.vT);

  keys.phiToEnd = buildExpansion(frame, keys.y);
  // An expansion may make something of nothing, which has no value but counts.
  if (tokens.end && frame.isExpanded() && frame.hasSums())
    keys.phiToEnd.front() = frame.map(
        {tokens.size, frame.sizes.features}, keys.phiToEnd.front(),
        [&](ValueRange in, Value row, Value) {
          return frame.select(frame.less(row, tokens.end), in[0],
                              frame.constant(0.0F));
        },
        tokens.first);
  keys.vToEndT = keys.vT;
  for (auto [part, phi] : llvm::enumerate(keys.phiToEnd)) {
    if (isPerChannel())
      phi = frame.mul(phi, keys.toEnds[part]);
    else if (!keys.toEnd || !frame.hasSums())
      continue;
    else if (frame.isExpanded())
      phi = tile::RescaleOp::create(b, phi, keys.toEnd);
    else
      phi = frame.transpose(timesColumns(frame.transpose(phi), keys.toEnd));
  }
  // Where nothing sums features up, it is the values that fade.
  if (keys.toEnd && !frame.hasSums() && !frame.hasDelta())
    keys.vToEndT = timesColumns(keys.vT, keys.toEnd);

  if (frame.hasDelta())
    keys.beta = buildBeta(frame, tokens);
  if (frame.hasMagnitude())
    keys.number = countTokens(tokens);
  return keys;
}

Value LinearChunk::countTokens(const TokenTile &tokens) {
  if (!tokens.end)
    return frame.constant(static_cast<float>(tokens.size));
  Value left = arith::SubIOp::create(b, tokens.end, tokens.first);
  return asFloat(arith::MinSIOp::create(b, left, frame.constant(tokens.size)));
}

Value LinearChunk::asFloat(Value index) {
  return arith::SIToFPOp::create(
      b, b.getF32Type(), arith::IndexCastOp::create(b, b.getI32Type(), index));
}

void LinearChunk::replaceValues(ChunkKeys &keys, const LinearState &state) {
  if (!frame.hasDelta())
    return;
  if (frame.erasesFirst()) {
    eraseFirst(keys, state);
    return;
  }
  // What the state holds for the keys already, and what earlier ones add.
  Value a = buildPairs(keys.y, keys.y, keys);
  if (keys.w)
    a = frame.mul(a, keys.w);
  a = tile::RescaleOp::create(b, a, keys.beta);
  Value known = buildScores(frame, state.s, fromStart(keys.y, &keys));
  SmallVector<Value> inputs = {keys.vT, known, frame.asRow(keys.beta)};
  if (keys.fromStart)
    inputs.push_back(frame.asRow(keys.fromStart));
  Value r = frame.map(
      {frame.sizes.values, keys.size}, inputs,
      [&](ValueRange in, Value, Value) {
        Value old = keys.fromStart ? frame.mul(in[1], in[3]) : Value(in[1]);
        Value change = frame.mul(in[2], frame.subtract(in[0], old));
        // Beyond the end of the sequence nothing may leak from the state.
        Value zero = frame.constant(0.0F);
        Value isNone =
            arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[2], zero);
        return frame.select(isNone, zero, change);
      });
  keys.vT = tile::SolveOp::create(b, a, r);
  keys.v = frame.transpose(keys.vT);
  keys.vToEndT = keys.toEnd ? timesColumns(keys.vT, keys.toEnd) : keys.vT;
}
