// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Compare.h"
#include "dialect/attn/reference/Variant.h"
#include "frontends/common/Compare.h"
#include "test/exec/DeviceLaunch.h"
#include "test/exec/Kernels.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// Handles of several tensors, and their addresses.
struct Handles {
  Handles(const std::vector<Tensor> &Of, int32_t Rank) {
    for (const Tensor &T : Of)
      Values.push_back(T.handle(Rank));
    for (const heddle_tensor &Value : Values)
      Addresses.push_back(&Value);
  }
  /// The first one and a list of the others, null where there are none.
  const heddle_tensor *first() const {
    return Addresses.empty() ? nullptr : Addresses.front();
  }
  const heddle_tensor *const *others() const {
    return Addresses.empty() ? nullptr : Addresses.data() + 1;
  }

  std::vector<heddle_tensor> Values;
  std::vector<const heddle_tensor *> Addresses;
};

} // namespace

/// For the code of a device, if the kernel has no other.
static heddle_error *planFor(const Program &Kernel, const Sizes &Of,
                             heddle_plan *&Made) {
  const RuntimeProblem Problem(Of);
  const heddle_code *Device = deviceCode(Kernel.kernel());
  return Device ? heddle_plan_create_with(Kernel.kernel(), Device,
                                          Problem.get(), &Made)
                : heddle_plan_create(Kernel.kernel(), Problem.get(), &Made);
}

PlanHandle exec::makePlan(const Program &Kernel, const Sizes &Of) {
  heddle_plan *Made = nullptr;
  EXPECT_TRUE(succeeded(planFor(Kernel, Of, Made)));
  return PlanHandle(Made);
}

testing::AssertionResult exec::launch(const Program &Kernel, const Sizes &Of,
                                      Operands &Data, int32_t Threads,
                                      heddle_stats *Stats) {
  heddle_plan *Made = nullptr;
  const bool IsDevice = deviceCode(Kernel.kernel()) != nullptr;
  if (auto Good = succeeded(planFor(Kernel, Of, Made)); !Good)
    return Good;
  const PlanHandle Plan(Made);
  const heddle_tensor Q = Data.Q.handle(), K = Data.K.handle(),
                      V = Data.V.handle(), O = Data.O.handle(),
                      Lse = Data.Lse.handle(3);
  const heddle_tensor RowMax =
      Data.RowMax ? Data.RowMax->handle(3) : heddle_tensor();
  const Handles MoreK(Data.MoreK, 4), MoreV(Data.MoreV, 4),
      ColumnSums(Data.ColumnSums, 3), BlockMax(Data.BlockMax, 4);
  heddle_tensors All = {};
  All.q = &Q;
  All.k = &K;
  All.v = &V;
  All.o = &O;
  All.lse = heddle_kernel_entry(Kernel.kernel())->has_lse ? &Lse : nullptr;
  All.scale = Data.Scale;
  All.more_k = MoreK.Addresses.data();
  All.more_v = MoreV.Addresses.data();
  All.row_max = Data.RowMax ? &RowMax : nullptr;
  All.column_sums = ColumnSums.first();
  All.block_max = BlockMax.first();
  All.more_column_sums = ColumnSums.others();
  All.more_block_max = BlockMax.others();
  if (auto Good =
          IsDevice ? launchOnDevice(Kernel.kernel(), Plan.get(), All)
                   : succeeded(heddle_launch(Plan.get(), &All, pool(Threads)));
      !Good || !Stats)
    return Good;
  return succeeded(heddle_plan_stats(Plan.get(), pool(Threads), Stats));
}

std::string exec::commandLine(const Pattern &What, const KernelSpec &Spec,
                              const Sizes &Of, int64_t B) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Out << "heddle run " << What.path();
  for (size_t I = 0; I < Of.Params.size(); ++I) {
    const PatternParam &P = What.info().Params[I];
    Out << " --set " << P.Name << "=";
    if (P.Kind == HEDDLE_INTEGER)
      Out << Of.Params[I].get().integer;
    else if (P.Kind == HEDDLE_REAL)
      Out << Of.Params[I].get().real;
    else
      Out << "(of the test)";
  }
  auto List = [&](const char *Option, const std::vector<int64_t> &Values) {
    if (Values.empty())
      return;
    Out << " " << Option << " ";
    llvm::interleave(Values, Out, ",");
  };
  Out << " --shape b=" << Of.Batch << ",hq=" << Of.HeadsQ
      << ",hkv=" << Of.HeadsKv << ",sq=" << Of.SeqQ << ",sk=" << Of.SeqK
      << ",d=" << Spec.HeadDim << ",dv=" << Spec.valueDim();
  List("--cu-seqlens-q", Of.CuSeqlensQ);
  List("--cu-seqlens-k", Of.CuSeqlensK);
  List("--more-keys", Of.MoreKeys);
  if (Spec.Dtype != HEDDLE_F32)
    Out << " --dtype " << dtypeName(Spec.Dtype);
  if (Spec.Tf32)
    Out << " --tf32";
  if (Spec.outputDtype() != Spec.Dtype)
    Out << " --output-dtype " << dtypeName(Spec.outputDtype());
  if (isEmulated(Spec.Level)) {
    Out << " --target " << Spec.Level << " --emulate";
    if (const std::string Schedule = Spec.schedule(); !Schedule.empty())
      Out << " --schedule " << Schedule;
  }
  Out << " --origin "
      << (Of.Origin.empty() ? 0 : Of.Origin[static_cast<size_t>(B)])
      << " --check";
  return Text;
}

double exec::scaleOf(const KernelSpec &Spec, float Given) {
  return Given != 0 ? static_cast<double>(Given)
                    : static_cast<float>(
                          1 / std::sqrt(static_cast<double>(Spec.HeadDim)));
}

heddle_view exec::viewOf(const Tensor &T, const std::vector<int64_t> &Offsets) {
  heddle_view View = T.view();
  if (!Offsets.empty()) {
    View.shape[0] = static_cast<int64_t>(Offsets.size()) - 1;
    View.offsets = Offsets.data();
  }
  return View;
}

/// Block maxima of a ragged batch as one matrix per sequence.
static Tensor spreadBlocks(const Tensor &Given, const Sizes &Of,
                           int64_t BlockQ) {
  auto RowsOf = [&](int64_t B) {
    const auto I = static_cast<size_t>(B);
    return ceilDivide(Of.CuSeqlensQ[I + 1] - Of.CuSeqlensQ[I], BlockQ);
  };
  int64_t Rows = 0;
  for (int64_t B = 0; B < Of.Batch; ++B)
    Rows = std::max(Rows, RowsOf(B));
  const int64_t Heads = Given.shape()[1], Columns = Given.shape()[3];
  Tensor Result({Of.Batch, Heads, Rows, Columns}, Layout::Bhsd);
  int64_t First = 0;
  for (int64_t B = 0; B < Of.Batch; First += RowsOf(B), ++B)
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t I = 0; I < Rows; ++I)
        for (int64_t J = 0; J < Columns; ++J)
          Result.at(B, H, I, J) =
              I < RowsOf(B) ? Given.at(0, H, First + I, J) : 0;
  return Result;
}

/// Devices round the weights to the dtype before they multiply them with v, and
/// rotated rows.
static attn::Tolerance toleranceOf(const Pattern &What, const Program &Kernel,
                                   const KernelSpec &Spec) {
  attn::Tolerance Allowed;
  if (!deviceCode(Kernel.kernel()))
    return Allowed;
  Allowed.Rounded = frontend::deviceTolerance(Spec.Dtype, Spec.Tf32);
  if (Spec.Tf32 || llvm::any_of(What.variant().sources(),
                                [](const attn::VariantSource &Source) {
                                  return Source.Rotate.has_value();
                                }))
    Allowed.Relative = Allowed.Rounded;
  return Allowed;
}

/// What the interpreter makes of the same tensors.
static llvm::Expected<attn::ReferenceResult>
computeExpected(const Pattern &What, const KernelSpec &Spec, const Sizes &Of,
                const Operands &Data) {
  attn::AttentionProblem Problem;
  Problem.Q = viewOf(Data.Q, Of.CuSeqlensQ);
  Problem.K = viewOf(Data.K, Of.CuSeqlensK);
  Problem.V = viewOf(Data.V, Of.CuSeqlensK);
  for (size_t I = 0; I < Data.MoreK.size(); ++I)
    Problem.More.push_back({Data.MoreK[I].view(), Data.MoreV[I].view()});
  Problem.Type = Spec.Dtype;
  Problem.Origin = Of.Origin;
  Problem.Scale = scaleOf(Spec, Data.Scale);
  llvm::Expected<attn::OperandList> Params =
      attn::OperandList::read(Of.Params.get().data(), What.variant().params());
  if (!Params)
    return Params.takeError();
  Problem.Params = std::move(*Params);
  attn::ReferenceOptions Options;
  Options.ColumnSums = Spec.Outputs.ColumnSums;
  Options.BlockQ = Spec.Outputs.BlockQ;
  Options.BlockK = Spec.Outputs.BlockK;
  return attn::computeReference(What.variant(), Problem, Options);
}

testing::AssertionResult exec::launchAndCompare(const Pattern &What,
                                                const KernelSpec &Spec,
                                                const Program &Kernel,
                                                const Sizes &Of, Operands &Data,
                                                int32_t Threads) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  auto Fail = [&](int64_t B = 0) {
    return testing::AssertionFailure()
           << Text << "\nkernel: " << Spec.str() << "\n"
           << commandLine(What, Spec, Of, B);
  };
  heddle_stats Stats = {};
  if (auto Good = launch(Kernel, Of, Data, Threads, &Stats); !Good) {
    Out << Good.message();
    return Fail();
  }
  if (!Data.gapsIntact()) {
    Out << "a gap between rows was written to";
    return Fail();
  }
  llvm::Expected<attn::ReferenceResult> Expected =
      computeExpected(What, Spec, Of, Data);
  if (!Expected) {
    Out << llvm::toString(Expected.takeError());
    return Fail();
  }
  if (Stats.kept_pairs != Expected->KeptPairs) {
    Out << "the plan counts " << Stats.kept_pairs
        << " kept pairs, the interpreter " << Expected->KeptPairs;
    return Fail();
  }
  std::vector<Tensor> Blocks;
  for (const Tensor &T : Data.BlockMax)
    Blocks.push_back(Of.isRagged() ? spreadBlocks(T, Of, Spec.Outputs.BlockQ)
                                   : T);
  const heddle_view Lse = Data.Lse.view(),
                    RowMax = Data.RowMax ? Data.RowMax->view() : heddle_view();
  auto ViewsOf = [](const std::vector<Tensor> &Tensors) {
    std::vector<heddle_view> Views;
    for (const Tensor &T : Tensors)
      Views.push_back(T.view());
    return Views;
  };
  const std::vector<heddle_view> ColumnSums = ViewsOf(Data.ColumnSums),
                                 BlockMax = ViewsOf(Blocks);
  attn::ResultViews Views;
  Views.O = Data.O.view();
  Views.Type = Spec.outputDtype();
  Views.Lse = heddle_kernel_entry(Kernel.kernel())->has_lse ? &Lse : nullptr;
  Views.RowMax = Data.RowMax ? &RowMax : nullptr;
  for (const heddle_view &View : ColumnSums)
    Views.ColumnSums.push_back(&View);
  for (const heddle_view &View : BlockMax)
    Views.BlockMax.push_back(&View);
  const attn::Tolerance Allowed = toleranceOf(What, Kernel, Spec);
  llvm::Expected<attn::Comparison> Compared =
      attn::compare(*Expected, Views, Allowed);
  if (!Compared) {
    Out << llvm::toString(Compared.takeError());
    return Fail();
  }
  if (Compared->passed())
    return testing::AssertionSuccess();
  Compared->print(Out, Allowed);
  return Fail(Compared->FirstFailure ? Compared->FirstFailure->B : 0);
}
