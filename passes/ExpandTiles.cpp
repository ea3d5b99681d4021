// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"
#include "dialect/attn/Emit.h"
#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/Passes.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNEXPANDTILES
#include "passes/Passes.h.inc"

namespace {

/// True if keys that are kept may lie behind others that are not, by the form
/// of the formula: not for a conjunction of intervals of keys.
bool hasGaps(attn::FormulaAttr formula) {
  switch (formula.getKind()) {
  case attn::FormulaKind::Never:
  case attn::FormulaKind::Always:
    return false;
  case attn::FormulaKind::All:
    return llvm::any_of(formula.getChildren(), hasGaps);
  case attn::FormulaKind::Any:
    return true;
  case attn::FormulaKind::Between:
    return llvm::any_of(
        attn::linearize(formula.getForm()).terms, [](const auto &term) {
          AffineExpr leaf = term.first;
          return attn::uses(leaf, attn::DimK) &&
                 leaf != getAffineDimExpr(attn::DimK, leaf.getContext());
        });
  case attn::FormulaKind::Member:
    return attn::uses(formula, attn::DimK);
  }
  llvm_unreachable("all kinds are above");
}

/// Rewrites one loop.
class Expander {
public:
  /// With `asksAhead` whoever takes the loops asks the memory for keys ahead.
  Expander(tile::ForeachOp loop, attn::TilesOp tiles, bool asksAhead)
      : asksAhead(asksAhead), loop(loop), tiles(tiles), b(loop.getLoc(), loop),
        access(tiles.getParams()), keyBox(tiles.getKeyBox()),
        queryBox(tiles.getQueryBox()) {
    if (keyBox.empty()) {
      queryBox = {static_cast<int64_t>(tiles.getQueryTile())};
      keyBox = {static_cast<int64_t>(tiles.getKeyTile())};
    }
    for (int64_t param : tiles.getKeyGrid())
      ends.push_back(tiles.getParams()[param]);
    if (ends.empty())
      ends.push_back(tiles.getNumKeys());
  }

  void run() {
    SmallVector<Value> results =
        buildAxis(0, llvm::to_vector_of<Value>(loop.getInits()));
    loop.replaceAllUsesWith(results);
    loop.erase();
  }

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  /// Outer axes are plain loops over the boxes, the innermost one is a loop
  /// over runs.
  SmallVector<Value> buildAxis(unsigned axis, SmallVector<Value> state) {
    if (axis + 1 == keyBox.size())
      return buildRuns(state);
    auto boxes = scf::ForOp::create(
        b, index(0), ends[axis], index(keyBox[axis]), state,
        [&](OpBuilder &, Location, Value key, ValueRange carried) {
          outer.push_back(key);
          scf::YieldOp::create(b, buildAxis(axis + 1, carried));
          outer.pop_back();
        });
    return llvm::to_vector_of<Value>(boxes.getResults());
  }

  SmallVector<Value> buildRuns(ValueRange state) {
    SmallVector<Value> inits = {index(0)};
    bool isAhead = wantsNextRun();
    if (isAhead)
      // Nothing up to the first key.
      llvm::append_range(inits,
                         ArrayRef<Value>{index(0), constant(tile::Empty)});
    llvm::append_range(inits, state);
    auto runs = scf::WhileOp::create(
        b, ValueRange(inits).getTypes(), inits,
        [&](OpBuilder &, Location, ValueRange state) {
          Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                             state.front(), ends.back());
          scf::ConditionOp::create(b, more, state);
        },
        [&](OpBuilder &, Location, ValueRange state) {
          if (isAhead)
            buildKnownRun(state);
          else
            buildRun(state.front(), state.drop_front());
        });
    return llvm::to_vector_of<Value>(
        runs.getResults().drop_front(isAhead ? 3 : 1));
  }

  /// True if the first keys of a run may lie behind others that nobody keeps,
  /// and are loaded: who knows of them in time can ask the memory for them.
  bool wantsNextRun() {
    return asksAhead && keyBox.size() == 1 && hasGaps(tiles.getFormula()) &&
           llvm::any_of(loop.getBodyRegion().getOps<tile::LoadOp>(),
                        [&](tile::LoadOp load) {
                          return load.getRow() == loop.getFirstKey().front();
                        });
  }

  Value constant(int32_t status) {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(status));
  }

  /// Asks for the run that starts at `key`.
  attn::EmittedStatus ask(Value key) {
    attn::Coordinates at;
    at.b = tiles.getB(), at.h = tiles.getH();
    llvm::append_range(at.q, tiles.getQ0());
    at.k = outer;
    at.k.push_back(key);
    at.numKeys = tiles.getNumKeys();
    for (Value param : tiles.getParams())
      at.params.push_back(param.getType().isIndex() ? param : Value());
    at.access = &access;
    return attn::emitStatus(b, b.getLoc(), tiles.getFormula(), at, queryBox,
                            keyBox);
  }

  /// Asks for the run that starts at `key` and covers it.
  void buildRun(Value key, ValueRange state) {
    attn::EmittedStatus answer = ask(key);
    SmallVector<Value> next = {answer.until};
    llvm::append_range(next, cover(key, answer, state));
    scf::YieldOp::create(b, next);
  }

  /// Covers the run that the state begins with, its first key, its end and its
  /// status, after the next one that keeps anything was found.
  void buildKnownRun(ValueRange state) {
    attn::EmittedStatus known{state[2], state[1]};
    Value key = state.front();
    Type index = b.getIndexType();
    auto search = scf::WhileOp::create(
        b, TypeRange{index, index, b.getI32Type()}, ValueRange{known.until},
        [&](OpBuilder &, Location, ValueRange from) {
          Value at = arith::MinSIOp::create(b, from.front(), ends.back());
          attn::EmittedStatus answer = ask(at);
          Value isEmpty =
              arith::CmpIOp::create(b, arith::CmpIPredicate::eq, answer.status,
                                    constant(tile::Empty));
          Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, at,
                                             ends.back());
          scf::ConditionOp::create(b, arith::AndIOp::create(b, isEmpty, more),
                                   ValueRange{at, answer.until, answer.status});
        },
        [&](OpBuilder &, Location, ValueRange found) {
          scf::YieldOp::create(b, found[1]);
        });
    SmallVector<Value> next = llvm::to_vector_of<Value>(search.getResults());
    llvm::append_range(next, cover(key, known, state.drop_front(3)));
    scf::YieldOp::create(b, next);
  }

  /// The loops over the tiles of a run.
  SmallVector<Value> cover(Value key, const attn::EmittedStatus &run,
                           ValueRange state) {
    Value end = arith::MinSIOp::create(b, run.until, ends.back());
    // Of the two counted loops at most one runs: the other one's end is its
    // start. No branch, and no third place where the state is merged.
    SmallVector<Value> current(state);
    for (int32_t status : {tile::Full, tile::Partial}) {
      Value is = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, run.status,
                                       constant(status));
      Value bodyEnd = arith::SelectOp::create(b, is, end, key);
      current = buildBody(key, bodyEnd, status, current);
    }
    return current;
  }

  /// A counted loop with a copy of the body for one status.
  SmallVector<Value> buildBody(Value from, Value to, int32_t status,
                               ValueRange state) {
    Block &source = loop.getBodyRegion().front();
    auto body = scf::ForOp::create(
        b, from, to, index(keyBox.back()), state,
        [&](OpBuilder &, Location, Value firstKey, ValueRange carried) {
          SmallVector<Value> key = outer;
          key.push_back(firstKey);
          IRMapping map;
          map.map(loop.getFirstKey(), key);
          map.map(loop.getStatus(),
                  arith::ConstantOp::create(b, b.getI32IntegerAttr(status)));
          map.map(loop.getCarried(), carried);
          for (Operation &op : source.without_terminator())
            b.clone(op, map);
          SmallVector<Value> yielded;
          for (Value value : source.getTerminator()->getOperands())
            yielded.push_back(map.lookupOrDefault(value));
          scf::YieldOp::create(b, yielded);
        });
    return llvm::to_vector_of<Value>(body.getResults());
  }

  bool asksAhead;
  tile::ForeachOp loop;
  attn::TilesOp tiles;
  ImplicitLocOpBuilder b;
  attn::OperandAccess access;
  /// Extents of a box of keys and of queries, and of the keys, per axis.
  SmallVector<int64_t> keyBox, queryBox;
  SmallVector<Value> ends;
  /// Where the loops over outer axes are.
  SmallVector<Value> outer;
};

/// How the target of a kernel takes its loops.
struct LoopUse {
  bool keepsLoops = false; ///< As they are.
  bool asksAhead = false;  ///< Asks the memory for keys of tiles to come.
};

LoopUse loopUse(func::FuncOp function) {
  auto entry = function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  auto kind = function->getAttrOfType<StringAttr>(tile::kKernelAttr);
  // Kernels with a state have short loops only.
  if (!entry || !kind || entry.getState() ||
      (kind != "task" && kind != "columns"))
    return {};
  const Target *target = findTargetOfLevel(entry.getLevel());
  bool keepsLoops = target && target->keepsTileLoops();
  return {keepsLoops, !keepsLoops && kind == "task"};
}

struct AttnExpandTiles : impl::AttnExpandTilesBase<AttnExpandTiles> {
  void runOnOperation() override {
    SmallVector<std::pair<tile::ForeachOp, bool>> loops;
    getOperation().walk([&](tile::ForeachOp loop) {
      auto function = loop->getParentOfType<func::FuncOp>();
      LoopUse use = function ? loopUse(function) : LoopUse();
      if (!use.keepsLoops)
        loops.emplace_back(loop, use.asksAhead);
    });
    for (auto [loop, asksAhead] : loops) {
      auto tiles = loop.getTiles().getDefiningOp<attn::TilesOp>();
      if (!tiles) {
        loop.emitOpError() << "expected tiles that come from 'attn.tiles'";
        return signalPassFailure();
      }
      Expander(loop, tiles, asksAhead).run();
      if (tiles->use_empty())
        tiles.erase();
    }
  }
};

} // namespace
} // namespace heddle
