// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types that instructions name (PTX ISA, Fundamental Types).

#ifndef HEDDLE_CODEGEN_NV_EMULATION_TYPES_H
#define HEDDLE_CODEGEN_NV_EMULATION_TYPES_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace heddle::ptx {

enum class TypeClass : uint8_t {
  Predicate,
  Bits,
  Unsigned,
  Signed,
  Float,
  Brain,
  Tensor
};

/// A type: what its bits mean, how many there are, and whether two elements lie
/// in one register (f16x2, bf16x2, f32x2, s16x2, u16x2).
struct Type {
  TypeClass Class = TypeClass::Bits;
  uint8_t Width = 32; ///< bits of a register that holds it
  bool Packed = false;

  unsigned bytes() const { return Width / 8; }
  bool isPredicate() const { return Class == TypeClass::Predicate; }
  bool isSigned() const { return Class == TypeClass::Signed; }
  bool isInteger() const {
    return Class == TypeClass::Unsigned || Class == TypeClass::Signed;
  }
  bool isFloat() const {
    return Class == TypeClass::Float || Class == TypeClass::Brain;
  }
  /// f16 or bf16, one of them in a register.
  bool isHalf() const { return isFloat() && Width == 16; }
  bool operator==(const Type &O) const {
    return Class == O.Class && Width == O.Width && Packed == O.Packed;
  }
};

inline constexpr Type Predicate{TypeClass::Predicate, 1, false};
inline constexpr Type B16{TypeClass::Bits, 16, false};
inline constexpr Type B32{TypeClass::Bits, 32, false};
inline constexpr Type B64{TypeClass::Bits, 64, false};
inline constexpr Type U32{TypeClass::Unsigned, 32, false};
inline constexpr Type S32{TypeClass::Signed, 32, false};
inline constexpr Type F32{TypeClass::Float, 32, false};

/// "b32", "f16x2", "pred" ... without the dot; nothing for other words.
std::optional<Type> parseType(llvm::StringRef Word);

/// Where a variable or an address lies (PTX ISA, State Spaces).
enum class Space : uint8_t { Generic, Global, Shared, Const, Param, Local };
llvm::StringRef spaceName(Space Of);

} // namespace heddle::ptx

#endif
