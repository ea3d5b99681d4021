// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Expressions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;

namespace heddle::attn {

/// The expression, then the indices of the reads in it.
static void visitExpr(AffineExpr expr,
                      llvm::function_ref<void(AffineExpr)> visit) {
  visit(expr);
  expr.walk([&](AffineExpr sub) {
    if (ReadAttr read = getRead(sub))
      for (AffineExpr index : read.getIndices())
        visitExpr(index, visit);
  });
}

void forEachExpr(FormulaAttr formula,
                 llvm::function_ref<void(AffineExpr)> visit) {
  auto each = [&](AffineExpr expr) { visitExpr(expr, visit); };
  if (formula.getForm())
    each(formula.getForm());
  llvm::for_each(formula.getLows(), each);
  llvm::for_each(formula.getHighs(), each);
  if (auto list = dyn_cast_if_present<ListAttr>(formula.getSet()))
    llvm::for_each(list.getIndices(), each);
  for (FormulaAttr child : formula.getChildren())
    forEachExpr(child, visit);
}

bool uses(FormulaAttr formula, unsigned dim) {
  bool found = false;
  forEachExpr(formula,
              [&](AffineExpr expr) { found = found || uses(expr, dim); });
  return found;
}

unsigned numSymbols(FormulaAttr formula) {
  unsigned count = 0;
  auto countParam = [&](unsigned param) {
    count = std::max(count, paramSymbol(param) + 1);
  };
  forEachExpr(formula, [&](AffineExpr expr) {
    expr.walk([&](AffineExpr sub) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(sub))
        count = std::max(count, symbol.getPosition() + 1);
      else if (ReadAttr read = getRead(sub))
        countParam(read.getParam());
    });
  });
  auto countSets = [&](auto &self, FormulaAttr part) -> void {
    if (auto list = dyn_cast_if_present<ListAttr>(part.getSet()))
      countParam(list.getParam());
    for (FormulaAttr child : part.getChildren())
      self(self, child);
  };
  countSets(countSets, formula);
  return count;
}

/// The common divisor of all c of `dim floordiv c`.
static int64_t blockOf(FormulaAttr formula, unsigned dim) {
  int64_t block = 0;
  forEachExpr(formula, [&](AffineExpr expr) {
    expr.walk([&](AffineExpr sub) {
      auto quotient = dyn_cast<AffineBinaryOpExpr>(sub);
      if (!quotient || sub.getKind() != AffineExprKind::FloorDiv)
        return;
      auto inside = dyn_cast<AffineDimExpr>(quotient.getLHS());
      if (inside && inside.getPosition() == dim)
        block = std::gcd(
            block, cast<AffineConstantExpr>(quotient.getRHS()).getValue());
    });
  });
  return block;
}

int64_t queryBlock(FormulaAttr formula) { return blockOf(formula, DimQ); }
int64_t keyBlock(FormulaAttr formula) { return blockOf(formula, DimK); }

static FormulaAttr getConnective(MLIRContext *context, FormulaKind kind,
                                 ArrayRef<FormulaAttr> children = {}) {
  return FormulaAttr::get(context, kind, children, AffineExpr(), {}, {},
                          Attribute(), false);
}

FormulaAttr getAlways(MLIRContext *context) {
  return getConnective(context, FormulaKind::Always);
}

FormulaAttr getNever(MLIRContext *context) {
  return getConnective(context, FormulaKind::Never);
}

/// Canonical bounds: one constant at most (the tightest), the others distinct
/// and in order.
static SmallVector<AffineExpr> mergeBounds(ArrayRef<AffineExpr> bounds,
                                           bool isLow) {
  std::optional<int64_t> tightest;
  SmallVector<AffineExpr> result;
  for (AffineExpr bound : bounds) {
    bound = canonicalize(bound);
    if (auto constant = dyn_cast<AffineConstantExpr>(bound)) {
      int64_t value = constant.getValue();
      tightest = !tightest ? value
                 : isLow   ? std::max(*tightest, value)
                           : std::min(*tightest, value);
    } else if (!llvm::is_contained(result, bound)) {
      result.push_back(bound);
    }
  }
  llvm::sort(result,
             [](AffineExpr a, AffineExpr b) { return compare(a, b) < 0; });
  if (tightest)
    result.insert(result.begin(), getAffineConstantExpr(
                                      *tightest, bounds.front().getContext()));
  return result;
}

static std::optional<int64_t> leadingConstant(ArrayRef<AffineExpr> bounds) {
  if (bounds.empty())
    return std::nullopt;
  if (auto constant = dyn_cast<AffineConstantExpr>(bounds.front()))
    return constant.getValue();
  return std::nullopt;
}

/// True for expressions that are never negative: keys, h and b.
static bool isNonNegativeLeaf(AffineExpr form) {
  auto dim = dyn_cast<AffineDimExpr>(form);
  return dim && dim.getPosition() < kFirstReadDim &&
         !isQueryDim(dim.getPosition());
}

/// An interval atom whose form is canonical already.
static FormulaAttr makeBetween(AffineExpr form, ArrayRef<AffineExpr> rawLows,
                               ArrayRef<AffineExpr> rawHighs) {
  MLIRContext *context = form.getContext();
  SmallVector<AffineExpr> lows = mergeBounds(rawLows, /*isLow=*/true);
  SmallVector<AffineExpr> highs = mergeBounds(rawHighs, /*isLow=*/false);
  std::optional<int64_t> low = leadingConstant(lows);
  std::optional<int64_t> high = leadingConstant(highs);
  if (low && *low <= 0 && isNonNegativeLeaf(form)) {
    lows.erase(lows.begin());
    low = std::nullopt;
  }
  if (high && *high <= 0 && isNonNegativeLeaf(form))
    return getNever(context);
  if (low && high && *low >= *high)
    return getNever(context);
  if (lows.empty() && highs.empty())
    return getAlways(context);
  return FormulaAttr::get(context, FormulaKind::Between, {}, form, lows, highs,
                          Attribute(), false);
}

FormulaAttr getBetween(AffineExpr expr, ArrayRef<AffineExpr> lows,
                       ArrayRef<AffineExpr> highs) {
  MLIRContext *context = expr.getContext();
  Linear linear = linearize(expr);
  // What varies over a tile stays in the form, the rest moves to the bounds.
  Linear form, uniform;
  uniform.constant = linear.constant;
  for (auto [leaf, coefficient] : linear.terms)
    addTerm(varies(leaf) ? form : uniform, leaf, coefficient);
  if (form.terms.empty()) {
    form.terms = uniform.terms;
    uniform.terms.clear();
  }
  AffineExpr offset = build(context, uniform);
  auto shift = [&](ArrayRef<AffineExpr> bounds) {
    return llvm::map_to_vector(
        bounds, [&](AffineExpr bound) { return bound - offset; });
  };
  SmallVector<AffineExpr> newLows = shift(lows), newHighs = shift(highs);

  if (form.terms.empty()) { // No variable at all: decide it where constant.
    SmallVector<FormulaAttr> parts;
    for (auto [bounds, isLow] : {std::pair(newLows, true), {newHighs, false}})
      for (AffineExpr bound : bounds) {
        AffineExpr value = canonicalize(bound);
        if (auto constant = dyn_cast<AffineConstantExpr>(value)) {
          if (isLow ? constant.getValue() > 0 : constant.getValue() <= 0)
            return getNever(context);
        } else { // 0 >= bound  <=>  bound in [-inf, 1); 0 < bound
          AffineExpr one = getAffineConstantExpr(1, context);
          parts.push_back(isLow ? getBetween(value, {}, {one})
                                : getBetween(value, {one}, {}));
        }
      }
    return getAll(context, parts);
  }

  // First coefficient positive: f in [lo, hi) <=> -f in [1 - hi, 1 - lo).
  if (form.terms.front().second < 0) {
    for (auto &term : form.terms)
      term.second = -term.second;
    std::swap(newLows, newHighs);
    for (AffineExpr &bound : newLows)
      bound = 1 - bound;
    for (AffineExpr &bound : newHighs)
      bound = 1 - bound;
  }
  // g f in [lo, hi) <=> f in [ceil(lo / g), ceil(hi / g)).
  int64_t common = 0;
  for (auto [leaf, coefficient] : form.terms)
    common = std::gcd(common, coefficient);
  if (common > 1) {
    for (auto &term : form.terms)
      term.second /= common;
    for (AffineExpr &bound : newLows)
      bound = bound.ceilDiv(common);
    for (AffineExpr &bound : newHighs)
      bound = bound.ceilDiv(common);
  }
  return makeBetween(build(context, form), newLows, newHighs);
}

FormulaAttr getMember(AffineExpr expr, Attribute set, bool negated) {
  MLIRContext *context = expr.getContext();
  auto constantIf = [&](bool value) {
    return value != negated ? getAlways(context) : getNever(context);
  };
  if (auto interval = dyn_cast<IntervalAttr>(set)) {
    SmallVector<AffineExpr> lows, highs;
    if (interval.getLo())
      lows.push_back(getAffineConstantExpr(*interval.getLo(), context));
    if (interval.getHi())
      highs.push_back(getAffineConstantExpr(*interval.getHi(), context));
    FormulaAttr atom = getBetween(expr, lows, highs);
    return negated ? getNot(atom) : atom;
  }
  AffineExpr form = canonicalize(expr);
  if (auto residue = dyn_cast<ResidueAttr>(set)) {
    // Everything is taken modulo m: constants move into the remainder.
    int64_t m = residue.getModulus();
    Linear linear = linearize(form), reduced;
    for (auto [leaf, coefficient] : linear.terms)
      if (coefficient % m != 0)
        addTerm(reduced, leaf, coefficient);
    int64_t r = llvm::mod(residue.getRemainder() - linear.constant, m);
    if (reduced.terms.empty())
      return constantIf(r == 0);
    if (reduced.terms.front().second < 0) { // -f = r  <=>  f = -r  (mod m)
      for (auto &term : reduced.terms)
        term.second = -term.second;
      r = llvm::mod(-r, m);
    }
    form = build(context, reduced);
    set = ResidueAttr::get(context, r, m);
  } else if (auto list = dyn_cast<ListAttr>(set)) {
    set = ListAttr::get(context, list.getParam(),
                        llvm::map_to_vector(list.getIndices(), canonicalize));
  } else if (auto constant = dyn_cast<AffineConstantExpr>(form)) {
    int64_t value = constant.getValue();
    return constantIf(value > 0 && llvm::isPowerOf2_64(value));
  }
  return FormulaAttr::get(context, FormulaKind::Member, {}, form, {}, {}, set,
                          negated);
}

FormulaAttr getNot(FormulaAttr formula) {
  MLIRContext *context = formula.getContext();
  auto negateAll = [&] {
    return llvm::map_to_vector(formula.getChildren(), getNot);
  };
  switch (formula.getKind()) {
  case FormulaKind::Never:
    return getAlways(context);
  case FormulaKind::Always:
    return getNever(context);
  case FormulaKind::All:
    return getAny(context, negateAll());
  case FormulaKind::Any:
    return getAll(context, negateAll());
  case FormulaKind::Member:
    return getMember(formula.getForm(), formula.getSet(),
                     !formula.getNegated());
  case FormulaKind::Between:
    break;
  }
  SmallVector<FormulaAttr> outside;
  for (AffineExpr low : formula.getLows())
    outside.push_back(getBetween(formula.getForm(), {}, {low}));
  for (AffineExpr high : formula.getHighs())
    outside.push_back(getBetween(formula.getForm(), {high}, {}));
  return getAny(context, outside);
}

/// Children of nested connectives of the same kind, without repetition.
static void flatten(FormulaKind kind, ArrayRef<FormulaAttr> children,
                    llvm::SetVector<FormulaAttr> &result) {
  for (FormulaAttr child : children) {
    if (child.getKind() == kind)
      flatten(kind, child.getChildren(), result);
    else
      result.insert(child);
  }
}

/// True when one of the formulas is the negation of another.
static bool hasOpposites(const llvm::SetVector<FormulaAttr> &formulas) {
  // The negation of an atom is itself built by `getAny`, of one element mostly:
  // asking no further there ends the recursion.
  return formulas.size() > 1 &&
         llvm::any_of(formulas, [&](FormulaAttr formula) {
           return formula.getChildren().empty() &&
                  formulas.contains(getNot(formula));
         });
}

FormulaAttr getAll(MLIRContext *context, ArrayRef<FormulaAttr> children) {
  llvm::SetVector<FormulaAttr> flat;
  flatten(FormulaKind::All, children, flat);
  // Interval atoms with one form become one atom, at the place of the first.
  SmallVector<FormulaAttr> merged;
  for (FormulaAttr child : flat) {
    if (child.getKind() == FormulaKind::Never)
      return child;
    if (child.getKind() == FormulaKind::Always)
      continue;
    auto *same = llvm::find_if(merged, [&](FormulaAttr other) {
      return child.getKind() == FormulaKind::Between &&
             other.getKind() == FormulaKind::Between &&
             other.getForm() == child.getForm();
    });
    if (same == merged.end()) {
      merged.push_back(child);
      continue;
    }
    auto join = [](ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b) {
      SmallVector<AffineExpr> both(a);
      llvm::append_range(both, b);
      return both;
    };
    *same = makeBetween(child.getForm(), join(same->getLows(), child.getLows()),
                        join(same->getHighs(), child.getHighs()));
    if (same->getKind() == FormulaKind::Never)
      return *same;
  }
  llvm::SetVector<FormulaAttr> distinct(merged.begin(), merged.end());
  if (hasOpposites(distinct))
    return getNever(context);
  if (distinct.empty())
    return getAlways(context);
  return distinct.size() == 1
             ? distinct.front()
             : getConnective(context, FormulaKind::All, distinct.getArrayRef());
}

FormulaAttr getAny(MLIRContext *context, ArrayRef<FormulaAttr> children) {
  llvm::SetVector<FormulaAttr> flat;
  flatten(FormulaKind::Any, children, flat);
  for (FormulaAttr child : flat)
    if (child.getKind() == FormulaKind::Always)
      return child;
  flat.remove(getNever(context));
  if (hasOpposites(flat))
    return getAlways(context);
  if (flat.empty())
    return getNever(context);
  return flat.size() == 1
             ? flat.front()
             : getConnective(context, FormulaKind::Any, flat.getArrayRef());
}

} // namespace heddle::attn
