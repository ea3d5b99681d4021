// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/DeviceLaunch.h"

#include "codegen/nv/emulation/Driver.h"
#include "heddle/device.h"
#include "test/exec/Kernels.h"

#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

using namespace heddle;
using namespace heddle::exec;

const heddle_code *exec::deviceCode(const heddle_kernel *Kernel) {
  const heddle_code *Code = heddle_kernel_entry(Kernel)->codes;
  return Code->device ? Code : nullptr;
}

namespace {

/// See DeviceMode.
uint64_t ModeSeed = 0;
std::string ModeText;
/// The emulation's own function.
decltype(heddle_driver::ModuleLoadDataEx) TheirLoad = nullptr;

/// The one device of the program, of the architecture that code is for.
class EmulatedDevice {
public:
  testing::AssertionResult open(int32_t Arch);
  heddle_device *get() const { return Device.get(); }

private:
  heddle_driver Driver = {};
  std::unique_ptr<heddle_device, Deleter<heddle_device_close>> Device;
  int32_t OpenArch = 0;
  uint64_t OpenSeed = 0;
};

/// Copies of a launch's tensors on a device.
class DeviceTensors {
public:
  DeviceTensors(heddle_device *Device, const heddle_tensors &Here)
      : Device(Device), There(Here) {}
  DeviceTensors(const DeviceTensors &) = delete;
  DeviceTensors &operator=(const DeviceTensors &) = delete;
  ~DeviceTensors() {
    for (const Copy &C : Copies)
      heddle_device_free(Device, C.There);
  }

  testing::AssertionResult upload(size_t NumSources);
  testing::AssertionResult download();
  const heddle_tensors *get() const { return &There; }

private:
  struct Copy {
    void *Here, *There;
    int64_t Bytes;
    bool IsOutput;
  };
  testing::AssertionResult move(const heddle_tensor *&Of, bool IsOutput);
  testing::AssertionResult move(const heddle_tensor *const *&Of, size_t Count,
                                bool IsOutput);

  heddle_device *Device;
  heddle_tensors There;
  std::vector<Copy> Copies;
  std::deque<heddle_tensor> Handles;
  std::deque<std::vector<const heddle_tensor *>> Lists;
};

} // namespace

exec::DeviceMode::DeviceMode(uint64_t Seed, std::string Text) {
  ModeSeed = Seed;
  ModeText = std::move(Text);
}

exec::DeviceMode::~DeviceMode() {
  ModeSeed = 0;
  ModeText.clear();
}

/// Loads what the mode says.
static heddle_driver_result loadModeText(heddle_driver_module *Module,
                                         const void *Image, unsigned NumOptions,
                                         int *Options, void **Values) {
  return TheirLoad(Module, ModeText.empty() ? Image : ModeText.c_str(),
                   NumOptions, Options, Values);
}

testing::AssertionResult EmulatedDevice::open(int32_t Arch) {
  if (Device && OpenArch == Arch && OpenSeed == ModeSeed)
    return testing::AssertionSuccess();
  Device.reset();
  ptx::Options How;
  How.Seed = ModeSeed;
  const heddle_driver *Emulated = ptx::emulatedDriver(Arch, How);
  if (!Emulated)
    return testing::AssertionFailure()
           << "no emulation of architecture " << Arch;
  TheirLoad = Emulated->ModuleLoadDataEx;
  Driver = *Emulated;
  Driver.ModuleLoadDataEx = loadModeText;
  heddle_device *Opened = nullptr;
  if (auto Good = succeeded(heddle_device_open(&Driver, 0, &Opened)); !Good)
    return Good;
  Device.reset(Opened);
  OpenArch = Arch;
  OpenSeed = ModeSeed;
  return testing::AssertionSuccess();
}

/// From the first element of a tensor to its last, gaps included.
static int64_t spanOf(const heddle_tensor &Of) {
  std::vector<int64_t> Strides(static_cast<size_t>(Of.rank));
  int64_t Dense = 1;
  for (auto Axis = static_cast<size_t>(Of.rank); Axis-- > 0;) {
    Strides[Axis] = Of.strides ? Of.strides[Axis] : Dense;
    Dense *= Of.shape[Axis];
  }
  int64_t Last = 0;
  for (size_t Axis = 0; Axis < Strides.size(); ++Axis) {
    if (Of.shape[Axis] == 0)
      return 0;
    Last += (Of.shape[Axis] - 1) * Strides[Axis];
  }
  return (Last + 1) * (Of.dtype == HEDDLE_F32 ? 4 : 2);
}

testing::AssertionResult DeviceTensors::move(const heddle_tensor *&Of,
                                             bool IsOutput) {
  if (!Of)
    return testing::AssertionSuccess();
  Copy C = {Of->data, nullptr, spanOf(*Of), IsOutput};
  if (auto Good = succeeded(heddle_device_allocate(Device, C.Bytes, &C.There));
      !Good)
    return Good;
  Copies.push_back(C);
  Handles.push_back(*Of);
  Handles.back().data = C.There;
  Of = &Handles.back();
  return succeeded(
      heddle_device_upload(Device, C.There, C.Here, C.Bytes, nullptr));
}

testing::AssertionResult DeviceTensors::move(const heddle_tensor *const *&Of,
                                             size_t Count, bool IsOutput) {
  if (!Of)
    return testing::AssertionSuccess();
  std::vector<const heddle_tensor *> &List = Lists.emplace_back(Of, Of + Count);
  for (const heddle_tensor *&Tensor : List)
    if (auto Good = move(Tensor, IsOutput); !Good)
      return Good;
  Of = List.data();
  return testing::AssertionSuccess();
}

testing::AssertionResult DeviceTensors::upload(size_t NumSources) {
  for (const heddle_tensor **Of :
       {&There.q, &There.k, &There.v, &There.state_in, &There.sums_in})
    if (auto Good = move(*Of, false); !Good)
      return Good;
  for (const heddle_tensor **Of :
       {&There.o, &There.lse, &There.row_max, &There.column_sums,
        &There.block_max, &There.state_out, &There.sums_out})
    if (auto Good = move(*Of, true); !Good)
      return Good;
  for (const heddle_tensor *const **Of : {&There.more_k, &There.more_v})
    if (auto Good = move(*Of, NumSources - 1, false); !Good)
      return Good;
  for (const heddle_tensor *const **Of :
       {&There.more_column_sums, &There.more_block_max})
    if (auto Good = move(*Of, NumSources - 1, true); !Good)
      return Good;
  return testing::AssertionSuccess();
}

testing::AssertionResult DeviceTensors::download() {
  for (const Copy &C : Copies)
    if (C.IsOutput)
      if (auto Good = succeeded(heddle_device_download(Device, C.Here, C.There,
                                                       C.Bytes, nullptr));
          !Good)
        return Good;
  return testing::AssertionSuccess();
}

testing::AssertionResult exec::launchOnDevice(const heddle_kernel *Kernel,
                                              const heddle_plan *Plan,
                                              const heddle_tensors &Tensors) {
  static std::mutex OneAtATime;
  const std::lock_guard<std::mutex> Lock(OneAtATime);
  // Never closed: what the emulation keeps for a thread is gone before the
  // program's objects are.
  static EmulatedDevice &TheDevice = *new EmulatedDevice;
  if (auto Good = TheDevice.open(heddle_plan_code(Plan)->device->arch); !Good)
    return Good;
  heddle_device *Device = TheDevice.get();
  heddle_device_plan *Made = nullptr;
  if (auto Good = succeeded(heddle_device_plan_create(Device, Plan, &Made));
      !Good)
    return Good;
  const std::unique_ptr<heddle_device_plan, Deleter<heddle_device_plan_destroy>>
      There(Made);
  DeviceTensors Copies(Device, Tensors);
  const auto NumSources =
      static_cast<size_t>(heddle_kernel_entry(Kernel)->num_sources);
  if (auto Good = Copies.upload(NumSources); !Good)
    return Good;
  if (auto Good = succeeded(
          heddle_device_plan_launch(There.get(), Copies.get(), nullptr));
      !Good)
    return Good;
  if (auto Good = succeeded(heddle_device_synchronize(Device, nullptr)); !Good)
    return Good;
  return Copies.download();
}
