// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of device code on an emulated device.

#ifndef HEDDLE_TEST_EXEC_DEVICELAUNCH_H
#define HEDDLE_TEST_EXEC_DEVICELAUNCH_H

#include "heddle/heddle.h"

#include "gtest/gtest.h"

#include <string>

namespace heddle::exec {

/// How launches run on the emulated device while this lives, of which there is
/// at most one at a time.
class DeviceMode {
public:
  /// `Seed` chooses the order in which warps take turns (ptx::Options). `Text`,
  /// unless it is empty, takes the place of the PTX of every kernel.
  explicit DeviceMode(uint64_t Seed, std::string Text = "");
  DeviceMode(const DeviceMode &) = delete;
  DeviceMode &operator=(const DeviceMode &) = delete;
  ~DeviceMode();
};

/// The device code that a kernel has, the first of its codes; null where that
/// is for this machine.
const heddle_code *deviceCode(const heddle_kernel *Kernel);

/// Runs a plan of a kernel's device code once, on copies of the tensors in the
/// emulated device's memory, which end where the tensors end. Everything
/// between the rows of outputs travels too, so that what was written there
/// shows. A fault that the emulator finds is a failure with its message.
testing::AssertionResult launchOnDevice(const heddle_kernel *Kernel,
                                        const heddle_plan *Plan,
                                        const heddle_tensors &Tensors);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_DEVICELAUNCH_H
