// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/NvBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace heddle::nv;
using namespace mlir;

/// All lanes of a warp, as a mask.
static constexpr int64_t AllLanes = 0xffffffff;
/// Operand c of shfl.sync for the whole warp: the last lane, no segments.
static constexpr int64_t WholeWarp = 31;

int64_t heddle::nv::byteWidth(Type Element) {
  return Element.getIntOrFloatBitWidth() / 8;
}

NvBuilder::NvBuilder(Location Loc, Block *Entry, const Config &C)
    : CodeBuilder(Loc, Entry, /*CounterBits=*/32), C(C) {}

Type NvBuilder::ptrType(Space S) const {
  return LLVM::LLVMPointerType::get(context, static_cast<unsigned>(S));
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value NvBuilder::i1(bool V) { return constant(getBoolAttr(V)); }
Value NvBuilder::i32(int64_t V) {
  return constant(getI32IntegerAttr(static_cast<int32_t>(V)));
}

static Value toInteger(NvBuilder &B, Value X, unsigned Width) {
  Type To = B.getIntegerType(Width);
  if (X.getType() == To)
    return X;
  if (X.getType().isIndex())
    return arith::IndexCastOp::create(B, To, X);
  if (X.getType().getIntOrFloatBitWidth() > Width)
    return arith::TruncIOp::create(B, To, X);
  if (X.getType().isInteger(1))
    return arith::ExtUIOp::create(B, To, X);
  return arith::ExtSIOp::create(B, To, X);
}

Value NvBuilder::toI64(Value X) { return toInteger(*this, X, 64); }
Value NvBuilder::toI32(Value X) { return toInteger(*this, X, 32); }
Value NvBuilder::toIndex(Value X) {
  if (X.getType().isIndex())
    return X;
  return arith::IndexCastOp::create(*this, getIndexType(), X);
}
Value NvBuilder::toF32(Value X) {
  return arith::SIToFPOp::create(*this, getF32Type(), X);
}

Value NvBuilder::sub(Value X, Value Y) {
  return arith::SubIOp::create(*this, X, Y);
}
Value NvBuilder::div(Value X, int64_t Y) {
  return Y == 1 ? X : arith::DivUIOp::create(*this, X, like(X, Y)).getResult();
}
Value NvBuilder::rem(Value X, int64_t Y) {
  return arith::RemUIOp::create(*this, X, like(X, Y));
}
Value NvBuilder::max(Value X, Value Y) {
  return arith::MaxSIOp::create(*this, X, Y);
}
Value NvBuilder::bitAnd(Value X, Value Y) {
  return arith::AndIOp::create(*this, X, Y);
}
Value NvBuilder::bitAnd(Value X, int64_t Y) { return bitAnd(X, like(X, Y)); }
Value NvBuilder::bitOr(Value X, Value Y) {
  return arith::OrIOp::create(*this, X, Y);
}
Value NvBuilder::bitXor(Value X, Value Y) {
  return arith::XOrIOp::create(*this, X, Y);
}
Value NvBuilder::shl(Value X, int64_t Bits) {
  return Bits == 0 ? X
                   : arith::ShLIOp::create(*this, X, like(X, Bits)).getResult();
}
Value NvBuilder::shr(Value X, int64_t Bits) {
  return Bits == 0
             ? X
             : arith::ShRUIOp::create(*this, X, like(X, Bits)).getResult();
}
Value NvBuilder::cmp(arith::CmpIPredicate P, Value X, Value Y) {
  return arith::CmpIOp::create(*this, P, X, Y);
}
Value NvBuilder::cmp(arith::CmpIPredicate P, Value X, int64_t Y) {
  return cmp(P, X, like(X, Y));
}

Value NvBuilder::fma(Value X, Value Y, Value Z) {
  return LLVM::FMAOp::create(*this, X, Y, Z);
}
Value NvBuilder::fdiv(Value X, Value Y) {
  return arith::DivFOp::create(*this, X, Y);
}
Value NvBuilder::fmax(Value X, Value Y) {
  return LLVM::MaxNumOp::create(*this, X, Y);
}
static Value callIntrinsic(NvBuilder &B, StringRef Name, Value X) {
  return LLVM::CallIntrinsicOp::create(B, B.getF32Type(), B.getStringAttr(Name),
                                       ValueRange{X})
      .getResult(0);
}

Value NvBuilder::ex2(Value X) {
  return callIntrinsic(*this, "llvm.nvvm.ex2.approx.ftz.f32", X);
}
Value NvBuilder::lg2(Value X) {
  return callIntrinsic(*this, "llvm.nvvm.lg2.approx.ftz.f", X);
}

Value NvBuilder::bitcast(Value X, Type To) {
  return LLVM::BitcastOp::create(*this, To, X);
}
Value NvBuilder::widen(Value X) {
  if (X.getType().isF32())
    return X;
  return arith::ExtFOp::create(*this, getF32Type(), X);
}
Value NvBuilder::round(Value X, Type To) {
  if (X.getType() == To)
    return X;
  return arith::TruncFOp::create(*this, To, X);
}

Value NvBuilder::pack(Value Low, Value High, Type To) {
  Value Pair = LLVM::UndefOp::create(*this, VectorType::get({2}, getF32Type()));
  Pair = LLVM::InsertElementOp::create(*this, Pair, Low, i32(0));
  Pair = LLVM::InsertElementOp::create(*this, Pair, High, i32(1));
  Value Rounded =
      LLVM::FPTruncOp::create(*this, VectorType::get({2}, To), Pair);
  return bitcast(Rounded, getI32Type());
}

std::pair<Value, Value> NvBuilder::unpack(Value X, Type From) {
  Value Pair = bitcast(X, VectorType::get({2}, From));
  auto Half = [&](int64_t I) {
    return widen(LLVM::ExtractElementOp::create(*this, Pair, i32(I)));
  };
  Value Low = Half(0);
  return {Low, Half(1)};
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value NvBuilder::bytes(Value Base, Value Bytes) {
  return offset(Base, Bytes, getI8Type());
}
Value NvBuilder::bytes(Value Base, int64_t Bytes) {
  return offset(Base, Bytes, getI8Type());
}

Value NvBuilder::load(Type T, Value Pointer, unsigned Alignment) {
  return LLVM::LoadOp::create(*this, T, Pointer, Alignment);
}
Value NvBuilder::loadInvariant(Type T, Value Pointer) {
  return LLVM::LoadOp::create(*this, T, Pointer, /*alignment=*/0,
                              /*isVolatile=*/false, /*isNonTemporal=*/false,
                              /*isInvariant=*/true);
}
void NvBuilder::store(Value V, Value Pointer, unsigned Alignment) {
  LLVM::StoreOp::create(*this, V, Pointer, Alignment);
}
Value NvBuilder::address(Value Pointer) {
  return LLVM::PtrToIntOp::create(*this, getI64Type(), Pointer);
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Value NvBuilder::thread() {
  return inEntry(
      Thread, [&] { return NVVM::ThreadIdXOp::create(*this, getI32Type()); });
}

/// Made from the thread's number, right behind it.
template <typename Op>
static Value fromThread(NvBuilder &B, Value Thread, int64_t By) {
  OpBuilder::InsertionGuard Guard(B);
  B.setInsertionPointAfterValue(Thread);
  Value Constant = arith::ConstantOp::create(B, B.getI32IntegerAttr(By));
  return Op::create(B, Thread, Constant);
}

Value NvBuilder::warp() {
  if (!Warp)
    Warp = fromThread<arith::ShRUIOp>(*this, thread(), llvm::Log2_64(WarpSize));
  return Warp;
}

Value NvBuilder::lane() {
  if (!Lane)
    Lane = fromThread<arith::AndIOp>(*this, thread(), WarpSize - 1);
  return Lane;
}

Value NvBuilder::cta() {
  return inEntry(Cta,
                 [&] { return NVVM::BlockIdXOp::create(*this, getI32Type()); });
}

void NvBuilder::barrier() { NVVM::Barrier0Op::create(*this); }

Value NvBuilder::anyOfCta(Value Predicate) {
  Value Any = NVVM::BarrierOp::create(*this, getI32Type(), Value(), Value(),
                                      NVVM::BarrierReductionAttr::get(
                                          context, NVVM::BarrierReduction::OR),
                                      toI32(Predicate))
                  .getRes();
  return cmp(arith::CmpIPredicate::ne, Any, 0);
}

Value NvBuilder::anyOfWarp(Value Predicate) {
  return NVVM::VoteSyncOp::create(*this, getI1Type(), i32(AllLanes), Predicate,
                                  NVVM::VoteSyncKind::any);
}

static Value shuffleBy(NvBuilder &B, Value X, Value By, NVVM::ShflKind Kind) {
  return NVVM::ShflOp::create(B, X.getType(), B.i32(AllLanes), X, By,
                              B.i32(WholeWarp), Kind, UnitAttr());
}

Value NvBuilder::shuffleXor(Value X, int64_t Mask) {
  return shuffleBy(*this, X, i32(Mask), NVVM::ShflKind::bfly);
}
Value NvBuilder::shuffle(Value X, Value From) {
  return shuffleBy(*this, X, From, NVVM::ShflKind::idx);
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

NvBuilder::Values NvBuilder::branch(Value Condition, TypeRange Types,
                                    llvm::function_ref<Values()> Then,
                                    llvm::function_ref<Values()> Else) {
  auto If = scf::IfOp::create(*this, Types, Condition, /*withElseRegion=*/true);
  auto Fill = [&](Block *Into, llvm::function_ref<Values()> Code) {
    InsertionGuard Guard(*this);
    setInsertionPointToStart(Into);
    Values Results = Code();
    if (!Types.empty())
      scf::YieldOp::create(*this, Results);
  };
  Fill(If.thenBlock(), Then);
  Fill(If.elseBlock(), Else);
  return llvm::to_vector_of<Value>(If.getResults());
}
