// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace heddle;
using namespace heddle::tile;

/// The type of rows; nothing is written for the common case of one row number.
static ParseResult parseRowType(OpAsmParser &parser, Type &type) {
  if (succeeded(parser.parseOptionalColon()))
    return parser.parseType(type);
  type = parser.getBuilder().getIndexType();
  return success();
}

static void printRowType(OpAsmPrinter &printer, Operation *, Type type) {
  if (!type.isIndex())
    printer << " : " << type;
}

#include "dialect/tile/TileEnums.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/tile/TileOps.cpp.inc"

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Rank-1 row statistics have the first extent of the tile they belong to.
static LogicalResult verifyRowStatistic(Operation *op, StringRef rule,
                                        StringRef name, Value statistic,
                                        Value tile) {
  RankedTensorType type = tensorType(statistic), of = tensorType(tile);
  if (type.getRank() == 1 && of.getRank() == 2 &&
      type.getDimSize(0) == of.getDimSize(0))
    return success();
  return op->emitOpError() << "[" << rule << "] expected '" << name
                           << "' of rank 1 with one element per row of " << of
                           << ", found " << type;
}

//===----------------------------------------------------------------------===//
// tile.foreach
//===----------------------------------------------------------------------===//

void ForeachOp::build(OpBuilder &builder, OperationState &state, Value tiles,
                      unsigned axes, ValueRange inits,
                      function_ref<SmallVector<Value>(
                          OpBuilder &, Location, ValueRange, Value, ValueRange)>
                          body) {
  state.addOperands(tiles);
  state.addOperands(inits);
  state.addTypes(inits.getTypes());
  Region *region = state.addRegion();
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(region);
  for (unsigned axis = 0; axis < axes; ++axis)
    block->addArgument(builder.getIndexType(), state.location);
  block->addArgument(builder.getI32Type(), state.location);
  for (Value init : inits)
    block->addArgument(init.getType(), state.location);
  ValueRange arguments = block->getArguments();
  SmallVector<Value> yielded =
      body(builder, state.location, arguments.take_front(axes), arguments[axes],
           arguments.drop_front(axes + 1));
  YieldOp::create(builder, state.location, yielded);
}

LogicalResult ForeachOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location>,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &results) {
  llvm::append_range(results, adaptor.getInits().getTypes());
  return success();
}

LogicalResult ForeachOp::verify() {
  Block &block = getBodyRegion().front();
  TypeRange types = block.getArgumentTypes();
  size_t inits = getInits().size();
  bool ok = types.size() >= inits + 2 &&
            types.size() <= inits + 1 + attn::kNumAxes &&
            types[getNumAxes()].isInteger(32) &&
            types.take_back(inits) == getInits().getTypes();
  for (unsigned axis = 0; ok && axis < getNumAxes(); ++axis)
    ok = types[axis].isIndex();
  if (!ok)
    return emitOpError("[foreach-1] expected body arguments (index per axis, "
                       "i32, and the types of the initial values)");
  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getValues().getTypes() != getInits().getTypes() ||
      getResultTypes() != getInits().getTypes())
    return emitOpError("[foreach-2] expected the types of initial, yielded and "
                       "resulting values to agree");
  return success();
}

//===----------------------------------------------------------------------===//
// Storage
//===----------------------------------------------------------------------===//

/// Elements that a tile can be loaded from and stored to.
static bool isStorageType(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

/// Places along an axis of a tile are a first one, or one token for each.
static bool countsTokens(Value places, RankedTensorType tile, unsigned axis) {
  auto tokens = dyn_cast<RankedTensorType>(places.getType());
  return !tokens || (tokens.getRank() == 1 && tile.getRank() > axis &&
                     tokens.getDimSize(0) == tile.getDimSize(axis));
}

static bool countsRows(Value rows, RankedTensorType tile) {
  return countsTokens(rows, tile, 0);
}

LogicalResult LoadOp::verify() {
  RankedTensorType tile = tensorType(getTile());
  attn::ViewType view = getView().getType();
  // Rows of one element may stand as a vector.
  bool isColumn = tile.getRank() == 1 && view.getWidth() == 1;
  if (!isColumn &&
      (tile.getRank() != 2 || tile.getDimSize(1) != view.getWidth()))
    return emitOpError("[load-1] expected a tile of rank 2 with rows of ")
           << view.getWidth() << " elements, found " << tile;
  if (!isStorageType(view.getElementType()))
    return emitOpError("[load-2] expected elements of type 'f32', 'f16' or "
                       "'bf16', found ")
           << view.getElementType();
  if (!countsRows(getRow(), tile))
    return emitOpError("[load-3] expected a token per row of ")
           << tile << ", found " << getRow().getType();
  return success();
}

LogicalResult StoreOp::verify() {
  RankedTensorType tile = tensorType(getTile());
  attn::ViewType view = getView().getType();
  int64_t width = tile.getRank() == 2 ? tile.getDimSize(1) : 1;
  if (tile.getRank() < 1 || tile.getRank() > 2 || width != view.getWidth())
    return emitOpError("[store-1] expected a tile of rank 1 or 2 with rows of ")
           << view.getWidth() << " elements, found " << tile;
  if (!isStorageType(view.getElementType()))
    return emitOpError("[store-2] expected elements of type 'f32', 'f16' or "
                       "'bf16', found ")
           << view.getElementType();
  if (!countsRows(getRow(), tile))
    return emitOpError("[store-3] expected a token per row of ")
           << tile << ", found " << getRow().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

LogicalResult PositionsOp::verify() {
  size_t axes = getBox().size();
  if (axes < 1 || axes > attn::kNumAxes || getCoordinates().size() != axes ||
      getExtents().size() != axes)
    return emitOpError("[positions-1] expected coordinates, extents and box of "
                       "one to three axes, found ")
           << getCoordinates().size() << ", " << getExtents().size() << " and "
           << axes;
  int64_t size = 1;
  for (int64_t extent : getBox())
    size *= extent;
  RankedTensorType type = tensorType(getPositions());
  if (type.getRank() != 1 || type.getDimSize(0) != size)
    return emitOpError("[positions-2] expected a result of ")
           << size << " elements, found " << type;
  return success();
}

LogicalResult CollectOp::verify() {
  Block &block = getBody().front();
  auto yield = cast<YieldOp>(block.getTerminator());
  TypeRange yielded = yield.getValues().getTypes();
  if (block.getNumArguments() != 1 ||
      !block.getArgument(0).getType().isIndex() || yielded.size() != 2 ||
      !yielded[0].isInteger(1) || !yielded[1].isIndex())
    return emitOpError("[collect-1] expected a region from index to "
                       "(i1, index)");
  if (tensorType(getPositions()).getRank() != 1)
    return emitOpError("[collect-2] expected a result of rank 1, found ")
           << tensorType(getPositions());
  return success();
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

LogicalResult ScoresOp::verify() {
  RankedTensorType q = tensorType(getQ()), k = tensorType(getK()),
                   s = tensorType(getS());
  if (q.getRank() != 2 || k.getRank() != 2 ||
      q.getDimSize(1) != k.getDimSize(1))
    return emitOpError("[scores-1] expected tiles of rank 2 with rows of one "
                       "length, found ")
           << q << " and " << k;
  if (s.getShape() != ArrayRef<int64_t>{q.getDimSize(0), k.getDimSize(0)})
    return emitOpError("[scores-2] expected a result of ")
           << q.getDimSize(0) << "x" << k.getDimSize(0) << ", found " << s;
  return success();
}

/// How a tile of pairs says which queries and keys it has.
template <typename Op> static bool hasTileCoordinates(Op op) {
  size_t axes = std::max<size_t>(1, op.getQueryBox().size());
  return op.getQueryBox().size() == op.getKeyBox().size() &&
         op.getQ0().size() == axes &&
         op.getK0().size() == (op.getListed() ? 0 : axes);
}

LogicalResult BitsOp::verify() {
  RankedTensorType type = tensorType(getBits());
  if (type.getRank() != 2)
    return emitOpError("[bits-1] expected a result of rank 2, found ") << type;
  unsigned needed = attn::numSymbols(getFormula());
  if (needed > attn::paramSymbol(getParams().size()))
    return emitOpError("[bits-2] expected ")
           << needed - 1 << " parameters for the formula, found "
           << getParams().size();
  if (!hasTileCoordinates(*this))
    return emitOpError("[bits-3] expected one coordinate of queries and keys "
                       "per axis of the boxes, found ")
           << getQ0().size() << " and " << getK0().size() << " for "
           << getQueryBox().size() << " axes";
  if (getListed() &&
      (!getKeyBox().empty() ||
       tensorType(getListed()).getShape() != type.getShape().drop_front()))
    return emitOpError("[bits-4] expected a token per key of ")
           << type << " and no boxes, found " << getListed().getType();
  return success();
}

LogicalResult ModifyOp::verify() {
  if (!hasTileCoordinates(*this))
    return emitOpError("[modify-1] expected one coordinate of queries and keys "
                       "per axis of the boxes, found ")
           << getQ0().size() << " and " << getK0().size() << " for "
           << getQueryBox().size() << " axes";
  Block &block = getBody().front();
  SmallVector<Type> expected = {Float32Type::get(getContext())};
  size_t axes = std::max<size_t>(1, getQueryBox().size());
  expected.append(2 + 2 * axes, IndexType::get(getContext()));
  llvm::append_range(expected, getParams().getTypes());
  if (block.getArgumentTypes() != TypeRange(expected))
    return emitOpError("[modify-1] expected a region with the arguments ")
           << expected;
  TypeRange yielded =
      cast<YieldOp>(block.getTerminator()).getValues().getTypes();
  auto isF32 = [](Type type) { return type.isF32(); };
  auto isLikeS = [&](Type type) { return type == getS().getType(); };
  if (yielded.size() != getNumResults() || yielded.empty() ||
      yielded.size() > 2 || !llvm::all_of(yielded, isF32) ||
      !llvm::all_of(getResultTypes(), isLikeS))
    return emitOpError("[modify-2] expected one or two results like the "
                       "scores, one for every 'f32' that the region yields");
  return success();
}

LogicalResult RotateOp::verify() {
  RankedTensorType type = tensorType(getTile());
  if (type.getRank() != 2 || type.getDimSize(1) % 2 != 0)
    return emitOpError("[rotate-1] expected a tile of rank 2 with rows of even "
                       "length, found ")
           << type;
  if (!countsRows(getRow(), type))
    return emitOpError("[rotate-2] expected a token per row of ")
           << type << ", found " << getRow().getType();
  if (getSame() && !getRow().getType().isIndex())
    return emitOpError("[rotate-3] expected one position for all rows, found ")
           << getRow().getType();
  return success();
}

/// True when the bits are those of a full tile.
static bool areAllOnes(Value bits) {
  auto op = bits ? bits.getDefiningOp<BitsOp>() : BitsOp();
  IntegerAttr status;
  return op && matchPattern(op.getStatus(), m_Constant(&status)) &&
         status.getInt() == Status::Full;
}

OpFoldResult MaskOp::fold(FoldAdaptor) {
  return areAllOnes(getBits()) ? getS() : OpFoldResult();
}

LogicalResult CountOp::canonicalize(CountOp op, PatternRewriter &rewriter) {
  if (!areAllOnes(op.getBits()))
    return failure();
  int64_t keys = tensorType(op.getBits()).getDimSize(1);
  Value width = arith::ConstantIndexOp::create(rewriter, op.getLoc(), keys);
  rewriter.replaceOpWithNewOp<arith::MulIOp>(op, op.getRows(), width);
  return success();
}

LogicalResult SoftmaxStepOp::verify() {
  return verifyRowStatistic(*this, "softmax_step-1", "m", getM(), getS());
}

LogicalResult RescaleOp::verify() {
  return verifyRowStatistic(*this, "rescale-1", "alpha", getAlpha(), getO());
}

LogicalResult AccumulateOp::verify() {
  RankedTensorType o = tensorType(getO()), p = tensorType(getP()),
                   v = tensorType(getV());
  if (o.getRank() != 2 || p.getRank() != 2 || v.getRank() != 2 ||
      p.getDimSize(0) != o.getDimSize(0) ||
      p.getDimSize(1) != v.getDimSize(0) || o.getDimSize(1) != v.getDimSize(1))
    return emitOpError("[accumulate-1] expected o of MxD, p of MxN and v of "
                       "NxD, found ")
           << o << ", " << p << " and " << v;
  if (getBits() && tensorType(getBits()).getShape() != p.getShape())
    return emitOpError("[accumulate-2] expected bits of the shape of p, ")
           << p << ", found " << tensorType(getBits());
  if (getUpper() && (getBits() || v.getDimSize(0) != v.getDimSize(1)))
    return emitOpError("[accumulate-3] expected a square v and no bits with "
                       "'upper', found ")
           << v << (getBits() ? " and bits" : "");
  return success();
}

LogicalResult AccumulateOp::canonicalize(AccumulateOp op,
                                         PatternRewriter &rewriter) {
  if (!areAllOnes(op.getBits()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getBitsMutable().clear(); });
  return success();
}

LogicalResult FinishOp::verify() {
  return verifyRowStatistic(*this, "finish-1", "m", getM(), getO());
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

LogicalResult WeightsOp::verify() {
  if (failed(verifyRowStatistic(*this, "weights-1", "lse", getLse(), getS())))
    return failure();
  if (tensorType(getBits()).getShape() != tensorType(getS()).getShape())
    return emitOpError("[weights-2] expected bits of the shape of ")
           << tensorType(getS()) << ", found " << tensorType(getBits());
  return success();
}

LogicalResult AddColumnsOp::verify() {
  if (tensorType(getP()).getRank() != 2 || getView().getType().getWidth() != 1)
    return emitOpError("[add_columns-1] expected p of rank 2 and a view of "
                       "width 1, found ")
           << tensorType(getP()) << " and " << getView().getType();
  if (!countsTokens(getK0(), tensorType(getP()), 1))
    return emitOpError("[add_columns-2] expected a token per key of ")
           << tensorType(getP()) << ", found " << getK0().getType();
  return success();
}

LogicalResult RaiseBlocksOp::verify() {
  if (tensorType(getP()).getRank() != 2 ||
      static_cast<int64_t>(getBlockQ()) < 1 ||
      static_cast<int64_t>(getBlockK()) < 1)
    return emitOpError("[raise_blocks-1] expected p of rank 2 and positive "
                       "block sizes, found ")
           << tensorType(getP()) << ", " << static_cast<int64_t>(getBlockQ())
           << " and " << static_cast<int64_t>(getBlockK());
  for (auto [tokens, axis, name] :
       {std::tuple(getRow0(), 0, "row"), {getK0(), 1, "key"}})
    if (!countsTokens(tokens, tensorType(getP()), axis))
      return emitOpError("[raise_blocks-2] expected a token per ")
             << name << " of " << tensorType(getP()) << ", found "
             << tokens.getType();
  return success();
}
