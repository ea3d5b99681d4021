// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence as a sum over pairs of tokens.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/LinearChunk.h"
#include "passes/LinearKernels.h"
#include "passes/LinearWindow.h"
#include "passes/Passes.h"
#include "passes/TileKernels.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNEXPANDLINEAR
#include "passes/Passes.h.inc"

namespace {

/// Sums of rows of queries while tiles of keys go by, the nearest first.
struct PairSums {
  ChunkSums sums;
  /// The factors from the keys at hand up to every query: a vector, per feature
  /// tiles; none without a decay.
  FeatureParts reach;

  SmallVector<Value> list() const {
    SmallVector<Value> values = {sums.num};
    for (Value value : {sums.z, sums.v, sums.n})
      if (value)
        values.push_back(value);
    llvm::append_range(values, reach);
    return values;
  }
  PairSums with(ValueRange values) const {
    PairSums result = *this;
    auto put = [&](Value &place) {
      if (!place)
        return;
      place = values.front();
      values = values.drop_front();
    };
    for (Value *place :
         {&result.sums.num, &result.sums.z, &result.sums.v, &result.sums.n})
      put(*place);
    for (Value &place : result.reach)
      put(place);
    return result;
  }
};

class ExpandKernel {
public:
  explicit ExpandKernel(LinearFrame &frame)
      : frame(frame), b(frame.b), chunk(frame), size(frame.chunk()) {}

  void run() {
    frame.open("task");
    LinearState state = loadState(frame);
    Value zero = frame.constant(int64_t{0});
    Value keys = frame.numKeys(), keyZero = frame.origin;
    if (Value window = frame.window()) {
      // The keys that are behind the window of the last query.
      keys = arith::MaxSIOp::create(b, zero,
                                    arith::SubIOp::create(b, keys, window));
      keyZero = arith::SubIOp::create(b, frame.origin, frame.keysAhead());
    }
    Value queries = frame.numQueries();
    if (frame.recurrence().isBidirectional())
      addRows(zero, queries, keys, Value(), state);
    else if (frame.window())
      addRowsBehindWindow(state);
    else
      addRows(zero, queries, Value(), zero, state);
    // Last, so that the state is there while rows are added.
    storeState(frame, chunk.advanceOver(zero, keys, keyZero, state));
    frame.close();
  }

private:
  void addRowsBehindWindow(const LinearState &state) {
    WindowBounds bounds = findWindowBounds(frame);
    Value zero = frame.constant(int64_t{0});
    addRows(zero, bounds.without, zero, Value(), state);
    addRows(bounds.without, frame.numQueries(), Value(), bounds.shift, state);
  }

  /// Outputs of rows [begin, end) of queries: with a `shift`, of the keys up to
  /// row `shift` behind their own, else of the first `count` keys.
  void addRows(Value begin, Value end, Value count, Value shift,
               const LinearState &state) {
    frame.forEachTile(begin, end, frame.origin, size, {},
                      [&](const TokenTile &queries, ValueRange) {
                        FeatureParts x = chunk.loadQueries(queries);
                        PairSums pairs =
                            shift ? ownKeys(x, queries, shift) : none();
                        Value last = count;
                        if (shift)
                          last =
                              b.createOrFold<arith::AddIOp>(queries.row, shift);
                        pairs = earlierKeys(x, pairs, last);
                        ChunkSums sums = withState(x, pairs, state);
                        if (frame.window())
                          LinearWindow(frame).join(sums, queries);
                        chunk.storeOutput(sums, queries);
                        return LinearFrame::Carried();
                      });
  }

  PairSums none() {
    PairSums result;
    auto vector = frame.tileType({size});
    auto rows = frame.tileType({size, frame.sizes.values});
    result.sums.num = frame.fill(rows, 0);
    if (frame.hasSums())
      result.sums.z = frame.fill(vector, 0);
    if (frame.hasMagnitude()) {
      result.sums.v = frame.fill(rows, 0);
      result.sums.n = frame.fill(vector, 0);
    }
    return result;
  }

  /// The tile of the diagonal.
  PairSums ownKeys(const FeatureParts &x, const TokenTile &queries,
                   Value shift) {
    TokenTile tokens = queries;
    tokens.row = b.createOrFold<arith::AddIOp>(tokens.row, shift);
    if (Value window = frame.window()) {
      tokens.first = arith::SubIOp::create(b, tokens.first, window);
      if (tokens.end)
        tokens.end = arith::SubIOp::create(b, tokens.end, window);
    }
    ChunkKeys keys = chunk.loadKeys(tokens);
    Value weights = chunk.pairWeights(x, keys), bits = chunk.causalBits(size);
    PairSums result;
    result.sums.num = frame.product({}, weights, keys.v, bits);
    if (frame.hasSums())
      result.sums.z = frame.sum(weights, 1);
    if (frame.hasMagnitude()) {
      Value factors = keys.w ? keys.w : lowerOnes();
      result.sums.v = frame.product({}, factors, keys.v, bits);
      result.sums.n = frame.sum(factors, 1);
    }
    if (chunk.isPerChannel())
      result.reach = keys.fromStarts;
    else if (keys.fromStart)
      result.reach = {keys.fromStart};
    return result;
  }

  Value lowerOnes() {
    return frame.map({size, size}, {}, [&](auto, Value row, Value column) {
      return frame.select(frame.less(row, column), frame.constant(0.0F),
                          frame.constant(1.0F));
    });
  }

  /// Adds the keys of rows [0, end). With a decay these are whole tiles, from
  /// the last to the first.
  PairSums earlierKeys(const FeatureParts &x, const PairSums &start,
                       Value end) {
    Value zero = frame.constant(int64_t{0});
    if (start.reach.empty())
      return start.with(frame.forEachTile(
          zero, end, frame.origin, size, start.list(),
          [&](const TokenTile &tokens, ValueRange carried) {
            return addTile(x, start.with(carried), tokens).list();
          }));
    Value step = frame.constant(size);
    auto loop = scf::ForOp::create(
        b, zero, end, step, start.list(),
        [&](OpBuilder &, Location, Value back, ValueRange carried) {
          Value row = arith::SubIOp::create(
              b, arith::SubIOp::create(b, end, step), back);
          TokenTile tokens{row, arith::AddIOp::create(b, frame.origin, row),
                           Value(), size};
          scf::YieldOp::create(b,
                               addTile(x, start.with(carried), tokens).list());
        });
    return start.with(loop.getResults());
  }

  PairSums addTile(const FeatureParts &x, const PairSums &before,
                   const TokenTile &tokens) {
    ChunkKeys keys = chunk.loadKeys(tokens);
    PairSums result = before;
    Value weights = weightsOf(x, before, keys);
    result.sums.num = frame.product(before.sums.num, weights, keys.v);
    if (frame.hasSums())
      result.sums.z = frame.add(before.sums.z, sumExisting(weights, tokens));
    if (frame.hasMagnitude()) {
      Value factors = factorsOf(before, keys);
      result.sums.v = frame.product(before.sums.v, factors, keys.v);
      result.sums.n = frame.add(before.sums.n, sumExisting(factors, tokens));
    }
    for (auto [part, reach] : llvm::enumerate(result.reach))
      reach = chunk.isPerChannel()
                  ? chunk.timesColumns(reach, keys.totals[part])
                  : Value(tile::ScaleOp::create(b, reach, keys.total));
    return result;
  }

  /// Keys that don't exist have no features, but maybe a weight.
  Value sumExisting(Value weights, const TokenTile &tokens) {
    if (!tokens.end)
      return frame.sum(weights, 1);
    Value existing = frame.map(
        {size, size}, weights,
        [&](ValueRange in, Value, Value column) {
          return frame.select(frame.less(column, tokens.end), in[0],
                              frame.constant(0.0F));
        },
        Value(), tokens.first);
    return frame.sum(existing, 1);
  }

  Value weightsOf(const FeatureParts &x, const PairSums &before,
                  const ChunkKeys &keys) {
    if (chunk.isPerChannel()) {
      FeatureParts near, far;
      for (auto [part, reach] : llvm::enumerate(before.reach)) {
        near.push_back(frame.mul(x[part], reach));
        far.push_back(frame.mul(keys.y[part], keys.toEnds[part]));
      }
      return buildScores(frame, near, far);
    }
    SmallVector<Value> inputs = {buildScores(frame, x, keys.y)};
    if (keys.toEnd)
      inputs.append({before.reach.front(), frame.asRow(keys.toEnd)});
    return frame.map({size, size}, inputs, [&](ValueRange in, Value, Value) {
      Value weight = buildExpandedScore(frame, in[0]);
      return keys.toEnd ? frame.mul(weight, frame.mul(in[1], in[2])) : weight;
    });
  }

  Value factorsOf(const PairSums &before, const ChunkKeys &keys) {
    if (!keys.toEnd)
      return frame.fill(frame.tileType({size, size}), 1);
    return frame.map(
        {size, size}, {before.reach.front(), frame.asRow(keys.toEnd)},
        [&](ValueRange in, Value, Value) { return frame.mul(in[0], in[1]); });
  }

  /// What the state that came in adds, behind all keys.
  ChunkSums withState(const FeatureParts &x, const PairSums &pairs,
                      const LinearState &state) {
    FeatureParts phi = buildExpansion(frame, x);
    Value reach;
    if (chunk.isPerChannel())
      for (auto [part, factors] : llvm::zip_equal(phi, pairs.reach))
        part = frame.mul(part, factors);
    else if (!pairs.reach.empty())
      reach = pairs.reach.front();
    auto faded = [&](Value rows) -> Value {
      return reach ? Value(tile::RescaleOp::create(b, rows, reach)) : rows;
    };
    ChunkSums sums = pairs.sums;
    sums.num = frame.add(faded(buildScores(frame, phi, state.s)), sums.num);
    if (!frame.hasSums())
      return sums;
    FeatureParts rows = llvm::to_vector<2>(
        llvm::map_range(state.z, [&](Value z) { return frame.asRow(z); }));
    Value z = frame.sum(faded(buildScores(frame, phi, rows)), 1);
    sums.z = frame.add(z, sums.z);
    if (!frame.hasMagnitude())
      return sums;
    Value ones = frame.fill(frame.tileType({size}), 1);
    Value factor = reach ? reach : ones;
    sums.v = frame.map({size, frame.sizes.values},
                       {sums.v, frame.asRow(state.v), factor},
                       [&](ValueRange in, Value, Value) {
                         return frame.add(in[0], frame.mul(in[1], in[2]));
                       });
    sums.n =
        frame.map({size}, {sums.n, factor}, [&](ValueRange in, Value, Value) {
          return frame.add(in[0], frame.mul(in[1], state.n));
        });
    return sums;
  }

  LinearFrame &frame;
  ImplicitLocOpBuilder &b;
  LinearChunk chunk;
  int64_t size;
};

struct AttnExpandLinear : impl::AttnExpandLinearBase<AttnExpandLinear> {
  void runOnOperation() override {
    auto build = [](func::FuncOp function,
                    LinearFrame &frame) -> LogicalResult {
      attn::RecurrenceOp recurrence = frame.recurrence();
      if (recurrence.hasDelta())
        return function.emitError()
               << "recurrence '" << recurrence.getSymName()
               << "' has a delta rule, which has no quadratic form; expected "
                  "one without";
      ExpandKernel(frame).run();
      if (recurrence.canScan() && !frame.isForDevice())
        buildStateKernel(frame);
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
