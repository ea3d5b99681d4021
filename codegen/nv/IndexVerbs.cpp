// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Questions to run-time tables and sets, asked by the kernel's own arithmetic.

#include "codegen/nv/KernelCode.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

OperandMemory KernelCode::operands() {
  return OperandMemory(lanes(), &Functions, OperandMemory::Fields::Here);
}

void KernelCode::lower(attn::AtOp Op) {
  Value Table = scalar(Op.getTable());
  Values Indices = scalarsI64(Op.getIndices());
  OperandMemory Memory = operands();
  Scalars.map(Op.getResult(), Op.getType().isIndex()
                                  ? B.toIndex(Memory.integer(Table, Indices))
                                  : Memory.real(Table, Indices));
}

void KernelCode::lower(attn::SpanOp Op) {
  Values Indices = scalarsI64(Op.getIndices());
  Value First = scalarI64(Op.getFirst()), Last = scalarI64(Op.getLast());
  attn::IndexAccess::Span Span =
      operands().span(scalar(Op.getTable()), Indices, First, Last);
  Scalars.map(Op.getLo(), B.toIndex(Span.lo));
  Scalars.map(Op.getHi(), B.toIndex(Span.hi));
}

void KernelCode::lower(attn::SeekOp Op) {
  Values Indices = scalarsI64(Op.getIndices());
  Value From = scalarI64(Op.getFrom());
  Value Lo = scalarI64(Op.getLo()), Hi = scalarI64(Op.getHi());
  Scalars.map(Op.getPosition(),
              B.toIndex(operands().seek(scalar(Op.getTable()), Indices, From,
                                        Lo, Hi, Op.getOutside())));
}

void KernelCode::lower(attn::ProbeOp Op) {
  Values Indices = scalarsI64(Op.getIndices());
  Value First = scalarI64(Op.getFirst()), Last = scalarI64(Op.getLast());
  Value Lo = scalarI64(Op.getLo()), Hi = scalarI64(Op.getHi());
  attn::IndexAccess::Probe Probe =
      operands().probe(scalar(Op.getSet()), Indices, First, Last, Lo, Hi);
  Scalars.map(Op.getSome(), Probe.some);
  Scalars.map(Op.getEvery(), Probe.every);
  Scalars.map(Op.getNext(), B.toIndex(Probe.next));
  Scalars.map(Op.getPrevious(), B.toIndex(Probe.previous));
}

void KernelCode::lower(attn::RankOp Op) {
  Values Indices = scalarsI64(Op.getIndices());
  Value X = scalarI64(Op.getValue());
  Scalars.map(Op.getResult(),
              B.toIndex(operands().rank(scalar(Op.getSet()), Indices, X)));
}

void KernelCode::lower(attn::MemberOp Op) {
  Values Indices = scalarsI64(Op.getIndices());
  Value Rank = scalarI64(Op.getRank());
  Scalars.map(Op.getMember(),
              B.toIndex(operands().member(scalar(Op.getSet()), Indices, Rank)));
}

void KernelCode::lower(attn::ExtentOp Op) {
  Value Operand = Op.getOperand();
  bool IsSet = isa<attn::SetType>(Operand.getType());
  Scalars.map(Op.getExtent(),
              B.toIndex(operands().extent(scalar(Operand), IsSet,
                                          static_cast<int64_t>(Op.getAxis()))));
}
