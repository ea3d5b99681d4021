// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DeviceModule.h"
#include "DeviceCode.h"

#include <array>
#include <iterator>

using namespace heddle;
using namespace heddle::runtime;

DeviceModule::~DeviceModule() {
  if (!Module)
    return;
  if (UseContext Use(Device); Use)
    Device.Driver->ModuleUnload(Module);
}

/// Loads an image; `Log` gets what the driver's compiler says.
static heddle_driver_result load(const heddle_driver &Driver, const void *Image,
                                 heddle_driver_module &Out, std::string &Log) {
  std::array<char, 8192> Text = {};
  int Options[] = {HEDDLE_DRIVER_ERROR_LOG, HEDDLE_DRIVER_ERROR_LOG_BYTES};
  // One byte stays: the text has an end whatever the driver does.
  void *Values[] = {Text.data(),
                    reinterpret_cast<void *>(uintptr_t(Text.size() - 1))};
  heddle_driver_result Result =
      Driver.ModuleLoadDataEx(&Out, Image, std::size(Options), Options, Values);
  Log = Text.data();
  while (!Log.empty() && (Log.back() == '\n' || Log.back() == ' '))
    Log.pop_back();
  return Result;
}

/// Loads the best form of the code that the device takes.
static heddle_error *load(DeviceModule &Into, const heddle_entry &Entry,
                          const heddle_code &Code) {
  heddle_device &Device = Into.Device;
  const heddle_device_code &Of = *Code.device;
  DeviceFormats Formats = formatsFor(Of, Device);
  heddle_driver_result Result = HEDDLE_DRIVER_NO_BINARY_FOR_GPU;
  std::string Log;
  heddle_driver_module Module = nullptr;
  if (Formats.Binary)
    Result = load(*Device.Driver, Of.cubin, Module, Log);
  // Where a driver does not take the machine code, be it too new for it or for
  // another device, the text may still do.
  if (Formats.Ptx && Result != HEDDLE_DRIVER_SUCCESS) {
    Log.clear();
    Result = load(*Device.Driver, Of.ptx, Module, Log);
  }
  if (Result == HEDDLE_DRIVER_UNSUPPORTED_PTX_VERSION)
    return makeError(HEDDLE_UNSUPPORTED,
                     "the driver '{}' (CUDA {}.{}) is too old for the text of "
                     "level '{}' of kernel '{}'{}; install a newer driver{}",
                     Device.Driver->name, Device.Info.driver_version / 1000,
                     Device.Info.driver_version % 1000 / 10, Code.level,
                     Entry.name,
                     Of.cubin ? ", and does not take its machine code" : "",
                     Of.cubin ? ""
                              : ", or compile where there is a ptxas, so that "
                                "the bundle has machine code too");
  if (Result != HEDDLE_DRIVER_SUCCESS) {
    std::string What =
        fmt::format("cannot load level '{}' of kernel '{}' on device '{}'",
                    Code.level, Entry.name, Device.Name);
    if (!Log.empty())
      What += fmt::format(" ({})", Log);
    return driverError(*Device.Driver, Result, What);
  }
  Into.Module = Module;
  return nullptr;
}

/// Looks a function up and lets it have its shared memory.
static heddle_error *find(const DeviceModule &In, const heddle_entry &Entry,
                          const heddle_code &Code, const char *Symbol,
                          int64_t Shared, heddle_driver_function &Out) {
  const heddle_driver &Driver = *In.Device.Driver;
  if (heddle_error *E =
          checkDriver(Driver, Driver.ModuleGetFunction(&Out, In.Module, Symbol),
                      "level '{}' of kernel '{}' has no function '{}'",
                      Code.level, Entry.name, Symbol))
    return E;
  if (Shared > In.Device.Info.shared_bytes)
    return makeError(HEDDLE_UNSUPPORTED,
                     "level '{}' of kernel '{}' needs {} bytes of shared "
                     "memory, device '{}' has {}",
                     Code.level, Entry.name, Shared, In.Device.Name,
                     In.Device.Info.shared_bytes);
  return checkDriver(Driver,
                     Driver.FuncSetAttribute(Out,
                                             HEDDLE_DRIVER_DYNAMIC_SHARED_BYTES,
                                             static_cast<int>(Shared)),
                     "cannot give '{}' {} bytes of shared memory on device "
                     "'{}'",
                     Symbol, Shared, In.Device.Name);
}

heddle_error *runtime::loadModule(heddle_device &Device,
                                  const heddle_entry &Entry,
                                  const heddle_code &Code,
                                  std::shared_ptr<DeviceModule> &Out) {
  std::lock_guard<std::mutex> Lock(Device.Access);
  std::weak_ptr<DeviceModule> &Known = Device.Modules[Code.device];
  Out = Known.lock();
  if (Out)
    return nullptr;
  auto Made = std::make_shared<DeviceModule>(Device);
  if (heddle_error *E = load(*Made, Entry, Code))
    return E;
  if (heddle_error *E = find(*Made, Entry, Code, Code.device->task,
                             Code.device->shared_bytes, Made->Task))
    return E;
  if (Code.device->columns)
    if (heddle_error *E =
            find(*Made, Entry, Code, Code.device->columns,
                 Code.device->columns_shared_bytes, Made->Columns))
      return E;
  if (Code.packed) {
    const heddle_device_code &Packed = *Code.packed->device;
    if (heddle_error *E = find(*Made, Entry, Code, Packed.task,
                               Packed.shared_bytes, Made->PackedTask))
      return E;
    if (heddle_error *E = find(*Made, Entry, Code, Packed.merge,
                               Packed.merge_shared_bytes, Made->Merge))
      return E;
  }
  Known = Made;
  Out = std::move(Made);
  return nullptr;
}
