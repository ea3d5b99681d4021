// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Transfer.h"

#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

/// Runs code for the rows of a thread that exist: their numbers among the
/// thread's statistics and their addresses.
static void
forEachRow(NvBuilder &B, const FragmentLayout &Of, const RowSource &Rows,
           llvm::function_ref<void(int64_t Stat, Value Address)> Body) {
  for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
    Value Position = Rows.Position(B, Of.rowOfStat(B, Stat));
    B.branch(Rows.exists(B, Position),
             [&] { Body(Stat, Rows.row(B, Position)); });
  }
}

namespace {

/// The store of a tile's row.
struct RowStore {
  NvBuilder &B;
  const Fragment &X;
  const RowSource &To;
  /// Whether pairs of elements are at multiples of their size.
  bool InPairs;

  void emitOne(int64_t Register, Value Row) {
    FragmentLayout Of = X.Of;
    Value Column = Of.column(B, Register);
    auto Store = [&] {
      B.store(B.round(X.Regs[Register], To.Element),
              B.offset(Row, Column, To.Element));
    };
    // Columns of a block beyond the last feature belong to some lanes only.
    if (roundUp(Of.at(Register, 0, 0).Column + 1, 8) <= To.Features)
      Store();
    else
      B.branch(B.cmp(CmpIPredicate::slt, Column, To.Features), Store);
  }

  /// Registers `Register` and the next one, neighbours in a row.
  void emitPair(int64_t Register, Value Row) {
    int64_t First = X.Of.at(Register, 0, 0).Column / 8 * 8;
    if (!InPairs || First + 8 > To.Features) {
      emitOne(Register, Row);
      emitOne(Register + 1, Row);
      return;
    }
    Value At = B.offset(Row, X.Of.column(B, Register), To.Element);
    Value Low = X.Regs[Register], High = X.Regs[Register + 1];
    if (!To.Element.isF32()) {
      B.store(B.pack(Low, High, To.Element), At);
      return;
    }
    Value Pair = LLVM::UndefOp::create(B, VectorType::get({2}, B.getF32Type()));
    Pair = LLVM::InsertElementOp::create(B, Pair, Low, B.i32(0));
    Pair = LLVM::InsertElementOp::create(B, Pair, High, B.i32(1));
    B.store(Pair, At);
  }

  void emit() {
    forEachRow(B, X.Of, To, [&](int64_t Stat, Value Row) {
      for (int64_t I = 0; I < X.Of.registers(); I += 2)
        if (X.Of.statOf(I) == Stat &&
            X.Of.at(I, 0, 0).Column / 8 * 8 < To.Features)
          emitPair(I, Row);
    });
  }
};

} // namespace

void heddle::nv::emitStoreRows(NvBuilder &B, const Fragment &X,
                               const RowSource &To) {
  B.branch(
      To.isAligned(B, 2 * byteWidth(To.Element)),
      [&] { RowStore{B, X, To, /*InPairs=*/true}.emit(); },
      [&] { RowStore{B, X, To, /*InPairs=*/false}.emit(); });
}

void heddle::nv::emitStoreStats(NvBuilder &B, const RowStats &X,
                                const FragmentLayout &Of, const RowSource &To) {
  // One lane of those that share a row.
  Value Column = BlockLayout::accumulator().laneColumn(B);
  B.branch(B.cmp(CmpIPredicate::eq, Column, 0), [&] {
    forEachRow(B, Of, To, [&](int64_t Stat, Value Row) {
      B.store(B.round(X.Regs[Stat], To.Element), Row);
    });
  });
}

RowStats heddle::nv::emitLoadStats(NvBuilder &B, const FragmentLayout &Of,
                                   const RowSource &From, Value Missing) {
  RowStats Result;
  for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
    Value Position = From.Position(B, Of.rowOfStat(B, Stat));
    NvBuilder::Values Loaded = B.branch(
        From.exists(B, Position), {B.getF32Type()},
        [&]() -> NvBuilder::Values {
          return {B.widen(B.load(From.Element, From.row(B, Position)))};
        },
        [&]() -> NvBuilder::Values { return {Missing}; });
    Result.Regs.push_back(Loaded.front());
  }
  return Result;
}
