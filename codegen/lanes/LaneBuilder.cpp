// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/LaneBuilder.h"

using namespace heddle;
using namespace mlir;

LaneBuilder::LaneBuilder(Location Loc, Block *Entry, int64_t Lanes)
    : CodeBuilder(Loc, Entry, /*CounterBits=*/64), Lanes(Lanes),
      Ptr(LLVM::LLVMPointerType::get(Loc.getContext())) {}

Type LaneBuilder::ofLanes(Type Element) const {
  return Lanes == Scalars ? Element : Type(VectorType::get({Lanes}, Element));
}

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

Value LaneBuilder::fma(Value X, Value Y, Value Z) {
  return LLVM::FMulAddOp::create(*this, X, Y, Z);
}

Value LaneBuilder::loadScalar(Value Pointer, Type T) {
  return LLVM::LoadOp::create(*this, T ? T : getF32Type(), Pointer);
}

void LaneBuilder::storeScalar(Value V, Value Pointer) {
  LLVM::StoreOp::create(*this, V, Pointer);
}
