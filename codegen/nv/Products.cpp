// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Products.h"

#include "codegen/nv/FusedProducts.h"
#include "codegen/nv/MatrixRegs.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/STLExtras.h"

#include <optional>

using namespace heddle::nv;
using namespace mlir;

/// Rows of a block of queries.
static constexpr int64_t MmaRows = 16;

bool heddle::nv::usesMatrixUnit(const Config &C, Type Element) {
  return !Element.isF32() || C.Tf32;
}

static Multiplicand multiplicandOf(Type Element) {
  return Element.isF32() ? Multiplicand::Tf32 : Multiplicand::Half;
}

/// The length of the sums of one block.
static int64_t depthOf(Type Element) {
  return BlockLayout::operandA(multiplicandOf(Element)).extents().Column;
}

/// f32, or its bits, as a register of tf32: to nearest, ties away from zero.
static Value roundToTf32(NvBuilder &B, Value X) {
  return NVVM::ConvertFloatToTF32Op::create(B, B.getI32Type(),
                                            B.bitcast(X, B.getF32Type()),
                                            NVVM::FPRoundingMode::RNA);
}

/// A block as the tensor cores take it.
static NvBuilder::Values loadOperand(NvBuilder &B, MatrixReader &From,
                                     Type Element, int64_t Row,
                                     int64_t Column) {
  NvBuilder::Values Words = From.load(Row, Column);
  if (Element.isF32())
    for (Value &Word : Words)
      Word = roundToTf32(B, Word);
  return Words;
}

/// D = A B + D for one block: PTX ISA, "Matrix multiply-accumulate operation
/// using mma instruction".
static void emitMma(NvBuilder &B, Type Element, ArrayRef<Value> A,
                    ArrayRef<Value> Other, MutableArrayRef<Value> D) {
  // The operation takes bf16 and tf32 as words and f16 as vectors.
  auto Operands = [&](ArrayRef<Value> Words) {
    return llvm::map_to_vector(Words, [&](Value Word) {
      return Element.isF16() ? B.bitcast(Word, VectorType::get({2}, Element))
                             : Word;
    });
  };
  auto Result = LLVM::LLVMStructType::getLiteral(
      B.getContext(), SmallVector<Type>(4, B.getF32Type()));
  NVVM::MMATypes Types = Element.isF16()    ? NVVM::MMATypes::f16
                         : Element.isBF16() ? NVVM::MMATypes::bf16
                                            : NVVM::MMATypes::tf32;
  Value Sums = NVVM::MmaOp::create(
      B, Result, Operands(A), Operands(Other), ValueRange(D),
      ArrayRef<int64_t>{16, 8, depthOf(Element)}, std::nullopt, std::nullopt,
      std::array<NVVM::MMATypes, 2>{Types, Types},
      std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                     NVVM::MMALayout::col});
  for (auto [I, Sum] : llvm::enumerate(D))
    Sum = LLVM::ExtractValueOp::create(B, Sums, static_cast<int64_t>(I));
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

bool heddle::nv::queryFitsRegisters(const Config &C, int64_t Features,
                                    Type Element) {
  int64_t Blocks =
      roundUp(Features, 16) / depthOf(Element) * (C.Rows / MmaRows);
  return usesMatrixUnit(C, Element) && Blocks * 4 <= C.QueryRegisters;
}

static MatrixReader queryReader(NvBuilder &B, const SharedTile &Q) {
  return {B, Q, BlockLayout::operandA(multiplicandOf(Q.Element)), Storage::Rows,
          B.mul(B.warp(), B.config().Rows)};
}

QueryOperand heddle::nv::loadQueryOperand(NvBuilder &B, const SharedTile &Q) {
  QueryOperand Result{Q, {}};
  const Config &C = B.config();
  if (!queryFitsRegisters(C, Q.Columns, Q.Element))
    return Result;
  MatrixReader Reader = queryReader(B, Q);
  for (int64_t Row = 0; Row < C.Rows; Row += MmaRows)
    for (int64_t Feature = 0; Feature < Q.Columns;
         Feature += depthOf(Q.Element))
      llvm::append_range(Result.Regs,
                         loadOperand(B, Reader, Q.Element, Row, Feature));
  return Result;
}

Value heddle::nv::takeSign(NvBuilder &B, QueryOperand &Q, Value Factor) {
  using arith::CmpFPredicate;
  // Of both halves of a word, or of the one element there is.
  const int64_t SignBits = Q.Shared.Element.isF32() ? 0x80000000 : 0x80008000;
  Value Zero = B.f32(0.0F);
  Value IsZero = B.cmp(CmpFPredicate::OEQ, Factor, Zero);
  Value Sign = B.select(B.cmp(CmpFPredicate::OLT, Factor, Zero),
                        B.i32(SignBits), B.i32(0));
  Value Kept = B.select(IsZero, B.i32(0), B.i32(-1));
  for (Value &Word : Q.Regs)
    Word = B.bitXor(B.bitAnd(Word, Kept), Sign);
  return B.select(IsZero, B.f32(1.0F), LLVM::FAbsOp::create(B, Factor));
}

static Fragment emitMmaScores(NvBuilder &B, const QueryOperand &Q,
                              const SharedTile &K, Fragment S) {
  const FragmentLayout &Of = S.Of;
  MatrixReader Keys(B, K, BlockLayout::operandBPair(multiplicandOf(K.Element)),
                    Storage::Columns);
  std::optional<MatrixReader> Queries;
  if (Q.Regs.empty())
    Queries.emplace(queryReader(B, Q.Shared));
  MutableArrayRef<Value> Sums(S.Regs);
  int64_t Depth = depthOf(K.Element), Steps = K.Columns / Depth;
  for (int64_t Step = 0; Step < Steps; ++Step) {
    SmallVector<NvBuilder::Values> Rows;
    for (int64_t Row = 0; Row < Of.rowBlocks(); ++Row)
      if (Queries)
        Rows.push_back(
            loadOperand(B, *Queries, K.Element, Row * MmaRows, Step * Depth));
      else
        Rows.emplace_back(ArrayRef(Q.Regs).slice((Row * Steps + Step) * 4, 4));
    for (int64_t Key = 0; Key < K.Rows; Key += 16) {
      NvBuilder::Values Pair =
          loadOperand(B, Keys, K.Element, Key, Step * Depth);
      for (int64_t Row = 0; Row < Of.rowBlocks(); ++Row)
        for (int64_t Half = 0; Half < 2; ++Half)
          emitMma(B, K.Element, Rows[Row], ArrayRef(Pair).slice(Half * 2, 2),
                  Sums.slice(Of.registerOf(Row, Key / 8 + Half, 0), 4));
    }
  }
  return S;
}

Fragment heddle::nv::addScores(NvBuilder &B, const QueryOperand &Q,
                               const SharedTile &K, const Fragment &S) {
  return usesMatrixUnit(B.config(), K.Element)
             ? emitMmaScores(B, Q, K, S)
             : emitFusedScores(B, Q.Shared, K, S);
}

Fragment heddle::nv::emitScores(NvBuilder &B, const QueryOperand &Q,
                                const SharedTile &K, Value Factor) {
  const FragmentLayout Of{B.config().Rows, B.config().Warps, K.Rows};
  Fragment S = addScores(B, Q, K, fillFragment(B, Of, 0.0F));
  return Factor ? scale(B, S, Factor) : S;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

namespace {

/// Weights as operands A, in the type of the values: of so many keys as a block
/// is deep, block row by block row, then of the next ones. What a lane has of
/// an accumulator is what it has to have of such an operand.
class PackedWeights {
public:
  PackedWeights(NvBuilder &B, const Fragment &P, Type Element);

  ArrayRef<Value> block(int64_t Row, int64_t Key) const {
    return Blocks[Key / depthOf(Element) * Of.rowBlocks() + Row];
  }
  /// As they are after rounding to f16 or bf16.
  Fragment unpack(NvBuilder &B) const;

private:
  /// The register of element `I` of a block.
  int64_t place(int64_t Row, int64_t Key, int64_t I) const {
    Point At = Layout.at(I, 0);
    return Of.find({Row * MmaRows + At.Row, Key + At.Column})->Register;
  }
  /// For all blocks.
  template <typename F> void forEachBlock(F Visit) const {
    for (int64_t Key = 0; Key < Of.Columns; Key += depthOf(Element))
      for (int64_t Row = 0; Row < Of.rowBlocks(); ++Row)
        Visit(Row, Key);
  }

  FragmentLayout Of;
  Type Element;
  BlockLayout Layout;
  SmallVector<NvBuilder::Values> Blocks;
};

} // namespace

PackedWeights::PackedWeights(NvBuilder &B, const Fragment &P, Type Element)
    : Of(P.Of), Element(Element),
      Layout(BlockLayout::weights(multiplicandOf(Element))) {
  forEachBlock([&](int64_t Row, int64_t Key) {
    auto Weight = [&](int64_t I) { return P.Regs[place(Row, Key, I)]; };
    NvBuilder::Values &Words = Blocks.emplace_back();
    if (Element.isF32())
      for (int64_t I = 0; I < Layout.elements(); ++I)
        Words.push_back(roundToTf32(B, Weight(I)));
    else
      for (int64_t I = 0; I < Layout.elements(); I += 2)
        Words.push_back(B.pack(Weight(I), Weight(I + 1), Element));
  });
}

Fragment PackedWeights::unpack(NvBuilder &B) const {
  Fragment P{Of, NvBuilder::Values(Of.registers())};
  forEachBlock([&](int64_t Row, int64_t Key) {
    int64_t I = 0;
    for (Value Word : block(Row, Key)) {
      auto [Low, High] = B.unpack(Word, Element);
      P.Regs[place(Row, Key, I++)] = Low;
      P.Regs[place(Row, Key, I++)] = High;
    }
  });
  return P;
}

static Fragment emitMmaAccumulate(NvBuilder &B, const Fragment &O,
                                  const PackedWeights &P, const SharedTile &V) {
  Fragment Result = O;
  MutableArrayRef<Value> Sums(Result.Regs);
  MatrixReader Values(B, V, BlockLayout::valuePair(multiplicandOf(V.Element)),
                      Storage::RowsTransposed);
  for (int64_t Key = 0; Key < V.Rows; Key += depthOf(V.Element))
    for (int64_t Feature = 0; Feature < V.Columns; Feature += 16) {
      NvBuilder::Values Pair = loadOperand(B, Values, V.Element, Key, Feature);
      for (int64_t Row = 0; Row < O.Of.rowBlocks(); ++Row)
        for (int64_t Half = 0; Half < 2; ++Half)
          emitMma(B, V.Element, P.block(Row, Key),
                  ArrayRef(Pair).slice(Half * 2, 2),
                  Sums.slice(O.Of.registerOf(Row, Feature / 8 + Half, 0), 4));
    }
  return Result;
}

/// Whether a weight of the warp would be infinite as f16.
static Value exceedsHalf(NvBuilder &B, const Fragment &P) {
  constexpr float LargestHalf = 65504;
  Value Most = B.f32(0.0F);
  for (Value X : P.Regs)
    Most = B.fmax(Most, LLVM::FAbsOp::create(B, X));
  return B.anyOfWarp(
      B.cmp(arith::CmpFPredicate::OGT, Most, B.f32(LargestHalf)));
}

void heddle::nv::emitAccumulate(NvBuilder &B, Fragment &O, const Fragment &P,
                                const SharedTile &V, WeightRange Range) {
  const bool IsMatrix = usesMatrixUnit(B.config(), V.Element);
  auto Fused = [&] {
    return emitFusedAccumulate(B, O, P, V, nullptr, /*IsRare=*/IsMatrix).Regs;
  };
  auto Matrix = [&] {
    return emitMmaAccumulate(B, O, PackedWeights(B, P, V.Element), V).Regs;
  };
  if (!IsMatrix)
    O.Regs = Fused();
  else if (V.Element.isF16() && Range == WeightRange::Any)
    O.Regs = B.branch(exceedsHalf(B, P), ValueRange(O.Regs).getTypes(), Fused,
                      Matrix);
  else
    O.Regs = Matrix();
}

void heddle::nv::emitAccumulate(NvBuilder &B, Fragment &O, const Fragment &P,
                                const SharedTile &V, WeightRange Range,
                                const KeptBits &Where) {
  // 0 times an infinity is not 0: a tile without them is the rule. What no
  // tensor core multiplies needs no test: that product can leave out pairs
  // anyway.
  const bool IsMatrix = usesMatrixUnit(B.config(), V.Element);
  auto Test = [&]() -> NvBuilder::Values {
    return {IsMatrix ? emitHasNonFinite(B, V) : B.i1(true)};
  };
  Value IsSlow =
      Where.IsPartial
          ? B.branch(Where.IsPartial, {B.getI1Type()}, Test,
                     [&]() -> NvBuilder::Values { return {B.i1(false)}; })[0]
          : Test()[0];
  // Rounded ahead of the branch, weights take half the registers beside the
  // scores of the next tile.
  std::optional<PackedWeights> Packed;
  if (B.config().ScoresAhead && !V.Element.isF32() &&
      Range == WeightRange::AtMostOne)
    Packed.emplace(B, P, V.Element);
  O.Regs = B.branch(
      IsSlow, ValueRange(O.Regs).getTypes(),
      [&] {
        return emitFusedAccumulate(B, O, Packed ? Packed->unpack(B) : P, V,
                                   &Where, IsMatrix)
            .Regs;
      },
      [&] {
        if (Packed)
          return emitMmaAccumulate(B, O, *Packed, V).Regs;
        Fragment Result = O;
        emitAccumulate(B, Result, P, V, Range);
        return Result.Regs;
      });
}
