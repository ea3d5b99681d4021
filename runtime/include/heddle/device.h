// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running kernels on a device: open one, choose the code of a kernel that
// serves it, plan on the host as for any code, put the plan on the device, and
// launch it on tensors in the device's memory.
//
//   heddle_device *device;  const heddle_code *code;
//   heddle_plan *plan;      heddle_device_plan *there;
//   heddle_device_open(NULL, 0, &device);
//   heddle_device_code_of(device, kernel, NULL, &code);
//   heddle_plan_create_with(kernel, code, &problem, &plan);
//   heddle_device_plan_create(device, plan, &there);
//   heddle_device_plan_launch(there, &tensors, stream);
//   heddle_device_synchronize(device, stream);
//
// A device is used by several host threads at once as the driver allows; a
// device plan by one at a time, and on one stream at a time. The current
// context of the calling thread is left as it was. A stream is one of the
// driver's own (CUstream), NULL its default one; whatever depends on a stream
// is done in the stream's order. All sizes are in bytes.
//
// Errors are those of heddle/heddle.h; what the driver refuses is
// HEDDLE_DEVICE_FAILED, named as the driver names it, and HEDDLE_OUT_OF_MEMORY
// where the device's memory is full.

#ifndef HEDDLE_DEVICE_H
#define HEDDLE_DEVICE_H

#include "heddle/driver.h"
#include "heddle/heddle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heddle_device heddle_device;
typedef struct heddle_device_plan heddle_device_plan;
typedef struct heddle_timer heddle_timer;

/// The driver of this machine, loaded when first asked for and never unloaded.
/// The environment variable HEDDLE_DRIVER names another library to load.
/// Fails with HEDDLE_UNSUPPORTED where there is none, or one too old.
HEDDLE_API heddle_error *heddle_driver_find(const heddle_driver **out);

/// Opens device number `ordinal` of a driver, of this machine's where `driver`
/// is NULL; the table must live until the device is closed. Takes the device's
/// primary context, which the CUDA runtime uses too: its pointers and streams
/// are welcome. Fails with HEDDLE_UNSUPPORTED without a driver or any device,
/// and with HEDDLE_NOT_FOUND when there is none of that number.
HEDDLE_API heddle_error *heddle_device_open(const heddle_driver *driver,
                                            int32_t ordinal,
                                            heddle_device **out);
/// Closes the device; its memory, streams, timers and plans must be gone. NULL
/// is allowed.
HEDDLE_API void heddle_device_close(heddle_device *device);

typedef struct heddle_device_info {
  const char *name;       /* owned by the device */
  const char *driver;     /* heddle_driver.name */
  int32_t driver_version; /* 1000 major + 10 minor: 12040 for 12.4 */
  int32_t ordinal;
  int32_t arch; /* 10 major + minor of the compute capability: 90 */
  int32_t multiprocessors;
  int64_t shared_bytes; /* that a block can have */
} heddle_device_info;

/// What the device is.
HEDDLE_API heddle_device_info
heddle_device_describe(const heddle_device *device);

/// Memory of the device, aligned to 256 bytes; 0 bytes give NULL.
HEDDLE_API heddle_error *heddle_device_allocate(heddle_device *device,
                                                int64_t bytes, void **out);
/// Frees memory of heddle_device_allocate; NULL is allowed.
HEDDLE_API void heddle_device_free(heddle_device *device, void *memory);
/// Copies to the device and back; returns when the copy is done and so is all
/// that was put into the stream before.
HEDDLE_API heddle_error *heddle_device_upload(heddle_device *device, void *to,
                                              const void *from, int64_t bytes,
                                              void *stream);
HEDDLE_API heddle_error *heddle_device_download(heddle_device *device, void *to,
                                                const void *from, int64_t bytes,
                                                void *stream);
/// Sets every byte to `value`, in the order of the stream.
HEDDLE_API heddle_error *heddle_device_fill(heddle_device *device, void *to,
                                            uint8_t value, int64_t bytes,
                                            void *stream);
/// Waits until all that was put into the stream is done. What went wrong in a
/// launch shows here, if not before.
HEDDLE_API heddle_error *heddle_device_synchronize(heddle_device *device,
                                                   void *stream);

HEDDLE_API heddle_error *heddle_stream_create(heddle_device *device,
                                              void **out);
HEDDLE_API void heddle_stream_destroy(heddle_device *device, void *stream);

/// Measures how long the device is busy between two points of a stream.
HEDDLE_API heddle_error *heddle_timer_create(heddle_device *device,
                                             heddle_timer **out);
HEDDLE_API void heddle_timer_destroy(heddle_timer *timer);
HEDDLE_API heddle_error *heddle_timer_start(heddle_timer *timer, void *stream);
HEDDLE_API heddle_error *heddle_timer_stop(heddle_timer *timer, void *stream);
/// Waits for the end and gives the milliseconds since the start.
HEDDLE_API heddle_error *heddle_timer_read(heddle_timer *timer, double *out);

/// The code of a kernel to run on the device: the one for the newest
/// architecture that is no newer than the device's, as machine code (for the
/// same major version) or else as PTX, which the driver compiles. `level`, or
/// where it is NULL the environment variable HEDDLE_LEVEL, names a level to use
/// instead. Fails with HEDDLE_UNSUPPORTED when none serves the device, saying
/// what there is and what the device is, and with HEDDLE_NOT_FOUND when there
/// is no such level.
HEDDLE_API heddle_error *heddle_device_code_of(const heddle_device *device,
                                               const heddle_kernel *kernel,
                                               const char *level,
                                               const heddle_code **out);

/// Loads the code of a plan (of device code) and copies to the device what
/// tasks need: the tables, sets, offsets and origins of the problem, and the
/// order of the tasks unless they all are alike. `plan` must outlive the result
/// and may serve several. What the plan's problem refers to (tables of reals
/// too) is copied here and not read afterwards.
HEDDLE_API heddle_error *heddle_device_plan_create(heddle_device *device,
                                                   const heddle_plan *plan,
                                                   heddle_device_plan **out);
/// Waits for launches in the last stream that it ran in. NULL is allowed.
HEDDLE_API void heddle_device_plan_destroy(heddle_device_plan *plan);
/// Bytes of device memory that it holds, without the code.
HEDDLE_API int64_t heddle_device_plan_bytes(const heddle_device_plan *plan);

/// Runs the plan once, in the order of the stream, on tensors as those of
/// heddle_launch, but in the device's memory. Checks every tensor first and
/// launches nothing when a check fails. Returns without waiting.
HEDDLE_API heddle_error *
heddle_device_plan_launch(heddle_device_plan *plan,
                          const heddle_tensors *tensors, void *stream);

#ifdef __cplusplus
}
#endif

#endif // HEDDLE_DEVICE_H
