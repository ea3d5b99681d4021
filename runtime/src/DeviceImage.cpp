// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DeviceImage.h"

#include <cstring>

using namespace heddle;
using namespace heddle::runtime;

DeviceImage::Place DeviceImage::addBytes(const void *From, size_t Count) {
  // Every part has an address of its own that may be read, even an empty one.
  constexpr size_t Align = 64;
  Place At = (Bytes.size() + Align - 1) / Align * Align;
  Bytes.resize(At + (Count ? Count : Align));
  if (Count)
    std::memcpy(Bytes.data() + At, From, Count);
  return At;
}

heddle_error *DeviceImage::upload(heddle_device &Device, DeviceMemory &Memory) {
  if (heddle_error *E = Memory.allocate(static_cast<int64_t>(Bytes.size())))
    return E;
  if (Bytes.empty())
    return nullptr;
  for (auto [At, To] : Pointers) {
    void *Pointer = asPointer(address(Memory, To));
    std::memcpy(Bytes.data() + At, &Pointer, sizeof(Pointer));
  }
  const heddle_driver &Driver = *Device.Driver;
  if (heddle_error *E = checkDriver(
          Driver,
          Driver.MemcpyHtoDAsync(Memory.address(), Bytes.data(), Bytes.size(),
                                 nullptr),
          "cannot copy {} bytes to device '{}'", Bytes.size(), Device.Name))
    return E;
  return checkDriver(Driver, Driver.StreamSynchronize(nullptr),
                     "device '{}' failed", Device.Name);
}
