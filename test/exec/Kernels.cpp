// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Kernels.h"

#include "codegen/Target.h"
#include "dialect/attn/HostSets.h"
#include "dialect/attn/reference/Compare.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <numeric>

using namespace heddle;
using namespace heddle::exec;

template <typename T> static T orStop(Result<T> Value) {
  if (!Value)
    llvm::report_fatal_error(llvm::StringRef(Value.failure().str()),
                             /*gen_crash_diag=*/false);
  return std::move(*Value);
}

static attn::PatternOp onlyPattern(const Source &Text) {
  return *Text.module().getOps<attn::PatternOp>().begin();
}

static attn::Predicate compilePredicate(const Source &Text) {
  mlir::FailureOr<attn::Predicate> Made =
      attn::Predicate::compile(onlyPattern(Text));
  if (mlir::failed(Made))
    llvm::report_fatal_error("the interpreter refuses the pattern",
                             /*gen_crash_diag=*/false);
  return std::move(*Made);
}

struct Pattern::Impl {
  Impl(Source Parsed, Source Normalized, std::string Path)
      : Text(std::move(Parsed)), Normalized(std::move(Normalized)),
        Path(std::move(Path)), Info(Text.patterns().front()),
        Meaning(compilePredicate(Text)) {}

  Source Text;
  Source Normalized;
  std::string Path;
  PatternInfo Info;
  attn::Predicate Meaning;
};

Pattern::Pattern(std::unique_ptr<Impl> Content) : Content(std::move(Content)) {}
Pattern::Pattern(Pattern &&) noexcept = default;
Pattern::~Pattern() = default;

Pattern &Pattern::operator=(Pattern &&) noexcept = default;

Result<Pattern> Pattern::parse(Compiler &Host, const std::string &Text,
                               const std::string &Name) {
  Result<Source> Parsed = Host.parse(Text, Name);
  if (!Parsed)
    return Parsed.failure();
  Result<Source> Normalized = Host.normalize(*Parsed, "");
  if (!Normalized)
    return Normalized.failure();
  return Pattern(
      std::make_unique<Impl>(std::move(*Parsed), std::move(*Normalized), Name));
}

Pattern Pattern::example(Compiler &Host, const std::string &Name) {
  const std::string File = Name + ".mlir";
  Source Parsed = orStop(Host.parseFile(HEDDLE_EXAMPLES_DIR "/" + File));
  Source Normalized = orStop(Host.normalize(Parsed, ""));
  return Pattern(std::make_unique<Impl>(
      std::move(Parsed), std::move(Normalized), "examples/" + File));
}

const Source &Pattern::source() const { return Content->Text; }
const attn::Predicate &Pattern::predicate() const { return Content->Meaning; }
const std::string &Pattern::path() const { return Content->Path; }
const PatternInfo &Pattern::info() const { return Content->Info; }

attn::HostPattern Pattern::sets(int64_t NumKeys,
                                const std::vector<int64_t> &Params) const {
  return attn::HostPattern(onlyPattern(Content->Normalized).getFormulaAttr(),
                           NumKeys, Params);
}

std::vector<int64_t> Pattern::defaults() const {
  std::vector<int64_t> Values;
  for (const PatternParam &P : info().Params)
    Values.push_back(P.Default.value());
  return Values;
}

std::vector<std::string> exec::exampleNames() {
  std::vector<std::string> Names;
  for (const auto &File :
       std::filesystem::directory_iterator(HEDDLE_EXAMPLES_DIR))
    if (File.path().extension() == ".mlir")
      Names.push_back(File.path().stem().string());
  std::sort(Names.begin(), Names.end());
  return Names;
}

std::vector<std::string> exec::hostLevels() {
  std::vector<std::string> Names;
  for (const LevelInfo &L : listLevels())
    if (L.Missing.empty())
      Names.push_back(L.Name);
  return Names;
}

static bool isChosen(const ScheduleOptions &S) {
  return S.QueryTile || S.KeyTile || S.Rows || S.Lanes || S.Unroll;
}

std::string KernelSpec::str() const {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Out << "d=" << HeadDim << " dv=" << valueDim()
      << " level=" << (Level.empty() ? hostLevels().front() : Level);
  if (isChosen(Schedule))
    Out << " schedule=<query_tile = " << Schedule.QueryTile
        << ", key_tile = " << Schedule.KeyTile << ", rows = " << Schedule.Rows
        << ", lanes = " << Schedule.Lanes << ", unroll = " << Schedule.Unroll
        << ">";
  return Text;
}

ScheduleOptions exec::randomSchedule(std::mt19937_64 &Random,
                                     const std::string &Level) {
  static mlir::MLIRContext *Context = [] {
    auto *Made = new mlir::MLIRContext;
    Made->loadDialect<attn::AttnDialect>();
    return Made;
  }();
  const Target *Of = findTargetOfLevel(Level);
  const int64_t MostLanes =
      Of->chooseSchedule(Context, Level, 64, 64).getLanes();
  auto Pick = [&](int64_t Low, int64_t High) {
    return Low + static_cast<int64_t>(Random() %
                                      static_cast<uint64_t>(High - Low + 1));
  };
  while (true) {
    ScheduleOptions S;
    S.Lanes = std::max<int64_t>(1, MostLanes >> Pick(0, 2));
    S.QueryTile = S.Lanes * Pick(1, 6);
    S.Rows = Pick(1, 8);
    S.Unroll = Pick(1, 4);
    S.KeyTile = std::lcm(S.Rows, S.Unroll) * Pick(1, 24);
    if (Of->checkSchedule(attn::ScheduleAttr::get(Context, S.QueryTile,
                                                  S.KeyTile, S.Rows, S.Lanes,
                                                  S.Unroll),
                          Level)
            .empty())
      return S;
  }
}

std::optional<Program> exec::compile(Compiler &Host, const Pattern &What,
                                     const KernelSpec &Spec) {
  CompileOptions Options;
  Options.HeadDimQk = Spec.HeadDim;
  Options.HeadDimV = Spec.ValueDim;
  Options.Schedule = Spec.Schedule;
  if (!Spec.Level.empty())
    Options.Targets = {Spec.Level};
  Result<Program> Made = Host.jit(What.source(), Options);
  if (Made)
    return std::move(*Made);
  ADD_FAILURE() << What.path() << " does not compile (" << Spec.str()
                << "): " << Made.failure().str();
  return std::nullopt;
}

heddle_problem Sizes::problem() const {
  return {Batch,
          HeadsQ,
          HeadsKv,
          SeqQ,
          SeqK,
          Origin.empty() ? nullptr : Origin.data(),
          Params.empty() ? nullptr : Params.data()};
}

Operands::Operands(const Sizes &Of, const KernelSpec &Spec, Layout Order,
                   Placement Where, uint64_t Seed)
    : Q({Of.Batch, Of.HeadsQ, Of.SeqQ, Spec.HeadDim}, Order, Where),
      K({Of.Batch, Of.HeadsKv, Of.SeqK, Spec.HeadDim}, Order, Where),
      V({Of.Batch, Of.HeadsKv, Of.SeqK, Spec.valueDim()}, Order, Where),
      O({Of.Batch, Of.HeadsQ, Of.SeqQ, Spec.valueDim()}, Order, Where),
      Lse({Of.Batch, Of.HeadsQ, Of.SeqQ, 1}, Order, Where) {
  Q.fill(3 * Seed);
  K.fill(3 * Seed + 1);
  V.fill(3 * Seed + 2);
}

bool Operands::gapsIntact() const {
  return Q.gapsIntact() && K.gapsIntact() && V.gapsIntact() && O.gapsIntact() &&
         Lse.gapsIntact();
}

heddle_pool *exec::pool(int32_t Threads) {
  static std::mutex Mutex;
  static std::map<int32_t,
                  std::unique_ptr<heddle_pool, Deleter<heddle_pool_destroy>>>
      Pools;
  const std::lock_guard<std::mutex> Lock(Mutex);
  auto &Slot = Pools[Threads];
  if (!Slot) {
    heddle_pool *Made = nullptr;
    if (heddle_error *Error = heddle_pool_create(Threads, &Made))
      llvm::report_fatal_error(heddle_error_message(Error),
                               /*gen_crash_diag=*/false);
    Slot.reset(Made);
  }
  return Slot.get();
}

testing::AssertionResult exec::succeeded(heddle_error *Error) {
  if (!Error)
    return testing::AssertionSuccess();
  testing::AssertionResult Bad = testing::AssertionFailure()
                                 << heddle_error_message(Error);
  heddle_error_free(Error);
  return Bad;
}

PlanHandle exec::makePlan(const Program &Kernel, const Sizes &Of) {
  heddle_plan *Made = nullptr;
  const heddle_problem Problem = Of.problem();
  EXPECT_TRUE(succeeded(heddle_plan_create(Kernel.kernel(), &Problem, &Made)));
  return PlanHandle(Made);
}

testing::AssertionResult exec::launch(const Program &Kernel, const Sizes &Of,
                                      Operands &Data, int32_t Threads,
                                      heddle_stats *Stats) {
  heddle_plan *Made = nullptr;
  const heddle_problem Problem = Of.problem();
  if (auto Good =
          succeeded(heddle_plan_create(Kernel.kernel(), &Problem, &Made));
      !Good)
    return Good;
  const PlanHandle Plan(Made);
  const heddle_tensor Q = Data.Q.handle(), K = Data.K.handle(),
                      V = Data.V.handle(), O = Data.O.handle(),
                      Lse = Data.Lse.handle(3);
  const heddle_tensors All = {&Q, &K, &V, &O, &Lse, Data.Scale};
  if (auto Good = succeeded(heddle_launch(Plan.get(), &All, pool(Threads)));
      !Good || !Stats)
    return Good;
  return succeeded(heddle_plan_stats(Plan.get(), pool(Threads), Stats));
}

std::string exec::commandLine(const Pattern &What, const KernelSpec &Spec,
                              const Sizes &Of, int64_t B) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Out << "heddle run " << What.path();
  for (size_t I = 0; I < Of.Params.size(); ++I)
    Out << " --set " << What.info().Params[I].Name << "=" << Of.Params[I];
  Out << " --shape b=" << Of.Batch << ",hq=" << Of.HeadsQ
      << ",hkv=" << Of.HeadsKv << ",sq=" << Of.SeqQ << ",sk=" << Of.SeqK
      << ",d=" << Spec.HeadDim << ",dv=" << Spec.valueDim() << " --origin "
      << (Of.Origin.empty() ? 0 : Of.Origin[static_cast<size_t>(B)])
      << " --check";
  return Text;
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

  attn::AttentionProblem Problem;
  Problem.Q = Data.Q.view();
  Problem.K = Data.K.view();
  Problem.V = Data.V.view();
  Problem.Origin = Of.Origin;
  Problem.Params = Of.Params;
  Problem.Scale = Data.Scale != 0
                      ? static_cast<double>(Data.Scale)
                      : 1 / std::sqrt(static_cast<double>(Spec.HeadDim));
  llvm::Expected<attn::ReferenceResult> Expected =
      attn::computeReference(What.predicate(), Problem);
  if (!Expected) {
    Out << llvm::toString(Expected.takeError());
    return Fail();
  }
  if (Stats.kept_pairs != Expected->KeptPairs) {
    Out << "the plan counts " << Stats.kept_pairs
        << " kept pairs, the interpreter " << Expected->KeptPairs;
    return Fail();
  }
  const heddle_view Lse = Data.Lse.view();
  llvm::Expected<attn::Comparison> Compared =
      attn::compare(*Expected, Data.O.view(), &Lse);
  if (!Compared) {
    Out << llvm::toString(Compared.takeError());
    return Fail();
  }
  if (Compared->passed())
    return testing::AssertionSuccess();
  Compared->print(Out, {});
  return Fail(Compared->FirstFailure ? Compared->FirstFailure->B : 0);
}
