// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/KernelBuilder.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

int64_t heddle::cpu::largestDivisor(int64_t N, int64_t Limit) {
  for (int64_t D = std::min(N, Limit); D > 1; --D)
    if (N % D == 0)
      return D;
  return 1;
}

KernelBuilder::KernelBuilder(Location Loc, Block *Entry, const Shape &S)
    : ImplicitLocOpBuilder(Loc, Loc.getContext()), Entry(Entry), S(S),
      Ptr(LLVM::LLVMPointerType::get(Loc.getContext())),
      Vector(VectorType::get({S.Lanes}, getF32Type())) {
  int64_t Bytes = S.Lanes * 4;
  VectorAlignment = std::min<int64_t>(64, Bytes & -Bytes);
  setInsertionPointToEnd(Entry);
}

Value KernelBuilder::constant(TypedAttr Attr) {
  Value &Known = Constants[Attr];
  if (!Known) {
    InsertionGuard Guard(*this);
    setInsertionPointToStart(Entry);
    Known = arith::ConstantOp::create(*this, Attr);
  }
  return Known;
}

Value KernelBuilder::i64(int64_t V) { return constant(getI64IntegerAttr(V)); }
Value KernelBuilder::f32(float V) { return constant(getF32FloatAttr(V)); }
Value KernelBuilder::splat(float V) {
  return constant(DenseElementsAttr::get(Vector, V));
}

Value KernelBuilder::splat(Value Scalar) {
  auto Type = VectorType::get({S.Lanes}, Scalar.getType());
  return vector::BroadcastOp::create(*this, Type, Scalar);
}

Value KernelBuilder::toI64(Value Index) {
  if (!Index.getType().isIndex())
    return Index;
  return arith::IndexCastOp::create(*this, getI64Type(), Index);
}

Value KernelBuilder::toIndex(Value I64) {
  return arith::IndexCastOp::create(*this, getIndexType(), I64);
}

Value KernelBuilder::add(Value X, Value Y) {
  return arith::AddIOp::create(*this, X, Y);
}
Value KernelBuilder::add(Value X, int64_t Y) {
  return Y == 0 ? X : add(X, i64(Y));
}
Value KernelBuilder::mul(Value X, Value Y) {
  return arith::MulIOp::create(*this, X, Y);
}
Value KernelBuilder::mul(Value X, int64_t Y) {
  return Y == 1 ? X : mul(X, i64(Y));
}
Value KernelBuilder::min(Value X, Value Y) {
  return arith::MinSIOp::create(*this, X, Y);
}

Value KernelBuilder::fadd(Value X, Value Y) {
  return arith::AddFOp::create(*this, X, Y);
}
Value KernelBuilder::fsub(Value X, Value Y) {
  return arith::SubFOp::create(*this, X, Y);
}
Value KernelBuilder::fmul(Value X, Value Y) {
  return arith::MulFOp::create(*this, X, Y);
}
Value KernelBuilder::fma(Value X, Value Y, Value Z) {
  return LLVM::FMulAddOp::create(*this, X, Y, Z);
}
Value KernelBuilder::cmp(arith::CmpFPredicate P, Value X, Value Y) {
  return arith::CmpFOp::create(*this, P, X, Y);
}
Value KernelBuilder::select(Value C, Value X, Value Y) {
  return arith::SelectOp::create(*this, C, X, Y);
}

Value KernelBuilder::offset(Value Base, Value Elements, Type Element) {
  return LLVM::GEPOp::create(*this, Ptr, Element ? Element : getF32Type(), Base,
                             ValueRange{Elements});
}

Value KernelBuilder::offset(Value Base, int64_t Elements, Type Element) {
  if (Elements == 0)
    return Base;
  if (!llvm::isInt<31>(Elements))
    return offset(Base, i64(Elements), Element);
  return LLVM::GEPOp::create(
      *this, Ptr, Element ? Element : getF32Type(), Base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(Elements)});
}

Value KernelBuilder::loadVector(Value Pointer) {
  return LLVM::LoadOp::create(*this, Vector, Pointer, VectorAlignment);
}

void KernelBuilder::storeVector(Value V, Value Pointer) {
  LLVM::StoreOp::create(*this, V, Pointer, VectorAlignment);
}

Value KernelBuilder::loadScalar(Value Pointer, Type T) {
  return LLVM::LoadOp::create(*this, T ? T : getF32Type(), Pointer);
}

void KernelBuilder::storeScalar(Value V, Value Pointer) {
  LLVM::StoreOp::create(*this, V, Pointer);
}

void KernelBuilder::prefetch(Value Pointer) {
  constexpr int32_t ForReading = 0, SecondLevel = 2, OfData = 1;
  LLVM::Prefetch::create(*this, Pointer, ForReading, SecondLevel, OfData);
}

KernelBuilder::Values KernelBuilder::loop(Value End, int64_t Step,
                                          ValueRange Inits, LoopBody Body) {
  auto For = scf::ForOp::create(
      *this, i64(0), End, i64(Step), Inits,
      [&](OpBuilder &Nested, Location, Value Index, ValueRange Carried) {
        InsertionGuard Guard(*this);
        restoreInsertionPoint(Nested.saveInsertionPoint());
        scf::YieldOp::create(*this, Body(Index, Carried));
      });
  return llvm::to_vector_of<Value>(For.getResults());
}

KernelBuilder::Values KernelBuilder::loop(int64_t End, int64_t Step,
                                          ValueRange Inits, LoopBody Body) {
  if (End <= 0)
    return llvm::to_vector(Inits);
  if (End <= Step)
    return Body(i64(0), Inits);
  return loop(i64(End), Step, Inits, Body);
}

void KernelBuilder::loop(int64_t End, int64_t Step,
                         llvm::function_ref<void(Value)> Body) {
  loop(End, Step, ValueRange(), [&](Value Index, ValueRange) {
    Body(Index);
    return Values();
  });
}

void KernelBuilder::loop(Value End, int64_t Step,
                         llvm::function_ref<void(Value)> Body) {
  loop(End, Step, ValueRange(), [&](Value Index, ValueRange) {
    Body(Index);
    return Values();
  });
}

void KernelBuilder::branch(Value Condition, llvm::function_ref<void()> Then,
                           llvm::function_ref<void()> Else) {
  auto Branch = [&](llvm::function_ref<void()> Code) {
    return [this, Code](OpBuilder &Nested, Location) {
      InsertionGuard Guard(*this);
      restoreInsertionPoint(Nested.saveInsertionPoint());
      Code();
      scf::YieldOp::create(*this);
    };
  };
  if (Else)
    scf::IfOp::create(*this, Condition, Branch(Then), Branch(Else));
  else
    scf::IfOp::create(*this, Condition, Branch(Then));
}
