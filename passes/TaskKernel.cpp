// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/TileKernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/KeyLoop.h"
#include "passes/PackHeads.h"
#include "passes/PairTile.h"
#include <limits>

using namespace heddle;
using namespace mlir;

namespace {
/// The values that a task carries from key tile to key tile.
struct State {
  Value o;
  Value m, l;    ///< Under a softmax: running maximum and sum.
  Value largest; ///< The largest score, where m is not that.

  SmallVector<Value> list() const {
    SmallVector<Value> values = {o};
    for (Value value : {m, l, largest})
      if (value)
        values.push_back(value);
    return values;
  }
  /// The same places, other values.
  State with(ValueRange values) const {
    State result = *this;
    result.o = values.front();
    values = values.drop_front();
    for (Value *place : {&result.m, &result.l, &result.largest})
      if (*place) {
        *place = values.front();
        values = values.drop_front();
      }
    return result;
  }
};

class TaskKernel {
public:
  explicit TaskKernel(KernelFrame &frame)
      : frame(frame), spec(frame.spec), b(frame.b) {}

  void run() {
    frame.open("task", {}, {});
    outType = frame.tileType({frame.queryTile(), spec.entry.getV()});
    rowType = frame.tileType({frame.queryTile()});
    queries = frame.buildQueryTile(frame.tile);
    if (frame.taskHeads() > 1)
      numHeads = tile::NumHeadsOp::create(b, frame.head, frame.q,
                                          frame.sources.front().k);
    State state;
    SmallVector<Value> init = eachHead({}, {}, [&](ValueRange, ValueRange) {
      state = buildInit();
      return state.list();
    });
    state = state.with(init);
    for (unsigned source = 0; source < spec.sources.size(); ++source)
      state = buildSource(source, state);
    if (std::optional<unsigned> sink = spec.normalizer().getSink())
      state = state.with(
          eachHead({}, state.list(), [&](ValueRange, ValueRange carried) {
            return addSinks(frame.params[*sink], state.with(carried)).list();
          }));
    eachHead(state.list(), {}, [&](ValueRange results, ValueRange) {
      finish(state.with(results));
      return SmallVector<Value>();
    });
    func::ReturnOp::create(b);
  }

private:
  static constexpr float kMinusInfinity =
      -std::numeric_limits<float>::infinity();

  using HeadBody =
      function_ref<SmallVector<Value>(ValueRange reads, ValueRange carries)>;

  /// What the body makes of the tiles of a head, for every head of the task:
  /// where that is one as a rule, as it is.
  SmallVector<Value> eachHead(ValueRange reads, ValueRange carries,
                              HeadBody body) {
    if (!numHeads)
      return body(reads, carries);
    Value first = frame.head;
    auto each = tile::EachHeadOp::create(
        b, first, numHeads, frame.taskHeads(), reads, carries,
        [&](Value head, ValueRange read, ValueRange carried) {
          frame.head = head;
          return body(read, carried);
        });
    frame.head = first;
    return llvm::to_vector_of<Value>(each.getResults());
  }

  /// A softmax without further terms has the maximum of the scores at hand.
  bool tracksLargest() const {
    attn::NormalizerAttr normalizer = spec.normalizer();
    return spec.outputs().getRowMax() &&
           (normalizer.getKind() != attn::NormalizerKind::Softmax ||
            normalizer.getSink());
  }

  State buildInit() {
    State state;
    state.o = frame.fill(outType, 0);
    if (spec.isSoftmax()) {
      state.m = frame.fill(rowType, kMinusInfinity);
      state.l = frame.fill(rowType, 0);
    }
    if (tracksLargest())
      state.largest = frame.fill(rowType, kMinusInfinity);
    return state;
  }

  /// A sink is a key without a value: a step over one column of them. It comes
  /// last, so that weights are as large as scores allow when they are rounded
  /// for the product with values, however far above the scores the sink is.
  State addSinks(Value sinks, State state) {
    Type index = b.getIndexType(), f32 = b.getF32Type();
    // Rows of packed code are heads, whose sinks are keys of their own, of the
    // part of a row that has the first key; there is one such part of every
    // row.
    const bool isPacked = spec.entry.getPacked();
    SmallVector<Value> params = {sinks};
    SmallVector<Type> types = {f32,   index, index,
                               index, index, sinks.getType()};
    if (isPacked) {
      ValueRange hidden = ValueRange(frame.params).take_back(kNumHiddenParams);
      params.append({hidden[RowHead], hidden[KeyBegin]});
      types.append({index, index});
    }
    Value none = frame.fill(frame.pairType(), kMinusInfinity);
    auto modify = tile::ModifyOp::create(
        b, TypeRange{none.getType()}, none, frame.batch, frame.head,
        queries.first, ValueRange{frame.constant(int64_t{0})}, Value(), params,
        ArrayRef<int64_t>(), ArrayRef<int64_t>());
    {
      OpBuilder::InsertionGuard guard(b);
      // The score, b, h, q and k; then what was handed over.
      Block *block =
          b.createBlock(&modify.getBody(), {}, types,
                        SmallVector<Location>(types.size(), b.getLoc()));
      auto argument = [&](unsigned i) { return block->getArgument(i); };
      Value zero = frame.constant(int64_t{0});
      auto isZero = [&](Value x) {
        return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, zero);
      };
      Value isThere = isZero(argument(4)), head = argument(2);
      if (isPacked) {
        isThere = arith::AndIOp::create(b, isThere, isZero(argument(7)));
        head = arith::AddIOp::create(b, argument(6), argument(3));
      }
      Value logit = attn::AtOp::create(b, argument(5), ValueRange{head});
      Value scaled = arith::MulFOp::create(b, logit, frame.constant(kLog2E));
      tile::YieldOp::create(b, ValueRange{arith::SelectOp::create(
                                   b, isThere, scaled, argument(0))});
    }
    auto step = tile::SoftmaxStepOp::create(
        b, frame.pairType(), rowType, rowType, rowType, modify.getResult(0),
        state.m, state.l);
    state.m = step.getNewM();
    state.l = step.getNewL();
    state.o = tile::RescaleOp::create(b, state.o, step.getAlpha());
    return state;
  }

  State buildSource(unsigned source, const State &state) {
    Value factor = buildQueryFactor(frame, source);
    SmallVector<Value> queryRows =
        eachHead({}, {}, [&](ValueRange, ValueRange) -> SmallVector<Value> {
          return {frame.loadQueries(source, queries, factor)};
        });
    return state.with(forEachKeyTile(
        frame, source, queries, state.list(),
        [&](const KeyTile &keys, ValueRange carried) {
          SharedKeys shared;
          // All heads of the task keep the same pairs, of the same keys.
          if (numHeads)
            shared = {frame.loadKeys(source, keys),
                      frame.loadValues(source, keys),
                      frame.buildBits(source, queries, keys)};
          return eachHead(queryRows, carried,
                          [&](ValueRange rows, ValueRange mine) {
                            return buildStep(source, rows.front(), keys, shared,
                                             state.with(mine))
                                .list();
                          });
        }));
  }

  State buildStep(unsigned source, Value queryRows, const KeyTile &keys,
                  const SharedKeys &shared, State state) {
    PairTile pairs = buildPairTile(frame, source, queries, queryRows, keys,
                                   tracksLargest(), shared);
    if (tracksLargest()) {
      Value masked = tile::MaskOp::create(b, pairs.scores, pairs.bits);
      // Only the maximum of this step is used.
      state.largest = tile::SoftmaxStepOp::create(
                          b, frame.pairType(), rowType, rowType, rowType,
                          masked, state.largest, frame.fill(rowType, 0))
                          .getNewM();
    }
    Value weights = pairs.weights;
    if (spec.isSoftmax()) {
      Value masked;
      if (spec.normalizer().getKind() == attn::NormalizerKind::Grouped)
        masked =
            tile::RegroupOp::create(b, pairs.scores, pairs.bits,
                                    queries.first.front(), keys.first.front());
      else
        masked = tile::MaskOp::create(b, pairs.scores, pairs.bits);
      auto step =
          tile::SoftmaxStepOp::create(b, frame.pairType(), rowType, rowType,
                                      rowType, masked, state.m, state.l);
      weights = step.getP();
      state.m = step.getNewM();
      state.l = step.getNewL();
      state.o = tile::RescaleOp::create(b, state.o, step.getAlpha());
    }
    if (pairs.factors)
      weights = arith::MulFOp::create(b, weights, pairs.factors);
    Value values =
        shared.values ? shared.values : frame.loadValues(source, keys);
    state.o = tile::AccumulateOp::create(b, outType, state.o, weights, values,
                                         pairs.bits);
    return state;
  }

  void finish(const State &state) {
    auto store = [&](Value tile, TypedValue<attn::ViewType> view) {
      tile::StoreOp::create(b, tile, view, frame.batch, frame.head,
                            queries.rows);
    };
    if (spec.isSoftmax()) {
      auto finish = tile::FinishOp::create(b, outType, rowType, state.o,
                                           state.m, state.l);
      store(finish.getResult(), frame.o);
      store(finish.getLse(), frame.lse);
    } else {
      store(state.o, frame.o);
    }
    if (!spec.outputs().getRowMax())
      return;
    Value largest = tracksLargest() ? state.largest : state.m;
    if (spec.isSoftmax())
      largest = tile::ScaleOp::create(b, largest, frame.constant(kLn2));
    store(largest, frame.rowMax);
  }

  KernelFrame &frame;
  const KernelSpec &spec;
  ImplicitLocOpBuilder &b;
  RankedTensorType outType, rowType;
  QueryTile queries;
  /// Of the task, where it may be more than one.
  Value numHeads;
};
} // namespace

void heddle::buildTaskKernel(KernelFrame &frame) { TaskKernel(frame).run(); }
