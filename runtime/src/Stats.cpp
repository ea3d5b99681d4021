// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Plan.h"
#include "Pool.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::runtime;

heddle_error *heddle_plan_stats(const heddle_plan *plan, heddle_pool *pool,
                                heddle_stats *out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = {};
    if (!plan || !pool)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       plan ? "pool" : "plan");
    KernelArgs Args = plan->emptyArgs();
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
