// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Reduce.h"

#include "codegen/lanes/Ramp.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle::cpu;
using namespace mlir;

/// Vectors worked on at the same time, to hide latency.
static constexpr int64_t ReducedAtOnce = 4;

static float neutral(const Reduction &R) {
  return R.IsSum ? 0.0F : -std::numeric_limits<float>::infinity();
}

static Value combine(KernelBuilder &B, const Reduction &R, Value X, Value Y) {
  if (R.IsSum)
    return B.fadd(X, Y);
  return arith::MaximumFOp::create(B, X, Y);
}

static void emitPerRow(KernelBuilder &B, const Reduction &R) {
  int64_t Length = rowLength(B, R.Type);
  int64_t AtOnce = largestDivisor(Length / B.lanes(), ReducedAtOnce);
  B.loop(Length, AtOnce * B.lanes(), [&](Value Offset) {
    KernelBuilder::Values Start(AtOnce, B.splat(neutral(R)));
    KernelBuilder::Values Result = B.loop(
        R.Type.getDimSize(1), 1, Start, [&](Value Column, ValueRange Before) {
          Value From = B.offset(R.From, B.add(B.mul(Column, Length), Offset));
          KernelBuilder::Values After;
          for (auto [J, V] : llvm::enumerate(Before))
            After.push_back(
                combine(B, R, V,
                        B.loadVector(B.offset(From, static_cast<int64_t>(J) *
                                                        B.lanes()))));
          return After;
        });
    Value To = B.offset(R.To, Offset);
    for (auto [J, V] : llvm::enumerate(Result))
      B.storeVector(V, B.offset(To, static_cast<int64_t>(J) * B.lanes()));
  });
}

static void emitPerColumn(KernelBuilder &B, const Reduction &R) {
  int64_t Length = rowLength(B, R.Type);
  int64_t Rows = R.Type.getDimSize(0);
  int64_t Whole = Rows / B.lanes() * B.lanes();
  Value Neutral = B.splat(neutral(R));
  B.loop(R.Type.getDimSize(1), 1, [&](Value Column) {
    Value From = B.offset(R.From, B.mul(Column, Length));
    Value Lanes =
        B.loop(Whole, B.lanes(), Neutral, [&](Value Offset, ValueRange Before) {
          Value X = B.loadVector(B.offset(From, Offset));
          return KernelBuilder::Values{combine(B, R, Before[0], X)};
        })[0];
    if (Whole < Rows) {
      // The lanes beyond the last row hold anything.
      Value Exists = arith::CmpIOp::create(
          B, arith::CmpIPredicate::ult, iota(B), B.splat(B.i64(Rows - Whole)));
      Value X = B.loadVector(B.offset(From, Whole));
      Lanes = combine(B, R, Lanes, B.select(Exists, X, Neutral));
    }
    // The order is the machine's, and the same every time.
    Value Result =
        R.IsSum
            ? vector::ReductionOp::create(B, vector::CombiningKind::ADD, Lanes,
                                          arith::FastMathFlags::reassoc)
            : vector::ReductionOp::create(B, vector::CombiningKind::MAXIMUMF,
                                          Lanes);
    B.storeScalar(Result, B.offset(R.To, Column));
  });
}

void heddle::cpu::emitReduction(KernelBuilder &B, const Reduction &R) {
  if (R.OverColumns)
    emitPerRow(B, R);
  else
    emitPerColumn(B, R);
}
