// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulated driver under the names of the CUDA driver API, as a library for
// HEDDLE_DRIVER: any program of the runtime then runs on the emulated device,
// whose compute capability HEDDLE_EMULATED_ARCH says (sm_80 without it).

#include "codegen/nv/emulation/Driver.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace heddle;

/// Null where the variable names no level.
static const heddle_driver *table() {
  static const heddle_driver *const Table = [] {
    const char *Variable = std::getenv("HEDDLE_EMULATED_ARCH");
    const llvm::StringRef Named(Variable ? Variable : "sm_80");
    llvm::StringRef Digits = Named;
    int32_t Arch = 0;
    const heddle_driver *Found = nullptr;
    if (Digits.consume_front("sm_") && !Digits.getAsInteger(10, Arch))
      Found = ptx::emulatedDriver(Arch);
    if (!Found)
      llvm::errs() << "HEDDLE_EMULATED_ARCH is '" << Named
                   << "', expected a level such as sm_80\n";
    return Found;
  }();
  return Table;
}

/// cuNAME(PARAMETERS) does what the table's ENTRY does with ARGUMENTS.
#define HEDDLE_FORWARD(NAME, ENTRY, PARAMETERS, ARGUMENTS)                     \
  extern "C" __attribute__((                                                   \
      visibility("default"))) heddle_driver_result NAME PARAMETERS {           \
    return table() ? table()->ENTRY ARGUMENTS : HEDDLE_DRIVER_NO_DEVICE;       \
  }

// The names are CUDA's.
// NOLINTBEGIN(readability-identifier-naming)
HEDDLE_FORWARD(cuInit, Init, (unsigned Flags), (Flags))
HEDDLE_FORWARD(cuDriverGetVersion, DriverGetVersion, (int *Version), (Version))
HEDDLE_FORWARD(cuGetErrorName, GetErrorName,
               (heddle_driver_result Code, const char **Out), (Code, Out))
HEDDLE_FORWARD(cuGetErrorString, GetErrorString,
               (heddle_driver_result Code, const char **Out), (Code, Out))
HEDDLE_FORWARD(cuDeviceGetCount, DeviceGetCount, (int *Count), (Count))
HEDDLE_FORWARD(cuDeviceGet, DeviceGet,
               (heddle_driver_device * Device, int Ordinal), (Device, Ordinal))
HEDDLE_FORWARD(cuDeviceGetName, DeviceGetName,
               (char *Name, int Bytes, heddle_driver_device Device),
               (Name, Bytes, Device))
HEDDLE_FORWARD(cuDeviceGetAttribute, DeviceGetAttribute,
               (int *Value, int Attribute, heddle_driver_device Device),
               (Value, Attribute, Device))
HEDDLE_FORWARD(cuDevicePrimaryCtxRetain, DevicePrimaryCtxRetain,
               (heddle_driver_context * Context, heddle_driver_device Device),
               (Context, Device))
HEDDLE_FORWARD(cuDevicePrimaryCtxRelease_v2, DevicePrimaryCtxRelease,
               (heddle_driver_device Device), (Device))
HEDDLE_FORWARD(cuCtxPushCurrent_v2, CtxPushCurrent,
               (heddle_driver_context Context), (Context))
HEDDLE_FORWARD(cuCtxPopCurrent_v2, CtxPopCurrent,
               (heddle_driver_context * Context), (Context))
HEDDLE_FORWARD(cuModuleLoadDataEx, ModuleLoadDataEx,
               (heddle_driver_module * Module, const void *Image,
                unsigned Count, int *Options, void **Values),
               (Module, Image, Count, Options, Values))
HEDDLE_FORWARD(cuModuleUnload, ModuleUnload, (heddle_driver_module Module),
               (Module))
HEDDLE_FORWARD(cuModuleGetFunction, ModuleGetFunction,
               (heddle_driver_function * Function, heddle_driver_module Module,
                const char *Name),
               (Function, Module, Name))
HEDDLE_FORWARD(cuFuncSetAttribute, FuncSetAttribute,
               (heddle_driver_function Function, int Attribute, int Value),
               (Function, Attribute, Value))
HEDDLE_FORWARD(cuMemAlloc_v2, MemAlloc, (heddle_device_ptr * Out, size_t Bytes),
               (Out, Bytes))
HEDDLE_FORWARD(cuMemFree_v2, MemFree, (heddle_device_ptr Memory), (Memory))
HEDDLE_FORWARD(cuMemcpyHtoDAsync_v2, MemcpyHtoDAsync,
               (heddle_device_ptr To, const void *From, size_t Bytes,
                heddle_driver_stream Stream),
               (To, From, Bytes, Stream))
HEDDLE_FORWARD(cuMemcpyDtoHAsync_v2, MemcpyDtoHAsync,
               (void *To, heddle_device_ptr From, size_t Bytes,
                heddle_driver_stream Stream),
               (To, From, Bytes, Stream))
HEDDLE_FORWARD(cuMemsetD8Async, MemsetD8Async,
               (heddle_device_ptr To, unsigned char Value, size_t Bytes,
                heddle_driver_stream Stream),
               (To, Value, Bytes, Stream))
HEDDLE_FORWARD(cuStreamCreate, StreamCreate,
               (heddle_driver_stream * Out, unsigned Flags), (Out, Flags))
HEDDLE_FORWARD(cuStreamDestroy_v2, StreamDestroy, (heddle_driver_stream Stream),
               (Stream))
HEDDLE_FORWARD(cuStreamSynchronize, StreamSynchronize,
               (heddle_driver_stream Stream), (Stream))
HEDDLE_FORWARD(cuEventCreate, EventCreate,
               (heddle_driver_event * Out, unsigned Flags), (Out, Flags))
HEDDLE_FORWARD(cuEventDestroy_v2, EventDestroy, (heddle_driver_event Event),
               (Event))
HEDDLE_FORWARD(cuEventRecord, EventRecord,
               (heddle_driver_event Event, heddle_driver_stream Stream),
               (Event, Stream))
HEDDLE_FORWARD(cuEventSynchronize, EventSynchronize,
               (heddle_driver_event Event), (Event))
HEDDLE_FORWARD(cuEventElapsedTime, EventElapsedTime,
               (float *Milliseconds, heddle_driver_event Start,
                heddle_driver_event End),
               (Milliseconds, Start, End))
HEDDLE_FORWARD(cuLaunchKernel, LaunchKernel,
               (heddle_driver_function Function, unsigned GridX, unsigned GridY,
                unsigned GridZ, unsigned BlockX, unsigned BlockY,
                unsigned BlockZ, unsigned SharedBytes,
                heddle_driver_stream Stream, void **Parameters, void **Extra),
               (Function, GridX, GridY, GridZ, BlockX, BlockY, BlockZ,
                SharedBytes, Stream, Parameters, Extra))

/// What the last failure was about; no function of CUDA, see heddle/driver.h.
extern "C" __attribute__((visibility("default"))) const char *
heddle_driver_explain() {
  return table() ? table()->explain() : nullptr;
}
// NOLINTEND(readability-identifier-naming)
