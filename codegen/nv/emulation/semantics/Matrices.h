// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_MATRICES_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_MATRICES_H

#include "codegen/nv/emulation/semantics/Warp.h"

namespace heddle::ptx {

/// A row of an 8 by 8 matrix of 16-bit elements, as it lies in memory.
using MatrixRow = std::array<uint8_t, 16>;
constexpr unsigned MatrixRows = 8;

/// ldmatrix and stmatrix (PTX ISA, Warp-level matrix load and store
/// instructions) move 1, 2 or 4 matrices m8n8 of b16. Lane 8 i + r gives the
/// address of row r of matrix i, 16 bytes, aligned to 16; addresses of further
/// lanes are not used. This is the lane for a row.
inline unsigned addressLane(unsigned Matrix, unsigned Row) {
  return Matrix * MatrixRows + Row;
}

/// ldmatrix.m8n8.x<count>[.trans].b16: `rows` are the 8 count rows in order of
/// their address lanes, out[i] is register i of every lane: elements 2 (lane
/// mod 4) and the next of row lane / 4 of matrix i, low half first; with
/// .trans of the transposed matrix.
void loadMatrices(const MatrixRow *Rows, unsigned Count, bool Transposed,
                  WarpRegister *Out);

/// stmatrix.m8n8.x<count>[.trans].b16: the inverse.
void storeMatrices(const WarpRegister *In, unsigned Count, bool Transposed,
                   MatrixRow *Rows);

} // namespace heddle::ptx

#endif
