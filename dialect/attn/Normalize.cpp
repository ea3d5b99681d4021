// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Normalize.h"
#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <memory>

using namespace mlir;

namespace heddle::attn {

namespace {

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

/// An `index` value of a keep region: an affine expression, or a choice between
/// two terms. Minima and maxima are kept apart from general choices because a
/// comparison with a minimum is a conjunction of comparisons, without a guard.
struct TermNode;
using Term = std::shared_ptr<const TermNode>;
struct TermNode {
  enum Kind { Affine, Min, Max, Select } kind;
  AffineExpr expr;       // Affine
  Term first, second;    // the others
  FormulaAttr condition; // Select: true picks `first`
  unsigned size = 1;     // number of affine leaves
};

/// Terms and formulas larger than this are refused: a pattern of that size is a
/// mistake, or wants a run-time list.
constexpr unsigned kMaxLeaves = 256;

Term affine(AffineExpr expr) {
  return std::make_shared<TermNode>(
      TermNode{TermNode::Affine, expr, {}, {}, {}, 1});
}

Term choice(TermNode::Kind kind, Term first, Term second,
            FormulaAttr condition = {}) {
  unsigned size = first->size + second->size;
  return std::make_shared<TermNode>(
      TermNode{kind, {}, std::move(first), std::move(second), condition, size});
}

/// Applies a function to every leaf. A falling function exchanges minima and
/// maxima.
Term mapLeaves(const Term &term, bool falling,
               llvm::function_ref<Term(AffineExpr)> apply) {
  if (term->kind == TermNode::Affine)
    return apply(term->expr);
  TermNode::Kind kind = term->kind;
  if (falling && kind != TermNode::Select)
    kind = kind == TermNode::Min ? TermNode::Max : TermNode::Min;
  return choice(kind, mapLeaves(term->first, falling, apply),
                mapLeaves(term->second, falling, apply), term->condition);
}

Term add(const Term &x, const Term &y) {
  return mapLeaves(x, false, [&](AffineExpr left) {
    return mapLeaves(y, false,
                     [&](AffineExpr right) { return affine(left + right); });
  });
}

Term scale(const Term &x, int64_t factor) {
  return mapLeaves(x, factor < 0,
                   [&](AffineExpr expr) { return affine(expr * factor); });
}

Term subtract(const Term &x, const Term &y) { return add(x, scale(y, -1)); }

/// x >= 0.
FormulaAttr isNonNegative(const Term &x) {
  if (x->kind == TermNode::Affine)
    return getBetween(x->expr, {getAffineConstantExpr(0, x->expr.getContext())},
                      {});
  FormulaAttr first = isNonNegative(x->first);
  FormulaAttr second = isNonNegative(x->second);
  MLIRContext *context = first.getContext();
  if (x->kind == TermNode::Min)
    return getAll(context, {first, second});
  if (x->kind == TermNode::Max)
    return getAny(context, {first, second});
  return getAny(context, {getAll(context, {x->condition, first}),
                          getAll(context, {getNot(x->condition), second})});
}

FormulaAttr isAtLeast(const Term &x, const Term &y) {
  return isNonNegative(subtract(x, y));
}

/// Rewrites minima and maxima as guarded choices, for functions that do not
/// respect order.
Term guarded(const Term &term) {
  if (term->kind == TermNode::Affine)
    return term;
  Term first = guarded(term->first), second = guarded(term->second);
  if (term->kind == TermNode::Select)
    return choice(TermNode::Select, first, second, term->condition);
  FormulaAttr firstIsGreater = isAtLeast(first, second);
  return term->kind == TermNode::Max
             ? choice(TermNode::Select, first, second, firstIsGreater)
             : choice(TermNode::Select, second, first, firstIsGreater);
}

FormulaAttr isMember(const Term &x, Attribute set) {
  if (auto interval = dyn_cast<IntervalAttr>(set)) {
    MLIRContext *context = set.getContext();
    auto constant = [&](int64_t value) {
      return affine(getAffineConstantExpr(value, context));
    };
    SmallVector<FormulaAttr> parts;
    if (interval.getLo())
      parts.push_back(isAtLeast(x, constant(*interval.getLo())));
    if (interval.getHi()) // x < hi
      parts.push_back(isAtLeast(constant(*interval.getHi() - 1), x));
    return getAll(context, parts);
  }
  if (x->kind == TermNode::Affine)
    return getMember(x->expr, set);
  Term term = guarded(x);
  MLIRContext *context = set.getContext();
  return getAny(context,
                {getAll(context, {term->condition, isMember(term->first, set)}),
                 getAll(context, {getNot(term->condition),
                                  isMember(term->second, set)})});
}

/// `apply` for every choice of the terms' leaves, joined under its conditions.
FormulaAttr forLeaves(MLIRContext *context, SmallVector<Term> terms,
                      llvm::function_ref<FormulaAttr(ArrayRef<Term>)> apply) {
  for (Term &term : terms) {
    term = guarded(term);
    if (term->kind != TermNode::Select)
      continue;
    Term choice = term;
    term = choice->first;
    FormulaAttr first = forLeaves(context, terms, apply);
    term = choice->second;
    FormulaAttr second = forLeaves(context, terms, apply);
    return getAny(context,
                  {getAll(context, {choice->condition, first}),
                   getAll(context, {getNot(choice->condition), second})});
  }
  return apply(terms);
}

/// The same for values.
Term mapAllLeaves(SmallVector<Term> terms,
                  llvm::function_ref<Term(ArrayRef<Term>)> apply) {
  for (Term &term : terms) {
    term = guarded(term);
    if (term->kind != TermNode::Select)
      continue;
    Term choiceOf = term;
    term = choiceOf->first;
    Term first = mapAllLeaves(terms, apply);
    term = choiceOf->second;
    Term second = mapAllLeaves(terms, apply);
    return choice(TermNode::Select, first, second, choiceOf->condition);
  }
  return apply(terms);
}

/// True when no value of the expression can be negative, whatever the
/// parameters and the origin of the queries.
bool isNeverNegative(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition() < kFirstReadDim &&
           (dim.getPosition() < DimQ || dim.getPosition() % 2 != 0);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbol.getPosition() == kNumKeysSymbol;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue() >= 0;
  auto binary = cast<AffineBinaryOpExpr>(expr);
  return expr.getKind() == AffineExprKind::Mod ||
         (isNeverNegative(binary.getLHS()) && isNeverNegative(binary.getRHS()));
}

bool isNeverNegative(const Term &term) {
  return term->kind == TermNode::Affine
             ? isNeverNegative(term->expr)
             : isNeverNegative(term->first) && isNeverNegative(term->second);
}

unsigned countAtoms(FormulaAttr formula) {
  unsigned count = formula.getChildren().empty();
  for (FormulaAttr child : formula.getChildren())
    count += countAtoms(child);
  return count;
}

//===----------------------------------------------------------------------===//
// Translation
//===----------------------------------------------------------------------===//

/// What a region is translated with: a term per coordinate, a term per integer
/// parameter and the number of the table or set that any other one is.
struct Binding {
  SmallVector<Term> coordinates;
  SmallVector<Term> params;
  SmallVector<unsigned> operands;
};

/// Walks the region once; every value becomes a term or a formula.
class Normalizer {
public:
  Normalizer(PatternOp pattern, const Normalizer *caller = nullptr)
      : pattern(pattern), caller(caller), context(pattern.getContext()) {}

  FailureOr<FormulaAttr> run() {
    Binding binding;
    for (unsigned i = 0, e = pattern.getNumParams(); i < e; ++i) {
      binding.params.push_back(
          affine(getAffineSymbolExpr(paramSymbol(i), context)));
      binding.operands.push_back(i);
    }
    unsigned axes = pattern.getNumAxes();
    for (unsigned dim : {DimB, DimH})
      binding.coordinates.push_back(affine(getAffineDimExpr(dim, context)));
    for (auto dimOf : {queryDim, keyDim})
      for (unsigned axis = axes; axis-- > 0;)
        binding.coordinates.push_back(
            affine(getAffineDimExpr(dimOf(axis), context)));
    return run(binding);
  }

  FailureOr<FormulaAttr> run(const Binding &binding) {
    Block &body = pattern.getBodyRegion().front();
    for (unsigned i = 0, e = pattern.getNumParams(); i < e; ++i) {
      terms[pattern.getParam(i)] = binding.params[i];
      operands[pattern.getParam(i)] = binding.operands[i];
    }
    for (unsigned i = 0, e = pattern.getNumCoordinates(); i < e; ++i)
      terms[pattern.getCoordinate(i)] = binding.coordinates[i];
    for (Operation &op : body.without_terminator())
      if (failed(visit(op)))
        return failure();
    return formulas.at(cast<KeepOp>(body.back()).getKept());
  }

private:
  LogicalResult visit(Operation &op) {
    return llvm::TypeSwitch<Operation &, LogicalResult>(op)
        .Case([&](arith::ConstantOp op) { return visitConstant(op); })
        .Case([&](NumKeysOp op) {
          return define(op,
                        affine(getAffineSymbolExpr(kNumKeysSymbol, context)));
        })
        .Case([&](arith::AddIOp op) {
          return isBoolean(op)
                     ? refuseBoolean(op)
                     : define(op, add(term(op.getLhs()), term(op.getRhs())));
        })
        .Case([&](arith::SubIOp op) {
          return isBoolean(op) ? refuseBoolean(op)
                               : define(op, subtract(term(op.getLhs()),
                                                     term(op.getRhs())));
        })
        .Case([&](arith::MulIOp op) { return visitProduct(op); })
        .Case<arith::FloorDivSIOp, arith::CeilDivSIOp, arith::DivSIOp,
              arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(
            [&](auto op) { return visitDivision(op); })
        .Case([&](ModOp op) {
          return divide(op, op.getValue(), op.getModulus(),
                        Rounding::Remainder);
        })
        .Case(
            [&](arith::MinSIOp op) { return visitExtremum(op, TermNode::Min); })
        .Case(
            [&](arith::MaxSIOp op) { return visitExtremum(op, TermNode::Max); })
        .Case([&](arith::CmpIOp op) { return visitCompare(op); })
        .Case([&](arith::SelectOp op) { return visitSelect(op); })
        .Case<arith::AndIOp, arith::OrIOp, arith::XOrIOp>(
            [&](auto op) { return visitConnective(op); })
        .Case<InOp, AtOp, ApplyOp, RequireOp>(
            [&](auto op) { return visitAccess(op); })
        .Default([](Operation &op) {
          return op.emitError()
                 << "'" << op.getName() << "' has no place in a formula";
        });
  }

  //===--- Values ---------------------------------------------------------===//

  static bool isBoolean(Operation *op) {
    return op->getResult(0).getType().isInteger(1);
  }
  const Term &term(Value value) { return terms.at(value); }
  FormulaAttr formula(Value value) { return formulas.at(value); }

  LogicalResult define(Operation *op, Term value) {
    if (value->size > kMaxLeaves)
      return op->emitError()
             << "expected at most " << kMaxLeaves
             << " cases of minima, maxima and selects in one value, found "
             << value->size << "; split the pattern or pass a parameter";
    bool fits = true;
    value = mapLeaves(value, false, [&](AffineExpr expr) {
      // Checked before the expression is put in order, which multiplies out.
      fits = fits && magnitude(expr) < kExpressionLimit;
      return affine(fits ? canonicalize(expr) : expr);
    });
    if (!fits)
      return op->emitError()
             << "value may need more than 58 bits; expected constants small "
                "enough for coordinates and parameters of up to 2^31";
    terms[op->getResult(0)] = value;
    return success();
  }

  LogicalResult define(Operation *op, FormulaAttr value) {
    if (unsigned atoms = countAtoms(value); atoms > kMaxLeaves)
      return op->emitError() << "expected at most " << kMaxLeaves
                             << " conditions in a formula, found " << atoms;
    formulas[op->getResult(0)] = value;
    return success();
  }

  /// What a value is called in an error message.
  std::string describe(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      unsigned i = argument.getArgNumber(), numParams = pattern.getNumParams();
      if (i >= numParams) {
        i -= numParams;
        return i == 0                         ? "the batch index"
               : i == 1                       ? "the head index"
               : i < 2 + pattern.getNumAxes() ? "the query position"
                                              : "the key position";
      }
      return ("parameter '" + pattern.getParamName(i) + "'").str();
    }
    return ("a result of '" + value.getDefiningOp()->getName().getStringRef() +
            "'")
        .str();
  }

  std::optional<int64_t> constantOf(Value value) {
    auto it = terms.find(value);
    if (it == terms.end() || it->second->kind != TermNode::Affine)
      return std::nullopt;
    if (auto constant = dyn_cast<AffineConstantExpr>(it->second->expr))
      return constant.getValue();
    return std::nullopt;
  }

  //===--- Operations -----------------------------------------------------===//

  SmallVector<Term> termsOf(ValueRange values) {
    return llvm::map_to_vector(values,
                               [&](Value value) { return term(value); });
  }
  static SmallVector<AffineExpr> exprsOf(ArrayRef<Term> terms) {
    return llvm::map_to_vector(
        terms, [](const Term &term) { return canonicalize(term->expr); });
  }

  LogicalResult visitAccess(AtOp op) {
    unsigned param = operands.at(op.getTable());
    return define(
        op, mapAllLeaves(termsOf(op.getIndices()), [&](ArrayRef<Term> indices) {
          return affine(
              readLeaf(ReadAttr::get(context, param, exprsOf(indices))));
        }));
  }

  LogicalResult visitAccess(InOp op) {
    if (!op.getList())
      return define(op, isMember(term(op.getValue()), op.getSetAttr()));
    unsigned param = operands.at(op.getList());
    SmallVector<Term> all = {term(op.getValue())};
    llvm::append_range(all, termsOf(op.getIndices()));
    return define(
        op, forLeaves(context, all, [&](ArrayRef<Term> leaves) {
          return getMember(
              leaves.front()->expr,
              ListAttr::get(context, param, exprsOf(leaves.drop_front())));
        }));
  }

  LogicalResult visitAccess(ApplyOp op) {
    auto applied = SymbolTable::lookupNearestSymbolFrom<PatternOp>(
        op, op.getPatternAttr());
    for (const Normalizer *outer = this; outer; outer = outer->caller)
      if (outer->pattern == applied)
        return op.emitError() << "pattern " << op.getPatternAttr()
                              << " applies itself; expected patterns that end";
    Binding binding;
    for (Value param : op.getParams()) {
      auto known = operands.find(param);
      binding.operands.push_back(known == operands.end() ? 0 : known->second);
      binding.params.push_back(terms.lookup(param));
    }
    binding.coordinates = termsOf(op.getCoordinates());
    FailureOr<FormulaAttr> inner = Normalizer(applied, this).run(binding);
    if (failed(inner))
      return failure();
    return define(op, *inner);
  }

  LogicalResult visitAccess(RequireOp op) {
    bool varying = false;
    forEachExpr(formula(op.getCondition()), [&](AffineExpr expr) {
      expr.walk([&](AffineExpr sub) {
        varying = varying || isa<AffineDimExpr>(sub);
      });
    });
    if (varying && !caller)
      return op.emitError() << "expected a condition on parameters and the "
                               "number of keys alone";
    return success();
  }

  LogicalResult visitConstant(arith::ConstantOp op) {
    auto value = dyn_cast<IntegerAttr>(op.getValue());
    if (!value)
      return op.emitError()
             << "expected an integer constant, found " << op.getValue();
    if (isBoolean(op))
      return define(op, value.getValue().isZero() ? getNever(context)
                                                  : getAlways(context));
    return define(op, affine(getAffineConstantExpr(value.getInt(), context)));
  }

  static LogicalResult refuseBoolean(Operation *op) {
    return op->emitError() << "'" << op->getName()
                           << "' on 'i1' has no place in a formula; expected "
                              "'arith.andi', 'arith.ori' or 'arith.xori'";
  }

  LogicalResult visitProduct(arith::MulIOp op) {
    if (isBoolean(op))
      return refuseBoolean(op);
    std::optional<int64_t> left = constantOf(op.getLhs()),
                           right = constantOf(op.getRhs());
    if (!left && !right)
      return op.emitError()
             << "expected one factor of a product to be a constant, found "
             << describe(op.getLhs()) << " and " << describe(op.getRhs())
             << "; pass the product as a parameter of its own";
    return define(op, right ? scale(term(op.getLhs()), *right)
                            : scale(term(op.getRhs()), *left));
  }

  enum class Rounding { Down, Up, Remainder };

  /// x div c or x mod c, for a positive constant c.
  LogicalResult divide(Operation *op, Value value, int64_t divisor,
                       Rounding rounding) {
    switch (rounding) {
    case Rounding::Down:
      return define(op, mapLeaves(term(value), false, [&](AffineExpr expr) {
                      return affine(expr.floorDiv(divisor));
                    }));
    case Rounding::Up:
      return define(op, mapLeaves(term(value), false, [&](AffineExpr expr) {
                      return affine((expr + (divisor - 1)).floorDiv(divisor));
                    }));
    case Rounding::Remainder:
      return define(
          op, mapLeaves(guarded(term(value)), false, [&](AffineExpr expr) {
            return affine(expr % divisor);
          }));
    }
    llvm_unreachable("all roundings are listed");
  }

  template <typename Op> LogicalResult visitDivision(Op op) {
    if (isBoolean(op))
      return refuseBoolean(op);
    std::optional<int64_t> divisor = constantOf(op.getRhs());
    if (!divisor)
      return op.emitError()
             << "expected a positive constant as divisor, found "
             << describe(op.getRhs())
             << "; a pattern is compiled for its divisors, so write a constant";
    if (*divisor < 1)
      return op.emitError()
             << "expected a positive constant as divisor, found " << *divisor;
    constexpr bool isRemainder = std::is_same_v<Op, arith::RemSIOp> ||
                                 std::is_same_v<Op, arith::RemUIOp>;
    constexpr bool isFloorOrCeil = std::is_same_v<Op, arith::FloorDivSIOp> ||
                                   std::is_same_v<Op, arith::CeilDivSIOp>;
    if (!isFloorOrCeil && !isNeverNegative(term(op.getLhs())))
      return op.emitError()
             << "expected a dividend that is never negative, found "
             << describe(op.getLhs()) << "; use '"
             << (isRemainder ? "attn.mod" : "arith.floordivsi")
             << "', which rounds down";
    return divide(op, op.getLhs(), *divisor,
                  isRemainder                              ? Rounding::Remainder
                  : std::is_same_v<Op, arith::CeilDivSIOp> ? Rounding::Up
                                                           : Rounding::Down);
  }

  template <typename Op>
  LogicalResult visitExtremum(Op op, TermNode::Kind kind) {
    if (isBoolean(op))
      return refuseBoolean(op);
    return define(op, choice(kind, term(op.getLhs()), term(op.getRhs())));
  }

  LogicalResult visitCompare(arith::CmpIOp op) {
    using Predicate = arith::CmpIPredicate;
    Predicate predicate = op.getPredicate();
    if (op.getLhs().getType().isInteger(1)) {
      if (predicate != Predicate::eq && predicate != Predicate::ne)
        return op.emitError()
               << "expected 'eq' or 'ne' to compare values of type 'i1', "
                  "found '"
               << stringifyCmpIPredicate(predicate) << "'";
      FormulaAttr differs =
          exclusiveOr(formula(op.getLhs()), formula(op.getRhs()));
      return define(op, predicate == Predicate::ne ? differs : getNot(differs));
    }
    const Term &x = term(op.getLhs()), &y = term(op.getRhs());
    bool isUnsigned =
        predicate == Predicate::ult || predicate == Predicate::ule ||
        predicate == Predicate::ugt || predicate == Predicate::uge;
    if (isUnsigned)
      for (Value operand : op.getOperands())
        if (!isNeverNegative(term(operand)))
          return op.emitError()
                 << "expected operands of '"
                 << stringifyCmpIPredicate(predicate)
                 << "' that are never negative, found " << describe(operand)
                 << "; use the signed comparison";
    switch (predicate) {
    case Predicate::sge:
    case Predicate::uge:
      return define(op, isAtLeast(x, y));
    case Predicate::sle:
    case Predicate::ule:
      return define(op, isAtLeast(y, x));
    case Predicate::slt:
    case Predicate::ult:
      return define(op, getNot(isAtLeast(x, y)));
    case Predicate::sgt:
    case Predicate::ugt:
      return define(op, getNot(isAtLeast(y, x)));
    case Predicate::eq:
    case Predicate::ne: {
      FormulaAttr equal = getAll(context, {isAtLeast(x, y), isAtLeast(y, x)});
      return define(op, predicate == Predicate::eq ? equal : getNot(equal));
    }
    }
    llvm_unreachable("all predicates are listed");
  }

  FormulaAttr exclusiveOr(FormulaAttr x, FormulaAttr y) {
    return getAny(context, {getAll(context, {x, getNot(y)}),
                            getAll(context, {getNot(x), y})});
  }

  LogicalResult visitSelect(arith::SelectOp op) {
    FormulaAttr condition = formula(op.getCondition());
    Value first = op.getTrueValue(), second = op.getFalseValue();
    if (!isBoolean(op))
      return define(
          op, choice(TermNode::Select, term(first), term(second), condition));
    return define(
        op, getAny(context,
                   {getAll(context, {condition, formula(first)}),
                    getAll(context, {getNot(condition), formula(second)})}));
  }

  template <typename Op> LogicalResult visitConnective(Op op) {
    if (!isBoolean(op))
      return op.emitError() << "'" << op->getName()
                            << "' on 'index' has no place in a formula; "
                               "expected operands of type 'i1'";
    FormulaAttr x = formula(op.getLhs()), y = formula(op.getRhs());
    if (std::is_same_v<Op, arith::AndIOp>)
      return define(op, getAll(context, {x, y}));
    if (std::is_same_v<Op, arith::OrIOp>)
      return define(op, getAny(context, {x, y}));
    return define(op, exclusiveOr(x, y));
  }

  PatternOp pattern;
  /// Of the pattern that applies this one.
  const Normalizer *caller;
  MLIRContext *context;
  llvm::DenseMap<Value, unsigned> operands;
  llvm::DenseMap<Value, Term> terms;
  llvm::DenseMap<Value, FormulaAttr> formulas;
};

} // namespace

FailureOr<FormulaAttr> normalize(PatternOp pattern) {
  return Normalizer(pattern).run();
}

} // namespace heddle::attn
