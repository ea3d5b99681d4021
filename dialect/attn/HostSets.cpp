// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/HostSets.h"
#include "dialect/attn/Sets.h"
#include "heddle/index.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace heddle::attn {

namespace {
/// int64_t as the arithmetic of the algebra.
struct HostArithmetic {
  using Int = int64_t;
  using Bool = bool;
  struct Range {
    Int lo, hi;
  };
  struct Probe {
    Bool some, every;
    Int next, previous;
  };
  explicit HostArithmetic(ArrayRef<heddle_operand> operands)
      : operands(operands.data()) {}
  static Int constant(int64_t x) { return x; }
  static Bool truth(bool x) { return x; }
  static Int add(Int x, Int y) { return x + y; }
  static Int sub(Int x, Int y) { return x - y; }
  static Int min(Int x, Int y) { return std::min(x, y); }
  static Int max(Int x, Int y) { return std::max(x, y); }
  static Int bitAnd(Int x, Int y) { return x & y; }
  static Int mul(Int x, int64_t y) { return x * y; }
  static Int floorDiv(Int x, int64_t y) {
    return llvm::divideFloorSigned(x, y);
  }
  static Int mod(Int x, int64_t y) { return llvm::mod(x, y); }
  static Bool less(Int x, Int y) { return x < y; }
  static Bool equal(Int x, Int y) { return x == y; }
  static Bool both(Bool x, Bool y) { return x && y; }
  static Bool either(Bool x, Bool y) { return x || y; }
  static Bool negate(Bool x) { return !x; }
  static Int select(Bool c, Int x, Int y) { return c ? x : y; }
  static Int floorPow2(Int x) {
    return static_cast<int64_t>(llvm::bit_floor(static_cast<uint64_t>(x)));
  }

  // Indices are moved into a table or set, as kernels do it.
  static int64_t clamp(int64_t index, int64_t extent) {
    return std::max<int64_t>(0, std::min(index, extent - 1));
  }
  static int64_t pyramidRow(const heddle_table &table,
                            ArrayRef<int64_t> leading) {
    int64_t row = 0;
    for (auto [axis, index] : llvm::enumerate(leading))
      row += table.pyramid_stride[axis] * clamp(index, table.shape[axis]);
    return row;
  }
  static int64_t setRow(const heddle_set &set, ArrayRef<int64_t> indices) {
    int64_t row = 0;
    for (auto [axis, index] : llvm::enumerate(indices))
      row += set.stride[axis] * clamp(index, set.shape[axis]);
    return row;
  }

  Int read(unsigned param, ArrayRef<Int> indices) const {
    const heddle_table &table = *operands[param].table;
    int64_t offset = 0;
    for (auto [axis, index] : llvm::enumerate(indices))
      offset += table.stride[axis] * clamp(index, table.shape[axis]);
    return static_cast<const int32_t *>(table.data)[offset];
  }
  Bool holds(unsigned param, ArrayRef<Int> indices, Int x) const {
    const heddle_set &set = *operands[param].set;
    if (x < 0 || x >= set.size)
      return false;
    const uint64_t *words =
        set.words + setRow(set, indices) * set.words_per_row;
    return words[x / 64] >> (x % 64) & 1;
  }
  Range span(unsigned param, ArrayRef<Int> leading, Int first, Int last) const {
    const heddle_table &table = *operands[param].table;
    int64_t out[2];
    index->span(&table, pyramidRow(table, leading), first, last, out);
    return {out[0], out[1]};
  }
  Int seek(unsigned param, ArrayRef<Int> leading, Int from, Int lo, Int hi,
           bool outside) const {
    const heddle_table &table = *operands[param].table;
    return index->seek(&table, pyramidRow(table, leading), from, lo, hi,
                       outside);
  }
  Probe probe(unsigned param, ArrayRef<Int> leading, Int first, Int last,
              Int lo, Int hi) const {
    const heddle_set &set = *operands[param].set;
    int64_t row = setRow(set, leading), step = 0, count = 1;
    if (set.rank > 0) {
      int64_t axis = set.rank - 1;
      first = clamp(first, set.shape[axis]);
      last = clamp(last, set.shape[axis]);
      step = set.stride[axis];
      row += step * first;
      count = step == 0 ? 1 : last - first + 1;
    }
    int64_t out[4];
    index->probe(&set, row, step, count, lo, hi, out);
    return {out[0] != 0, out[1] != 0, out[2], out[3]};
  }

  const heddle_operand *operands = nullptr;
  const heddle_index *index = heddle_index_functions();
};
using HostAlgebra = SetAlgebra<HostArithmetic>;
} // namespace

Grid gridOf(PatternOp pattern) {
  Grid grid;
  llvm::append_range(grid.query, pattern.getQueryGrid());
  llvm::append_range(grid.key, pattern.getKeyGrid());
  return grid;
}

FormulaAttr boundByKeys(FormulaAttr formula, ArrayRef<unsigned> keyGrid) {
  MLIRContext *context = formula.getContext();
  auto below = [&](unsigned dim, unsigned symbol) {
    return getBetween(getAffineDimExpr(dim, context), {},
                      {getAffineSymbolExpr(symbol, context)});
  };
  if (keyGrid.empty())
    return getAll(context, {formula, below(DimK, kNumKeysSymbol)});
  SmallVector<FormulaAttr> parts = {formula};
  for (auto [axis, param] : llvm::enumerate(llvm::reverse(keyGrid)))
    parts.push_back(below(keyDim(axis), paramSymbol(param)));
  return getAll(context, parts);
}

FormulaAttr boundByKeys(FormulaAttr formula, PatternOp pattern) {
  return boundByKeys(formula, gridOf(pattern).key);
}

HostPattern::HostPattern(FormulaAttr formula, int64_t numKeys,
                         ArrayRef<int64_t> params)
    : formula(boundByKeys(formula)), numKeys(numKeys), params(params) {
  for (int64_t param : params) {
    heddle_operand operand;
    operand.integer = param;
    operands.push_back(operand);
  }
}

HostPattern::HostPattern(FormulaAttr formula, Grid grid, int64_t numKeys,
                         ArrayRef<heddle_operand> operands)
    : formula(boundByKeys(formula, grid.key)), grid(std::move(grid)),
      numKeys(numKeys), operands(operands) {
  // What is no integer is never read as one: formulas name tables and sets by
  // their number.
  for (const heddle_operand &operand : operands)
    params.push_back(operand.integer);
}

SmallVector<int64_t, 3> HostPattern::queryExtents() const {
  SmallVector<int64_t, 3> extents;
  for (unsigned param : grid.query)
    extents.push_back(params[param]);
  return extents;
}

SmallVector<int64_t, 3> HostPattern::keyExtents() const {
  SmallVector<int64_t, 3> extents;
  for (unsigned param : grid.key)
    extents.push_back(params[param]);
  if (extents.empty())
    extents.push_back(numKeys);
  return extents;
}

/// The coordinates of a token as point ranges, innermost first.
static SmallVector<HostAlgebra::Range, 3> pointOf(int64_t token,
                                                  ArrayRef<int64_t> extents) {
  SmallVector<HostAlgebra::Range, 3> point;
  for (int64_t extent : llvm::reverse(extents.drop_front())) {
    int64_t x = extent > 0 ? token % extent : 0;
    point.push_back({x, x});
    token = extent > 0 ? token / extent : 0;
  }
  point.push_back({token, token});
  return point;
}

bool HostPattern::contains(int64_t b, int64_t h, int64_t q, int64_t k) const {
  if (k < 0 || k >= numKeys)
    return false;
  HostArithmetic arithmetic(operands);
  SmallVector<int64_t, 3> queries = queryExtents();
  if (queries.empty())
    queries.push_back(0);
  HostAlgebra::Box box{
      b, h, pointOf(q, queries), pointOf(k, keyExtents()), numKeys, params, 1};
  return HostAlgebra(arithmetic).contains(formula, box);
}

HostPattern::Answer HostPattern::at(int64_t b, int64_t h, int64_t q0,
                                    int64_t queries, int64_t k0,
                                    int64_t keys) const {
  return at(b, h, ArrayRef(q0), ArrayRef(queries), ArrayRef(k0),
            ArrayRef(keys));
}

HostPattern::Answer HostPattern::at(int64_t b, int64_t h, ArrayRef<int64_t> q0,
                                    ArrayRef<int64_t> queries,
                                    ArrayRef<int64_t> k0,
                                    ArrayRef<int64_t> keys) const {
  HostArithmetic arithmetic(operands);
  auto ranges = [](ArrayRef<int64_t> from, ArrayRef<int64_t> sizes) {
    SmallVector<HostAlgebra::Range, 3> result;
    for (size_t axis = from.size(); axis-- > 0;)
      result.push_back({from[axis], from[axis] + sizes[axis] - 1});
    return result;
  };
  HostAlgebra::Box box{b,       h,      ranges(q0, queries), ranges(k0, keys),
                       numKeys, params, keys.back()};
  HostAlgebra::At answer = HostAlgebra(arithmetic).at(formula, box);
  TileStatus status = answer.empty  ? TileStatus::Empty
                      : answer.full ? TileStatus::Full
                                    : TileStatus::Partial;
  return {status, answer.until};
}

/// Ones for the keys of [from, to) among k0 … k0 + 63.
static uint64_t ones(int64_t from, int64_t to, int64_t k0) {
  from = std::clamp<int64_t>(from - k0, 0, 64);
  to = std::clamp<int64_t>(to - k0, 0, 64);
  return from >= to ? 0 : llvm::maskTrailingOnes<uint64_t>(to - from) << from;
}

uint64_t HostPattern::formulaBits(FormulaAttr part, int64_t b, int64_t h,
                                  int64_t q, int64_t k0) const {
  HostArithmetic arithmetic(operands);
  HostAlgebra algebra(arithmetic);
  auto point = [&](int64_t k) {
    return HostAlgebra::Box{b, h, {{q, q}}, {{k, k}}, numKeys, params, 1};
  };
  switch (part.getKind()) {
  case FormulaKind::Never:
    return 0;
  case FormulaKind::Always:
    return ~uint64_t(0);
  case FormulaKind::All: {
    uint64_t result = ~uint64_t(0);
    for (FormulaAttr child : part.getChildren())
      result &= formulaBits(child, b, h, q, k0);
    return result;
  }
  case FormulaKind::Any: {
    uint64_t result = 0;
    for (FormulaAttr child : part.getChildren())
      result |= formulaBits(child, b, h, q, k0);
    return result;
  }
  case FormulaKind::Between: {
    // A chain over one query is a monotone function of k, so the kept keys are
    // one stretch.
    std::optional<int> slide = HostAlgebra::direction(part.getForm());
    if (!slide)
      break;
    HostAlgebra::Box row = point(k0);
    if (*slide == 0)
      return algebra.contains(part, row) ? ~uint64_t(0) : 0;
    int64_t from = -kNever, to = kNever;
    auto narrow = [&](ArrayRef<AffineExpr> bounds, bool isLow) {
      for (AffineExpr bound : bounds) {
        // Growing: kept from where f >= L, to where f >= H. Falling: kept from
        // where f <= H - 1, to where f <= L - 1.
        int64_t limit = algebra.value(bound, row) - (*slide < 0 ? 1 : 0);
        int64_t key = algebra.reach(part.getForm(), true, limit, row);
        if (isLow == (*slide > 0))
          from = std::max(from, key);
        else
          to = std::min(to, key);
      }
    };
    narrow(part.getLows(), true);
    narrow(part.getHighs(), false);
    return ones(from, to, k0);
  }
  case FormulaKind::Member:
    break;
  }
  uint64_t result = 0;
  for (int64_t i = 0; i < 64; ++i) {
    result |= uint64_t(algebra.contains(part, point(k0 + i))) << i;
  }
  return result;
}

uint64_t HostPattern::bits(int64_t b, int64_t h, int64_t q, int64_t k0) const {
  if (!grid.query.empty()) { // Consecutive tokens are no line of coordinates.
    uint64_t result = 0;
    for (int64_t i = 0; i < 64; ++i)
      result |= uint64_t(contains(b, h, q, k0 + i)) << i;
    return result;
  }
  return formulaBits(formula, b, h, q, k0) & ones(0, numKeys, k0);
}

} // namespace heddle::attn
