// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/KernelSpec.h"

#include "dialect/attn/Formula.h"
#include "dialect/attn/HostSets.h"
#include "dialect/attn/Windows.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/SymbolTable.h"

using namespace heddle;
using namespace mlir;

SmallVector<attn::PatternOp> heddle::findPatterns(Operation *user,
                                                  FlatSymbolRefAttr symbol) {
  Operation *found = SymbolTable::lookupNearestSymbolFrom(user, symbol);
  if (auto pattern = dyn_cast_or_null<attn::PatternOp>(found))
    return {pattern};
  auto combine = dyn_cast_or_null<attn::CombineOp>(found);
  if (!combine)
    return {};
  SmallVector<attn::PatternOp> patterns;
  for (auto name : combine.getSources().getAsRange<FlatSymbolRefAttr>()) {
    auto pattern =
        SymbolTable::lookupNearestSymbolFrom<attn::PatternOp>(combine, name);
    if (!pattern)
      return {};
    patterns.push_back(pattern);
  }
  return patterns;
}

static KernelSpec specOf(attn::RecurrenceOp recurrence, attn::EntryAttr entry) {
  KernelSpec spec;
  spec.entry = entry;
  spec.recurrence = recurrence;
  KernelSource source;
  for (unsigned i = 0; i < recurrence.getNumParams(); ++i) {
    spec.params.push_back({recurrence.getParamName(i),
                           recurrence.getParamType(i), recurrence.getDefault(i),
                           recurrence.getParamRank(i)});
    source.params.push_back(i);
  }
  spec.sources.push_back(std::move(source));
  return spec;
}

FailureOr<KernelSpec> heddle::findKernelSpec(Operation *user,
                                             attn::EntryAttr entry) {
  if (auto recurrence =
          SymbolTable::lookupNearestSymbolFrom<attn::RecurrenceOp>(
              user, entry.getPattern()))
    return specOf(recurrence, entry);
  SmallVector<attn::PatternOp> patterns =
      findPatterns(user, entry.getPattern());
  if (patterns.empty())
    return user->emitOpError("the module has no pattern or recurrence ")
           << entry.getPattern();
  KernelSpec spec;
  spec.entry = entry;
  for (attn::PatternOp pattern : patterns)
    if (!pattern.getFormulaAttr())
      return pattern.emitOpError(
          "has no formula; run 'attn-normalize-pattern' first");
  for (const attn::UnitedParam &param : attn::uniteParams(patterns)) {
    attn::PatternOp pattern = patterns[param.source];
    spec.params.push_back({pattern.getParamName(param.number),
                           pattern.getParamType(param.number),
                           pattern.getDefault(param.number), 0});
  }
  for (attn::PatternOp pattern : patterns) {
    KernelSource source{
        pattern, attn::boundByKeys(pattern.getFormulaAttr(), pattern), {}};
    for (unsigned i = 0; i < pattern.getNumParams(); ++i) {
      KernelParam *known = llvm::find_if(spec.params, [&](KernelParam &param) {
        return param.name == pattern.getParamName(i);
      });
      // A set may be asked in some sources only.
      known->rank = std::max(known->rank, pattern.getParamRank(i));
      source.params.push_back(known - spec.params.begin());
    }
    spec.sources.push_back(std::move(source));
  }
  return spec;
}

/// The questions that a formula asks about a pair.
static int64_t countConditions(attn::FormulaAttr formula) {
  switch (formula.getKind()) {
  case attn::FormulaKind::All:
  case attn::FormulaKind::Any: {
    int64_t count = 0;
    for (attn::FormulaAttr child : formula.getChildren())
      count += countConditions(child);
    return count;
  }
  case attn::FormulaKind::Always:
  case attn::FormulaKind::Never:
    return 0;
  default:
    return 1;
  }
}

/// Operations of a score region; a function is a polynomial of some twenty.
static int64_t countOperations(attn::PatternOp pattern) {
  constexpr int64_t perFunction = 20;
  int64_t count = 0;
  if (pattern.hasScore())
    for (Operation &op : pattern.getScore().front().without_terminator())
      count += isa<math::MathDialect>(op.getDialect()) ? perFunction : 1;
  switch (pattern.getNormalization().getKind()) {
  case attn::NormalizerKind::Sigmoid:
    return count + perFunction + 3;
  case attn::NormalizerKind::Relu:
    return count + 1;
  case attn::NormalizerKind::Relu2:
    return count + 2;
  case attn::NormalizerKind::Identity:
  case attn::NormalizerKind::Softmax:
  case attn::NormalizerKind::Grouped:
    return count;
  }
  llvm_unreachable("every normaliser is counted");
}

/// What a parameter without a default is taken for as the size of a window.
/// Windows of 3 to 31 lead to the same choices.
static constexpr int64_t kUsualWindow = 13;

/// The windows along the axes of a pattern's token grid; empty without any.
static SmallVector<int64_t, 3> windowsOf(attn::PatternOp pattern) {
  SmallVector<int64_t, 3> windows;
  for (unsigned axis = pattern.getQueryGrid().size(); axis-- > 0;)
    windows.push_back(
        attn::windowAlong(pattern.getFormulaAttr(), axis, [&](unsigned param) {
          return pattern.getParamDefault(param).value_or(kUsualWindow);
        }).value_or(0));
  if (llvm::all_of(windows, [](int64_t window) { return window == 0; }))
    windows.clear();
  return windows;
}

KernelShape heddle::describeKernel(ArrayRef<attn::PatternOp> patterns,
                                   int64_t qk, int64_t v, Type input) {
  attn::PatternOp first = patterns.front();
  KernelShape shape;
  shape.Qk = qk;
  shape.V = v;
  shape.Axes = first.getQueryGrid().size();
  shape.Group = first.getNormalization().getGroup();
  shape.ElementBytes = input.getIntOrFloatBitWidth() / 8;
  shape.ScoreOperations = countOperations(first);
  shape.HasSoftmax = first.getNormalization().isSoftmax();
  shape.Rotates = !first.getRotate().empty();
  shape.HeadsAgree = llvm::all_of(patterns, [](attn::PatternOp pattern) {
    attn::FormulaAttr formula = pattern.getFormulaAttr();
    return formula && !attn::uses(formula, attn::DimH);
  });
  if (attn::FormulaAttr formula = first.getFormulaAttr()) {
    shape.QueryBlock = attn::queryBlock(formula);
    shape.KeyBlock = attn::keyBlock(formula);
    shape.Windows = windowsOf(first);
    shape.Conditions = std::max<int64_t>(1, countConditions(formula));
  }
  return shape;
}

KernelShape heddle::describeKernel(attn::RecurrenceOp recurrence, int64_t qk,
                                   int64_t v, Type input) {
  KernelShape shape;
  shape.Qk = qk;
  shape.V = v;
  shape.ElementBytes = input.getIntOrFloatBitWidth() / 8;
  shape.HasSoftmax = recurrence.getWindowParam().has_value();
  shape.Mapped = recurrence.numMappedFeatures(qk);
  shape.State = recurrence.numFeatures(qk);
  shape.DecaysByFeature = recurrence.decayKind() == attn::DecayKind::PerChannel;
  shape.HasDelta = recurrence.hasDelta();
  shape.ErasesFirst = recurrence.erasesFirst();
  shape.IsBidirectional = recurrence.isBidirectional();
  return shape;
}
