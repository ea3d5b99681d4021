// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Masks.h"

#include "codegen/cpu/BoxBits.h"
#include "codegen/lanes/Ramp.h"
#include "dialect/attn/Emit.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// Vectors handled per pass over the keys.
static constexpr int64_t MaskedAtOnce = 4;

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

FormulaBits::FormulaBits(KernelBuilder &B, const BitsSource &Bits,
                         attn::FormulaAttr Formula)
    : B(B), Bits(Bits), Formula(Formula), Access(B, Bits.Params) {
  for (Value Param : Bits.Params)
    Integers.push_back(Param && Param.getType().isInteger(64) ? Param
                                                              : Value());
}

Value FormulaBits::exists(ArrayRef<Value> Key) {
  if (!Bits.At.KeyBox.empty())
    return {};
  // A token that is none, -1, is as far beyond all keys as can be.
  auto Below =
      Bits.At.Listed ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
  return arith::CmpIOp::create(B, Below, Key.front(), Bits.NumKeys);
}

KernelBuilder::Values FormulaBits::words(ArrayRef<SmallVector<Value>> Queries,
                                         const SmallVector<Value> &Key) {
  Value Exists = exists(Key);
  KernelBuilder::Values Words;
  Value Shared;
  for (const SmallVector<Value> &Query : Queries) {
    Value Word = Shared;
    if (!Word) {
      attn::Coordinates At{Bits.At.Batch, Bits.At.Head, Query,  Key,
                           Bits.NumKeys,  Integers,     &Access};
      Value Kept = attn::emitContains(B, B.getLoc(), Formula, At);
      if (isa<VectorType>(Kept.getType())) {
        Word = packMask(B, Kept);
      } else {
        Word = B.select(Kept, fullWord(B, true), fullWord(B, false));
        // The formula does not look at the query: one answer for all.
        if (Bits.At.QueryBox.empty())
          Shared = Word;
      }
    }
    Words.push_back(Exists ? B.select(Exists, Word, fullWord(B, false)) : Word);
  }
  return Words;
}

void heddle::cpu::emitBits(KernelBuilder &B, const BitsSource &Bits,
                           const Buffer &To) {
  int64_t Length = rowLength(B, Bits.Type);
  int64_t Keys = Bits.Type.getDimSize(1);
  if (Bits.Full) {
    B.loop(Length * Keys, 1, [&](Value At) {
      B.storeScalar(fullWord(B, true), B.offset(To.Base, At, wordType(B)));
    });
    return;
  }
  if (Bits.Parts) {
    BoxBits::find(Bits)->emit(B, Bits.Parts, To.Base);
    return;
  }
  int64_t AtOnce = largestDivisor(Length, MaskedAtOnce);
  FormulaBits Emitter(B, Bits, Bits.Formula);
  B.loop(Length, AtOnce, [&](Value FirstVector) {
    SmallVector<SmallVector<Value>> Queries;
    for (int64_t J = 0; J < AtOnce; ++J)
      Queries.push_back(
          Bits.At.queries(B, B.mul(B.add(FirstVector, J), B.lanes())));
    // The loop over the keys is the inner one, and whatever depends on the
    // query alone leaves it, reads of tables included.
    B.loop(Keys, 1, [&](Value Key) {
      Value At = B.add(B.mul(Key, Length), FirstVector);
      Value Pointer = B.offset(To.Base, At, wordType(B));
      for (auto [J, Word] :
           llvm::enumerate(Emitter.words(Queries, Bits.At.keys(B, Key))))
        B.storeScalar(Word,
                      B.offset(Pointer, static_cast<int64_t>(J), wordType(B)));
    });
    if (Keys > 1)
      moveInvariants(B);
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

KeySpan heddle::cpu::emitKeySpan(KernelBuilder &B, RankedTensorType Type,
                                 const Buffer &Bits, int64_t Granule) {
  int64_t Keys = Type.getDimSize(1);
  int64_t Bytes = tileBytes(B, Type) / Keys * Granule;
  // Several words at once where they fit.
  IntegerType Piece = Bytes % 8 == 0 ? B.getI64Type() : wordType(B);
  int64_t Pieces = Bytes * 8 / Piece.getWidth();
  KernelBuilder::Values None = {B.i64(Keys), B.i64(0)};
  KernelBuilder::Values Span =
      B.loop(Keys / Granule, 1, None, [&](Value Index, ValueRange Known) {
        Value Base = B.offset(Bits.Base, B.mul(Index, Pieces), Piece);
        Value Ones;
        for (int64_t I = 0; I < Pieces; ++I) {
          Value Here = B.loadScalar(B.offset(Base, I, Piece), Piece);
          Ones = Ones ? arith::OrIOp::create(B, Ones, Here) : Here;
        }
        Value IsLive = arith::CmpIOp::create(B, arith::CmpIPredicate::ne, Ones,
                                             B.like(Ones, 0));
        Value First = B.mul(Index, Granule);
        return KernelBuilder::Values{
            B.select(IsLive, B.min(Known[0], First), Known[0]),
            B.select(IsLive, B.add(First, Granule), Known[1])};
      });
  return {Span[0], Span[1]};
}

void heddle::cpu::emitMask(KernelBuilder &B, RankedTensorType Type,
                           const KeySpan &Keys, const Buffer &Scores,
                           const Buffer &Bits, const Buffer &To) {
  Value Minus = B.splat(-std::numeric_limits<float>::infinity());
  // Words lie in the same order as vectors.
  int64_t PerKey = rowLength(B, Type) / B.lanes();
  auto Each = [&](Value Index) {
    Value Mask = loadMask(B, B.offset(Bits.Base, Index, wordType(B)));
    Value At = B.mul(Index, B.lanes());
    Value S = B.loadVector(B.offset(Scores.Base, At));
    B.storeVector(B.select(Mask, S, Minus), B.offset(To.Base, At));
  };
  if (Keys.First)
    B.loop(B.mul(Keys.First, PerKey), B.mul(Keys.End, PerKey), 1, Each);
  else
    B.loop(Type.getDimSize(1) * PerKey, 1, Each);
}
