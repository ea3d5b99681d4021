// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expressions of formulas: their one form, and what is known of them.

#include "dialect/attn/Expressions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <numeric>

using namespace mlir;

namespace heddle::attn {

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

int compare(AffineExpr a, AffineExpr b) {
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

void addTerm(Linear &linear, AffineExpr leaf, int64_t coefficient) {
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

} // namespace heddle::attn
