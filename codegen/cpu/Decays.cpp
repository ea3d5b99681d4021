// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Decays.h"

#include "codegen/lanes/Ramp.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <numeric>

using namespace heddle::cpu;
using namespace mlir;
using arith::CmpIPredicate;

static Value minus(KernelBuilder &B, Value X, Value Y) {
  return arith::SubIOp::create(B, X, Y);
}

//===----------------------------------------------------------------------===//
// One factor per token
//===----------------------------------------------------------------------===//

void heddle::cpu::emitDecays(KernelBuilder &B, const Decays &D) {
  constexpr int64_t VectorsAtOnce = 4;
  int64_t Tokens = D.Type.getDimSize(0);
  int64_t Length = rowLength(B, D.Type);
  int64_t AtOnce = largestDivisor(Length / B.lanes(), VectorsAtOnce);
  Value Zero = B.splat(0.0F), One = B.splat(1.0F);
  B.loop(Length, AtOnce * B.lanes(), [&](Value Offset) {
    KernelBuilder::Values Start(AtOnce, Zero);
    KernelBuilder::Values Whole =
        B.loop(Tokens, 1, Start, [&](Value I, ValueRange Before) {
          Value Token = minus(B, B.i64(Tokens - 1), I);
          Value Factor = B.splat(B.loadScalar(B.offset(D.A, Token)));
          Value To = B.offset(D.W, B.add(B.mul(Token, Length), Offset));
          Value Number = minus(B, Token, Offset);
          KernelBuilder::Values After;
          for (auto [J, X] : llvm::enumerate(Before)) {
            int64_t Lanes = static_cast<int64_t>(J) * B.lanes();
            Value Lane = B.add(Number, -Lanes);
            Value W = B.select(lanesThat(B, CmpIPredicate::eq, Lane), One, X);
            B.storeVector(W, B.offset(To, Lanes));
            // Not 0 times what may be NaN.
            After.push_back(B.select(lanesThat(B, CmpIPredicate::sge, Lane),
                                     B.fmul(W, Factor), Zero));
          }
          return After;
        });
    for (auto [J, X] : llvm::enumerate(Whole))
      B.storeVector(X, B.offset(B.offset(D.FromStart, Offset),
                                static_cast<int64_t>(J) * B.lanes()));
  });
  // The last row of w, which lies across the lanes.
  B.loop(Tokens, 1, [&](Value Token) {
    Value From = B.offset(D.W, B.add(B.mul(Token, Length), Tokens - 1));
    B.storeScalar(B.loadScalar(From), B.offset(D.ToEnd, Token));
  });
}

//===----------------------------------------------------------------------===//
// One factor per token and feature
//===----------------------------------------------------------------------===//

namespace {
/// The rows of some vectors of queries under some features. In registers are
/// the queries times the factors between them and the key that the walk has
/// come to.
class Walk {
public:
  Walk(KernelBuilder &B, const DecayedScores &D, Value Offset, Value Feature,
       int64_t Features, bool IsFirst)
      : B(B), D(D), Offset(Offset), Feature(Feature), Features(Features),
        IsFirst(IsFirst), Length(rowLength(B, D.Type)) {}

  void emit();

private:
  /// What key `Key` adds, and the queries one key further down; `Within` when
  /// it is one of the queries' own tokens.
  KernelBuilder::Values step(Value Key, bool Within, ValueRange Queries);

  KernelBuilder &B;
  const DecayedScores &D;
  Value Offset, Feature;
  int64_t Features;
  bool IsFirst;
  int64_t Length;
};
} // namespace

KernelBuilder::Values Walk::step(Value Key, bool Within, ValueRange Queries) {
  // Two chains of additions, the latency of one being the machine's.
  constexpr size_t Chains = 2;
  // Queries that stand before the factors of their tokens pass by their keys.
  CmpIPredicate Sees = D.Before ? CmpIPredicate::sgt : CmpIPredicate::sge;
  Value Later = Within ? lanesThat(B, Sees, minus(B, Key, Offset)) : Value();
  Value Sums[Chains] = {};
  KernelBuilder::Values Next;
  for (auto [I, X] : llvm::enumerate(Queries)) {
    Value Column = B.add(Feature, static_cast<int64_t>(I));
    auto Element = [&](const KeySide &Of) {
      return B.splat(B.loadScalar(Of.element(B, Key, Column)));
    };
    Value K = Element(D.K);
    Value &Sum = Sums[I % Chains];
    Sum = Sum ? B.fma(X, K, Sum) : B.fmul(X, K);
    Value Moved = B.fmul(X, Element(D.A));
    Next.push_back(Later ? B.select(Later, Moved, X) : Moved);
  }
  Value Sum = Sums[1] ? B.fadd(Sums[0], Sums[1]) : Sums[0];
  if (Later)
    Sum = B.select(Later, Sum, B.splat(0.0F));
  Value To = B.offset(D.S, B.add(B.mul(Key, Length), Offset));
  B.storeVector(IsFirst ? Sum : B.fadd(B.loadVector(To), Sum), To);
  return Next;
}

void Walk::emit() {
  KernelBuilder::Values Queries;
  for (int64_t I = 0; I < Features; ++I)
    Queries.push_back(B.loadVector(
        B.offset(D.Q, B.add(B.mul(B.add(Feature, I), Length), Offset))));
  Value End = B.min(B.add(Offset, B.lanes()), B.i64(D.Type.getDimSize(0)));
  Queries = B.loop(minus(B, End, Offset), 1, Queries,
                   [&](Value I, ValueRange Before) {
                     Value Key = B.add(minus(B, End, I), -1);
                     return step(Key, /*Within=*/true, Before);
                   });
  B.loop(Offset, 1, Queries, [&](Value I, ValueRange Before) {
    Value Key = B.add(minus(B, Offset, I), -1);
    return step(Key, /*Within=*/false, Before);
  });
}

void heddle::cpu::emitDecayedScores(KernelBuilder &B, const DecayedScores &D) {
  int64_t Length = rowLength(B, D.Type);
  int64_t Tokens = D.Type.getDimSize(0);
  int64_t Features = D.Type.getDimSize(1);
  // Beside them two sums, two elements and a mask.
  int64_t AtOnce = std::clamp<int64_t>(B.shape().Registers - 6, 1, 16);
  AtOnce = std::min(AtOnce, Features);
  B.loop(Length, B.lanes(), [&](Value Offset) {
    // Keys after all of these queries.
    Value End = B.min(B.add(Offset, B.lanes()), B.i64(Tokens));
    B.loop(minus(B, B.i64(Tokens), End), 1, [&](Value I) {
      Value Key = B.add(End, I);
      B.storeVector(B.splat(0.0F),
                    B.offset(D.S, B.add(B.mul(Key, Length), Offset)));
    });
    Walk(B, D, Offset, B.i64(0), AtOnce, /*IsFirst=*/true).emit();
    int64_t Main = Features / AtOnce * AtOnce;
    B.loop(Main - AtOnce, AtOnce, [&](Value Feature) {
      Walk(B, D, Offset, B.add(Feature, AtOnce), AtOnce, /*IsFirst=*/false)
          .emit();
    });
    if (Main < Features)
      Walk(B, D, Offset, B.i64(Main), Features - Main, /*IsFirst=*/false)
          .emit();
  });
}

//===----------------------------------------------------------------------===//
// Before and after a token
//===----------------------------------------------------------------------===//

/// Every lane times the one `By` lanes below (above when negative), 1 where
/// there is none.
static Value timesNeighbour(KernelBuilder &B, Value X, int64_t By) {
  SmallVector<int64_t> Lanes;
  for (int64_t I = 0; I < B.lanes(); ++I) {
    int64_t From = I - By;
    Lanes.push_back(From < 0 || From >= B.lanes() ? B.lanes() + I : From);
  }
  return B.fmul(X, vector::ShuffleOp::create(B, X, B.splat(1.0F), Lanes));
}

/// Every lane's lower neighbour (upper, if `Down`), 1 where there is none.
static Value neighbours(KernelBuilder &B, Value X, bool Down) {
  SmallVector<int64_t> Lanes(B.lanes());
  std::iota(Lanes.begin(), Lanes.end(), Down ? 1 : -1);
  if (!Down)
    Lanes.front() = B.lanes();
  return vector::ShuffleOp::create(B, X, B.splat(1.0F), Lanes);
}

/// Products of the lanes up to each, or `Down` from each on.
static Value runningProducts(KernelBuilder &B, Value X, bool Down) {
  for (int64_t By = 1; By < B.lanes(); By *= 2)
    X = timesNeighbour(B, X, Down ? -By : By);
  return X;
}

static Value splatLane(KernelBuilder &B, Value X, int64_t Lane) {
  return B.splat(vector::ExtractOp::create(B, X, Lane));
}

void heddle::cpu::emitCumulation(KernelBuilder &B, const Cumulation &C) {
  int64_t Tokens = C.Type.getDimSize(0);
  int64_t Length = rowLength(B, C.Type);
  int64_t Vectors = Length / B.lanes();
  Value One = B.splat(1.0F);
  B.loop(C.Type.getDimSize(1), 1, [&](Value Feature) {
    Value Start = B.mul(Feature, Length);
    auto Factors = [&](Value Offset) {
      Value X = B.loadVector(B.offset(C.A, B.add(Start, Offset)));
      if (Tokens == Length)
        return X;
      // Beyond the last token lies anything.
      Value Number = minus(B, B.i64(Tokens), Offset);
      return B.select(lanesThat(B, CmpIPredicate::slt, Number), X, One);
    };
    // What comes after goes down, before what may be the same memory changes.
    B.loop(Vectors, 1, One, [&](Value I, ValueRange After) {
      Value Offset = B.mul(minus(B, B.i64(Vectors - 1), I), B.lanes());
      Value Running = runningProducts(B, Factors(Offset), /*Down=*/true);
      B.storeVector(B.fmul(neighbours(B, Running, /*Down=*/true), After[0]),
                    B.offset(C.ToEnd, B.add(Start, Offset)));
      return KernelBuilder::Values{B.fmul(After[0], splatLane(B, Running, 0))};
    });
    Value Whole = B.loop(Vectors, 1, One, [&](Value I, ValueRange Before) {
      Value Offset = B.mul(I, B.lanes());
      Value Own = runningProducts(B, Factors(Offset), /*Down=*/false);
      Value Running = B.fmul(Before[0], Own);
      Value Stored = C.Before
                         ? B.fmul(Before[0], neighbours(B, Own, /*Down=*/false))
                         : Running;
      B.storeVector(Stored, B.offset(C.FromStart, B.add(Start, Offset)));
      return KernelBuilder::Values{splatLane(B, Running, B.lanes() - 1)};
    })[0];
    B.storeScalar(vector::ExtractOp::create(B, Whole, int64_t(0)),
                  B.offset(C.Total, Feature));
  });
}
