// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/LaunchTensors.h"

using namespace heddle;
using namespace heddle::frontend;

/// Adds a tensor to a list, whose elements stay where they are; null where
/// there is none.
static const heddle_tensor *add(std::deque<heddle_tensor> &To,
                                const Tensor &Of) {
  if (!Of.exists())
    return nullptr;
  To.push_back(Of.handle());
  return &To.back();
}

static std::vector<const heddle_tensor *>
addAll(std::deque<heddle_tensor> &To, const std::vector<Tensor> &Of) {
  std::vector<const heddle_tensor *> Result;
  for (const Tensor &T : Of)
    Result.push_back(add(To, T));
  return Result;
}

LaunchTensors::LaunchTensors(const RunTensors &In, const OutputTensors &Out,
                             float Scale)
    : MoreK(addAll(Inputs, In.MoreK)), MoreV(addAll(Inputs, In.MoreV)),
      ColumnSums(addAll(Outputs, Out.ColumnSums)),
      BlockMax(addAll(Outputs, Out.BlockMax)) {
  All.q = add(Inputs, In.Q);
  All.k = add(Inputs, In.K);
  All.v = add(Inputs, In.V);
  All.o = add(Outputs, Out.O);
  All.lse = add(Outputs, Out.Lse);
  All.scale = Scale;
  All.more_k = MoreK.data();
  All.more_v = MoreV.data();
  All.row_max = add(Outputs, Out.RowMax);
  // Of the first source, and a list of the others, null where there are none.
  auto Split = [](const std::vector<const heddle_tensor *> &Of,
                  const heddle_tensor *&First,
                  const heddle_tensor *const *&Others) {
    if (Of.empty())
      return;
    First = Of.front();
    Others = Of.data() + 1;
  };
  Split(ColumnSums, All.column_sums, All.more_column_sums);
  Split(BlockMax, All.block_max, All.more_block_max);
  All.state_in = add(Inputs, In.State);
  All.sums_in = add(Inputs, In.Sums);
  All.state_out = add(Outputs, Out.State);
  All.sums_out = add(Outputs, Out.Sums);
}
