// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/FeatureMap.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/IndexArithmetic.h"
#include "llvm/ADT/SetVector.h"

using namespace heddle;
using namespace mlir;

namespace {

/// Gives a result its last form: the value and the position of its token.
using Finish = function_ref<Value(Value value, Value token)>;

class RegionTiles {
public:
  /// `features` of `tokens` for which the region, with or without an element,
  /// is worked off.
  RegionTiles(LinearFrame &frame, Region &region, TokenAxis axis,
              int64_t features, const TokenTile &tokens, Value element,
              int64_t firstFeature = 0)
      : frame(frame), b(frame.b), block(region.front()), axis(axis),
        features(features), firstFeature(firstFeature), tokens(tokens),
        numParams(frame.recurrence().getNumParams()) {
    if (element)
      tiles[block.getArgument(numParams)] = element;
    firstCoordinate = numParams + (element ? 1 : 0);
    // In their order, so that one finds the others done.
    for (Operation &op : block)
      if (isAcrossRow(&op))
        tileOf(op.getResult(0));
  }

  /// What the region ends with, in their last form.
  SmallVector<Value> finish(bool isWide, Finish finish) {
    return map(block.getTerminator()->getOperands(), isWide, finish);
  }

private:
  static bool isAcrossRow(Operation *op) {
    return isa<attn::RowSumOp, attn::RowMaxOp, attn::ProjectOp>(op);
  }

  unsigned numberOf(Value argument) {
    return cast<BlockArgument>(argument).getArgNumber();
  }
  bool isParam(Value value) {
    return isa<BlockArgument>(value) && numberOf(value) < numParams;
  }

  /// Whether a value differs from element to element of a row.
  bool variesWithFeature(Value value) {
    return depends(value, featureful, [&](unsigned argument) {
      return (argument >= numParams && argument < firstCoordinate) ||
             argument == firstCoordinate + 3;
    });
  }
  /// Whether it differs from row to row.
  bool variesWithToken(Value value) {
    return depends(value, tokenful, [&](unsigned argument) {
      return (argument >= numParams && argument < firstCoordinate) ||
             argument == firstCoordinate + 2;
    });
  }
  bool depends(Value value, llvm::DenseMap<Value, bool> &known,
               function_ref<bool(unsigned)> argument) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return argument(numberOf(value));
    if (auto it = known.find(value); it != known.end())
      return it->second;
    bool result = llvm::any_of(op->getOperands(), [&](Value operand) {
      return depends(operand, known, argument);
    });
    // A sum over a row is one number for all of it.
    if (&known == &featureful && isa<attn::RowSumOp, attn::RowMaxOp>(op))
      result = false;
    return known[value] = result;
  }

  static bool isExpensive(Operation *op) {
    return isa<math::MathDialect>(op->getDialect()) || isa<arith::DivFOp>(op);
  }

  /// True for a number of a row that a map of elements should find computed.
  bool isOfRow(Value value) {
    return value.getType().isF32() && !isa<BlockArgument>(value) &&
           !variesWithFeature(value) &&
           (variesWithToken(value) || isExpensive(value.getDefiningOp()));
  }

  SmallVector<int64_t> shapeOf(bool isWide) {
    if (!isWide)
      return {tokens.size};
    if (axis == TokenAxis::Rows)
      return {tokens.size, features};
    return {features, tokens.size};
  }

  /// The value for all tokens, and where it varies for all features.
  Value tileOf(Value value) {
    if (Value known = tiles.lookup(value))
      return known;
    Operation *op = value.getDefiningOp();
    Value result;
    if (isAcrossRow(op)) {
      Value operand = op->getOperand(0);
      Value wide = tiles.lookup(operand);
      if (!wide || !variesWithFeature(operand))
        wide = map(operand, /*isWide=*/true, nullptr).front();
      result = isa<attn::ProjectOp>(op)
                   ? project(cast<attn::ProjectOp>(op), wide)
                   : reduce(op, wide);
    } else {
      result = map(value, variesWithFeature(value), nullptr).front();
    }
    tiles[value] = result;
    return result;
  }

  Value reduce(Operation *op, Value wide) {
    auto kind =
        isa<attn::RowSumOp>(op) ? tile::Reduction::Sum : tile::Reduction::Max;
    return tile::ReduceOp::create(b, frame.tileType({tokens.size}), kind, wide,
                                  axis == TokenAxis::Rows ? 1 : 0);
  }

  Value project(attn::ProjectOp op, Value wide) {
    IRMapping mapping;
    mapScalars(mapping);
    SmallVector<Value> indices;
    for (Value index : op.getIndices()) {
      SetVector<Operation *> slice;
      SmallVector<Value> inputs;
      collect(index, /*isWide=*/false, slice, inputs);
      clone(slice, mapping);
      indices.push_back(mapping.lookupOrDefault(index));
    }
    Value table =
        tile::LoadTableOp::create(b, frame.tileType({features, features}),
                                  mapping.lookup(op.getTable()), indices);
    if (axis == TokenAxis::Rows)
      return frame.product({}, wide, table);
    return frame.product({}, frame.transpose(table), wide);
  }

  /// Parameters, batch and head.
  void mapScalars(IRMapping &mapping) {
    for (unsigned i = 0; i < numParams; ++i)
      mapping.map(block.getArgument(i), frame.params[i]);
    mapping.map(block.getArgument(firstCoordinate), frame.batch);
    mapping.map(block.getArgument(firstCoordinate + 1), frame.head);
  }

  void clone(const SetVector<Operation *> &slice, IRMapping &mapping) {
    // In the order of the region.
    for (Operation &op : block)
      if (slice.contains(&op) && !mapping.contains(op.getResult(0)))
        cloneRegionOp(b, op, mapping, Value());
  }

  /// The operations that `value` takes, down to values that are there as tiles.
  void collect(Value value, bool isWide, SetVector<Operation *> &slice,
               SmallVectorImpl<Value> &inputs) {
    if (tiles.contains(value) || (isWide && isOfRow(value))) {
      tileOf(value);
      if (!llvm::is_contained(inputs, value))
        inputs.push_back(value);
      return;
    }
    Operation *op = value.getDefiningOp();
    if (!op || slice.contains(op))
      return;
    for (Value operand : op->getOperands())
      collect(operand, isWide, slice, inputs);
    slice.insert(op);
  }

  /// One tile.map for all of `values`.
  SmallVector<Value> map(ValueRange values, bool isWide, Finish finish) {
    SetVector<Operation *> slice;
    SmallVector<Value> inputs;
    for (Value value : values)
      collect(value, isWide, slice, inputs);
    SmallVector<Value> results(values);
    // What takes long and is wanted once more is kept.
    if (!finish && isWide)
      for (Operation *op : slice)
        if (isExpensive(op) && variesWithFeature(op->getResult(0)) &&
            !llvm::is_contained(results, op->getResult(0)) &&
            llvm::any_of(op->getUsers(), [&](Operation *user) {
              return !slice.contains(user);
            }))
          results.push_back(op->getResult(0));

    bool areColumns = isWide && axis == TokenAxis::Columns;
    SmallVector<Value> operands;
    for (Value input : inputs) {
      Value tile = tiles.lookup(input);
      bool isVector = cast<RankedTensorType>(tile.getType()).getRank() == 1;
      operands.push_back(areColumns && isVector ? frame.asRow(tile) : tile);
    }
    Value first = frame.constant(firstFeature);
    SmallVector<Type> types(results.size(), frame.tileType(shapeOf(isWide)));
    auto op =
        tile::MapOp::create(b, types, operands, frame.batch, frame.head,
                            areColumns ? first : tokens.first,
                            areColumns ? tokens.first : first, ValueRange{});
    buildBody(op, inputs, areColumns, slice, results, finish);
    for (auto [value, tile] : llvm::zip(results, op.getResults()))
      if (!finish)
        tiles[value] = tile;
    return llvm::to_vector_of<Value>(op.getResults().take_front(values.size()));
  }

  void buildBody(tile::MapOp op, ValueRange inputs, bool areColumns,
                 const SetVector<Operation *> &slice, ValueRange results,
                 Finish finish) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types(inputs.size(), b.getF32Type());
    types.append(4, b.getIndexType());
    Block *body =
        b.createBlock(&op.getBody(), {}, types,
                      SmallVector<Location>(types.size(), b.getLoc()));
    IRMapping mapping;
    for (auto [input, argument] : llvm::zip(inputs, body->getArguments()))
      mapping.map(input, argument);
    mapScalars(mapping);
    auto own = body->getArguments().drop_front(inputs.size());
    Value token = own[areColumns ? 3 : 2], feature = own[areColumns ? 2 : 3];
    mapping.map(block.getArgument(firstCoordinate), own[0]);
    mapping.map(block.getArgument(firstCoordinate + 1), own[1]);
    mapping.map(block.getArgument(firstCoordinate + 2), token);
    if (firstCoordinate + 3 < block.getNumArguments())
      mapping.map(block.getArgument(firstCoordinate + 3), feature);
    clone(slice, mapping);
    SmallVector<Value> yielded;
    for (Value result : results) {
      Value value = mapping.lookup(result);
      yielded.push_back(finish ? finish(value, token) : value);
    }
    tile::YieldOp::create(b, yielded);
  }

  LinearFrame &frame;
  ImplicitLocOpBuilder &b;
  Block &block;
  TokenAxis axis;
  int64_t features, firstFeature;
  const TokenTile &tokens;
  unsigned numParams;
  unsigned firstCoordinate;
  /// What has been computed for all rows.
  llvm::DenseMap<Value, Value> tiles;
  llvm::DenseMap<Value, bool> featureful, tokenful;
};

} // namespace

/// `value` for tokens that exist, `other` for the rest.
static Value whereExists(LinearFrame &frame, const TokenTile &tokens,
                         Value value, Value token, float other) {
  return tokens.end ? frame.select(frame.less(token, tokens.end), value,
                                   frame.constant(other))
                    : value;
}

SmallVector<Value, 2> heddle::buildFeatures(LinearFrame &frame,
                                            const RowMap &map, Value tile,
                                            const TokenTile &tokens) {
  bool isRows = map.axis == TokenAxis::Rows;
  ArrayRef<int64_t> shape = cast<RankedTensorType>(tile.getType()).getShape();
  auto finish = [&](Value value, Value token) {
    if (map.factor)
      value = frame.mul(value, map.factor);
    return whereExists(frame, tokens, value, token, 0);
  };
  if (!map.region->empty()) {
    RegionTiles region(frame, *map.region, map.axis, shape[isRows ? 1 : 0],
                       tokens, tile);
    return llvm::to_vector<2>(region.finish(/*isWide=*/true, finish));
  }
  if (tokens.end)
    return {frame.map(
        shape, tile,
        [&](ValueRange elements, Value row, Value column) {
          return finish(elements.front(), isRows ? row : column);
        },
        isRows ? tokens.first : Value(), isRows ? Value() : tokens.first)};
  if (map.factor)
    return {tile::ScaleOp::create(frame.b, tile, map.factor)};
  return {tile};
}

Value heddle::buildFactors(LinearFrame &frame, const TokenTile &tokens) {
  return buildFactors(frame, tokens, TokenAxis::Rows, 0, 0);
}

Value heddle::buildFactors(LinearFrame &frame, const TokenTile &tokens,
                           TokenAxis axis, int64_t first, int64_t features) {
  RegionTiles region(frame, frame.recurrence().getDecay(), axis, features,
                     tokens, Value(), first);
  auto finish = [&](Value value, Value token) {
    return whereExists(frame, tokens, math::ExpOp::create(frame.b, value),
                       token, 1);
  };
  return region.finish(/*isWide=*/features > 0, finish).front();
}

Value heddle::buildLogFactor(LinearFrame &frame, const TokenTile &tokens) {
  RegionTiles region(frame, frame.recurrence().getDecay(), TokenAxis::Rows, 0,
                     tokens, Value());
  auto finish = [](Value value, Value) { return value; };
  return frame.element(region.finish(/*isWide=*/false, finish).front());
}

Value heddle::buildBeta(LinearFrame &frame, const TokenTile &tokens) {
  RegionTiles region(frame, frame.recurrence().getDelta(), TokenAxis::Rows, 1,
                     tokens, Value());
  return region
      .finish(/*isWide=*/false,
              [&](Value value, Value token) {
                return whereExists(frame, tokens, value, token, 0);
              })
      .front();
}
