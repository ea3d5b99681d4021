// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Checks.h"

#include "dialect/attn/Formula.h"
#include "mlir/IR/SymbolTable.h"

using namespace heddle;
using namespace mlir;

Checks::Checks(const KernelSpec &spec) : spec(spec) {
  for (unsigned number = 0; number < spec.sources.size(); ++number) {
    const KernelSource &source = spec.sources[number];
    auto addScope = [&](bool isScore) {
      scopes.push_back(std::make_unique<Scope>(
          Scope{number, source.pattern, isScore, {}, nullptr}));
      visit(scopes.back().get());
    };
    addScope(/*isScore=*/false);
    attn::PatternOp pattern = source.pattern;
    if (pattern.hasScore())
      addScope(/*isScore=*/true);
    auto addUse = [&](Check::Kind kind, unsigned param, unsigned axis) {
      Check check{kind, {}, {}};
      check.param = source.params[param];
      check.axis = axis;
      check.source = number;
      checks.push_back(check);
    };
    if (std::optional<unsigned> sink = pattern.getNormalization().getSink())
      addUse(Check::Head, *sink, 0);
    for (int64_t table : pattern.getRotate()) {
      addUse(Check::Position, table, 0);
      addUse(Check::Feature, table, 1);
    }
    boundReads(number);
  }
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

ScopedValue Checks::resolve(ScopedValue value) {
  while (auto argument = dyn_cast<BlockArgument>(value.value)) {
    attn::ApplyOp apply = value.scope->apply;
    if (!apply)
      break;
    unsigned i = argument.getArgNumber();
    unsigned numParams = apply.getParams().size();
    value = {i < numParams ? apply.getParams()[i]
                           : apply.getCoordinates()[i - numParams],
             value.scope->outer};
  }
  return value;
}

std::optional<unsigned> Checks::findParam(ScopedValue value) const {
  value = resolve(value);
  auto argument = dyn_cast<BlockArgument>(value.value);
  attn::PatternOp pattern = value.scope->pattern;
  if (!argument || argument.getArgNumber() >= pattern.getNumParams())
    return std::nullopt;
  return argument.getArgNumber();
}

unsigned Checks::paramOf(ScopedValue value) const {
  return spec.sources[value.scope->source].params[*findParam(value)];
}

const Scope *Checks::enter(attn::ApplyOp apply, const Scope *scope) {
  for (const std::unique_ptr<Scope> &known : scopes)
    if (known->apply == apply && known->outer == scope)
      return known.get();
  auto pattern = SymbolTable::lookupNearestSymbolFrom<attn::PatternOp>(
      apply, apply.getPatternAttr());
  scopes.push_back(std::make_unique<Scope>(
      Scope{scope->source, pattern, /*isScore=*/false, apply, scope}));
  return scopes.back().get();
}

//===----------------------------------------------------------------------===//
// The list
//===----------------------------------------------------------------------===//

void Checks::visit(const Scope *scope) {
  for (Operation &op : scope->block()) {
    if (auto require = dyn_cast<attn::RequireOp>(op)) {
      Check check{Check::Condition,
                  {require.getCondition(), scope},
                  require.getMessageAttr()};
      check.source = scope->source;
      checks.push_back(check);
    } else if (auto at = dyn_cast<attn::AtOp>(op)) {
      addRead(scope, at.getTable(), at.getIndices());
    } else if (auto in = dyn_cast<attn::InOp>(op); in && in.getList()) {
      addRead(scope, in.getList(), in.getIndices());
    } else if (auto apply = dyn_cast<attn::ApplyOp>(op)) {
      visit(enter(apply, scope));
    }
  }
}

void Checks::addRead(const Scope *scope, Value operand, ValueRange indices) {
  for (auto [axis, index] : llvm::enumerate(indices)) {
    Check check{Check::Read, resolve({index, scope}), {}};
    check.param = paramOf({operand, scope});
    check.axis = axis;
    check.source = scope->source;
    // The same index in the same place needs no second look.
    if (llvm::any_of(checks, [&](const Check &known) {
          return known.kind == Check::Read && known.value == check.value &&
                 known.param == check.param && known.axis == check.axis;
        }))
      continue;
    checks.push_back(check);
    boundElements(check.value);
  }
}

//===----------------------------------------------------------------------===//
// Tables with bounds
//===----------------------------------------------------------------------===//

void Checks::boundElements(ScopedValue value) {
  value = resolve(value);
  Operation *op = value.value.getDefiningOp();
  if (!op)
    return;
  if (auto at = dyn_cast<attn::AtOp>(op))
    if (value.value.getType().isIndex())
      bounded.insert(paramOf({at.getTable(), value.scope}));
  if (auto apply = dyn_cast<attn::ApplyOp>(op)) {
    const Scope *inner = enter(apply, value.scope);
    boundElements({inner->block().getTerminator()->getOperand(0), inner});
    return;
  }
  for (Value operand : op->getOperands())
    boundElements({operand, value.scope});
}

void Checks::boundReads(unsigned source) {
  attn::forEachExpr(spec.sources[source].formula, [&](AffineExpr expr) {
    expr.walk([&](AffineExpr part) {
      if (attn::ReadAttr read = attn::getRead(part))
        if (attn::varies(part))
          bounded.insert(spec.sources[source].params[read.getParam()]);
    });
  });
  for (const Check &check : checks)
    if (check.kind == Check::Condition && check.source == source)
      boundElements(check.value);
}
