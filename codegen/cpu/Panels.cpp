// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Panels.h"

#include "codegen/cpu/Convert.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

PanelShape::PanelShape(const Shape &S, const Product &P, int64_t StripeRows)
    : Lanes(S.Lanes) {
  if (!P.ReduceOverRows) {
    Rows = StripeRows;
    Length = Width = P.Depth;
    FewestColumns = 1;
    Vectors = S.vectors(Width);
    Stripes = 1;
    Panels = llvm::divideCeil(P.Rows, StripeRows);
    return;
  }
  // Whole vectors of whole stripes.
  Stripes = Lanes % StripeRows == 0 ? Lanes / StripeRows : 1;
  Vectors = S.vectors(StripeRows * Stripes);
  Rows = P.Depth;
  Length = FewestColumns = Vectors * Lanes;
  Width = P.Rows;
  Panels = llvm::divideCeil(P.Rows, StripeRows * Stripes);
}

int64_t PanelShape::wholeShare(int64_t AtLeast) const {
  int64_t Count = AtLeast;
  while (vectors() % Count != 0 ||
         (Vectors % Count != 0 && Count % Vectors != 0))
    ++Count;
  return Count;
}

Value PanelCopies::panelOf(Value FirstRow) {
  return arith::DivUIOp::create(B, FirstRow, B.i64(StripeRows * S.Stripes));
}

Value PanelCopies::copyOf(Value Panel) {
  Value Odd = arith::AndIOp::create(B, Panel, B.i64(1));
  return B.offset(P.Copied.Memory, B.mul(Odd, S.size()));
}

Value PanelCopies::firstColumn(Value Panel) {
  if (!P.ReduceOverRows)
    return B.i64(0);
  return B.min(B.mul(Panel, StripeRows * S.Stripes), B.i64(S.Width - S.Length));
}

Value PanelCopies::rowInMemory(Value Panel, Value Row) {
  const RowSource &From = P.Copied.From;
  if (!P.ReduceOverRows)
    Row = B.add(B.mul(Panel, S.Rows), Row);
  // Rows of which a product takes no notice, but which are read: any other.
  if (From.Positions) {
    int64_t Rows = P.ReduceOverRows ? P.Depth : P.Rows;
    Value Position = From.position(B, B.min(Row, B.i64(Rows - 1)));
    return From.row(B, B.select(From.exists(B, Position), Position, B.i64(0)));
  }
  return From.row(B, B.min(From.position(B, Row), B.add(From.Length, -1)));
}

void PanelCopies::emitVectors(Value Panel, Value First, int64_t Count) {
  Type Element = P.Copied.From.Element;
  Value Copy = copyOf(Panel);
  Value Column0 = firstColumn(Panel);
  Value FirstRow = arith::DivUIOp::create(B, First, B.i64(S.Vectors));
  Value FirstVector = arith::RemUIOp::create(B, First, B.i64(S.Vectors));
  for (int64_t I = 0; I < Count; I += S.Vectors) {
    Value Row = B.add(FirstRow, I / S.Vectors);
    Value From = B.offset(rowInMemory(Panel, Row), Column0, Element);
    Value To = B.offset(Copy, B.mul(Row, S.Length));
    for (int64_t J = 0; J < std::min(Count, S.Vectors); ++J) {
      Value Column = B.mul(B.add(FirstVector, J), S.Lanes);
      if (S.Length % S.Lanes != 0)
        Column = B.min(Column, B.i64(S.Length - S.Lanes));
      Value Wide =
          loadWidened(B, B.offset(From, Column, Element), Element, S.Lanes);
      storeNarrowed(B, Wide, B.offset(To, Column), B.getF32Type());
    }
  }
}

void PanelCopies::emitFirst(Value FirstRow) {
  int64_t Count = S.wholeShare(std::min<int64_t>(4, S.vectors()));
  Value Panel = panelOf(FirstRow);
  B.loop(S.vectors(), Count,
         [&](Value First) { emitVectors(Panel, First, Count); });
}

void PanelCopies::emitPart(Value FirstRow, Value Number, int64_t Parts) {
  int64_t Count =
      S.wholeShare(llvm::divideCeil(S.vectors(), Parts * S.Stripes));
  Value Stripe = arith::DivUIOp::create(B, FirstRow, B.i64(StripeRows));
  Value Inside = arith::RemUIOp::create(B, Stripe, B.i64(S.Stripes));
  Value First = B.mul(B.add(B.mul(Inside, Parts), Number), Count);
  Value Next = B.add(panelOf(FirstRow), 1);
  auto IsBelow = [&](Value X, Value Limit) {
    return arith::CmpIOp::create(B, arith::CmpIPredicate::ult, X, Limit);
  };
  Value Panels = P.RowSpan.End && P.Rows % StripeRows == 0
                     ? panelOf(P.RowSpan.End)
                     : B.i64(S.Panels);
  Value IsThere = arith::AndIOp::create(B, IsBelow(Next, Panels),
                                        IsBelow(First, B.i64(S.vectors())));
  B.branch(IsThere, [&] { emitVectors(Next, First, Count); });
}

RowView PanelCopies::view(Value FirstRow) {
  Value Panel = panelOf(FirstRow);
  Value Before = P.ReduceOverRows ? firstColumn(Panel)
                                  : B.mul(B.mul(Panel, S.Rows), S.Length);
  Value Base =
      B.offset(copyOf(Panel), arith::SubIOp::create(B, B.i64(0), Before));
  return {Base, P.Copied.Length, {}};
}

int64_t heddle::cpu::panelLength(const Shape &S, const Product &P) {
  return PanelShape(S, P, stripeRows(S, P)).Length;
}

int64_t heddle::cpu::panelElements(const Shape &S, const Product &P) {
  // Where a multiply-add is two instructions, a step leaves nothing idle.
  if (S.ProductScratch != 0 || P.Counting != Part::All)
    return 0;
  PanelShape Panels(S, P, stripeRows(S, P));
  return Panels.fits() ? 2 * Panels.size() : 0;
}
