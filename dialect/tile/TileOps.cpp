// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace heddle;
using namespace heddle::tile;

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
                      ValueRange inits,
                      function_ref<SmallVector<Value>(OpBuilder &, Location,
                                                      Value, Value, ValueRange)>
                          body) {
  state.addOperands(tiles);
  state.addOperands(inits);
  state.addTypes(inits.getTypes());
  Region *region = state.addRegion();
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(region);
  block->addArgument(builder.getIndexType(), state.location);
  block->addArgument(builder.getI32Type(), state.location);
  for (Value init : inits)
    block->addArgument(init.getType(), state.location);
  SmallVector<Value> yielded =
      body(builder, state.location, block->getArgument(0),
           block->getArgument(1), block->getArguments().drop_front(2));
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
  if (types.size() != getInits().size() + 2 || !types[0].isIndex() ||
      !types[1].isInteger(32) || types.drop_front(2) != getInits().getTypes())
    return emitOpError("[foreach-1] expected body arguments (index, i32, and "
                       "the types of the initial values)");
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

LogicalResult LoadOp::verify() {
  RankedTensorType tile = tensorType(getTile());
  attn::ViewType view = getView().getType();
  if (tile.getRank() != 2 || tile.getDimSize(1) != view.getWidth())
    return emitOpError("[load-1] expected a tile of rank 2 with rows of ")
           << view.getWidth() << " elements, found " << tile;
  if (tile.getElementType() != view.getElementType())
    return emitOpError("[load-2] expected element type ")
           << view.getElementType() << ", found " << tile.getElementType();
  return success();
}

LogicalResult StoreOp::verify() {
  RankedTensorType tile = tensorType(getTile());
  attn::ViewType view = getView().getType();
  int64_t width = tile.getRank() == 2 ? tile.getDimSize(1) : 1;
  if (tile.getRank() < 1 || tile.getRank() > 2 || width != view.getWidth())
    return emitOpError("[store-1] expected a tile of rank 1 or 2 with rows of ")
           << view.getWidth() << " elements, found " << tile;
  if (tile.getElementType() != view.getElementType())
    return emitOpError("[store-2] expected element type ")
           << view.getElementType() << ", found " << tile.getElementType();
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

LogicalResult BitsOp::verify() {
  if (tensorType(getBits()).getRank() != 2)
    return emitOpError("[bits-1] expected a result of rank 2, found ")
           << tensorType(getBits());
  unsigned needed = attn::numSymbols(getFormula());
  if (needed > attn::paramSymbol(getParams().size()))
    return emitOpError("[bits-2] expected ")
           << needed - 1 << " parameters for the formula, found "
           << getParams().size();
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
