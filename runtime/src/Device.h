// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DEVICE_H
#define HEDDLE_RUNTIME_SRC_DEVICE_H

#include "Error.h"
#include "heddle/device.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace heddle::runtime {
struct DeviceModule;
} // namespace heddle::runtime

struct heddle_device {
  const heddle_driver *Driver = nullptr;
  heddle_driver_device Number = 0;
  int32_t Ordinal = 0;
  std::string Name;
  heddle_device_info Info = {};
  heddle_driver_context Context = nullptr;
  /// The modules of the codes that plans use now.
  std::mutex Access;
  std::map<const heddle_device_code *,
           std::weak_ptr<heddle::runtime::DeviceModule>>
      Modules;

  heddle_device() = default;
  heddle_device(const heddle_device &) = delete;
  heddle_device &operator=(const heddle_device &) = delete;
  ~heddle_device();
};

namespace heddle::runtime {

/// The error of a call that the driver refused; `What` says what was tried:
/// "cannot allocate 12 bytes on device 'x'".
[[nodiscard]] heddle_error *driverError(const heddle_driver &Driver,
                                        heddle_driver_result Result,
                                        const std::string &What);

/// While it lives, the device's context is the thread's current one, unless the
/// driver refuses. What cannot be given back then is left to it.
class UseContext {
public:
  explicit UseContext(const heddle_device &Device);
  UseContext(const UseContext &) = delete;
  UseContext &operator=(const UseContext &) = delete;
  ~UseContext();

  /// Whether it is.
  explicit operator bool() const { return Result == HEDDLE_DRIVER_SUCCESS; }
  /// Why it is not; null where it is. To be asked for once.
  [[nodiscard]] heddle_error *error() const;

private:
  const heddle_device &Device;
  heddle_driver_result Result;
};

/// Memory of a device, freed with its owner. Every call needs the device's
/// context to be current, but for the destructor.
class DeviceMemory {
public:
  explicit DeviceMemory(heddle_device &Device) : Device(Device) {}
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;
  ~DeviceMemory();

  /// Replaces what there is; nothing for 0 bytes.
  heddle_error *allocate(int64_t NewBytes);
  heddle_device_ptr address() const { return Address; }
  int64_t bytes() const { return Bytes; }

private:
  heddle_device &Device;
  heddle_device_ptr Address = 0;
  int64_t Bytes = 0;
};

/// The address as pointers of views and tables have it.
inline void *asPointer(heddle_device_ptr Address) {
  return reinterpret_cast<void *>(static_cast<uintptr_t>(Address));
}
inline heddle_device_ptr asAddress(const void *Pointer) {
  return static_cast<heddle_device_ptr>(reinterpret_cast<uintptr_t>(Pointer));
}

/// The same with a formatted text, and null for success.
template <typename... Args>
[[nodiscard]] heddle_error *
checkDriver(const heddle_driver &Driver, heddle_driver_result Result,
            fmt::format_string<Args...> Format, Args &&...Values) {
  if (Result == HEDDLE_DRIVER_SUCCESS)
    return nullptr;
  return driverError(Driver, Result,
                     fmt::format(Format, std::forward<Args>(Values)...));
}

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_DEVICE_H
