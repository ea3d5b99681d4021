// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/LinearKernels.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// Rows [First, Last) of a tensor, in its memory.
class RowsOf {
public:
  RowsOf(const Tensor &From, int64_t First, int64_t Last)
      : Handle(From.handle()) {
    std::copy_n(Handle.shape, 4, Shape);
    Shape[2] = Last - First;
    Handle.shape = Shape;
    const int64_t Bytes = From.dtype() == HEDDLE_F32 ? 4 : 2;
    Handle.data =
        static_cast<char *>(Handle.data) + First * Handle.strides[2] * Bytes;
  }
  RowsOf(const RowsOf &) = delete;
  RowsOf &operator=(const RowsOf &) = delete;
  const heddle_tensor *get() const { return &Handle; }

private:
  heddle_tensor Handle;
  int64_t Shape[4];
};

} // namespace

testing::AssertionResult exec::launchParts(const Program &Kernel,
                                           const Sizes &Of,
                                           const std::vector<int64_t> &Ends,
                                           const LinearOperands &Data,
                                           int64_t Window) {
  auto Handle = [](const std::optional<Tensor> &From, int32_t Rank) {
    return From ? From->handle(Rank) : heddle_tensor();
  };
  const heddle_tensor State = Handle(Data.StateOut, 4),
                      Sums = Handle(Data.SumsOut, 3),
                      FirstState = Handle(Data.StateIn, 4),
                      FirstSums = Handle(Data.SumsIn, 3);
  int64_t Begin = 0;
  for (int64_t End : Ends) {
    const int64_t FirstKey = Begin - std::min(Begin, Window);
    Sizes Part = Of;
    Part.SeqQ = End - Begin;
    Part.SeqK = End - FirstKey;
    Part.Origin.assign(static_cast<size_t>(Of.Batch), Begin);
    heddle_plan *Made = nullptr;
    if (auto Good = succeeded(heddle_plan_create(
            Kernel.kernel(), RuntimeProblem(Part).get(), &Made));
        !Good)
      return Good;
    const PlanHandle Plan(Made);
    const RowsOf Q(Data.Q, Begin, End), K(Data.K, FirstKey, End),
        V(Data.V, FirstKey, End), O(Data.O, Begin, End);
    heddle_tensors All = {};
    All.q = Q.get();
    All.k = K.get();
    All.v = V.get();
    All.o = O.get();
    All.scale = Data.Scale;
    auto Given = [](const std::optional<Tensor> &From,
                    const heddle_tensor &As) -> const heddle_tensor * {
      return From ? &As : nullptr;
    };
    All.state_out = Given(Data.StateOut, State);
    All.sums_out = Given(Data.SumsOut, Sums);
    All.state_in = Begin == 0 ? Given(Data.StateIn, FirstState) : All.state_out;
    All.sums_in = Begin == 0 ? Given(Data.SumsIn, FirstSums) : All.sums_out;
    if (auto Good = succeeded(heddle_launch(Plan.get(), &All, pool(2))); !Good)
      return Good << " for tokens " << Begin << " to " << End;
    Begin = End;
  }
  return testing::AssertionSuccess();
}
