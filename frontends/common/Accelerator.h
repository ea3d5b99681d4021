// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device that runs kernels in the place of the processor.

#ifndef HEDDLE_FRONTENDS_COMMON_ACCELERATOR_H
#define HEDDLE_FRONTENDS_COMMON_ACCELERATOR_H

#include "frontends/common/LaunchTensors.h"
#include "heddle/device.h"

#include <memory>
#include <string>
#include <vector>

namespace heddle::frontend {

class Accelerator {
public:
  /// Opens device number `Ordinal` of a driver, of this machine's where
  /// `Driver` is null.
  ErrorText open(const heddle_driver *Driver, int32_t Ordinal);

  heddle_device *get() const { return Device.get(); }
  /// The device's name and compute capability, for reports.
  std::string describe() const;

private:
  struct Close {
    void operator()(heddle_device *D) const { heddle_device_close(D); }
  };
  std::unique_ptr<heddle_device, Close> Device;
};

/// A plan on a device. The device and the plan it is made of must outlive it.
class AcceleratedPlan {
public:
  ErrorText create(const Accelerator &On, const heddle_plan *Plan);
  int64_t bytes() const { return heddle_device_plan_bytes(Plan.get()); }

  /// Copies the tensors to the device, launches `Repeat` times and copies the
  /// outputs back. `Seconds` gets what the device took for each launch.
  ErrorText run(const RunTensors &In, const OutputTensors &Out, float Scale,
                int64_t Repeat, std::vector<double> &Seconds);

private:
  struct Destroy {
    void operator()(heddle_device_plan *P) const {
      heddle_device_plan_destroy(P);
    }
    void operator()(heddle_timer *T) const { heddle_timer_destroy(T); }
  };
  heddle_device *Device = nullptr;
  std::unique_ptr<heddle_device_plan, Destroy> Plan;
  std::unique_ptr<heddle_timer, Destroy> Timer;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_ACCELERATOR_H
