// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of a device driver that the runtime calls: those of the CUDA
// driver API, with its signatures. The table of this machine's driver is found
// at run time (heddle_driver_find in heddle/device.h), so nothing here is
// linked; a caller may give a table of its own, an emulation for example.
//
// Types are those of cuda.h in plain C: CUresult, CUdevice, CUdeviceptr (an
// address), and pointers to opaque objects.

#ifndef HEDDLE_DRIVER_H
#define HEDDLE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int heddle_driver_result;   /* CUresult: 0 is success */
typedef int heddle_driver_device;   /* CUdevice */
typedef uint64_t heddle_device_ptr; /* CUdeviceptr */
typedef void *heddle_driver_context;
typedef void *heddle_driver_module;
typedef void *heddle_driver_function;
typedef void *heddle_driver_stream; /* NULL: the default stream */
typedef void *heddle_driver_event;

/// The numbers of the CUDA driver API that are used by name.
enum {
  /* CUresult */
  HEDDLE_DRIVER_SUCCESS = 0,
  HEDDLE_DRIVER_INVALID_VALUE = 1,
  HEDDLE_DRIVER_OUT_OF_MEMORY = 2,
  HEDDLE_DRIVER_NOT_INITIALIZED = 3,
  HEDDLE_DRIVER_NO_DEVICE = 100,
  HEDDLE_DRIVER_INVALID_DEVICE = 101,
  HEDDLE_DRIVER_INVALID_CONTEXT = 201,
  HEDDLE_DRIVER_NO_BINARY_FOR_GPU = 209,
  HEDDLE_DRIVER_INVALID_PTX = 218,
  HEDDLE_DRIVER_UNSUPPORTED_PTX_VERSION = 222,
  HEDDLE_DRIVER_INVALID_HANDLE = 400,
  HEDDLE_DRIVER_NOT_FOUND = 500,
  HEDDLE_DRIVER_LAUNCH_FAILED = 719,
  /* CUdevice_attribute */
  HEDDLE_DRIVER_CLOCK_RATE = 13, /* kHz */
  HEDDLE_DRIVER_MULTIPROCESSORS = 16,
  HEDDLE_DRIVER_ARCH_MAJOR = 75,
  HEDDLE_DRIVER_ARCH_MINOR = 76,
  HEDDLE_DRIVER_MOST_SHARED_BYTES = 97, /* of a block that asks for them */
  /* CUfunction_attribute */
  HEDDLE_DRIVER_DYNAMIC_SHARED_BYTES = 8,
  /* CUjit_option: a char array, and its size as the pointer's value, which
     becomes the size that was filled */
  HEDDLE_DRIVER_INFO_LOG = 3,
  HEDDLE_DRIVER_INFO_LOG_BYTES = 4,
  HEDDLE_DRIVER_ERROR_LOG = 5,
  HEDDLE_DRIVER_ERROR_LOG_BYTES = 6,
};

/// The names of cuLaunchKernel's `extra` list: end, address and size (a
/// size_t) of the block of arguments.
#define HEDDLE_DRIVER_PARAM_END ((void *)0)
#define HEDDLE_DRIVER_PARAM_BUFFER ((void *)1)
#define HEDDLE_DRIVER_PARAM_BYTES ((void *)2)

/// Each function is what the CUDA driver API calls cu... (with the suffix _v2
/// where there are two). None may be NULL, but for `explain`.
typedef struct heddle_driver {
  /// What it is, in messages: "libcuda.so.1".
  const char *name;

  heddle_driver_result (*Init)(unsigned flags);
  heddle_driver_result (*DriverGetVersion)(int *version);
  heddle_driver_result (*GetErrorName)(heddle_driver_result result,
                                       const char **out);
  heddle_driver_result (*GetErrorString)(heddle_driver_result result,
                                         const char **out);

  heddle_driver_result (*DeviceGetCount)(int *count);
  heddle_driver_result (*DeviceGet)(heddle_driver_device *device, int ordinal);
  heddle_driver_result (*DeviceGetName)(char *name, int bytes,
                                        heddle_driver_device device);
  heddle_driver_result (*DeviceGetAttribute)(int *value, int attribute,
                                             heddle_driver_device device);
  heddle_driver_result (*DevicePrimaryCtxRetain)(heddle_driver_context *context,
                                                 heddle_driver_device device);
  heddle_driver_result (*DevicePrimaryCtxRelease)(heddle_driver_device device);
  heddle_driver_result (*CtxPushCurrent)(heddle_driver_context context);
  heddle_driver_result (*CtxPopCurrent)(heddle_driver_context *context);

  heddle_driver_result (*ModuleLoadDataEx)(heddle_driver_module *module,
                                           const void *image, unsigned count,
                                           int *options, void **values);
  heddle_driver_result (*ModuleUnload)(heddle_driver_module module);
  heddle_driver_result (*ModuleGetFunction)(heddle_driver_function *function,
                                            heddle_driver_module module,
                                            const char *name);
  heddle_driver_result (*FuncSetAttribute)(heddle_driver_function function,
                                           int attribute, int value);

  heddle_driver_result (*MemAlloc)(heddle_device_ptr *out, size_t bytes);
  heddle_driver_result (*MemFree)(heddle_device_ptr memory);
  heddle_driver_result (*MemcpyHtoDAsync)(heddle_device_ptr to,
                                          const void *from, size_t bytes,
                                          heddle_driver_stream stream);
  heddle_driver_result (*MemcpyDtoHAsync)(void *to, heddle_device_ptr from,
                                          size_t bytes,
                                          heddle_driver_stream stream);
  heddle_driver_result (*MemsetD8Async)(heddle_device_ptr to,
                                        unsigned char value, size_t bytes,
                                        heddle_driver_stream stream);

  heddle_driver_result (*StreamCreate)(heddle_driver_stream *out,
                                       unsigned flags);
  heddle_driver_result (*StreamDestroy)(heddle_driver_stream stream);
  heddle_driver_result (*StreamSynchronize)(heddle_driver_stream stream);
  heddle_driver_result (*EventCreate)(heddle_driver_event *out, unsigned flags);
  heddle_driver_result (*EventDestroy)(heddle_driver_event event);
  heddle_driver_result (*EventRecord)(heddle_driver_event event,
                                      heddle_driver_stream stream);
  heddle_driver_result (*EventSynchronize)(heddle_driver_event event);
  heddle_driver_result (*EventElapsedTime)(float *milliseconds,
                                           heddle_driver_event start,
                                           heddle_driver_event end);

  heddle_driver_result (*LaunchKernel)(heddle_driver_function function,
                                       unsigned grid_x, unsigned grid_y,
                                       unsigned grid_z, unsigned block_x,
                                       unsigned block_y, unsigned block_z,
                                       unsigned shared_bytes,
                                       heddle_driver_stream stream,
                                       void **params, void **extra);

  /// What the last failure of the calling thread was about, or NULL when there
  /// is no more to say than its name; may be NULL itself. No function of CUDA:
  /// an emulation knows more than a device tells.
  const char *(*explain)(void);
} heddle_driver;

#ifdef __cplusplus
}
#endif

#endif // HEDDLE_DRIVER_H
