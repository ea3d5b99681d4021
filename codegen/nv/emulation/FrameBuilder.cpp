// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Decoder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace heddle::ptx;
using llvm::StringRef;

/// Marks an offset into the image, which comes after the registers.
static constexpr uint32_t InImage = uint32_t(1) << 31;
static constexpr unsigned Lanes = 32;

unsigned heddle::ptx::registerBytes(Type Of) {
  // A predicate is one bit per lane; nothing is narrower than two bytes.
  return Of.isPredicate() ? 4 : Lanes * std::max(2U, Of.bytes());
}

bool FrameBuilder::declare(StringRef Name, Symbol What) {
  return Scopes.back().Names.try_emplace(Name, What).second;
}

void FrameBuilder::declareFamily(StringRef Prefix, unsigned Count, Type Of) {
  Scopes.back().Families[Prefix] = {Count, Of};
}

uint32_t FrameBuilder::scratch(Type Of) {
  uint32_t Bytes = registerBytes(Of);
  // Vectors of lanes begin on whole cache lines; predicates are packed.
  uint32_t Place = llvm::alignTo(Into.RegisterBytes, std::min(Bytes, 64U));
  Into.RegisterBytes = Place + Bytes;
  Into.NumRegisters += std::max(1U, Of.bytes() / 4);
  return Place;
}

Symbol *FrameBuilder::find(StringRef Name) {
  for (Scope &In : llvm::reverse(Scopes)) {
    auto Known = In.Names.find(Name);
    if (Known == In.Names.end()) {
      StringRef Prefix = Name.rtrim("0123456789");
      unsigned Number = 0;
      auto Of = In.Families.find(Prefix);
      if (Of == In.Families.end() ||
          Name.drop_front(Prefix.size()).getAsInteger(10, Number) ||
          Number >= Of->second.Count)
        continue;
      Symbol Register;
      Register.Of = Of->second.Of;
      Known = In.Names.try_emplace(Name, Register).first;
    }
    Symbol &Found = Known->second;
    if (Found.Is == Symbol::Register && Found.Place == ~uint32_t(0))
      Found.Place = scratch(Found.Of);
    return &Found;
  }
  auto Known = Module.find(Name);
  return Known == Module.end() ? nullptr : &Known->second;
}

uint32_t FrameBuilder::image(unsigned Bytes) {
  size_t Place = llvm::alignTo(Into.Image.size(), std::min(Bytes, 64U));
  Into.Image.resize(Place + Bytes);
  return uint32_t(Place) | InImage;
}

uint32_t FrameBuilder::constant(uint64_t Bits, Type Of) {
  unsigned Bytes = registerBytes(Of);
  if (Of.isPredicate())
    Bits = Bits ? ~uint64_t(0) : 0;
  else if (Of.Width < 64)
    Bits &= llvm::maskTrailingOnes<uint64_t>(Of.Width);
  auto [Known, New] = Constants.try_emplace({Bits, Bytes}, 0);
  if (!New)
    return Known->second;
  Known->second = image(Bytes);
  char *To = Into.Image.data() + (Known->second & ~InImage);
  unsigned Each = Of.isPredicate() ? 4 : Bytes / Lanes;
  for (unsigned At = 0; At < Bytes; At += Each)
    std::memcpy(To + At, &Bits, std::min(Each, 8U));
  return Known->second;
}

uint32_t FrameBuilder::special(Special What) {
  std::array<int64_t, 4> Key = {What.Bytes, int64_t(What.Kind), What.Index,
                                What.Addend};
  auto [Known, New] = SpecialPlaces.try_emplace(Key, 0);
  if (New) {
    Known->second = What.Place = image(Lanes * What.Bytes);
    Into.Specials.push_back(What);
    Into.UsesDynamicShared |= What.Kind == SpecialKind::DynamicShared;
  }
  return Known->second;
}

void FrameBuilder::finish() {
  Into.RegisterBytes = llvm::alignTo(Into.RegisterBytes, 64);
  Into.Image.resize(llvm::alignTo(Into.Image.size(), 64));
  auto Final = [&](uint32_t &Offset) {
    if (Offset != NoGuard && (Offset & InImage))
      Offset = Into.RegisterBytes + (Offset & ~InImage);
  };
  for (Inst &I : Into.Code) {
    for (uint32_t &Op : I.Op)
      Final(Op);
    Final(I.Guard);
  }
  for (uint32_t &Op : Into.Operands)
    Final(Op);
  for (Special &S : Into.Specials)
    Final(S.Place);
}
