// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Emit.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
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
      : loop(loop), tiles(tiles), b(loop.getLoc(), loop) {}

  void run() {
    Value zero = arith::ConstantIndexOp::create(b, 0);
    SmallVector<Value> inits = {zero};
    llvm::append_range(inits, loop.getInits());
    auto runs = scf::WhileOp::create(
        b, ValueRange(inits).getTypes(), inits,
        [&](OpBuilder &nested, Location loc, ValueRange state) {
          Value more =
              arith::CmpIOp::create(nested, loc, arith::CmpIPredicate::slt,
                                    state.front(), tiles.getNumKeys());
          scf::ConditionOp::create(nested, loc, more, state);
        },
        [&](OpBuilder &nested, Location loc, ValueRange state) {
          ImplicitLocOpBuilder n(loc, nested);
          buildRun(n, state.front(), state.drop_front());
        });
    loop.replaceAllUsesWith(runs.getResults().drop_front());
    loop.erase();
  }

private:
  /// Asks for the run that starts at `key` and covers it.
  void buildRun(ImplicitLocOpBuilder &n, Value key, ValueRange state) {
    attn::Coordinates at{
        tiles.getB(),       tiles.getH(),
        tiles.getQ0(),      key,
        tiles.getNumKeys(), llvm::to_vector_of<Value>(tiles.getParams())};
    attn::EmittedStatus answer =
        attn::emitStatus(n, n.getLoc(), tiles.getFormula(), at,
                         tiles.getQueryTile(), tiles.getKeyTile());
    Value end = arith::MinSIOp::create(n, answer.until, tiles.getNumKeys());
    // Of the two counted loops at most one runs: the other one's end is its
    // start. No branch, and no third place where the state is merged.
    SmallVector<Value> current(state);
    for (int32_t status : {tile::Full, tile::Partial}) {
      Value is = arith::CmpIOp::create(
          n, arith::CmpIPredicate::eq, answer.status,
          arith::ConstantOp::create(n, n.getI32IntegerAttr(status)));
      Value bodyEnd = arith::SelectOp::create(n, is, end, key);
      current = buildBody(n, key, bodyEnd, status, current);
    }
    SmallVector<Value> next = {answer.until};
    llvm::append_range(next, current);
    scf::YieldOp::create(n, next);
  }

  /// A counted loop with a copy of the body for one status.
  SmallVector<Value> buildBody(ImplicitLocOpBuilder &n, Value from, Value to,
                               int32_t status, ValueRange state) {
    Value step = arith::ConstantIndexOp::create(n, tiles.getKeyTile());
    Block &source = loop.getBodyRegion().front();
    auto body = scf::ForOp::create(
        n, from, to, step, state,
        [&](OpBuilder &nested, Location loc, Value firstKey,
            ValueRange carried) {
          IRMapping map;
          map.map(loop.getFirstKey(), firstKey);
          map.map(loop.getStatus(),
                  arith::ConstantOp::create(nested, loc,
                                            nested.getI32IntegerAttr(status)));
          map.map(source.getArguments().drop_front(2), carried);
          for (Operation &op : source.without_terminator())
            nested.clone(op, map);
          SmallVector<Value> yielded;
          for (Value value : source.getTerminator()->getOperands())
            yielded.push_back(map.lookupOrDefault(value));
          scf::YieldOp::create(nested, loc, yielded);
        });
    return llvm::to_vector_of<Value>(body.getResults());
  }

  tile::ForeachOp loop;
  attn::TilesOp tiles;
  ImplicitLocOpBuilder b;
};

struct AttnExpandTiles : impl::AttnExpandTilesBase<AttnExpandTiles> {
  void runOnOperation() override {
    SmallVector<tile::ForeachOp> loops;
    getOperation().walk([&](tile::ForeachOp loop) { loops.push_back(loop); });
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
