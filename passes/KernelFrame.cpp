// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/KernelFrame.h"

#include "codegen/Target.h"
#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/IndexArithmetic.h"
#include "passes/PackHeads.h"

using namespace heddle;
using namespace mlir;

KernelFrame::KernelFrame(func::FuncOp source, const KernelSpec &spec)
    : spec(spec), b(source.getLoc(), source.getContext()), function(source) {}

static ViewValue view(Value value) { return cast<ViewValue>(value); }

/// A problem is checked once; other kinds of kernel are for one task.
static bool hasTask(StringRef kind) { return kind != "check"; }

Block *KernelFrame::start(StringRef kind, TypeRange types, TypeRange extra,
                          TypeRange results) {
  Type index = b.getIndexType();
  SmallVector<Type> all(hasTask(kind) ? 3 : 0, index);
  llvm::append_range(all, types);
  all.append({index, b.getF32Type()});
  for (const KernelParam &param : spec.params)
    all.push_back(param.type);
  llvm::append_range(all, extra);

  b.setInsertionPoint(function);
  kernel = func::FuncOp::create(b, (function.getName() + "_" + kind).str(),
                                b.getFunctionType(all, results));
  kernel->setAttr(tile::kKernelAttr, b.getStringAttr(kind));
  kernel->setAttr(tile::kEntryAttr, spec.entry);
  if (Attribute limit = function->getAttr(SharedMemoryAttr))
    kernel->setAttr(SharedMemoryAttr, limit);
  Block *body = kernel.addEntryBlock();
  b.setInsertionPointToStart(body);

  batch = head = tile = Value();
  if (hasTask(kind))
    batch = body->getArgument(0), head = body->getArgument(1),
    tile = body->getArgument(2);
  auto others = body->getArguments().drop_back(extra.size());
  params = llvm::to_vector_of<Value>(others.take_back(spec.params.size()));
  others = others.drop_back(spec.params.size());
  origin = others.drop_back().back(), scale = others.back();
  return body;
}

void KernelFrame::bindSources() {
  accesses.clear();
  for (auto [source, known] : llvm::zip(sources, spec.sources)) {
    source.numKeys = dim(tile::Axis::Position, source.k);
    for (unsigned param : known.params)
      source.params.push_back(params[param]);
    accesses.push_back(
        std::make_unique<attn::OperandAccess>(ValueRange(source.params)));
  }
}

Value KernelFrame::open(StringRef kind, TypeRange extra, TypeRange results) {
  Type f32 = b.getF32Type();
  auto rowsOf = [&](int64_t width, Type element) {
    return attn::ViewType::get(b.getContext(), width, element);
  };
  attn::EntryAttr entry = spec.entry;
  Type ofQk = rowsOf(entry.getQk(), entry.getInputType());
  SmallVector<Type> types = {ofQk};
  for (size_t i = 0; i < spec.sources.size(); ++i)
    types.append({ofQk, rowsOf(entry.getV(), entry.getInputType())});
  types.push_back(rowsOf(entry.getV(), entry.getOutputType()));
  types.append(2 + 2 * spec.sources.size(), rowsOf(1, f32));

  Block *body = start(kind, types, extra, results);
  unsigned next = hasTask(kind) ? 3 : 0;
  auto argument = [&] { return view(body->getArgument(next++)); };
  q = argument();
  sources.assign(spec.sources.size(), {});
  for (Source &source : sources)
    source.k = argument(), source.v = argument();
  o = argument(), lse = argument(), rowMax = argument();
  for (Source &source : sources) {
    source.columnSums = argument();
    source.blockMax = argument();
  }
  bindSources();
  return extra.empty() ? Value() : Value(body->getArguments().back());
}

/// The box of a tile: one axis where there is no grid.
static SmallVector<int64_t> boxOf(ArrayRef<int64_t> box, int64_t tile) {
  return box.empty() ? SmallVector<int64_t>{tile}
                     : SmallVector<int64_t>(box.begin(), box.end());
}

SmallVector<int64_t> KernelFrame::queryBox() const {
  return boxOf(schedule().getQueryBox(), queryTile());
}

SmallVector<int64_t> KernelFrame::keyBox() const {
  return boxOf(schedule().getKeyBox(), keyTile());
}

RankedTensorType KernelFrame::tileType(ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, b.getF32Type());
}

Value KernelFrame::constant(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value KernelFrame::constant(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value KernelFrame::fill(RankedTensorType type, float value) {
  return tile::FillOp::create(b, type, b.getF32FloatAttr(value));
}

Value KernelFrame::dim(tile::Axis axis, Value view) {
  return tile::DimOp::create(b, axis, view);
}

Value KernelFrame::constantStatus(tile::Status status) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(status));
}

SmallVector<Value> KernelFrame::extents(ArrayRef<int64_t> grid) {
  // Sources of a combination have no grid, so there is one pattern.
  return llvm::map_to_vector(
      grid, [&](int64_t param) { return sources.front().params[param]; });
}

static Value buildPositions(KernelFrame &frame, ValueRange first,
                            ValueRange extents, ArrayRef<int64_t> box,
                            int64_t size) {
  auto type = RankedTensorType::get({size}, frame.b.getIndexType());
  return tile::PositionsOp::create(frame.b, type, first, extents, box);
}

SmallVector<Value> KernelFrame::boxStart(Value number, ArrayRef<Value> extents,
                                         ArrayRef<int64_t> box) {
  // Boxes are counted row by row, the innermost axis fastest.
  SmallVector<Value> first(box.size());
  for (size_t axis = box.size(); axis-- > 0;) {
    Value at = number;
    if (axis > 0) {
      Value boxes = emitCeilDiv(b, extents[axis], box[axis]);
      at = arith::RemUIOp::create(b, number, boxes);
      number = arith::DivUIOp::create(b, number, boxes);
    }
    first[axis] = arith::MulIOp::create(b, at, constant(box[axis]));
  }
  return first;
}

Value KernelFrame::numQueryTiles() {
  if (!spec.hasGrid())
    return emitCeilDiv(b, dim(tile::Axis::Position, q), queryTile());
  Value tiles;
  for (auto [extent, size] :
       llvm::zip_equal(extents(spec.first().getQueryGrid()), queryBox())) {
    Value boxes = emitCeilDiv(b, extent, size);
    tiles = tiles ? arith::MulIOp::create(b, tiles, boxes) : boxes;
  }
  return tiles;
}

SmallVector<Value> KernelFrame::firstKeyOf(Value number) {
  if (!spec.hasGrid())
    return {arith::MulIOp::create(b, number, constant(keyTile()))};
  return boxStart(number, extents(spec.first().getKeyGrid()), keyBox());
}

QueryTile KernelFrame::buildQueryTile(Value number) {
  QueryTile result;
  if (!spec.hasGrid()) {
    result.rows = arith::MulIOp::create(b, number, constant(queryTile()));
    result.first = {arith::AddIOp::create(b, result.rows, origin)};
    result.count = arith::MinSIOp::create(
        b, arith::SubIOp::create(b, dim(tile::Axis::Position, q), result.rows),
        constant(queryTile()));
    return result;
  }
  SmallVector<Value> ends = extents(spec.first().getQueryGrid());
  result.first = boxStart(number, ends, queryBox());
  result.rows =
      buildPositions(*this, result.first, ends, queryBox(), queryTile());
  result.count = constant(queryTile());
  return result;
}

KeyTile KernelFrame::buildKeyTile(unsigned source, ValueRange first,
                                  Value status) {
  KeyTile result;
  llvm::append_range(result.first, first);
  result.status = status;
  result.formula = spec.sources[source].formula;
  result.params = sources[source].params;
  result.rows =
      spec.hasGrid()
          ? buildPositions(*this, first, extents(spec.first().getKeyGrid()),
                           keyBox(), keyTile())
          : first.front();
  return result;
}

Value KernelFrame::rotate(unsigned source, Value rows, Value at, bool isSame) {
  attn::PatternOp pattern = spec.sources[source].pattern;
  ArrayRef<int64_t> tables = pattern.getRotate();
  if (tables.empty())
    return rows;
  return tile::RotateOp::create(b, rows, at, sources[source].params[tables[0]],
                                sources[source].params[tables[1]], isSame);
}

Value KernelFrame::loadQueries(unsigned source, const QueryTile &queries,
                               Value factor) {
  Value rows =
      tile::LoadOp::create(b, tileType({queryTile(), spec.entry.getQk()}), q,
                           batch, head, queries.rows);
  if (spec.entry.getPacked()) {
    // Heads of one query.
    ValueRange hidden = ValueRange(params).take_back(kNumHiddenParams);
    rows = rotate(source, rows, hidden[RowPosition], /*isSame=*/true);
  } else {
    // Absolute positions: those of a sequence begin at its origin.
    rows = rotate(source, rows,
                  spec.hasGrid() ? queries.rows : queries.first.front());
  }
  return tile::ScaleOp::create(b, rows, factor);
}

Value KernelFrame::keyHead(unsigned source) {
  Value group = arith::DivUIOp::create(
      b, dim(tile::Axis::Head, q), dim(tile::Axis::Head, sources[source].k));
  return arith::DivUIOp::create(b, head, group);
}

Value KernelFrame::loadKeys(unsigned source, const KeyTile &keys) {
  Value rows = tile::LoadOp::create(
      b, tileType({keyTile(), spec.entry.getQk()}), sources[source].k, batch,
      keyHead(source), keys.rows);
  return rotate(source, rows, keys.rows);
}

Value KernelFrame::loadValues(unsigned source, const KeyTile &keys) {
  return tile::LoadOp::create(b, tileType({keyTile(), spec.entry.getV()}),
                              sources[source].v, batch, keyHead(source),
                              keys.rows);
}

namespace {

/// What decides which pairs are kept comes from where the pattern says so.
class InKeepRegion {
public:
  InKeepRegion(ImplicitLocOpBuilder &b, attn::PatternOp pattern)
      : b(b), before(b.getLoc()) {
    if (!pattern.getBody().empty() && !pattern.getBody().front().empty())
      b.setLoc(pattern.getBody().front().back().getLoc());
  }
  InKeepRegion(const InKeepRegion &) = delete;
  InKeepRegion &operator=(const InKeepRegion &) = delete;
  ~InKeepRegion() { b.setLoc(before); }

private:
  ImplicitLocOpBuilder &b;
  Location before;
};

} // namespace

Value KernelFrame::buildBits(unsigned source, const QueryTile &queries,
                             const KeyTile &keys) {
  InKeepRegion here(b, spec.sources[source].pattern);
  auto type = RankedTensorType::get({queryTile(), keyTile()}, b.getI1Type());
  return tile::BitsOp::create(b, type, keys.formula, batch, head, queries.first,
                              keys.first, keys.listed, sources[source].numKeys,
                              keys.status, keys.params,
                              schedule().getQueryBox(), schedule().getKeyBox());
}

Value KernelFrame::buildTiles(unsigned source, attn::FormulaAttr formula,
                              const QueryTile &queries) {
  InKeepRegion here(b, spec.sources[source].pattern);
  return attn::TilesOp::create(
      b, formula, batch, head, queries.first, sources[source].numKeys,
      sources[source].params, queryTile(), keyTile(), schedule().getQueryBox(),
      schedule().getKeyBox(), spec.first().getKeyGrid());
}

attn::Coordinates KernelFrame::coordinates(unsigned source) {
  attn::Coordinates at;
  at.b = batch, at.h = head;
  at.numKeys = sources[source].numKeys;
  for (Value param : sources[source].params)
    at.params.push_back(param.getType().isIndex() ? param : Value());
  at.access = accesses[source].get();
  return at;
}

attn::EmittedStatus KernelFrame::emitStatus(unsigned source,
                                            attn::FormulaAttr formula,
                                            const QueryTile &queries,
                                            ValueRange firstKey) {
  InKeepRegion here(b, spec.sources[source].pattern);
  attn::Coordinates at = coordinates(source);
  at.q = queries.first;
  llvm::append_range(at.k, firstKey);
  return attn::emitStatus(b, b.getLoc(), formula, at, queryBox(), keyBox());
}

attn::FormulaAttr KernelFrame::ofExistingQueries(unsigned source,
                                                 attn::FormulaAttr formula) {
  attn::PatternOp pattern = spec.sources[source].pattern;
  SmallVector<attn::FormulaAttr> parts = {formula};
  MLIRContext *context = b.getContext();
  ArrayRef<int64_t> grid = pattern.getQueryGrid();
  for (auto [i, param] : llvm::enumerate(grid))
    parts.push_back(attn::getBetween(
        getAffineDimExpr(attn::queryDim(grid.size() - 1 - i), context), {},
        {getAffineSymbolExpr(attn::paramSymbol(param), context)}));
  return attn::getAll(context, parts);
}
