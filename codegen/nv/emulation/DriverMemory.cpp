// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory, streams and events of the emulated driver.

#include "codegen/nv/emulation/DriverState.h"

#include <cstring>

using namespace heddle;
using namespace heddle::ptx;

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static Result memAlloc(heddle_device_ptr *Out, size_t Bytes) {
  return inContext([&](State &S) -> Result {
    // As much as addresses of a real device would have.
    if (Bytes == 0)
      return fail(HEDDLE_DRIVER_INVALID_VALUE);
    if (Bytes > uint64_t(1) << 40)
      return fail(HEDDLE_DRIVER_OUT_OF_MEMORY);
    *Out = S.Memory->allocate(Bytes);
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result memFree(heddle_device_ptr Memory) {
  return inContext([&](State &S) -> Result {
    return S.Memory->free(Memory) ? HEDDLE_DRIVER_SUCCESS
                                  : fail(HEDDLE_DRIVER_INVALID_VALUE);
  });
}

/// Whether all the bytes are the device's.
static bool isInside(const State &S, heddle_device_ptr At, size_t Bytes) {
  const Range *Of = S.Memory->find(At);
  return Of && At >= Of->Begin && Bytes <= Of->End - At;
}

/// What copies and fills have in common; `Fn` does it.
template <typename Body>
static Result touch(heddle_device_ptr At, size_t Bytes,
                    heddle_driver_stream Stream, Body Fn) {
  return inContext([&](State &S) -> Result {
    if (isForeign(S, Stream))
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    if (Bytes > 0 && !isInside(S, At, Bytes))
      return fail(HEDDLE_DRIVER_INVALID_VALUE,
                  "not all of " + std::to_string(Bytes) +
                      " bytes are in one allocation");
    if (Bytes > 0)
      Fn(reinterpret_cast<void *>(static_cast<uintptr_t>(At)));
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result memcpyHtoD(heddle_device_ptr To, const void *From, size_t Bytes,
                         heddle_driver_stream Stream) {
  return touch(To, Bytes, Stream,
               [&](void *At) { std::memcpy(At, From, Bytes); });
}

static Result memcpyDtoH(void *To, heddle_device_ptr From, size_t Bytes,
                         heddle_driver_stream Stream) {
  return touch(From, Bytes, Stream,
               [&](const void *At) { std::memcpy(To, At, Bytes); });
}

static Result memsetD8(heddle_device_ptr To, unsigned char Value, size_t Bytes,
                       heddle_driver_stream Stream) {
  return touch(To, Bytes, Stream,
               [&](void *At) { std::memset(At, Value, Bytes); });
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

static Result streamCreate(heddle_driver_stream *Out, unsigned) {
  return inContext([&](State &S) -> Result {
    auto Made = std::make_unique<int>(0);
    S.Streams.insert(Made.get());
    *Out = Made.release();
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result streamDestroy(heddle_driver_stream Stream) {
  return inContext([&](State &S) -> Result {
    auto *Of = static_cast<int *>(Stream);
    if (S.Streams.erase(Of) == 0)
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    delete Of;
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result streamSynchronize(heddle_driver_stream Stream) {
  return inContext([&](State &S) -> Result {
    return isForeign(S, Stream) ? fail(HEDDLE_DRIVER_INVALID_HANDLE)
                                : HEDDLE_DRIVER_SUCCESS;
  });
}

static Result eventCreate(heddle_driver_event *Out, unsigned) {
  return inContext([&](State &S) -> Result {
    auto Made = std::make_unique<Event>();
    S.Events.insert(Made.get());
    *Out = Made.release();
    return HEDDLE_DRIVER_SUCCESS;
  });
}

/// Runs the body on an event that there is.
template <typename Body>
static Result withEvent(heddle_driver_event Handle, Body Fn) {
  return inContext([&](State &S) -> Result {
    auto *Of = static_cast<Event *>(Handle);
    if (S.Events.count(Of) == 0)
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    return Fn(S, *Of);
  });
}

static Result eventDestroy(heddle_driver_event Handle) {
  return withEvent(Handle, [](State &S, Event &Of) -> Result {
    S.Events.erase(&Of);
    delete &Of;
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result eventRecord(heddle_driver_event Handle,
                          heddle_driver_stream Stream) {
  return withEvent(Handle, [&](State &S, Event &Of) -> Result {
    if (isForeign(S, Stream))
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    Of.When = std::chrono::steady_clock::now();
    Of.IsRecorded = true;
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result eventSynchronize(heddle_driver_event Handle) {
  return withEvent(
      Handle, [](State &, Event &) -> Result { return HEDDLE_DRIVER_SUCCESS; });
}

static Result eventElapsedTime(float *Milliseconds, heddle_driver_event Start,
                               heddle_driver_event End) {
  return withEvent(Start, [&](State &S, const Event &From) -> Result {
    auto *To = static_cast<Event *>(End);
    if (S.Events.count(To) == 0 || !From.IsRecorded || !To->IsRecorded)
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    *Milliseconds =
        std::chrono::duration<float, std::milli>(To->When - From.When).count();
    return HEDDLE_DRIVER_SUCCESS;
  });
}

void ptx::addMemory(heddle_driver &Table) {
  Table.MemAlloc = memAlloc;
  Table.MemFree = memFree;
  Table.MemcpyHtoDAsync = memcpyHtoD;
  Table.MemcpyDtoHAsync = memcpyDtoH;
  Table.MemsetD8Async = memsetD8;
  Table.StreamCreate = streamCreate;
  Table.StreamDestroy = streamDestroy;
  Table.StreamSynchronize = streamSynchronize;
  Table.EventCreate = eventCreate;
  Table.EventDestroy = eventDestroy;
  Table.EventRecord = eventRecord;
  Table.EventSynchronize = eventSynchronize;
  Table.EventElapsedTime = eventElapsedTime;
}
