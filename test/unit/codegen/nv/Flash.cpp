// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Flash.h"

#include "codegen/nv/Copies.h"
#include "codegen/nv/Products.h"
#include "codegen/nv/Softmax.h"
#include "codegen/nv/Transfer.h"

#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

nv::Config heddle::flashConfig(int64_t Qk, int64_t V, int64_t KeyTile,
                               int64_t Rows, int64_t Warps) {
  nv::Config C;
  C.Rows = Rows;
  C.Warps = Warps;
  C.QueryTile = Rows * Warps;
  C.KeyTile = KeyTile;
  C.Stages = 2;
  C.Qk = Qk;
  C.V = V;
  return C;
}

int64_t heddle::flashBytes(const nv::Config &C, llvm::StringRef Type) {
  int64_t Width = Type == "f32" ? 4 : 2;
  return Width * (C.QueryTile * roundUp(C.Qk, 16) +
                  2 * C.KeyTile * (roundUp(C.Qk, 16) + roundUp(C.V, 16)));
}

namespace {

/// Carried values as tiles and back.
struct State {
  Fragment O;
  RowStats M, L;

  NvBuilder::Values values() const {
    NvBuilder::Values All = O.Regs;
    All.append(M.Regs);
    All.append(L.Regs);
    return All;
  }
  State with(ValueRange All) const {
    State Result = *this;
    auto Take = [&](NvBuilder::Values &Regs) {
      for (Value &Reg : Regs) {
        Reg = All.front();
        All = All.drop_front();
      }
    };
    Take(Result.O.Regs);
    Take(Result.M.Regs);
    Take(Result.L.Regs);
    return Result;
  }
};

} // namespace

static void build(NvBuilder &B, Value Shared, ArrayRef<Value> A) {
  const nv::Config &C = B.config();
  Value NumQueries = A[9], NumKeys = A[10], Scale = A[11];
  auto Rows = [&](int64_t I, Value Stride, Value Length, int64_t Features) {
    return RowSource{C.Input, A[I], Stride, Length, {}, Features};
  };
  RowSource Q = Rows(0, A[5], NumQueries, C.Qk),
            K = Rows(1, A[6], NumKeys, C.Qk);
  RowSource V = Rows(2, A[7], NumKeys, C.V), O = Rows(3, A[8], NumQueries, C.V);
  RowSource Lse{B.getF32Type(), A[4], B.i64(1), NumQueries, {}, 1};
  Value FirstQuery = B.toI64(B.mul(B.cta(), C.QueryTile));
  Q.Position = O.Position = Lse.Position = RowSource::from(FirstQuery);
  Q.First = FirstQuery;

  SharedTile Queries = SharedTile::get(Shared, C.QueryTile, C.Qk, C.Input);
  SharedTile Keys = SharedTile::get(Value(), C.KeyTile, C.Qk, C.Input);
  SharedTile Values = SharedTile::get(Value(), C.KeyTile, C.V, C.Input);
  auto Slot = [&](Value Tile) {
    Value Stage = B.bitAnd(Tile, 1);
    Value Base = B.bytes(B.bytes(Shared, Queries.bytes()),
                         B.mul(Stage, Keys.bytes() + Values.bytes()));
    Keys.Base = Base;
    Values.Base = B.bytes(Base, Keys.bytes());
  };
  auto Fetch = [&](Value Tile) {
    Slot(Tile);
    K.First = V.First = B.toI64(B.mul(Tile, C.KeyTile));
    K.Position = V.Position = RowSource::from(K.First);
    emitCopy(B, K, Keys);
    emitCopy(B, V, Values);
  };

  Value Tiles = B.div(B.add(B.toI32(NumKeys), C.KeyTile - 1), C.KeyTile);
  emitCopy(B, Q, Queries);
  commitCopies(B);
  Fetch(B.i32(0));
  commitCopies(B);
  waitCopies(B, 1);
  B.barrier();
  QueryOperand Operand = loadQueryOperand(B, Queries);

  FragmentLayout Out = outputLayout(C, C.V);
  State Start{fillFragment(B, Out, 0.0F),
              fillStats(B, Out, B.f32(-std::numeric_limits<float>::infinity())),
              fillStats(B, Out, B.f32(0.0F))};
  NvBuilder::Values End =
      B.loop(Tiles, 1, Start.values(), [&](Value Tile, ValueRange Carried) {
        State Now = Start.with(Carried);
        waitCopies(B, 0);
        B.barrier();
        Value Next = B.add(Tile, 1);
        B.branch(B.cmp(arith::CmpIPredicate::slt, Next, Tiles),
                 [&] { Fetch(Next); });
        commitCopies(B);
        Slot(Tile);
        Fragment S = emitScores(B, Operand, Keys, Scale);
        Value FirstKey = B.mul(Tile, C.KeyTile);
        // Only the last tile can have keys that do not exist.
        Value Partial = B.cmp(arith::CmpIPredicate::sgt,
                              B.add(FirstKey, C.KeyTile), B.toI32(NumKeys));
        KeptBits Bits =
            packBits(B, makeElements(B, S.Of, [&](Value, Value Column) {
                       return B.cmp(arith::CmpIPredicate::slt,
                                    B.add(Column, FirstKey), B.toI32(NumKeys));
                     }));
        Bits.IsPartial = Partial;
        S = selectKept(B, S, Bits, -std::numeric_limits<float>::infinity());
        SoftmaxStep Step = emitSoftmaxStep(B, S, Now.M, Now.L);
        Now.O = rescale(B, Now.O, Step.Alpha);
        emitAccumulate(B, Now.O, Step.P, Values, WeightRange::AtMostOne);
        Now.M = Step.M;
        Now.L = Step.L;
        return Now.values();
      });
  State Last = Start.with(End);
  SoftmaxEnd Finished = emitFinish(B, Last.O, Last.M, Last.L);
  emitStoreRows(B, Finished.O, O);
  emitStoreStats(B, Finished.Lse, Out, Lse);
}

NvKernel heddle::makeFlash(const nv::Config &Config, llvm::StringRef Type) {
  constexpr auto P = NvArgument::Pointer, I = NvArgument::Integer;
  return {
      Config, Type, {P, P, P, P, P, I, I, I, I, I, I, NvArgument::Real}, build};
}
