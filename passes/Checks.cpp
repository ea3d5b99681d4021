// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Checks.h"

#include "dialect/attn/Formula.h"
#include "mlir/IR/SymbolTable.h"

using namespace heddle;
using namespace mlir;

Checks::Checks(const KernelSpec &spec) : spec(spec) {
  if (spec.isLinear()) {
    checkRecurrence(spec.recurrence);
    return;
  }
  for (unsigned number = 0; number < spec.sources.size(); ++number) {
    checkPattern(number, spec.sources[number].pattern);
    boundReads(number);
  }
}

void Checks::checkPattern(unsigned source, attn::PatternOp pattern) {
  unsigned numParams = pattern.getNumParams();
  addScope(source, pattern.getBody(), numParams, /*hasNumber=*/false);
  if (pattern.hasScore())
    addScope(source, pattern.getScore(), numParams, /*hasNumber=*/true);
  if (std::optional<unsigned> sink = pattern.getNormalization().getSink())
    addUse(source, Check::Head, *sink, 0);
  for (int64_t table : pattern.getRotate()) {
    addUse(source, Check::Position, table, 0);
    addUse(source, Check::Feature, table, 1);
  }
}

void Checks::checkRecurrence(attn::RecurrenceOp recurrence) {
  unsigned numParams = recurrence.getNumParams();
  for (Region *region : {&recurrence.getQuery(), &recurrence.getKey(),
                         &recurrence.getValue(), &recurrence.getOutput()})
    if (!region->empty())
      addScope(0, *region, numParams, /*hasNumber=*/true);
  for (Region *region : {&recurrence.getDecay(), &recurrence.getDelta()})
    if (!region->empty())
      addScope(0, *region, numParams, /*hasNumber=*/false);
  if (std::optional<unsigned> window = recurrence.getWindowParam()) {
    addUse(0, Check::Window, *window, 0);
    checks.back().message =
        StringAttr::get(recurrence.getContext(), "the window is not negative");
  }
}

void Checks::addScope(unsigned source, Region &region, unsigned numParams,
                      bool hasNumber) {
  scopes.push_back(std::make_unique<Scope>(
      Scope{source, &region, numParams, hasNumber, {}, nullptr}));
  visit(scopes.back().get());
}

void Checks::addUse(unsigned source, Check::Kind kind, unsigned param,
                    unsigned axis) {
  Check check{kind, {}, {}};
  check.param = spec.sources[source].params[param];
  check.axis = axis;
  check.source = source;
  checks.push_back(check);
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
  if (!argument || argument.getArgNumber() >= value.scope->numParams)
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
      Scope{scope->source, &pattern.getBody(), pattern.getNumParams(),
            /*hasNumber=*/false, apply, scope}));
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
    } else if (auto project = dyn_cast<attn::ProjectOp>(op)) {
      addRead(scope, project.getTable(), project.getIndices());
      unsigned param = *findParam({project.getTable(), scope});
      for (unsigned axis : {0, 1})
        addUse(scope->source, Check::Row, param,
               project.getIndices().size() + axis);
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
