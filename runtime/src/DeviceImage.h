// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DEVICEIMAGE_H
#define HEDDLE_RUNTIME_SRC_DEVICEIMAGE_H

#include "Device.h"

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle::runtime {

/// Bytes to be copied to a device in one piece, with pointers from one part of
/// them to another.
class DeviceImage {
public:
  /// Where a part begins.
  using Place = size_t;
  static constexpr Place Nowhere = ~Place(0);

  /// Appends the elements, aligned to what is apt for a device.
  template <typename T> Place add(const T *From, size_t Count) {
    static_assert(std::is_trivially_copyable_v<T>);
    return addBytes(From, Count * sizeof(T));
  }
  template <typename Vector> Place add(const Vector &Of) {
    return add(Of.data(), Of.size());
  }
  /// The pointer at byte `At` of the image is to be the device's address of
  /// `To`; null for Nowhere.
  void point(Place At, Place To) { Pointers.emplace_back(At, To); }

  bool empty() const { return Bytes.empty(); }
  /// Copies all of it into `Memory`, which becomes as large as it, and waits
  /// until that is done.
  heddle_error *upload(heddle_device &Device, DeviceMemory &Memory);
  /// The device's address, after the upload.
  static heddle_device_ptr address(const DeviceMemory &Memory, Place Of) {
    return Of == Nowhere ? 0 : Memory.address() + Of;
  }

private:
  Place addBytes(const void *From, size_t Count);

  std::vector<unsigned char> Bytes;
  std::vector<std::pair<Place, Place>> Pointers;
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_DEVICEIMAGE_H
