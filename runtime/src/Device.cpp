// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Device.h"

#include "codegen/nv/host/Libcuda.h"

#include <array>
#include <memory>

using namespace heddle;
using namespace heddle::runtime;

//===----------------------------------------------------------------------===//
// Errors and contexts
//===----------------------------------------------------------------------===//

heddle_error *runtime::driverError(const heddle_driver &Driver,
                                   heddle_driver_result Result,
                                   const std::string &What) {
  const char *Name = nullptr, *Text = nullptr;
  if (Driver.GetErrorName(Result, &Name) != HEDDLE_DRIVER_SUCCESS || !Name)
    Name = nullptr;
  if (Driver.GetErrorString(Result, &Text) != HEDDLE_DRIVER_SUCCESS)
    Text = nullptr;
  std::string Reason =
      Name ? std::string(Name) : fmt::format("error {}", Result);
  if (Text)
    Reason += fmt::format(", {}", Text);
  const char *More = Driver.explain ? Driver.explain() : nullptr;
  if (More)
    Reason += fmt::format(": {}", More);
  return makeError(Result == HEDDLE_DRIVER_OUT_OF_MEMORY ? HEDDLE_OUT_OF_MEMORY
                                                         : HEDDLE_DEVICE_FAILED,
                   "{}: {}", What, Reason);
}

UseContext::UseContext(const heddle_device &Device)
    : Device(Device), Result(Device.Driver->CtxPushCurrent(Device.Context)) {}

UseContext::~UseContext() {
  heddle_driver_context Popped = nullptr;
  if (Result == HEDDLE_DRIVER_SUCCESS)
    Device.Driver->CtxPopCurrent(&Popped);
}

heddle_error *UseContext::error() const {
  return checkDriver(*Device.Driver, Result, "cannot use device '{}'",
                     Device.Name);
}

/// Runs the body of an entry point with the device's context current.
template <typename Body>
static heddle_error *withContext(const heddle_device *Device, Body Fn) {
  return guarded([&]() -> heddle_error * {
    if (!Device)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the device is null");
    UseContext Use(*Device);
    if (heddle_error *E = Use.error())
      return E;
    return Fn(*Device->Driver);
  });
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

heddle_error *heddle_driver_find(const heddle_driver **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    std::string Why;
    *out = nv::findDriver(Why);
    if (*out)
      return nullptr;
    return makeError(HEDDLE_UNSUPPORTED,
                     "this machine has no device driver: {}", Why);
  });
}

heddle_device::~heddle_device() {
  if (Context)
    Driver->DevicePrimaryCtxRelease(Number);
}

/// Asks for name, version and attributes.
static heddle_error *describe(heddle_device &Device) {
  const heddle_driver &Driver = *Device.Driver;
  std::array<char, 256> Name = {};
  if (heddle_error *E = checkDriver(
          Driver,
          Driver.DeviceGetName(Name.data(), static_cast<int>(Name.size()) - 1,
                               Device.Number),
          "cannot ask for the name of device {}", Device.Ordinal))
    return E;
  Device.Name = Name.data();
  heddle_device_info &Info = Device.Info;
  Info.name = Device.Name.c_str();
  Info.driver = Driver.name;
  Info.ordinal = Device.Ordinal;
  int Version = 0;
  if (heddle_error *E =
          checkDriver(Driver, Driver.DriverGetVersion(&Version),
                      "cannot ask for the version of '{}'", Driver.name))
    return E;
  Info.driver_version = Version;
  int Major = 0, Minor = 0, Processors = 0, Shared = 0;
  const std::pair<int, int *> Attributes[] = {
      {HEDDLE_DRIVER_ARCH_MAJOR, &Major},
      {HEDDLE_DRIVER_ARCH_MINOR, &Minor},
      {HEDDLE_DRIVER_MULTIPROCESSORS, &Processors},
      {HEDDLE_DRIVER_MOST_SHARED_BYTES, &Shared}};
  for (auto [Attribute, Value] : Attributes)
    if (heddle_error *E = checkDriver(
            Driver, Driver.DeviceGetAttribute(Value, Attribute, Device.Number),
            "cannot ask device '{}' for attribute {}", Device.Name, Attribute))
      return E;
  Info.arch = 10 * Major + Minor;
  Info.multiprocessors = Processors;
  Info.shared_bytes = Shared;
  return nullptr;
}

heddle_error *heddle_device_open(const heddle_driver *driver, int32_t ordinal,
                                 heddle_device **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!driver)
      if (heddle_error *E = heddle_driver_find(&driver))
        return E;
    const heddle_driver &Driver = *driver;
    heddle_driver_result Result = Driver.Init(0);
    int Count = 0;
    if (Result == HEDDLE_DRIVER_SUCCESS)
      Result = Driver.DeviceGetCount(&Count);
    if (Result == HEDDLE_DRIVER_NO_DEVICE ||
        (Result == HEDDLE_DRIVER_SUCCESS && Count < 1))
      return makeError(HEDDLE_UNSUPPORTED,
                       "this machine has no device: its driver '{}' finds none",
                       Driver.name);
    if (heddle_error *E = checkDriver(
            Driver, Result, "cannot start the driver '{}'", Driver.name))
      return E;
    if (ordinal < 0 || ordinal >= Count)
      return makeError(HEDDLE_NOT_FOUND,
                       "there is no device {}; the driver '{}' finds {}, "
                       "numbered from 0",
                       ordinal, Driver.name, Count);
    auto Device = std::make_unique<heddle_device>();
    Device->Driver = driver;
    Device->Ordinal = ordinal;
    if (heddle_error *E =
            checkDriver(Driver, Driver.DeviceGet(&Device->Number, ordinal),
                        "cannot open device {}", ordinal))
      return E;
    if (heddle_error *E = describe(*Device))
      return E;
    heddle_driver_context Context = nullptr;
    if (heddle_error *E = checkDriver(
            Driver, Driver.DevicePrimaryCtxRetain(&Context, Device->Number),
            "cannot open device '{}'", Device->Name))
      return E;
    Device->Context = Context;
    *out = Device.release();
    return nullptr;
  });
}

void heddle_device_close(heddle_device *device) { delete device; }

heddle_device_info heddle_device_describe(const heddle_device *device) {
  return device ? device->Info : heddle_device_info{};
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

DeviceMemory::~DeviceMemory() {
  if (!Address)
    return;
  if (UseContext Use(Device); Use)
    Device.Driver->MemFree(Address);
}

heddle_error *DeviceMemory::allocate(int64_t NewBytes) {
  if (Address)
    Device.Driver->MemFree(Address);
  Address = 0;
  Bytes = 0;
  if (NewBytes == 0)
    return nullptr;
  heddle_device_ptr Got = 0;
  if (heddle_error *E = checkDriver(
          *Device.Driver, Device.Driver->MemAlloc(&Got, NewBytes),
          "cannot allocate {} bytes on device '{}'", NewBytes, Device.Name))
    return E;
  Address = Got;
  Bytes = NewBytes;
  return nullptr;
}

/// A number of bytes that a caller gave.
static heddle_error *checkBytes(int64_t Bytes) {
  if (Bytes >= 0)
    return nullptr;
  return makeError(HEDDLE_INVALID_ARGUMENT, "'bytes' is {}, expected 0 or more",
                   Bytes);
}

/// The operands of a copy or fill.
static heddle_error *checkSpan(const void *To, const void *From,
                               int64_t Bytes) {
  if (heddle_error *E = checkBytes(Bytes))
    return E;
  if (Bytes > 0 && (!To || !From))
    return makeError(HEDDLE_INVALID_ARGUMENT, "'{}' is null, for {} bytes",
                     To ? "from" : "to", Bytes);
  return nullptr;
}

heddle_error *heddle_device_allocate(heddle_device *device, int64_t bytes,
                                     void **out) {
  if (out)
    *out = nullptr;
  return withContext(device, [&](const heddle_driver &) -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    if (heddle_error *E = checkBytes(bytes))
      return E;
    if (bytes == 0)
      return nullptr;
    heddle_device_ptr Got = 0;
    if (heddle_error *E = checkDriver(
            *device->Driver, device->Driver->MemAlloc(&Got, bytes),
            "cannot allocate {} bytes on device '{}'", bytes, device->Name))
      return E;
    *out = asPointer(Got);
    return nullptr;
  });
}

void heddle_device_free(heddle_device *device, void *memory) {
  if (!device || !memory)
    return;
  if (UseContext Use(*device); Use)
    device->Driver->MemFree(asAddress(memory));
}

/// Waits for all that is in the stream.
static heddle_error *wait(const heddle_device &Device, void *Stream) {
  return checkDriver(*Device.Driver, Device.Driver->StreamSynchronize(Stream),
                     "device '{}' failed", Device.Name);
}

heddle_error *heddle_device_upload(heddle_device *device, void *to,
                                   const void *from, int64_t bytes,
                                   void *stream) {
  return withContext(
      device, [&](const heddle_driver &Driver) -> heddle_error * {
        heddle_error *E = checkSpan(to, from, bytes);
        if (E || bytes == 0)
          return E;
        if (heddle_error *Bad = checkDriver(
                Driver,
                Driver.MemcpyHtoDAsync(asAddress(to), from, bytes, stream),
                "cannot copy {} bytes to device '{}'", bytes, device->Name))
          return Bad;
        return wait(*device, stream);
      });
}

heddle_error *heddle_device_download(heddle_device *device, void *to,
                                     const void *from, int64_t bytes,
                                     void *stream) {
  return withContext(
      device, [&](const heddle_driver &Driver) -> heddle_error * {
        heddle_error *E = checkSpan(to, from, bytes);
        if (E || bytes == 0)
          return E;
        if (heddle_error *Bad = checkDriver(
                Driver,
                Driver.MemcpyDtoHAsync(to, asAddress(from), bytes, stream),
                "cannot copy {} bytes from device '{}'", bytes, device->Name))
          return Bad;
        return wait(*device, stream);
      });
}

heddle_error *heddle_device_fill(heddle_device *device, void *to, uint8_t value,
                                 int64_t bytes, void *stream) {
  return withContext(
      device, [&](const heddle_driver &Driver) -> heddle_error * {
        heddle_error *E = checkSpan(to, to, bytes);
        if (E || bytes == 0)
          return E;
        return checkDriver(
            Driver, Driver.MemsetD8Async(asAddress(to), value, bytes, stream),
            "cannot fill {} bytes of device '{}'", bytes, device->Name);
      });
}

heddle_error *heddle_device_synchronize(heddle_device *device, void *stream) {
  return withContext(
      device, [&](const heddle_driver &) { return wait(*device, stream); });
}

//===----------------------------------------------------------------------===//
// Streams and timers
//===----------------------------------------------------------------------===//

heddle_error *heddle_stream_create(heddle_device *device, void **out) {
  if (out)
    *out = nullptr;
  return withContext(
      device, [&](const heddle_driver &Driver) -> heddle_error * {
        if (!out)
          return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
        heddle_driver_stream Stream = nullptr;
        if (heddle_error *E = checkDriver(
                Driver, Driver.StreamCreate(&Stream, 0),
                "cannot make a stream of device '{}'", device->Name))
          return E;
        *out = Stream;
        return nullptr;
      });
}

void heddle_stream_destroy(heddle_device *device, void *stream) {
  if (!device || !stream)
    return;
  if (UseContext Use(*device); Use)
    device->Driver->StreamDestroy(stream);
}

struct heddle_timer {
  heddle_device &Device;
  heddle_driver_event Start = nullptr, End = nullptr;
  bool IsStarted = false, IsStopped = false;

  explicit heddle_timer(heddle_device &Device) : Device(Device) {}
  heddle_timer(const heddle_timer &) = delete;
  heddle_timer &operator=(const heddle_timer &) = delete;
  ~heddle_timer() {
    UseContext Use(Device);
    for (heddle_driver_event Event : {Start, End})
      if (Event && Use)
        Device.Driver->EventDestroy(Event);
  }
};

heddle_error *heddle_timer_create(heddle_device *device, heddle_timer **out) {
  if (out)
    *out = nullptr;
  return withContext(
      device, [&](const heddle_driver &Driver) -> heddle_error * {
        if (!out)
          return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
        auto Timer = std::make_unique<heddle_timer>(*device);
        for (heddle_driver_event *Event : {&Timer->Start, &Timer->End})
          if (heddle_error *E = checkDriver(
                  Driver, Driver.EventCreate(Event, 0),
                  "cannot make a timer of device '{}'", device->Name))
            return E;
        *out = Timer.release();
        return nullptr;
      });
}

void heddle_timer_destroy(heddle_timer *timer) { delete timer; }

static heddle_error *nullTimer() {
  return guarded(
      [] { return makeError(HEDDLE_INVALID_ARGUMENT, "the timer is null"); });
}

/// Records one end of what a timer measures.
static heddle_error *record(heddle_timer *Timer,
                            heddle_driver_event heddle_timer::*Event,
                            void *Stream) {
  if (!Timer)
    return nullTimer();
  return withContext(&Timer->Device, [&](const heddle_driver &Driver) {
    return checkDriver(Driver, Driver.EventRecord(Timer->*Event, Stream),
                       "cannot time device '{}'", Timer->Device.Name);
  });
}

heddle_error *heddle_timer_start(heddle_timer *timer, void *stream) {
  heddle_error *E = record(timer, &heddle_timer::Start, stream);
  if (timer) {
    timer->IsStarted = !E;
    timer->IsStopped = false;
  }
  return E;
}

heddle_error *heddle_timer_stop(heddle_timer *timer, void *stream) {
  heddle_error *E = record(timer, &heddle_timer::End, stream);
  if (timer)
    timer->IsStopped = !E;
  return E;
}

heddle_error *heddle_timer_read(heddle_timer *timer, double *out) {
  if (out)
    *out = 0;
  if (!timer)
    return nullTimer();
  return withContext(
      &timer->Device, [&](const heddle_driver &Driver) -> heddle_error * {
        if (!out)
          return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
        if (!timer->IsStarted || !timer->IsStopped)
          return makeError(HEDDLE_INVALID_ARGUMENT,
                           "the timer was not {}, expected a start and a stop "
                           "before it is read",
                           timer->IsStarted ? "stopped" : "started");
        float Milliseconds = 0;
        if (heddle_error *E =
                checkDriver(Driver, Driver.EventSynchronize(timer->End),
                            "device '{}' failed", timer->Device.Name))
          return E;
        if (heddle_error *E =
                checkDriver(Driver,
                            Driver.EventElapsedTime(&Milliseconds, timer->Start,
                                                    timer->End),
                            "cannot time device '{}'", timer->Device.Name))
          return E;
        *out = static_cast<double>(Milliseconds);
        return nullptr;
      });
}
