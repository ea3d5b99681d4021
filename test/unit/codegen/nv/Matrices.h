// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles and row statistics of test kernels from and to f32 matrices in memory.

#ifndef HEDDLE_TEST_UNIT_CODEGEN_NV_MATRICES_H
#define HEDDLE_TEST_UNIT_CODEGEN_NV_MATRICES_H

#include "codegen/nv/Masks.h"
#include "codegen/nv/Transfer.h"

namespace heddle {

/// A matrix of the layout's extents, row by row, element by element.
inline nv::Fragment loadMatrix(nv::NvBuilder &B, const nv::FragmentLayout &Of,
                               mlir::Value From) {
  return nv::makeElements(
      B, Of, [&](mlir::Value Row, mlir::Value Column) -> mlir::Value {
        mlir::Value At = B.add(B.mul(Row, Of.Columns), Column);
        return B.load(B.getF32Type(), B.offset(From, At, B.getF32Type()));
      });
}

/// Bits: what is not 0.
inline nv::KeptBits loadBits(nv::NvBuilder &B, const nv::FragmentLayout &Of,
                             mlir::Value From) {
  return nv::packBits(
      B, nv::mapRegisters(B, loadMatrix(B, Of, From),
                          [&](mlir::Value X, int64_t) -> mlir::Value {
                            return B.cmp(mlir::arith::CmpFPredicate::ONE, X,
                                         B.f32(0.0F));
                          }));
}

inline nv::RowSource matrixRows(nv::NvBuilder &B, const nv::FragmentLayout &Of,
                                mlir::Value Base, int64_t Columns) {
  return {B.getF32Type(),
          Base,
          B.i64(Columns),
          B.i64(Of.Warps * Of.WarpRows),
          nv::RowSource::from(B.i64(0)),
          Columns};
}

inline void storeMatrix(nv::NvBuilder &B, const nv::Fragment &X,
                        mlir::Value To) {
  nv::emitStoreRows(B, X, matrixRows(B, X.Of, To, X.Of.Columns));
}

inline nv::RowStats loadColumn(nv::NvBuilder &B, const nv::FragmentLayout &Of,
                               mlir::Value From) {
  return nv::emitLoadStats(B, Of, matrixRows(B, Of, From, 1), B.f32(0.0F));
}

inline void storeColumn(nv::NvBuilder &B, const nv::FragmentLayout &Of,
                        const nv::RowStats &X, mlir::Value To) {
  nv::emitStoreStats(B, X, Of, matrixRows(B, Of, To, 1));
}

} // namespace heddle

#endif // HEDDLE_TEST_UNIT_CODEGEN_NV_MATRICES_H
