// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A problem is checked by interval analysis of the pattern's regions, run on
// its sizes and parameters: every `index` value gets bounds over all batches,
// heads, queries and keys, as SSA values. A read is accepted when its bounds
// lie in the table, a condition when it holds for all values within the bounds.
// Where nothing varies bounds are points, so conditions on parameters are
// exact.

#include "passes/TileKernels.h"

#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "passes/Checks.h"
#include "passes/IndexArithmetic.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace mlir;

namespace {

/// Beyond everything that a table may hold, with room for sums.
constexpr int64_t kFar = int64_t{1} << 40;

struct Interval {
  Value lo, hi;
};

/// What is known of a condition; both false when it depends.
struct Verdict {
  Value holds, fails;
};

class CheckKernel {
public:
  CheckKernel(KernelFrame &frame, Checks &checks)
      : frame(frame), b(frame.b), checks(checks) {}

  void run() {
    SmallVector<Type> results(4, b.getIndexType());
    frame.open("check", {}, results);
    SmallVector<Value> answer(4, number(0));
    SmallVector<SmallVector<Value>> answers;
    for (const Check &check : checks.list())
      answers.push_back(evaluate(check));
    // The first that fails wins, so it is put in last.
    for (size_t i = answers.size(); i-- > 0;) {
      SmallVector<Value> &one = answers[i];
      SmallVector<Value> failed = {number(static_cast<int64_t>(i) + 1)};
      llvm::append_range(failed, ArrayRef(one).drop_front());
      for (auto [place, value] : llvm::zip(answer, failed))
        place = b.createOrFold<arith::SelectOp>(one.front(), value, place);
    }
    func::ReturnOp::create(b, answer);
  }

private:
  //===--- Small words ----------------------------------------------------===//

  Value number(int64_t value) { return frame.constant(value); }
  Value truth(bool value) {
    return arith::ConstantOp::create(b, b.getBoolAttr(value));
  }
  Value add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
  Value sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(x, y); }
  Value mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(x, y); }
  Value min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
  Value max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(x, y); }
  Value both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(x, y); }
  Value either(Value x, Value y) { return b.createOrFold<arith::OrIOp>(x, y); }
  Value negate(Value x) {
    return b.createOrFold<arith::XOrIOp>(x, truth(true));
  }
  Value less(Value x, Value y) {
    return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, x, y);
  }
  Value atMost(Value x, Value y) {
    return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::sle, x, y);
  }
  Value equal(Value x, Value y) {
    return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, x, y);
  }
  Value select(Value c, Value x, Value y) {
    return b.createOrFold<arith::SelectOp>(c, x, y);
  }
  static Interval point(Value x) { return {x, x}; }
  /// [0, size - 1].
  Interval upTo(Value size) { return {number(0), sub(size, number(1))}; }
  Interval merge(Interval x, Interval y) {
    return {min(x.lo, y.lo), max(x.hi, y.hi)};
  }
  Value extentOf(unsigned param, unsigned axis) {
    return attn::ExtentOp::create(b, b.getIndexType(), frame.params[param],
                                  b.getI64IntegerAttr(axis));
  }

  //===--- Coordinates ----------------------------------------------------===//

  Interval queriesOf(Value extent) {
    if (!frame.spec.isLinear() && frame.spec.hasGrid())
      return upTo(extent);
    return {frame.origin, sub(add(frame.origin, extent), number(1))};
  }

  /// Coordinate `i` of a pattern of the source, in the order of a region.
  Interval coordinate(unsigned source, unsigned i) {
    if (i == 0)
      return upTo(frame.dim(tile::Axis::Batch, frame.q));
    if (i == 1)
      return upTo(frame.dim(tile::Axis::Head, frame.q));
    attn::PatternOp pattern = frame.spec.sources[source].pattern;
    unsigned axes = pattern.getNumAxes();
    bool isQuery = i - 2 < axes;
    unsigned axis = (i - 2) % axes;
    if (pattern.hasGrid()) {
      ArrayRef<int64_t> grid =
          isQuery ? pattern.getQueryGrid() : pattern.getKeyGrid();
      return upTo(frame.sources[source].params[grid[axis]]);
    }
    return isQuery ? queriesOf(frame.dim(tile::Axis::Position, frame.q))
                   : upTo(frame.sources[source].numKeys);
  }

  /// Coordinate `i` of a region of the recurrence: batch, head, position and
  /// feature of an element, or of a factor.
  Interval coordinateOfRow(Region *region, unsigned i) {
    attn::RecurrenceOp recurrence = frame.spec.recurrence;
    attn::EntryAttr entry = frame.spec.entry;
    bool ofQueries =
        region == &recurrence.getQuery() || region == &recurrence.getOutput();
    bool ofValues =
        region == &recurrence.getValue() || region == &recurrence.getOutput();
    switch (i) {
    case 0:
      return upTo(frame.dim(tile::Axis::Batch, frame.q));
    case 1:
      return upTo(frame.dim(tile::Axis::Head, frame.q));
    case 2:
      if (ofQueries)
        return queriesOf(frame.dim(tile::Axis::Position, frame.q));
      return keysOfRecurrence();
    default:
      if (region == &recurrence.getDecay())
        return upTo(number(recurrence.numMappedFeatures(entry.getQk())));
      return upTo(number(ofValues ? entry.getV() : entry.getQk()));
    }
  }

  /// Positions of keys: those before the one that query 0 stands at come first.
  Interval keysOfRecurrence() {
    Value numKeys = frame.sources.front().numKeys, first = frame.origin;
    attn::RecurrenceOp recurrence = frame.spec.recurrence;
    if (recurrence.getWindowParam())
      first =
          sub(first, sub(numKeys, frame.dim(tile::Axis::Position, frame.q)));
    return {first, sub(add(first, numKeys), number(1))};
  }

  //===--- Integers -------------------------------------------------------===//

  Interval bounds(ScopedValue value) {
    value = Checks::resolve(value);
    std::pair<Value, const Scope *> key(value.value, value.scope);
    auto it = known.find(key);
    if (it != known.end())
      return it->second;
    Interval result = computeBounds(value);
    known[key] = result;
    return result;
  }

  Interval computeBounds(ScopedValue value) {
    const Scope *scope = value.scope;
    if (auto argument = dyn_cast<BlockArgument>(value.value)) {
      if (std::optional<unsigned> param = checks.findParam(value))
        return point(frame.sources[scope->source].params[*param]);
      unsigned i = argument.getArgNumber() - scope->firstCoordinate();
      return frame.spec.isLinear() ? coordinateOfRow(scope->region, i)
                                   : coordinate(scope->source, i);
    }
    auto of = [&](Value operand) { return bounds({operand, scope}); };
    APInt literal;
    if (matchPattern(value.value, m_ConstantInt(&literal)))
      return point(number(literal.getSExtValue()));
    return llvm::TypeSwitch<Operation *, Interval>(value.value.getDefiningOp())
        .Case([&](attn::NumKeysOp) {
          return point(frame.sources[scope->source].numKeys);
        })
        .Case([&](arith::AddIOp op) {
          Interval x = of(op.getLhs()), y = of(op.getRhs());
          return Interval{add(x.lo, y.lo), add(x.hi, y.hi)};
        })
        .Case([&](arith::SubIOp op) {
          Interval x = of(op.getLhs()), y = of(op.getRhs());
          return Interval{sub(x.lo, y.hi), sub(x.hi, y.lo)};
        })
        .Case([&](arith::MulIOp op) {
          Interval x = of(op.getLhs()), y = of(op.getRhs());
          return merge(merge(point(mul(x.lo, y.lo)), point(mul(x.hi, y.hi))),
                       merge(point(mul(x.lo, y.hi)), point(mul(x.hi, y.lo))));
        })
        .Case([&](arith::MinSIOp op) {
          Interval x = of(op.getLhs()), y = of(op.getRhs());
          return Interval{min(x.lo, y.lo), min(x.hi, y.hi)};
        })
        .Case([&](arith::MaxSIOp op) {
          Interval x = of(op.getLhs()), y = of(op.getRhs());
          return Interval{max(x.lo, y.lo), max(x.hi, y.hi)};
        })
        .Case<arith::FloorDivSIOp, arith::CeilDivSIOp, arith::DivSIOp,
              arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(
            [&](Operation *op) { return boundsOfDivision(op, scope); })
        .Case([&](attn::ModOp op) {
          return boundsOfMod(of(op.getValue()), op.getModulus());
        })
        .Case([&](arith::SelectOp op) {
          Interval x = of(op.getTrueValue()), y = of(op.getFalseValue());
          Verdict c = judge({op.getCondition(), scope});
          Interval any = merge(x, y);
          return Interval{select(c.holds, x.lo, select(c.fails, y.lo, any.lo)),
                          select(c.holds, x.hi, select(c.fails, y.hi, any.hi))};
        })
        .Case([&](arith::IndexCastOp op) { return of(op.getIn()); })
        .Case([&](attn::AtOp op) { return boundsOfTable(op, scope); })
        .Default(
            [&](Operation *) { return Interval{number(-kFar), number(kFar)}; });
  }

  /// Divisors are positive constants, and what is divided by an operation that
  /// does not round down is never negative.
  Interval boundsOfDivision(Operation *op, const Scope *scope) {
    APInt divisor;
    if (!matchPattern(op->getOperand(1), m_ConstantInt(&divisor)) ||
        !divisor.isStrictlyPositive())
      return {number(-kFar), number(kFar)};
    int64_t by = divisor.getSExtValue();
    Interval x = bounds({op->getOperand(0), scope});
    if (isa<arith::RemSIOp, arith::RemUIOp>(op))
      return boundsOfMod(x, by);
    if (isa<arith::CeilDivSIOp>(op))
      return {emitCeilDiv(b, x.lo, by), emitCeilDiv(b, x.hi, by)};
    return {emitFloorDiv(b, x.lo, by), emitFloorDiv(b, x.hi, by)};
  }

  Interval boundsOfMod(Interval x, int64_t modulus) {
    Value stays =
        equal(emitFloorDiv(b, x.lo, modulus), emitFloorDiv(b, x.hi, modulus));
    return {select(stays, emitMod(b, x.lo, modulus), number(0)),
            select(stays, emitMod(b, x.hi, modulus), number(modulus - 1))};
  }

  /// Bounds over all elements that the indices can reach.
  Interval boundsOfTable(attn::AtOp op, const Scope *scope) {
    unsigned param = checks.paramOf({op.getTable(), scope});
    SmallVector<Interval> ranges;
    for (auto [axis, index] : llvm::enumerate(op.getIndices())) {
      Interval range = bounds({index, scope});
      Interval all = upTo(extentOf(param, axis));
      ranges.push_back({max(range.lo, all.lo), min(range.hi, all.hi)});
    }
    SmallVector<Value> leading;
    return boundsOfRows(frame.params[param], ranges, leading,
                        {number(kFar), number(-kFar)});
  }

  Interval boundsOfRows(Value table, ArrayRef<Interval> ranges,
                        SmallVectorImpl<Value> &leading, Interval soFar) {
    Interval range = ranges[leading.size()];
    if (leading.size() + 1 == ranges.size()) {
      Type index = b.getIndexType();
      auto span = attn::SpanOp::create(b, index, index, table, leading,
                                       range.lo, range.hi);
      return merge(soFar, {span.getLo(), span.getHi()});
    }
    auto rows = scf::ForOp::create(
        b, range.lo, add(range.hi, number(1)), number(1),
        ValueRange{soFar.lo, soFar.hi},
        [&](OpBuilder &, Location, Value row, ValueRange carried) {
          leading.push_back(row);
          Interval result =
              boundsOfRows(table, ranges, leading, {carried[0], carried[1]});
          leading.pop_back();
          scf::YieldOp::create(b, ValueRange{result.lo, result.hi});
        });
    return {rows.getResult(0), rows.getResult(1)};
  }

  //===--- Conditions -----------------------------------------------------===//

  Verdict judge(ScopedValue value) {
    value = Checks::resolve(value);
    const Scope *scope = value.scope;
    auto of = [&](Value operand) { return judge({operand, scope}); };
    BoolAttr literal;
    if (matchPattern(value.value, m_Constant(&literal)))
      return {truth(literal.getValue()), truth(!literal.getValue())};
    return llvm::TypeSwitch<Operation *, Verdict>(value.value.getDefiningOp())
        .Case([&](arith::CmpIOp op) { return judgeComparison(op, scope); })
        .Case([&](arith::AndIOp op) {
          Verdict x = of(op.getLhs()), y = of(op.getRhs());
          return Verdict{both(x.holds, y.holds), either(x.fails, y.fails)};
        })
        .Case([&](arith::OrIOp op) {
          Verdict x = of(op.getLhs()), y = of(op.getRhs());
          return Verdict{either(x.holds, y.holds), both(x.fails, y.fails)};
        })
        .Case([&](arith::XOrIOp op) {
          return differs(of(op.getLhs()), of(op.getRhs()));
        })
        .Case([&](arith::SelectOp op) {
          Verdict c = of(op.getCondition()), x = of(op.getTrueValue()),
                  y = of(op.getFalseValue());
          auto choose = [&](Value ofX, Value ofY) {
            return either(both(ofX, ofY),
                          either(both(c.holds, ofX), both(c.fails, ofY)));
          };
          return Verdict{choose(x.holds, y.holds), choose(x.fails, y.fails)};
        })
        .Case([&](attn::InOp op) { return judgeMember(op, scope); })
        .Case([&](attn::ApplyOp op) {
          const Scope *inner = checks.enter(op, scope);
          return judge({inner->block().getTerminator()->getOperand(0), inner});
        })
        .Default(
            [&](Operation *) { return Verdict{truth(false), truth(false)}; });
  }

  Verdict differs(Verdict x, Verdict y) {
    return {either(both(x.holds, y.fails), both(x.fails, y.holds)),
            either(both(x.holds, y.holds), both(x.fails, y.fails))};
  }
  static Verdict opposite(Verdict x) { return {x.fails, x.holds}; }

  Verdict isLess(Interval x, Interval y) {
    return {less(x.hi, y.lo), atMost(y.hi, x.lo)};
  }

  Verdict judgeComparison(arith::CmpIOp op, const Scope *scope) {
    using Predicate = arith::CmpIPredicate;
    Predicate predicate = op.getPredicate();
    if (op.getLhs().getType().isInteger(1)) {
      Verdict unequal =
          differs(judge({op.getLhs(), scope}), judge({op.getRhs(), scope}));
      return predicate == Predicate::ne ? unequal : opposite(unequal);
    }
    Interval x = bounds({op.getLhs(), scope}), y = bounds({op.getRhs(), scope});
    // Unsigned predicates are for what is never negative.
    switch (predicate) {
    case Predicate::slt:
    case Predicate::ult:
      return isLess(x, y);
    case Predicate::sgt:
    case Predicate::ugt:
      return isLess(y, x);
    case Predicate::sge:
    case Predicate::uge:
      return opposite(isLess(x, y));
    case Predicate::sle:
    case Predicate::ule:
      return opposite(isLess(y, x));
    case Predicate::eq:
    case Predicate::ne: {
      Verdict same{both(atMost(x.hi, y.lo), atMost(y.hi, x.lo)),
                   either(less(x.hi, y.lo), less(y.hi, x.lo))};
      return predicate == Predicate::eq ? same : opposite(same);
    }
    }
    llvm_unreachable("all predicates are listed");
  }

  Verdict judgeMember(attn::InOp op, const Scope *scope) {
    Interval x = bounds({op.getValue(), scope});
    Value single = equal(x.lo, x.hi);
    Value isMember;
    if (op.getList()) {
      SmallVector<Value> indices;
      for (Value index : op.getIndices()) {
        Interval at = bounds({index, scope});
        single = both(single, equal(at.lo, at.hi));
        indices.push_back(at.lo);
      }
      unsigned param = checks.paramOf({op.getList(), scope});
      isMember = attn::OperandAccess(frame.params)
                     .contains(b, b.getLoc(), param, indices, x.lo);
    } else if (auto set = dyn_cast<attn::IntervalAttr>(*op.getSet())) {
      Verdict result{truth(true), truth(false)};
      if (std::optional<int64_t> lo = set.getLo()) {
        Verdict enough = opposite(isLess(x, point(number(*lo))));
        result = {both(result.holds, enough.holds),
                  either(result.fails, enough.fails)};
      }
      if (std::optional<int64_t> hi = set.getHi()) {
        Verdict below = isLess(x, point(number(*hi)));
        result = {both(result.holds, below.holds),
                  either(result.fails, below.fails)};
      }
      return result;
    } else {
      attn::Coordinates at = frame.coordinates(scope->source);
      at.b = at.h = number(0);
      at.q = at.k = {x.lo};
      attn::FormulaAttr atom = attn::getMember(
          getAffineDimExpr(attn::DimK, b.getContext()), *op.getSet());
      isMember = attn::emitContains(b, b.getLoc(), atom, at);
    }
    return {both(single, isMember), both(single, negate(isMember))};
  }

  //===--- Checks ---------------------------------------------------------===//

  /// True when no pair of a query and a key exists, so that nothing is read.
  Value isIdle(unsigned source) {
    Value size = frame.dim(tile::Axis::Batch, frame.q);
    for (Value extent : {frame.dim(tile::Axis::Head, frame.q),
                         frame.dim(tile::Axis::Position, frame.q),
                         frame.sources[source].numKeys})
      size = min(size, extent);
    return atMost(size, number(0));
  }

  Interval indexOf(const Check &check) {
    switch (check.kind) {
    case Check::Read:
      return bounds(check.value);
    case Check::Head:
      return upTo(frame.dim(tile::Axis::Head, frame.q));
    case Check::Position:
      return merge(queriesOf(frame.dim(tile::Axis::Position, frame.q)),
                   upTo(frame.sources[check.source].numKeys));
    case Check::Feature:
      return upTo(number(frame.spec.entry.getQk() / 2));
    case Check::Row:
      return upTo(number(frame.spec.entry.getQk()));
    case Check::Condition:
    case Check::Window:
      break;
    }
    llvm_unreachable("a condition has no index");
  }

  /// Whether the check fails, smallest and largest index, and extent.
  SmallVector<Value> evaluate(const Check &check) {
    if (check.kind == Check::Condition)
      return {negate(judge(check.value).holds), number(0), number(0),
              number(0)};
    if (check.kind == Check::Window)
      return {less(frame.params[check.param], number(0)), number(0), number(0),
              number(0)};
    Interval index = indexOf(check);
    Value extent = extentOf(check.param, check.axis);
    Value isOutside =
        either(less(index.lo, number(0)), atMost(extent, index.hi));
    return {both(isOutside, negate(isIdle(check.source))), index.lo, index.hi,
            extent};
  }

  KernelFrame &frame;
  ImplicitLocOpBuilder &b;
  Checks &checks;
  llvm::DenseMap<std::pair<Value, const Scope *>, Interval> known;
};

} // namespace

void heddle::buildCheckKernel(KernelFrame &frame) {
  Checks checks(frame.spec);
  CheckKernel(frame, checks).run();
}
