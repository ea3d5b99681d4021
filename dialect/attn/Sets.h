// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algebra of patterns.
//
// A pattern is a formula: and / or over atoms `e in S`, where e is an
// expression over (b, h, q, k), affine with floor division and remainder by
// constants in its leaves, and S an interval, a residue class, the powers of
// two, or a set that is known at run time. A leaf may be an element of a
// run-time table
// (`doc[b, k]`). A kernel that wants to do work in proportion to what the
// pattern keeps asks a formula three questions:
//
//   contains(point)    is this pair kept?                  (the semantics)
//   at(box)            is the tile empty, partial or full, and up to which
//   later
//                      tile does that answer hold?         (the skip list)
//   bits(row, k)       which of the next 64 keys does this row keep? (the mask)
//
// `at` is the one that makes kernels sparse. It answers for a whole tile of
// queries and keys at once, and it answers ahead: "this tile is empty, and so
// is every tile before key `until`". A kernel that starts at key 0 and jumps to
// `until` visits the runs of a pattern, not its tiles, and no block mask is
// ever stored anywhere.
//
// How an atom answers. Over the box [q0, q1] x [k0, k1] the expression takes
// values in a range [lo, hi], by interval arithmetic. With the set an interval
// [L, H), the tile is empty when hi < L or lo >= H, full when L <= lo and hi <
// H, else partial. As the tile moves right along the keys, the range of most
// expressions only slides one way: an expression is a *chain* when k occurs in
// exactly one leaf of it, inside nothing but sums, products with constants and
// floor divisions. `q - k`, `k`, `q floordiv 64 - k floordiv 64` are chains.
// Then the four comparisons above become true once and stay true, and the key
// at which they do is found by inverting the chain: floor(n / c) >= x is n >= c
// x, and so on down to k >= x. `until` is the next of these keys, rounded to a
// tile boundary. With a window d in [0, W), d = q - k, a query tile thus sees:
// empty (jump to the window's first tile), partial, full (jump to the
// diagonal), partial, empty for ever: five answers for any length.
//
// Residues, powers of two and run-time sets use the same inversion to find the
// next member of the set; where an expression is no chain (`k mod 256`), the
// answer is only promised for one tile, which costs a few more questions and is
// never wrong.
//
// Run-time values. The bounds of a table over a stretch, the next element of a
// table in an interval, and what a set holds of an interval are questions of
// logarithmic or constant cost to structures that the plan prepares once
// (heddle/index.h). So `doc[b, q] - doc[b, k] in [0, 1)` skips to the next key
// of the document, whether the ids are sorted or not, and a set of columns to
// the next column.
//
// Token grids. On a grid of several axes a tile is a box of boxes: the
// questions are asked along the innermost axis, where `q` and `k` above are
// coordinates, and the outer axes add ranges that stay the same while the tile
// moves.
//
// How connectives answer. Status combines as in three-valued logic. For a
// conjunction that is empty because some parts are, the emptiness lasts until
// the *last* of these parts changes; otherwise until the first part changes.
// A disjunction is the mirror image.
//
//   all: any part empty -> (empty, max until of the empty parts)
//        all parts full -> (full, min until)      else (partial, min until)
//   any: any part full  -> (full, max until of the full parts)
//        all parts empty-> (empty, min until)     else (partial, min until)
//
// What is promised. `empty` and `full` are sound: an empty tile keeps no pair,
// a full tile keeps every pair. `partial` makes no promise; a tile may be
// called partial though it is empty or full (the parts of a connective forget
// what they have in common), which costs time, never the answer. What is
// promised of a tile holds for every tile before `until`. test/unit/attn and
// the fuzz suite check exactly these sentences against brute force.
//
// One text, two executions. The algebra is written once, over an arithmetic
// given as a template parameter. HostArithmetic computes with int64_t:
// pictures, counts, tests. EmitArithmetic (Emit.cpp) computes with SSA values:
// the same lines become the kernel's own skip list, with parameters and lengths
// still symbolic. The picture and the kernel cannot disagree.
//
// No overflow: see kExpressionLimit in Formula.h.

#ifndef HEDDLE_DIALECT_ATTN_SETS_H
#define HEDDLE_DIALECT_ATTN_SETS_H

#include "dialect/attn/Formula.h"
#include "llvm/ADT/SmallVectorExtras.h"

namespace heddle::attn {

/// A key position beyond every key: the answer holds for good.
inline constexpr int64_t kNever = int64_t(1) << 62;
/// No element of a table is larger in magnitude.
inline constexpr int64_t kElementLimit = int64_t(1) << 31;

/// The algebra over an arithmetic A, which provides types Int and Bool and
///   constant(int64_t) -> Int, truth(bool) -> Bool,
///   add, sub, min, max, bitAnd (Int, Int) -> Int,
///   mul, floorDiv, mod (Int, int64_t) -> Int,
///   less, equal (Int, Int) -> Bool, both, either (Bool, Bool), negate(Bool),
///   select(Bool, Int, Int) -> Int, floorPow2(Int) -> Int for arguments >= 1,
/// and for run-time tables and sets, by number of the parameter,
///   read(param, indices) -> Int, holds(param, indices, Int) -> Bool,
///   span(param, leading, first, last) -> {Int, Int},
///   seek(param, leading, from, lo, hi, bool outside) -> Int,
///   probe(param, leading, first, last, lo, hi) -> {Bool some, every; Int next,
///   previous}
/// with the meaning of attn.at, attn.in, attn.span, attn.seek, attn.probe.
template <typename A> class SetAlgebra {
public:
  using Int = typename A::Int;
  using Bool = typename A::Bool;

  struct Range {
    Int lo, hi;
  };

  /// Queries and keys, ends included, along the axes of the grid, innermost
  /// first; the innermost range of keys starts at a multiple of its width
  /// `keys`. Batch and head are one value each.
  struct Box {
    Int b, h;
    llvm::SmallVector<Range, 3> q, k;
    Int numKeys;
    llvm::ArrayRef<Int> params;
    int64_t keys;
  };

  struct At {
    Bool empty, full;
    /// First key of a later tile where the status may change.
    Int until;
  };

  explicit SetAlgebra(A &arithmetic) : a(arithmetic) {}

  /// Evaluates an expression at a point: the box's lower corner.
  Int value(mlir::AffineExpr expr, const Box &at);
  /// Keeps the pair at the box's lower corner?
  Bool contains(FormulaAttr formula, const Box &at);
  At at(FormulaAttr formula, const Box &box);

  /// Bounds on the values of the expression over the box.
  Range range(mlir::AffineExpr expr, const Box &box);

  /// +1 when the expression is a chain that grows with k, -1 when it is one
  /// that falls, 0 when it does not read k; nothing when it is no chain.
  static std::optional<int> direction(mlir::AffineExpr expr);

  /// The smallest k for which the given side of the chain's range (lower: the
  /// minimum over the queries) has reached the bound: `>= bound` for a growing
  /// chain, `<= bound` for a falling one.
  Int reach(mlir::AffineExpr expr, bool lower, Int bound, const Box &box);

  /// The bound that an interval atom's list of bounds stands for.
  Int combineBounds(llvm::ArrayRef<mlir::AffineExpr> bounds, bool isLow,
                    const Box &box);

private:
  At between(FormulaAttr atom, const Box &box);
  At residue(FormulaAttr atom, const Box &box);
  At pow2(FormulaAttr atom, const Box &box);
  At member(FormulaAttr atom, const Box &box);
  At list(FormulaAttr atom, const Box &box);
  At connective(FormulaAttr formula, const Box &box);

  /// The first tile boundary after the box at which `reach` holds for the tile
  /// that starts there. `side`: which end of the tile's range is meant.
  Int tileWhere(mlir::AffineExpr expr, bool lower, Int bound, const Box &box);
  /// For a form with k inside one read only: the first tile after the box in
  /// which an element may put the form inside [low, high) (outside: may put it
  /// elsewhere). Nothing for other forms.
  std::optional<Int> tileWhereRead(mlir::AffineExpr form,
                                   std::optional<Int> low,
                                   std::optional<Int> high, bool outside,
                                   const Box &box);
  /// The values of the expressions; nothing when one varies over a tile.
  std::optional<llvm::SmallVector<Int>>
  uniformValues(llvm::ArrayRef<mlir::AffineExpr> exprs, const Box &box);
  Int nextTile(const Box &box) {
    return a.add(box.k[0].lo, a.constant(box.keys));
  }
  Bool atLeast(Int x, Int y) { return a.negate(a.less(x, y)); }
  Int leaf(mlir::AffineExpr expr, const Box &box, bool lower);

  A &a;
};

//===----------------------------------------------------------------------===//
// Values and ranges
//===----------------------------------------------------------------------===//

template <typename A>
auto SetAlgebra<A>::leaf(mlir::AffineExpr expr, const Box &box, bool lower)
    -> Int {
  if (auto symbol = llvm::dyn_cast<mlir::AffineSymbolExpr>(expr)) {
    unsigned position = symbol.getPosition();
    return position == kNumKeysSymbol ? box.numKeys : box.params[position - 1];
  }
  unsigned dim = llvm::cast<mlir::AffineDimExpr>(expr).getPosition();
  if (dim == DimB || dim == DimH)
    return dim == DimB ? box.b : box.h;
  unsigned axis = (dim - DimQ) / 2;
  const Range &range = dim == queryDim(axis) ? box.q[axis] : box.k[axis];
  return lower ? range.lo : range.hi;
}

template <typename A>
auto SetAlgebra<A>::value(mlir::AffineExpr expr, const Box &at) -> Int {
  if (auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(expr))
    return a.constant(constant.getValue());
  if (ReadAttr read = getRead(expr)) {
    llvm::SmallVector<Int> indices;
    for (mlir::AffineExpr index : read.getIndices())
      indices.push_back(value(index, at));
    return a.read(read.getParam(), indices);
  }
  auto binary = llvm::dyn_cast<mlir::AffineBinaryOpExpr>(expr);
  if (!binary)
    return leaf(expr, at, /*lower=*/true);
  Int lhs = value(binary.getLHS(), at);
  if (expr.getKind() == mlir::AffineExprKind::Add) {
    // x + y * -1 is a subtraction.
    Linear rhs = linearize(binary.getRHS());
    if (rhs.terms.size() == 1 && rhs.terms[0].second == -1 && rhs.constant == 0)
      return a.sub(lhs, value(rhs.terms[0].first, at));
    return a.add(lhs, value(binary.getRHS(), at));
  }
  int64_t rhs =
      llvm::cast<mlir::AffineConstantExpr>(binary.getRHS()).getValue();
  switch (expr.getKind()) {
  case mlir::AffineExprKind::Mul:
    return a.mul(lhs, rhs);
  case mlir::AffineExprKind::FloorDiv:
    return a.floorDiv(lhs, rhs);
  case mlir::AffineExprKind::CeilDiv:
    return a.floorDiv(a.add(lhs, a.constant(rhs - 1)), rhs);
  default:
    return a.mod(lhs, rhs);
  }
}

template <typename A>
auto SetAlgebra<A>::uniformValues(llvm::ArrayRef<mlir::AffineExpr> exprs,
                                  const Box &box)
    -> std::optional<llvm::SmallVector<Int>> {
  llvm::SmallVector<Int> values;
  for (mlir::AffineExpr expr : exprs) {
    if (varies(expr))
      return std::nullopt;
    values.push_back(value(expr, box));
  }
  return values;
}

template <typename A>
auto SetAlgebra<A>::range(mlir::AffineExpr expr, const Box &box) -> Range {
  if (!varies(expr)) {
    Int uniform = value(expr, box);
    return {uniform, uniform};
  }
  if (ReadAttr read = getRead(expr)) {
    auto leading = uniformValues(read.getIndices().drop_back(), box);
    if (!leading) // Several rows of the table: anything.
      return {a.constant(-kElementLimit), a.constant(kElementLimit)};
    Range last = range(read.getIndices().back(), box);
    auto [lo, hi] = a.span(read.getParam(), *leading, last.lo, last.hi);
    return {lo, hi};
  }
  auto binary = llvm::dyn_cast<mlir::AffineBinaryOpExpr>(expr);
  if (!binary)
    return {leaf(expr, box, true), leaf(expr, box, false)};
  Range lhs = range(binary.getLHS(), box);
  if (expr.getKind() == mlir::AffineExprKind::Add) {
    Range rhs = range(binary.getRHS(), box);
    return {a.add(lhs.lo, rhs.lo), a.add(lhs.hi, rhs.hi)};
  }
  int64_t rhs =
      llvm::cast<mlir::AffineConstantExpr>(binary.getRHS()).getValue();
  switch (expr.getKind()) {
  case mlir::AffineExprKind::Mul: {
    Int x = a.mul(lhs.lo, rhs), y = a.mul(lhs.hi, rhs);
    return rhs < 0 ? Range{y, x} : Range{x, y};
  }
  case mlir::AffineExprKind::FloorDiv:
    return {a.floorDiv(lhs.lo, rhs), a.floorDiv(lhs.hi, rhs)};
  case mlir::AffineExprKind::CeilDiv: {
    Int bias = a.constant(rhs - 1);
    return {a.floorDiv(a.add(lhs.lo, bias), rhs),
            a.floorDiv(a.add(lhs.hi, bias), rhs)};
  }
  default: { // The remainder wraps unless the range stays in one period.
    Bool wraps = a.less(a.floorDiv(lhs.lo, rhs), a.floorDiv(lhs.hi, rhs));
    return {a.select(wraps, a.constant(0), a.mod(lhs.lo, rhs)),
            a.select(wraps, a.constant(rhs - 1), a.mod(lhs.hi, rhs))};
  }
  }
}

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

template <typename A>
std::optional<int> SetAlgebra<A>::direction(mlir::AffineExpr expr) {
  if (!uses(expr, DimK))
    return 0;
  if (llvm::isa<mlir::AffineDimExpr>(expr)) // k itself, or a read that uses it.
    return getRead(expr) ? std::nullopt : std::optional<int>(1);
  if (expr.getKind() == mlir::AffineExprKind::FloorDiv)
    return direction(llvm::cast<mlir::AffineBinaryOpExpr>(expr).getLHS());
  if (expr.getKind() != mlir::AffineExprKind::Add &&
      expr.getKind() != mlir::AffineExprKind::Mul)
    return std::nullopt;
  std::optional<int> result;
  for (auto [leaf, coefficient] : linearize(expr).terms) {
    if (!uses(leaf, DimK))
      continue;
    std::optional<int> inner = direction(leaf);
    if (result || !inner)
      return std::nullopt;
    result = coefficient < 0 ? -*inner : *inner;
  }
  return result;
}

template <typename A>
auto SetAlgebra<A>::reach(mlir::AffineExpr expr, bool lower, Int bound,
                          const Box &box) -> Int {
  bool grows = *direction(expr) > 0;
  if (llvm::isa<mlir::AffineDimExpr>(expr))
    return bound;
  if (expr.getKind() == mlir::AffineExprKind::FloorDiv) {
    // floor(n / c) >= x <=> n >= c x;  floor(n / c) <= x <=> n <= c x + c - 1.
    auto quotient = llvm::cast<mlir::AffineBinaryOpExpr>(expr);
    int64_t c =
        llvm::cast<mlir::AffineConstantExpr>(quotient.getRHS()).getValue();
    // No quotient is larger than `most`, so clamping changes no comparison, and
    // the product stays small.
    int64_t most = static_cast<int64_t>(magnitude(quotient.getLHS())) / c + 2;
    bound = a.max(a.min(bound, a.constant(most)), a.constant(-most));
    Int scaled = a.mul(bound, c);
    if (!grows)
      scaled = a.add(scaled, a.constant(c - 1));
    return reach(quotient.getLHS(), lower, scaled, box);
  }
  // A sum c * leaf + rest, with k in the leaf only.
  Linear rest = linearize(expr);
  auto *it = llvm::find_if(
      rest.terms, [](const auto &term) { return uses(term.first, DimK); });
  auto [inner, c] = *it;
  rest.terms.erase(it);
  Range others = range(build(expr.getContext(), rest), box);
  Int left = a.sub(bound, lower ? others.lo : others.hi); // c * leaf ? left
  // Divide by |c|, rounding to the side on which the leaf must be. With c < 0
  // the comparison turns round, and so does the side of the leaf's range.
  bool wantsGreater = grows == (c > 0);
  int64_t factor = c < 0 ? -c : c;
  if (c < 0)
    left = a.sub(a.constant(0), left);
  if (wantsGreater)
    left = a.add(left, a.constant(factor - 1)); // round up
  return reach(inner, c < 0 ? !lower : lower, a.floorDiv(left, factor), box);
}

template <typename A>
auto SetAlgebra<A>::tileWhere(mlir::AffineExpr expr, bool lower, Int bound,
                              const Box &box) -> Int {
  // The lower side of a growing chain is taken at the tile's first key, its
  // upper side at the last; a falling chain the other way round.
  Int key = reach(expr, lower, bound, box);
  bool atFirstKey = (*direction(expr) > 0) == lower;
  if (atFirstKey) // first multiple of `keys` that is >= key
    key = a.add(key, a.constant(box.keys - 1));
  Int tile = a.mul(a.floorDiv(key, box.keys), box.keys);
  return a.max(tile, nextTile(box));
}

//===----------------------------------------------------------------------===//
// Atoms
//===----------------------------------------------------------------------===//

template <typename A>
auto SetAlgebra<A>::combineBounds(llvm::ArrayRef<mlir::AffineExpr> bounds,
                                  bool isLow, const Box &box) -> Int {
  Int result = value(bounds.front(), box);
  for (mlir::AffineExpr bound : bounds.drop_front())
    result = isLow ? a.max(result, value(bound, box))
                   : a.min(result, value(bound, box));
  return result;
}

template <typename A>
auto SetAlgebra<A>::tileWhereRead(mlir::AffineExpr form, std::optional<Int> low,
                                  std::optional<Int> high, bool outside,
                                  const Box &box) -> std::optional<Int> {
  // form = sign * table[leading, index] + rest, k in the index only, the index
  // a growing chain without a query.
  Linear rest = linearize(form);
  auto usesKey = [](const auto &term) { return uses(term.first, DimK); };
  if (llvm::count_if(rest.terms, usesKey) != 1)
    return std::nullopt;
  auto *it = llvm::find_if(rest.terms, usesKey);
  auto [leaf, sign] = *it;
  ReadAttr read = getRead(leaf);
  if (!read || (sign != 1 && sign != -1))
    return std::nullopt;
  mlir::AffineExpr index = read.getIndices().back();
  auto leading = uniformValues(read.getIndices().drop_back(), box);
  Linear others = linearize(index);
  llvm::erase_if(others.terms, usesKey);
  if (!leading || direction(index) != 1 ||
      varies(build(form.getContext(), others)))
    return std::nullopt;
  rest.terms.erase(it);
  Range around = range(build(form.getContext(), rest), box);

  // Elements v with low <= sign * v + r < high for some r of the range, or for
  // every r.
  Int one = a.constant(1);
  Int lo = a.constant(-2 * kElementLimit), hi = a.constant(2 * kElementLimit);
  if (sign > 0) {
    if (low)
      lo = a.sub(*low, outside ? around.lo : around.hi);
    if (high)
      hi = a.sub(*high, outside ? around.hi : around.lo);
  } else {
    if (high)
      lo = a.add(a.sub(outside ? around.hi : around.lo, *high), one);
    if (low)
      hi = a.add(a.sub(outside ? around.lo : around.hi, *low), one);
  }
  Box next = box;
  next.k[0].lo = nextTile(box);
  Int position =
      a.seek(read.getParam(), *leading, value(index, next), lo, hi, outside);
  Int key = reach(index, /*lower=*/true, position, box);
  Int tile = a.mul(a.floorDiv(key, box.keys), box.keys);
  return a.max(tile, nextTile(box));
}

template <typename A>
auto SetAlgebra<A>::between(FormulaAttr atom, const Box &box) -> At {
  mlir::AffineExpr form = atom.getForm();
  auto [lo, hi] = range(form, box);
  bool hasLow = !atom.getLows().empty(), hasHigh = !atom.getHighs().empty();
  Bool yes = a.truth(true);
  Int never = a.constant(kNever), zero = a.constant(0);
  Int low = hasLow ? combineBounds(atom.getLows(), true, box) : zero;
  Int high = hasHigh ? combineBounds(atom.getHighs(), false, box) : zero;

  // Four comparisons, and the tile from which each of the two that a slide
  // makes true is true; see the head of this file.
  Bool reachesLow = hasLow ? atLeast(hi, low) : yes;   // hi >= L
  Bool aboveLow = hasLow ? atLeast(lo, low) : yes;     // lo >= L
  Bool belowHigh = hasHigh ? a.less(hi, high) : yes;   // hi <  H
  Bool startsBelow = hasHigh ? a.less(lo, high) : yes; // lo <  H
  Bool empty = a.negate(a.both(reachesLow, startsBelow));
  Bool full = a.both(aboveLow, belowHigh);

  std::optional<int> slide = direction(form);
  if (!slide) {
    std::optional<Int> l, h;
    if (hasLow)
      l = low;
    if (hasHigh)
      h = high;
    std::optional<Int> enters = tileWhereRead(form, l, h, false, box);
    if (!enters)
      return {empty, full, nextTile(box)};
    Int leaves = *tileWhereRead(form, l, h, true, box);
    return {empty, full,
            a.select(empty, *enters, a.select(full, leaves, nextTile(box)))};
  }
  if (*slide == 0)
    return {empty, full, never};

  // A growing chain meets L first and H last; a falling one H first. `enter`
  // becomes true when the range touches the interval, `inside` when it has left
  // the near end behind, `leave` when it crosses the far end, `gone` when it is
  // past it.
  bool grows = *slide > 0;
  bool hasNear = grows ? hasLow : hasHigh, hasFar = grows ? hasHigh : hasLow;
  Int one = a.constant(1);
  Int near = grows ? low : a.sub(high, one); // enters at >= L or <= H - 1
  Int far = grows ? high : a.sub(low, one);  // leaves at >= H or <= L - 1
  Bool entered = grows ? reachesLow : startsBelow;
  Bool inside = grows ? aboveLow : belowHigh;
  Bool gone = grows ? a.negate(startsBelow) : a.negate(reachesLow);
  Int enter = hasNear ? tileWhere(form, !grows, near, box) : never;
  Int insideFrom = hasNear ? tileWhere(form, grows, near, box) : never;
  Int leave = hasFar ? tileWhere(form, !grows, far, box) : never;
  Int goneFrom = hasFar ? tileWhere(form, grows, far, box) : never;

  Int partialUntil = a.select(inside, goneFrom, a.min(insideFrom, goneFrom));
  Int until = a.select(full, leave, partialUntil);
  until = a.select(entered, until, enter);
  until = a.select(gone, never, until);
  return {empty, full, until};
}

template <typename A>
auto SetAlgebra<A>::residue(FormulaAttr atom, const Box &box) -> At {
  mlir::AffineExpr form = atom.getForm();
  auto set = llvm::cast<ResidueAttr>(atom.getSet());
  int64_t m = set.getModulus();
  Int r = a.constant(set.getRemainder()), one = a.constant(1);
  auto [lo, hi] = range(form, box);
  // The largest member <= hi and the largest one < lo.
  Int last = a.floorDiv(a.sub(hi, r), m);
  Int before = a.floorDiv(a.sub(a.sub(lo, one), r), m);
  Bool some = a.less(before, last);
  Bool full = a.both(some, a.equal(lo, hi));
  Bool empty = a.negate(some);

  std::optional<int> slide = direction(form);
  if (!slide)
    return {empty, full, nextTile(box)};
  if (*slide == 0)
    return {empty, full, a.constant(kNever)};
  bool grows = *slide > 0;
  // Empty: until the leading end meets the next member. Full: until the range
  // leaves the one value it has. Partial: for good when the range is as wide as
  // the period wherever the tile is, which takes k to occur undivided.
  Int member =
      grows ? a.add(a.mul(a.add(last, one), m), r) : a.add(a.mul(before, m), r);
  Int other = grows ? a.add(hi, one) : a.sub(lo, one);
  Int untilMember = tileWhere(form, !grows, member, box);
  Int untilOther = tileWhere(form, !grows, other, box);
  Int partialUntil = nextTile(box);
  bool sameWidth = llvm::any_of(linearize(form).terms, [](const auto &term) {
    auto dim = llvm::dyn_cast<mlir::AffineDimExpr>(term.first);
    return dim && dim.getPosition() == DimK;
  });
  if (sameWidth)
    partialUntil = a.select(a.less(a.sub(hi, lo), a.constant(m - 1)),
                            partialUntil, a.constant(kNever));
  Int until =
      a.select(some, a.select(full, untilOther, partialUntil), untilMember);
  return {empty, full, until};
}

template <typename A>
auto SetAlgebra<A>::pow2(FormulaAttr atom, const Box &box) -> At {
  mlir::AffineExpr form = atom.getForm();
  auto [lo, hi] = range(form, box);
  Int one = a.constant(1), two = a.constant(2);
  Bool positive = a.less(a.constant(0), hi);
  Int last = a.floorPow2(a.max(hi, one)); // the largest member <= max(hi, 1)
  Bool some = a.both(positive, atLeast(last, lo));
  // Every value a power of two: one value, or {1, 2}.
  Bool full = a.both(some, a.either(a.equal(lo, hi), a.both(a.equal(lo, one),
                                                            a.equal(hi, two))));
  Bool empty = a.negate(some);

  std::optional<int> slide = direction(form);
  if (!slide)
    return {empty, full, nextTile(box)};
  if (*slide == 0)
    return {empty, full, a.constant(kNever)};
  Int untilMember;
  if (*slide > 0) {
    Int member = a.select(positive, a.mul(last, 2), one);
    untilMember = tileWhere(form, /*lower=*/false, member, box);
  } else {
    // Falling and empty: below 1 for good, or above the member to come.
    Int member = a.floorPow2(a.max(lo, one));
    untilMember =
        a.select(a.less(one, lo), tileWhere(form, /*lower=*/true, member, box),
                 a.constant(kNever));
  }
  return {empty, full, a.select(some, nextTile(box), untilMember)};
}

template <typename A>
auto SetAlgebra<A>::list(FormulaAttr atom, const Box &box) -> At {
  mlir::AffineExpr form = atom.getForm();
  auto set = llvm::cast<ListAttr>(atom.getSet());
  llvm::ArrayRef<mlir::AffineExpr> indices = set.getIndices();
  auto leading =
      uniformValues(indices.empty() ? indices : indices.drop_back(), box);
  if (!leading) // Sets that have nothing to do with each other.
    return {a.truth(false), a.truth(false), nextTile(box)};
  Range rows = indices.empty() ? Range{a.constant(0), a.constant(0)}
                               : range(indices.back(), box);
  auto [lo, hi] = range(form, box);
  auto [some, every, next, previous] =
      a.probe(set.getParam(), *leading, rows.lo, rows.hi, lo, hi);
  Bool empty = a.negate(some);

  std::optional<int> slide = direction(form);
  bool rowsMove = !indices.empty() && uses(indices.back(), DimK);
  if (!slide || rowsMove)
    return {empty, every, nextTile(box)};
  if (*slide == 0)
    return {empty, every, a.constant(kNever)};
  // Empty: until the leading end meets the next member. Full: until the range
  // leaves the one value it has.
  bool grows = *slide > 0;
  Int one = a.constant(1);
  Int untilMember = tileWhere(form, !grows, grows ? next : previous, box);
  Int other = grows ? a.add(hi, one) : a.sub(lo, one);
  Int untilOther = a.select(a.equal(lo, hi),
                            tileWhere(form, !grows, other, box), nextTile(box));
  return {
      empty, every,
      a.select(empty, untilMember, a.select(every, untilOther, nextTile(box)))};
}

template <typename A>
auto SetAlgebra<A>::member(FormulaAttr atom, const Box &box) -> At {
  At result = llvm::isa<ListAttr>(atom.getSet())      ? list(atom, box)
              : llvm::isa<ResidueAttr>(atom.getSet()) ? residue(atom, box)
                                                      : pow2(atom, box);
  if (atom.getNegated())
    std::swap(result.empty, result.full);
  return result;
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

template <typename A>
auto SetAlgebra<A>::connective(FormulaAttr formula, const Box &box) -> At {
  bool isAll = formula.getKind() == FormulaKind::All;
  llvm::SmallVector<At> parts = llvm::map_to_vector(
      formula.getChildren(), [&](FormulaAttr child) { return at(child, box); });
  // `decides`: the status that settles the connective alone.
  auto decides = [&](const At &part) { return isAll ? part.empty : part.full; };
  auto agrees = [&](const At &part) { return isAll ? part.full : part.empty; };
  Bool decided = decides(parts.front()), agreed = agrees(parts.front());
  Int earliest = parts.front().until;
  Int latest = a.select(decided, parts.front().until, a.constant(0));
  for (const At &part : llvm::ArrayRef<At>(parts).drop_front()) {
    latest = a.max(latest, a.select(decides(part), part.until, a.constant(0)));
    earliest = a.min(earliest, part.until);
    decided = a.either(decided, decides(part));
    agreed = a.both(agreed, agrees(part));
  }
  Int until = a.select(decided, latest, earliest);
  return isAll ? At{decided, agreed, until} : At{agreed, decided, until};
}

template <typename A>
auto SetAlgebra<A>::at(FormulaAttr formula, const Box &box) -> At {
  switch (formula.getKind()) {
  case FormulaKind::Never:
  case FormulaKind::Always: {
    bool keeps = formula.getKind() == FormulaKind::Always;
    return {a.truth(!keeps), a.truth(keeps), a.constant(kNever)};
  }
  case FormulaKind::All:
  case FormulaKind::Any:
    return connective(formula, box);
  case FormulaKind::Between:
    return between(formula, box);
  case FormulaKind::Member:
    return member(formula, box);
  }
  llvm_unreachable("all kinds are listed");
}

template <typename A>
auto SetAlgebra<A>::contains(FormulaAttr formula, const Box &at) -> Bool {
  switch (formula.getKind()) {
  case FormulaKind::Never:
  case FormulaKind::Always:
    return a.truth(formula.getKind() == FormulaKind::Always);
  case FormulaKind::All:
  case FormulaKind::Any: {
    bool isAll = formula.getKind() == FormulaKind::All;
    Bool result = contains(formula.getChildren().front(), at);
    for (FormulaAttr child : formula.getChildren().drop_front())
      result = isAll ? a.both(result, contains(child, at))
                     : a.either(result, contains(child, at));
    return result;
  }
  case FormulaKind::Between: {
    Int x = value(formula.getForm(), at);
    Bool result = a.truth(true);
    if (!formula.getLows().empty())
      result = a.both(result,
                      atLeast(x, combineBounds(formula.getLows(), true, at)));
    if (!formula.getHighs().empty())
      result = a.both(result,
                      a.less(x, combineBounds(formula.getHighs(), false, at)));
    return result;
  }
  case FormulaKind::Member: {
    Int x = value(formula.getForm(), at), one = a.constant(1);
    Bool result;
    if (auto set = llvm::dyn_cast<ListAttr>(formula.getSet())) {
      llvm::SmallVector<Int> indices;
      for (mlir::AffineExpr index : set.getIndices())
        indices.push_back(value(index, at));
      result = a.holds(set.getParam(), indices, x);
    } else if (auto set = llvm::dyn_cast<ResidueAttr>(formula.getSet()))
      result =
          a.equal(a.mod(x, set.getModulus()), a.constant(set.getRemainder()));
    else
      result = a.both(a.less(a.constant(0), x),
                      a.equal(a.bitAnd(x, a.sub(x, one)), a.constant(0)));
    return formula.getNegated() ? a.negate(result) : result;
  }
  }
  llvm_unreachable("all kinds are listed");
}

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_SETS_H
