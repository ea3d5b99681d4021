// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_WARP_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_WARP_H

#include <array>
#include <cstdint>
#include <cstring>

namespace heddle::ptx {

constexpr unsigned WarpSize = 32;

/// One 32-bit register of all lanes of a warp: what collective instructions
/// read and write.
using WarpRegister = std::array<uint32_t, WarpSize>;

/// Where an element of a fragment stands in its matrix.
struct Coordinate {
  unsigned Row = 0, Column = 0;
};

inline bool operator==(Coordinate X, Coordinate Y) {
  return X.Row == Y.Row && X.Column == Y.Column;
}

/// The value of `x` read as another type of the same size.
template <typename To, typename From> To bitsAs(From X) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To Result;
  std::memcpy(&Result, &X, sizeof(To));
  return Result;
}

} // namespace heddle::ptx

#endif
