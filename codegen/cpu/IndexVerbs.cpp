// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Questions to run-time tables and sets, asked by the kernel's own arithmetic.

#include "codegen/cpu/TileLowering.h"
#include "codegen/lanes/IndexAccess.h"
#include "heddle/abi.h"

#include <cstddef>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

TileLowering::Values TileLowering::scalarsI64(ValueRange Operands) {
  Values Result;
  for (Value V : Operands)
    Result.push_back(scalarI64(V));
  return Result;
}

size_t TableFunctions::placeOf(IndexQuestion Question) {
  switch (Question) {
  case IndexQuestion::Span:
    return offsetof(heddle_index, span);
  case IndexQuestion::Seek:
    return offsetof(heddle_index, seek);
  case IndexQuestion::Probe:
    return offsetof(heddle_index, probe);
  case IndexQuestion::Rank:
    return offsetof(heddle_index, rank);
  case IndexQuestion::Member:
    return offsetof(heddle_index, member);
  }
  llvm_unreachable("covered switch");
}

Value TableFunctions::call(IndexQuestion Question, ArrayRef<Value> Arguments) {
  bool HasResult =
      Question != IndexQuestion::Span && Question != IndexQuestion::Probe;
  Value &Function = Known[placeOf(Question)];
  if (!Function) {
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointAfterValue(Table);
    Function = LLVM::LoadOp::create(
        B, B.ptrType(),
        B.offset(Table, static_cast<int64_t>(placeOf(Question)), B.getI8Type()),
        /*alignment=*/8, /*isVolatile=*/false, /*isNonTemporal=*/false,
        /*isInvariant=*/true);
  }
  Type Result = HasResult ? Type(B.getI64Type())
                          : Type(LLVM::LLVMVoidType::get(B.getContext()));
  auto FunctionType = LLVM::LLVMFunctionType::get(
      Result, llvm::to_vector(ValueRange(Arguments).getTypes()));
  SmallVector<Value> Operands{Function};
  llvm::append_range(Operands, Arguments);
  auto Call = LLVM::CallOp::create(B, FunctionType, Operands);
  return HasResult ? Call.getResult() : Value();
}

OperandMemory &TileLowering::operands() {
  if (!Operands) {
    Functions.emplace(B, IndexTable);
    Operands.emplace(B, &*Functions);
  }
  return *Operands;
}

void TileLowering::lower(attn::AtOp Op) {
  OperandMemory &Memory = operands();
  Value Table = scalar(Op.getTable());
  Values Indices = scalarsI64(Op.getIndices());
  Scalars.map(Op.getResult(), Op.getType().isIndex()
                                  ? B.toIndex(Memory.integer(Table, Indices))
                                  : Memory.real(Table, Indices));
}

void TileLowering::lower(attn::SpanOp Op) {
  attn::IndexAccess::Span Span =
      operands().span(scalar(Op.getTable()), scalarsI64(Op.getIndices()),
                      scalarI64(Op.getFirst()), scalarI64(Op.getLast()));
  Scalars.map(Op.getLo(), B.toIndex(Span.lo));
  Scalars.map(Op.getHi(), B.toIndex(Span.hi));
}

void TileLowering::lower(attn::SeekOp Op) {
  Value Found =
      operands().seek(scalar(Op.getTable()), scalarsI64(Op.getIndices()),
                      scalarI64(Op.getFrom()), scalarI64(Op.getLo()),
                      scalarI64(Op.getHi()), Op.getOutside());
  Scalars.map(Op.getPosition(), B.toIndex(Found));
}

void TileLowering::lower(attn::ProbeOp Op) {
  attn::IndexAccess::Probe Probe =
      operands().probe(scalar(Op.getSet()), scalarsI64(Op.getIndices()),
                       scalarI64(Op.getFirst()), scalarI64(Op.getLast()),
                       scalarI64(Op.getLo()), scalarI64(Op.getHi()));
  Scalars.map(Op.getSome(), Probe.some);
  Scalars.map(Op.getEvery(), Probe.every);
  Scalars.map(Op.getNext(), B.toIndex(Probe.next));
  Scalars.map(Op.getPrevious(), B.toIndex(Probe.previous));
}

void TileLowering::lower(attn::RankOp Op) {
  Value Rank = operands().rank(scalar(Op.getSet()), scalarsI64(Op.getIndices()),
                               scalarI64(Op.getValue()));
  Scalars.map(Op.getResult(), B.toIndex(Rank));
}

void TileLowering::lower(attn::MemberOp Op) {
  Value Member =
      operands().member(scalar(Op.getSet()), scalarsI64(Op.getIndices()),
                        scalarI64(Op.getRank()));
  Scalars.map(Op.getMember(), B.toIndex(Member));
}

void TileLowering::lower(attn::ExtentOp Op) {
  Value Operand = Op.getOperand();
  Value Extent =
      operands().extent(scalar(Operand), isa<attn::SetType>(Operand.getType()),
                        static_cast<int64_t>(Op.getAxis()));
  Scalars.map(Op.getExtent(), B.toIndex(Extent));
}
