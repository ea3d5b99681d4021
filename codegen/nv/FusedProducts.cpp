// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/FusedProducts.h"

#include "codegen/nv/Threads.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstddef>

using namespace heddle::nv;
using namespace mlir;

/// The elements of a vector.
static NvBuilder::Values elements(NvBuilder &B, Value Vector) {
  NvBuilder::Values Result;
  for (int64_t I = 0; I < cast<VectorType>(Vector.getType()).getDimSize(0); ++I)
    Result.push_back(LLVM::ExtractElementOp::create(B, Vector, B.i32(I)));
  return Result;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

namespace {

/// Chunks of rows that differ by multiples of eight: their addresses for a
/// chunk (i32) differ by constants.
struct ChunkReader {
  NvBuilder &B;
  const SharedTile &From;
  Value RowBytes, Swizzle;

  ChunkReader(NvBuilder &B, const SharedTile &From, Value Row)
      : B(B), From(From), RowBytes(B.mul(Row, From.rowBytes())),
        Swizzle(From.swizzle(B, Row)) {}

  Value address(Value Chunk) {
    Value Place = B.mul(B.bitXor(Chunk, Swizzle), SharedTile::ChunkBytes);
    return B.bytes(From.Base, B.add(RowBytes, Place));
  }
  NvBuilder::Values load(Value Address, int64_t Rows) {
    auto Four = VectorType::get({4}, B.getF32Type());
    return elements(B, B.load(Four, B.bytes(Address, Rows * From.rowBytes()),
                              SharedTile::ChunkBytes));
  }
};

} // namespace

Fragment heddle::nv::emitFusedScores(NvBuilder &B, const SharedTile &Q,
                                     const SharedTile &K, Fragment S) {
  const FragmentLayout Of = S.Of;
  // All rows of a thread have the same place in their eight rows, and so have
  // its even columns and its odd ones.
  ChunkReader Queries(B, Q, Of.rowOfStat(B, 0));
  ChunkReader Keys[2] = {{B, K, Of.column(B, 0)}, {B, K, Of.column(B, 1)}};
  S.Regs = B.loop(Q.chunks(), 1, S.Regs, [&](Value Chunk, ValueRange Carried) {
    auto Sums = llvm::to_vector(Carried);
    Value QueryAt = Queries.address(Chunk);
    Value KeyAt[2] = {Keys[0].address(Chunk), Keys[1].address(Chunk)};
    SmallVector<NvBuilder::Values> Rows;
    for (int64_t Stat = 0; Stat < Of.stats(); ++Stat)
      Rows.push_back(Queries.load(QueryAt, Stat * 8));
    for (int64_t Block = 0; Block < Of.columnBlocks(); ++Block)
      for (int64_t Odd = 0; Odd < 2; ++Odd) {
        NvBuilder::Values Key = Keys[Odd].load(KeyAt[Odd], Block * 8);
        for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
          Value &Sum = Sums[Of.registerOf(Stat / 2, Block, Stat % 2 * 2 + Odd)];
          for (auto [X, Y] : llvm::zip_equal(Rows[Stat], Key))
            Sum = B.fma(X, Y, Sum);
        }
      }
    return Sums;
  });
  return S;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

namespace {

/// Pairs of neighbouring elements of a tile's rows, at the columns that a
/// thread has of accumulators.
class PairReader {
public:
  PairReader(NvBuilder &B, const SharedTile &From, const FragmentLayout &Of)
      : B(B), From(From), Chunks(From.chunkElements()) {
    Value Column = Of.column(B, 0);
    InChunk = B.mul(B.bitAnd(Column, Chunks - 1), byteWidth(From.Element));
    LaneChunk = B.div(Column, Chunks);
  }

  /// Columns 8 * Block + 2c and the next of row `Row` (a number below 8) of the
  /// rows that `RowBytes` leads to.
  std::pair<Value, Value> load(Value RowBytes, int64_t Row, int64_t Block) {
    // A block is one chunk or several; what the lane adds to the chunk's number
    // is below their number.
    int64_t Chunk = Block * 8 / Chunks;
    int64_t InBlock = std::max<int64_t>(8 / Chunks, 1) - 1;
    int64_t Place = From.placeOf(Row, Chunk);
    Value Lane = B.mul(B.bitXor(LaneChunk, B.i32(Place & InBlock)),
                       SharedTile::ChunkBytes);
    Value At = B.bytes(
        B.bytes(From.Base, B.add(RowBytes, B.add(Lane, InChunk))),
        Row * From.rowBytes() + (Place & ~InBlock) * SharedTile::ChunkBytes);
    return split(At);
  }

  /// The same for a number that is known when the code runs only.
  std::pair<Value, Value> load(Value RowBytes, Value Row, int64_t Block) {
    Value Swizzled = B.bitXor(From.swizzle(B, Row), LaneChunk);
    Value Place = B.bitOr(B.mul(Swizzled, SharedTile::ChunkBytes), InChunk);
    Value OfBlock =
        B.bitXor(Place, B.i32(Block * 8 / Chunks * SharedTile::ChunkBytes));
    Value OfRow = B.add(RowBytes, B.mul(Row, From.rowBytes()));
    return split(B.bytes(From.Base, B.add(OfRow, OfBlock)));
  }

private:
  std::pair<Value, Value> split(Value At) {
    if (!From.Element.isF32())
      return B.unpack(B.load(B.getI32Type(), At), From.Element);
    NvBuilder::Values Pair =
        elements(B, B.load(VectorType::get({2}, B.getF32Type()), At));
    return {Pair[0], Pair[1]};
  }

  NvBuilder &B;
  const SharedTile &From;
  int64_t Chunks;
  Value InChunk, LaneChunk;
};

/// O + P V over a few column blocks of P. The loop over blocks moves the
/// registers of P and the bits on, so that its body always uses the first ones.
class FusedAccumulate {
public:
  /// With `IsRare` keys are taken in a loop: an eighth of the code.
  FusedAccumulate(NvBuilder &B, const FragmentLayout &O,
                  const FragmentLayout &P, const SharedTile &V, bool IsRare)
      : B(B), O(O), P(P), V(V), IsRare(IsRare), Values(B, V, O),
        Quad(B.bitAnd(B.lane(), ~int64_t{3})) {}

  /// Blocks [First, First + Count) of P, at most eight of them.
  NvBuilder::Values emit(const NvBuilder::Values &Sums, const Fragment &Weights,
                         const KeptBits *Where, int64_t First, int64_t Count);

private:
  /// Key number `Key` of a block: `Block` are the four weights of every row
  /// block, `Words` the bits of every row, those of this block first.
  void emitKey(MutableArrayRef<Value> Sums, ArrayRef<Value> Block,
               ArrayRef<Value> Words, Value RowBytes, int64_t Key);
  void emitKey(MutableArrayRef<Value> Sums, ArrayRef<Value> Block,
               ArrayRef<Value> Words, Value RowBytes, Value Key);
  /// Adds a row of V, whose columns `Load` reads two at a time, times a weight
  /// per row of the thread; `Kept` (i1 per row) may be empty.
  void addRow(MutableArrayRef<Value> Sums, ArrayRef<Value> Weight,
              ArrayRef<Value> Kept,
              function_ref<std::pair<Value, Value>(int64_t Column)> Load);

  NvBuilder &B;
  FragmentLayout O, P;
  const SharedTile &V;
  bool IsRare;
  PairReader Values;
  Value Quad;
};

} // namespace

void FusedAccumulate::emitKey(MutableArrayRef<Value> Sums,
                              ArrayRef<Value> Block, ArrayRef<Value> Words,
                              Value RowBytes, int64_t Key) {
  BlockLayout::Holder Holder = BlockLayout::accumulator().find({0, Key});
  Value From = B.add(Quad, Holder.Lane);
  NvBuilder::Values Weight, Kept;
  for (int64_t Stat = 0; Stat < P.stats(); ++Stat) {
    int64_t Element = Stat % 2 * 2 + Holder.Element;
    Weight.push_back(B.shuffle(Block[Stat / 2 * 4 + Element], From));
    if (Words.empty())
      continue;
    // What the other lane contributes to the column is gone from its words.
    Value Bits = B.shuffle(Words[Stat], From);
    int64_t Column = BlockLayout::accumulator().at(Holder.Element, 0).Column;
    Kept.push_back(B.cmp(arith::CmpIPredicate::ne,
                         B.bitAnd(Bits, int64_t{1} << Column), 0));
  }
  addRow(Sums, Weight, Kept,
         [&](int64_t Column) { return Values.load(RowBytes, Key, Column); });
}

// Keys 2c and 2c + 1 are elements 0 and 1 of lane c in the quad.
void FusedAccumulate::emitKey(MutableArrayRef<Value> Sums,
                              ArrayRef<Value> Block, ArrayRef<Value> Words,
                              Value RowBytes, Value Key) {
  Value From = B.add(Quad, B.shr(Key, 1)), Odd = B.bitAnd(Key, 1);
  Value IsOdd = B.cmp(arith::CmpIPredicate::ne, Odd, 0);
  NvBuilder::Values Weight, Kept;
  for (int64_t Stat = 0; Stat < P.stats(); ++Stat) {
    ArrayRef<Value> Pair = Block.slice(Stat / 2 * 4 + Stat % 2 * 2, 2);
    Weight.push_back(B.shuffle(B.select(IsOdd, Pair[1], Pair[0]), From));
    if (Words.empty())
      continue;
    Value Bits = arith::ShRUIOp::create(B, B.shuffle(Words[Stat], From), Odd);
    Kept.push_back(B.cmp(arith::CmpIPredicate::ne, B.bitAnd(Bits, 1), 0));
  }
  addRow(Sums, Weight, Kept,
         [&](int64_t Column) { return Values.load(RowBytes, Key, Column); });
}

void FusedAccumulate::addRow(
    MutableArrayRef<Value> Sums, ArrayRef<Value> Weight, ArrayRef<Value> Kept,
    function_ref<std::pair<Value, Value>(int64_t Column)> Load) {
  for (int64_t Column = 0; Column < O.columnBlocks(); ++Column) {
    auto [Low, High] = Load(Column);
    const Value Pair[] = {Low, High};
    for (int64_t Stat = 0; Stat < O.stats(); ++Stat)
      for (auto [Odd, X] : llvm::enumerate(Pair)) {
        Value &Sum = Sums[O.registerOf(
            Stat / 2, Column, Stat % 2 * 2 + static_cast<int64_t>(Odd))];
        Value Next = B.fma(Weight[Stat], X, Sum);
        Sum = Kept.empty() ? Next : B.select(Kept[Stat], Next, Sum);
      }
  }
}

NvBuilder::Values FusedAccumulate::emit(const NvBuilder::Values &Sums,
                                        const Fragment &Weights,
                                        const KeptBits *Where, int64_t First,
                                        int64_t Count) {
  // Sums, then per row block the weights, then per row the words.
  NvBuilder::Values Inits = Sums;
  int64_t Width = Count * 4;
  for (int64_t Row = 0; Row < P.rowBlocks(); ++Row)
    for (int64_t I = 0; I < Width; ++I)
      Inits.push_back(Weights.Regs[P.registerOf(Row, First, 0) + I]);
  // Blocks of 32 columns have words of their own.
  int64_t FirstWord = First * 8 / WordBits;
  int64_t NumWords = roundUp(Count * 8, WordBits) / WordBits;
  for (int64_t Stat = 0; Where && Stat < P.stats(); ++Stat)
    llvm::append_range(Inits, Where->row(Stat).slice(FirstWord, NumWords));
  NvBuilder::Values Results =
      B.loop(Count, 1, Inits, [&](Value Block, ValueRange Carried) {
        auto Now = llvm::to_vector(Carried);
        MutableArrayRef<Value> All(Now);
        MutableArrayRef<Value> Regs =
            All.slice(Sums.size(), P.rowBlocks() * Width);
        MutableArrayRef<Value> Words =
            All.drop_front(Sums.size() + Regs.size());
        NvBuilder::Values Current, Bits;
        for (size_t I = 0; I < Words.size(); I += NumWords)
          Bits.push_back(Words[I]);
        for (int64_t Row = 0; Row < P.rowBlocks(); ++Row)
          llvm::append_range(Current, Regs.slice(Row * Width, 4));
        Value RowBytes = B.mul(B.add(Block, First), 8 * V.rowBytes());
        MutableArrayRef<Value> Before = All.take_front(Sums.size());
        if (IsRare)
          llvm::copy(B.loop(8, 1, Before,
                            [&](Value Key, ValueRange Carried) {
                              auto After = llvm::to_vector(Carried);
                              emitKey(After, Current, Bits, RowBytes, Key);
                              return After;
                            }),
                     Before.begin());
        for (int64_t Key = 0; !IsRare && Key < 8; ++Key)
          emitKey(Before, Current, Bits, RowBytes, Key);
        for (int64_t Row = 0; Row < P.rowBlocks(); ++Row)
          std::rotate(Regs.begin() + Row * Width,
                      Regs.begin() + Row * Width + 4,
                      Regs.begin() + (Row + 1) * Width);
        for (size_t I = 0; I < Words.size(); I += NumWords)
          shiftColumns(B, Words.slice(I, NumWords));
        return Now;
      });
  Results.truncate(Sums.size());
  return Results;
}

Fragment heddle::nv::emitFusedAccumulate(NvBuilder &B, const Fragment &O,
                                         const Fragment &P, const SharedTile &V,
                                         const KeptBits *Where, bool IsRare) {
  constexpr int64_t AtOnce = 8;
  FusedAccumulate Product(B, O.Of, P.Of, V, IsRare);
  Fragment Result = O;
  int64_t Blocks = P.Of.columnBlocks();
  for (int64_t First = 0; First < Blocks; First += AtOnce)
    Result.Regs = Product.emit(Result.Regs, P, Where, First,
                               std::min(AtOnce, Blocks - First));
  return Result;
}

//===----------------------------------------------------------------------===//
// Elements that are not finite
//===----------------------------------------------------------------------===//

Value heddle::nv::emitHasNonFinite(NvBuilder &B, const SharedTile &V) {
  // Of both halves of a word at once: an exponent of ones and one more is the
  // half's upper bit. Of f32, with half a unit of tf32 added, those too are
  // found that rounding makes infinite.
  struct Pattern {
    int64_t Kept, Added, Upper;
  };
  const Pattern Bits =
      V.Element.isF32()    ? Pattern{0x7fffffff, 0x00801000, 0x80000000}
      : V.Element.isBF16() ? Pattern{0x7f807f80, 0x00800080, 0x80008000}
                           : Pattern{0x7c007c00, 0x04000400, 0x80008000};
  auto Test = [&](Value Number, Value Before) {
    Value At = B.bytes(V.Base, B.mul(Number, SharedTile::ChunkBytes));
    auto Four = VectorType::get({4}, B.getI32Type());
    for (Value Word : elements(B, B.load(Four, At, SharedTile::ChunkBytes)))
      Before = B.bitOr(Before, B.add(B.bitAnd(Word, Bits.Kept), Bits.Added));
    return Before;
  };
  // Any chunk will do for the threads that have one less than others.
  int64_t Chunks = V.Rows * V.chunks(), Threads = B.config().threads();
  NvBuilder::Values Found =
      B.loop(roundUp(Chunks, Threads), Threads, {B.i32(0)},
             [&](Value First, ValueRange Carried) -> NvBuilder::Values {
               Value Number = B.add(First, B.thread());
               if (Chunks % Threads != 0)
                 Number = B.min(Number, B.i32(Chunks - 1));
               return {Test(Number, Carried.front())};
             });
  return B.anyOfCta(
      B.cmp(arith::CmpIPredicate::ne, B.bitAnd(Found.front(), Bits.Upper), 0));
}
