// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/MemoryTile.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <utility>

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

MemoryTile MemoryTile::transposed() const {
  MemoryTile Result = *this;
  std::swap(Result.Rows, Result.Columns);
  std::swap(Result.RowStride, Result.ColumnStride);
  return Result;
}

/// Takes the constant off a sum, or a number that is one (which becomes null).
static int64_t takeConstant(Value &X) {
  llvm::APInt Constant;
  if (auto Sum = X.getDefiningOp<arith::AddIOp>();
      Sum && matchPattern(Sum.getRhs(), m_ConstantInt(&Constant)))
    X = Sum.getLhs();
  else if (matchPattern(X, m_ConstantInt(&Constant)))
    X = Value();
  else
    return 0;
  return Constant.getSExtValue();
}

// Elements at constant distances have one address that is computed.
Value MemoryTile::address(NvBuilder &B, Value Row, Value Column) const {
  Value At;
  int64_t Beyond = 0;
  auto Go = [&](Value By, int64_t Stride) {
    Beyond += takeConstant(By) * Stride;
    if (!By)
      return;
    Value Further = B.mul(By, Stride);
    At = At ? B.add(At, Further) : Further;
  };
  if (Rows > 1)
    Go(Row, RowStride);
  if (Columns > 1)
    Go(Column, ColumnStride);
  return B.offset(At ? B.offset(Base, At) : Base, Beyond);
}

Value MemoryTile::load(NvBuilder &B, Value Row, Value Column) const {
  return B.load(B.getF32Type(), address(B, Row, Column));
}

void MemoryTile::store(NvBuilder &B, Value X, Value Row, Value Column) const {
  B.store(X, address(B, Row, Column));
}

/// Numbers from `First` on, which is below `Step`, in steps of `Step`, all
/// below `Count`, without the first `Done`.
static void forEachFrom(NvBuilder &B, Value First, int64_t Count, int64_t Step,
                        function_ref<void(Value)> Body, int64_t Done = 0) {
  if (Done > 0)
    First = B.add(First, Done);
  if (Count - Done > Step) {
    B.loop(First, B.i32(Count), Step, Body);
    return;
  }
  // A branch in any case: what is in it may become a function.
  Value Takes = Count - Done == Step ? B.i1(true)
                                     : B.cmp(CmpIPredicate::ult, First, Count);
  B.branch(Takes, [&] { Body(First); });
}

void heddle::nv::forEachOfThreads(NvBuilder &B, int64_t Count,
                                  function_ref<void(Value)> Body) {
  forEachFrom(B, B.thread(), Count, B.config().threads(), Body);
}

void heddle::nv::forEachOfWarps(NvBuilder &B, int64_t Count,
                                function_ref<void(Value)> Body) {
  forEachFrom(B, B.warp(), Count, B.config().Warps, Body);
}

void heddle::nv::forEachElement(NvBuilder &B, int64_t Rows, int64_t Columns,
                                bool ByRows, ElementBody Body) {
  const int64_t Inner = ByRows ? Rows : Columns;
  forEachOfThreads(B, Rows * Columns, [&](Value Number) {
    if (Rows == 1 || Columns == 1) {
      Rows == 1 ? Body(B.i32(0), Number) : Body(Number, B.i32(0));
      return;
    }
    Value Outer = B.div(Number, Inner), Rest = B.rem(Number, Inner);
    ByRows ? Body(Rest, Outer) : Body(Outer, Rest);
  });
}

void heddle::nv::forEachElement(NvBuilder &B, const MemoryTile &Tile,
                                ElementBody Body) {
  forEachElement(B, Tile.Rows, Tile.Columns, Tile.isTransposed(), Body);
}

//===----------------------------------------------------------------------===//
// Several elements at once
//===----------------------------------------------------------------------===//

/// Operations of an element that are few enough for several at once.
static constexpr int64_t FewOps = 40;

namespace {

/// The elements of a shape, by turns of a CTA's threads.
class ElementTurns {
public:
  ElementTurns(NvBuilder &B, int64_t Rows, int64_t Columns, bool ByRows,
               ElementValues Make, ElementStore Store)
      : B(B), Threads(B.config().threads()),
        AtOnce(B.config().ElementsTogether), Rows(Rows), Columns(Columns),
        ByRows(ByRows), Make(Make), Store(Store) {}

  void emit();

private:
  /// Row and column of an element, so many turns further.
  std::pair<Value, Value> place(Value Number, int64_t Turn) const;
  /// Elements of `Turns` turns from `Number` on; fewer where they take much.
  int64_t emitTurns(Value Number, int64_t Turns);

  NvBuilder &B;
  int64_t Threads, AtOnce, Rows, Columns;
  bool ByRows;
  ElementValues Make;
  ElementStore Store;
};

} // namespace

std::pair<Value, Value> ElementTurns::place(Value Number, int64_t Turn) const {
  const int64_t Further = Turn * Threads;
  if (Rows == 1 || Columns == 1) {
    Value At = B.add(Number, Further);
    return Rows == 1 ? std::pair(B.i32(0), At) : std::pair(At, B.i32(0));
  }
  const int64_t Inner = ByRows ? Rows : Columns;
  const bool IsStraight = Threads % Inner == 0;
  Value From = IsStraight ? Number : B.add(Number, Further);
  Value Outer = B.div(From, Inner), Rest = B.rem(From, Inner);
  if (IsStraight)
    Outer = B.add(Outer, Further / Inner);
  return ByRows ? std::pair(Rest, Outer) : std::pair(Outer, Rest);
}

/// True for code of few operations, from the first of `Block` on, without
/// loops and calls.
static bool isLight(Block &Block) {
  int64_t Count = 0;
  return !Block
              .walk([&](Operation *Op) {
                const bool IsLong =
                    isa<scf::ForOp, scf::WhileOp, CallOpInterface>(Op);
                return IsLong || ++Count > FewOps ? WalkResult::interrupt()
                                                  : WalkResult::advance();
              })
              .wasInterrupted();
}

int64_t ElementTurns::emitTurns(Value Number, int64_t Turns) {
  struct Element {
    std::pair<Value, Value> At;
    NvBuilder::Values Values;
  };
  SmallVector<Element> Elements;
  for (int64_t Turn = 0; Turn < Turns; ++Turn) {
    auto At = place(Number, Turn);
    Elements.push_back({At, Make(At.first, At.second)});
    if (Turn == 0 && Turns > 1 && !isLight(*B.getInsertionBlock()))
      Turns = 1;
  }
  for (const Element &E : Elements)
    Store(E.At.first, E.At.second, E.Values);
  return Turns;
}

void ElementTurns::emit() {
  const int64_t Count = Rows * Columns, Whole = Count / Threads;
  // As many at once as leave nothing over, if that is more than one.
  int64_t Turns = std::min(Whole, AtOnce);
  while (Turns > 2 && Whole % Turns != 0)
    --Turns;
  if (Turns > 1 && Whole % Turns != 0)
    Turns = std::min(Whole, AtOnce);
  int64_t Done = 0;
  if (Turns > 1) {
    auto For = scf::ForOp::create(B, B.thread(), B.i32(Count), B.i32(Threads));
    {
      OpBuilder::InsertionGuard Guard(B);
      B.setInsertionPointToStart(For.getBody());
      Turns = emitTurns(For.getInductionVar(), Turns);
    }
    if (Turns == 1)
      return;
    const int64_t Step = Turns * Threads;
    Done = Count / Step * Step;
    if (Done > Step) {
      For.getUpperBoundMutable().assign(B.i32(Done));
      For.getStepMutable().assign(B.i32(Step));
    } else {
      For.getInductionVar().replaceAllUsesWith(B.thread());
      For.getBody()->getTerminator()->erase();
      For->getBlock()->getOperations().splice(For->getIterator(),
                                              For.getBody()->getOperations());
      For.erase();
    }
  }
  if (Done < Count)
    forEachFrom(
        B, B.thread(), Count, Threads,
        [&](Value Number) { emitTurns(Number, 1); }, Done);
}

void heddle::nv::makeElements(NvBuilder &B, int64_t Rows, int64_t Columns,
                              bool ByRows, ElementValues Make,
                              ElementStore Store) {
  // A branch for what may become a function.
  B.branch(B.i1(true),
           [&] { ElementTurns(B, Rows, Columns, ByRows, Make, Store).emit(); });
}

void heddle::nv::makeElements(NvBuilder &B, ArrayRef<MemoryTile> To,
                              ElementValues Make) {
  const MemoryTile &First = To.front();
  makeElements(B, First.Rows, First.Columns, First.isTransposed(), Make,
               [&](Value Row, Value Column, ValueRange Made) {
                 for (auto [Tile, X] : llvm::zip_equal(To, Made))
                   Tile.store(B, X, Row, Column);
               });
}
