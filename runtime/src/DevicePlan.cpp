// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DevicePlan.h"
#include "DeviceCode.h"
#include "DeviceOperands.h"
#include "Tiling.h"

#include <algorithm>
#include <memory>
#include <numeric>

using namespace heddle;
using namespace heddle::runtime;

/// Groups of threads that one launch may have.
static constexpr int64_t MostTasks = INT32_MAX;
/// cuEventCreate: only for waiting.
static constexpr unsigned WithoutTime = 2;

heddle_device_plan::~heddle_device_plan() {
  if (!Done)
    return;
  UseContext Use(Device);
  if (!Use)
    return;
  Device.Driver->EventSynchronize(Done);
  Device.Driver->EventDestroy(Done);
}

/// The tasks in the plan's order; none where they may as well be counted off:
/// sequences of one length, and all tasks with the same work.
static std::vector<DeviceTask> listTasks(const heddle_plan &Plan) {
  std::vector<DeviceTask> Result;
  if (Plan.isLinear()) {
    if (!Plan.isRagged())
      return Result;
    for (const Stretch &S : Plan.Linear.Stretches)
      for (int64_t H = 0; H < Plan.HeadsQ; ++H)
        Result.push_back({S.Batch, H, 0, S.Batch, {}});
    return Result;
  }
  if (!Plan.isRagged() && Plan.Runs.size() <= 1)
    return Result;
  Result.reserve(Plan.numTasks());
  for (int64_t I = 0; I < Plan.numTasks(); ++I) {
    Task T = Plan.task(I);
    // Results are whole: each goes to its own sequence.
    Result.push_back({T.Batch, T.Head, T.Tile, T.Batch, {}});
  }
  return Result;
}

/// The tasks of packed code in the plan's order. A row that is whole needs no
/// room.
static std::vector<DeviceTask> listPacked(const heddle_plan &Plan) {
  const Packing &Packed = Plan.Packed;
  const int64_t Group = Plan.HeadsQ / Plan.HeadsKv;
  std::vector<DeviceTask> Result;
  Result.reserve(Packed.Tasks.size());
  for (const PackedTask &Task : Packed.Tasks) {
    const PackedBlock &Block = Packed.Blocks[Task.Block];
    const int64_t HeadKv = Block.Head / Group;
    Result.push_back({Block.Batch,
                      HeadKv,
                      Block.Head % Group / Packed.Code->query_tile,
                      Block.NumParts > 1 ? Block.FirstRoom + Task.Part : -1,
                      {HeadKv * Group, Plan.Origin[Block.Batch] + Block.Query,
                       Task.KeyBegin, Task.KeyEnd}});
  }
  return Result;
}

/// The rows that have several parts.
static std::vector<DeviceMerge> listMerges(const Packing &Packed) {
  std::vector<DeviceMerge> Result;
  for (const PackedBlock &Block : Packed.Blocks)
    for (int64_t Row = 0; Block.NumParts > 1 && Row < Block.NumHeads; ++Row)
      Result.push_back({Block.Batch,
                        Block.Head + Row,
                        Block.Query,
                        Block.FirstRoom,
                        Row,
                        Block.NumParts,
                        {}});
  return Result;
}

/// The tasks of the sweep over columns. Tiles that share a column of blocks are
/// in different phases; those of a grid, which may share any, come to terms by
/// themselves.
static std::vector<DeviceTask> listColumns(const heddle_plan &Plan,
                                           std::vector<ColumnPhase> &Phases) {
  const heddle_entry &Entry = *Plan.Entry;
  int64_t Group = 1;
  if (Entry.has_block_max && Entry.grid_axes == 0)
    Group = Entry.block_k / std::gcd(Entry.block_k, Plan.Code->key_tile);
  std::vector<DeviceTask> Result;
  for (int64_t Source = 0; Source < Entry.num_sources; ++Source)
    for (int64_t Phase = 0; Phase < Group; ++Phase) {
      auto First = static_cast<int64_t>(Result.size());
      for (int64_t B = 0; B < Plan.Batch; ++B)
        for (int64_t H = 0; H < Plan.HeadsQ; ++H)
          for (int64_t Tile = Phase; Tile < Plan.numKeyTiles(B, Source);
               Tile += Group)
            Result.push_back({B, H, Tile, Source, {}});
      auto End = static_cast<int64_t>(Result.size());
      if (End > First)
        Phases.push_back({Source, First, End - First});
    }
  return Result;
}

/// Puts everything that tasks need into the device's memory.
static heddle_error *upload(heddle_device_plan &Made) {
  const heddle_plan &Plan = Made.Plan;
  DeviceImage Image;
  auto AddAll = [&](const auto &Of) {
    return Of.empty() ? DeviceImage::Nowhere : Image.add(Of);
  };
  const DeviceImage::Place Tasks =
      AddAll(Plan.Packed ? listPacked(Plan) : listTasks(Plan));
  const std::vector<DeviceMerge> MergeList = listMerges(Plan.Packed);
  const DeviceImage::Place Merges = AddAll(MergeList);
  DeviceImage::Place Columns = DeviceImage::Nowhere;
  if (Made.Code->Columns)
    Columns = AddAll(listColumns(Plan, Made.ColumnPhases));
  const DeviceImage::Place Origin = AddAll(Plan.Origin);
  const DeviceImage::Place Q = AddAll(Plan.OffsetsQ), K = AddAll(Plan.OffsetsK);
  DeviceImage::Place Block = DeviceImage::Nowhere;
  if (Plan.isRagged())
    Block = AddAll(Plan.OffsetsBlock);
  DeviceImage::Place Zeros = DeviceImage::Nowhere;
  if (Plan.isLinear())
    Zeros = Image.add(std::vector<float>(Plan.Entry->d_v, 0.0F));
  const DeviceOperands Operands(*Plan.Entry, Plan.Operands, Image);
  if (heddle_error *E = Image.upload(Made.Device, Made.Image))
    return E;
  auto At = [&](DeviceImage::Place Of) {
    return static_cast<const int64_t *>(
        asPointer(DeviceImage::address(Made.Image, Of)));
  };
  Made.Tasks = At(Tasks);
  Made.Merges = At(Merges);
  Made.NumMerges = static_cast<int64_t>(MergeList.size());
  Made.ColumnTasks = At(Columns);
  Made.Origin = At(Origin);
  Made.OffsetsQ = At(Q);
  Made.OffsetsK = At(K);
  Made.OffsetsBlock = At(Block);
  Made.Zeros =
      static_cast<float *>(asPointer(DeviceImage::address(Made.Image, Zeros)));
  Made.Operands = Operands.resolve(Made.Image);
  return nullptr;
}

/// Sizes that a launch could not have.
static heddle_error *checkSizes(const heddle_plan &Plan) {
  int64_t Columns = 0;
  for (int64_t Source = 0;
       Plan.Code->device->columns && Source < Plan.Entry->num_sources; ++Source)
    for (int64_t B = 0; B < Plan.Batch; ++B)
      Columns += Plan.numKeyTiles(B, Source) * Plan.HeadsQ;
  const int64_t Most = std::max(Plan.numTasks(), Columns);
  if (Most <= MostTasks)
    return nullptr;
  return makeError(HEDDLE_UNSUPPORTED,
                   "the problem has {} tasks, expected at most {} on a device",
                   Most, MostTasks);
}

/// Scratch memory of every group, or rooms for partial results.
static int64_t workspaceBytes(const heddle_device_plan &Made) {
  const heddle_plan &Plan = Made.Plan;
  if (Plan.Packed)
    return Plan.Packed.NumRooms * PackedArgs::partialFloats(Plan, Plan.Packed) *
           static_cast<int64_t>(sizeof(float));
  int64_t Groups = Plan.numTasks();
  for (const ColumnPhase &Phase : Made.ColumnPhases)
    Groups = std::max(Groups, Phase.First + Phase.Count);
  return Plan.Code->workspace_bytes * Groups;
}

heddle_error *heddle_device_plan_create(heddle_device *device,
                                        const heddle_plan *plan,
                                        heddle_device_plan **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!device || !plan)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       device ? "plan" : "device");
    const heddle_entry &Entry = *plan->Entry;
    const heddle_code &Code = *plan->Code;
    if (!Code.device)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "the plan of kernel '{}' is for level '{}' of the CPU, "
                       "expected code for a device; choose it with "
                       "heddle_device_code_of",
                       Entry.name, Code.level);
    if (!formatsFor(*Code.device, *device))
      return makeError(HEDDLE_UNSUPPORTED,
                       "level '{}' of kernel '{}' does not run on device '{}'",
                       Code.level, Entry.name, device->Name);
    if (heddle_error *E = checkSizes(*plan))
      return E;
    UseContext Use(*device);
    if (heddle_error *E = Use.error())
      return E;
    auto Made = std::make_unique<heddle_device_plan>(*device, *plan);
    if (heddle_error *E = loadModule(*device, Entry, Code, Made->Code))
      return E;
    if (heddle_error *E = upload(*Made))
      return E;
    if (heddle_error *E = Made->Workspace.allocate(workspaceBytes(*Made)))
      return E;
    if (heddle_error *E =
            checkDriver(*device->Driver,
                        device->Driver->EventCreate(&Made->Done, WithoutTime),
                        "cannot plan for device '{}'", device->Name))
      return E;
    *out = Made.release();
    return nullptr;
  });
}

void heddle_device_plan_destroy(heddle_device_plan *plan) { delete plan; }

int64_t heddle_device_plan_bytes(const heddle_device_plan *plan) {
  if (!plan)
    return 0;
  return plan->Image.bytes() + plan->Workspace.bytes() + plan->Lse.bytes();
}
