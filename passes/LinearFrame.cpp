// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearFrame.h"

#include "codegen/Target.h"
#include "dialect/tile/Views.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "passes/IndexArithmetic.h"

using namespace heddle;
using namespace mlir;

LinearFrame::LinearFrame(func::FuncOp source, const KernelSpec &spec)
    : KernelFrame(source, spec) {
  sizes.inputs = spec.entry.getQk();
  sizes.values = spec.entry.getV();
  sizes.mapped = recurrence().numMappedFeatures(sizes.inputs);
  sizes.features = recurrence().numFeatures(sizes.inputs);
}

Value LinearFrame::open(StringRef kind, TypeRange extra, TypeRange results) {
  attn::EntryAttr entry = spec.entry;
  auto rowsOf = [&](int64_t width, Type element) {
    return attn::ViewType::get(b.getContext(), width, element);
  };
  Type f32 = b.getF32Type();
  Type ofQk = rowsOf(sizes.inputs, entry.getInputType());
  Type ofState = rowsOf(sizes.values, f32), ofSums = rowsOf(1, f32);
  SmallVector<Type> types = {ofQk,
                             ofQk,
                             rowsOf(sizes.values, entry.getInputType()),
                             rowsOf(sizes.values, entry.getOutputType()),
                             ofState,
                             ofState,
                             ofSums,
                             ofSums,
                             ofSums};
  Block *body = start(kind, types, extra, results);
  auto views = body->getArguments().drop_front(batch ? 3 : 0);
  auto view = [&](unsigned i) { return cast<ViewValue>(Value(views[i])); };
  q = view(0);
  sources.assign(1, {});
  sources.front().k = view(1), sources.front().v = view(2);
  o = view(3), stateIn = view(4), stateOut = view(5), sumsIn = view(6);
  sumsOut = view(7), factor = view(8);
  bindSources();
  if (head)
    headOfKeys = keyHead(0);
  return extra.empty() ? Value() : Value(body->getArguments().back());
}

void LinearFrame::close() {
  func::ReturnOp::create(b);
  // Innermost loops first, so that what they give up goes as far as it can.
  kernel.walk([](scf::ForOp loop) { moveLoopInvariantCode(loop); });
}

bool LinearFrame::isForDevice() const {
  const Target *target = findTargetOfLevel(spec.entry.getLevel());
  return target && target->isDevice();
}

Value LinearFrame::window() const {
  std::optional<unsigned> param = recurrence().getWindowParam();
  return param ? params[*param] : Value();
}

Value LinearFrame::keysAhead() {
  return arith::SubIOp::create(b, numKeys(), numQueries());
}

LinearFrame::Carried LinearFrame::forEachTile(
    Value begin, Value end, Value zero, int64_t size, ValueRange inits,
    function_ref<Carried(const TokenTile &, ValueRange)> body) {
  Value step = constant(size);
  // Behind the last whole tile.
  Value whole = arith::MaxSIOp::create(
      b, begin,
      arith::SubIOp::create(
          b, end, emitMod(b, arith::SubIOp::create(b, end, begin), size)));
  Value last = arith::AddIOp::create(b, zero, end);
  auto run = [&](Value from, Value to, bool isWhole, ValueRange carried) {
    return scf::ForOp::create(
        b, from, to, step, carried,
        [&](OpBuilder &, Location, Value row, ValueRange now) {
          TokenTile tokens{row, arith::AddIOp::create(b, zero, row),
                           isWhole ? Value() : last, size};
          scf::YieldOp::create(b, body(tokens, now));
        });
  };
  // On a device the softmax over a window is most of the code, which matters
  // more there than a few selections: the last tile is one like the others.
  if (isForDevice() && window())
    return llvm::to_vector_of<Value>(
        run(begin, end, /*isWhole=*/false, inits).getResults());
  if (size > 1) {
    auto first = run(begin, whole, /*isWhole=*/true, inits);
    auto rest = run(whole, end, /*isWhole=*/false, first.getResults());
    return llvm::to_vector_of<Value>(rest.getResults());
  }
  return llvm::to_vector_of<Value>(
      run(begin, end, /*isWhole=*/true, inits).getResults());
}

//===----------------------------------------------------------------------===//
// Verbs
//===----------------------------------------------------------------------===//

static RankedTensorType typeOf(Value tile) {
  return cast<RankedTensorType>(tile.getType());
}

Value LinearFrame::load(ViewValue view, int64_t rows, Value row) {
  Value at = view == k() || view == v() ? headOfKeys : head;
  int64_t width = view.getType().getWidth();
  return tile::LoadOp::create(b, tileType({rows, width}), view, batch, at, row);
}

Value LinearFrame::load(ViewValue view, const TokenTile &tokens) {
  Value result = load(view, tokens.size, tokens.row);
  if (!tokens.end)
    result.getDefiningOp()->setAttr(tile::kAllExistAttr, b.getUnitAttr());
  return result;
}

void LinearFrame::store(Value tile, ViewValue view, Value row) {
  tile::StoreOp::create(b, tile, view, batch, head, row);
}

Value LinearFrame::transpose(Value tile) {
  ArrayRef<int64_t> shape = typeOf(tile).getShape();
  auto type = shape.size() == 1 ? tileType({1, shape[0]})
                                : tileType({shape[1], shape[0]});
  return b.createOrFold<tile::TransposeOp>(type, tile);
}

Value LinearFrame::sum(Value tile, int64_t along) {
  return tile::ReduceOp::create(b,
                                tileType({typeOf(tile).getDimSize(1 - along)}),
                                tile::Reduction::Sum, tile, along);
}

Value LinearFrame::scores(Value q, Value k) {
  return tile::ScoresOp::create(
      b, tileType({typeOf(q).getDimSize(0), typeOf(k).getDimSize(0)}), q, k);
}

Value LinearFrame::product(Value o, Value p, Value v, Value bits) {
  auto type = tileType({typeOf(p).getDimSize(0), typeOf(v).getDimSize(1)});
  return tile::AccumulateOp::create(b, type, o ? o : fill(type, 0), p, v, bits);
}

Value LinearFrame::add(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}

Value LinearFrame::mul(Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}

Value LinearFrame::subtract(Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}

Value LinearFrame::element(Value vector) {
  return tile::ElementOp::create(b, vector, constant(int64_t{0}));
}

Value LinearFrame::map(ArrayRef<int64_t> shape, ValueRange inputs, MapBody body,
                       Value row, Value column) {
  Value zero = constant(int64_t{0});
  auto op = tile::MapOp::create(b, TypeRange{tileType(shape)}, inputs, batch,
                                head, row ? row : zero, column ? column : zero,
                                ValueRange{});
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types(inputs.size(), b.getF32Type());
  types.append(4, b.getIndexType());
  Block *block = b.createBlock(&op.getBody(), {}, types,
                               SmallVector<Location>(types.size(), b.getLoc()));
  auto arguments = block->getArguments();
  SmallVector<Value> elements =
      llvm::to_vector_of<Value>(arguments.take_front(inputs.size()));
  tile::YieldOp::create(b,
                        ValueRange{body(elements, arguments.drop_back().back(),
                                        arguments.back())});
  return op.getResult(0);
}

Value LinearFrame::less(Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
}

Value LinearFrame::select(Value c, Value x, Value y) {
  return arith::SelectOp::create(b, c, x, y);
}
