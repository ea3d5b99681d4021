// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/CodeBuilder.h"

#include "codegen/lanes/Structured.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace mlir;

CodeBuilder::CodeBuilder(Location Loc, Block *Entry, unsigned CounterBits)
    : ImplicitLocOpBuilder(Loc, Loc.getContext()), Entry(Entry),
      CounterBits(CounterBits) {
  setInsertionPointToEnd(Entry);
}

Value CodeBuilder::inEntry(Value &Known, llvm::function_ref<Value()> Make) {
  if (!Known) {
    InsertionGuard Guard(*this);
    setInsertionPointToStart(Entry);
    // Known may move while others are made.
    Value Made = Make();
    Known = Made;
  }
  return Known;
}

Value CodeBuilder::constant(TypedAttr Attr) {
  return inEntry(Constants[Attr],
                 [&] { return arith::ConstantOp::create(*this, Attr); });
}

Value CodeBuilder::i64(int64_t V) { return constant(getI64IntegerAttr(V)); }
Value CodeBuilder::f32(float V) { return constant(getF32FloatAttr(V)); }
Value CodeBuilder::like(Value Like, int64_t V) {
  return constant(getIntegerAttr(Like.getType(), V));
}
Value CodeBuilder::counter(int64_t V) {
  return constant(getIntegerAttr(getIntegerType(CounterBits), V));
}

Value CodeBuilder::add(Value X, Value Y) {
  return arith::AddIOp::create(*this, X, Y);
}
Value CodeBuilder::add(Value X, int64_t Y) {
  return Y == 0 ? X : add(X, like(X, Y));
}
Value CodeBuilder::mul(Value X, Value Y) {
  return arith::MulIOp::create(*this, X, Y);
}
Value CodeBuilder::mul(Value X, int64_t Y) {
  return Y == 1 ? X : mul(X, like(X, Y));
}
Value CodeBuilder::min(Value X, Value Y) {
  return arith::MinSIOp::create(*this, X, Y);
}

Value CodeBuilder::fadd(Value X, Value Y) {
  return arith::AddFOp::create(*this, X, Y);
}
Value CodeBuilder::fsub(Value X, Value Y) {
  return arith::SubFOp::create(*this, X, Y);
}
Value CodeBuilder::fmul(Value X, Value Y) {
  return arith::MulFOp::create(*this, X, Y);
}
Value CodeBuilder::cmp(arith::CmpFPredicate P, Value X, Value Y) {
  return arith::CmpFOp::create(*this, P, X, Y);
}
Value CodeBuilder::select(Value C, Value X, Value Y) {
  return arith::SelectOp::create(*this, C, X, Y);
}

Value CodeBuilder::offset(Value Base, Value Elements, Type Element) {
  return LLVM::GEPOp::create(*this, Base.getType(),
                             Element ? Element : getF32Type(), Base,
                             ValueRange{Elements});
}

Value CodeBuilder::offset(Value Base, int64_t Elements, Type Element) {
  if (Elements == 0)
    return Base;
  if (!llvm::isInt<31>(Elements))
    return offset(Base, i64(Elements), Element);
  return LLVM::GEPOp::create(
      *this, Base.getType(), Element ? Element : getF32Type(), Base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(Elements)});
}

CodeBuilder::Values CodeBuilder::loop(Value End, int64_t Step, ValueRange Inits,
                                      LoopBody Body) {
  return emitLoop(*this, like(End, 0), End, like(End, Step), Inits, Body);
}

CodeBuilder::Values CodeBuilder::loop(int64_t End, int64_t Step,
                                      ValueRange Inits, LoopBody Body) {
  if (End <= 0)
    return llvm::to_vector(Inits);
  if (End <= Step)
    return Body(counter(0), Inits);
  return loop(counter(End), Step, Inits, Body);
}

void CodeBuilder::loop(int64_t End, int64_t Step,
                       llvm::function_ref<void(Value)> Body) {
  loop(End, Step, ValueRange(), [&](Value Index, ValueRange) {
    Body(Index);
    return Values();
  });
}

void CodeBuilder::loop(Value End, int64_t Step,
                       llvm::function_ref<void(Value)> Body) {
  loop(like(End, 0), End, Step, Body);
}

void CodeBuilder::loop(Value Begin, Value End, int64_t Step,
                       llvm::function_ref<void(Value)> Body) {
  emitLoop(*this, Begin, End, like(End, Step), ValueRange(),
           [&](Value Index, ValueRange) {
             Body(Index);
             return Values();
           });
}

void CodeBuilder::branch(Value Condition, llvm::function_ref<void()> Then,
                         llvm::function_ref<void()> Else) {
  emitBranch(*this, Condition, Then, Else);
}
