// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LaunchArgs.h"

using namespace heddle;
using namespace heddle::runtime;

heddle_error *LaunchArgs::bindSources() {
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

heddle_error *LaunchArgs::bindColumns() {
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

heddle_error *LaunchArgs::refuseStates() {
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

heddle_error *LaunchArgs::bind() {
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
  return Bind.scale(Tensors.scale, Args.scale);
}

bool LaunchArgs::lacksLse() const {
  return wantsColumns() && Entry.has_lse && !Args.lse.data;
}

int64_t LaunchArgs::placeLse() {
  heddle_view &View = Args.lse;
  int64_t Batches = Plan.isRagged() ? 1 : Plan.Batch;
  View.stride[2] = 1;
  View.stride[1] = Plan.SeqQ;
  View.stride[0] = Plan.isRagged() ? 0 : Plan.HeadsQ * Plan.SeqQ;
  // One element more, for an address even where there are no rows.
  return Batches * Plan.HeadsQ * Plan.SeqQ + 1;
}
