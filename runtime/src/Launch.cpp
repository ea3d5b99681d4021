// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Plan.h"
#include "Pool.h"
#include "TensorCheck.h"

#include <cmath>

using namespace heddle;
using namespace heddle::runtime;

/// Fills the views of `Args`, whose shapes are those the plan expects.
static heddle_error *bindTensors(const heddle_plan &Plan,
                                 const heddle_tensors &Tensors,
                                 heddle_args &Args) {
  const struct {
    const char *Name;
    const heddle_tensor *Tensor;
    heddle_view *View;
    int32_t Rank;
  } Operands[] = {{"q", Tensors.q, &Args.q, 4},
                  {"k", Tensors.k, &Args.k, 4},
                  {"v", Tensors.v, &Args.v, 4},
                  {"o", Tensors.o, &Args.o, 4},
                  {"lse", Tensors.lse, &Args.lse, 3}};
  for (const auto &Operand : Operands) {
    if (!Operand.Tensor && Operand.View == &Args.lse)
      continue;
    if (heddle_error *E = bindTensor(Operand.Name, Operand.Tensor, Operand.Rank,
                                     Plan.Entry->dtype, *Operand.View))
      return E;
  }
  for (const char *Output : {"o", "lse"}) {
    const heddle_view &Written = *Output == 'o' ? Args.o : Args.lse;
    if (heddle_error *E = checkDistinct(Output, Written))
      return E;
    for (const auto &Operand : Operands)
      if (Operand.View != &Written)
        if (heddle_error *E =
                checkApart(Output, Written, Operand.Name, *Operand.View))
          return E;
  }
  return nullptr;
}

heddle_error *heddle_launch(const heddle_plan *plan,
                            const heddle_tensors *tensors, heddle_pool *pool) {
  return guarded([&]() -> heddle_error * {
    if (!plan || !tensors || !pool)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       !plan      ? "plan"
                       : !tensors ? "list of tensors"
                                  : "pool");
    heddle_args Args = plan->emptyArgs();
    if (heddle_error *E = bindTensors(*plan, *tensors, Args))
      return E;
    if (!std::isfinite(tensors->scale))
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "'scale' is {}, expected a finite number",
                       tensors->scale);
    Args.scale = tensors->scale;
    if (Args.scale == 0)
      Args.scale = static_cast<float>(
          1.0 / std::sqrt(static_cast<double>(plan->Entry->d_qk)));

    // Which thread computes a task does not change its result: tasks write
    // disjoint rows and keep nothing in the workspace.
    std::atomic<int64_t> Next{0};
    int64_t NumTasks = plan->numTasks();
    const heddle_code &Code = *plan->Code;
    pool->run(NumTasks, Code.workspace_bytes, [&](int32_t, void *Workspace) {
      int64_t Position = 0;
      while ((Position = Next.fetch_add(1, std::memory_order_relaxed)) <
             NumTasks) {
        Task T = plan->task(Position);
        Code.task(&Args, T.Batch, T.Head, T.Tile, Workspace);
      }
    });
    return nullptr;
  });
}
