// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/KernelSpec.h"

#include "dialect/attn/HostSets.h"
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

FailureOr<KernelSpec> heddle::findKernelSpec(Operation *user,
                                             attn::EntryAttr entry) {
  SmallVector<attn::PatternOp> patterns =
      findPatterns(user, entry.getPattern());
  if (patterns.empty())
    return user->emitOpError("the module has no pattern ")
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
