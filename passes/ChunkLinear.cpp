// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/IndexArithmetic.h"
#include "passes/LinearChunk.h"
#include "passes/LinearCost.h"
#include "passes/LinearKernels.h"
#include "passes/LinearWindow.h"
#include "passes/Passes.h"
#include "passes/TileKernels.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNCHUNKLINEAR
#include "passes/Passes.h.inc"

namespace {

/// Outputs of rows [begin, end) of queries that see nothing but the state.
void outputsOf(LinearFrame &frame, LinearChunk &chunk, Value begin, Value end,
               const LinearState &state, LinearWindow *window) {
  frame.forEachTile(begin, end, frame.origin, frame.chunk(), {},
                    [&](const TokenTile &queries, ValueRange) {
                      ChunkSums sums = chunk.sumUp(state, nullptr, queries);
                      if (window)
                        window->join(sums, queries);
                      chunk.storeOutput(sums, queries);
                      return LinearFrame::Carried();
                    });
}

/// Outputs of rows [begin, end), each of which sees one key more than the one
/// before: row r the keys up to `shift` rows behind it.
LinearState sweep(LinearFrame &frame, LinearChunk &chunk, Value begin,
                  Value end, Value shift, const LinearState &state,
                  LinearWindow *window) {
  ImplicitLocOpBuilder &b = frame.b;
  return state.with(frame.forEachTile(
      begin, end, frame.origin, frame.chunk(), state.list(),
      [&](const TokenTile &queries, ValueRange carried) {
        LinearState now = state.with(carried);
        TokenTile tokens = queries;
        if (shift) {
          Value length = frame.window();
          tokens.row = arith::AddIOp::create(b, tokens.row, shift);
          tokens.first = arith::SubIOp::create(b, tokens.first, length);
          if (tokens.end)
            tokens.end = arith::SubIOp::create(b, tokens.end, length);
        }
        ChunkKeys keys = chunk.loadKeys(tokens);
        chunk.replaceValues(keys, now);
        ChunkSums sums = chunk.sumUp(now, &keys, queries);
        if (window)
          window->join(sums, queries);
        chunk.storeOutput(sums, queries);
        return chunk.advance(now, keys).list();
      }));
}

/// Outputs of all rows behind a window, in one loop: first those without keys,
/// whose loop over the keys of their chunk takes no turn.
LinearState sweepAtOnce(LinearFrame &frame, LinearChunk &chunk,
                        const WindowBounds &bounds, const LinearState &state,
                        LinearWindow &window) {
  ImplicitLocOpBuilder &b = frame.b;
  const int64_t size = frame.chunk();
  Value zero = frame.constant(int64_t{0}), all = frame.numQueries();
  Value numWithout = emitCeilDiv(b, bounds.without, size);
  Value numOthers =
      emitCeilDiv(b, arith::SubIOp::create(b, all, bounds.without), size);
  // Where chunks of the others would begin if all were theirs.
  Value rowsWithout =
      arith::MulIOp::create(b, numWithout, frame.constant(size));
  Value back = arith::SubIOp::create(b, bounds.without, rowsWithout);
  auto loop = scf::ForOp::create(
      b, zero, arith::AddIOp::create(b, numWithout, numOthers),
      frame.constant(int64_t{1}), state.list(),
      [&](OpBuilder &, Location, Value number, ValueRange carried) {
        Value hasNone = frame.less(number, numWithout);
        Value row = arith::AddIOp::create(
            b, arith::MulIOp::create(b, number, frame.constant(size)),
            frame.select(hasNone, zero, back));
        Value end = frame.select(hasNone, bounds.without, all);
        TokenTile queries{row, arith::AddIOp::create(b, frame.origin, row),
                          arith::AddIOp::create(b, frame.origin, end), size};
        FeatureParts x = chunk.loadQueries(queries);
        ChunkSums sums =
            chunk.sumUp(state.with(carried), /*keys=*/nullptr, x, size);
        SmallVector<Value> inits(carried);
        inits.push_back(sums.num);
        if (sums.z)
          inits.push_back(sums.z);
        Value first = arith::AddIOp::create(b, row, bounds.shift);
        Value last = arith::AddIOp::create(
            b,
            arith::MinSIOp::create(
                b, end, arith::AddIOp::create(b, row, frame.constant(size))),
            bounds.shift);
        SmallVector<Value> next = frame.forEachTile(
            first, frame.select(hasNone, first, last), bounds.keyZero, size,
            inits, [&](const TokenTile &tokens, ValueRange before) {
              LinearState now = state.with(before);
              ChunkSums with = sums;
              if (with.z)
                with.z = before.back();
              with.num = before[carried.size()];
              ChunkKeys keys = chunk.loadKeys(tokens);
              chunk.addKeys(with, x, keys);
              SmallVector<Value> after = chunk.advance(now, keys).list();
              after.push_back(with.num);
              if (with.z)
                after.push_back(with.z);
              return after;
            });
        if (sums.z)
          sums.z = next.pop_back_val();
        sums.num = next.pop_back_val();
        window.join(sums, queries);
        chunk.storeOutput(sums, queries);
        scf::YieldOp::create(b, next);
      });
  return state.with(loop.getResults());
}

LinearState sweepBehindWindow(LinearFrame &frame, LinearChunk &chunk,
                              LinearState state) {
  LinearWindow window(frame);
  WindowBounds bounds = findWindowBounds(frame);
  Value zero = frame.constant(int64_t{0});
  state = chunk.advanceOver(zero, bounds.early, bounds.keyZero, state);
  // The softmax over the window is most of the code.
  if (frame.isForDevice())
    return sweepAtOnce(frame, chunk, bounds, state, window);
  outputsOf(frame, chunk, zero, bounds.without, state, &window);
  return sweep(frame, chunk, bounds.without, frame.numQueries(), bounds.shift,
               state, &window);
}

} // namespace

void buildChunkTask(LinearFrame &frame, StringRef kind) {
  frame.open(kind);
  LinearChunk chunk(frame);
  LinearState state = loadState(frame);
  Value zero = frame.constant(int64_t{0});
  if (frame.recurrence().isBidirectional()) {
    state = chunk.advanceOver(zero, frame.numKeys(), frame.origin, state);
    outputsOf(frame, chunk, zero, frame.numQueries(), state, nullptr);
  } else if (frame.window()) {
    state = sweepBehindWindow(frame, chunk, state);
  } else {
    state =
        sweep(frame, chunk, zero, frame.numQueries(), Value(), state, nullptr);
  }
  storeState(frame, state);
  frame.close();
}

void buildStateKernel(LinearFrame &frame) {
  frame.open("state");
  ImplicitLocOpBuilder &b = frame.b;
  LinearChunk chunk(frame);
  LinearState state = loadState(frame);
  Value zero = frame.constant(int64_t{0});
  SmallVector<Value> inits = state.list();
  int64_t rows = frame.spec.entry.getState().getRows();
  // The product of all factors: a number, or for every part a vector.
  size_t numFactors = 0;
  if (frame.decay() == attn::DecayKind::PerChannel)
    numFactors = state.s.size();
  else if (frame.decay() != attn::DecayKind::None)
    inits.push_back(frame.constant(1.0F));
  for (size_t part = 0; part < numFactors; ++part)
    inits.push_back(frame.fill(frame.tileType({frame.partFeatures()}), 1));
  SmallVector<Value> results = frame.forEachTile(
      zero, frame.numKeys(), frame.origin, frame.chunk(), inits,
      [&](const TokenTile &tokens, ValueRange carried) {
        ChunkKeys keys = chunk.loadKeys(tokens);
        SmallVector<Value> next =
            chunk.advance(state.with(carried), keys).list();
        if (keys.total)
          next.push_back(frame.mul(carried.back(), keys.total));
        for (auto [part, total] : llvm::enumerate(keys.totals))
          next.push_back(frame.mul(carried.take_back(numFactors)[part], total));
        return next;
      });
  storeState(frame, state.with(results));
  for (size_t part = 0; part < numFactors; ++part) {
    Value at =
        frame.constant(static_cast<int64_t>(part) * frame.partFeatures());
    frame.store(ArrayRef(results).take_back(numFactors)[part], frame.factor,
                at);
  }
  if (numFactors == 0) {
    Value factor = frame.fill(frame.tileType({rows}), 1);
    if (frame.decay() != attn::DecayKind::None)
      factor = tile::ScaleOp::create(b, factor, results.back());
    frame.store(factor, frame.factor, zero);
  }
  frame.close();
}

namespace {

/// The same for a slice of the values, as if the others did not exist.
void buildSliceKernel(LinearFrame &frame) {
  int64_t all = frame.sizes.values;
  frame.sizes.values = sliceValues(frame.recurrence(), frame.spec.entry);
  if (frame.sizes.values > 0)
    buildChunkTask(frame, "slice");
  frame.sizes.values = all;
}

struct AttnChunkLinear : impl::AttnChunkLinearBase<AttnChunkLinear> {
  void runOnOperation() override {
    auto build = [](func::FuncOp function, LinearFrame &frame) {
      buildChunkTask(frame);
      // A device works off every sequence in one piece.
      if (!frame.isForDevice()) {
        if (frame.recurrence().canScan())
          buildStateKernel(frame);
        buildSliceKernel(frame);
      }
      buildCheckKernel(frame);
      function.erase();
      return success();
    };
    if (failed(forEachLinear(getOperation(), build)))
      signalPassFailure();
  }
};

} // namespace
} // namespace heddle
