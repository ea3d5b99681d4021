// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/KeyLoop.h"

#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/IndexArithmetic.h"

using namespace heddle;
using namespace mlir;

using Body = function_ref<SmallVector<Value>(const KeyTile &, ValueRange)>;

/// The most rows of a list that a tile of queries is gathered for; each row is
/// a loop of its own, in which the queries of the other rows idle.
static constexpr int64_t kMaxRows = 4;

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

static bool isColumnAtom(attn::FormulaAttr formula) {
  return formula.getKind() == attn::FormulaKind::Member &&
         !formula.getNegated() && isa<attn::ListAttr>(formula.getSet()) &&
         formula.getForm() ==
             getAffineDimExpr(attn::DimK, formula.getContext());
}

/// True for an index `(q + …) floordiv c + …` that takes at most kMaxRows
/// values over a tile of queries, all else being the same for the whole tile.
static bool hasFewRows(AffineExpr index, int64_t queryTile) {
  AffineExpr varying;
  for (auto [leaf, coefficient] : attn::linearize(index).terms)
    if (attn::varies(leaf)) {
      if (varying || coefficient != 1)
        return false;
      varying = leaf;
    }
  auto quotient = dyn_cast<AffineBinaryOpExpr>(varying);
  if (!quotient || quotient.getKind() != AffineExprKind::FloorDiv)
    return false;
  for (auto [leaf, coefficient] : attn::linearize(quotient.getLHS()).terms)
    if (attn::varies(leaf) &&
        (coefficient != 1 ||
         leaf != getAffineDimExpr(attn::DimQ, leaf.getContext())))
      return false;
  int64_t divisor = cast<AffineConstantExpr>(quotient.getRHS()).getValue();
  return (queryTile - 1) / divisor + 2 <= kMaxRows;
}

/// The formula with `answer` in the place of the question to the list.
static attn::FormulaAttr answered(attn::FormulaAttr formula,
                                  attn::ListAttr list,
                                  attn::FormulaAttr answer) {
  MLIRContext *context = formula.getContext();
  if (isColumnAtom(formula) && formula.getSet() == list)
    return answer;
  SmallVector<attn::FormulaAttr> children;
  for (attn::FormulaAttr child : formula.getChildren())
    children.push_back(answered(child, list, answer));
  if (formula.getKind() == attn::FormulaKind::All)
    return attn::getAll(context, children);
  if (formula.getKind() == attn::FormulaKind::Any)
    return attn::getAny(context, children);
  return formula;
}

static std::optional<Columns> findColumns(attn::FormulaAttr atom,
                                          attn::FormulaAttr whole,
                                          int64_t queryTile) {
  for (attn::FormulaAttr child : atom.getChildren())
    if (std::optional<Columns> columns = findColumns(child, whole, queryTile))
      return columns;
  if (!isColumnAtom(atom))
    return std::nullopt;
  auto list = cast<attn::ListAttr>(atom.getSet());
  ArrayRef<AffineExpr> indices = list.getIndices();
  AffineExpr row;
  if (!indices.empty()) {
    if (llvm::any_of(indices.drop_back(), attn::varies))
      return std::nullopt;
    if (attn::varies(indices.back())) {
      row = indices.back();
      if (!hasFewRows(row, queryTile))
        return std::nullopt;
    }
  }
  MLIRContext *context = whole.getContext();
  return Columns{list, answered(whole, list, attn::getNever(context)),
                 answered(whole, list, attn::getAlways(context)), row};
}

/// True when the answer for a tile depends on where the question about a run of
/// tiles began: bounds on the elements of a tile may leave open what a search
/// for the next element has already ruled out. Then nobody could tell
/// afterwards which tiles a run has visited.
static bool readsAlongKeys(attn::FormulaAttr formula) {
  bool reads = false;
  attn::forEachExpr(formula, [&](AffineExpr expr) {
    expr.walk([&](AffineExpr part) {
      reads = reads || (attn::getRead(part) && attn::uses(part, attn::DimK));
    });
  });
  return reads;
}

std::optional<Columns> heddle::findColumns(attn::FormulaAttr formula,
                                           int64_t queryTile) {
  std::optional<Columns> columns = ::findColumns(formula, formula, queryTile);
  if (columns && readsAlongKeys(columns->rest))
    return std::nullopt;
  return columns;
}

//===----------------------------------------------------------------------===//
// Gathering
//===----------------------------------------------------------------------===//

namespace {
/// The loops over the columns of a list.
class GatherLoop {
public:
  GatherLoop(KernelFrame &frame, unsigned source, const QueryTile &queries,
             const Columns &columns, Body body)
      : frame(frame), b(frame.b), source(source), queries(queries),
        columns(columns), body(body),
        set(cast<TypedValue<attn::SetType>>(
            frame.sources[source].params[columns.list.getParam()])),
        numKeys(frame.sources[source].numKeys) {}

  SmallVector<Value> run(ValueRange state) {
    if (!columns.row)
      return gatherRow(Value(), state);
    // The index grows with the query, so its ends are at those of the tile.
    Value first = indexAt(columns.row, queries.first.front());
    Value last = indexAt(
        columns.row,
        arith::SubIOp::create(
            b, arith::AddIOp::create(b, queries.first.front(), queries.count),
            frame.constant(int64_t{1})));
    Value one = frame.constant(int64_t{1});
    auto rows = scf::ForOp::create(
        b, first, arith::AddIOp::create(b, last, one), one, state,
        [&](OpBuilder &, Location, Value row, ValueRange carried) {
          scf::YieldOp::create(b, gatherRow(row, carried));
        });
    return llvm::to_vector_of<Value>(rows.getResults());
  }

private:
  Value indexAt(AffineExpr expr, Value query) {
    attn::Coordinates at = frame.coordinates(source);
    at.q = {query};
    return emitExpr(b, expr, at);
  }

  /// Whether the columns in the tile at `key` are to be gathered, and the key
  /// of a later tile up to which that is so.
  struct Free {
    Value isFree, until;
  };
  Free askFor(Value key) {
    Value empty = frame.constantStatus(tile::Empty);
    attn::EmittedStatus most =
        frame.emitStatus(source, columns.most, queries, key);
    Free result{
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne, most.status, empty),
        most.until};
    if (columns.rest == attn::getNever(b.getContext()))
      return result;
    attn::EmittedStatus rest =
        frame.emitStatus(source, columns.rest, queries, key);
    Value isLeft =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rest.status, empty);
    return {arith::AndIOp::create(b, result.isFree, isLeft),
            arith::MinSIOp::create(b, result.until, rest.until)};
  }

  Value rankBelow(Value key) {
    return attn::RankOp::create(b, b.getIndexType(), set, indices, key);
  }

  /// The rank, from `cursor` on, of the first column to gather; the number of
  /// columns or more when there is none.
  Value skipOthers(Value cursor, Value count) {
    Type index = b.getIndexType();
    auto skip = scf::WhileOp::create(
        b, TypeRange{index, index}, ValueRange{cursor},
        [&](OpBuilder &, Location, ValueRange state) {
          Value at = state.front();
          // Behind the last column the answer does not matter.
          Value column = arith::MinSIOp::create(
              b, attn::MemberOp::create(b, index, at, set, indices), numKeys);
          Value width = frame.constant(frame.keyTile());
          Value key = arith::MulIOp::create(
              b, arith::DivUIOp::create(b, column, width), width);
          Free answer = askFor(key);
          Value isOther = arith::XOrIOp::create(
              b, answer.isFree,
              arith::ConstantOp::create(b, b.getBoolAttr(true)));
          Value more =
              arith::CmpIOp::create(b, arith::CmpIPredicate::slt, at, count);
          scf::ConditionOp::create(b, arith::AndIOp::create(b, more, isOther),
                                   ValueRange{at, answer.until});
        },
        [&](OpBuilder &, Location, ValueRange state) {
          scf::YieldOp::create(b, rankBelow(state.back()));
        });
    return skip.getResult(0);
  }

  /// All columns of one list. With `row`, for the queries that have that row.
  SmallVector<Value> gatherRow(Value row, ValueRange state) {
    indices.clear();
    for (AffineExpr index : columns.list.getIndices())
      indices.push_back(row && index == columns.row ? row
                                                    : indexAt(index, Value()));
    Value count = rankBelow(numKeys);
    SmallVector<Value> inits = {frame.constant(int64_t{0})};
    llvm::append_range(inits, state);
    auto loop = scf::WhileOp::create(
        b, ValueRange(inits).getTypes(), inits,
        [&](OpBuilder &, Location, ValueRange carried) {
          SmallVector<Value> next(carried);
          next.front() = skipOthers(carried.front(), count);
          Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                             next.front(), count);
          scf::ConditionOp::create(b, more, next);
        },
        [&](OpBuilder &, Location, ValueRange carried) {
          auto [tile, cursor] = collect(row, carried.front());
          SmallVector<Value> next = {cursor};
          llvm::append_range(next, body(tile, carried.drop_front()));
          scf::YieldOp::create(b, next);
        });
    return llvm::to_vector_of<Value>(loop.getResults().drop_front());
  }

  std::pair<KeyTile, Value> collect(Value row, Value cursor) {
    auto type = RankedTensorType::get({frame.keyTile()}, b.getIndexType());
    auto collect =
        tile::CollectOp::create(b, type, b.getIndexType(), set, indices, cursor,
                                numKeys, b.getI64IntegerAttr(frame.keyTile()));
    {
      OpBuilder::InsertionGuard guard(b);
      Block *block = b.createBlock(&collect.getBodyRegion(), {},
                                   b.getIndexType(), b.getLoc());
      Free answer = askFor(block->getArgument(0));
      tile::YieldOp::create(b, ValueRange{answer.isFree, answer.until});
    }
    KeyTile tile;
    tile.listed = tile.rows = collect.getPositions();
    tile.status = frame.constantStatus(tile::Partial);
    tile.formula = frame.spec.sources[source].formula;
    tile.params = frame.sources[source].params;
    if (row) {
      // One more parameter: the row that these columns belong to.
      AffineExpr symbol = getAffineSymbolExpr(
          attn::paramSymbol(tile.params.size()), b.getContext());
      tile.params.push_back(row);
      tile.formula =
          attn::getAll(b.getContext(),
                       {tile.formula,
                        attn::getBetween(columns.row, {symbol}, {symbol + 1})});
    }
    return {tile, collect.getNext()};
  }

  KernelFrame &frame;
  ImplicitLocOpBuilder &b;
  unsigned source;
  const QueryTile &queries;
  const Columns &columns;
  Body body;
  TypedValue<attn::SetType> set;
  Value numKeys;
  SmallVector<Value> indices; ///< Of the list at hand.
};
} // namespace

SmallVector<Value> heddle::forEachKeyTile(KernelFrame &frame, unsigned source,
                                          const QueryTile &queries,
                                          ValueRange inits, Body body) {
  const KernelSpec &spec = frame.spec;
  attn::FormulaAttr formula = spec.sources[source].formula;
  std::optional<Columns> columns;
  // Boxes and groups of keys cannot be listed one by one.
  if (!spec.hasGrid() &&
      spec.normalizer().getKind() != attn::NormalizerKind::Grouped)
    columns = findColumns(formula, frame.queryTile());
  attn::FormulaAttr contiguous = columns ? columns->rest : formula;
  SmallVector<Value> state(inits);
  if (contiguous != attn::getNever(frame.b.getContext()) || !columns) {
    auto loop = tile::ForeachOp::create(
        frame.b, frame.buildTiles(source, contiguous, queries),
        spec.first().getNumAxes(), state,
        [&](OpBuilder &, Location, ValueRange firstKey, Value status,
            ValueRange carried) {
          // Full for `contiguous` is full for the pattern.
          return body(frame.buildKeyTile(source, firstKey, status), carried);
        });
    state = llvm::to_vector_of<Value>(loop.getResults());
  }
  return columns ? GatherLoop(frame, source, queries, *columns, body).run(state)
                 : state;
}
