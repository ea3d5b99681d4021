// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/host/Libcuda.h"

#include <cstdlib>
#include <dlfcn.h>
#include <memory>
#include <mutex>

using namespace heddle;

namespace {

/// Looks functions up until one is missing.
class Library {
public:
  explicit Library(void *Handle) : Handle(Handle) {}

  template <typename Function> void find(const char *Name, Function *&Out) {
    void *Address = dlsym(Handle, Name);
    if (!Address && !Missing)
      Missing = Name;
    Out = reinterpret_cast<Function *>(Address);
  }

  const char *missing() const { return Missing; }

private:
  void *Handle;
  const char *Missing = nullptr;
};

} // namespace

const heddle_driver *nv::loadDriver(const char *Path, std::string &Why) {
  void *Handle = dlopen(Path, RTLD_NOW | RTLD_LOCAL);
  if (!Handle) {
    const char *Reason = dlerror();
    Why =
        std::string("cannot load the CUDA driver: ") + (Reason ? Reason : Path);
    return nullptr;
  }
  auto Table = std::make_unique<heddle_driver>();
  heddle_driver &D = *Table;
  D = {};
  D.name = Path;
  Library From(Handle);
  // The names of version 2 have 64-bit sizes and addresses.
  From.find("cuInit", D.Init);
  From.find("cuDriverGetVersion", D.DriverGetVersion);
  From.find("cuGetErrorName", D.GetErrorName);
  From.find("cuGetErrorString", D.GetErrorString);
  From.find("cuDeviceGetCount", D.DeviceGetCount);
  From.find("cuDeviceGet", D.DeviceGet);
  From.find("cuDeviceGetName", D.DeviceGetName);
  From.find("cuDeviceGetAttribute", D.DeviceGetAttribute);
  From.find("cuDevicePrimaryCtxRetain", D.DevicePrimaryCtxRetain);
  From.find("cuDevicePrimaryCtxRelease_v2", D.DevicePrimaryCtxRelease);
  From.find("cuCtxPushCurrent_v2", D.CtxPushCurrent);
  From.find("cuCtxPopCurrent_v2", D.CtxPopCurrent);
  From.find("cuModuleLoadDataEx", D.ModuleLoadDataEx);
  From.find("cuModuleUnload", D.ModuleUnload);
  From.find("cuModuleGetFunction", D.ModuleGetFunction);
  From.find("cuFuncSetAttribute", D.FuncSetAttribute);
  From.find("cuMemAlloc_v2", D.MemAlloc);
  From.find("cuMemFree_v2", D.MemFree);
  From.find("cuMemcpyHtoDAsync_v2", D.MemcpyHtoDAsync);
  From.find("cuMemcpyDtoHAsync_v2", D.MemcpyDtoHAsync);
  From.find("cuMemsetD8Async", D.MemsetD8Async);
  From.find("cuStreamCreate", D.StreamCreate);
  From.find("cuStreamDestroy_v2", D.StreamDestroy);
  From.find("cuStreamSynchronize", D.StreamSynchronize);
  From.find("cuEventCreate", D.EventCreate);
  From.find("cuEventDestroy_v2", D.EventDestroy);
  From.find("cuEventRecord", D.EventRecord);
  From.find("cuEventSynchronize", D.EventSynchronize);
  From.find("cuEventElapsedTime", D.EventElapsedTime);
  From.find("cuLaunchKernel", D.LaunchKernel);
  if (const char *Name = From.missing()) {
    // Every driver has the first.
    Why = D.Init ? std::string("the CUDA driver '") + Path +
                       "' has no function '" + Name + "'; install a newer one"
                 : std::string("'") + Path +
                       "' is no CUDA driver, it has no function '" + Name + "'";
    dlclose(Handle);
    return nullptr;
  }
  // No driver has it, but an emulation may.
  D.explain = reinterpret_cast<const char *(*)()>(
      dlsym(Handle, "heddle_driver_explain"));
  // The driver cannot be unloaded: it keeps threads and exit handlers.
  return Table.release();
}

/// The library, in memory that lasts as long as the driver's table.
static const char *pathOfDriver() {
  static const std::string Path = [] {
    const char *Named = std::getenv("HEDDLE_DRIVER");
    return std::string(Named && *Named ? Named : "libcuda.so.1");
  }();
  return Path.c_str();
}

const heddle_driver *nv::findDriver(std::string &Why) {
  static std::mutex Access;
  static const heddle_driver *Found = nullptr;
  std::lock_guard<std::mutex> Lock(Access);
  if (!Found)
    Found = loadDriver(pathOfDriver(), Why);
  return Found;
}
