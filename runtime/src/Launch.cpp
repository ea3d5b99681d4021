// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Binder.h"
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

/// One launch: the views of the caller's tensors, checked.
class Launch {
public:
  Launch(const heddle_plan &Plan, const heddle_tensors &Tensors)
      : Plan(Plan), Entry(*Plan.Entry), Tensors(Tensors),
        Operands(Plan.emptyArgs()), Args(Operands.Args), Bind(Entry) {}

  heddle_error *bind();
  void run(heddle_pool &Pool);

private:
  heddle_error *bindSources();
  /// Attention has no state.
  heddle_error *refuseStates();
  /// Column sums and block maxima of all sources.
  heddle_error *bindColumns();
  static bool wantsColumns(const heddle_source &Source) {
    return Source.column_sums.data || Source.block_max.data;
  }
  bool wantsColumns() const {
    const std::vector<heddle_source> &Sources = Operands.Sources;
    return std::any_of(
        Sources.begin(), Sources.end(),
        [](const heddle_source &Source) { return wantsColumns(Source); });
  }
  void allocateLse();
  void runColumns(heddle_pool &Pool, size_t Source);

  const heddle_plan &Plan;
  const heddle_entry &Entry;
  const heddle_tensors &Tensors;
  KernelArgs Operands;
  heddle_args &Args;
  Binder Bind;
  /// The lse of a launch whose caller wants columns but no lse.
  std::vector<float> Lse;
};

} // namespace

heddle_error *Launch::bindSources() {
  std::vector<heddle_source> &Sources = Operands.Sources;
  if (heddle_error *E =
          Bind.input("k", Tensors.k, 4, Entry.dtype, Sources[0].k))
    return E;
  if (heddle_error *E =
          Bind.input("v", Tensors.v, 4, Entry.dtype, Sources[0].v))
    return E;
  if (Sources.size() > 1 && (!Tensors.more_k || !Tensors.more_v))
    return makeError(
        HEDDLE_INVALID_ARGUMENT,
        "'{}' is null, expected {} tensors for the further sources "
        "of kernel '{}'",
        Tensors.more_k ? "more_v" : "more_k", Sources.size() - 1, Entry.name);
  for (size_t I = 1; I < Sources.size(); ++I) {
    if (heddle_error *E =
            Bind.input(fmt::format("more_k[{}]", I - 1), Tensors.more_k[I - 1],
                       4, Entry.dtype, Sources[I].k))
      return E;
    if (heddle_error *E =
            Bind.input(fmt::format("more_v[{}]", I - 1), Tensors.more_v[I - 1],
                       4, Entry.dtype, Sources[I].v))
      return E;
  }
  return nullptr;
}

heddle_error *Launch::bindColumns() {
  const struct {
    const char *Name;
    const heddle_tensor *First;
    const heddle_tensor *const *More;
    int32_t Rank;
    bool Has;
    heddle_view heddle_source::*View;
  } Outputs[] = {{"column_sums", Tensors.column_sums, Tensors.more_column_sums,
                  3, Entry.has_column_sums != 0, &heddle_source::column_sums},
                 {"block_max", Tensors.block_max, Tensors.more_block_max, 4,
                  Entry.has_block_max != 0, &heddle_source::block_max}};
  std::vector<heddle_source> &Sources = Operands.Sources;
  for (const auto &Output : Outputs) {
    if (heddle_error *E =
            Bind.extraOutput(Output.Name, Output.First, Output.Rank, Output.Has,
                             Sources[0].*Output.View))
      return E;
    for (size_t I = 1; Output.More && I < Sources.size(); ++I)
      if (heddle_error *E =
              Bind.extraOutput(fmt::format("more_{}[{}]", Output.Name, I - 1),
                               Output.More[I - 1], Output.Rank, Output.Has,
                               Sources[I].*Output.View))
        return E;
  }
  return nullptr;
}

heddle_error *Launch::refuseStates() {
  if (heddle_error *E = Bind.extraInput("state_in", Tensors.state_in, 4, false,
                                        Args.state_in))
    return E;
  if (heddle_error *E =
          Bind.extraInput("sums_in", Tensors.sums_in, 3, false, Args.sums_in))
    return E;
  if (heddle_error *E = Bind.extraOutput("state_out", Tensors.state_out, 4,
                                         false, Args.state_out))
    return E;
  return Bind.extraOutput("sums_out", Tensors.sums_out, 3, false,
                          Args.sums_out);
}

heddle_error *Launch::bind() {
  if (heddle_error *E = Bind.input("q", Tensors.q, 4, Entry.dtype, Args.q))
    return E;
  if (heddle_error *E = bindSources())
    return E;
  if (heddle_error *E =
          Bind.output("o", Tensors.o, 4, Entry.output_dtype, Args.o))
    return E;
  if (heddle_error *E =
          Bind.extraOutput("lse", Tensors.lse, 3, Entry.has_lse != 0, Args.lse))
    return E;
  if (heddle_error *E = Bind.extraOutput("row_max", Tensors.row_max, 3,
                                         Entry.has_row_max != 0, Args.row_max))
    return E;
  if (heddle_error *E = bindColumns())
    return E;
  if (heddle_error *E = refuseStates())
    return E;
  if (heddle_error *E = Bind.checkSharing())
    return E;
  if (heddle_error *E = Bind.scale(Tensors.scale, Args.scale))
    return E;
  if (wantsColumns() && Entry.has_lse && !Args.lse.data)
    allocateLse();
  return nullptr;
}

void Launch::allocateLse() {
  heddle_view &View = Args.lse;
  int64_t Batches = Plan.isRagged() ? 1 : Plan.Batch;
  View.stride[2] = 1;
  View.stride[1] = Plan.SeqQ;
  View.stride[0] = Plan.isRagged() ? 0 : Plan.HeadsQ * Plan.SeqQ;
  // One element more, for an address even where there are no rows.
  Lse.resize(Batches * Plan.HeadsQ * Plan.SeqQ + 1);
  View.data = Lse.data();
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
  const heddle_source &Of = Operands.Sources[Source];
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
  int64_t NumTasks = Plan.numTasks();
  const heddle_code &Code = *Plan.Code;
  Pool.run(NumTasks, Code.workspace_bytes, [&](int32_t, void *Workspace) {
    int64_t Position = 0;
    while ((Position = Next.fetch_add(1, std::memory_order_relaxed)) <
           NumTasks) {
      Task T = Plan.task(Position);
      Code.task(&Args, T.Batch, T.Head, T.Tile, Workspace);
    }
  });
  for (size_t Source = 0; Source < Operands.Sources.size(); ++Source)
    if (wantsColumns(Operands.Sources[Source]))
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
    if (plan->Entry->form == HEDDLE_LINEAR)
      return launchLinear(*plan, *tensors, *pool);
    Launch L(*plan, *tensors);
    if (heddle_error *E = L.bind())
      return E;
    L.run(*pool);
    return nullptr;
  });
}
