// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short queries: a second kernel whose rows are heads.
//
// A kernel takes a tile of queries of one head at a time. With one new query
// (decoding) the tile is one row and the rest idles, and every query head of a
// group loads the keys and values that the group shares. Those heads are rows
// like any others to everything below the pattern: they meet the same keys, and
// what differs between them is the pattern's `h`. So the pattern is rewritten,
// and nothing else. With four more parameters,
//
//   P'(b, h, r, k) = P(b, row_head + r, row_position, k)
//                    and key_begin <= k < key_end
//
// has the heads row_head, row_head + 1, … at one position for rows, and keeps a
// stretch of the keys, so that one row may be split among tasks. Whatever P
// asks by head becomes a question by row, which the algebra of Sets.h answers
// for a tile of rows as it does for queries; whatever P asks by query is
// uniform over the tile, as `h` was. Stretches of keys are interval atoms:
// tiles outside are empty, tiles inside as full as they were.
//
// The kernel of P' is one like all others. The runtime fills in the hidden
// parameters, shows it q with heads and queries exchanged (they are strides),
// and merges the stretches of a row, which is why partial results are f32. The
// kernel of a device exchanges them itself, and another merges.
//
// Not every clause is a matter of the pair alone: see `findPackingObstacle`.

#include "passes/PackHeads.h"
#include "codegen/Target.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/KernelSpec.h"
#include "passes/Passes.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNPACKHEADS
#include "passes/Passes.h.inc"

StringRef findPackingObstacle(ArrayRef<attn::PatternOp> patterns,
                              attn::OutputsAttr outputs) {
  if (patterns.size() != 1)
    return "it has several sources of keys";
  attn::PatternOp pattern = patterns.front();
  attn::NormalizerAttr normalizer = pattern.getNormalization();
  if (pattern.hasGrid())
    return "its queries are on a token grid";
  if (normalizer.getKind() == attn::NormalizerKind::Grouped)
    return "the group of its query decides how its keys count";
  if (outputs.hasColumns())
    return "it has outputs by columns";
  return {};
}

namespace {

constexpr StringLiteral kHiddenNames[kNumHiddenParams] = {
    "row_head", "row_position", "key_begin", "key_end"};

/// A name that no parameter has.
std::string freshName(attn::PatternOp pattern, StringRef name) {
  std::string fresh = name.str();
  auto isTaken = [&](Attribute known) {
    return cast<StringAttr>(known).getValue() == fresh;
  };
  while (llvm::any_of(pattern.getParamNames(), isTaken))
    fresh += '_';
  return fresh;
}

/// Adds the hidden parameters to a region of the pattern and puts what they
/// stand for in the place of the head and the query, the first of which are the
/// arguments before the last two, three. Returns the hidden parameters.
SmallVector<Value> exchangeRows(Region &region, unsigned numParams) {
  Block &block = region.front();
  Location loc = region.getLoc();
  OpBuilder b(region.getContext());
  SmallVector<Value> hidden;
  for (unsigned i = 0; i < kNumHiddenParams; ++i)
    hidden.push_back(
        block.insertArgument(numParams + i, b.getIndexType(), loc));
  // Coordinates come last: b, h, q, k.
  unsigned count = block.getNumArguments();
  Value head = block.getArgument(count - 3), row = block.getArgument(count - 2);
  row.replaceAllUsesWith(hidden[RowPosition]);
  if (!head.use_empty()) {
    b.setInsertionPointToStart(&block);
    Value sum = arith::AddIOp::create(b, loc, hidden[RowHead], row);
    head.replaceAllUsesWith(sum);
  }
  return hidden;
}

/// The pattern whose rows are heads, under a name of its own in `symbols`.
attn::PatternOp derive(attn::PatternOp pattern, SymbolTable &symbols) {
  auto derived = cast<attn::PatternOp>(pattern->clone());
  derived.setSymName((pattern.getSymName() + "_packed").str());
  symbols.insert(derived, std::next(pattern->getIterator()));

  OpBuilder b(derived.getContext());
  unsigned numParams = pattern.getNumParams();
  SmallVector<Attribute> names(pattern.getParamNames().getValue());
  SmallVector<Attribute> defaults(pattern.getParamDefaults().getValue());
  for (StringRef name : kHiddenNames) {
    names.push_back(b.getStringAttr(freshName(pattern, name)));
    defaults.push_back(b.getUnitAttr());
  }
  SmallVector<Value> hidden = exchangeRows(derived.getBody(), numParams);
  if (derived.hasScore())
    exchangeRows(derived.getScore(), numParams);
  derived.setParamNamesAttr(b.getArrayAttr(names));
  derived.setParamDefaultsAttr(b.getArrayAttr(defaults));
  derived.removeFormulaAttr();

  Block &body = derived.getBody().front();
  auto keep = cast<attn::KeepOp>(body.getTerminator());
  Location loc = keep.getLoc();
  Value key = body.getArguments().back();
  b.setInsertionPoint(keep);
  Value isBehind = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, key,
                                         hidden[KeyBegin]);
  Value isBefore = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, key,
                                         hidden[KeyEnd]);
  Value isInside = arith::AndIOp::create(b, loc, isBehind, isBefore);
  keep.getKeptMutable().assign(
      arith::AndIOp::create(b, loc, keep.getKept(), isInside));
  return derived;
}

struct AttnPackHeads : impl::AttnPackHeadsBase<AttnPackHeads> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    // One derived pattern serves the functions of all levels.
    DenseMap<Operation *, attn::PatternOp> derived;
    for (auto function :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!function->hasAttr(ShortQueriesAttr))
        continue;
      function->removeAttr(ShortQueriesAttr);
      auto attentions = function.getOps<attn::AttentionOp>();
      if (attentions.empty())
        continue;
      attn::AttentionOp attention = *attentions.begin();
      SmallVector<attn::PatternOp> patterns =
          findPatterns(attention, attention.getPatternAttr());
      assert(!patterns.empty() && "the operation is valid");
      if (StringRef obstacle =
              findPackingObstacle(patterns, attention.getRequestedOutputs());
          !obstacle.empty()) {
        attention.emitRemark()
            << "gets no code for short queries: " << obstacle;
        continue;
      }
      attn::PatternOp &packed = derived[patterns.front()];
      if (!packed)
        packed = derive(patterns.front(), symbols);
      addFunction(function, attention, packed, symbols);
    }
  }

  /// True where the level is that of a device, whose kernels know by themselves
  /// whether a row is whole.
  static bool isForDevice(func::FuncOp function) {
    auto level = function->getAttrOfType<StringAttr>(LevelAttr);
    const Target *target = level ? findTargetOfLevel(level) : nullptr;
    return target && target->isDevice();
  }

  /// A function that does under the derived pattern what `function` does. On
  /// the processor its o is f32: it may be a part of a row, which is rounded
  /// when it is whole.
  static void addFunction(func::FuncOp function, attn::AttentionOp attention,
                          attn::PatternOp packed, SymbolTable &symbols) {
    OpBuilder b(function.getContext());
    auto type = cast<RankedTensorType>(attention.getO().getType());
    auto partial = isForDevice(function)
                       ? type
                       : RankedTensorType::get(type.getShape(), b.getF32Type());
    SmallVector<Type> results(attention.getResultTypes());
    results.front() = partial;

    auto added = cast<func::FuncOp>(function->clone());
    added.setSymName((function.getSymName() + "_packed").str());
    symbols.insert(added, std::next(function->getIterator()));
    added->setAttr(PackedAttr, b.getUnitAttr());
    // It belongs to the kernel that `function` is code of.
    if (!function->hasAttr(KernelNameAttr))
      added->setAttr(KernelNameAttr, function.getSymNameAttr());
    Block &body = added.getBody().front();
    auto inner = *added.getOps<attn::AttentionOp>().begin();
    for (unsigned i = 0; i < kNumHiddenParams; ++i)
      inner.getParamsMutable().append(
          body.addArgument(b.getIndexType(), added.getLoc()));
    inner.setPattern(packed.getSymName());
    inner.removeScheduleAttr();
    inner.getO().setType(partial);
    added.setFunctionType(b.getFunctionType(body.getArgumentTypes(), results));
  }
};

} // namespace
} // namespace heddle
