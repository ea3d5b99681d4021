// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"
#include "dialect/attn/Emit.h"
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

/// Rewrites one loop.
class Expander {
public:
  Expander(tile::ForeachOp loop, attn::TilesOp tiles)
      : loop(loop), tiles(tiles), b(loop.getLoc(), loop),
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
    llvm::append_range(inits, state);
    auto runs = scf::WhileOp::create(
        b, ValueRange(inits).getTypes(), inits,
        [&](OpBuilder &, Location, ValueRange state) {
          Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                             state.front(), ends.back());
          scf::ConditionOp::create(b, more, state);
        },
        [&](OpBuilder &, Location, ValueRange state) {
          buildRun(state.front(), state.drop_front());
        });
    return llvm::to_vector_of<Value>(runs.getResults().drop_front());
  }

  /// Asks for the run that starts at `key` and covers it.
  void buildRun(Value key, ValueRange state) {
    attn::Coordinates at;
    at.b = tiles.getB(), at.h = tiles.getH();
    llvm::append_range(at.q, tiles.getQ0());
    at.k = outer;
    at.k.push_back(key);
    at.numKeys = tiles.getNumKeys();
    for (Value param : tiles.getParams())
      at.params.push_back(param.getType().isIndex() ? param : Value());
    at.access = &access;
    attn::EmittedStatus answer = attn::emitStatus(
        b, b.getLoc(), tiles.getFormula(), at, queryBox, keyBox);
    Value end = arith::MinSIOp::create(b, answer.until, ends.back());
    // Of the two counted loops at most one runs: the other one's end is its
    // start. No branch, and no third place where the state is merged.
    SmallVector<Value> current(state);
    for (int32_t status : {tile::Full, tile::Partial}) {
      Value is = arith::CmpIOp::create(
          b, arith::CmpIPredicate::eq, answer.status,
          arith::ConstantOp::create(b, b.getI32IntegerAttr(status)));
      Value bodyEnd = arith::SelectOp::create(b, is, end, key);
      current = buildBody(key, bodyEnd, status, current);
    }
    SmallVector<Value> next = {answer.until};
    llvm::append_range(next, current);
    scf::YieldOp::create(b, next);
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

/// The target of the kernel takes the loops as they are.
bool keepsLoops(func::FuncOp function) {
  auto entry = function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  auto kind = function->getAttrOfType<StringAttr>(tile::kKernelAttr);
  // Kernels with a state have short loops only.
  if (!entry || !kind || entry.getState() ||
      (kind != "task" && kind != "columns"))
    return false;
  const Target *target = findTargetOfLevel(entry.getLevel());
  return target && target->keepsTileLoops();
}

struct AttnExpandTiles : impl::AttnExpandTilesBase<AttnExpandTiles> {
  void runOnOperation() override {
    SmallVector<tile::ForeachOp> loops;
    getOperation().walk([&](tile::ForeachOp loop) {
      auto function = loop->getParentOfType<func::FuncOp>();
      if (!function || !keepsLoops(function))
        loops.push_back(loop);
    });
    for (tile::ForeachOp loop : loops) {
      auto tiles = loop.getTiles().getDefiningOp<attn::TilesOp>();
      if (!tiles) {
        loop.emitOpError() << "expected tiles that come from 'attn.tiles'";
        return signalPassFailure();
      }
      Expander(loop, tiles).run();
      if (tiles->use_empty())
        tiles.erase();
    }
  }
};

} // namespace
} // namespace heddle
