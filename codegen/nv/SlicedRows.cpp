// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows that do not fit into shared memory as a whole (Schedules.h): their
// features come in slices, as products need them, and what has been added up so
// far stays in registers.

#include "codegen/nv/Copies.h"
#include "codegen/nv/TileLowering.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

SharedTile TileLowering::reserveSlice(tile::LoadOp Load, int64_t Features,
                                      bool &IsFree) {
  const SharedTile Whole = sharedTile(Load, Value());
  SharedTile Slice =
      SharedTile::get(Value(), Whole.Rows, Features, Whole.Element);
  const SharedMemory::Part Memory = Shared.reserve(Slice.bytes());
  Slice.Base = Shared.at(Memory.Offset);
  IsFree &= Memory.IsFree;
  return Slice;
}

void TileLowering::copySlice(const StagedRows &Rows, Value First,
                             int64_t Features, const SharedTile &To) {
  RowSource From = loadSource(Rows.Load);
  if (Rows.Turn) {
    emitRotatedCopy(B, From, To, rotation(Rows.Turn), First);
    return;
  }
  From.Base = B.offset(From.Base, First, From.Element);
  From.Features = Features;
  emitCopy(B, From, To);
}

Fragment TileLowering::slicedScores(const StagedRows &Queries,
                                    const StagedRows &Keys) {
  const int64_t Slice = B.config().Slice, Features = B.config().Qk;
  const FragmentLayout Of = layout(sharedTile(Keys.Load, Value()).Rows);
  auto Add = [&](Value First, int64_t Count, const Fragment &S) {
    bool IsFree = true;
    const SharedTile Q = reserveSlice(Queries.Load, Count, IsFree);
    const SharedTile K = reserveSlice(Keys.Load, Count, IsFree);
    // Somebody may still be at the slices before.
    if (!IsFree)
      Shared.barrier();
    copySlice(Queries, First, Count, Q);
    copySlice(Keys, First, Count, K);
    commitCopies(B);
    waitCopies(B, 0);
    Shared.barrier();
    return addScores(B, {Q, {}}, K, S);
  };
  Fragment S = fillFragment(B, Of, 0.0F);
  const int64_t Whole = Features / Slice * Slice;
  {
    const SharedMemory::Scope OfTurn(Shared, /*Repeated=*/true);
    S.Regs = B.loop(Whole, Slice, S.Regs, [&](Value First, ValueRange Carried) {
      return Add(First, Slice, {Of, llvm::to_vector(Carried)}).Regs;
    });
  }
  if (Whole < Features) {
    const SharedMemory::Scope OfRest(Shared);
    S = Add(B.i32(Whole), Features - Whole, S);
  }
  return S;
}

void TileLowering::forEachValueSlice(
    const StagedRows &Values, Fragment &O,
    function_ref<void(Fragment &, const SharedTile &)> Add) {
  if (!isSliced()) {
    Add(O, Values.Shared);
    return;
  }
  const int64_t Slice = B.config().Slice, Features = B.config().V;
  for (int64_t First = 0; First < Features; First += Slice) {
    const SharedMemory::Scope OfSlice(Shared);
    const int64_t Count = std::min(Slice, Features - First);
    bool IsFree = true;
    const SharedTile To = reserveSlice(Values.Load, Count, IsFree);
    if (!IsFree)
      Shared.barrier();
    copySlice(Values, B.i32(First), Count, To);
    commitCopies(B);
    waitCopies(B, 0);
    Shared.barrier();
    Fragment Part = fillFragment(B, layout(Count), 0.0F);
    // Registers of the whole by those of its columns.
    SmallVector<int64_t> Of;
    for (int64_t Row = 0; Row < Part.Of.rowBlocks(); ++Row)
      for (int64_t Block = 0; Block < Part.Of.columnBlocks(); ++Block)
        for (int64_t Element = 0; Element < 4; ++Element)
          Of.push_back(O.Of.registerOf(Row, First / 8 + Block, Element));
    for (auto [To, From] : llvm::zip_equal(Part.Regs, Of))
      To = O.Regs[From];
    Add(Part, To);
    for (auto [From, To] : llvm::zip_equal(Part.Regs, Of))
      O.Regs[To] = From;
  }
}
