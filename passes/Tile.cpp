// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Tile.h"
#include "dialect/attn/HostSets.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Passes.h"
#include <limits>

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNTILE
#include "passes/Passes.h.inc"

namespace {

/// log2(e): scores are kept in units of log2, where the exponential is cheap.
constexpr float kLog2E = 1.44269504088896340736f;

/// Builds the kernel functions of one attention.
class KernelBuilder {
public:
  KernelBuilder(func::FuncOp source, attn::AttentionOp attention,
                attn::EntryAttr entry, attn::FormulaAttr formula)
      : source(source), attention(attention), entry(entry),
        formula(attn::boundByKeys(formula)), schedule(entry.getSchedule()),
        b(attention.getLoc(), source.getContext()) {
    b.setInsertionPoint(source);
  }

  void buildTask() {
    openFunction("task", {}, {});
    RankedTensorType outTile = tile({queryTile(), entry.getV()});
    RankedTensorType rowTile = tile({queryTile()});
    Value tiles = buildTiles();
    Value queryRows = tile::LoadOp::create(
        b, tile({queryTile(), entry.getQk()}), q, batch, head, firstRow);
    Value toLog2 = arith::MulFOp::create(
        b, scale, arith::ConstantOp::create(b, b.getF32FloatAttr(kLog2E)));
    Value scaled = tile::ScaleOp::create(b, queryRows, toLog2);
    // Query heads of a group share a key head.
    Value group = arith::DivUIOp::create(b, dim(tile::Axis::Head, q),
                                         dim(tile::Axis::Head, k));
    Value kvHead = arith::DivUIOp::create(b, head, group);

    float negativeInfinity = -std::numeric_limits<float>::infinity();
    SmallVector<Value> inits = {
        fill(outTile, 0), fill(rowTile, negativeInfinity), fill(rowTile, 0)};
    auto loop = tile::ForeachOp::create(
        b, tiles, inits,
        [&](OpBuilder &nested, Location loc, Value firstKey, Value status,
            ValueRange state) {
          ImplicitLocOpBuilder n(loc, nested);
          Value keys = tile::LoadOp::create(n, tile({keyTile(), entry.getQk()}),
                                            k, batch, kvHead, firstKey);
          Value scores = tile::ScoresOp::create(
              n, tile({queryTile(), keyTile()}), scaled, keys);
          Value bits = buildBits(n, firstKey, status);
          Value masked = tile::MaskOp::create(n, scores, bits);
          auto step =
              tile::SoftmaxStepOp::create(n, scores.getType(), rowTile, rowTile,
                                          rowTile, masked, state[1], state[2]);
          Value values = tile::LoadOp::create(
              n, tile({keyTile(), entry.getV()}), v, batch, kvHead, firstKey);
          Value rescaled =
              tile::RescaleOp::create(n, state[0], step.getAlpha());
          Value sum = tile::AccumulateOp::create(n, outTile, rescaled,
                                                 step.getP(), values, bits);
          return SmallVector<Value>{sum, step.getNewM(), step.getNewL()};
        });
    auto finish = tile::FinishOp::create(b, outTile, rowTile, loop.getResult(0),
                                         loop.getResult(1), loop.getResult(2));
    tile::StoreOp::create(b, finish.getResult(), o, batch, head, firstRow);
    tile::StoreOp::create(b, finish.getLse(), lse, batch, head, firstRow);
    func::ReturnOp::create(b);
  }

  void buildCount() {
    Type index = b.getIndexType();
    Value exact = openFunction("count", {b.getI1Type()}, {index, index, index});
    Value tiles = buildTiles();
    Value zero = constant(0);
    Value rows = arith::MinSIOp::create(
        b, arith::SubIOp::create(b, dim(tile::Axis::Position, q), firstRow),
        constant(queryTile()));
    auto loop = tile::ForeachOp::create(
        b, tiles, ValueRange{zero, zero, zero},
        [&](OpBuilder &nested, Location loc, Value firstKey, Value status,
            ValueRange counts) {
          ImplicitLocOpBuilder n(loc, nested);
          auto countIf = [&](int32_t wanted, Value count) -> Value {
            Value is = arith::CmpIOp::create(
                n, arith::CmpIPredicate::eq, status,
                arith::ConstantOp::create(n, n.getI32IntegerAttr(wanted)));
            return arith::AddIOp::create(
                n, count,
                arith::IndexCastUIOp::create(n, n.getIndexType(), is));
          };
          Value full = countIf(tile::Full, counts[0]);
          Value partial = countIf(tile::Partial, counts[1]);
          auto kept = scf::IfOp::create(
              n, exact,
              [&](OpBuilder &inner, Location loc) {
                ImplicitLocOpBuilder m(loc, inner);
                Value bits = buildBits(m, firstKey, status);
                Value pairs = tile::CountOp::create(m, bits, rows);
                Value sum = arith::AddIOp::create(m, counts[2], pairs);
                scf::YieldOp::create(m, sum);
              },
              [&](OpBuilder &inner, Location loc) {
                scf::YieldOp::create(inner, loc, counts[2]);
              });
          return SmallVector<Value>{full, partial, kept.getResult(0)};
        });
    func::ReturnOp::create(b, loop.getResults());
  }

private:
  int64_t queryTile() { return schedule.getQueryTile(); }
  int64_t keyTile() { return schedule.getKeyTile(); }
  RankedTensorType tile(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, b.getF32Type());
  }
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value fill(RankedTensorType type, float value) {
    return tile::FillOp::create(b, type, b.getF32FloatAttr(value));
  }
  Value dim(tile::Axis axis, Value view) {
    return tile::DimOp::create(b, axis, view);
  }

  /// Starts `<source>_<kind>` and binds the arguments every kernel has; returns
  /// the first extra argument, if any.
  Value openFunction(StringRef kind, TypeRange extra, TypeRange results) {
    Type index = b.getIndexType(), f32 = b.getF32Type();
    auto rowsOf = [&](int64_t width) {
      return attn::ViewType::get(b.getContext(), width, f32);
    };
    int64_t qk = entry.getQk(), width = entry.getV();
    SmallVector<Type> types = {
        index,         index,         index,     rowsOf(qk), rowsOf(qk),
        rowsOf(width), rowsOf(width), rowsOf(1), index,      f32};
    types.append(attention.getParams().size(), index);
    llvm::append_range(types, extra);
    b.setInsertionPoint(source);
    auto function =
        func::FuncOp::create(b, (source.getName() + "_" + kind).str(),
                             b.getFunctionType(types, results));
    function->setAttr(tile::kKernelAttr, b.getStringAttr(kind));
    function->setAttr(tile::kEntryAttr, entry);
    Block *body = function.addEntryBlock();
    b.setInsertionPointToStart(body);
    ArrayRef<BlockArgument> arguments = body->getArguments();
    batch = arguments[0], head = arguments[1];
    q = view(arguments[3]), k = view(arguments[4]), v = view(arguments[5]);
    o = view(arguments[6]), lse = view(arguments[7]);
    scale = arguments[9];
    params = llvm::to_vector_of<Value>(
        arguments.slice(10, attention.getParams().size()));
    firstRow = arith::MulIOp::create(b, arguments[2], constant(queryTile()));
    firstQuery = arith::AddIOp::create(b, firstRow, arguments[8]);
    numKeys = dim(tile::Axis::Position, k);
    return extra.empty() ? Value() : Value(arguments.back());
  }
  static TypedValue<attn::ViewType> view(Value value) {
    return cast<TypedValue<attn::ViewType>>(value);
  }

  Value buildTiles() {
    return attn::TilesOp::create(b, formula, batch, head, firstQuery, numKeys,
                                 params, queryTile(), keyTile());
  }

  Value buildBits(ImplicitLocOpBuilder &n, Value firstKey, Value status) {
    auto type = RankedTensorType::get({queryTile(), keyTile()}, n.getI1Type());
    return tile::BitsOp::create(n, type, formula, batch, head, firstQuery,
                                firstKey, numKeys, status, params);
  }

  func::FuncOp source;
  attn::AttentionOp attention;
  attn::EntryAttr entry;
  attn::FormulaAttr formula;
  attn::ScheduleAttr schedule;
  ImplicitLocOpBuilder b;

  // Of the function under construction.
  Value batch, head, scale, firstRow, firstQuery, numKeys;
  TypedValue<attn::ViewType> q, k, v, o, lse;
  SmallVector<Value> params;
};

struct AttnTile : impl::AttnTileBase<AttnTile> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      auto entry = function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
      if (!entry || function->hasAttr(tile::kKernelAttr))
        continue;
      if (failed(lower(function, entry, symbols)))
        return signalPassFailure();
    }
  }

  /// The attention of a function that does nothing else.
  static FailureOr<attn::AttentionOp> onlyAttention(func::FuncOp function) {
    Block &body = function.getBody().front();
    auto attention = dyn_cast<attn::AttentionOp>(body.front());
    if (!attention || std::next(body.begin(), 2) != body.end() ||
        body.back().getOperands() != attention.getResults())
      return function.emitError()
             << "expected a kernel function that holds one 'attn.attention' "
                "and returns its results";
    for (Value operand : attention.getOperands())
      if (!isa<BlockArgument>(operand))
        return attention.emitOpError()
               << "expected arguments of the kernel function as operands";
    return attention;
  }

  LogicalResult lower(func::FuncOp function, attn::EntryAttr entry,
                      SymbolTable &symbols) {
    FailureOr<attn::AttentionOp> attention = onlyAttention(function);
    if (failed(attention))
      return failure();
    auto pattern =
        symbols.lookup<attn::PatternOp>(entry.getPattern().getValue());
    if (!pattern || !pattern.getFormulaAttr())
      return function.emitError()
             << "expected a normalised pattern " << entry.getPattern()
             << "; run 'attn-normalize-pattern' first";
    KernelBuilder builder(function, *attention, entry,
                          pattern.getFormulaAttr());
    builder.buildTask();
    builder.buildCount();
    function.erase();
    return success();
  }
};

} // namespace
} // namespace heddle
