// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/LaneBuilder.h"

#include "codegen/lanes/Structured.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace mlir;

LaneBuilder::LaneBuilder(Location Loc, Block *Entry, int64_t Lanes)
    : ImplicitLocOpBuilder(Loc, Loc.getContext()), Entry(Entry), Lanes(Lanes),
      Ptr(LLVM::LLVMPointerType::get(Loc.getContext())) {
  setInsertionPointToEnd(Entry);
}

Type LaneBuilder::ofLanes(Type Element) const {
  return Lanes == Scalars ? Element : Type(VectorType::get({Lanes}, Element));
}

Value LaneBuilder::constant(TypedAttr Attr) {
  Value &Known = Constants[Attr];
  if (!Known) {
    InsertionGuard Guard(*this);
    setInsertionPointToStart(Entry);
    Known = arith::ConstantOp::create(*this, Attr);
  }
  return Known;
}

Value LaneBuilder::i64(int64_t V) { return constant(getI64IntegerAttr(V)); }
Value LaneBuilder::f32(float V) { return constant(getF32FloatAttr(V)); }
Value LaneBuilder::splatConstant(TypedAttr Scalar) {
  if (auto Vector = dyn_cast<VectorType>(ofLanes(Scalar.getType())))
    return constant(DenseElementsAttr::get(Vector, Attribute(Scalar)));
  return constant(Scalar);
}

Value LaneBuilder::splat(float V) { return splatConstant(getF32FloatAttr(V)); }

Value LaneBuilder::splat(Value Scalar) {
  auto Vector = dyn_cast<VectorType>(ofLanes(Scalar.getType()));
  return Vector ? Value(vector::BroadcastOp::create(*this, Vector, Scalar))
                : Scalar;
}

Value LaneBuilder::toI64(Value Index) {
  if (!Index.getType().isIndex())
    return Index;
  return arith::IndexCastOp::create(*this, getI64Type(), Index);
}

Value LaneBuilder::toIndex(Value I64) {
  return arith::IndexCastOp::create(*this, getIndexType(), I64);
}

Value LaneBuilder::add(Value X, Value Y) {
  return arith::AddIOp::create(*this, X, Y);
}
Value LaneBuilder::add(Value X, int64_t Y) {
  return Y == 0 ? X : add(X, i64(Y));
}
Value LaneBuilder::mul(Value X, Value Y) {
  return arith::MulIOp::create(*this, X, Y);
}
Value LaneBuilder::mul(Value X, int64_t Y) {
  return Y == 1 ? X : mul(X, i64(Y));
}
Value LaneBuilder::min(Value X, Value Y) {
  return arith::MinSIOp::create(*this, X, Y);
}

Value LaneBuilder::fadd(Value X, Value Y) {
  return arith::AddFOp::create(*this, X, Y);
}
Value LaneBuilder::fsub(Value X, Value Y) {
  return arith::SubFOp::create(*this, X, Y);
}
Value LaneBuilder::fmul(Value X, Value Y) {
  return arith::MulFOp::create(*this, X, Y);
}
Value LaneBuilder::fma(Value X, Value Y, Value Z) {
  return LLVM::FMulAddOp::create(*this, X, Y, Z);
}
Value LaneBuilder::cmp(arith::CmpFPredicate P, Value X, Value Y) {
  return arith::CmpFOp::create(*this, P, X, Y);
}
Value LaneBuilder::select(Value C, Value X, Value Y) {
  return arith::SelectOp::create(*this, C, X, Y);
}

Value LaneBuilder::offset(Value Base, Value Elements, Type Element) {
  return LLVM::GEPOp::create(*this, Ptr, Element ? Element : getF32Type(), Base,
                             ValueRange{Elements});
}

Value LaneBuilder::offset(Value Base, int64_t Elements, Type Element) {
  if (Elements == 0)
    return Base;
  if (!llvm::isInt<31>(Elements))
    return offset(Base, i64(Elements), Element);
  return LLVM::GEPOp::create(
      *this, Ptr, Element ? Element : getF32Type(), Base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(Elements)});
}

Value LaneBuilder::loadScalar(Value Pointer, Type T) {
  return LLVM::LoadOp::create(*this, T ? T : getF32Type(), Pointer);
}

void LaneBuilder::storeScalar(Value V, Value Pointer) {
  LLVM::StoreOp::create(*this, V, Pointer);
}

LaneBuilder::Values LaneBuilder::loop(Value End, int64_t Step, ValueRange Inits,
                                      LoopBody Body) {
  return emitLoop(*this, i64(0), End, i64(Step), Inits, Body);
}

LaneBuilder::Values LaneBuilder::loop(int64_t End, int64_t Step,
                                      ValueRange Inits, LoopBody Body) {
  if (End <= 0)
    return llvm::to_vector(Inits);
  if (End <= Step)
    return Body(i64(0), Inits);
  return loop(i64(End), Step, Inits, Body);
}

void LaneBuilder::loop(int64_t End, int64_t Step,
                       llvm::function_ref<void(Value)> Body) {
  loop(End, Step, ValueRange(), [&](Value Index, ValueRange) {
    Body(Index);
    return Values();
  });
}

void LaneBuilder::loop(Value End, int64_t Step,
                       llvm::function_ref<void(Value)> Body) {
  loop(End, Step, ValueRange(), [&](Value Index, ValueRange) {
    Body(Index);
    return Values();
  });
}

void LaneBuilder::branch(Value Condition, llvm::function_ref<void()> Then,
                         llvm::function_ref<void()> Else) {
  emitBranch(*this, Condition, Then, Else);
}
