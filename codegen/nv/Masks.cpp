// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a formula to words of bits. What a row keeps of consecutive keys is two
// bounds, or bits that lie side by side in a set: made for a row as a whole.
// Only what is left is asked pair by pair, in a loop, so that neither code nor
// registers grow with the tile.

#include "codegen/nv/Masks.h"

#include "codegen/nv/TileLowering.h"
#include "dialect/attn/Formula.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;
using attn::FormulaKind;

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

Value KeptBits::keeps(NvBuilder &B, int64_t Register) const {
  int64_t Column = Of.at(Register, 0, 0).Column;
  Value Word = row(Of.statOf(Register))[Column / WordBits];
  return B.cmp(CmpIPredicate::ne,
               B.bitAnd(Word, B.i32(int64_t{1} << Column % WordBits)), 0);
}

KeptBits heddle::nv::packBits(NvBuilder &B, const Fragment &Bits) {
  KeptBits Result{Bits.Of, Value(), {}};
  Result.Words.assign(Bits.Of.stats() * Result.words(), B.i32(0));
  for (auto [I, Bit] : llvm::enumerate(Bits.Regs)) {
    auto Register = static_cast<int64_t>(I);
    int64_t Column = Bits.Of.at(Register, 0, 0).Column;
    Value &Word = Result.Words[Bits.Of.statOf(Register) * Result.words() +
                               Column / WordBits];
    Word = B.bitOr(Word, B.shl(B.toI32(Bit), Column % WordBits));
  }
  return Result;
}

Fragment heddle::nv::selectKept(NvBuilder &B, const Fragment &X,
                                const KeptBits &Bits, float Other) {
  if (Bits.Words.empty())
    return X;
  Value Else = B.f32(Other);
  auto Select = [&] {
    return mapRegisters(B, X, [&](Value E, int64_t I) {
      return B.select(Bits.keeps(B, I), E, Else);
    });
  };
  if (!Bits.IsPartial)
    return Select();
  return {X.Of, B.branch(
                    Bits.IsPartial, ValueRange(X.Regs).getTypes(),
                    [&] { return Select().Regs; }, [&] { return X.Regs; })};
}

void heddle::nv::shiftColumns(NvBuilder &B, MutableArrayRef<Value> Words,
                              Value Next) {
  constexpr int64_t Step = 8;
  for (size_t I = 0; I < Words.size(); ++I) {
    Value After = I + 1 < Words.size() ? Words[I + 1] : Next;
    Words[I] = B.shr(Words[I], Step);
    if (After)
      Words[I] = B.bitOr(Words[I], B.shl(After, WordBits - Step));
  }
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

namespace {

/// Makes the words of a tile.
class MaskMaker {
public:
  using Values = NvBuilder::Values;

  MaskMaker(NvBuilder &B, const FragmentLayout &Of, const nv::Coordinates &At,
            Value NumKeys, ArrayRef<Value> Integers, ParameterAccess &Access)
      : B(B), Of(Of), At(At), NumKeys(NumKeys), Integers(Integers),
        Access(Access), NumWords(roundUp(Of.Columns, WordBits) / WordBits),
        Lane(BlockLayout::accumulator().laneColumn(B)) {
    for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
      Rows.push_back(Of.rowOfStat(B, Stat));
      Queries.push_back(At.query(B, Rows.back()));
    }
  }

  Values make(attn::FormulaAttr Formula);

private:
  /// Words of a formula, all rows one after the other; nothing where it has to
  /// be asked pair by pair as a whole.
  std::optional<Values> rowByRow(attn::FormulaAttr F);
  std::optional<Values> connective(attn::FormulaAttr F);
  std::optional<Values> bounded(attn::FormulaAttr F);
  std::optional<Values> sideBySide(attn::FormulaAttr F);
  Values pairByPair(attn::FormulaAttr F);

  bool looksAtKeys(attn::FormulaAttr F) const {
    return llvm::any_of(llvm::seq(attn::kNumAxes), [&](unsigned Axis) {
      return attn::uses(F, attn::keyDim(Axis));
    });
  }
  /// Keys that follow one another, in boxes of powers of two or in none.
  bool isRegular() const {
    return !At.Listed && llvm::all_of(At.KeyBox, llvm::isPowerOf2_64);
  }
  attn::Coordinates point(int64_t Stat, ArrayRef<Value> Key) {
    return {At.Batch, At.Head,  Queries[Stat], llvm::to_vector(Key),
            NumKeys,  Integers, &Access};
  }
  Values all(bool Truth) {
    return Values(Of.stats() * NumWords, B.i32(Truth ? -1 : 0));
  }
  /// Bits of the columns whose coordinate along an axis is below `End` (i64).
  Values below(Value End, unsigned Axis);
  /// The lowest `Count` bits (i32, 0 to 32).
  Value lowest(Value Count) {
    Value Some = B.sub(arith::ShLIOp::create(B, B.i32(1), Count), B.i32(1));
    return B.select(B.cmp(CmpIPredicate::sge, Count, WordBits), B.i32(-1),
                    Some);
  }

  NvBuilder &B;
  FragmentLayout Of;
  const nv::Coordinates &At;
  Value NumKeys;
  SmallVector<Value> Integers;
  ParameterAccess &Access;
  int64_t NumWords;
  /// What the lane contributes to the column.
  Value Lane;
  Values Rows;
  SmallVector<SmallVector<Value>> Queries;
};

} // namespace

MaskMaker::Values MaskMaker::below(Value End, unsigned Axis) {
  // Columns are numbers whose digits are the coordinates: this axis's digit
  // counts in steps of `Step` and repeats after `Period` columns.
  ArrayRef<int64_t> Box = At.KeyBox;
  int64_t Step = 1, Extent = NumWords * WordBits;
  if (!Box.empty()) {
    for (int64_t Inner : Box.take_back(Axis))
      Step *= Inner;
    Extent = Box[Box.size() - 1 - Axis];
  }
  int64_t Period = Step * Extent;
  Value First = At.FirstKey[At.FirstKey.size() - 1 - Axis];
  Value Count =
      B.toI32(B.max(B.min(B.sub(End, First), B.i64(Extent)), B.i64(0)));
  Count = B.mul(Count, Step);
  Values Result;
  for (int64_t Word = 0; Word < NumWords; ++Word) {
    if (Period <= WordBits) {
      int64_t Ones = 0;
      for (int64_t I = 0; I < WordBits; I += Period)
        Ones |= int64_t{1} << I;
      Result.push_back(B.mul(lowest(Count), B.i32(Ones)));
      continue;
    }
    Value Here = B.add(Count, -(Word * WordBits % Period));
    Result.push_back(lowest(B.min(B.max(Here, B.i32(0)), B.i32(WordBits))));
  }
  for (Value &Word : Result)
    Word = arith::ShRUIOp::create(B, Word, Lane);
  return Result;
}

std::optional<MaskMaker::Values> MaskMaker::bounded(attn::FormulaAttr F) {
  if (!isRegular() || F.getKind() != FormulaKind::Between)
    return std::nullopt;
  Values Result;
  for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
    attn::Coordinates Here = point(Stat, At.FirstKey);
    std::optional<attn::EmittedKeys> Keys;
    unsigned Axis = 0;
    for (; Axis < At.FirstKey.size() && !Keys; ++Axis)
      Keys = attn::emitKeys(B, B.getLoc(), F, Axis, Here);
    if (!Keys)
      return std::nullopt;
    --Axis;
    Values Row(NumWords, B.i32(-1));
    if (Keys->end)
      Row = below(Keys->end, Axis);
    if (Keys->begin)
      for (auto [Word, Before] : llvm::zip_equal(Row, below(Keys->begin, Axis)))
        Word = B.bitAnd(Word, B.bitXor(Before, B.i32(-1)));
    llvm::append_range(Result, Row);
  }
  return Result;
}

std::optional<MaskMaker::Values> MaskMaker::sideBySide(attn::FormulaAttr F) {
  auto Set = F.getKind() == FormulaKind::Member
                 ? dyn_cast<attn::ListAttr>(F.getSet())
                 : attn::ListAttr();
  if (!Set || At.Listed || !At.KeyBox.empty())
    return std::nullopt;
  for (AffineExpr Index : Set.getIndices())
    if (attn::uses(Index, attn::DimK))
      return std::nullopt;
  // k or -k, and what does not look at k.
  int64_t Sign = 0;
  for (auto [Leaf, Factor] : attn::linearize(F.getForm()).terms)
    if (Leaf == getAffineDimExpr(attn::DimK, B.getContext()))
      Sign = Factor;
    else if (attn::uses(Leaf, attn::DimK))
      return std::nullopt;
  if (Sign != 1 && Sign != -1)
    return std::nullopt;

  Values Result;
  for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
    attn::Coordinates Here = point(Stat, At.FirstKey);
    SmallVector<Value> Indices;
    for (AffineExpr Index : Set.getIndices())
      Indices.push_back(attn::emitValue(B, B.getLoc(), Index, Here));
    Value First = attn::emitValue(B, B.getLoc(), F.getForm(), Here);
    for (int64_t Word = 0; Word < NumWords; Word += 2) {
      // Falling numbers end where the first word begins.
      int64_t From = Sign > 0 ? Word * WordBits : -(Word + 2) * WordBits + 1;
      Value Bits =
          Access.bitsFrom(B, Set.getParam(), Indices, B.add(First, From));
      if (Sign < 0)
        Bits = LLVM::BitReverseOp::create(B, Bits);
      if (F.getNegated())
        Bits = B.bitXor(Bits, B.i64(-1));
      for (int64_t Half = 0; Half < 2 && Word + Half < NumWords; ++Half)
        Result.push_back(arith::ShRUIOp::create(
            B, B.toI32(B.shr(Bits, Half * WordBits)), Lane));
    }
  }
  return Result;
}

MaskMaker::Values MaskMaker::pairByPair(attn::FormulaAttr F) {
  // Eight columns at a time enter from above.
  Values Words = B.loop(
      Of.columnBlocks(), 1, all(false), [&](Value Block, ValueRange Carried) {
        Values Now = llvm::to_vector(Carried);
        Values Eight(Of.stats());
        for (int64_t Odd = 0; Odd < 2; ++Odd) {
          Value Column = B.add(B.add(Lane, Odd), B.mul(Block, 8));
          SmallVector<Value> Key = At.key(B, Column);
          for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
            Value Kept = attn::emitContains(B, B.getLoc(), F, point(Stat, Key));
            // A token that is none, -1, is as far beyond all keys as can be.
            if (At.Listed)
              Kept = B.bitAnd(Kept,
                              B.cmp(CmpIPredicate::ult, Key.front(), NumKeys));
            Value Bit = B.shl(B.toI32(Kept), Odd);
            Eight[Stat] = Eight[Stat] ? B.bitOr(Eight[Stat], Bit) : Bit;
          }
        }
        for (int64_t Stat = 0; Stat < Of.stats(); ++Stat)
          shiftColumns(B, MutableArrayRef(Now).slice(Stat * NumWords, NumWords),
                       Eight[Stat]);
        return Now;
      });
  for (int64_t Missing = Of.Columns; Missing < NumWords * WordBits;
       Missing += 8)
    for (int64_t Stat = 0; Stat < Of.stats(); ++Stat)
      shiftColumns(B, MutableArrayRef(Words).slice(Stat * NumWords, NumWords));
  return Words;
}

std::optional<MaskMaker::Values> MaskMaker::connective(attn::FormulaAttr F) {
  bool IsAll = F.getKind() == FormulaKind::All;
  Values Result;
  SmallVector<attn::FormulaAttr> Left;
  auto Combine = [&](const Values &Other) {
    if (Result.empty()) {
      Result = Other;
      return;
    }
    for (auto [X, Y] : llvm::zip_equal(Result, Other))
      X = IsAll ? B.bitAnd(X, Y) : B.bitOr(X, Y);
  };
  for (attn::FormulaAttr Child : F.getChildren()) {
    if (std::optional<Values> Words = rowByRow(Child))
      Combine(*Words);
    else
      Left.push_back(Child);
  }
  if (Result.empty())
    return std::nullopt;
  // One loop for all of these.
  if (!Left.empty())
    Combine(pairByPair(IsAll ? attn::getAll(B.getContext(), Left)
                             : attn::getAny(B.getContext(), Left)));
  return Result;
}

std::optional<MaskMaker::Values> MaskMaker::rowByRow(attn::FormulaAttr F) {
  if (!looksAtKeys(F)) {
    Values Result;
    for (int64_t Stat = 0; Stat < Of.stats(); ++Stat) {
      Value Kept =
          attn::emitContains(B, B.getLoc(), F, point(Stat, At.FirstKey));
      Result.append(NumWords, B.select(Kept, B.i32(-1), B.i32(0)));
    }
    return Result;
  }
  if (F.getKind() == FormulaKind::All || F.getKind() == FormulaKind::Any)
    return connective(F);
  if (std::optional<Values> Bounded = bounded(F))
    return Bounded;
  return sideBySide(F);
}

MaskMaker::Values MaskMaker::make(attn::FormulaAttr Formula) {
  if (At.Listed)
    return pairByPair(Formula);
  std::optional<Values> Rows = rowByRow(Formula);
  Values Result = Rows ? *Rows : pairByPair(Formula);
  // Boxes have keys outside of the grid excluded by the formula.
  if (!At.KeyBox.empty())
    return Result;
  Values Inside = below(NumKeys, 0);
  for (auto [I, Word] : llvm::enumerate(Result))
    Word = B.bitAnd(Word, Inside[I % NumWords]);
  return Result;
}

//===----------------------------------------------------------------------===//
// Verbs
//===----------------------------------------------------------------------===//

/// Words in which the columns below `Count` are kept, those of all rows.
static NvBuilder::Values columnsBelow(NvBuilder &B, const KeptBits &Like,
                                      int64_t Count) {
  NvBuilder::Values Result;
  Value Lane = BlockLayout::accumulator().laneColumn(B);
  for (int64_t Stat = 0; Stat < Like.Of.stats(); ++Stat)
    for (int64_t Word = 0; Word < Like.words(); ++Word) {
      const int64_t Here =
          std::clamp<int64_t>(Count - Word * WordBits, 0, WordBits);
      Value Ones = B.i32(static_cast<int32_t>((int64_t{1} << Here) - 1));
      Result.push_back(arith::ShRUIOp::create(B, Ones, Lane));
    }
  return Result;
}

void TileLowering::lower(tile::BitsOp Op) {
  KeptBits Bits{layout(Op.getBits()), Value(), {}};
  const int64_t Columns =
      cast<RankedTensorType>(Op.getBits().getType()).getDimSize(1);
  const bool IsPadded = Columns < Bits.Of.Columns;
  IntegerAttr Known;
  if (!matchPattern(Op.getStatus(), m_Constant(&Known))) {
    Bits.IsPartial =
        B.cmp(CmpIPredicate::ne, scalar(Op.getStatus()), tile::Full);
  } else if (Known.getInt() == tile::Full) {
    Bits.IsPartial = B.i1(false);
    if (IsPadded)
      Bits = {Bits.Of, Value(), columnsBelow(B, Bits, Columns)};
    define(Op.getBits(), Bits);
    return;
  }
  auto Make = [&]() -> Values {
    nv::Coordinates At = coordinates(Op);
    Values Params, Integers;
    for (Value Param : Op.getParams()) {
      bool IsReal = Param.getType().isF32();
      Params.push_back(IsReal ? Value() : operand(Param));
      Integers.push_back(Param.getType().isIndex() ? Params.back() : Value());
    }
    ParameterAccess Access(lanes(), Params, &Functions,
                           OperandMemory::Fields::Here);
    return MaskMaker(B, Bits.Of, At, scalarI64(Op.getNumKeys()), Integers,
                     Access)
        .make(Op.getFormula());
  };
  if (!Bits.IsPartial) {
    Bits.Words = Make();
  } else {
    Values Ones(Bits.Of.stats() * Bits.words(), B.i32(-1));
    Bits.Words = B.branch(Bits.IsPartial, ValueRange(Ones).getTypes(), Make,
                          [&] { return Ones; });
  }
  // A tile with padding always has something to mask.
  if (IsPadded) {
    Bits.IsPartial = {};
    for (auto [Word, Exist] :
         llvm::zip_equal(Bits.Words, columnsBelow(B, Bits, Columns)))
      Word = B.bitAnd(Word, Exist);
  }
  define(Op.getBits(), std::move(Bits));
}
