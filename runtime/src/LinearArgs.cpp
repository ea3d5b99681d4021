// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LinearArgs.h"

using namespace heddle;
using namespace heddle::runtime;

heddle_error *LinearArgs::bindStates() {
  bool HasSums = Entry.has_sums != 0;
  if (HasSums && !Tensors.state_in != !Tensors.sums_in)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' is null though '{}' is not; give both, or "
                     "neither for a state of zeros",
                     Tensors.state_in ? "sums_in" : "state_in",
                     Tensors.state_in ? "state_in" : "sums_in");
  if (heddle_error *E =
          Bind.extraInput("state_in", Tensors.state_in, 4, true, Args.state_in))
    return E;
  if (heddle_error *E =
          Bind.extraInput("sums_in", Tensors.sums_in, 3, HasSums, Args.sums_in))
    return E;
  if (heddle_error *E = Bind.extraOutput("state_out", Tensors.state_out, 4,
                                         true, Args.state_out))
    return E;
  if (heddle_error *E = Bind.extraOutput("sums_out", Tensors.sums_out, 3,
                                         HasSums, Args.sums_out))
    return E;
  Bind.allowInPlace(Args.state_out, Args.state_in);
  Bind.allowInPlace(Args.sums_out, Args.sums_in);
  return nullptr;
}

heddle_error *LinearArgs::bind() {
  heddle_source &Source = Operands.Sources.front();
  if (heddle_error *E = Bind.input("q", Tensors.q, 4, Entry.dtype, Args.q))
    return E;
  if (heddle_error *E = Bind.input("k", Tensors.k, 4, Entry.dtype, Source.k))
    return E;
  if (heddle_error *E = Bind.input("v", Tensors.v, 4, Entry.dtype, Source.v))
    return E;
  if (heddle_error *E =
          Bind.output("o", Tensors.o, 4, Entry.output_dtype, Args.o))
    return E;
  if (heddle_error *E = bindStates())
    return E;
  const struct {
    const char *Name;
    const heddle_tensor *Tensor;
    int32_t Rank;
  } Foreign[] = {{"lse", Tensors.lse, 3},
                 {"row_max", Tensors.row_max, 3},
                 {"column_sums", Tensors.column_sums, 3},
                 {"block_max", Tensors.block_max, 4}};
  for (const auto &Of : Foreign)
    if (heddle_error *E =
            Bind.extraOutput(Of.Name, Of.Tensor, Of.Rank, false, Args.lse))
      return E;
  if (heddle_error *E = Bind.checkSharing())
    return E;
  return Bind.scale(Tensors.scale, Args.scale);
}
