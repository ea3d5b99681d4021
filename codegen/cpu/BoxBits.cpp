// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/BoxBits.h"

#include "codegen/lanes/IndexAccess.h"
#include "dialect/attn/Formula.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;
using attn::FormulaAttr;
using attn::FormulaKind;

//===----------------------------------------------------------------------===//
// Taking apart
//===----------------------------------------------------------------------===//

std::optional<BoxBits> BoxBits::find(const BitsSource &Bits) {
  if (Bits.Full || Bits.At.KeyBox.size() < 2)
    return std::nullopt;
  BoxBits Result(Bits);
  std::optional<Node> Root = Result.add(Bits.Formula);
  if (!Root)
    return std::nullopt;
  Result.Root = std::move(*Root);
  return Result;
}

std::optional<size_t> BoxBits::axisOf(FormulaAttr Formula) const {
  std::optional<size_t> Found;
  for (size_t Axis = 0; Axis < axes(); ++Axis) {
    if (!attn::uses(Formula, attn::keyDim(axes() - 1 - Axis)))
      continue;
    if (Found)
      return std::nullopt;
    Found = Axis;
  }
  // What looks at no key may go with any.
  return Found.value_or(0);
}

BoxBits::Node BoxBits::addPart(FormulaAttr Formula, size_t Axis) {
  Parts.push_back({Formula, Axis});
  return {Formula.getKind(), {}, Parts.size() - 1};
}

std::optional<BoxBits::Node> BoxBits::add(FormulaAttr Formula) {
  if (std::optional<size_t> Axis = axisOf(Formula))
    return addPart(Formula, *Axis);
  FormulaKind Kind = Formula.getKind();
  if (Kind != FormulaKind::All && Kind != FormulaKind::Any)
    return std::nullopt;
  Node Result{Kind, {}, 0};
  SmallVector<SmallVector<FormulaAttr>> Alike(axes());
  for (FormulaAttr Child : Formula.getChildren()) {
    if (std::optional<size_t> Axis = axisOf(Child)) {
      Alike[*Axis].push_back(Child);
      continue;
    }
    std::optional<Node> Operand = add(Child);
    if (!Operand)
      return std::nullopt;
    Result.Operands.push_back(std::move(*Operand));
  }
  for (auto [Axis, Children] : llvm::enumerate(Alike)) {
    if (Children.empty())
      continue;
    MLIRContext *Context = Formula.getContext();
    Result.Operands.push_back(addPart(Kind == FormulaKind::All
                                          ? attn::getAll(Context, Children)
                                          : attn::getAny(Context, Children),
                                      Axis));
  }
  return Result;
}

//===----------------------------------------------------------------------===//
// Putting together
//===----------------------------------------------------------------------===//

int64_t BoxBits::runWords(KernelBuilder &B) const {
  return Bits.At.KeyBox.back() * rowLength(B, Bits.Type);
}

int64_t BoxBits::bytes(KernelBuilder &B) const {
  int64_t Words = 0;
  for (const Part &P : Parts)
    Words += runWords(B) * (P.Axis + 1 == axes() ? 1 : Bits.At.KeyBox[P.Axis]);
  return Words * wordType(B).getWidth() / 8;
}

Value BoxBits::table(KernelBuilder &B, Value Memory, size_t Number) const {
  int64_t Words = 0;
  for (const Part &P : ArrayRef(Parts).take_front(Number))
    Words += runWords(B) * (P.Axis + 1 == axes() ? 1 : Bits.At.KeyBox[P.Axis]);
  return B.offset(Memory, Words, wordType(B));
}

// The words of an outer coordinate are written once for every innermost one, so
// that those of a whole run are combined whatever their place in it.
void BoxBits::emitPart(KernelBuilder &B, const Part &P, Value Table) const {
  bool IsInner = P.Axis + 1 == axes();
  int64_t Length = rowLength(B, Bits.Type);
  FormulaBits Emitter(B, Bits, P.Formula);
  B.loop(Length, 1, [&](Value Vector) {
    SmallVector<Value> Queries = Bits.At.queries(B, B.mul(Vector, B.lanes()));
    B.loop(Bits.At.KeyBox[P.Axis], 1, [&](Value I) {
      SmallVector<Value> Keys = Bits.At.FirstKey;
      Keys[P.Axis] = B.add(Keys[P.Axis], I);
      Value Word = Emitter.words(Queries, Keys).front();
      Value First = B.add(B.mul(I, IsInner ? Length : runWords(B)), Vector);
      for (int64_t At = 0; At < (IsInner ? Length : runWords(B)); At += Length)
        B.storeScalar(Word, B.offset(B.offset(Table, First, wordType(B)), At,
                                     wordType(B)));
    });
    moveInvariants(B);
  });
}

Value BoxBits::combine(KernelBuilder &B, const Node &N,
                       function_ref<Value(size_t)> WordOf) const {
  if (N.Operands.empty())
    return WordOf(N.Part);
  Value Result;
  for (const Node &Operand : N.Operands) {
    Value Word = combine(B, Operand, WordOf);
    if (!Result)
      Result = Word;
    else if (N.Kind == FormulaKind::All)
      Result = arith::AndIOp::create(B, Result, Word);
    else
      Result = arith::OrIOp::create(B, Result, Word);
  }
  return Result;
}

void BoxBits::emitRuns(KernelBuilder &B, Value Memory, Value To,
                       SmallVectorImpl<Value> &At, Value Number) const {
  if (At.size() + 1 < axes()) {
    int64_t Extent = Bits.At.KeyBox[At.size()];
    B.loop(Extent, 1, [&](Value I) {
      At.push_back(I);
      emitRuns(B, Memory, To, At, B.add(B.mul(Number, Extent), I));
      At.pop_back();
    });
    return;
  }
  // Several words at once where they fit.
  int64_t RunBits = runWords(B) * wordType(B).getWidth();
  IntegerType Piece = RunBits % 64 == 0 ? B.getI64Type() : wordType(B);
  int64_t Pieces = RunBits / Piece.getWidth();
  SmallVector<Value> Runs;
  for (auto [I, P] : llvm::enumerate(Parts)) {
    Value Table = table(B, Memory, I);
    Runs.push_back(P.Axis + 1 == axes()
                       ? Table
                       : B.offset(Table, B.mul(At[P.Axis], Pieces), Piece));
  }
  Value Run = B.offset(To, B.mul(Number, Pieces), Piece);
  constexpr int64_t MostAtOnce = 8;
  int64_t AtOnce = largestDivisor(Pieces, MostAtOnce);
  B.loop(Pieces, AtOnce, [&](Value First) {
    for (int64_t I = 0; I < AtOnce; ++I) {
      Value Here = B.add(First, I);
      Value Word = combine(B, Root, [&](size_t Part) {
        return B.loadScalar(B.offset(Runs[Part], Here, Piece), Piece);
      });
      B.storeScalar(Word, B.offset(Run, Here, Piece));
    }
  });
}

void BoxBits::emit(KernelBuilder &B, Value Memory, Value To) const {
  for (auto [I, P] : llvm::enumerate(Parts))
    emitPart(B, P, table(B, Memory, I));
  SmallVector<Value> At;
  emitRuns(B, Memory, To, At, B.i64(0));
}
