// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Matrices.h"

#include <utility>

namespace heddle::ptx {

namespace {

/// Where half `half` of the register of `lane` stands in its matrix.
Coordinate place(unsigned Lane, unsigned Half, bool Transposed) {
  Coordinate At{Lane / 4, 2 * (Lane % 4) + Half};
  if (Transposed)
    std::swap(At.Row, At.Column);
  return At;
}

} // namespace

void loadMatrices(const MatrixRow *Rows, unsigned Count, bool Transposed,
                  WarpRegister *Out) {
  for (unsigned Matrix = 0; Matrix < Count; ++Matrix)
    for (unsigned Lane = 0; Lane < WarpSize; ++Lane) {
      uint32_t Value = 0;
      for (unsigned Half = 0; Half < 2; ++Half) {
        Coordinate At = place(Lane, Half, Transposed);
        const uint8_t *From =
            Rows[addressLane(Matrix, At.Row)].data() + 2 * At.Column;
        Value |= uint32_t(From[0] | From[1] << 8) << (16 * Half);
      }
      Out[Matrix][Lane] = Value;
    }
}

void storeMatrices(const WarpRegister *In, unsigned Count, bool Transposed,
                   MatrixRow *Rows) {
  for (unsigned Matrix = 0; Matrix < Count; ++Matrix)
    for (unsigned Lane = 0; Lane < WarpSize; ++Lane)
      for (unsigned Half = 0; Half < 2; ++Half) {
        Coordinate At = place(Lane, Half, Transposed);
        uint8_t *To = Rows[addressLane(Matrix, At.Row)].data() + 2 * At.Column;
        uint32_t Value = In[Matrix][Lane] >> (16 * Half);
        To[0] = uint8_t(Value);
        To[1] = uint8_t(Value >> 8);
      }
}

} // namespace heddle::ptx
