// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/LinearKernels.h"

#include "dialect/attn/reference/CompareLinear.h"
#include "test/exec/DeviceLaunch.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace heddle;
using namespace heddle::exec;

struct RecurrenceText::Impl {
  std::string Text;
  Source Parsed;
  attn::Recurrence Meaning;
};

RecurrenceText::RecurrenceText(RecurrenceText &&) noexcept = default;
RecurrenceText &RecurrenceText::operator=(RecurrenceText &&) noexcept = default;
RecurrenceText::~RecurrenceText() = default;

RecurrenceText::RecurrenceText(Compiler &Host, std::string Text) {
  Result<Source> Parsed = Host.parse(Text, "test.mlir");
  if (!Parsed) {
    ADD_FAILURE() << Parsed.failure().str() << "\n" << Text;
    return;
  }
  auto Ops = Parsed->module().getOps<attn::RecurrenceOp>();
  if (Ops.empty()) {
    ADD_FAILURE() << "no recurrence in\n" << Text;
    return;
  }
  mlir::FailureOr<attn::Recurrence> Meaning =
      attn::Recurrence::compile(*Ops.begin());
  if (mlir::failed(Meaning)) {
    ADD_FAILURE() << "the interpreter refuses\n" << Text;
    return;
  }
  Content.reset(
      new Impl{std::move(Text), std::move(*Parsed), std::move(*Meaning)});
}

const std::string &RecurrenceText::text() const { return Content->Text; }
const attn::Recurrence &RecurrenceText::meaning() const {
  return Content->Meaning;
}

std::optional<Program> RecurrenceText::compile(Compiler &Host,
                                               const KernelSpec &Spec) const {
  CompileOptions Options;
  Options.HeadDimQk = Spec.HeadDim;
  Options.HeadDimV = Spec.ValueDim;
  Options.Schedule = Spec.Schedule;
  Options.Quadratic = Spec.Quadratic;
  Options.Dtype = dtypeName(Spec.Dtype);
  Options.OutputDtype = dtypeName(Spec.outputDtype());
  // The emulation runs text.
  Options.Assemble = false;
  if (!Spec.Level.empty())
    Options.Targets = {Spec.Level};
  Result<Program> Made = Host.jit(Content->Parsed, Options);
  if (Made)
    return std::move(*Made);
  ADD_FAILURE() << "does not compile (" << Spec.str()
                << "): " << Made.failure().str() << "\n"
                << text();
  return std::nullopt;
}

ScheduleOptions exec::chunk(int64_t Tokens) {
  ScheduleOptions Options;
  Options.QueryTile = Options.KeyTile = Tokens;
  return Options;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

LinearOperands::LinearOperands(const Sizes &Of, const KernelSpec &Spec,
                               const Program &Kernel, Layout Order,
                               Placement Where, uint64_t Seed)
    : Q({Of.tensorBatch(), Of.HeadsQ, Of.SeqQ, Spec.HeadDim}, Order, Where,
        Spec.Dtype),
      K({Of.tensorBatch(), Of.HeadsKv, Of.SeqK, Spec.HeadDim}, Order, Where,
        Spec.Dtype),
      V({Of.tensorBatch(), Of.HeadsKv, Of.SeqK, Spec.valueDim()}, Order, Where,
        Spec.Dtype),
      O({Of.tensorBatch(), Of.HeadsQ, Of.SeqQ, Spec.valueDim()}, Order, Where,
        Spec.outputDtype()) {
  Q.fill(3 * Seed);
  K.fill(3 * Seed + 1);
  V.fill(3 * Seed + 2);
  const heddle_entry *Entry = heddle_kernel_entry(Kernel.kernel());
  // Heads are outside of rows in every state.
  const Layout StateOrder = Order == Layout::Padded ? Order : Layout::Bhsd;
  StateOut.emplace(std::array<int64_t, 4>{Of.Batch, Of.HeadsQ,
                                          Entry->state_rows, Spec.valueDim()},
                   StateOrder, Where);
  if (Entry->has_sums)
    SumsOut.emplace(
        std::array<int64_t, 4>{Of.Batch, Of.HeadsQ, Entry->state_rows, 1},
        StateOrder, Where);
}

/// The tensors as the interpreter takes them.
static llvm::Expected<attn::LinearProblem>
problemOf(const RecurrenceText &What, const KernelSpec &Spec, const Sizes &Of,
          const LinearOperands &Data) {
  attn::LinearProblem Problem;
  Problem.Q = viewOf(Data.Q, Of.CuSeqlensQ);
  Problem.K = viewOf(Data.K, Of.CuSeqlensK);
  Problem.V = viewOf(Data.V, Of.CuSeqlensK);
  Problem.Type = Spec.Dtype;
  if (Data.StateIn)
    Problem.StateIn = Data.StateIn->view();
  if (Data.SumsIn)
    Problem.SumsIn = Data.SumsIn->view();
  Problem.Origin = Of.Origin;
  Problem.Scale = scaleOf(Spec, Data.Scale);
  llvm::Expected<attn::OperandList> Params =
      attn::OperandList::read(Of.Params.get().data(), What.meaning().params());
  if (!Params)
    return Params.takeError();
  Problem.Params = std::move(*Params);
  return Problem;
}

/// Rows of doubles as a tensor.
static Tensor tensorOf(const std::vector<double> &From,
                       std::array<int64_t, 4> Shape) {
  Tensor Made(Shape, Layout::Bhsd);
  size_t Next = 0;
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t I = 0; I < Shape[2]; ++I)
        for (int64_t C = 0; C < Shape[3]; ++C)
          Made.at(B, H, I, C) = static_cast<float>(From[Next++]);
  return Made;
}

void LinearOperands::comeFrom(const RecurrenceText &What,
                              const KernelSpec &Spec, const Sizes &Of,
                              uint64_t Seed) {
  // Few tokens for each sequence, so that tables have their positions.
  constexpr int64_t Tokens = 9;
  Sizes Before;
  Before.Batch = Of.Batch;
  Before.HeadsQ = Of.HeadsQ;
  Before.HeadsKv = Of.HeadsKv;
  Before.SeqQ = Before.SeqK = Tokens;
  Before.Params = Of.Params;
  auto Random = [&](int64_t Heads, int64_t Width, uint64_t Number) {
    Tensor Made({Of.Batch, Heads, Tokens, Width}, Layout::Bhsd,
                Placement::BeforeGuard, Spec.Dtype);
    Made.fill(3 * Seed + Number);
    return Made;
  };
  LinearOperands First = *this;
  First.Q = Random(Of.HeadsQ, Spec.HeadDim, 0);
  First.K = Random(Of.HeadsKv, Spec.HeadDim, 1);
  First.V = Random(Of.HeadsKv, Spec.valueDim(), 2);
  First.StateIn.reset();
  First.SumsIn.reset();
  llvm::Expected<attn::LinearProblem> Problem =
      problemOf(What, Spec, Before, First);
  if (!Problem) {
    ADD_FAILURE() << llvm::toString(Problem.takeError());
    return;
  }
  llvm::Expected<attn::LinearResult> Made =
      attn::evaluateLinear(What.meaning(), *Problem);
  if (!Made) {
    ADD_FAILURE() << llvm::toString(Made.takeError()) << "\n" << What.text();
    return;
  }
  StateIn.emplace(tensorOf(
      Made->State, {Of.Batch, Of.HeadsQ, Made->StateRows, Spec.valueDim()}));
  if (!Made->Sums.empty())
    SumsIn.emplace(
        tensorOf(Made->Sums, {Of.Batch, Of.HeadsQ, Made->StateRows, 1}));
}

bool LinearOperands::gapsIntact() const {
  for (const Tensor *T : {&Q, &K, &V, &O})
    if (!T->gapsIntact())
      return false;
  return (!StateOut || StateOut->gapsIntact()) &&
         (!SumsOut || SumsOut->gapsIntact());
}

bool LinearOperands::sameResults(const LinearOperands &Other) const {
  return O.sameBits(Other.O) &&
         (!StateOut || StateOut->sameBits(*Other.StateOut)) &&
         (!SumsOut || SumsOut->sameBits(*Other.SumsOut));
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

testing::AssertionResult exec::launchLinear(const Program &Kernel,
                                            const Sizes &Of,
                                            const LinearOperands &Data,
                                            int32_t Threads,
                                            heddle_stats *Stats) {
  heddle_plan *Made = nullptr;
  const heddle_code *Device = deviceCode(Kernel.kernel());
  const RuntimeProblem Problem(Of);
  if (auto Good = succeeded(
          Device ? heddle_plan_create_with(Kernel.kernel(), Device,
                                           Problem.get(), &Made)
                 : heddle_plan_create(Kernel.kernel(), Problem.get(), &Made));
      !Good)
    return Good;
  const PlanHandle Plan(Made);
  const heddle_tensor Q = Data.Q.handle(), K = Data.K.handle(),
                      V = Data.V.handle(), O = Data.O.handle();
  heddle_tensor States[4] = {};
  auto Handle = [&](const std::optional<Tensor> &From, size_t At,
                    int32_t Rank) -> const heddle_tensor * {
    if (!From)
      return nullptr;
    States[At] = From->handle(Rank);
    return &States[At];
  };
  heddle_tensors All = {};
  All.q = &Q;
  All.k = &K;
  All.v = &V;
  All.o = &O;
  All.scale = Data.Scale;
  All.state_in = Handle(Data.StateIn, 0, 4);
  All.sums_in = Handle(Data.SumsIn, 1, 3);
  All.state_out = Handle(Data.StateOut, 2, 4);
  All.sums_out = Handle(Data.SumsOut, 3, 3);
  if (auto Good =
          Device ? launchOnDevice(Kernel.kernel(), Plan.get(), All)
                 : succeeded(heddle_launch(Plan.get(), &All, pool(Threads)));
      !Good || !Stats)
    return Good;
  return succeeded(heddle_plan_stats(Plan.get(), pool(Threads), Stats));
}

static testing::AssertionResult
compareWith(const RecurrenceText &What, const KernelSpec &Spec, const Sizes &Of,
            const LinearOperands &Data, const heddle_stats *Stats,
            attn::LinearForm Form = attn::LinearForm::Recurrent) {
  llvm::Expected<attn::LinearProblem> Problem = problemOf(What, Spec, Of, Data);
  if (!Problem)
    return testing::AssertionFailure() << llvm::toString(Problem.takeError());
  llvm::Expected<attn::LinearResult> Expected =
      attn::evaluateLinear(What.meaning(), *Problem, {Form});
  if (!Expected)
    return testing::AssertionFailure() << llvm::toString(Expected.takeError());
  if (Stats && Stats->kept_pairs != Expected->KeptPairs)
    return testing::AssertionFailure()
           << "the plan counts " << Stats->kept_pairs
           << " kept pairs, the interpreter " << Expected->KeptPairs;
  attn::LinearViews Views;
  Views.O = viewOf(Data.O, Of.CuSeqlensQ);
  Views.Type = Spec.outputDtype();
  const heddle_view State =
                        Data.StateOut ? Data.StateOut->view() : heddle_view(),
                    Sums = Data.SumsOut ? Data.SumsOut->view() : heddle_view();
  Views.State = Data.StateOut ? &State : nullptr;
  Views.Sums = Data.SumsOut ? &Sums : nullptr;
  llvm::Expected<attn::Comparison> Compared =
      attn::compareLinear(*Expected, Views);
  if (!Compared)
    return testing::AssertionFailure() << llvm::toString(Compared.takeError());
  if (Compared->passed())
    return testing::AssertionSuccess();
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Compared->print(Out, {});
  return testing::AssertionFailure() << Text;
}

testing::AssertionResult exec::compareLinear(const RecurrenceText &What,
                                             const KernelSpec &Spec,
                                             const Sizes &Of,
                                             const LinearOperands &Data) {
  return compareWith(What, Spec, Of, Data, nullptr);
}

testing::AssertionResult exec::comparePairs(const RecurrenceText &What,
                                            const KernelSpec &Spec,
                                            const Sizes &Of,
                                            const LinearOperands &Data) {
  return compareWith(What, Spec, Of, Data, nullptr,
                     attn::LinearForm::Quadratic);
}

static std::string describe(const RecurrenceText &What, const KernelSpec &Spec,
                            const Sizes &Of, const LinearOperands &Data) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  auto List = [&](const char *Name, const std::vector<int64_t> &Values) {
    if (Values.empty())
      return;
    Out << " " << Name << "=";
    llvm::interleave(Values, Out, ",");
  };
  Out << Spec.str() << "\nb=" << Of.Batch << " hq=" << Of.HeadsQ
      << " hkv=" << Of.HeadsKv << " sq=" << Of.SeqQ << " sk=" << Of.SeqK
      << " segments=" << Of.Segments;
  List("origin", Of.Origin);
  List("cu_seqlens_q", Of.CuSeqlensQ);
  List("cu_seqlens_k", Of.CuSeqlensK);
  for (size_t I = 0; I < Of.Params.size(); ++I)
    if (What.meaning().params()[I].Kind == HEDDLE_INTEGER)
      Out << " " << What.meaning().params()[I].Name << "="
          << Of.Params[I].get().integer;
  Out << (Data.StateIn ? " with a state" : "") << "\n" << What.text();
  return Text;
}

testing::AssertionResult exec::runAndCompare(const RecurrenceText &What,
                                             const KernelSpec &Spec,
                                             const Program &Kernel,
                                             const Sizes &Of,
                                             LinearOperands &Data) {
  auto Fail = [&] {
    return testing::AssertionFailure()
           << describe(What, Spec, Of, Data) << "\n";
  };
  heddle_stats Stats = {};
  if (auto Good = launchLinear(Kernel, Of, Data, 1, &Stats); !Good)
    return Fail() << Good.message();
  if (!Data.gapsIntact())
    return Fail() << "a gap between rows was written to";
  if (auto Good = compareWith(What, Spec, Of, Data, &Stats); !Good)
    return Fail() << Good.message();
  // Threads of the host have no part in what a device does.
  if (deviceCode(Kernel.kernel()))
    return testing::AssertionSuccess();
  LinearOperands Again = Data;
  Again.O = Tensor(Data.O.shape(), Layout::Bhsd, Placement::BeforeGuard,
                   Data.O.dtype());
  Again.StateOut.emplace(Data.StateOut->shape(), Layout::Bhsd);
  if (Data.SumsOut)
    Again.SumsOut.emplace(Data.SumsOut->shape(), Layout::Bhsd);
  if (auto Good = launchLinear(Kernel, Of, Again, 2); !Good)
    return Fail() << Good.message();
  if (!Data.sameResults(Again))
    return Fail() << "one thread and two threads differ";
  return testing::AssertionSuccess();
}

testing::AssertionResult exec::checkLinear(const RecurrenceText &What,
                                           const KernelSpec &Spec,
                                           const Program &Kernel,
                                           const Sizes &Of, bool Continues,
                                           Layout Order, uint64_t Seed) {
  LinearOperands Data(Of, Spec, Kernel, Order, Placement::BeforeGuard, Seed);
  if (Continues)
    Data.comeFrom(What, Spec, Of);
  return runAndCompare(What, Spec, Kernel, Of, Data);
}
