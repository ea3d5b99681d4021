// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Masks.h"

#include "dialect/attn/Emit.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// Vectors handled per pass over the keys.
static constexpr int64_t VectorsAtOnce = 4;

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

void heddle::cpu::emitBits(KernelBuilder &B, const BitsSource &Bits,
                           const Buffer &To) {
  int64_t Length = rowLength(B, Bits.Type);
  int64_t AtOnce = largestDivisor(Length, VectorsAtOnce);
  B.loop(Length, AtOnce, [&](Value FirstVector) {
    KernelBuilder::Values Queries;
    if (Bits.Full) {
      Queries.assign(AtOnce, Value());
    } else {
      Value First = B.add(Bits.FirstQuery, B.mul(FirstVector, B.lanes()));
      for (int64_t J = 0; J < AtOnce; ++J)
        Queries.push_back(B.add(B.splat(B.add(First, J * B.lanes())), iota(B)));
    }
    // The loop over the keys is the inner one, so that whatever depends on the
    // query alone is invariant in it.
    B.loop(Bits.Type.getDimSize(1), 1, [&](Value Key) {
      Value At = B.add(B.mul(Key, Length), FirstVector);
      Value Pointer = B.offset(To.Base, At, wordType(B));
      for (auto [J, Word] : llvm::enumerate(keyWords(B, Bits, Queries, Key)))
        B.storeScalar(Word,
                      B.offset(Pointer, static_cast<int64_t>(J), wordType(B)));
    });
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

Value heddle::cpu::emitCountOfOnes(KernelBuilder &B, RankedTensorType Type,
                                   Value Rows) {
  Value Existing = B.min(arith::MaxSIOp::create(B, Rows, B.i64(0)),
                         B.i64(Type.getDimSize(0)));
  return B.mul(Existing, Type.getDimSize(1));
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
