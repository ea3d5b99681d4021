// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_MMA_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_MMA_H

#include "codegen/nv/emulation/semantics/Warp.h"

// mma.sync (PTX ISA, Warp-level Matrix Multiply-Accumulate Instructions, Matrix
// Fragments for mma.m16n8k4, .m16n8k8, .m16n8k16 with floating point types).
//
// What the ISA leaves open: the order of the sum over k, the precision inside
// it beyond "at least single", and its rounding. Here the products are those
// of exact operands, added in f32 to the accumulator in the order of k, each
// sum rounded to nearest even; an f16 accumulator is rounded once, at the end.
// What a product of bf16 numbers is when it leaves the range of f32 follows
// from f32 arithmetic. Subnormal numbers are kept.

namespace heddle::ptx {

/// Element types of the operands of a matrix product.
enum class MmaElement { F16, BF16, TF32 };

/// A product D = A B + C of 16 by k and k by 8.
struct MmaShape {
  static constexpr unsigned M = 16, N = 8;
  MmaElement Element = MmaElement::F16;
  unsigned K = 16;      ///< 8, 16; with tf32 4, 8
  bool HalfSum = false; ///< C and D are f16 (operands f16 only)

  /// Elements of the operands in one 32-bit register.
  unsigned packed() const { return Element == MmaElement::TF32 ? 1 : 2; }
  unsigned registersA() const { return M * K / WarpSize / packed(); }
  unsigned registersB() const { return K * N / WarpSize / packed(); }
  unsigned registersC() const { return HalfSum ? 2 : 4; }
  bool valid() const;
};

/// Where element `index` (a0, a1, ... of the ISA; packed types count elements,
/// not registers) of `lane` stands in A, B, and in C and D.
Coordinate placeA(const MmaShape &Shape, unsigned Lane, unsigned Index);
Coordinate placeB(const MmaShape &Shape, unsigned Lane, unsigned Index);
Coordinate placeC(unsigned Lane, unsigned Index);

/// mma.sync.aligned.m16n8k<k>.row.col: registers of the whole warp, as many as
/// `shape` says. `d` may be `c`.
void multiply(const MmaShape &Shape, const WarpRegister *A,
              const WarpRegister *B, const WarpRegister *C, WarpRegister *D);

} // namespace heddle::ptx

#endif
