// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DevicePlan.h"
#include "LaunchArgs.h"
#include "LinearArgs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

using namespace heddle;
using namespace heddle::runtime;

namespace {

/// One launch on a device.
class DeviceLaunch {
public:
  DeviceLaunch(heddle_device_plan &Made, const heddle_tensors &Tensors,
               void *Stream)
      : Made(Made), Plan(Made.Plan), Device(Made.Device),
        Driver(*Made.Device.Driver), Stream(Stream) {
    if (Plan.isLinear())
      Linear.emplace(Plan, Tensors);
    else
      Attention.emplace(Plan, Tensors);
  }

  heddle_error *bind();
  heddle_error *run();

private:
  heddle_error *bindLinear();
  heddle_args &args() { return Linear ? Linear->args() : Attention->args(); }
  std::vector<heddle_source> &sources() {
    return Linear ? Linear->sources() : Attention->sources();
  }
  heddle_error *launch(heddle_driver_function Function, const char *Name,
                       const heddle_device_launch &Launch, int64_t Tasks,
                       int64_t Threads, int64_t Shared);
  heddle_error *runTasks();
  heddle_error *runPacked();
  heddle_error *runColumns(int64_t Source);
  heddle_error *clear(const heddle_view &View);
  std::vector<unsigned char> block(const heddle_device_launch &Launch);

  heddle_device_plan &Made;
  const heddle_plan &Plan;
  heddle_device &Device;
  const heddle_driver &Driver;
  void *Stream;
  /// One of them.
  std::optional<LaunchArgs> Attention;
  std::optional<LinearArgs> Linear;
};

} // namespace

heddle_error *DeviceLaunch::bindLinear() {
  if (heddle_error *E = Linear->bind())
    return E;
  // A sequence that begins with nothing reads zeros.
  for (heddle_view *View : {&args().state_in, &args().sums_in})
    if (!View->data) {
      View->data = Made.Zeros;
      std::fill_n(View->stride, 3, 0);
    }
  return nullptr;
}

heddle_error *DeviceLaunch::bind() {
  if (Linear)
    return bindLinear();
  if (heddle_error *E = Attention->bind())
    return E;
  heddle_args &Args = args();
  if (!Attention->lacksLse())
    return nullptr;
  const int64_t Bytes =
      Attention->placeLse() * static_cast<int64_t>(sizeof(float));
  if (Made.Lse.bytes() < Bytes)
    if (heddle_error *E = Made.Lse.allocate(Bytes))
      return E;
  Args.lse.data = asPointer(Made.Lse.address());
  return nullptr;
}

/// Moves a view's offsets into the device's memory.
static void move(heddle_view &View, const int64_t *Offsets) {
  if (View.offsets)
    View.offsets = Offsets;
}

/// The parameter of the kernels, in the layout that heddle_device_launch tells.
std::vector<unsigned char>
DeviceLaunch::block(const heddle_device_launch &Launch) {
  std::vector<unsigned char> Bytes;
  auto Add = [&](const auto *From, size_t Count) {
    const size_t At = Bytes.size(), Size = Count * sizeof(*From);
    Bytes.resize(At + Size);
    if (Size > 0)
      std::memcpy(Bytes.data() + At, From, Size);
  };
  Add(&Launch, 1);
  Add(&args(), 1);
  Add(sources().data(), sources().size());
  Add(Made.Operands.data(), Made.Operands.size());
  return Bytes;
}

heddle_error *DeviceLaunch::launch(heddle_driver_function Function,
                                   const char *Name,
                                   const heddle_device_launch &Launch,
                                   int64_t Tasks, int64_t Threads,
                                   int64_t Shared) {
  std::vector<unsigned char> Block = block(Launch);
  size_t Size = Block.size();
  void *Extra[] = {HEDDLE_DRIVER_PARAM_BUFFER, Block.data(),
                   HEDDLE_DRIVER_PARAM_BYTES, &Size, HEDDLE_DRIVER_PARAM_END};
  return checkDriver(Driver,
                     Driver.LaunchKernel(Function, static_cast<unsigned>(Tasks),
                                         1, 1, static_cast<unsigned>(Threads),
                                         1, 1, static_cast<unsigned>(Shared),
                                         Stream, nullptr, Extra),
                     "cannot run '{}' on device '{}'", Name, Device.Name);
}

/// Zeros everywhere in an output, if it is wanted.
heddle_error *DeviceLaunch::clear(const heddle_view &View) {
  if (!View.data)
    return nullptr;
  // Axes without gaps between their elements make stretches.
  std::vector<std::pair<int64_t, int64_t>> Axes; // extent, stride
  for (int Axis = 0; Axis < 4; ++Axis) {
    const int64_t Extent = Axis == 0 && View.offsets ? 1 : View.shape[Axis];
    if (Extent == 0)
      return nullptr;
    if (Extent > 1)
      Axes.emplace_back(Extent, View.stride[Axis]);
  }
  int64_t Run = 1;
  for (bool Grew = true; Grew;) {
    auto Next = std::find_if(Axes.begin(), Axes.end(),
                             [&](auto Axis) { return Axis.second == Run; });
    Grew = Next != Axes.end();
    if (!Grew)
      break;
    Run *= Next->first;
    Axes.erase(Next);
  }
  int64_t Count = 1;
  for (auto [Extent, Stride] : Axes)
    Count *= Extent;
  for (int64_t I = 0; I < Count; ++I) {
    int64_t Offset = 0, Rest = I;
    for (auto [Extent, Stride] : Axes) {
      Offset += Rest % Extent * Stride;
      Rest /= Extent;
    }
    if (heddle_error *E =
            checkDriver(Driver,
                        Driver.MemsetD8Async(
                            asAddress(static_cast<float *>(View.data) + Offset),
                            0, Run * sizeof(float), Stream),
                        "cannot clear an output on device '{}'", Device.Name))
      return E;
  }
  return nullptr;
}

heddle_error *DeviceLaunch::runColumns(int64_t Source) {
  const heddle_source &Of = sources()[Source];
  for (const heddle_view *View : {&Of.column_sums, &Of.block_max})
    if (heddle_error *E = clear(*View))
      return E;
  const heddle_device_code &Code = *Plan.Code->device;
  auto Launch = [&](int64_t First, int64_t Count) {
    return launch(Made.Code->Columns, Code.columns,
                  {Made.ColumnTasks +
                       First * (sizeof(DeviceTask) / sizeof(*Made.ColumnTasks)),
                   0, Plan.HeadsQ, asPointer(Made.Workspace.address())},
                  Count, Code.columns_threads, Code.columns_shared_bytes);
  };
  // Columns of blocks are all that phases keep apart.
  int64_t First = 0, Count = 0;
  for (const ColumnPhase &Phase : Made.ColumnPhases) {
    if (Phase.Source != Source)
      continue;
    if (Of.block_max.data) {
      if (heddle_error *E = Launch(Phase.First, Phase.Count))
        return E;
      continue;
    }
    if (Count == 0)
      First = Phase.First;
    Count += Phase.Count;
  }
  return Count > 0 ? Launch(First, Count) : nullptr;
}

heddle_error *DeviceLaunch::runTasks() {
  const heddle_device_code &Code = *Plan.Code->device;
  const int64_t Tasks = Plan.numTasks();
  if (Tasks == 0)
    return nullptr;
  return launch(Made.Code->Task, Code.task,
                {Made.Tasks,
                 Linear            ? 1
                 : Plan.isRagged() ? 0
                                   : Plan.numQueryTiles(0),
                 Plan.HeadsQ, asPointer(Made.Workspace.address())},
                Tasks, Code.threads, Code.shared_bytes);
}

/// The tasks, and then what they have left in parts.
heddle_error *DeviceLaunch::runPacked() {
  const heddle_device_code &Code = *Plan.Packed.Code->device;
  void *Rooms = asPointer(Made.Workspace.address());
  if (heddle_error *E = launch(
          Made.Code->PackedTask, Code.task, {Made.Tasks, 0, Plan.HeadsQ, Rooms},
          Plan.numTasks(), Code.threads, Code.shared_bytes))
    return E;
  if (Made.NumMerges == 0)
    return nullptr;
  return launch(Made.Code->Merge, Code.merge,
                {Made.Merges, 0, Plan.HeadsQ, Rooms}, Made.NumMerges,
                Code.merge_threads, Code.merge_shared_bytes);
}

heddle_error *DeviceLaunch::run() {
  heddle_args &Args = args();
  for (heddle_view *View : {&Args.q, &Args.o, &Args.lse, &Args.row_max})
    move(*View, Made.OffsetsQ);
  for (heddle_source &Source : sources()) {
    for (heddle_view *View : {&Source.k, &Source.v, &Source.column_sums})
      move(*View, Made.OffsetsK);
    move(Source.block_max, Made.OffsetsBlock);
  }
  Args.origin = Made.Origin;
  Args.sources = nullptr;
  Args.operands = nullptr;
  Args.index = nullptr;

  if (heddle_error *E = Plan.Packed ? runPacked() : runTasks())
    return E;
  for (int64_t Source = 0; Source < Plan.Entry->num_sources; ++Source)
    if (LaunchArgs::wantsColumns(sources()[Source]))
      if (heddle_error *E = runColumns(Source))
        return E;
  return checkDriver(Driver, Driver.EventRecord(Made.Done, Stream),
                     "cannot run kernel '{}' on device '{}'", Plan.Entry->name,
                     Device.Name);
}

heddle_error *heddle_device_plan_launch(heddle_device_plan *plan,
                                        const heddle_tensors *tensors,
                                        void *stream) {
  return guarded([&]() -> heddle_error * {
    if (!plan || !tensors)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       plan ? "list of tensors" : "plan");
    UseContext Use(plan->Device);
    if (heddle_error *E = Use.error())
      return E;
    DeviceLaunch L(*plan, *tensors, stream);
    if (heddle_error *E = L.bind())
      return E;
    return L.run();
  });
}
