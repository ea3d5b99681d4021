// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DEVICEMODULE_H
#define HEDDLE_RUNTIME_SRC_DEVICEMODULE_H

#include "Device.h"

#include <memory>

namespace heddle::runtime {

/// The code of one level of one kernel, loaded on a device.
struct DeviceModule {
  heddle_device &Device;
  heddle_driver_module Module = nullptr;
  heddle_driver_function Task = nullptr, Columns = nullptr;
  /// Of the level's packed code, if there is any.
  heddle_driver_function PackedTask = nullptr, Merge = nullptr;

  explicit DeviceModule(heddle_device &Device) : Device(Device) {}
  DeviceModule(const DeviceModule &) = delete;
  DeviceModule &operator=(const DeviceModule &) = delete;
  ~DeviceModule();
};

/// Loads the code, or shares what another plan has loaded. The device's context
/// is the current one.
heddle_error *loadModule(heddle_device &Device, const heddle_entry &Entry,
                         const heddle_code &Code,
                         std::shared_ptr<DeviceModule> &Out);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_DEVICEMODULE_H
