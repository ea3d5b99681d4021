// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Fetches.h"

#include "codegen/cpu/Machine.h"
#include "codegen/lanes/Structured.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace heddle::cpu;
using namespace mlir;

/// Of the smallest pages.
static constexpr int64_t PageBytes = 4096;

static int64_t linesPerRow(const RowsAhead &Rows) {
  return llvm::divideCeil(Rows.Bytes, LineBytes);
}

Value RowsAhead::address(KernelBuilder &B, Value Row) const {
  Row = B.min(Row, Last ? Last : B.i64(Rows - 1));
  if (Addresses)
    return B.loadScalar(B.offset(Addresses, Row, B.ptrType()), B.ptrType());
  if (Positions)
    Row =
        B.loadScalar(B.offset(Positions, Row, B.getI64Type()), B.getI64Type());
  return B.offset(Base, B.mul(Row, Stride), B.getI8Type());
}

void RowsAhead::askForPages(KernelBuilder &B) const {
  if (!Base || Positions)
    return;
  Value Apart = arith::MaxSIOp::create(B, Stride, B.i64(1));
  Value PerPage = arith::DivUIOp::create(B, B.i64(PageBytes), Apart);
  // Rows with pages of their own are so many that they wait for memory.
  Value Share =
      arith::CmpIOp::create(B, arith::CmpIPredicate::sgt, PerPage, B.i64(1));
  emitLoop(B, B.i64(0), B.select(Share, B.i64(Rows), B.i64(0)),
           arith::MaxSIOp::create(B, PerPage, B.i64(1)), {},
           [&](Value Row, ValueRange) -> SmallVector<Value> {
             B.prefetch(address(B, Row));
             return {};
           });
}

Fetches::Fetches(KernelBuilder &B, const Product &P, Value FirstRow,
                 int64_t Rows)
    : B(B), P(P), Stripe(arith::DivUIOp::create(B, FirstRow, B.i64(Rows))),
      Stripes(llvm::divideCeil(P.Rows, Rows)) {
  // Into the first level, though it has no room for them all: what is asked for
  // by way of the second one alone is not always brought, when much is on its
  // way already.
  for (const RowsAhead &Rows : P.Later)
    Spread.push_back({Rows, Stripe, CacheLevel::First});
  if (P.Copied) {
    // Between the steps, as the copies are: a step has registers for no more
    // addresses.
    if (P.Ahead.Base)
      Spread.push_back({P.Ahead, Stripe});
    return;
  }
  if (P.Ahead.Base)
    Wanted.push_back({P.Ahead, Stripe});
  // Rows that all exist are copies, just made.
  if (P.ReduceOverRows || (!P.A.Last && !P.A.Addresses))
    return;
  RowsAhead Own;
  Own.Rows = P.Rows;
  Own.Bytes = P.Depth * 4;
  Own.Addresses = P.A.Addresses;
  if (!Own.Addresses) {
    Own.Base = P.A.Base;
    Own.Stride = B.mul(P.A.Stride, 4);
    Own.Last = P.A.Last;
  }
  Wanted.push_back({Own, B.add(Stripe, 1)});
}

void Fetches::emitLater(Value Number, int64_t Parts) {
  for (const Want &W : Spread) {
    const RowsAhead &Rows = W.Rows;
    int64_t PerRow = linesPerRow(Rows);
    int64_t Share = llvm::divideCeil(Rows.Rows * PerRow, Stripes * Parts);
    // Lines count over all rows; this many at a time are of one row, which has
    // one address.
    int64_t Together = std::gcd(Share, PerRow);
    Value First = B.mul(B.add(B.mul(W.Stripe, Parts), Number), Share);
    B.loop(Share, Together, [&](Value I) {
      Value Line = B.add(First, I);
      Value Row =
          Rows.address(B, arith::DivUIOp::create(B, Line, B.i64(PerRow)));
      Value Column = arith::RemUIOp::create(B, Line, B.i64(PerRow));
      Value At = B.offset(Row, B.mul(Column, LineBytes), B.getI8Type());
      for (int64_t J = 0; J < Together; ++J)
        B.prefetch(B.offset(At, J * LineBytes, B.getI8Type()), W.To);
    });
  }
}

void Fetches::emitAll() {
  for (const Want &W : Wanted) {
    int64_t Share = llvm::divideCeil(W.Rows.Rows, Stripes);
    Value First = B.mul(W.Stripe, Share);
    B.loop(Share, 1, [&](Value I) {
      Value Row = W.Rows.address(B, B.add(First, I));
      for (int64_t Line = 0; Line < linesPerRow(W.Rows); ++Line)
        B.prefetch(B.offset(Row, Line * LineBytes, B.getI8Type()));
    });
  }
}

void Fetches::emitPart(Value Step) {
  int64_t Unroll = std::min(B.shape().Unroll, P.Depth);
  for (const Want &W : Wanted) {
    int64_t PerRow = linesPerRow(W.Rows);
    int64_t Share = llvm::divideCeil(W.Rows.Rows * PerRow, Stripes);
    int64_t PerStep = llvm::divideCeil(Share, P.Depth / Unroll);
    // Lines count over all rows.
    Value First =
        B.add(B.mul(W.Stripe, Share),
              B.mul(arith::DivUIOp::create(B, Step, B.i64(Unroll)), PerStep));
    for (int64_t I = 0; I < PerStep; ++I) {
      Value Line = B.add(First, I);
      Value Row =
          W.Rows.address(B, arith::DivUIOp::create(B, Line, B.i64(PerRow)));
      Value Column = arith::RemUIOp::create(B, Line, B.i64(PerRow));
      B.prefetch(B.offset(Row, B.mul(Column, LineBytes), B.getI8Type()));
    }
  }
}
