// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/IndexAccess.h"

#include "codegen/lanes/Ramp.h"
#include "heddle/abi.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"

#include <cstddef>

using namespace heddle;
using namespace heddle;
using namespace mlir;
using arith::CmpIPredicate;

IndexFunctions::~IndexFunctions() = default;

static bool isVector(Value V) { return isa<VectorType>(V.getType()); }

/// Makes both operands vectors when one is.
static void unify(LaneBuilder &B, Value &X, Value &Y) {
  if (isVector(X) && !isVector(Y))
    Y = B.splat(Y);
  else if (isVector(Y) && !isVector(X))
    X = B.splat(X);
}

template <typename Op> static Value binary(LaneBuilder &B, Value X, Value Y) {
  unify(B, X, Y);
  return Op::create(B, X, Y);
}

static Value compare(LaneBuilder &B, CmpIPredicate P, Value X, Value Y) {
  unify(B, X, Y);
  return arith::CmpIOp::create(B, P, X, Y);
}

static Value select(LaneBuilder &B, Value C, Value X, Value Y) {
  unify(B, X, Y);
  unify(B, X, C);
  unify(B, Y, C);
  return B.select(C, X, Y);
}

static Value sum(LaneBuilder &B, Value X, Value Y) {
  return X ? binary<arith::AddIOp>(B, X, Y) : Y;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

OperandMemory::OperandMemory(LaneBuilder &B, IndexFunctions *Functions,
                             Fields Where)
    : B(B), Functions(Functions) {
  if (Where == Fields::AtPointer)
    return;
  FieldBlock = B.getInsertionBlock();
  if (B.getInsertionPoint() != FieldBlock->begin())
    FieldsAfter = &*std::prev(B.getInsertionPoint());
}

Value OperandMemory::field(Value Operand, size_t Offset, Type T) {
  Value &Field = Known[{Operand, Offset}];
  if (Field)
    return Field;
  OpBuilder::InsertionGuard Guard(B);
  if (!FieldBlock)
    B.setInsertionPointAfterValue(Operand);
  else if (FieldsAfter)
    B.setInsertionPointAfter(FieldsAfter);
  else
    B.setInsertionPointToStart(FieldBlock);
  // What is invariant would be taken for the same wherever it is read again,
  // and held until then.
  Field = LLVM::LoadOp::create(
      B, T ? T : B.getI64Type(),
      B.offset(Operand, static_cast<int64_t>(Offset), B.getI8Type()),
      /*alignment=*/8, /*isVolatile=*/false, /*isNonTemporal=*/false,
      /*isInvariant=*/!FieldBlock);
  return Field;
}

Value OperandMemory::tableField(Value Table, size_t Array, size_t Axis) {
  return field(Table, Array + Axis * sizeof(int64_t));
}

Value OperandMemory::clamp(Value Index, Value Extent) {
  // Zero comes last: an axis without elements has a first one to point at.
  Value Last = binary<arith::MinSIOp>(B, Index, B.add(Extent, -1));
  return binary<arith::MaxSIOp>(B, Last, B.i64(0));
}

Value OperandMemory::load(Value Base, Value Offset, Type Element) {
  unsigned Alignment = Element.getIntOrFloatBitWidth() / 8;
  if (!isVector(Offset))
    return LLVM::LoadOp::create(B, Element, B.offset(Base, Offset, Element),
                                Alignment, /*isVolatile=*/false,
                                /*isNonTemporal=*/false, /*isInvariant=*/true);
  Type Pointers = B.ofLanes(B.ptrType());
  Value Addresses = LLVM::GEPOp::create(B, Pointers, Element, Base, Offset);
  Value All = B.splatConstant(B.getBoolAttr(true));
  return LLVM::masked_gather::create(B, B.ofLanes(Element), Addresses, All,
                                     ValueRange(), Alignment);
}

Value OperandMemory::element(Value Table, Values Indices, Type Element) {
  // What is the same for all lanes goes into the base of a gather.
  Value Row, Lanes;
  for (auto [Axis, Index] : llvm::enumerate(Indices)) {
    Value Extent = tableField(Table, offsetof(heddle_table, shape), Axis);
    Value Stride = tableField(Table, offsetof(heddle_table, stride), Axis);
    Value Part = binary<arith::MulIOp>(B, clamp(Index, Extent), Stride);
    Value &Offset = isVector(Index) ? Lanes : Row;
    Offset = sum(B, Offset, Part);
  }
  Value Data = field(Table, offsetof(heddle_table, data), B.ptrType());
  if (!Lanes)
    return load(Data, Row ? Row : B.i64(0), Element);
  return load(Row ? B.offset(Data, Row, Element) : Data, Lanes, Element);
}

Value OperandMemory::integer(Value Table, Values Indices) {
  Value Narrow = element(Table, Indices, B.getI32Type());
  Type Wide = B.getI64Type();
  if (isVector(Narrow))
    Wide = B.ofLanes(Wide);
  return arith::ExtSIOp::create(B, Wide, Narrow);
}

Value OperandMemory::real(Value Table, Values Indices) {
  return element(Table, Indices, B.getF32Type());
}

Value OperandMemory::pyramidRow(Value Table, Values Leading) {
  Value Row = B.i64(0);
  for (auto [Axis, Index] : llvm::enumerate(Leading)) {
    Value Extent = tableField(Table, offsetof(heddle_table, shape), Axis);
    Value Stride =
        tableField(Table, offsetof(heddle_table, pyramid_stride), Axis);
    Row = B.add(Row, B.mul(clamp(Index, Extent), Stride));
  }
  return Row;
}

Value OperandMemory::setRow(Value Set, Values Indices) {
  Value Row;
  for (auto [Axis, Index] : llvm::enumerate(Indices)) {
    Value Extent = tableField(Set, offsetof(heddle_set, shape), Axis);
    Value Stride = tableField(Set, offsetof(heddle_set, stride), Axis);
    Row = sum(B, Row, binary<arith::MulIOp>(B, clamp(Index, Extent), Stride));
  }
  return Row ? Row : B.i64(0);
}

//===----------------------------------------------------------------------===//
// Membership
//===----------------------------------------------------------------------===//

Value OperandMemory::rowBits(Value Set, Value Row, Value From) {
  Value Words = field(Set, offsetof(heddle_set, words), B.ptrType());
  Value PerRow = field(Set, offsetof(heddle_set, words_per_row));
  Value Base = B.offset(Words, B.mul(Row, PerRow), B.getI64Type());
  // Words beyond the row are those of another one, or nobody's.
  auto Word = [&](Value Number) {
    Value Inside = arith::CmpIOp::create(B, CmpIPredicate::ult, Number, PerRow);
    Value Loaded =
        load(Base, B.select(Inside, Number, B.i64(0)), B.getI64Type());
    return B.select(Inside, Loaded, B.i64(0));
  };
  Value Number = arith::ShRSIOp::create(B, From, B.i64(6));
  // The shift counts modulo 64.
  return LLVM::FshrOp::create(B, Word(B.add(Number, 1)), Word(Number), From);
}

Value OperandMemory::consecutive(Value Set, Value Row, Value First,
                                 int64_t Step) {
  Value From = Step > 0 ? First : B.add(First, 1 - B.lanes());
  Value Bits = rowBits(Set, Row, From);
  auto Narrow = B.getIntegerType(B.lanes());
  if (Narrow != B.getI64Type())
    Bits = arith::TruncIOp::create(B, Narrow, Bits);
  if (Step < 0)
    Bits = LLVM::BitReverseOp::create(B, Bits);
  return LLVM::BitcastOp::create(B, B.ofLanes(B.getI1Type()), Bits);
}

Value OperandMemory::bitsFrom(Value Set, Values Indices, Value From) {
  return rowBits(Set, setRow(Set, Indices), From);
}

Value OperandMemory::contains(Value Set, Values Indices, Value X) {
  Value Row = setRow(Set, Indices);
  if (std::optional<int64_t> Step = rampStep(X);
      Step && std::abs(*Step) == 1 && !isVector(Row))
    return consecutive(Set, Row, rampStart(B, X), *Step);
  Value Inside =
      compare(B, CmpIPredicate::ult, X, field(Set, offsetof(heddle_set, size)));
  Value At = select(B, Inside, X, B.i64(0));
  Value PerRow = field(Set, offsetof(heddle_set, words_per_row));
  Value Number = binary<arith::ShRUIOp>(B, At, B.i64(6));
  Value Offset = sum(B, binary<arith::MulIOp>(B, Row, PerRow), Number);
  Value Words = field(Set, offsetof(heddle_set, words), B.ptrType());
  Value Word = load(Words, Offset, B.getI64Type());
  Value Bit =
      binary<arith::ShRUIOp>(B, Word, binary<arith::AndIOp>(B, At, B.i64(63)));
  Value One = binary<arith::AndIOp>(B, Bit, B.i64(1));
  return binary<arith::AndIOp>(B, Inside,
                               compare(B, CmpIPredicate::ne, One, B.i64(0)));
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Value OperandMemory::answers() {
  if (!Answers) {
    Value One = B.i64(1);
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointAfterValue(One);
    // One of an array, not four of its elements: those would stay in memory
    // where the functions become part of the kernel.
    auto Type = LLVM::LLVMArrayType::get(B.getI64Type(), 4);
    Answers = LLVM::AllocaOp::create(B, B.ptrType(), Type, One);
  }
  return Answers;
}

Value OperandMemory::answer(int64_t Number) {
  return B.loadScalar(B.offset(answers(), Number, B.getI64Type()),
                      B.getI64Type());
}

bool OperandMemory::isKnownHere(Value V) const {
  Operation *Made = V.getDefiningOp();
  if (!Made || Made->getBlock() != B.getInsertionBlock())
    return false;
  Block::iterator Here = B.getInsertionPoint();
  return Here == Made->getBlock()->end() || Made->isBeforeInBlock(&*Here);
}

attn::IndexAccess::Span OperandMemory::span(Value Table, Values Leading,
                                            Value First, Value Last) {
  AskedSpan Now{{Table, First, Last}, {}};
  llvm::append_range(Now.Question, Leading);
  for (const AskedSpan &Before : Spans)
    if (Before.Question == Now.Question && isKnownHere(Before.Answer.hi))
      return Before.Answer;
  Functions->call(IndexQuestion::Span,
                  {Table, pyramidRow(Table, Leading), First, Last, answers()});
  Now.Answer.lo = answer(0);
  Now.Answer.hi = answer(1);
  return Spans.emplace_back(std::move(Now)).Answer;
}

Value OperandMemory::seek(Value Table, Values Leading, Value From, Value Lo,
                          Value Hi, bool Outside) {
  return Functions->call(IndexQuestion::Seek,
                         {Table, pyramidRow(Table, Leading), From, Lo, Hi,
                          B.constant(B.getI32IntegerAttr(Outside))});
}

attn::IndexAccess::Probe OperandMemory::probe(Value Set, Values Leading,
                                              Value First, Value Last, Value Lo,
                                              Value Hi) {
  Value Row = setRow(Set, Leading);
  size_t Axis = Leading.size();
  Value Extent = tableField(Set, offsetof(heddle_set, shape), Axis);
  Value Step = tableField(Set, offsetof(heddle_set, stride), Axis);
  if (Leading.empty()) {
    // A set without indices has one row.
    Value Rank = field(Set, offsetof(heddle_set, rank), B.getI32Type());
    Value None = arith::CmpIOp::create(B, CmpIPredicate::eq, Rank,
                                       B.constant(B.getI32IntegerAttr(0)));
    Extent = B.select(None, B.i64(1), Extent);
    Step = B.select(None, B.i64(0), Step);
  }
  First = clamp(First, Extent);
  Last = B.min(arith::MaxSIOp::create(B, Last, First), B.add(Extent, -1));
  Value Count = B.add(arith::SubIOp::create(B, Last, First), 1);
  Functions->call(IndexQuestion::Probe, {Set, B.add(Row, B.mul(First, Step)),
                                         Step, Count, Lo, Hi, answers()});
  auto Truth = [&](int64_t Number) -> Value {
    return arith::CmpIOp::create(B, CmpIPredicate::ne, answer(Number),
                                 B.i64(0));
  };
  return {Truth(0), Truth(1), answer(2), answer(3)};
}

Value OperandMemory::rank(Value Set, Values Indices, Value X) {
  return Functions->call(IndexQuestion::Rank, {Set, setRow(Set, Indices), X});
}

Value OperandMemory::member(Value Set, Values Indices, Value Rank) {
  return Functions->call(IndexQuestion::Member,
                         {Set, setRow(Set, Indices), Rank});
}

Value OperandMemory::extent(Value Operand, bool IsSet, int64_t Axis) {
  size_t Shape =
      IsSet ? offsetof(heddle_set, shape) : offsetof(heddle_table, shape);
  return field(Operand, Shape + static_cast<size_t>(Axis) * sizeof(int64_t));
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

namespace {
/// Lets the kernel's builder build where another one stands.
class StandAt {
public:
  StandAt(LaneBuilder &B, OpBuilder &Where) : Guard(B) {
    B.restoreInsertionPoint(Where.saveInsertionPoint());
  }

private:
  OpBuilder::InsertionGuard Guard;
};
} // namespace

Value ParameterAccess::read(OpBuilder &Builder, Location, unsigned Param,
                            ArrayRef<Value> Indices) {
  StandAt Here(B, Builder);
  return Memory.integer(Params[Param], Indices);
}

Value ParameterAccess::contains(OpBuilder &Builder, Location, unsigned Param,
                                ArrayRef<Value> Indices, Value X) {
  StandAt Here(B, Builder);
  return Memory.contains(Params[Param], Indices, X);
}

Value ParameterAccess::bitsFrom(OpBuilder &Where, unsigned Param,
                                ArrayRef<Value> Indices, Value From) {
  StandAt Here(B, Where);
  return Memory.bitsFrom(Params[Param], Indices, From);
}

attn::IndexAccess::Span ParameterAccess::span(OpBuilder &Builder, Location,
                                              unsigned Param,
                                              ArrayRef<Value> Leading,
                                              Value First, Value Last) {
  StandAt Here(B, Builder);
  return Memory.span(Params[Param], Leading, First, Last);
}

Value ParameterAccess::seek(OpBuilder &Builder, Location, unsigned Param,
                            ArrayRef<Value> Leading, Value From, Value Lo,
                            Value Hi, bool Outside) {
  StandAt Here(B, Builder);
  return Memory.seek(Params[Param], Leading, From, Lo, Hi, Outside);
}

attn::IndexAccess::Probe ParameterAccess::probe(OpBuilder &Builder, Location,
                                                unsigned Param,
                                                ArrayRef<Value> Leading,
                                                Value First, Value Last,
                                                Value Lo, Value Hi) {
  StandAt Here(B, Builder);
  return Memory.probe(Params[Param], Leading, First, Last, Lo, Hi);
}

//===----------------------------------------------------------------------===//
// Invariants
//===----------------------------------------------------------------------===//

static bool mayMove(Operation &Op) {
  if (Op.getNumRegions() != 0 || Op.hasTrait<OpTrait::IsTerminator>())
    return false;
  if (auto Load = dyn_cast<LLVM::LoadOp>(Op))
    return Load.getInvariant();
  return isa<LLVM::masked_gather>(Op) || isMemoryEffectFree(&Op);
}

void heddle::moveInvariants(LaneBuilder &B) {
  Block::iterator Here = B.getInsertionPoint();
  if (Here == B.getInsertionBlock()->begin())
    return;
  auto Loop = dyn_cast<scf::ForOp>(*std::prev(Here));
  if (!Loop)
    return;
  Block *Body = Loop.getBody();
  for (Operation &Op : llvm::make_early_inc_range(*Body))
    if (mayMove(Op) && llvm::none_of(Op.getOperands(), [&](Value V) {
          return V.getParentBlock() == Body;
        }))
      Op.moveBefore(Loop);
}
