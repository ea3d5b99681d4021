// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_SWIZZLE_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_SWIZZLE_H

#include <cstdint>

namespace heddle::ptx {

/// How shared memory is permuted within rows of 128 bytes, in units of 16
/// bytes (PTX ISA, Tensors, Swizzling Modes; atomicity 16B). The number is the
/// count of address bits that change.
enum class Swizzle : unsigned { None = 0, B32 = 1, B64 = 2, B128 = 3 };

/// Bytes that are permuted among themselves; 16 where nothing moves.
constexpr unsigned swizzleBytes(Swizzle Mode) { return 16U << unsigned(Mode); }

/// Bytes after which the pattern starts anew: eight rows of swizzleBytes.
constexpr unsigned swizzlePeriod(Swizzle Mode) {
  return 8 * swizzleBytes(Mode);
}

/// Where the byte that an unpermuted layout puts at `address` lies. The pattern
/// depends on the address itself, not on where a tile starts: row (address /
/// 128) is xor-ed into the number of the 16-byte unit. `base` is the row, mod
/// 8, at which the pattern starts (the base offset of a matrix descriptor, PTX
/// ISA, Matrix Descriptor Format).
constexpr uint32_t swizzled(uint32_t Address, Swizzle Mode, unsigned Base = 0) {
  uint32_t Row = (Address >> 7) - Base, Mask = (1U << unsigned(Mode)) - 1;
  return Address ^ ((Row & Mask) << 4);
}

} // namespace heddle::ptx

#endif
