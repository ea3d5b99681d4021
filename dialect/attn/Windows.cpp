// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Windows.h"

#include "dialect/attn/Formula.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;

namespace heddle::attn {

namespace {

/// What a part of a formula says of the distance of keys.
struct Reach {
  enum {
    /// It does not look at the axis.
    Absent,
    /// It looks at the coordinate of the query or of the key alone, as clauses
    /// for the ends of an axis do.
    Neutral,
    /// Distances from `low` to below `high`, in keys.
    Between,
  } kind = Absent;
  double low = -kUnbounded, high = kUnbounded;

  static constexpr double kUnbounded = std::numeric_limits<double>::infinity();
};

class Finder {
public:
  Finder(unsigned axis, llvm::function_ref<int64_t(unsigned param)> valueOf)
      : query(queryDim(axis)), key(keyDim(axis)), valueOf(valueOf) {}

  Reach find(FormulaAttr formula) const;

private:
  Reach findInAll(FormulaAttr formula) const;
  Reach findInAny(FormulaAttr formula) const;
  Reach findInAtom(FormulaAttr atom) const;
  std::optional<int64_t> evaluate(AffineExpr expr) const;
  /// Keys per unit of a form that is a query's coordinate less that of a key;
  /// 0 where it is not.
  double keysPerUnit(AffineExpr form) const;

  unsigned query, key;
  llvm::function_ref<int64_t(unsigned param)> valueOf;
};

} // namespace

std::optional<int64_t> Finder::evaluate(AffineExpr expr) const {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr)) {
    if (symbol.getPosition() == kNumKeysSymbol)
      return std::nullopt;
    return valueOf(symbol.getPosition() - paramSymbol(0));
  }
  if (ReadAttr read = getRead(expr))
    return valueOf(read.getParam());
  // What is left of coordinates are sequence and head.
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return 0;
  std::optional<int64_t> lhs = evaluate(binary.getLHS()),
                         rhs = evaluate(binary.getRHS());
  if (!lhs || !rhs)
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    return *lhs * *rhs;
  case AffineExprKind::FloorDiv:
    return llvm::divideFloorSigned(*lhs, *rhs);
  case AffineExprKind::Mod:
    return llvm::mod(*lhs, *rhs);
  default:
    return std::nullopt;
  }
}

double Finder::keysPerUnit(AffineExpr form) const {
  double keys = 0;
  for (auto [leaf, factor] : linearize(form).terms) {
    const bool usesKey = uses(leaf, key), usesQuery = uses(leaf, query);
    if (!usesKey && !usesQuery && varies(leaf))
      return 0;
    if (!usesKey)
      continue;
    if (usesQuery || keys != 0)
      return 0;
    double perLeaf = 1;
    if (leaf.getKind() == AffineExprKind::FloorDiv)
      perLeaf = static_cast<double>(
          cast<AffineConstantExpr>(cast<AffineBinaryOpExpr>(leaf).getRHS())
              .getValue());
    else if (!isa<AffineDimExpr>(leaf) || getRead(leaf))
      return 0;
    keys = perLeaf / std::abs(static_cast<double>(factor));
  }
  return keys;
}

Reach Finder::findInAtom(FormulaAttr atom) const {
  Reach reach;
  const bool usesQuery = uses(atom, query), usesKey = uses(atom, key);
  if (!usesQuery && !usesKey)
    return reach;
  const bool isInterval = atom.getKind() == FormulaKind::Between;
  if (isInterval && !(usesQuery && usesKey)) {
    reach.kind = Reach::Neutral;
    return reach;
  }
  reach.kind = Reach::Between;
  const double scale = isInterval ? keysPerUnit(atom.getForm()) : 0;
  if (scale == 0)
    return reach;
  for (AffineExpr low : atom.getLows())
    if (std::optional<int64_t> value = evaluate(low))
      reach.low = std::max(reach.low, scale * static_cast<double>(*value));
  for (AffineExpr high : atom.getHighs())
    if (std::optional<int64_t> value = evaluate(high))
      reach.high = std::min(reach.high, scale * static_cast<double>(*value));
  return reach;
}

Reach Finder::findInAll(FormulaAttr formula) const {
  Reach all;
  for (FormulaAttr child : formula.getChildren()) {
    const Reach one = find(child);
    all.kind = std::max(all.kind, one.kind);
    all.low = std::max(all.low, one.low);
    all.high = std::min(all.high, one.high);
  }
  return all;
}

Reach Finder::findInAny(FormulaAttr formula) const {
  auto reaches = llvm::map_to_vector(
      formula.getChildren(), [&](FormulaAttr child) { return find(child); });
  Reach any;
  for (const Reach &one : reaches)
    any.kind = std::max(any.kind, one.kind);
  if (any.kind != Reach::Between)
    return any;
  double low = Reach::kUnbounded, high = -Reach::kUnbounded;
  for (const Reach &one : reaches) {
    // Where it is not asked for the axis all of it is kept.
    if (one.kind == Reach::Absent)
      return any;
    if (one.kind == Reach::Neutral)
      continue;
    low = std::min(low, one.low);
    high = std::max(high, one.high);
  }
  any.low = low;
  any.high = high;
  return any;
}

Reach Finder::find(FormulaAttr formula) const {
  switch (formula.getKind()) {
  case FormulaKind::Never:
  case FormulaKind::Always:
    return {};
  case FormulaKind::All:
    return findInAll(formula);
  case FormulaKind::Any:
    return findInAny(formula);
  case FormulaKind::Between:
  case FormulaKind::Member:
    return findInAtom(formula);
  }
  llvm_unreachable("every kind of formula is covered");
}

std::optional<int64_t>
windowAlong(FormulaAttr formula, unsigned axis,
            llvm::function_ref<int64_t(unsigned param)> valueOf) {
  const Reach reach = Finder(axis, valueOf).find(formula);
  const double width = reach.high - reach.low;
  if (reach.kind != Reach::Between || !(width < kCoordinateLimit))
    return std::nullopt;
  return std::max<int64_t>(1, std::llround(std::ceil(width)));
}

} // namespace heddle::attn
