// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Transfer.h"

#include "codegen/cpu/Convert.h"
#include "heddle/abi.h"

#include <cstddef>

using namespace heddle::cpu;
using namespace mlir;

/// Vectors copied per iteration.
static constexpr int64_t CopiedAtOnce = 4;

/// Covers [0, Width) with vectors, wide ones first.
static void forEachStretch(KernelBuilder &B, int64_t Width,
                           function_ref<void(Value From, int64_t Count)> Body) {
  int64_t Vectors = Width / B.lanes();
  int64_t AtOnce = largestDivisor(Vectors, CopiedAtOnce) * B.lanes();
  int64_t Done = Vectors * B.lanes();
  B.loop(Done, AtOnce, [&](Value From) {
    for (int64_t I = 0; I < AtOnce; I += B.lanes())
      Body(B.add(From, I), B.lanes());
  });
  for (int64_t Count = B.lanes(); Done < Width; Count = (Count + 1) / 2)
    for (; Done + Count <= Width; Done += Count)
      Body(B.i64(Done), Count);
}

static Value tableField(KernelBuilder &B, Value Table, size_t Field, Type T) {
  return B.loadScalar(
      B.offset(Table, static_cast<int64_t>(Field), B.getI8Type()), T);
}

/// Row `Position` of a table, moved into it, as contiguous elements: those of
/// the table, or copies in `Copy`.
static Value factorRow(KernelBuilder &B, Value Table, Value Position,
                       int64_t Width, Value Copy) {
  auto Axis = [&](size_t Field, unsigned A) {
    return tableField(B, Table, Field + A * sizeof(int64_t), B.getI64Type());
  };
  Value Last = B.add(Axis(offsetof(heddle_table, shape), 0), -1);
  Value Row = arith::MaxSIOp::create(B, B.min(Position, Last), B.i64(0));
  Value Data = tableField(B, Table, offsetof(heddle_table, data), B.ptrType());
  Value From =
      B.offset(Data, B.mul(Row, Axis(offsetof(heddle_table, stride), 0)));
  Value Step = Axis(offsetof(heddle_table, stride), 1);
  Value Contiguous =
      arith::CmpIOp::create(B, arith::CmpIPredicate::eq, Step, B.i64(1));
  B.branch(
      Contiguous, [] {},
      [&] {
        B.loop(Width, 1, [&](Value I) {
          B.storeScalar(B.loadScalar(B.offset(From, B.mul(I, Step))),
                        B.offset(Copy, I));
        });
      });
  return B.select(Contiguous, From, Copy);
}

static void emitTurnedRow(KernelBuilder &B, const Staging &S, Value Number,
                          Value From, Value To) {
  Type F32 = B.getF32Type();
  const Rotation &Turn = S.Turn;
  int64_t Half = S.Shape.Width / 2;
  Value Position =
      Turn.Positions
          ? B.loadScalar(B.offset(Turn.Positions, Number, B.getI64Type()),
                         B.getI64Type())
      : Turn.IsSame ? Turn.First
                    : B.add(Turn.First, Number);
  Value Cos = factorRow(B, Turn.Cos, Position, Half, Turn.CosRow);
  Value Sin = factorRow(B, Turn.Sin, Position, Half, Turn.SinRow);
  forEachStretch(B, Half, [&](Value At, int64_t Count) {
    Value Upper = B.add(At, Half);
    auto Load = [&](Value Base, Value Offset, Type Element) {
      return loadWidened(B, B.offset(Base, Offset, Element), Element, Count);
    };
    Value X = Load(From, At, S.From.Element);
    Value Y = Load(From, Upper, S.From.Element);
    Value C = Load(Cos, At, F32);
    Value D = Load(Sin, At, F32);
    storeNarrowed(B, B.fsub(B.fmul(X, C), B.fmul(Y, D)), B.offset(To, At), F32);
    storeNarrowed(B, B.fadd(B.fmul(Y, C), B.fmul(X, D)), B.offset(To, Upper),
                  F32);
  });
}

void heddle::cpu::emitStage(KernelBuilder &B, const Staging &S) {
  Type F32 = B.getF32Type();
  B.loop(S.Shape.Rows, 1, [&](Value Number) {
    Value Position = S.From.position(B, Number);
    Value To = B.offset(S.To, B.mul(Number, S.Shape.Stride));
    B.branch(
        S.From.exists(B, Position),
        [&] {
          Value From = S.From.row(B, Position);
          if (S.Turn.Cos) {
            emitTurnedRow(B, S, Number, From, To);
            return;
          }
          forEachStretch(B, S.Shape.Width, [&](Value At, int64_t Count) {
            storeNarrowed(B,
                          loadWidened(B, B.offset(From, At, S.From.Element),
                                      S.From.Element, Count),
                          B.offset(To, At), F32);
          });
        },
        [&] {
          forEachStretch(B, S.Shape.Width, [&](Value At, int64_t Count) {
            Value Zero = B.f32(0.0F);
            if (Count > 1)
              Zero = B.constant(
                  DenseElementsAttr::get(VectorType::get({Count}, F32), 0.0F));
            storeNarrowed(B, Zero, B.offset(To, At), F32);
          });
        });
    B.loop(S.Shape.Stride - S.Shape.Width, 1, [&](Value I) {
      B.storeScalar(B.f32(0.0F), B.offset(To, B.add(I, S.Shape.Width)));
    });
  });
}

void heddle::cpu::emitRowCopies(KernelBuilder &B, const RowCopies &C) {
  B.loop(C.Rows, 1, [&](Value Number) {
    Value Position = C.To.position(B, Number);
    B.branch(C.To.exists(B, Position), [&] {
      Value From = C.From.row(B, Number);
      Value To = C.To.row(B, Position);
      forEachStretch(B, C.Width, [&](Value At, int64_t Count) {
        storeNarrowed(B,
                      loadWidened(B, B.offset(From, At), B.getF32Type(), Count),
                      B.offset(To, At, C.To.Element), C.To.Element);
      });
    });
  });
}
