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
    auto step = [&](const TokenTile &token, ValueRange carried) {
      LinearState next = advance(state.with(carried), token);
      storeOutput(next, token);
      return next.list();
    };
    state = state.with(frame.forEachTile(zero, frame.numQueries(), frame.origin,
                                         1, state.list(), step));
    storeState(frame, state);
    frame.close();
  }

private:
  /// features x 1.
  Value mapped(Region &region, ViewValue view, const TokenTile &token,
               Value factor) {
    Value row = frame.load(view, 1, token.row);
    return buildFeatures(frame, {&region, TokenAxis::Columns, factor},
                         frame.transpose(row), token);
  }
  /// The elements of a tile of one row as a vector.
  Value asVector(Value row) {
    int64_t size = cast<RankedTensorType>(row.getType()).getDimSize(1);
    return b.createOrFold<tile::TransposeOp>(frame.tileType({size}), row);
  }

  /// A tile with one column per feature, or a vector of features, after the
  /// factors `a` of a token: a number, a vector of features or null.
  Value decayed(Value tile, Value a) {
    if (!a)
      return tile;
    if (a.getType().isF32())
      return tile::ScaleOp::create(b, tile, a);
    if (a.getType() == tile.getType())
      return frame.mul(tile, a);
    return frame.map(
        cast<RankedTensorType>(tile.getType()).getShape(),
        {tile, frame.asRow(a)},
        [&](ValueRange in, Value, Value) { return frame.mul(in[0], in[1]); });
  }

  Value loadFactors(const TokenTile &token) {
    if (frame.decay() == attn::DecayKind::None)
      return {};
    Value a = buildFactors(frame, TokenAxis::Columns, frame.sizes.mapped, token);
    if (frame.decay() == attn::DecayKind::PerChannel)
      return asVector(frame.transpose(a));
    return frame.element(a);
  }

  LinearState advance(const LinearState &state, const TokenTile &token) {
    attn::RecurrenceOp recurrence = frame.recurrence();
    Value a = loadFactors(token);
    Value y = frame.transpose(
        mapped(recurrence.getKey(), frame.k(), token, Value()));
    Value v = mapped(recurrence.getValue(), frame.v(), token, Value());
    Value phi = buildExpansion(frame, y);
    LinearState next;
    Value s = decayed(state.s, a);
    Value written = v;
    if (frame.hasDelta()) {
      Value beta = frame.element(buildBeta(frame, token));
      written = frame.map({frame.sizes.values, 1}, {v, frame.scores(s, y)},
                          [&](ValueRange in, Value, Value) {
                            return frame.mul(beta,
                                             frame.subtract(in[0], in[1]));
                          });
    }
    next.s = frame.product(s, written, phi);
    if (state.z)
      next.z = frame.add(decayed(state.z, a), asVector(phi));
    if (state.v) {
      next.v =
          frame.add(decayed(state.v, a), asVector(frame.transpose(v)));
      Value n = a ? frame.mul(state.n, a) : state.n;
      next.n = frame.add(n, frame.constant(1.0F));
    }
    return next;
  }

  void storeOutput(const LinearState &state, const TokenTile &token) {
    attn::RecurrenceOp recurrence = frame.recurrence();
    Value x = frame.transpose(
        mapped(recurrence.getQuery(), frame.q, token, frame.scale));
    Value phi = buildExpansion(frame, x);
    Value result = frame.scores(state.s, phi);
    if (state.z) {
      Value products = frame.map(
          {frame.sizes.features, 1}, {frame.transpose(phi), state.z},
          [&](ValueRange in, Value, Value) { return frame.mul(in[0], in[1]); });
      result = quotient(result, frame.element(frame.sum(products, 0)), state);
    }
    RowMap map{&recurrence.getOutput(), TokenAxis::Columns, Value()};
    result = buildFeatures(frame, map, result, token);
    frame.store(frame.transpose(result), frame.o, token.row);
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
      StepKernel(frame).run();
      return success();
    };
    if (failed(forEachLinear(getOperation(), build)))
      signalPassFailure();
  }
};

} // namespace
} // namespace heddle
