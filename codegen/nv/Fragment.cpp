// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Fragment.h"

#include "llvm/ADT/STLExtras.h"

using namespace heddle::nv;
using namespace mlir;

FragmentLayout heddle::nv::scoreLayout(const Config &C) {
  return {C.Rows, C.Warps, C.KeyTile};
}

FragmentLayout heddle::nv::outputLayout(const Config &C, int64_t Features) {
  return {C.Rows, C.Warps, roundUp(Features, 16)};
}

Fragment heddle::nv::fillFragment(NvBuilder &B, const FragmentLayout &Of,
                                  float V) {
  return {Of, NvBuilder::Values(Of.registers(), B.f32(V))};
}

RowStats heddle::nv::fillStats(NvBuilder &B, const FragmentLayout &Of,
                               Value V) {
  return {NvBuilder::Values(Of.stats(), V)};
}

Fragment heddle::nv::mapRegisters(NvBuilder &B, const Fragment &X,
                                  RegisterMap F) {
  Fragment Result{X.Of, {}};
  for (auto [I, Reg] : llvm::enumerate(X.Regs))
    Result.Regs.push_back(F(Reg, static_cast<int64_t>(I)));
  return Result;
}

Fragment heddle::nv::makeElements(NvBuilder &B, const FragmentLayout &Of,
                                  llvm::function_ref<Value(Value, Value)> F) {
  NvBuilder::Values Rows;
  for (int64_t I = 0; I < Of.stats(); ++I)
    Rows.push_back(Of.rowOfStat(B, I));
  Fragment Result{Of, {}};
  for (int64_t I = 0; I < Of.registers(); ++I)
    Result.Regs.push_back(F(Rows[Of.statOf(I)], Of.column(B, I)));
  return Result;
}

Fragment heddle::nv::mapElements(NvBuilder &B, const Fragment &X,
                                 ElementMap F) {
  const Value *Next = X.Regs.begin();
  return makeElements(B, X.Of, [&](Value Row, Value Column) {
    return F(*Next++, Row, Column);
  });
}

Fragment heddle::nv::scale(NvBuilder &B, const Fragment &X, Value Factor) {
  return mapRegisters(B, X,
                      [&](Value V, int64_t) { return B.fmul(V, Factor); });
}

Fragment heddle::nv::multiply(NvBuilder &B, const Fragment &X,
                              const Fragment &Y) {
  return mapRegisters(B, X,
                      [&](Value V, int64_t I) { return B.fmul(V, Y.Regs[I]); });
}

Fragment heddle::nv::rescale(NvBuilder &B, const Fragment &X,
                             const RowStats &Factor) {
  return mapRegisters(B, X, [&](Value V, int64_t I) {
    return B.fmul(V, Factor.Regs[X.Of.statOf(I)]);
  });
}

/// Combines the elements of every row: those of a thread as a balanced tree,
/// then those of the four lanes of a row, in an order that gives every lane the
/// same bits (`Combine` is commutative).
static RowStats reduceRows(NvBuilder &B, const Fragment &X,
                           llvm::function_ref<Value(Value, Value)> Combine) {
  const BlockLayout Layout = BlockLayout::accumulator();
  RowStats Result;
  for (int64_t Stat = 0; Stat < X.Of.stats(); ++Stat) {
    NvBuilder::Values Row;
    for (auto [I, Reg] : llvm::enumerate(X.Regs))
      if (X.Of.statOf(static_cast<int64_t>(I)) == Stat)
        Row.push_back(Reg);
    while (Row.size() > 1) {
      NvBuilder::Values Half;
      for (size_t I = 0; I + 1 < Row.size(); I += 2)
        Half.push_back(Combine(Row[I], Row[I + 1]));
      if (Row.size() % 2 != 0)
        Half.push_back(Row.back());
      Row = std::move(Half);
    }
    Value All = Row.front();
    for (auto [Bit, Image] : llvm::enumerate(Layout.laneBits()))
      if (Image.Column != 0)
        All = Combine(All, B.shuffleXor(All, int64_t{1} << Bit));
    Result.Regs.push_back(All);
  }
  return Result;
}

RowStats heddle::nv::sumRows(NvBuilder &B, const Fragment &X) {
  return reduceRows(B, X, [&](Value P, Value Q) { return B.fadd(P, Q); });
}

RowStats heddle::nv::maxRows(NvBuilder &B, const Fragment &X) {
  return reduceRows(B, X, [&](Value P, Value Q) { return B.fmax(P, Q); });
}
