// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/RowProducts.h"

#include "codegen/cpu/Convert.h"
#include "codegen/cpu/ReadAhead.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

/// Rows that share what is loaded of a key.
static constexpr int64_t ScoreRows = 4;
/// Values that are read by one group of rows after the other, from the first
/// level after the first.
static constexpr int64_t ValuesAtOnce = 16;
/// Lanes within which sums are formed first: whatever is wider moves such
/// pieces as a whole.
static constexpr int64_t Quad = 4;

Value StoredRows::row(KernelBuilder &B, Value Row) const {
  if (Positions) {
    Row =
        B.loadScalar(B.offset(Positions, Row, B.getI64Type()), B.getI64Type());
    Row = arith::MaxSIOp::create(B, Row, B.i64(0));
  }
  if (View.Last)
    Row = B.min(Row, View.Last);
  return B.offset(View.Base, B.mul(Row, View.Stride), Element);
}

/// The rows below `Count`, which are few: `AtOnce` at a time, then singly.
static void forEachRowBlock(KernelBuilder &B, Value Count, int64_t AtOnce,
                            function_ref<void(Value First, int64_t Rows)> Do) {
  if (AtOnce > mostRows(B.shape())) {
    B.loop(Count, 1, [&](Value Row) { Do(Row, 1); });
    return;
  }
  Value Blocks = arith::DivUIOp::create(B, Count, B.i64(AtOnce));
  Value Main = B.mul(Blocks, AtOnce);
  B.loop(Main, AtOnce, [&](Value First) { Do(First, AtOnce); });
  B.loop(Main, Count, 1, [&](Value First) { Do(First, 1); });
}

/// `Count` features of a row, as a vector with zeros behind them.
static Value loadFeatures(KernelBuilder &B, const StoredRows &Rows, Value Row,
                          Value At, int64_t Count) {
  Value X =
      loadWidened(B, B.offset(Row, At, Rows.Element), Rows.Element, Count);
  if (Count == B.lanes())
    return X;
  if (Count == 1)
    return vector::InsertOp::create(B, X, B.splat(0.0F), int64_t(0));
  Value Zero = B.constant(
      DenseElementsAttr::get(VectorType::get({Count}, B.getF32Type()), 0.0F));
  SmallVector<int64_t> Places;
  for (int64_t I = 0; I < B.lanes(); ++I)
    Places.push_back(std::min(I, Count));
  return vector::ShuffleOp::create(B, X, Zero, Places);
}

static int64_t wholeVectors(KernelBuilder &B, int64_t Width) {
  return Width / B.lanes() * B.lanes();
}

//===----------------------------------------------------------------------===//
// Sums across lanes
//===----------------------------------------------------------------------===//

/// Adds what `PickX` and `PickY` select of two vectors, by lanes of both.
static Value addPicked(KernelBuilder &B, Value X, Value Y,
                       ArrayRef<int64_t> PickX, ArrayRef<int64_t> PickY) {
  return B.fadd(vector::ShuffleOp::create(B, X, Y, PickX),
                vector::ShuffleOp::create(B, X, Y, PickY));
}

/// Lane i of every quad is the sum of that quad of vector i.
static Value sumQuads(KernelBuilder &B, ArrayRef<Value> Four) {
  int64_t Lanes = B.lanes();
  SmallVector<int64_t> Lower, Upper, Even, Odd;
  for (int64_t Q = 0; Q < Lanes; Q += Quad) {
    Lower.append({Q, Q + Lanes, Q + 1, Q + 1 + Lanes});
    Upper.append({Q + 2, Q + 2 + Lanes, Q + 3, Q + 3 + Lanes});
    Even.append({Q, Q + 1, Q + Lanes, Q + 1 + Lanes});
    Odd.append({Q + 2, Q + 3, Q + 2 + Lanes, Q + 3 + Lanes});
  }
  Value First = addPicked(B, Four[0], Four[1], Lower, Upper);
  Value Second = addPicked(B, Four[2], Four[3], Lower, Upper);
  return addPicked(B, First, Second, Even, Odd);
}

/// The sum of the quads of each vector, of which there are a power of two.
static SmallVector<Value> addQuads(KernelBuilder &B, SmallVector<Value> Sums) {
  int64_t Lanes = B.lanes();
  auto Wanted = static_cast<int64_t>(Sums.size());
  SmallVector<int64_t> Even, Odd;
  for (int64_t Q = 0; Q < 2 * Lanes; Q += 2 * Quad)
    for (int64_t I = 0; I < Quad; ++I) {
      Even.push_back(Q + I);
      Odd.push_back(Q + Quad + I);
    }
  // A vector of several sums has them in order, in parts side by side.
  int64_t PerVector = 1;
  for (int64_t Parts = Lanes / Quad; Parts > 1; Parts /= 2) {
    SmallVector<Value> Next;
    for (size_t I = 0; I < Sums.size(); I += 2) {
      Value Other = Sums[std::min(I + 1, Sums.size() - 1)];
      Next.push_back(addPicked(B, Sums[I], Other, Even, Odd));
    }
    PerVector *= 2;
    Sums = std::move(Next);
  }
  SmallVector<Value> Result;
  for (int64_t I = 0; I < Wanted; ++I) {
    Value Whole = Sums[I / PerVector];
    if (Lanes == Quad) {
      Result.push_back(Whole);
      continue;
    }
    SmallVector<int64_t> Places;
    for (int64_t J = 0; J < Quad; ++J)
      Places.push_back(I % PerVector * Quad + J);
    Result.push_back(vector::ShuffleOp::create(B, Whole, Whole, Places));
  }
  return Result;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

namespace {
/// Keys that are taken at once, what is asked for with each, and where the
/// scores go.
struct KeyBlock {
  KernelBuilder::Values Keys, Ahead;
  Value To;
};
} // namespace

/// Products of all features of key `I` of a block and some rows. Keys are read
/// in the order of their addresses, which is what the memory is fast at.
static KernelBuilder::Values emitDots(KernelBuilder &B, const RowScores &P,
                                      const ReadAhead &Ask,
                                      const KeyBlock &Block, int64_t I,
                                      Value FirstRow, int64_t Rows) {
  int64_t Lanes = B.lanes(), Main = wholeVectors(B, P.Width);
  int64_t RowLength = B.shape().vectors(P.Width) * Lanes;
  Value Queries = B.offset(P.Q, B.mul(FirstRow, RowLength));
  auto Advance = [&](Value At, int64_t Count, ValueRange Carried) {
    Value Loaded = loadFeatures(B, P.K, Block.Keys[I], At, Count);
    Value Row = B.offset(Queries, At);
    KernelBuilder::Values Sums;
    for (auto [R, Sum] : llvm::enumerate(Carried)) {
      Value Query =
          B.loadVector(B.offset(Row, static_cast<int64_t>(R) * RowLength));
      Sums.push_back(B.fma(Query, Loaded, Sum));
    }
    return Sums;
  };
  constexpr int64_t VectorsAtOnce = 4;
  int64_t AtOnce = largestDivisor(Main / Lanes, VectorsAtOnce) * Lanes;
  KernelBuilder::Values Sums(Rows, B.splat(0.0F));
  Sums = B.loop(Main, AtOnce, Sums, [&](Value At, ValueRange Carried) {
    KernelBuilder::Values Next = llvm::to_vector_of<Value>(Carried);
    for (int64_t J = 0; J < AtOnce / Lanes; ++J) {
      Ask.emit(Block.Ahead[I], At, J);
      Next = Advance(B.add(At, J * Lanes), Lanes, Next);
    }
    return Next;
  });
  if (Main < P.Width) {
    Ask.emit(Block.Ahead[I], B.i64(Main), 0);
    Sums = Advance(B.i64(Main), P.Width - Main, Sums);
  }
  return Sums;
}

/// Scores of a block with `ScoreRows` rows.
static void emitScoreBlock(KernelBuilder &B, const RowScores &P,
                           const ReadAhead &Ask, const KeyBlock &Block,
                           Value FirstRow) {
  SmallVector<Value> Sums;
  for (int64_t I = 0; I < KeysAtOnce; ++I)
    Sums.push_back(
        sumQuads(B, emitDots(B, P, Ask, Block, I, FirstRow, ScoreRows)));
  Value At = B.offset(Block.To, FirstRow);
  for (auto [I, Scores] : llvm::enumerate(addQuads(B, Sums)))
    storeNarrowed(B, Scores, B.offset(At, static_cast<int64_t>(I) * B.lanes()),
                  B.getF32Type());
}

/// Scores of a block with one row.
static void emitScoreRow(KernelBuilder &B, const RowScores &P,
                         const ReadAhead &Ask, const KeyBlock &Block,
                         Value Row) {
  KernelBuilder::Values Dots;
  for (int64_t I = 0; I < KeysAtOnce; ++I)
    llvm::append_range(Dots, emitDots(B, P, Ask, Block, I, Row, 1));
  Value Scores = addQuads(B, {sumQuads(B, Dots)}).front();
  Value At = B.offset(Block.To, Row);
  for (int64_t I = 0; I < KeysAtOnce; ++I)
    B.storeScalar(vector::ExtractOp::create(B, Scores, I),
                  B.offset(At, I * B.lanes()));
}

void heddle::cpu::emitRowScores(KernelBuilder &B, const RowScores &P) {
  static_assert(KeysAtOnce == Quad && ScoreRows == Quad);
  ReadAhead Ask(B, P.K, P.Keys, P.Width, P.Next);
  B.loop(P.Keys, KeysAtOnce, [&](Value Key) {
    KeyBlock Block;
    Block.To = B.offset(P.S, B.mul(Key, B.lanes()));
    for (int64_t I = 0; I < KeysAtOnce; ++I) {
      Value Number = B.add(Key, I);
      Block.Keys.push_back(P.K.row(B, Number));
      Block.Ahead.push_back(Ask.rowFor(Number));
      B.storeVector(B.splat(0.0F), B.offset(Block.To, I * B.lanes()));
      Ask.emitNext(Number);
    }
    forEachRowBlock(B, P.Count, ScoreRows, [&](Value FirstRow, int64_t Rows) {
      if (Rows == 1)
        emitScoreRow(B, P, Ask, Block, FirstRow);
      else
        emitScoreBlock(B, P, Ask, Block, FirstRow);
    });
  });
}

//===----------------------------------------------------------------------===//
// Weighted values
//===----------------------------------------------------------------------===//

namespace {
/// Some features of some rows of the sums, in registers for some keys.
class SumTile {
public:
  SumTile(KernelBuilder &B, const RowSums &P, const ReadAhead &Ask,
          Value FirstRow, int64_t Rows, Value At, int64_t Vectors,
          int64_t Features)
      : B(B), P(P), Ask(Ask), FirstRow(FirstRow), At(At), Rows(Rows),
        Vectors(Vectors), Features(Features) {}

  /// Adds what keys [First, First + Count) have.
  void emit(Value First, int64_t Count);

private:
  Value place(int64_t Row, int64_t Vector) {
    int64_t RowLength = B.shape().vectors(P.Width) * B.lanes();
    Value To = B.offset(P.O, B.add(B.mul(B.add(FirstRow, Row), RowLength), At));
    return B.offset(To, Vector * B.lanes());
  }
  KernelBuilder::Values advance(Value Key, ValueRange Carried);
  /// A vector of i1, the bit of a row of the key's mask word in every lane.
  Value mask(Value Word, int64_t Row);

  KernelBuilder &B;
  const RowSums &P;
  const ReadAhead &Ask;
  Value FirstRow, At;
  int64_t Rows, Vectors;
  /// Of the last vector.
  int64_t Features;
};
} // namespace

Value SumTile::mask(Value Word, int64_t Row) {
  Value Bit = arith::ShRUIOp::create(B, Word, B.add(FirstRow, Row));
  return B.splat(arith::TruncIOp::create(B, B.getI1Type(), Bit));
}

KernelBuilder::Values SumTile::advance(Value Key, ValueRange Carried) {
  KernelBuilder::Values Sums = llvm::to_vector_of<Value>(Carried);
  Value Row = P.V.row(B, Key), Ahead = Ask.rowFor(Key);
  KernelBuilder::Values Loaded;
  for (int64_t J = 0; J < Vectors; ++J) {
    Ask.emit(Ahead, At, J);
    Loaded.push_back(loadFeatures(B, P.V, Row, B.add(At, J * B.lanes()),
                                  J + 1 < Vectors ? B.lanes() : Features));
  }
  Value Weights = B.offset(P.P, B.add(B.mul(Key, B.lanes()), FirstRow));
  Value Word;
  if (P.Words)
    Word = arith::ExtUIOp::create(
        B, B.getI64Type(),
        B.loadScalar(B.offset(P.Words, Key, wordType(B)), wordType(B)));
  for (int64_t R = 0; R < Rows; ++R) {
    Value Weight = B.splat(B.loadScalar(B.offset(Weights, R)));
    Value Mask = Word ? mask(Word, R) : Value();
    for (int64_t J = 0; J < Vectors; ++J) {
      Value &Sum = Sums[R * Vectors + J];
      Value Next = B.fma(Weight, Loaded[J], Sum);
      Sum = Mask ? B.select(Mask, Next, Sum) : Next;
    }
  }
  return Sums;
}

void SumTile::emit(Value First, int64_t Count) {
  KernelBuilder::Values Sums;
  for (int64_t R = 0; R < Rows; ++R)
    for (int64_t J = 0; J < Vectors; ++J)
      Sums.push_back(B.loadVector(place(R, J)));
  Sums = B.loop(Count, 1, Sums, [&](Value Key, ValueRange Carried) {
    return advance(B.add(First, Key), Carried);
  });
  for (int64_t R = 0; R < Rows; ++R)
    for (int64_t J = 0; J < Vectors; ++J)
      B.storeVector(Sums[R * Vectors + J], place(R, J));
}

/// Begins with the sums so far, times their factors.
static void emitScaledSums(KernelBuilder &B, const RowSums &P) {
  int64_t RowLength = B.shape().vectors(P.Width) * B.lanes();
  B.loop(P.Count, 1, [&](Value Row) {
    Value Factor;
    if (P.Factor)
      Factor = B.splat(B.loadScalar(B.offset(P.Factor, Row)));
    B.loop(RowLength, B.lanes(), [&](Value Feature) {
      Value At = B.add(B.mul(Row, RowLength), Feature);
      Value Sum = B.loadVector(B.offset(P.Before, At));
      B.storeVector(Factor ? B.fmul(Sum, Factor) : Sum, B.offset(P.O, At));
    });
  });
}

void heddle::cpu::emitRowSums(KernelBuilder &B, const RowSums &P) {
  int64_t Lanes = B.lanes(), Main = wholeVectors(B, P.Width);
  int64_t Spare = B.shape().Registers - 2 - B.shape().ProductScratch;
  int64_t AtOnce = largestDivisor(P.Keys, ValuesAtOnce);
  // With two rows the registers hold the sums of long ones as a whole, and
  // values are read in order. What is to be widened is worth more rows.
  int64_t SumRows = P.V.Element.isF32() ? 2 : 4;
  ReadAhead Ask(B, P.V, P.Keys, P.Width, P.Next);
  emitScaledSums(B, P);
  B.loop(P.Keys, AtOnce, [&](Value First) {
    if (P.Next.Rows.Base)
      B.loop(AtOnce, 1, [&](Value I) { Ask.emitNext(B.add(First, I)); });
    forEachRowBlock(B, P.Count, SumRows, [&](Value FirstRow, int64_t Rows) {
      // Sums and the values of one key, beside a weight.
      int64_t Vectors = largestDivisor(
          Main / Lanes, std::max<int64_t>(Spare / (Rows + 1), 1));
      B.loop(Main, Vectors * Lanes, [&](Value Feature) {
        SumTile(B, P, Ask, FirstRow, Rows, Feature, Vectors, Lanes)
            .emit(First, AtOnce);
      });
      if (Main < P.Width)
        SumTile(B, P, Ask, FirstRow, Rows, B.i64(Main), 1, P.Width - Main)
            .emit(First, AtOnce);
    });
  });
}
