// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Masks.h"

#include "dialect/attn/Emit.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// Vectors handled per pass over the keys.
static constexpr int64_t kVectorsAtOnce = 4;

/// A vector of i1 as a mask word.
static Value packMask(KernelBuilder &B, Value Mask) {
  auto Bits = B.getIntegerType(B.lanes());
  Value Word = LLVM::BitcastOp::create(B, Bits, Mask);
  if (wordType(B) != Bits)
    Word = arith::ExtUIOp::create(B, wordType(B), Word);
  return Word;
}

static Value fullWord(KernelBuilder &B, bool Ones) {
  APInt Bits =
      APInt::getLowBitsSet(wordType(B).getWidth(), Ones ? B.lanes() : 0);
  return B.constant(B.getIntegerAttr(wordType(B), Bits));
}

Value heddle::cpu::loadMask(KernelBuilder &B, Value Word) {
  Value Bits = B.loadScalar(Word, wordType(B));
  auto Narrow = B.getIntegerType(B.lanes());
  if (wordType(B) != Narrow)
    Bits = arith::TruncIOp::create(B, Narrow, Bits);
  return LLVM::BitcastOp::create(B, VectorType::get({B.lanes()}, B.getI1Type()),
                                 Bits);
}

/// 0, 1, 2, … as a vector of i64.
static Value iota(KernelBuilder &B) {
  auto Type = VectorType::get({B.lanes()}, B.getI64Type());
  SmallVector<int64_t> Steps(B.lanes());
  for (auto [I, Step] : llvm::enumerate(Steps))
    Step = static_cast<int64_t>(I);
  return B.constant(DenseElementsAttr::get(Type, ArrayRef(Steps)));
}

/// The words of one key for `Count` vectors from `FirstVector` on.
static KernelBuilder::Values keyWords(KernelBuilder &B, const BitsSource &Bits,
                                      ArrayRef<Value> Queries,
                                      Value KeyInTile) {
  KernelBuilder::Values Words;
  if (Bits.Full) {
    Words.assign(Queries.size(), fullWord(B, true));
    return Words;
  }
  Value Key = B.add(Bits.FirstKey, KeyInTile);
  Value Exists =
      arith::CmpIOp::create(B, arith::CmpIPredicate::slt, Key, Bits.NumKeys);
  Value Shared;
  for (Value Query : Queries) {
    Value Word = Shared;
    if (!Word) {
      attn::Coordinates At{Bits.Batch, Bits.Head,    Query,
                           Key,        Bits.NumKeys, Bits.Params};
      Value Kept = attn::emitContains(B, B.getLoc(), Bits.Formula, At);
      if (isa<VectorType>(Kept.getType())) {
        Word = packMask(B, Kept);
      } else {
        // The formula does not look at the query: one answer for all.
        Word = Shared = B.select(Kept, fullWord(B, true), fullWord(B, false));
      }
    }
    Words.push_back(B.select(Exists, Word, fullWord(B, false)));
  }
  return Words;
}

/// Calls `Body` for groups of vectors and every key, with the index of the
/// group's first vector and the words. Carries what `Body` returns. The loop
/// over the keys is the inner one, so that whatever depends on the query alone
/// is invariant in it.
static KernelBuilder::Values forEachWords(
    KernelBuilder &B, const BitsSource &Bits, ValueRange Inits,
    function_ref<KernelBuilder::Values(Value FirstVector, Value Key,
                                       ArrayRef<Value> Words, ValueRange)>
        Body) {
  int64_t Vectors = B.shape().vectors(Bits.Type.getDimSize(0));
  int64_t AtOnce = largestDivisor(Vectors, kVectorsAtOnce);
  auto Group = [&](Value FirstVector, ValueRange Carried) {
    KernelBuilder::Values Queries;
    if (Bits.Full) {
      Queries.assign(AtOnce, Value());
    } else {
      Value First = B.add(Bits.FirstQuery, B.mul(FirstVector, B.lanes()));
      for (int64_t J = 0; J < AtOnce; ++J)
        Queries.push_back(B.add(B.splat(B.add(First, J * B.lanes())), iota(B)));
    }
    KernelBuilder::Values Results = B.loop(
        Bits.Type.getDimSize(1), 1, Carried, [&](Value Key, ValueRange Inner) {
          return Body(FirstVector, Key, keyWords(B, Bits, Queries, Key), Inner);
        });
    return Results;
  };
  return B.loop(Vectors, AtOnce, Inits, Group);
}

void heddle::cpu::emitBits(KernelBuilder &B, const BitsSource &Bits,
                           const Buffer &To) {
  int64_t Length = rowLength(B, Bits.Type);
  forEachWords(
      B, Bits, {},
      [&](Value FirstVector, Value Key, ArrayRef<Value> Words, ValueRange) {
        Value At = B.add(B.mul(Key, Length), FirstVector);
        Value Pointer = B.offset(To.Base, At, wordType(B));
        for (auto [J, Word] : llvm::enumerate(Words))
          B.storeScalar(
              Word, B.offset(Pointer, static_cast<int64_t>(J), wordType(B)));
        return KernelBuilder::Values();
      });
}

/// The word of vector `Vector` that has ones for rows below `Rows`.
static Value rowsWord(KernelBuilder &B, Value Vector, Value Rows) {
  Value Left = arith::SubIOp::create(B, Rows, B.mul(Vector, B.lanes()));
  return packMask(B, arith::CmpIOp::create(B, arith::CmpIPredicate::slt,
                                           iota(B), B.splat(Left)));
}

static Value addOnes(KernelBuilder &B, Value Sum, Value Word, Value Existing) {
  Value Ones =
      LLVM::CtPopOp::create(B, arith::AndIOp::create(B, Word, Existing));
  unsigned Width = wordType(B).getWidth();
  if (Width < 64)
    Ones = arith::ExtUIOp::create(B, B.getI64Type(), Ones);
  else if (Width > 64)
    Ones = arith::TruncIOp::create(B, B.getI64Type(), Ones);
  return B.add(Sum, Ones);
}

Value heddle::cpu::emitCount(KernelBuilder &B, const BitsSource &Bits,
                             Value Rows) {
  auto AddWords = [&](Value FirstVector, Value, ArrayRef<Value> Words,
                      ValueRange Carried) {
    Value Sum = Carried[0];
    for (auto [J, Word] : llvm::enumerate(Words)) {
      Value Vector = B.add(FirstVector, static_cast<int64_t>(J));
      Sum = addOnes(B, Sum, Word, rowsWord(B, Vector, Rows));
    }
    return KernelBuilder::Values{Sum};
  };
  return forEachWords(B, Bits, B.i64(0), AddWords)[0];
}

Value heddle::cpu::emitCount(KernelBuilder &B, const Tile &Bits, Value Rows) {
  int64_t Length = rowLength(B, Bits.Type);
  return B.loop(Length, 1, B.i64(0), [&](Value Vector, ValueRange Carried) {
    Value Existing = rowsWord(B, Vector, Rows);
    return B.loop(
        Bits.features(), 1, Carried, [&](Value Key, ValueRange Inner) {
          Value At = B.add(B.mul(Key, Length), Vector);
          Value Word = B.loadScalar(B.offset(Bits.Data.Base, At, wordType(B)),
                                    wordType(B));
          return KernelBuilder::Values{addOnes(B, Inner[0], Word, Existing)};
        });
  })[0];
}

void heddle::cpu::emitMask(KernelBuilder &B, RankedTensorType Type,
                           const Buffer &Scores, const Buffer &Bits,
                           const Buffer &To) {
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  // Words lie in the same order as vectors.
  int64_t Vectors = tileBytes(B, Type) / (4 * B.lanes());
  B.loop(Vectors, 1, [&](Value Index) {
    Value Mask = loadMask(B, B.offset(Bits.Base, Index, wordType(B)));
    Value At = B.mul(Index, B.lanes());
    Value S = B.loadVector(B.offset(Scores.Base, At));
    B.storeVector(B.select(Mask, S, Minus), B.offset(To.Base, At));
  });
}
