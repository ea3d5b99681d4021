// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DEVICECODE_H
#define HEDDLE_RUNTIME_SRC_DEVICECODE_H

#include "Device.h"

namespace heddle::runtime {

/// The forms of a code that a device runs.
struct DeviceFormats {
  bool Binary, Ptx;
  explicit operator bool() const { return Binary || Ptx; }
};

/// What of a code of this target runs on a device.
DeviceFormats formatsFor(const heddle_device_code &Code,
                         const heddle_device &Device);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_DEVICECODE_H
