// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Tile.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace heddle;
using namespace heddle::tile;

LogicalResult HeadsType::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t count, RankedTensorType tile) {
  if (count < 1 || !tile.hasStaticShape())
    return emitError() << "[heads-1] expected a positive count and a tile of "
                          "static shape, found "
                       << count << " and " << tile;
  return success();
}

static RankedTensorType tileOf(Type heads) {
  return cast<HeadsType>(heads).getTile();
}

void EachHeadOp::build(
    OpBuilder &builder, OperationState &state, Value h, Value count,
    int64_t heads, ValueRange reads, ValueRange carries,
    function_ref<SmallVector<Value>(Value, ValueRange, ValueRange)> body) {
  state.addOperands({h, count});
  state.addOperands(reads);
  state.addOperands(carries);
  state.getOrAddProperties<Properties>().operandSegmentSizes = {
      1, 1, static_cast<int32_t>(reads.size()),
      static_cast<int32_t>(carries.size())};
  Region *region = state.addRegion();
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(region);
  block->addArgument(builder.getIndexType(), state.location);
  for (ValueRange each : {reads, carries})
    for (Type type : each.getTypes())
      block->addArgument(tileOf(type), state.location);
  ValueRange tiles = block->getArguments().drop_front();
  SmallVector<Value> yielded =
      body(block->getArgument(0), tiles.take_front(reads.size()),
           tiles.drop_front(reads.size()));
  YieldOp::create(builder, state.location, yielded);
  for (Value value : yielded)
    state.addTypes(HeadsType::get(builder.getContext(), heads,
                                  cast<RankedTensorType>(value.getType())));
}

LogicalResult EachHeadOp::verify() {
  Block &block = getBodyRegion().front();
  SmallVector<Type> inside = {IndexType::get(getContext())};
  SmallVector<Type> all;
  for (TypeRange each : {getReads().getTypes(), getCarries().getTypes()})
    for (Type type : each) {
      inside.push_back(tileOf(type));
      all.push_back(type);
    }
  if (block.getArgumentTypes() != TypeRange(inside))
    return emitOpError("[each_head-1] expected a body with the arguments ")
           << inside;
  SmallVector<Type> yielded;
  for (Type type : getResultTypes())
    yielded.push_back(tileOf(type));
  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getValues().getTypes() != TypeRange(yielded) ||
      getNumResults() < getCarries().size() ||
      TypeRange(getResultTypes()).take_front(getCarries().size()) !=
          getCarries().getTypes())
    return emitOpError(
        "[each_head-2] expected a result for every tile that the "
        "body yields, of its type, and first those of "
        "'carries'");
  llvm::append_range(all, getResultTypes());
  auto count = [](Type type) { return cast<HeadsType>(type).getCount(); };
  if (!all.empty() && !llvm::all_of(all, [&](Type type) {
        return count(type) == count(all.front());
      }))
    return emitOpError("[each_head-3] expected tiles for one number of heads, "
                       "found ")
           << all;
  return success();
}
