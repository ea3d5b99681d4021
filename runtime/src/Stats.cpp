// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Plan.h"
#include "Pool.h"
#include "Tiling.h"

#include <algorithm>
#include <deque>

using namespace heddle;
using namespace heddle::runtime;

/// Counts what packed tasks visit.
static void countPacked(const heddle_plan &Plan, const heddle_args &Launch,
                        heddle_pool &Pool, heddle_stats &Out) {
  const Packing &Packed = Plan.Packed;
  std::deque<PackedArgs> ArgsOfThread;
  for (int32_t Thread = 0; Thread < Pool.numThreads(); ++Thread)
    ArgsOfThread.emplace_back(Plan, Packed, Launch);
  auto NumTasks = static_cast<int64_t>(Packed.Tasks.size());
  std::atomic<int64_t> Next{0}, Full{0}, Partial{0}, Kept{0};
  Pool.run(NumTasks, 0, [&](int32_t Worker, void *) {
    for (int64_t I = 0; (I = Next.fetch_add(1)) < NumTasks;) {
      const PackedTask &Task = Packed.Tasks[I];
      const PackedBlock &Block = Packed.Blocks[Task.Block];
      int64_t One[3] = {0, 0, 0};
      Packed.Code->count(
          &ArgsOfThread[Worker].select(Block, Task.KeyBegin, Task.KeyEnd),
          Block.Batch, 0, 0, 1, One);
      Full += One[0];
      Partial += One[1];
      Kept += One[2];
    }
  });
  int64_t Tiles = 0;
  for (const PackedBlock &Block : Packed.Blocks)
    Tiles += ceilDivide(Plan.numKeys(Block.Batch), Packed.Code->key_tile);
  Out.tiles_full = Full;
  Out.tiles_partial = Partial;
  Out.tiles_empty =
      std::max<int64_t>(0, Tiles - Out.tiles_full - Out.tiles_partial);
  Out.kept_pairs = Kept;
}

heddle_error *heddle_plan_stats(const heddle_plan *plan, heddle_pool *pool,
                                heddle_stats *out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = {};
    if (!plan || !pool)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       plan ? "pool" : "plan");
    if (plan->isLinear()) {
      *out = countLinear(*plan);
      return nullptr;
    }
    KernelArgs Args = plan->emptyArgs();
    if (plan->Packed) {
      countPacked(*plan, Args.Args, *pool, *out);
      return nullptr;
    }
    std::atomic<int64_t> Next{0}, Full{0}, Partial{0}, Kept{0};
    int64_t NumClasses = plan->numClasses();
    pool->run(NumClasses, 0, [&](int32_t, void *) {
      int64_t Sum[3] = {0, 0, 0};
      for (int64_t I = 0; (I = Next.fetch_add(1)) < NumClasses;) {
        Task T = plan->representative(plan->Order[I]);
        int64_t One[3] = {0, 0, 0};
        plan->Code->count(&Args.Args, T.Batch, T.Head, T.Tile, 1, One);
        for (int Which = 0; Which < 3; ++Which)
          Sum[Which] += One[Which];
      }
      Full += Sum[0];
      Partial += Sum[1];
      Kept += Sum[2];
    });
    int64_t Copies = plan->copies();
    out->tiles_full = Full * Copies;
    out->tiles_partial = Partial * Copies;
    out->kept_pairs = Kept * Copies;
    // A tile of gathered columns stands for parts of several others, so that
    // nothing need be left over.
    out->tiles_empty =
        std::max<int64_t>(0, plan->TilesPerHead * plan->HeadsQ -
                                 out->tiles_full - out->tiles_partial);
    return nullptr;
  });
}
