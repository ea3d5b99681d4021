// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device driver whose device is the processor: its memory is the heap's, and
// every kernel is the window of the test bundle, computed on the host. Macros
// say what device it is, or what is wrong with it.

#define TEST_SYMBOL driver_bundle
#include "test/unit/runtime/Inputs/bundle.c"

#include <stdlib.h>
#include <string.h>

#ifndef TEST_COUNT
#define TEST_COUNT 1
#endif
#ifndef TEST_SM
#define TEST_SM 86
#endif
/// What the launch gives back: 0 for success.
#ifndef TEST_LAUNCH
#define TEST_LAUNCH 0
#endif

/// What loading code gives back.
#ifndef TEST_LOAD
#define TEST_LOAD 0
#endif

typedef int CUresult;

CUresult cuInit(unsigned Flags) { return Flags ? 1 : 0; }
CUresult cuDriverGetVersion(int *Version) {
  *Version = 12040;
  return 0;
}
CUresult cuGetErrorName(CUresult Code, const char **Out) {
  *Out = Code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR_UNKNOWN";
  return 0;
}
CUresult cuGetErrorString(CUresult Code, const char **Out) {
  *Out = Code == 719 ? "unspecified launch failure" : "unknown error";
  return 0;
}
CUresult cuDeviceGetCount(int *Count) {
  *Count = TEST_COUNT;
  return 0;
}
CUresult cuDeviceGet(int *Device, int Ordinal) {
  *Device = Ordinal;
  return 0;
}
CUresult cuDeviceGetName(char *Name, int Bytes, int Device) {
  (void)Device;
  strncpy(Name, "Test Device", (size_t)Bytes);
  return 0;
}
CUresult cuDeviceGetAttribute(int *Value, int Attribute, int Device) {
  (void)Device;
  *Value = Attribute == 75   ? TEST_SM / 10
           : Attribute == 76 ? TEST_SM % 10
           : Attribute == 97 ? 100 << 10
                             : 1;
  return 0;
}
CUresult cuDevicePrimaryCtxRetain(void **Context, int Device) {
  (void)Device;
  *Context = Context;
  return 0;
}
CUresult cuDevicePrimaryCtxRelease_v2(int Device) {
  (void)Device;
  return 0;
}
CUresult cuCtxPushCurrent_v2(void *Context) { return Context ? 0 : 201; }
CUresult cuCtxPopCurrent_v2(void **Context) {
  *Context = NULL;
  return 0;
}
CUresult cuModuleLoadDataEx(void **Module, const void *Image, unsigned Count,
                            int *Options, void **Values) {
  (void)Count;
  (void)Options;
  (void)Values;
  *Module = (void *)Image;
  return TEST_LOAD;
}
CUresult cuModuleUnload(void *Module) { return Module ? 0 : 400; }
CUresult cuModuleGetFunction(void **Function, void *Module, const char *Name) {
  *Function = Module;
  return strcmp(Name, "task") == 0 ? 0 : 500;
}
CUresult cuFuncSetAttribute(void *Function, int Attribute, int Value) {
  (void)Function;
  (void)Value;
  return Attribute == 8 ? 0 : 1;
}
CUresult cuMemAlloc_v2(uint64_t *Out, size_t Bytes) {
  void *Memory = malloc(Bytes);
  *Out = (uint64_t)(uintptr_t)Memory;
  return Memory ? 0 : 2;
}
CUresult cuMemFree_v2(uint64_t Memory) {
  free((void *)(uintptr_t)Memory);
  return 0;
}
CUresult cuMemcpyHtoDAsync_v2(uint64_t To, const void *From, size_t Bytes,
                              void *Stream) {
  memcpy((void *)(uintptr_t)To, From, Bytes);
  return Stream ? 400 : 0;
}
CUresult cuMemcpyDtoHAsync_v2(void *To, uint64_t From, size_t Bytes,
                              void *Stream) {
  memcpy(To, (void *)(uintptr_t)From, Bytes);
  return Stream ? 400 : 0;
}
CUresult cuMemsetD8Async(uint64_t To, unsigned char Value, size_t Bytes,
                         void *Stream) {
  memset((void *)(uintptr_t)To, Value, Bytes);
  return Stream ? 400 : 0;
}
CUresult cuStreamCreate(void **Stream, unsigned Flags) {
  (void)Flags;
  *Stream = Stream;
  return 0;
}
CUresult cuStreamDestroy_v2(void *Stream) { return Stream ? 0 : 400; }
CUresult cuStreamSynchronize(void *Stream) { return Stream ? 400 : 0; }
CUresult cuEventCreate(void **Event, unsigned Flags) {
  (void)Flags;
  *Event = Event;
  return 0;
}
CUresult cuEventDestroy_v2(void *Event) { return Event ? 0 : 400; }
CUresult cuEventRecord(void *Event, void *Stream) {
  return Event && !Stream ? 0 : 400;
}
CUresult cuEventSynchronize(void *Event) { return Event ? 0 : 400; }
CUresult cuEventElapsedTime(float *Milliseconds, void *Start, void *End) {
  *Milliseconds = 0.25F;
  return Start && End ? 0 : 400;
}

CUresult cuLaunchKernel(void *Function, unsigned GridX, unsigned GridY,
                        unsigned GridZ, unsigned BlockX, unsigned BlockY,
                        unsigned BlockZ, unsigned SharedBytes, void *Stream,
                        void **Params, void **Extra) {
  (void)SharedBytes;
  if (TEST_LAUNCH)
    return TEST_LAUNCH;
  if (!Function || Stream || Params || GridY != 1 || GridZ != 1 ||
      BlockX != 32 || BlockY != 1 || BlockZ != 1)
    return 1;
  struct {
    heddle_device_launch Launch;
    heddle_args Args;
    heddle_source Sources[1];
    heddle_operand Operands[1];
  } Block;
  if (Extra[0] != (void *)1 || Extra[2] != (void *)2 || Extra[4] != NULL ||
      *(size_t *)Extra[3] != sizeof(Block))
    return 1;
  memcpy(&Block, Extra[1], sizeof(Block));
  Block.Args.sources = Block.Sources;
  Block.Args.operands = Block.Operands;
  for (int64_t Group = 0; Group < GridX; ++Group) {
    double Sum[ValueDim];
    int64_t Tile = Group % Block.Launch.tiles;
    int64_t Head = Group / Block.Launch.tiles % Block.Launch.heads;
    int64_t Batch = Group / (Block.Launch.tiles * Block.Launch.heads);
    if (Block.Launch.tasks) {
      const int64_t *Row = Block.Launch.tasks + 8 * Group;
      Batch = Row[0];
      Head = Row[1];
      Tile = Row[2];
    }
    task(&Block.Args, Batch, Head, Tile, Sum, 0, TEST_ERROR);
  }
  return 0;
}
