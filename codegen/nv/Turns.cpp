// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Turns.h"

#include "codegen/lanes/Structured.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

/// `Count` turns from `From` on.
static NvBuilder::Values emitTurns(NvBuilder &B, Value From, int64_t Count,
                                   int64_t Step, ValueRange Before,
                                   TurnReads Reads, TurnBody Body) {
  SmallVector<Value> Numbers;
  SmallVector<NvBuilder::Values> Read;
  for (int64_t I = 0; I < Count; ++I) {
    Numbers.push_back(B.add(From, I * Step));
    Read.push_back(Reads(Numbers.back()));
  }
  NvBuilder::Values Carried(Before);
  for (auto [Number, Known] : llvm::zip_equal(Numbers, Read))
    Carried = Body(Number, Known, Carried);
  return Carried;
}

NvBuilder::Values heddle::nv::inTurns(NvBuilder &B, const Turns &T,
                                      int64_t Count, ValueRange Inits,
                                      TurnReads Reads, TurnBody Body) {
  const int64_t Whole = Count / T.Step;
  const int64_t InLoop = Whole / T.Together * T.Together;
  NvBuilder::Values Carried(Inits);
  auto Go = [&](Value From, int64_t Number) {
    Carried = emitTurns(B, From, Number, T.Step, Carried, Reads, Body);
  };
  if (InLoop > T.Together)
    Carried = emitLoop(
        B, T.First, B.i32(InLoop * T.Step), B.i32(T.Together * T.Step), Carried,
        [&](Value From, ValueRange Before) {
          return emitTurns(B, From, T.Together, T.Step, Before, Reads, Body);
        });
  else
    Go(T.First, InLoop);
  Go(B.add(T.First, InLoop * T.Step), Whole - InLoop);
  if (Whole * T.Step == Count)
    return Carried;
  Value Last = B.add(T.First, Whole * T.Step);
  NvBuilder::Values Before = Carried;
  SmallVector<Type> Types(ValueRange(Before).getTypes());
  return B.branch(
      B.cmp(CmpIPredicate::slt, Last, Count), Types,
      [&] {
        Go(Last, 1);
        return Carried;
      },
      [&] { return Before; });
}

NvBuilder::Values heddle::nv::inTurns(NvBuilder &B, Value Count,
                                      ValueRange Inits, TurnReads Reads,
                                      TurnBody Body) {
  constexpr int64_t Together = 4;
  Value Whole = B.bitAnd(Count, -Together);
  auto Loop = [&](Value From, Value To, int64_t Number, ValueRange Before) {
    return emitLoop(B, From, To, B.i32(Number), Before,
                    [&](Value First, ValueRange Carried) {
                      return emitTurns(B, First, Number, 1, Carried, Reads,
                                       Body);
                    });
  };
  return Loop(Whole, Count, 1, Loop(B.i32(0), Whole, Together, Inits));
}
