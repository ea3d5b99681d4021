// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/ReadAhead.h"

#include "codegen/cpu/Machine.h"

using namespace heddle::cpu;
using namespace mlir;

static int64_t bytesOf(Type Element, int64_t Count) {
  return static_cast<int64_t>(Element.getIntOrFloatBitWidth()) / 8 * Count;
}

ReadAhead::ReadAhead(KernelBuilder &B, const StoredRows &Rows, int64_t Count,
                     int64_t Width, const RowsToCome &Next)
    : B(B), Rows(Rows), Next(Next), Count(Count),
      RowBytes(bytesOf(Rows.Element, Width)) {}

void ReadAhead::emitBytes(Value Address, int64_t Bytes) const {
  for (int64_t I = 0; I < Bytes; I += LineBytes)
    B.prefetch(B.offset(Address, I, B.getI8Type()), CacheLevel::First);
}

Value ReadAhead::rowFor(Value Row) const {
  if (Rows.AreCopies)
    return {};
  Value Later = B.add(Row, rowsInAdvance(RowBytes));
  Value Last = Rows.InRun ? B.add(Rows.InRun, -1) : B.i64(Count - 1);
  return Rows.row(B, B.min(Later, Last));
}

void ReadAhead::emit(Value Ahead, Value At, int64_t Number) const {
  int64_t Before = Number * B.lanes();
  int64_t Bytes = bytesOf(Rows.Element, B.lanes());
  // One vector of several has the line of all.
  if (Ahead && bytesOf(Rows.Element, Before) % LineBytes < Bytes)
    emitBytes(B.offset(Ahead, B.add(At, Before), Rows.Element), Bytes);
}

void ReadAhead::emitNext(Value Row) const {
  if (!Next.Rows.Base)
    return;
  Value Wanted = B.add(Row, Next.End - Count);
  Value IsWanted =
      arith::CmpIOp::create(B, arith::CmpIPredicate::sge, Wanted, Next.Begin);
  B.branch(IsWanted,
           [&] { emitBytes(Next.Rows.address(B, Wanted), Next.Rows.Bytes); });
}
