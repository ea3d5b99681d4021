// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Types.h"

#include "llvm/ADT/StringSwitch.h"

using namespace heddle::ptx;

std::optional<Type> heddle::ptx::parseType(llvm::StringRef Word) {
  using Class = TypeClass;
  return llvm::StringSwitch<std::optional<Type>>(Word)
      .Case("pred", Predicate)
      .Case("b8", Type{Class::Bits, 8, false})
      .Case("b16", B16)
      .Case("b32", B32)
      .Case("b64", B64)
      .Case("b128", Type{Class::Bits, 128, false})
      .Case("u8", Type{Class::Unsigned, 8, false})
      .Case("u16", Type{Class::Unsigned, 16, false})
      .Case("u32", U32)
      .Case("u64", Type{Class::Unsigned, 64, false})
      .Case("s8", Type{Class::Signed, 8, false})
      .Case("s16", Type{Class::Signed, 16, false})
      .Case("s32", S32)
      .Case("s64", Type{Class::Signed, 64, false})
      .Case("f16", Type{Class::Float, 16, false})
      .Case("f32", F32)
      .Case("f64", Type{Class::Float, 64, false})
      .Case("bf16", Type{Class::Brain, 16, false})
      .Case("tf32", Type{Class::Tensor, 32, false})
      .Case("f16x2", Type{Class::Float, 32, true})
      .Case("bf16x2", Type{Class::Brain, 32, true})
      .Case("f32x2", Type{Class::Float, 64, true})
      .Case("s16x2", Type{Class::Signed, 32, true})
      .Case("u16x2", Type{Class::Unsigned, 32, true})
      .Default(std::nullopt);
}

llvm::StringRef heddle::ptx::spaceName(Space Of) {
  static constexpr llvm::StringLiteral Names[] = {"generic", "global", "shared",
                                                  "const",   "param",  "local"};
  return Names[unsigned(Of)];
}
