// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Blocks of unknowns, each held in registers: first the products with all
// unknowns before the block, a matrix product, then those among themselves.

#include "codegen/cpu/Solve.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

namespace {
/// `Rows` unknowns from `First` on, in `Vectors` vectors from `Offset` on.
class UnknownBlock {
public:
  UnknownBlock(KernelBuilder &B, const Substitution &S, Value First,
               int64_t Rows, Value Offset, int64_t Vectors)
      : B(B), S(S), First(First), Offset(Offset), Rows(Rows), Vectors(Vectors),
        Length(rowLength(B, S.Type)) {}

  void emit();

private:
  KernelBuilder::Values load(Value Matrix, Value Row);
  /// Minus element (First + I, Column) of a, in every lane.
  Value coefficient(int64_t I, Value Column) {
    Value A = B.loadScalar(S.A.element(B, B.add(First, I), Column));
    return B.splat(arith::NegFOp::create(B, A));
  }
  Value at(Value Matrix, Value Row) {
    return B.offset(Matrix, B.add(B.mul(Row, Length), Offset));
  }
  /// Row `I` of the block less a coefficient times another one.
  void subtract(KernelBuilder::Values &Block, int64_t I, Value Coefficient,
                ArrayRef<Value> Other) {
    for (int64_t J = 0; J < Vectors; ++J) {
      Value &X = Block[I * Vectors + J];
      X = B.fma(Coefficient, Other[J], X);
    }
  }

  KernelBuilder &B;
  const Substitution &S;
  Value First, Offset;
  int64_t Rows, Vectors, Length;
};
} // namespace

KernelBuilder::Values UnknownBlock::load(Value Matrix, Value Row) {
  KernelBuilder::Values Result;
  for (int64_t J = 0; J < Vectors; ++J)
    Result.push_back(B.loadVector(B.offset(at(Matrix, Row), J * B.lanes())));
  return Result;
}

void UnknownBlock::emit() {
  KernelBuilder::Values Start;
  for (int64_t I = 0; I < Rows; ++I)
    llvm::append_range(Start, load(S.R, B.add(First, I)));
  KernelBuilder::Values Unknowns =
      B.loop(First, 1, Start, [&](Value Known, ValueRange Before) {
        KernelBuilder::Values After = llvm::to_vector_of<Value>(Before);
        KernelBuilder::Values Other = load(S.U, Known);
        for (int64_t I = 0; I < Rows; ++I)
          subtract(After, I, coefficient(I, Known), Other);
        return After;
      });
  for (int64_t I = 0; I < Rows; ++I) {
    ArrayRef<Value> Done = ArrayRef(Unknowns).slice(I * Vectors, Vectors);
    for (int64_t J = 0; J < Vectors; ++J)
      B.storeVector(Done[J], B.offset(at(S.U, B.add(First, I)), J * B.lanes()));
    for (int64_t Next = I + 1; Next < Rows; ++Next)
      subtract(Unknowns, Next, coefficient(Next, B.add(First, I)), Done);
  }
}

void heddle::cpu::emitSubstitution(KernelBuilder &B, const Substitution &S) {
  int64_t Length = rowLength(B, S.Type);
  int64_t Unknowns = S.Type.getDimSize(1);
  int64_t Registers = B.shape().Registers - 2 - B.shape().ProductScratch;
  int64_t AtOnce = largestDivisor(Length / B.lanes(), Registers >= 28 ? 4 : 2);
  // The rows of a block and one beside them.
  int64_t Rows = std::clamp<int64_t>(Registers / AtOnce - 1, 1, 8);
  Rows = std::min(Rows, Unknowns);
  int64_t Main = Unknowns / Rows * Rows;
  B.loop(Length, AtOnce * B.lanes(), [&](Value Offset) {
    B.loop(Main, Rows, [&](Value First) {
      UnknownBlock(B, S, First, Rows, Offset, AtOnce).emit();
    });
    if (Main < Unknowns)
      UnknownBlock(B, S, B.i64(Main), Unknowns - Main, Offset, AtOnce).emit();
  });
}
