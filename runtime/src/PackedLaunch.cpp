// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "PackedLaunch.h"
#include "CacheLine.h"
#include "MergeRow.h"
#include "Packing.h"
#include "Tiling.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <memory>

using namespace heddle;
using namespace heddle::runtime;

namespace {

class PackedLaunch {
public:
  PackedLaunch(const heddle_plan &Plan, const heddle_args &Args,
               int32_t NumThreads);

  void run(heddle_pool &Pool);

private:
  /// Where a thread keeps what is its own, in its workspace.
  struct Scratch {
    float *Partial; ///< Of a block in one part.
    float *Sum;
    PartialRow *Rows;
  };

  bool isDirect(const PackedBlock &Block) const {
    return Block.NumParts == 1 && Entry.output_dtype == HEDDLE_F32;
  }
  Scratch divide(void *Workspace) const;
  int64_t workspaceBytes() const;
  void runTask(const PackedTask &Task, PackedArgs &Args, void *Workspace);
  /// Makes the rows of a block of the results of its parts, which lie behind
  /// one another.
  void merge(const PackedBlock &Block, const float *Parts,
             const Scratch &Space) const;

  const heddle_entry &Entry;
  const Packing &Packed;
  const heddle_args &Launch;
  int64_t PartialFloats;
  /// Results of the parts of blocks that have several.
  std::unique_ptr<CacheLine[]> Rooms;
  /// Parts of every block that are yet to be computed.
  std::vector<std::atomic<int64_t>> Missing;
  std::deque<PackedArgs> ArgsOfThread;
};

} // namespace

static int64_t roundUp(int64_t Bytes) {
  constexpr int64_t Line = 64;
  return ceilDivide(Bytes, Line) * Line;
}

PackedLaunch::PackedLaunch(const heddle_plan &Plan, const heddle_args &Args,
                           int32_t NumThreads)
    : Entry(*Plan.Entry), Packed(Plan.Packed), Launch(Args),
      PartialFloats(PackedArgs::partialFloats(Plan, Plan.Packed)),
      Rooms(new CacheLine[Packed.NumRooms * PartialFloats /
                          static_cast<int64_t>(std::size(CacheLine().Values))]),
      Missing(Packed.Blocks.size()) {
  for (size_t Block = 0; Block < Missing.size(); ++Block)
    Missing[Block].store(Packed.Blocks[Block].NumParts,
                         std::memory_order_relaxed);
  for (int32_t Thread = 0; Thread < NumThreads; ++Thread)
    ArgsOfThread.emplace_back(Plan, Packed, Launch);
}

int64_t PackedLaunch::workspaceBytes() const {
  return roundUp(Packed.Code->workspace_bytes) +
         PartialFloats * static_cast<int64_t>(sizeof(float)) +
         roundUp(Packed.MostParts * static_cast<int64_t>(sizeof(PartialRow))) +
         Entry.d_v * static_cast<int64_t>(sizeof(float));
}

PackedLaunch::Scratch PackedLaunch::divide(void *Workspace) const {
  // The kernel's own part comes first.
  char *At =
      static_cast<char *>(Workspace) + roundUp(Packed.Code->workspace_bytes);
  Scratch Space;
  Space.Partial = reinterpret_cast<float *>(At);
  Space.Rows = reinterpret_cast<PartialRow *>(Space.Partial + PartialFloats);
  Space.Sum = reinterpret_cast<float *>(
      reinterpret_cast<char *>(Space.Rows) +
      roundUp(Packed.MostParts * static_cast<int64_t>(sizeof(PartialRow))));
  return Space;
}

void PackedLaunch::merge(const PackedBlock &Block, const float *Parts,
                         const Scratch &Space) const {
  int64_t Width = Entry.d_v, Count = Block.NumHeads;
  auto Address = [&](const heddle_view &View, int32_t Dtype, int64_t Row) {
    return rowOf(View, Dtype, Block.Batch, Block.Head + Row, Block.Query);
  };
  for (int64_t Row = 0; Row < Count; ++Row) {
    float Max = -INFINITY;
    for (int64_t Part = 0; Part < Block.NumParts; ++Part) {
      const float *Of = Parts + Part * PartialFloats;
      Space.Rows[Part] = {
          Of + Row * Width, HEDDLE_F32,
          Entry.has_lse ? static_cast<double>(Of[Count * Width + Row]) : 0.0};
      if (Launch.row_max.data)
        Max = std::max(Max, Of[Count * (Width + 1) + Row]);
    }
    void *Out = Address(Launch.o, Entry.output_dtype, Row);
    if (!Entry.has_lse) {
      mergeBySum(Space.Rows, Block.NumParts, Width, Space.Sum, Out,
                 Entry.output_dtype);
    } else {
      float Lse = mergeByLse(Space.Rows, Block.NumParts, Width, Space.Sum, Out,
                             Entry.output_dtype);
      if (Launch.lse.data)
        *static_cast<float *>(Address(Launch.lse, HEDDLE_F32, Row)) = Lse;
    }
    if (Launch.row_max.data)
      *static_cast<float *>(Address(Launch.row_max, HEDDLE_F32, Row)) = Max;
  }
}

void PackedLaunch::runTask(const PackedTask &Task, PackedArgs &Args,
                           void *Workspace) {
  const PackedBlock &Block = Packed.Blocks[Task.Block];
  const heddle_args &Selected = Args.select(Block, Task.KeyBegin, Task.KeyEnd);
  if (isDirect(Block)) {
    Packed.Code->task(&Selected, Block.Batch, 0, 0, Workspace);
    return;
  }
  Scratch Space = divide(Workspace);
  float *Parts = Block.NumParts == 1
                     ? Space.Partial
                     : Rooms[0].Values + Block.FirstRoom * PartialFloats;
  Args.aim(Parts + Task.Part * PartialFloats);
  Packed.Code->task(&Selected, Block.Batch, 0, 0, Workspace);
  // Who computes the last part merges all of them, in their order.
  if (Missing[Task.Block].fetch_sub(1, std::memory_order_acq_rel) == 1)
    merge(Block, Parts, Space);
}

void PackedLaunch::run(heddle_pool &Pool) {
  auto NumTasks = static_cast<int64_t>(Packed.Tasks.size());
  std::atomic<int64_t> Next{0};
  Pool.run(NumTasks, workspaceBytes(), [&](int32_t Worker, void *Workspace) {
    for (int64_t I = 0;
         (I = Next.fetch_add(1, std::memory_order_relaxed)) < NumTasks;)
      runTask(Packed.Tasks[I], ArgsOfThread[Worker], Workspace);
  });
}

void runtime::runPacked(const heddle_plan &Plan, const heddle_args &Args,
                        heddle_pool &Pool) {
  PackedLaunch(Plan, Args, Pool.numThreads()).run(Pool);
}
