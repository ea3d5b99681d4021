// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Device.h"

#include "codegen/nv/emulation/Code.h"

#include "llvm/ADT/STLExtras.h"

#include <cstring>
#include <vector>

using namespace heddle::ptx;
using llvm::StringRef;

/// Bytes on both sides of an allocation that nothing may touch.
static constexpr size_t Gap = 4096;

struct Device::Block {
  std::vector<char> Storage;
  size_t Bytes = 0;
};

struct Device::Loaded {
  std::vector<uint64_t> Addresses;
};

Device::Device() = default;
Device::~Device() = default;

uint64_t Device::allocate(size_t Bytes, size_t Align) {
  auto New = std::make_unique<Block>();
  New->Bytes = Bytes;
  // Every float type reads all ones as a NaN.
  New->Storage.assign(Bytes + Align + 2 * Gap, char(0xff));
  uint64_t Begin = reinterpret_cast<uintptr_t>(New->Storage.data()) + Gap;
  Begin = (Begin + Align - 1) / Align * Align;
  if (Bytes)
    Ranges[Begin + Bytes - 1] = {Begin, Begin + Bytes, false, "allocation"};
  Blocks[Begin] = std::move(New);
  Allocated += Bytes;
  Peak = std::max(Peak, Allocated);
  return Begin;
}

bool Device::free(uint64_t Address) {
  auto Known = Blocks.find(Address);
  if (Known == Blocks.end())
    return false;
  Allocated -= Known->second->Bytes;
  if (Known->second->Bytes)
    Ranges.erase(Address + Known->second->Bytes - 1);
  Blocks.erase(Known);
  return true;
}

void Device::registerRange(const void *Begin, size_t Bytes, bool ReadOnly,
                           StringRef Name) {
  uint64_t First = reinterpret_cast<uintptr_t>(Begin);
  if (Bytes)
    Ranges[First + Bytes - 1] = {First, First + Bytes, ReadOnly, Name.str()};
}

bool Device::unregisterRange(const void *Begin) {
  uint64_t First = reinterpret_cast<uintptr_t>(Begin);
  auto Known = Ranges.lower_bound(First);
  if (Known == Ranges.end() || Known->second.Begin != First)
    return false;
  Ranges.erase(Known);
  return true;
}

const Range *Device::find(uint64_t Address) const {
  auto Known = Ranges.lower_bound(Address);
  return Known != Ranges.end() && Known->second.Begin <= Address
             ? &Known->second
             : nullptr;
}

std::string Device::describe(uint64_t Address) const {
  auto After = Ranges.lower_bound(Address);
  if (After != Ranges.end() && After->second.Begin <= Address)
    return "it begins " + std::to_string(After->second.End - Address) +
           " bytes before the end of '" + After->second.Name + "' of " +
           std::to_string(After->second.End - After->second.Begin) + " bytes";
  constexpr uint64_t Near = Gap;
  if (After != Ranges.begin()) {
    const Range &Below = std::prev(After)->second;
    if (Address - Below.End < Near)
      return std::to_string(Address - Below.End) + " bytes after the end of '" +
             Below.Name + "' of " + std::to_string(Below.End - Below.Begin) +
             " bytes";
  }
  if (After != Ranges.end() && After->second.Begin - Address < Near)
    return std::to_string(After->second.Begin - Address) +
           " bytes before the beginning of '" + After->second.Name + "' of " +
           std::to_string(After->second.End - After->second.Begin) + " bytes";
  return "nothing is allocated near it";
}

void Device::load(const Program &Of) {
  std::unique_ptr<Loaded> &Here = Programs[&Of];
  if (Here)
    return;
  Here = std::make_unique<Loaded>();
  const auto &Variables = Of.module().Variables;
  for (const GlobalVariable &V : Variables) {
    uint64_t Address = allocate(V.Bytes, std::max<uint64_t>(V.Align, 16));
    Here->Addresses.push_back(Address);
    auto *To = reinterpret_cast<char *>(Address);
    std::memset(To, 0, V.Bytes);
    llvm::copy(V.Initial, To);
    if (V.Bytes) {
      Range &R = Ranges[Address + V.Bytes - 1];
      R.ReadOnly = V.ReadOnly;
      R.Name = V.Name;
    }
  }
  for (size_t I = 0; I < Variables.size(); ++I)
    for (const GlobalVariable::Pointer &P : Variables[I].Pointers)
      if (std::optional<Range> To = variable(Of, P.To)) {
        uint64_t Address = To->Begin + uint64_t(P.Addend);
        std::memcpy(reinterpret_cast<char *>(Here->Addresses[I] + P.Offset),
                    &Address, sizeof(Address));
      }
}

void Device::unload(const Program &Of) {
  auto Known = Programs.find(&Of);
  if (Known == Programs.end())
    return;
  for (uint64_t Address : Known->second->Addresses)
    free(Address);
  Programs.erase(Known);
}

std::optional<Range> Device::variable(const Program &Of, StringRef Name) const {
  auto Known = Programs.find(&Of);
  if (Known == Programs.end())
    return std::nullopt;
  const auto &Variables = Of.module().Variables;
  for (size_t I = 0; I < Variables.size(); ++I)
    if (Variables[I].Name == Name) {
      uint64_t Begin = Known->second->Addresses[I];
      return Range{Begin, Begin + Variables[I].Bytes, Variables[I].ReadOnly,
                   Variables[I].Name};
    }
  return std::nullopt;
}

uint64_t Device::variable(const Program &Of, unsigned Number) const {
  return Programs.find(&Of)->second->Addresses[Number];
}
