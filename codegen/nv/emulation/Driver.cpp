// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/DriverState.h"

#include "codegen/nv/Levels.h"
#include "codegen/nv/host/Arch.h"

#include <algorithm>
#include <cstring>

using namespace heddle;
using namespace heddle::ptx;

thread_local int64_t ptx::Pushed = 0;
thread_local ptx::Explanation ptx::LastFailure;

State &ptx::state() {
  static State TheState;
  return TheState;
}

//===----------------------------------------------------------------------===//
// Driver, device, context
//===----------------------------------------------------------------------===//

static Result init(unsigned Flags) {
  LastFailure.clear();
  if (Flags != 0)
    return fail(HEDDLE_DRIVER_INVALID_VALUE);
  state().IsInitialized = true;
  return HEDDLE_DRIVER_SUCCESS;
}

static Result driverGetVersion(int *Version) {
  *Version = 12000;
  return HEDDLE_DRIVER_SUCCESS;
}

static const struct {
  Result Code;
  const char *Name, *Text;
} KnownErrors[] = {
    {HEDDLE_DRIVER_SUCCESS, "CUDA_SUCCESS", "no error"},
    {HEDDLE_DRIVER_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE",
     "invalid argument"},
    {HEDDLE_DRIVER_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {HEDDLE_DRIVER_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED",
     "initialization error"},
    {HEDDLE_DRIVER_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no device is detected"},
    {HEDDLE_DRIVER_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE",
     "invalid device ordinal"},
    {HEDDLE_DRIVER_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT",
     "invalid device context"},
    {HEDDLE_DRIVER_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {HEDDLE_DRIVER_INVALID_PTX, "CUDA_ERROR_INVALID_PTX",
     "a PTX JIT compilation failed"},
    {HEDDLE_DRIVER_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE",
     "invalid resource handle"},
    {HEDDLE_DRIVER_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {HEDDLE_DRIVER_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED",
     "unspecified launch failure"}};

static Result getErrorName(Result Code, const char **Out) {
  for (const auto &Known : KnownErrors)
    if (Known.Code == Code) {
      *Out = Known.Name;
      return HEDDLE_DRIVER_SUCCESS;
    }
  *Out = nullptr;
  return HEDDLE_DRIVER_INVALID_VALUE;
}

static Result getErrorString(Result Code, const char **Out) {
  for (const auto &Known : KnownErrors)
    if (Known.Code == Code) {
      *Out = Known.Text;
      return HEDDLE_DRIVER_SUCCESS;
    }
  *Out = nullptr;
  return HEDDLE_DRIVER_INVALID_VALUE;
}

/// Whether the driver was started.
static Result checkStarted() {
  LastFailure.clear();
  return state().IsInitialized ? HEDDLE_DRIVER_SUCCESS
                               : fail(HEDDLE_DRIVER_NOT_INITIALIZED);
}

static Result deviceGetCount(int *Count) {
  *Count = 1;
  return checkStarted();
}

static Result deviceGet(heddle_driver_device *Out, int Ordinal) {
  if (Result R = checkStarted())
    return R;
  if (Ordinal != 0)
    return fail(HEDDLE_DRIVER_INVALID_DEVICE);
  *Out = 0;
  return HEDDLE_DRIVER_SUCCESS;
}

static Result deviceGetName(char *Name, int Bytes, heddle_driver_device) {
  if (Result R = checkStarted())
    return R;
  if (Bytes < 1)
    return fail(HEDDLE_DRIVER_INVALID_VALUE);
  const llvm::StringRef Text("PTX emulation");
  const size_t Length = std::min<size_t>(Text.size(), Bytes - 1);
  std::memcpy(Name, Text.data(), Length);
  Name[Length] = 0;
  return HEDDLE_DRIVER_SUCCESS;
}

static Result deviceGetAttribute(int *Value, int Attribute,
                                 heddle_driver_device) {
  if (Result R = checkStarted())
    return R;
  const State &S = state();
  switch (Attribute) {
  case HEDDLE_DRIVER_CLOCK_RATE:
    *Value = 1000;
    return HEDDLE_DRIVER_SUCCESS;
  case HEDDLE_DRIVER_MULTIPROCESSORS:
    *Value = static_cast<int>(S.How.Threads);
    return HEDDLE_DRIVER_SUCCESS;
  case HEDDLE_DRIVER_ARCH_MAJOR:
    *Value = S.Arch / 10;
    return HEDDLE_DRIVER_SUCCESS;
  case HEDDLE_DRIVER_ARCH_MINOR:
    *Value = S.Arch % 10;
    return HEDDLE_DRIVER_SUCCESS;
  case HEDDLE_DRIVER_MOST_SHARED_BYTES:
    *Value = static_cast<int>(S.How.SharedLimit);
    return HEDDLE_DRIVER_SUCCESS;
  default:
    return fail(HEDDLE_DRIVER_INVALID_VALUE);
  }
}

static Result retain(heddle_driver_context *Out, heddle_driver_device) {
  if (Result R = checkStarted())
    return R;
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  ++S.Retained;
  *Out = &S;
  return HEDDLE_DRIVER_SUCCESS;
}

static Result release(heddle_driver_device) {
  LastFailure.clear();
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  if (S.Retained < 1)
    return fail(HEDDLE_DRIVER_INVALID_CONTEXT);
  --S.Retained;
  return HEDDLE_DRIVER_SUCCESS;
}

static Result push(heddle_driver_context Context) {
  LastFailure.clear();
  if (Context != &state() || state().Retained < 1)
    return fail(HEDDLE_DRIVER_INVALID_CONTEXT);
  ++Pushed;
  return HEDDLE_DRIVER_SUCCESS;
}

static Result pop(heddle_driver_context *Out) {
  LastFailure.clear();
  if (Pushed < 1)
    return fail(HEDDLE_DRIVER_INVALID_CONTEXT);
  --Pushed;
  *Out = &state();
  return HEDDLE_DRIVER_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

/// Fills the log of errors that the options name.
static void writeLog(llvm::StringRef Text, unsigned Count, const int *Options,
                     void **Values) {
  char *Log = nullptr;
  size_t Bytes = 0;
  for (unsigned I = 0; I < Count; ++I) {
    if (Options[I] == HEDDLE_DRIVER_ERROR_LOG)
      Log = static_cast<char *>(Values[I]);
    if (Options[I] == HEDDLE_DRIVER_ERROR_LOG_BYTES)
      Bytes = reinterpret_cast<uintptr_t>(Values[I]);
  }
  if (!Log || Bytes == 0)
    return;
  const size_t Length = std::min(Bytes - 1, Text.size());
  std::memcpy(Log, Text.data(), Length);
  Log[Length] = 0;
}

static Result moduleLoadDataEx(heddle_driver_module *Out, const void *Image,
                               unsigned Count, int *Options, void **Values) {
  return inContext([&](State &S) -> Result {
    // Machine code is an ELF file.
    if (std::memcmp(Image,
                    "\x7f"
                    "ELF",
                    4) == 0)
      return fail(HEDDLE_DRIVER_NO_BINARY_FOR_GPU,
                  "the emulation runs PTX only");
    llvm::Expected<std::unique_ptr<Program>> Code =
        Program::parse(static_cast<const char *>(Image), "ptx");
    if (!Code) {
      const std::string Why = llvm::toString(Code.takeError());
      writeLog(Why, Count, Options, Values);
      return fail(HEDDLE_DRIVER_INVALID_PTX);
    }
    int32_t Arch = 0;
    llvm::StringRef Target = (*Code)->target();
    if (!Target.consume_front("sm_") || Target.consumeInteger(10, Arch) ||
        !nv::runsPtx(Arch, S.Arch)) {
      writeLog((".target is " + (*Code)->target() + ", the device is " +
                nv::archName(S.Arch))
                   .str(),
               Count, Options, Values);
      return fail(HEDDLE_DRIVER_INVALID_PTX);
    }
    auto Made = std::make_unique<LoadedModule>();
    Made->Code = std::move(*Code);
    S.Memory->load(*Made->Code);
    S.Modules.insert(Made.get());
    *Out = Made.release();
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result moduleUnload(heddle_driver_module Module) {
  return inContext([&](State &S) -> Result {
    auto *Of = static_cast<LoadedModule *>(Module);
    if (S.Modules.erase(Of) == 0)
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    for (const auto &Function : Of->Functions)
      S.Functions.erase(Function.get());
    S.Memory->unload(*Of->Code);
    delete Of;
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result moduleGetFunction(heddle_driver_function *Out,
                                heddle_driver_module Module, const char *Name) {
  return inContext([&](State &S) -> Result {
    auto *Of = static_cast<LoadedModule *>(Module);
    if (S.Modules.count(Of) == 0)
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    const Kernel *Entry = Of->Code->find(Name);
    if (!Entry)
      return fail(HEDDLE_DRIVER_NOT_FOUND);
    Of->Functions.push_back(std::make_unique<LoadedFunction>());
    LoadedFunction *Function = Of->Functions.back().get();
    Function->Of = Of;
    Function->Entry = Entry;
    S.Functions.insert(Function);
    *Out = Function;
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static Result funcSetAttribute(heddle_driver_function Function, int Attribute,
                               int Value) {
  return inContext([&](State &S) -> Result {
    auto *Of = static_cast<LoadedFunction *>(Function);
    if (S.Functions.count(Of) == 0)
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    if (Attribute != HEDDLE_DRIVER_DYNAMIC_SHARED_BYTES || Value < 0 ||
        uint64_t(Value) + Of->Entry->SharedBytes > S.How.SharedLimit)
      return fail(HEDDLE_DRIVER_INVALID_VALUE);
    Of->SharedLimit = Value;
    return HEDDLE_DRIVER_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// The block of arguments that cuLaunchKernel's `extra` gives.
static llvm::ArrayRef<char> findBlock(void **Extra) {
  const char *Data = nullptr;
  size_t Bytes = 0;
  for (; Extra && *Extra != HEDDLE_DRIVER_PARAM_END; Extra += 2) {
    if (*Extra == HEDDLE_DRIVER_PARAM_BUFFER)
      Data = static_cast<const char *>(Extra[1]);
    else if (*Extra == HEDDLE_DRIVER_PARAM_BYTES)
      Bytes = *static_cast<const size_t *>(Extra[1]);
  }
  return {Data, Bytes};
}

static void add(Stats &To, const Stats &Of) {
  To.Ctas += Of.Ctas;
  To.Instructions += Of.Instructions;
  To.MatrixInstructions += Of.MatrixInstructions;
  To.GlobalBytes += Of.GlobalBytes;
  To.SharedBytes += Of.SharedBytes;
  To.AsyncBytes += Of.AsyncBytes;
  To.Barriers += Of.Barriers;
}

static Result launchKernel(heddle_driver_function Function, unsigned GridX,
                           unsigned GridY, unsigned GridZ, unsigned BlockX,
                           unsigned BlockY, unsigned BlockZ,
                           unsigned SharedBytes, heddle_driver_stream Stream,
                           void **Params, void **Extra) {
  return inContext([&](State &S) -> Result {
    const auto *Of = static_cast<const LoadedFunction *>(Function);
    if (S.Functions.count(static_cast<LoadedFunction *>(Function)) == 0 ||
        isForeign(S, Stream))
      return fail(HEDDLE_DRIVER_INVALID_HANDLE);
    const Kernel &Entry = *Of->Entry;
    if (Params)
      return fail(HEDDLE_DRIVER_INVALID_VALUE,
                  "the emulation takes arguments as one block");
    LaunchConfig Config = {{GridX, GridY, GridZ},
                           {BlockX, BlockY, BlockZ},
                           SharedBytes,
                           findBlock(Extra)};
    if (Config.Parameters.size() != Entry.ParameterBytes)
      return fail(HEDDLE_DRIVER_INVALID_VALUE,
                  "'" + Entry.Name + "' has " +
                      std::to_string(Entry.ParameterBytes) +
                      " bytes of parameters, found a block of " +
                      std::to_string(Config.Parameters.size()));
    if (SharedBytes > Of->SharedLimit)
      return fail(HEDDLE_DRIVER_INVALID_VALUE,
                  std::to_string(SharedBytes) +
                      " bytes of dynamic shared memory, " +
                      std::to_string(Of->SharedLimit) + " were asked for");
    Stats Counted;
    std::optional<Fault> Bad =
        run(*Of->Of->Code, Entry, Config, *S.Memory, S.How, &Counted);
    add(S.Work, Counted);
    S.Found = std::move(Bad);
    if (S.Found)
      return fail(HEDDLE_DRIVER_LAUNCH_FAILED, S.Found->describe());
    return HEDDLE_DRIVER_SUCCESS;
  });
}

static const char *explain() { return LastFailure.get(); }

/// All functions.
static heddle_driver makeTable() {
  heddle_driver Table = {};
  Table.name = "PTX emulation";
  Table.Init = init;
  Table.DriverGetVersion = driverGetVersion;
  Table.GetErrorName = getErrorName;
  Table.GetErrorString = getErrorString;
  Table.DeviceGetCount = deviceGetCount;
  Table.DeviceGet = deviceGet;
  Table.DeviceGetName = deviceGetName;
  Table.DeviceGetAttribute = deviceGetAttribute;
  Table.DevicePrimaryCtxRetain = retain;
  Table.DevicePrimaryCtxRelease = release;
  Table.CtxPushCurrent = push;
  Table.CtxPopCurrent = pop;
  Table.ModuleLoadDataEx = moduleLoadDataEx;
  Table.ModuleUnload = moduleUnload;
  Table.ModuleGetFunction = moduleGetFunction;
  Table.FuncSetAttribute = funcSetAttribute;
  Table.LaunchKernel = launchKernel;
  Table.explain = explain;
  addMemory(Table);
  return Table;
}

const heddle_driver *ptx::emulatedDriver(int32_t Arch, const Options &How) {
  const nv::NvLevel *Level = nv::findNvLevel(nv::archName(Arch));
  if (!Level)
    return nullptr;
  static const heddle_driver Table = makeTable();
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  S.Arch = Arch;
  S.How = How;
  S.How.SharedLimit = Level->SharedLimit;
  S.Work = {};
  S.Found.reset();
  return &Table;
}

Stats ptx::emulatedWork() {
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  return S.Work;
}

std::optional<Fault> ptx::emulatedFault() {
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  return S.Found;
}

uint64_t ptx::emulatedBytes() {
  State &S = state();
  std::lock_guard<std::mutex> Lock(S.Access);
  return S.Memory->allocated();
}
