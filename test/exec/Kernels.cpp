// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Kernels.h"

#include "codegen/Target.h"
#include "dialect/attn/HostSets.h"
#include "dialect/attn/reference/Variant.h"
#include "llvm/ADT/STLExtras.h"
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

static attn::Variant compileVariant(const Source &Text,
                                    const std::string &Name) {
  mlir::FailureOr<attn::Variant> Made = attn::Variant::compile(
      mlir::SymbolTable::lookupSymbolIn(Text.module(), Name));
  if (mlir::failed(Made))
    llvm::report_fatal_error("the interpreter refuses the pattern",
                             /*gen_crash_diag=*/false);
  return std::move(*Made);
}

struct Pattern::Impl {
  Impl(Source Parsed, Source Normalized, const std::string &Name,
       std::string Path)
      : Text(std::move(Parsed)), Normalized(std::move(Normalized)),
        Path(std::move(Path)), Meaning(compileVariant(Text, Name)) {
    for (PatternInfo &Known : Text.patterns())
      if (Known.Name == Name)
        Info = std::move(Known);
  }

  Source Text;
  Source Normalized;
  std::string Path;
  PatternInfo Info;
  attn::Variant Meaning;
};

Pattern::Pattern(std::unique_ptr<Impl> Content) : Content(std::move(Content)) {}
Pattern::Pattern(Pattern &&) noexcept = default;
Pattern::~Pattern() = default;

Pattern &Pattern::operator=(Pattern &&) noexcept = default;

Result<Pattern> Pattern::make(Compiler &Host, Source Parsed,
                              const std::string &Path) {
  Result<std::string> Name = Host.choosePattern(Parsed, "");
  if (!Name)
    return Name.failure();
  Result<Source> Normalized = Host.normalize(Parsed, *Name);
  if (!Normalized)
    return Normalized.failure();
  return Pattern(std::make_unique<Impl>(std::move(Parsed),
                                        std::move(*Normalized), *Name, Path));
}

Result<Pattern> Pattern::parse(Compiler &Host, const std::string &Text,
                               const std::string &Name) {
  Result<Source> Parsed = Host.parse(Text, Name);
  if (!Parsed)
    return Parsed.failure();
  return make(Host, std::move(*Parsed), Name);
}

Pattern Pattern::example(Compiler &Host, const std::string &Name) {
  const std::string File = Name + ".mlir";
  return orStop(make(Host,
                     orStop(Host.parseFile(HEDDLE_EXAMPLES_DIR "/" + File)),
                     "examples/" + File));
}

const Source &Pattern::source() const { return Content->Text; }
const attn::Variant &Pattern::variant() const { return Content->Meaning; }
const attn::Predicate &Pattern::predicate() const {
  return Content->Meaning.predicate();
}
const std::string &Pattern::path() const { return Content->Path; }
const PatternInfo &Pattern::info() const { return Content->Info; }

attn::HostPattern Pattern::sets(int64_t NumKeys,
                                const std::vector<int64_t> &Params) const {
  auto Op = mlir::cast<attn::PatternOp>(mlir::SymbolTable::lookupSymbolIn(
      Content->Normalized.module(), info().Name));
  return attn::HostPattern(Op.getFormulaAttr(), NumKeys, Params);
}

std::vector<int64_t> Pattern::defaults() const {
  std::vector<int64_t> Values;
  for (const PatternParam &P : info().Params)
    Values.push_back(P.Default.value());
  return Values;
}

/// See `exampleNames`.
static bool isPlain(const Source &Text, const std::string &Name) {
  auto Op = mlir::dyn_cast<attn::PatternOp>(
      mlir::SymbolTable::lookupSymbolIn(Text.module(), Name));
  if (!Op || Op.hasGrid() || Op.hasScore() || !Op.getRotate().empty())
    return false;
  for (unsigned I = 0; I < Op.getNumParams(); ++I)
    if (!Op.getParamType(I).isIndex() || !Op.getParamDefault(I))
      return false;
  attn::NormalizerAttr Normalizer = Op.getNormalization();
  return Normalizer.getKind() == attn::NormalizerKind::Softmax &&
         !Normalizer.getSink();
}

std::vector<std::string> exec::exampleNames() {
  static const std::vector<std::string> Names = [] {
    std::vector<std::string> Found;
    Compiler Host;
    for (const auto &File :
         std::filesystem::directory_iterator(HEDDLE_EXAMPLES_DIR)) {
      if (File.path().extension() != ".mlir")
        continue;
      const Source Text = orStop(Host.parseFile(File.path()));
      if (isPlain(Text, orStop(Host.choosePattern(Text, ""))))
        Found.push_back(File.path().stem().string());
    }
    std::sort(Found.begin(), Found.end());
    return Found;
  }();
  return Names;
}

std::vector<std::string> exec::hostLevels() {
  std::vector<std::string> Names;
  for (const LevelInfo &L : listLevels())
    if (L.Missing.empty())
      Names.push_back(L.Name);
  return Names;
}

const std::vector<std::string> &exec::emulatedLevels() {
  static const std::vector<std::string> Names = {"sm_80"};
  return Names;
}

bool exec::isEmulated(const std::string &Level) {
  return llvm::is_contained(emulatedLevels(), Level);
}

static bool isChosen(const ScheduleOptions &S) {
  return S.QueryTile || S.KeyTile || S.Rows || S.Lanes || S.Unroll ||
         S.Stages || S.Heads;
}

const char *exec::dtypeName(heddle_dtype Dtype) {
  return Dtype == HEDDLE_F16 ? "f16" : Dtype == HEDDLE_BF16 ? "bf16" : "f32";
}

std::string KernelSpec::schedule() const {
  std::string Text;
  if (isChosen(Schedule))
    for (auto [Name, Size] :
         {std::pair("query_tile", Schedule.QueryTile),
          std::pair("key_tile", Schedule.KeyTile),
          std::pair("rows", Schedule.Rows), std::pair("lanes", Schedule.Lanes),
          std::pair("unroll", Schedule.Unroll),
          std::pair("stages", Schedule.Stages),
          std::pair("heads", Schedule.Heads)})
      if (Size)
        Text += (Text.empty() ? "" : ",") + std::string(Name) + "=" +
                std::to_string(Size);
  return Text;
}

std::string KernelSpec::str() const {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Out << "d=" << HeadDim << " dv=" << valueDim()
      << " dtype=" << dtypeName(Dtype) << " to " << dtypeName(outputDtype())
      << " level=" << (Level.empty() ? hostLevels().front() : Level);
  if (isChosen(Schedule))
    Out << " schedule=<" << schedule() << ">";
  if (Tf32)
    Out << " with tf32";
  if (SharedMemory)
    Out << " in " << SharedMemory << " KB";
  if (ShortQueries)
    Out << " with code for short queries";
  if (Quadratic)
    Out << " over pairs";
  return Text;
}

/// The rows of a device's warps and the like are what they are; sizes are small
/// enough for any head dim of tests.
static ScheduleOptions
randomDeviceSchedule(llvm::function_ref<int64_t(int64_t, int64_t)> Pick,
                     attn::ScheduleAttr Usual) {
  ScheduleOptions S;
  S.Rows = Usual.getRows();
  S.Lanes = Usual.getLanes();
  S.Unroll = Usual.getUnroll();
  S.QueryTile = S.Rows * Pick(1, 6);
  S.KeyTile = S.Rows * Pick(1, 6);
  S.Stages = Pick(1, std::min<int64_t>(4, 128 / S.KeyTile + 1));
  return S;
}

ScheduleOptions exec::randomSchedule(std::mt19937_64 &Random,
                                     const std::string &Level) {
  static mlir::MLIRContext *Context = [] {
    auto *Made = new mlir::MLIRContext;
    Made->loadDialect<attn::AttnDialect>();
    return Made;
  }();
  const Target *Of = findTargetOfLevel(Level);
  const attn::ScheduleAttr Usual =
      Of->chooseSchedule(Context, Level, KernelShape{64, 64, 0, 0});
  const int64_t MostLanes = Usual.getLanes();
  auto Pick = [&](int64_t Low, int64_t High) {
    return Low + static_cast<int64_t>(Random() %
                                      static_cast<uint64_t>(High - Low + 1));
  };
  if (isEmulated(Level))
    return randomDeviceSchedule(Pick, Usual);
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
  Options.Dtype = dtypeName(Spec.Dtype);
  Options.OutputDtype = dtypeName(Spec.outputDtype());
  Options.Outputs = Spec.Outputs;
  Options.ShortQueries = Spec.ShortQueries;
  Options.Tf32 = Spec.Tf32;
  Options.LineInfo = Spec.LineInfo;
  Options.SharedMemory = Spec.SharedMemory;
  Options.Assemble = false;
  if (!Spec.Level.empty())
    Options.Targets = {Spec.Level};
  Result<Program> Made = Host.jit(What.source(), Options);
  if (Made)
    return std::move(*Made);
  ADD_FAILURE() << What.path() << " does not compile (" << Spec.str()
                << "): " << Made.failure().str();
  return std::nullopt;
}

/// 0, then the sums of the first lengths.
static std::vector<int64_t> sums(const std::vector<int64_t> &Lengths) {
  std::vector<int64_t> Result = {0};
  for (int64_t Length : Lengths)
    Result.push_back(Result.back() + Length);
  return Result;
}

Sizes Sizes::ragged(int64_t HeadsQ, int64_t HeadsKv,
                    const std::vector<int64_t> &LengthsQ,
                    const std::vector<int64_t> &LengthsK, ValueList Params) {
  Sizes Of;
  Of.Batch = static_cast<int64_t>(LengthsQ.size());
  Of.HeadsQ = HeadsQ;
  Of.HeadsKv = HeadsKv;
  Of.CuSeqlensQ = sums(LengthsQ);
  Of.CuSeqlensK = sums(LengthsK);
  Of.SeqQ = Of.CuSeqlensQ.back();
  Of.SeqK = Of.CuSeqlensK.back();
  Of.Params = std::move(Params);
  return Of;
}

RuntimeProblem::RuntimeProblem(const Sizes &Of) : Params(Of.Params.get()) {
  Problem.batch = Of.Batch;
  Problem.heads_q = Of.HeadsQ;
  Problem.heads_kv = Of.HeadsKv;
  Problem.seq_q = Of.SeqQ;
  Problem.seq_k = Of.SeqK;
  Problem.origin = Of.Origin.empty() ? nullptr : Of.Origin.data();
  Problem.params = Params.empty() ? nullptr : Params.data();
  Problem.cu_seqlens_q = Of.isRagged() ? Of.CuSeqlensQ.data() : nullptr;
  Problem.cu_seqlens_k = Of.isRagged() ? Of.CuSeqlensK.data() : nullptr;
  Problem.more_seq_k = Of.MoreKeys.empty() ? nullptr : Of.MoreKeys.data();
  Problem.segments = Of.Segments;
  Problem.multiprocessors = Of.Multiprocessors;
}

static std::optional<Tensor> makePacked(const Sizes &Of, const KernelSpec &Spec,
                                        Layout Order, Placement Where) {
  if (Order != Layout::Packed)
    return std::nullopt;
  return Tensor(
      {Of.tensorBatch(), Of.HeadsQ + 2 * Of.HeadsKv, Of.SeqQ, Spec.HeadDim},
      Order, Where, Spec.Dtype);
}

/// An input, or the heads of the packed tensor that are one.
static Tensor makeInput(const std::optional<Tensor> &Packed, int64_t First,
                        std::array<int64_t, 4> Shape, Layout Order,
                        Placement Where, heddle_dtype Dtype) {
  if (Packed)
    return Packed->heads(First, Shape[1]);
  return Tensor(Shape, Order, Where, Dtype);
}

/// The shape of column_sums.
static std::array<int64_t, 4> columnShape(const Sizes &Of, size_t Source) {
  if (Source == 0)
    return {Of.tensorBatch(), Of.HeadsQ, Of.SeqK, 1};
  return {Of.Batch, Of.HeadsQ, Of.MoreKeys[Source - 1], 1};
}

/// The shape of block_max: sequences of a ragged batch one after the other.
static std::array<int64_t, 4>
blockShape(const Sizes &Of, const OutputOptions &Outputs, size_t Source) {
  int64_t Rows = 0, Columns = 0;
  for (size_t B = 1; B < Of.CuSeqlensQ.size(); ++B) {
    Rows += ceilDivide(Of.CuSeqlensQ[B] - Of.CuSeqlensQ[B - 1], Outputs.BlockQ);
    Columns =
        std::max(Columns, ceilDivide(Of.CuSeqlensK[B] - Of.CuSeqlensK[B - 1],
                                     Outputs.BlockK));
  }
  if (!Of.isRagged()) {
    Rows = ceilDivide(Of.SeqQ, Outputs.BlockQ);
    Columns = ceilDivide(Of.SeqK, Outputs.BlockK);
  }
  if (Source > 0)
    Columns = ceilDivide(Of.MoreKeys[Source - 1], Outputs.BlockK);
  return {Of.tensorBatch(), Of.HeadsQ, Rows, Columns};
}

Operands::Operands(const Sizes &Of, const KernelSpec &Spec, Layout Order,
                   Placement Where, uint64_t Seed)
    : Packed(makePacked(Of, Spec, Order, Where)),
      Q(makeInput(Packed, 0,
                  {Of.tensorBatch(), Of.HeadsQ, Of.SeqQ, Spec.HeadDim}, Order,
                  Where, Spec.Dtype)),
      K(makeInput(Packed, Of.HeadsQ,
                  {Of.tensorBatch(), Of.HeadsKv, Of.SeqK, Spec.HeadDim}, Order,
                  Where, Spec.Dtype)),
      V(makeInput(Packed, Of.HeadsQ + Of.HeadsKv,
                  {Of.tensorBatch(), Of.HeadsKv, Of.SeqK, Spec.valueDim()},
                  Order, Where, Spec.Dtype)),
      O({Of.tensorBatch(), Of.HeadsQ, Of.SeqQ, Spec.valueDim()}, Order, Where,
        Spec.outputDtype()),
      Lse({Of.tensorBatch(), Of.HeadsQ, Of.SeqQ, 1}, Order, Where) {
  Q.fill(3 * Seed);
  K.fill(3 * Seed + 1);
  V.fill(3 * Seed + 2);
  for (size_t I = 0; I < Of.MoreKeys.size(); ++I) {
    MoreK.push_back(Tensor({Of.Batch, Of.HeadsKv, Of.MoreKeys[I], Spec.HeadDim},
                           Order, Where, Spec.Dtype)
                        .fill(1000 * Seed + 2 * I));
    MoreV.push_back(
        Tensor({Of.Batch, Of.HeadsKv, Of.MoreKeys[I], Spec.valueDim()}, Order,
               Where, Spec.Dtype)
            .fill(1000 * Seed + 2 * I + 1));
  }
  if (Spec.Outputs.RowMax)
    RowMax.emplace(Lse.shape(), Order, Where);
  for (size_t Source = 0; Source < Of.numSources(); ++Source) {
    if (Spec.Outputs.ColumnSums)
      ColumnSums.emplace_back(columnShape(Of, Source), Order, Where);
    if (Spec.Outputs.hasBlockMax())
      BlockMax.emplace_back(blockShape(Of, Spec.Outputs, Source), Order, Where);
  }
}

bool Operands::sameResults(const Operands &Other) const {
  auto Same = [](const Tensor &A, const Tensor &B) { return A.sameBits(B); };
  return Same(O, Other.O) && Same(Lse, Other.Lse) &&
         (!RowMax || Same(*RowMax, *Other.RowMax)) &&
         std::equal(ColumnSums.begin(), ColumnSums.end(),
                    Other.ColumnSums.begin(), Other.ColumnSums.end(), Same) &&
         std::equal(BlockMax.begin(), BlockMax.end(), Other.BlockMax.begin(),
                    Other.BlockMax.end(), Same);
}

bool Operands::gapsIntact() const {
  for (const Tensor *T : {&Q, &K, &V, &O, &Lse})
    if (!T->gapsIntact())
      return false;
  for (const std::vector<Tensor> *More :
       {&MoreK, &MoreV, &ColumnSums, &BlockMax})
    for (const Tensor &T : *More)
      if (!T.gapsIntact())
        return false;
  return !RowMax || RowMax->gapsIntact();
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

OnEveryLevel::OnEveryLevel(Compiler &Host, const std::string &Text,
                           KernelSpec TheSpec)
    : Spec(std::move(TheSpec)), Levels(hostLevels()) {
  if (Spec.OnDevices)
    llvm::append_range(Levels, emulatedLevels());
  Result<Pattern> Parsed = Pattern::parse(Host, Text, "test.mlir");
  if (!Parsed) {
    ADD_FAILURE() << Parsed.failure().str();
    return;
  }
  What.emplace(std::move(*Parsed));
  for (const std::string &Level : Levels) {
    Spec.Level = Level;
    std::optional<Program> Made = compile(Host, *What, Spec);
    if (!Made)
      return;
    Programs.push_back(std::move(*Made));
  }
}

testing::AssertionResult OnEveryLevel::agree(const Sizes &Of, Layout Order,
                                             uint64_t Seed) {
  if (Programs.size() != Levels.size())
    return testing::AssertionFailure() << "the pattern does not compile";
  for (size_t I = 0; I < Levels.size(); ++I) {
    Spec.Level = Levels[I];
    Operands Data(Of, Spec, Order, Placement::BeforeGuard, Seed);
    if (auto Good = launchAndCompare(*What, Spec, Programs[I], Of, Data); !Good)
      return Good;
  }
  return testing::AssertionSuccess();
}
