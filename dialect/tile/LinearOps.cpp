// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Tile.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace heddle;
using namespace heddle::tile;

static RankedTensorType tileType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool hasShape(Value value, ArrayRef<int64_t> shape) {
  return tileType(value).getShape() == shape;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::verify() {
  RankedTensorType from = tileType(getTile()), to = tileType(getResult());
  bool ok = from.getRank() == 2
                ? to.getShape() == ArrayRef<int64_t>{from.getDimSize(1),
                                                     from.getDimSize(0)} ||
                      (from.getDimSize(0) == 1 &&
                       to.getShape() == from.getShape().drop_front())
                : from.getRank() == 1 &&
                      to.getShape() == ArrayRef<int64_t>{1, from.getDimSize(0)};
  if (!ok)
    return emitOpError("[transpose-1] expected the axes of ")
           << from << " exchanged, found " << to;
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  auto before = getTile().getDefiningOp<TransposeOp>();
  if (before && before.getTile().getType() == getType())
    return before.getTile();
  return {};
}

LogicalResult RowOp::verify() {
  RankedTensorType from = tileType(getTile());
  if (from.getRank() != 2 || !hasShape(getResult(), {1, from.getDimSize(1)}))
    return emitOpError("[row-1] expected one row of a tile of rank 2, found ")
           << tileType(getResult()) << " of " << from;
  return success();
}

LogicalResult ElementOp::verify() {
  if (tileType(getTile()).getRank() != 1)
    return emitOpError("[element-1] expected a tile of rank 1, found ")
           << tileType(getTile());
  return success();
}

LogicalResult LoadTableOp::verify() {
  auto table = cast<RankedTensorType>(getTable().getType());
  if (table.getRank() != static_cast<int64_t>(getIndices().size()) + 2)
    return emitOpError("[load_table-1] expected a table with two axes more "
                       "than the ")
           << getIndices().size() << " indices, found " << table;
  if (tileType(getTile()).getRank() != 2)
    return emitOpError("[load_table-2] expected a result of rank 2, found ")
           << tileType(getTile());
  return success();
}

//===----------------------------------------------------------------------===//
// Element by element, and over rows and columns
//===----------------------------------------------------------------------===//

LogicalResult MapOp::verify() {
  bool isUniform = getNumResults() != 0 && llvm::all_equal(getResultTypes());
  RankedTensorType type =
      isUniform ? tileType(getResult(0)) : RankedTensorType();
  if (!isUniform || type.getRank() < 1 || type.getRank() > 2)
    return emitOpError("[map-1] expected results of one type, of rank 1 or 2, "
                       "found ")
           << getResultTypes();
  int64_t rows = type.getDimSize(0);
  for (Value input : getInputs()) {
    bool fits =
        input.getType() == type || hasShape(input, {rows}) ||
        (type.getRank() == 2 && hasShape(input, {1, type.getDimSize(1)}));
    if (!fits)
      return emitOpError("[map-2] expected inputs like the result, ")
             << type << ", a value per row or a value per column, found "
             << tileType(input);
  }
  Block &block = getBody().front();
  SmallVector<Type> expected(getInputs().size(),
                             Float32Type::get(getContext()));
  expected.append(4, IndexType::get(getContext()));
  llvm::append_range(expected, getParams().getTypes());
  TypeRange yielded =
      cast<YieldOp>(block.getTerminator()).getValues().getTypes();
  auto isF32 = [](Type each) { return each.isF32(); };
  if (block.getArgumentTypes() != TypeRange(expected) ||
      yielded.size() != getNumResults() || !llvm::all_of(yielded, isF32))
    return emitOpError("[map-3] expected a region with the arguments ")
           << expected << " that yields an 'f32' per result";
  return success();
}

LogicalResult ReduceOp::verify() {
  RankedTensorType from = tileType(getTile());
  auto axis = static_cast<int64_t>(getAxis());
  if (from.getRank() != 2 || axis < 0 || axis > 1 ||
      !hasShape(getResult(), {from.getDimSize(1 - axis)}))
    return emitOpError("[reduce-1] expected a tile of rank 2, axis 0 or 1 and "
                       "the other extent, found ")
           << from << " along " << axis << " to " << tileType(getResult());
  return success();
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

LogicalResult DecaysOp::verify() {
  RankedTensorType a = tileType(getA());
  if (a.getRank() != 1 || !hasShape(getW(), {a.getDimSize(0), a.getDimSize(0)}))
    return emitOpError("[decays-1] expected N factors and a result of NxN, "
                       "found ")
           << a << " and " << tileType(getW());
  return success();
}

LogicalResult DecayedScoresOp::verify() {
  RankedTensorType q = tileType(getQ());
  if (q.getRank() != 2 || !hasShape(getS(), {q.getDimSize(0), q.getDimSize(0)}))
    return emitOpError("[decayed_scores-1] expected tiles of NxD and a "
                       "result of NxN, found ")
           << q << " and " << tileType(getS());
  return success();
}

RankedTensorType CumulateOp::totalType(RankedTensorType a) {
  return RankedTensorType::get(a.getShape().take_back(), a.getElementType());
}

void CumulateOp::build(OpBuilder &builder, OperationState &state, Value a,
                       bool before) {
  RankedTensorType type = tileType(a);
  build(builder, state, type, type, totalType(type), a, before);
}

LogicalResult CumulateOp::verify() {
  RankedTensorType a = tileType(getA());
  if (a.getRank() != 2 || tileType(getTotal()) != totalType(a))
    return emitOpError("[cumulate-1] expected factors of NxD and D totals, "
                       "found ")
           << a << " and " << tileType(getTotal());
  return success();
}

LogicalResult SolveOp::verify() {
  RankedTensorType a = tileType(getA()), r = tileType(getR());
  if (a.getRank() != 2 || a.getDimSize(0) != a.getDimSize(1) ||
      r.getRank() != 2 || r.getDimSize(1) != a.getDimSize(0))
    return emitOpError("[solve-1] expected a of NxN and r of DxN, found ")
           << a << " and " << r;
  return success();
}

int64_t ExpandOp::numFeatures(int64_t d, std::optional<uint64_t> power) {
  constexpr int64_t limit = int64_t(1) << 40;
  if (d > limit / 2)
    return -1;
  if (!power)
    return d > (1 << 20) ? -1 : 1 + d + d * (d + 1) / 2;
  // C(d + n - 1, n) = C(d + n - 2, n - 1) * (d + n - 1) / n.
  int64_t count = 1;
  for (int64_t n = 1; n <= static_cast<int64_t>(*power); ++n) {
    if (count > (int64_t(1) << 62) / (d + n))
      return -1;
    count = count * (d + n - 1) / n;
    if (count > limit)
      return -1;
  }
  return count;
}

LogicalResult ExpandOp::verify() {
  RankedTensorType x = tileType(getX());
  std::optional<uint64_t> power = getPower();
  if (x.getRank() != 2 || (power && (*power < 2 || *power > 8)))
    return emitOpError("[expand-1] expected x of rank 2 and a degree of 2 to "
                       "8, found ")
           << x << " and " << static_cast<int64_t>(power.value_or(2));
  if (!hasShape(getResult(),
                {x.getDimSize(0), numFeatures(x.getDimSize(1), power)}))
    return emitOpError("[expand-2] expected ")
           << x.getDimSize(0) << "x" << numFeatures(x.getDimSize(1), power)
           << " features, found " << tileType(getResult());
  return success();
}
