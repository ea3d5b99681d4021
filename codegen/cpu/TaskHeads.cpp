// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tasks of several query heads: a loop around the verbs of one, whose tiles lie
// in pieces of larger buffers. What stands outside of the loop, keys that were
// copied, bits, addresses, is made once for all heads.

#include "codegen/cpu/TileLowering.h"
#include "codegen/lanes/Structured.h"
#include "heddle/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

void TileLowering::lower(tile::NumHeadsOp Op) {
  Value Asked = argument(offsetof(heddle_args, heads), B.getI64Type());
  Value Group = arith::DivUIOp::create(B, viewShape(Op.getQ(), 1),
                                       viewShape(Op.getK(), 1));
  Value Before = arith::RemUIOp::create(B, scalarI64(Op.getH()), Group);
  Value Left = arith::SubIOp::create(B, Group, Before);
  Scalars.map(Op.getResult(), B.toIndex(B.min(Asked, Left)));
}

int64_t TileLowering::headBytes(RankedTensorType Type) {
  return static_cast<int64_t>(llvm::alignTo(tileBytes(B, Type), 64));
}

Buffer TileLowering::tileOfHead(Type Heads, const Buffer &All, Value Number) {
  const int64_t Bytes = headBytes(cast<tile::HeadsType>(Heads).getTile());
  Buffer Result = All;
  Result.Bytes = Bytes;
  Result.Base = B.offset(All.Base, B.mul(Number, Bytes), B.getI8Type());
  return Result;
}

void TileLowering::copyStored(Type Of, const Buffer &From, const Buffer &To) {
  auto Heads = dyn_cast<tile::HeadsType>(Of);
  if (!Heads)
    return copyBuffer(B, cast<RankedTensorType>(Of), From, To);
  if (From == To)
    return;
  for (int64_t I = 0; I < Heads.getCount(); ++I) {
    Buffer Source = tileOfHead(Of, From, B.i64(I));
    Buffer Target = tileOfHead(Of, To, B.i64(I));
    copyBuffer(B, Heads.getTile(), Source, Target);
  }
}

bool TileLowering::isReadByHeads(tile::LoadOp Op) {
  return llvm::all_of(Op.getTile().getUses(), [&](OpOperand &Use) {
    Operation *User = Use.getOwner();
    return isa<tile::EachHeadOp>(User->getParentOp()) &&
           isa<tile::ScoresOp, tile::AccumulateOp>(User) && !wantsLanes(Use);
  });
}

LogicalResult TileLowering::lower(tile::EachHeadOp Op) {
  SmallVector<Buffer> Results = takeOver(Op.getCarries(), Op);
  for (Value Result : Op.getResults().drop_front(Results.size()))
    Results.push_back(allocate(Result));
  LogicalResult Ok = success();
  size_t Mark = Scratch->open();
  Value First = scalarI64(Op.getH());
  emitLoop(
      B, B.i64(0), scalarI64(Op.getCount()), B.i64(1), {},
      [&](Value Number, ValueRange) -> Values {
        Scalars.map(Op.getHead(), B.toIndex(B.add(First, Number)));
        for (auto [Argument, Heads] :
             llvm::zip_equal(Op.getRead(), Op.getReads()))
          define(Argument, tileOfHead(Heads.getType(), stored(Heads), Number));
        SmallVector<Buffer> To;
        for (auto [Result, All] : llvm::zip_equal(Op.getResults(), Results))
          To.push_back(tileOfHead(Result.getType(), All, Number));
        for (auto [Argument, Buf] : llvm::zip(Op.getCarried(), To))
          define(Argument, Buf);
        Ok = lowerBlock(Op.getBody().front());
        if (succeeded(Ok))
          moveTiles(Op.getBody().front().getTerminator()->getOperands(), To);
        return {};
      });
  Scratch->close(Mark);
  bind(Op.getResults(), {}, Results);
  return Ok;
}
