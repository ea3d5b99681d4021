// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/KernelSpec.h"
#include "passes/Passes.h"
#include "llvm/ADT/StringMap.h"
#include <string>

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNFUSEMERGE
#include "passes/Passes.h.inc"

namespace {

/// One source of keys of an attention.
struct Source {
  attn::PatternOp pattern;
  /// The arguments of the pattern.
  SmallVector<Value> arguments;
  Value k, v;
};

/// Parts of a merge that can be one attention.
struct Group {
  SmallVector<attn::AttentionOp> attentions;
  SmallVector<Source> sources;
};

SmallVector<Source> findSources(attn::AttentionOp attention) {
  SmallVector<attn::PatternOp> patterns =
      findPatterns(attention, attention.getPatternAttr());
  llvm::StringMap<Value> arguments;
  for (auto [param, value] :
       llvm::zip(attn::uniteParams(patterns), attention.getParams()))
    arguments[patterns[param.source].getParamName(param.number)] = value;
  SmallVector<Source> sources;
  for (auto [number, pattern] : llvm::enumerate(patterns)) {
    Source source{pattern, {}, attention.getK(), attention.getV()};
    if (number > 0) {
      source.k = attention.getMoreK()[number - 1];
      source.v = attention.getMoreV()[number - 1];
    }
    for (unsigned i = 0, e = source.pattern.getNumParams(); i < e; ++i)
      source.arguments.push_back(arguments[source.pattern.getParamName(i)]);
    sources.push_back(std::move(source));
  }
  return sources;
}

/// Why an attention cannot be a source of another one; empty if it can.
StringRef findObstacle(attn::AttentionOp attention, ArrayRef<Source> sources) {
  if (!attention.getMore().empty())
    return "it has further outputs";
  if (!attention.getO().hasOneUse() || !attention.getLse().hasOneUse())
    return "its results are used elsewhere too";
  for (const Source &source : sources) {
    attn::PatternOp pattern = source.pattern;
    attn::NormalizerAttr normalizer = pattern.getNormalization();
    if (normalizer.getKind() != attn::NormalizerKind::Softmax ||
        normalizer.getSink())
      return "its normaliser is not a plain softmax";
    if (pattern.hasGrid())
      return "it has a token grid";
  }
  return {};
}

/// Whether one launch can compute both.
bool agree(attn::AttentionOp x, attn::AttentionOp y) {
  return x.getQ() == y.getQ() && x.getScale() == y.getScale() &&
         x.getOrigin() == y.getOrigin() &&
         x.getScheduleAttr() == y.getScheduleAttr();
}

class Fusion {
public:
  explicit Fusion(attn::MergeOp merge)
      : merge(merge), symbolTable(SymbolTable::getNearestSymbolTable(merge)),
        builder(merge) {}

  void run();

private:
  void sort();
  /// One attention for all of a group.
  void fuse(Group &group);
  /// Gives parameters of one name but different values names of their own.
  void separateParams(MutableArrayRef<Source> sources);
  FlatSymbolRefAttr combine(ArrayRef<Source> sources);

  attn::MergeOp merge;
  SymbolTable symbolTable;
  OpBuilder builder;
  SmallVector<Group> groups;
  /// Parts that stay as they are.
  SmallVector<Value> o, lse;
};

void Fusion::sort() {
  for (auto [number, o, lse] :
       llvm::enumerate(merge.getPartO(), merge.getPartLse())) {
    StringRef obstacle = "it is no 'attn.attention'";
    SmallVector<Source> sources;
    auto attention = o.getDefiningOp<attn::AttentionOp>();
    if (attention && o == attention.getO() && lse == attention.getLse()) {
      sources = findSources(attention);
      obstacle = findObstacle(attention, sources);
    }
    if (!obstacle.empty()) {
      merge.emitRemark() << "part " << number << " stays apart: " << obstacle;
      this->o.push_back(o);
      this->lse.push_back(lse);
      continue;
    }
    auto *group = llvm::find_if(groups, [&](const Group &group) {
      return agree(group.attentions.front(), attention) &&
             group.sources.size() + sources.size() <= attn::kMaxSources;
    });
    if (group == groups.end())
      group = &groups.emplace_back();
    group->attentions.push_back(attention);
    llvm::append_range(group->sources, sources);
  }
  if (groups.size() > 1)
    merge.emitRemark() << "its attentions become " << groups.size()
                       << ": they differ in q, scale, origin or schedule, or "
                          "have more than "
                       << attn::kMaxSources << " sources";
}

void Fusion::separateParams(MutableArrayRef<Source> sources) {
  struct Known {
    Value value;
    TypedAttr byDefault;
  };
  llvm::StringMap<Known> known;
  for (Source &source : sources) {
    attn::PatternOp pattern = source.pattern;
    SmallVector<std::string> names;
    bool isRenamed = false;
    for (unsigned i = 0, e = pattern.getNumParams(); i < e; ++i) {
      StringRef name = pattern.getParamName(i);
      std::string unique = name.str();
      Known mine{source.arguments[i], pattern.getDefault(i)};
      auto clashes = [&] {
        auto it = known.find(unique);
        return it != known.end() && (it->second.value != mine.value ||
                                     it->second.byDefault != mine.byDefault);
      };
      auto isOfThisPattern = [&] {
        return llvm::is_contained(names, unique) ||
               (unique != name &&
                llvm::any_of(llvm::seq(e), [&](unsigned other) {
                  return pattern.getParamName(other) == unique;
                }));
      };
      for (unsigned suffix = 1; clashes() || isOfThisPattern(); ++suffix)
        unique = (name + "_" + Twine(suffix)).str();
      isRenamed |= unique != name;
      known.try_emplace(unique, mine);
      names.push_back(unique);
    }
    if (!isRenamed)
      continue;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(pattern);
    source.pattern = cast<attn::PatternOp>(builder.clone(*pattern));
    SmallVector<StringRef> refs(names.begin(), names.end());
    source.pattern.setParamNamesAttr(builder.getStrArrayAttr(refs));
    symbolTable.insert(source.pattern);
  }
}

FlatSymbolRefAttr Fusion::combine(ArrayRef<Source> sources) {
  SmallVector<Attribute> symbols;
  std::string name;
  for (const Source &source : sources) {
    attn::PatternOp pattern = source.pattern;
    symbols.push_back(FlatSymbolRefAttr::get(pattern.getSymNameAttr()));
    name += (name.empty() ? "" : "_and_") + pattern.getSymName().str();
  }
  ArrayAttr list = builder.getArrayAttr(symbols);
  for (auto known : symbolTable.getOp()->getRegion(0).getOps<attn::CombineOp>())
    if (known.getSources() == list)
      return FlatSymbolRefAttr::get(known.getSymNameAttr());
  OpBuilder::InsertionGuard guard(builder);
  Operation *last = sources.back().pattern;
  builder.setInsertionPointAfter(last);
  auto combined = attn::CombineOp::create(builder, merge.getLoc(), name, list);
  symbolTable.insert(combined);
  return FlatSymbolRefAttr::get(combined.getSymNameAttr());
}

void Fusion::fuse(Group &group) {
  attn::AttentionOp first = group.attentions.front();
  if (group.attentions.size() == 1 && (groups.size() > 1 || !o.empty())) {
    o.push_back(first.getO());
    lse.push_back(first.getLse());
    return;
  }
  separateParams(group.sources);
  FlatSymbolRefAttr symbol = group.sources.size() == 1 ? first.getPatternAttr()
                                                       : combine(group.sources);
  SmallVector<attn::PatternOp> patterns;
  SmallVector<Value> params, moreK, moreV;
  for (const Source &source : group.sources)
    patterns.push_back(source.pattern);
  for (const attn::UnitedParam &param : attn::uniteParams(patterns))
    params.push_back(group.sources[param.source].arguments[param.number]);
  for (const Source &source : llvm::drop_begin(group.sources)) {
    moreK.push_back(source.k);
    moreV.push_back(source.v);
  }
  auto fused = attn::AttentionOp::create(
      builder, merge.getLoc(),
      TypeRange{merge.getO().getType(), merge.getLse().getType()}, symbol,
      params, first.getQ(), group.sources.front().k, group.sources.front().v,
      first.getScale(), first.getOrigin(), moreK, moreV,
      /*outputs=*/nullptr, first.getScheduleAttr());
  o.push_back(fused.getO());
  lse.push_back(fused.getLse());
}

void Fusion::run() {
  sort();
  for (Group &group : groups)
    fuse(group);
  if (o.size() == 1 && o.front().getType() == merge.getO().getType() &&
      lse.front().getType() == merge.getLse().getType()) {
    merge.replaceAllUsesWith(ValueRange{o.front(), lse.front()});
  } else {
    auto rest =
        attn::MergeOp::create(builder, merge.getLoc(), merge.getO().getType(),
                              merge.getLse().getType(), o, lse);
    merge.replaceAllUsesWith(rest);
  }
  merge.erase();
  for (const Group &group : groups)
    for (attn::AttentionOp attention : group.attentions)
      if (isOpTriviallyDead(attention))
        attention.erase();
}

struct AttnFuseMerge : impl::AttnFuseMergeBase<AttnFuseMerge> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    attn::MergeOp::getCanonicalizationPatterns(owned, context);
    flattening = FrozenRewritePatternSet(std::move(owned));
    return success();
  }

  void runOnOperation() override {
    SmallVector<attn::MergeOp> merges;
    getOperation().walk([&](func::FuncOp function) {
      auto found = function.getOps<attn::MergeOp>();
      if (found.empty())
        return;
      if (failed(applyPatternsGreedily(function, flattening)))
        return signalPassFailure();
      llvm::append_range(merges, function.getOps<attn::MergeOp>());
    });
    for (attn::MergeOp merge : merges)
      Fusion(merge).run();
  }

  FrozenRewritePatternSet flattening;
};

} // namespace
} // namespace heddle
