// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Accelerator.h"

#include "frontends/common/Run.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::frontend;

ErrorText Accelerator::open(const heddle_driver *Driver, int32_t Ordinal) {
  heddle_device *Opened = nullptr;
  if (ErrorText Bad = toText(heddle_device_open(Driver, Ordinal, &Opened)))
    return Bad;
  Device.reset(Opened);
  return std::nullopt;
}

std::string Accelerator::describe() const {
  const heddle_device_info Info = heddle_device_describe(Device.get());
  return fmt::format("{}, compute capability {}.{}", Info.name, Info.arch / 10,
                     Info.arch % 10);
}

ErrorText AcceleratedPlan::create(const Accelerator &On,
                                  const heddle_plan *Of) {
  Plan.reset();
  Device = On.get();
  heddle_device_plan *Made = nullptr;
  if (ErrorText Bad = toText(heddle_device_plan_create(Device, Of, &Made)))
    return Bad;
  Plan.reset(Made);
  heddle_timer *NewTimer = nullptr;
  if (ErrorText Bad = toText(heddle_timer_create(Device, &NewTimer)))
    return Bad;
  Timer.reset(NewTimer);
  return std::nullopt;
}

namespace {

/// Tensors moved to a device, and what of them is to come back.
class Copies {
public:
  explicit Copies(heddle_device *Device) : Device(Device) {}
  Copies(const Copies &) = delete;
  Copies &operator=(const Copies &) = delete;
  ~Copies() {
    for (const Copy &C : All)
      heddle_device_free(Device, C.There);
  }

  /// Puts a tensor into the device's memory, with its elements or without.
  ErrorText move(heddle_tensor &Of, bool IsInput);
  /// Copies the outputs back.
  ErrorText fetch();

private:
  struct Copy {
    void *Here, *There;
    int64_t Bytes;
    bool IsInput;
  };
  heddle_device *Device;
  std::vector<Copy> All;
};

} // namespace

/// From the first element of a tensor to its last, gaps included. Strides are
/// not negative here.
static int64_t spanOf(const heddle_tensor &Of) {
  int64_t Last = 0;
  for (int32_t Axis = 0; Axis < Of.rank; ++Axis) {
    if (Of.shape[Axis] == 0)
      return 0;
    Last += (Of.shape[Axis] - 1) * Of.strides[Axis];
  }
  return (Last + 1) * npy::elementBytes(static_cast<heddle_dtype>(Of.dtype));
}

ErrorText Copies::move(heddle_tensor &Of, bool IsInput) {
  Copy C = {Of.data, nullptr, spanOf(Of), IsInput};
  if (ErrorText Bad = toText(heddle_device_allocate(Device, C.Bytes, &C.There)))
    return Bad;
  All.push_back(C);
  Of.data = C.There;
  if (!IsInput)
    return std::nullopt;
  return toText(
      heddle_device_upload(Device, C.There, C.Here, C.Bytes, nullptr));
}

ErrorText Copies::fetch() {
  for (const Copy &C : All)
    if (!C.IsInput)
      if (ErrorText Bad = toText(heddle_device_download(Device, C.Here, C.There,
                                                        C.Bytes, nullptr)))
        return Bad;
  return std::nullopt;
}

ErrorText AcceleratedPlan::run(const RunTensors &In, const OutputTensors &Out,
                               float Scale, int64_t Repeat,
                               std::vector<double> &Seconds) {
  LaunchTensors Tensors(In, Out, Scale);
  Copies There(Device);
  for (heddle_tensor &Of : Tensors.inputs())
    if (ErrorText Bad = There.move(Of, true))
      return Bad;
  for (heddle_tensor &Of : Tensors.outputs())
    if (ErrorText Bad = There.move(Of, false))
      return Bad;
  for (int64_t I = 0; I < Repeat; ++I) {
    double Milliseconds = 0;
    if (ErrorText Bad = toText(heddle_timer_start(Timer.get(), nullptr)))
      return Bad;
    if (ErrorText Bad = toText(
            heddle_device_plan_launch(Plan.get(), &Tensors.all(), nullptr)))
      return Bad;
    if (ErrorText Bad = toText(heddle_timer_stop(Timer.get(), nullptr)))
      return Bad;
    if (ErrorText Bad = toText(heddle_timer_read(Timer.get(), &Milliseconds)))
      return Bad;
    Seconds.push_back(Milliseconds * 1e-3);
  }
  return There.fetch();
}
