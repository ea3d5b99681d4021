// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LaunchArgs.h"
#include "LinearLaunch.h"
#include "PackedLaunch.h"
#include "Plan.h"
#include "Pool.h"
#include "Tiling.h"

#include <algorithm>
#include <numeric>

using namespace heddle;
using namespace heddle::runtime;

namespace {

/// One launch on the threads of a pool.
class Launch {
public:
  Launch(const heddle_plan &Plan, const heddle_tensors &Tensors)
      : Plan(Plan), Entry(*Plan.Entry), Bound(Plan, Tensors),
        Args(Bound.args()) {}

  heddle_error *bind();
  void run(heddle_pool &Pool);

private:
  void runColumns(heddle_pool &Pool, size_t Source);

  const heddle_plan &Plan;
  const heddle_entry &Entry;
  LaunchArgs Bound;
  heddle_args &Args;
  /// The lse of a launch whose caller wants columns but no lse.
  std::vector<float> Lse;
};

} // namespace

heddle_error *Launch::bind() {
  if (heddle_error *E = Bound.bind())
    return E;
  if (Bound.lacksLse()) {
    Lse.resize(Bound.placeLse());
    Args.lse.data = Lse.data();
  }
  return nullptr;
}

/// Zeros everywhere in an output, if it is wanted.
static void clear(const heddle_view &View) {
  if (!View.data)
    return;
  int64_t Batches = View.offsets ? 1 : View.shape[0];
  for (int64_t B = 0; B < Batches; ++B)
    for (int64_t H = 0; H < View.shape[1]; ++H)
      for (int64_t S = 0; S < View.shape[2]; ++S)
        std::fill_n(static_cast<float *>(View.data) + B * View.stride[0] +
                        H * View.stride[1] + S * View.stride[2],
                    View.shape[3], 0.0F);
}

void Launch::runColumns(heddle_pool &Pool, size_t Source) {
  const heddle_source &Of = Bound.sources()[Source];
  clear(Of.column_sums);
  clear(Of.block_max);
  const heddle_code &Code = *Plan.Code;
  // Tiles that share a column of blocks go to one thread, one after the other;
  // those of a grid, which may share any, come to terms by themselves.
  int64_t Group = 1;
  if (Of.block_max.data && Entry.grid_axes == 0)
    Group = Entry.block_k / std::gcd(Entry.block_k, Code.key_tile);
  auto NumTiles = [&](int64_t B) { return Plan.numKeyTiles(B, Source); };
  // Groups of the sequences before each, and of all of them.
  std::vector<int64_t> Starts(1, 0);
  for (int64_t B = 0; B < Plan.Batch; ++B)
    Starts.push_back(Starts.back() + ceilDivide(NumTiles(B), Group));
  int64_t NumTasks = Starts.back() * Plan.HeadsQ;
  std::atomic<int64_t> Next{0};
  Pool.run(NumTasks, Code.workspace_bytes, [&](int32_t, void *Workspace) {
    int64_t I = 0;
    while ((I = Next.fetch_add(1, std::memory_order_relaxed)) < NumTasks) {
      auto After =
          std::upper_bound(Starts.begin(), Starts.end(), I / Plan.HeadsQ);
      int64_t B = std::distance(Starts.begin(), After) - 1;
      int64_t Local = I - Starts[B] * Plan.HeadsQ;
      int64_t Groups = Starts[B + 1] - Starts[B];
      int64_t Begin = Local % Groups * Group;
      int64_t End = std::min(Begin + Group, NumTiles(B));
      for (int64_t Tile = Begin; Tile < End; ++Tile)
        Code.columns(&Args, B, Local / Groups, Tile,
                     static_cast<int64_t>(Source), Workspace);
    }
  });
}

void Launch::run(heddle_pool &Pool) {
  if (Plan.Packed)
    return runPacked(Plan, Args, Pool);
  // Which thread computes a task does not change its result: tasks write
  // disjoint rows (or columns) and keep nothing in the workspace.
  std::atomic<int64_t> Next{0};
  Args.heads = Plan.headsPerTask(Pool.numThreads());
  int64_t NumTasks = Plan.numTasksOf(Args.heads);
  const heddle_code &Code = *Plan.Code;
  Pool.run(NumTasks, Code.workspace_bytes, [&](int32_t, void *Workspace) {
    int64_t Position = 0;
    while ((Position = Next.fetch_add(1, std::memory_order_relaxed)) <
           NumTasks) {
      Task T = Plan.task(Position, Args.heads);
      Code.task(&Args, T.Batch, T.Head, T.Tile, Workspace);
    }
  });
  for (size_t Source = 0; Source < Bound.sources().size(); ++Source)
    if (LaunchArgs::wantsColumns(Bound.sources()[Source]))
      runColumns(Pool, Source);
}

heddle_error *heddle_launch(const heddle_plan *plan,
                            const heddle_tensors *tensors, heddle_pool *pool) {
  return guarded([&]() -> heddle_error * {
    if (!plan || !tensors || !pool)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       !plan      ? "plan"
                       : !tensors ? "list of tensors"
                                  : "pool");
    if (plan->Code->device)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "the plan of kernel '{}' is for level '{}', code for a "
                       "device, which threads cannot run; launch it with "
                       "heddle_device_plan_launch",
                       plan->Entry->name, plan->Code->level);
    if (plan->Entry->form == HEDDLE_LINEAR)
      return launchLinear(*plan, *tensors, *pool);
    Launch L(*plan, *tensors);
    if (heddle_error *E = L.bind())
      return E;
    L.run(*pool);
    return nullptr;
  });
}
