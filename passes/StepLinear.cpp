// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence token by token. There is one token at a time, so features and
// values run along the lanes.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/FeatureMap.h"
#include "passes/LinearKernels.h"
#include "passes/LinearState.h"
#include "passes/LinearWindow.h"
#include "passes/Passes.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNSTEPLINEAR
#include "passes/Passes.h.inc"

namespace {

class StepKernel {
public:
  explicit StepKernel(LinearFrame &frame) : frame(frame), b(frame.b) {}

  void run() {
    frame.open("step");
    LinearState state = loadState(frame);
    Value zero = frame.constant(int64_t{0});
    if (frame.window())
      state = sweepBehindWindow(state);
    else
      state = sweep(zero, frame.numQueries(), Value(), state);
    storeState(frame, state);
    frame.close();
  }

private:
  /// Row r of the queries in [begin, end) sees the keys up to row r, or with a
  /// `shift` those up to row r + shift.
  LinearState sweep(Value begin, Value end, Value shift,
                    const LinearState &state) {
    return state.with(frame.forEachTile(
        begin, end, frame.origin, 1, state.list(),
        [&](const TokenTile &token, ValueRange carried) {
          TokenTile key = token;
          if (shift) {
            key.row = arith::AddIOp::create(b, key.row, shift);
            key.first = arith::SubIOp::create(b, key.first, frame.window());
          }
          LinearState next = advance(state.with(carried), key);
          storeOutput(next, token);
          return next.list();
        }));
  }

  /// As in chunks: first the keys behind the window of the first query, then
  /// the queries that have none there.
  LinearState sweepBehindWindow(LinearState state) {
    WindowBounds bounds = findWindowBounds(frame);
    Value zero = frame.constant(int64_t{0});
    state = state.with(
        frame.forEachTile(zero, bounds.early, bounds.keyZero, 1, state.list(),
                          [&](const TokenTile &key, ValueRange carried) {
                            return advance(state.with(carried), key).list();
                          }));
    frame.forEachTile(zero, bounds.without, frame.origin, 1, {},
                      [&](const TokenTile &token, ValueRange) {
                        storeOutput(state, token);
                        return LinearFrame::Carried();
                      });
    return sweep(bounds.without, frame.numQueries(), bounds.shift, state);
  }

  /// features x 1 for every part.
  FeatureParts mapped(Region &region, ViewValue view, const TokenTile &token,
                      Value factor) {
    Value row = frame.load(view, 1, token.row);
    return buildFeatures(frame, {&region, TokenAxis::Columns, factor},
                         frame.transpose(row), token);
  }
  /// 1 x features for every part.
  FeatureParts mappedRows(Region &region, ViewValue view,
                          const TokenTile &token, Value factor) {
    FeatureParts parts = mapped(region, view, token, factor);
    for (Value &part : parts)
      part = frame.transpose(part);
    return parts;
  }
  /// The elements of a tile of one row as a vector.
  Value asVector(Value row) {
    int64_t size = cast<RankedTensorType>(row.getType()).getDimSize(1);
    return b.createOrFold<tile::TransposeOp>(frame.tileType({size}), row);
  }

  /// The factors of a token: a number for all features, or for every part a
  /// vector. None without a decay.
  FeatureParts loadFactors(const TokenTile &token) {
    FeatureParts result;
    if (frame.decay() == attn::DecayKind::None)
      return result;
    if (frame.decay() != attn::DecayKind::PerChannel) {
      Value a = frame.element(buildFactors(frame, token));
      result.assign(frame.sizes.features / frame.partFeatures(), a);
      return result;
    }
    int64_t size = frame.sizes.inputs;
    for (int64_t first = 0; first < frame.sizes.mapped; first += size)
      result.push_back(asVector(frame.transpose(
          buildFactors(frame, token, TokenAxis::Columns, first, size))));
    return result;
  }

  /// A tile with one column per feature, or a vector of features, after the
  /// factors of a token.
  Value faded(Value tile, Value a) {
    if (a.getType().isF32())
      return tile::ScaleOp::create(b, tile, a);
    if (a.getType() == tile.getType())
      return frame.mul(tile, a);
    return frame.map(cast<RankedTensorType>(tile.getType()).getShape(),
                     {tile, frame.asRow(a)}, [&](ValueRange in, Value, Value) {
                       return frame.mul(in[0], in[1]);
                     });
  }

  /// The state without the part beta of what it holds for the key `y`.
  LinearState erase(const LinearState &state, const FeatureParts &y,
                    const TokenTile &token) {
    Value beta = frame.element(buildBeta(frame, token));
    Value taken =
        frame.map({frame.sizes.values, 1}, buildScores(frame, state.s, y),
                  [&](ValueRange in, Value, Value) {
                    return arith::NegFOp::create(b, frame.mul(beta, in[0]));
                  });
    LinearState next = state;
    for (auto [part, features] : llvm::enumerate(y))
      next.s[part] = frame.product(state.s[part], taken, features);
    return next;
  }

  LinearState advance(const LinearState &state, const TokenTile &token) {
    attn::RecurrenceOp recurrence = frame.recurrence();
    FeatureParts a = loadFactors(token);
    FeatureParts y = mappedRows(recurrence.getKey(), frame.k(), token, Value());
    Value v = mapped(recurrence.getValue(), frame.v(), token, Value()).front();
    FeatureParts phi = buildExpansion(frame, y);
    LinearState next = state;
    if (frame.erasesFirst())
      next = erase(state, y, token);
    for (auto [part, factor] : llvm::enumerate(a)) {
      next.s[part] = faded(next.s[part], factor);
      if (frame.hasSums())
        next.z[part] = faded(next.z[part], factor);
    }
    Value written = v;
    if (frame.hasDelta()) {
      Value beta = frame.element(buildBeta(frame, token));
      SmallVector<Value> inputs = {v};
      if (!frame.erasesFirst())
        inputs.push_back(buildScores(frame, next.s, y));
      written = frame.map(
          {frame.sizes.values, 1}, inputs, [&](ValueRange in, Value, Value) {
            Value change =
                in.size() == 1 ? Value(in[0]) : frame.subtract(in[0], in[1]);
            return frame.mul(beta, change);
          });
    }
    for (auto [part, features] : llvm::enumerate(phi)) {
      next.s[part] = frame.product(next.s[part], written, features);
      if (frame.hasSums())
        next.z[part] = frame.add(next.z[part], asVector(features));
    }
    if (!state.v)
      return next;
    Value values = asVector(frame.transpose(v));
    next.v = frame.add(a.empty() ? state.v : faded(state.v, a.front()), values);
    Value n = a.empty() ? state.n : frame.mul(state.n, a.front());
    next.n = frame.add(n, frame.constant(1.0F));
    return next;
  }

  void storeOutput(const LinearState &state, const TokenTile &token) {
    attn::RecurrenceOp recurrence = frame.recurrence();
    FeatureParts phi = buildExpansion(
        frame, mappedRows(recurrence.getQuery(), frame.q, token, frame.scale));
    // The state's values run along the lanes, so they are its rows.
    Value result = buildScores(frame, state.s, phi);
    Value z = frame.hasSums() ? sumOfWeights(state, phi) : Value();
    if (frame.window())
      LinearWindow(frame).joinToken(result, z, token);
    if (z)
      result = quotient(result, z, state);
    RowMap map{&recurrence.getOutput(), TokenAxis::Columns, Value()};
    result = buildFeatures(frame, map, result, token).front();
    frame.store(frame.transpose(result), frame.o, token.row);
  }

  /// Z, a number.
  Value sumOfWeights(const LinearState &state, const FeatureParts &phi) {
    Value result;
    for (auto [z, features] : llvm::zip_equal(state.z, phi)) {
      Value products = frame.map(
          {frame.partFeatures(), 1}, {frame.transpose(features), z},
          [&](ValueRange in, Value, Value) { return frame.mul(in[0], in[1]); });
      Value sum = frame.element(frame.sum(products, 0));
      result = result ? frame.add(result, sum) : sum;
    }
    return result;
  }

  Value quotient(Value num, Value z, const LinearState &state) {
    Value inverse = arith::DivFOp::create(b, frame.constant(1.0F), z);
    Value ratio;
    SmallVector<Value> inputs = {num};
    if (state.v) {
      ratio = arith::DivFOp::create(b, z, state.n);
      inputs.push_back(state.v);
    }
    return frame.map({frame.sizes.values, 1}, inputs,
                     [&](ValueRange in, Value, Value) {
                       QuotientParts parts{in[0], z, inverse, Value(), ratio};
                       if (state.v)
                         parts.v = in[1];
                       return buildQuotient(frame, parts);
                     });
  }

  LinearFrame &frame;
  ImplicitLocOpBuilder &b;
};

struct AttnStepLinear : impl::AttnStepLinearBase<AttnStepLinear> {
  void runOnOperation() override {
    auto build = [](func::FuncOp, LinearFrame &frame) {
      // Where a query sees later keys there are no steps, nor has a device any:
      // it works off few tokens as a chunk.
      if (!frame.recurrence().isBidirectional() && !frame.isForDevice())
        StepKernel(frame).run();
      return success();
    };
    if (failed(forEachLinear(getOperation(), build)))
      signalPassFailure();
  }
};

} // namespace
} // namespace heddle
