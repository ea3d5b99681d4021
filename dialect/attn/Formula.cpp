// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Formula.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <numeric>

using namespace mlir;

namespace heddle::attn {

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

double magnitude(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return std::abs(static_cast<double>(constant.getValue()));
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return kCoordinateLimit;
  double lhs = magnitude(binary.getLHS()), rhs = magnitude(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs + rhs;
  case AffineExprKind::Mul:
    return lhs * rhs;
  default:
    // A quotient and a remainder are smaller, but the dividend is computed.
    return std::max(lhs, rhs);
  }
}

AffineExpr readLeaf(ReadAttr read) {
  MLIRContext *context = read.getContext();
  auto indices = llvm::map_to_vector(read.getIndices(), canonicalize);
  read = ReadAttr::get(context, read.getParam(), indices);
  auto *dialect = context->getLoadedDialect<AttnDialect>();
  return getAffineDimExpr(kFirstReadDim + dialect->getReadNumber(read),
                          context);
}

ReadAttr getRead(AffineExpr expr) {
  auto dim = dyn_cast<AffineDimExpr>(expr);
  if (!dim || dim.getPosition() < kFirstReadDim)
    return {};
  auto *dialect = expr.getContext()->getLoadedDialect<AttnDialect>();
  return dialect->getRead(dim.getPosition() - kFirstReadDim);
}

/// True when a dimension other than a read satisfies the predicate.
static bool anyDim(AffineExpr expr,
                   llvm::function_ref<bool(unsigned)> predicate) {
  bool found = false;
  expr.walk([&](AffineExpr sub) {
    auto dim = dyn_cast<AffineDimExpr>(sub);
    if (!dim || found)
      return;
    if (ReadAttr read = getRead(sub))
      found = llvm::any_of(read.getIndices(), [&](AffineExpr index) {
        return anyDim(index, predicate);
      });
    else
      found = predicate(dim.getPosition());
  });
  return found;
}

bool uses(AffineExpr expr, unsigned dim) {
  return anyDim(expr, [&](unsigned other) { return other == dim; });
}

static bool isQueryDim(unsigned dim) { return dim >= DimQ && dim % 2 == 0; }
static bool isKeyDim(unsigned dim) { return dim >= DimQ && dim % 2 == 1; }

bool varies(AffineExpr expr) {
  return anyDim(expr, [](unsigned dim) { return dim >= DimQ; });
}

/// Queries first, then keys, h, b, symbols; then by structure. Any total order
/// would do; this one makes `q - k` of both `q - k` and `k - q`.
static int leafClass(AffineExpr leaf) {
  if (anyDim(leaf, isQueryDim))
    return 0;
  if (anyDim(leaf, isKeyDim))
    return 1;
  if (uses(leaf, DimH))
    return 2;
  return uses(leaf, DimB) ? 3 : 4;
}

static int compare(AffineExpr a, AffineExpr b) {
  if (a == b)
    return 0;
  if (a.getKind() != b.getKind())
    return a.getKind() < b.getKind() ? -1 : 1;
  auto order = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  ReadAttr readA = getRead(a), readB = getRead(b);
  if (readA && readB) { // Numbers of reads depend on what came before.
    if (int result = order(readA.getParam(), readB.getParam()))
      return result;
    if (int result =
            order(readA.getIndices().size(), readB.getIndices().size()))
      return result;
    for (auto [x, y] : llvm::zip(readA.getIndices(), readB.getIndices()))
      if (int result = compare(x, y))
        return result;
    return 0;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(a))
    return order(dim.getPosition(), cast<AffineDimExpr>(b).getPosition());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(a))
    return order(symbol.getPosition(), cast<AffineSymbolExpr>(b).getPosition());
  if (auto constant = dyn_cast<AffineConstantExpr>(a))
    return order(constant.getValue(), cast<AffineConstantExpr>(b).getValue());
  auto lhs = cast<AffineBinaryOpExpr>(a), rhs = cast<AffineBinaryOpExpr>(b);
  if (int result = compare(lhs.getLHS(), rhs.getLHS()))
    return result;
  return compare(lhs.getRHS(), rhs.getRHS());
}

static bool leafLess(AffineExpr a, AffineExpr b) {
  int classA = leafClass(a), classB = leafClass(b);
  return classA != classB ? classA < classB : compare(a, b) < 0;
}

static void addTerm(Linear &linear, AffineExpr leaf, int64_t coefficient) {
  auto *it = llvm::find_if(
      linear.terms, [&](const auto &term) { return term.first == leaf; });
  if (it == linear.terms.end())
    linear.terms.emplace_back(leaf, coefficient);
  else if ((it->second += coefficient) == 0)
    linear.terms.erase(it);
}

static void addScaled(Linear &into, const Linear &from, int64_t factor) {
  if (factor == 0)
    return;
  for (auto [leaf, coefficient] : from.terms)
    addTerm(into, leaf, coefficient * factor);
  into.constant += from.constant * factor;
}

/// `floor(linear / divisor)`: multiples of the divisor come out exactly.
static Linear floorDivide(MLIRContext *context, const Linear &linear,
                          int64_t divisor) {
  Linear result, inside;
  for (auto [leaf, coefficient] : linear.terms) {
    if (coefficient % divisor == 0)
      addTerm(result, leaf, coefficient / divisor);
    else
      addTerm(inside, leaf, coefficient);
  }
  result.constant = llvm::divideFloorSigned(linear.constant, divisor);
  inside.constant = linear.constant - result.constant * divisor;
  int64_t common = divisor;
  for (auto [leaf, coefficient] : inside.terms)
    common = std::gcd(common, coefficient);
  if (common > 1) { // floor((g x + c) / (g d)) = floor((x + floor(c / g)) / d)
    for (auto &term : inside.terms)
      term.second /= common;
    inside.constant = llvm::divideFloorSigned(inside.constant, common);
    divisor /= common;
  }
  if (inside.terms.empty() || divisor == 1) {
    addScaled(result, inside, 1);
    return result;
  }
  addTerm(result, build(context, inside).floorDiv(divisor), 1);
  return result;
}

/// `linear mod modulus`, in [0, modulus).
static Linear remainder(MLIRContext *context, const Linear &linear,
                        int64_t modulus) {
  Linear inside, result;
  for (auto [leaf, coefficient] : linear.terms)
    if (coefficient % modulus != 0)
      addTerm(inside, leaf, coefficient);
  inside.constant = llvm::mod(linear.constant, modulus);
  if (inside.terms.empty())
    result.constant = inside.constant;
  else
    addTerm(result, build(context, inside) % modulus, 1);
  return result;
}

Linear linearize(AffineExpr expr) {
  Linear result;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    result.constant = constant.getValue();
    return result;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary) {
    addTerm(result, expr, 1);
    return result;
  }
  Linear lhs = linearize(binary.getLHS()), rhs = linearize(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    addScaled(lhs, rhs, 1);
    result = lhs;
    break;
  case AffineExprKind::Mul:
    if (rhs.terms.empty())
      addScaled(result, lhs, rhs.constant);
    else
      addScaled(result, rhs, lhs.constant);
    break;
  case AffineExprKind::FloorDiv:
    result = floorDivide(expr.getContext(), lhs, rhs.constant);
    break;
  case AffineExprKind::CeilDiv:
    lhs.constant += rhs.constant - 1;
    result = floorDivide(expr.getContext(), lhs, rhs.constant);
    break;
  case AffineExprKind::Mod:
    result = remainder(expr.getContext(), lhs, rhs.constant);
    break;
  default:
    llvm_unreachable("a leaf was handled above");
  }
  llvm::sort(result.terms, [](const auto &a, const auto &b) {
    return leafLess(a.first, b.first);
  });
  return result;
}

AffineExpr build(MLIRContext *context, const Linear &linear) {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (auto [leaf, coefficient] : linear.terms)
    sum = sum + leaf * coefficient;
  return sum + linear.constant;
}

AffineExpr canonicalize(AffineExpr expr) {
  return build(expr.getContext(), linearize(expr));
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

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
    addTerm(leafClass(leaf) <= 1 ? form : uniform, leaf, coefficient);
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
