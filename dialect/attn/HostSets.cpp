// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/HostSets.h"
#include "dialect/attn/Sets.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace heddle::attn {

namespace {
/// int64_t as the arithmetic of the algebra.
struct HostArithmetic {
  using Int = int64_t;
  using Bool = bool;
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
};
using HostAlgebra = SetAlgebra<HostArithmetic>;
} // namespace

FormulaAttr boundByKeys(FormulaAttr formula) {
  MLIRContext *context = formula.getContext();
  FormulaAttr inside =
      getBetween(getAffineDimExpr(DimK, context), {},
                 {getAffineSymbolExpr(kNumKeysSymbol, context)});
  return getAll(context, {formula, inside});
}

HostPattern::HostPattern(FormulaAttr formula, int64_t numKeys,
                         ArrayRef<int64_t> params)
    : formula(boundByKeys(formula)), numKeys(numKeys), params(params) {}

bool HostPattern::contains(int64_t b, int64_t h, int64_t q, int64_t k) const {
  HostArithmetic arithmetic;
  HostAlgebra::Box box{b, h, q, q, k, k, numKeys, params, 1};
  return k >= 0 && HostAlgebra(arithmetic).contains(formula, box);
}

HostPattern::Answer HostPattern::at(int64_t b, int64_t h, int64_t q0,
                                    int64_t queries, int64_t k0,
                                    int64_t keys) const {
  HostArithmetic arithmetic;
  HostAlgebra::Box box{
      b, h, q0, q0 + queries - 1, k0, k0 + keys - 1, numKeys, params, keys};
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
  HostArithmetic arithmetic;
  HostAlgebra algebra(arithmetic);
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
    HostAlgebra::Box row{b, h, q, q, k0, k0, numKeys, params, 1};
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
    HostAlgebra::Box point{b, h, q, q, k0 + i, k0 + i, numKeys, params, 1};
    result |= uint64_t(algebra.contains(part, point)) << i;
  }
  return result;
}

uint64_t HostPattern::bits(int64_t b, int64_t h, int64_t q, int64_t k0) const {
  return formulaBits(formula, b, h, q, k0) & ones(0, numKeys, k0);
}

} // namespace heddle::attn
