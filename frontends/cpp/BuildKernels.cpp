// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Kernels.h"
#include "frontends/cpp/Patterns.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace heddle;

static int64_t product(llvm::ArrayRef<int64_t> Sizes) {
  int64_t Result = 1;
  for (int64_t Size : Sizes)
    Result = llvm::SaturatingMultiply<uint64_t>(Result, Size);
  return Result;
}

/// The schedule of a level where the user wants something special; a null
/// attribute where all is left to the target.
static Result<attn::ScheduleAttr> makeSchedule(mlir::ModuleOp Module,
                                               const BuildPlan &What,
                                               const ScheduleOptions &Options,
                                               const LevelOfTarget &L) {
  mlir::MLIRContext *Context = Module.getContext();
  attn::ScheduleAttr Base = L.Of->chooseSchedule(Context, L.name(), What.Shape);
  int64_t Sizes[] = {Options.QueryTile, Options.KeyTile, Options.Rows,
                     Options.Lanes,     Options.Unroll,  Options.Stages,
                     Options.Heads};
  if (Options.QueryBox.empty() != Options.KeyBox.empty())
    return Failure("the schedule gives one box; expected both 'query_box' and "
                   "'key_box'");
  const bool HasBoxes = !Options.QueryBox.empty();
  if (!HasBoxes && llvm::all_of(Sizes, [](int64_t Size) { return Size == 0; }))
    return attn::ScheduleAttr();
  llvm::ArrayRef<int64_t> QueryBox = Options.QueryBox, KeyBox = Options.KeyBox;
  if (!HasBoxes) {
    QueryBox = Base.getQueryBox();
    KeyBox = Base.getKeyBox();
  } else if (QueryBox.size() != What.Shape.Axes) {
    return Failure(
        llvm::formatv("the schedule has boxes with {0} axes; pattern "
                      "'{1}' has {2}",
                      QueryBox.size(), What.Pattern, What.Shape.Axes)
            .str());
  } else {
    for (auto [Size, Box] :
         {std::pair(&Sizes[0], QueryBox), std::pair(&Sizes[1], KeyBox)})
      *Size = *Size ? *Size : product(Box);
  }
  if (What.isRecurrence())
    Sizes[0] = Sizes[1] = std::max(Sizes[0], Sizes[1]);
  const int64_t Chosen[] = {
      Base.getQueryTile(), Base.getKeyTile(), Base.getRows(), Base.getLanes(),
      Base.getUnroll(),    Base.getStages(),  Base.getHeads()};
  for (auto [Size, Default] : llvm::zip(Sizes, Chosen))
    Size = Size ? Size : Default;
  if (What.isRecurrence()) {
    // What is left to the target suits the chunk that was asked for.
    Sizes[2] = Options.Rows ? Sizes[2] : std::gcd(Sizes[2], Sizes[1]);
    Sizes[4] = Options.Unroll ? Sizes[4] : std::gcd(Sizes[4], Sizes[1]);
  }
  DiagnosticCollector Diagnostics(*Context, nullptr);
  auto Schedule = attn::ScheduleAttr::getChecked(
      [&] { return mlir::emitError(mlir::UnknownLoc::get(Context)); }, Context,
      Sizes[0], Sizes[1], Sizes[2], Sizes[3], Sizes[4], QueryBox, KeyBox,
      Sizes[5], Sizes[6]);
  if (!Schedule)
    return Diagnostics.failure("the schedule is not valid");
  if (std::string Error = L.Of->checkSchedule(Schedule, L.name());
      !Error.empty())
    return Failure("the schedule cannot be built: " + Error);
  return Schedule;
}

/// `<kernel>_<level>` in the letters of C identifiers and of the kernel's name.
static std::string functionName(const BuildPlan &What, const LevelOfTarget &L) {
  std::string Suffix = L.name();
  std::replace_if(
      Suffix.begin(), Suffix.end(), [](char C) { return !llvm::isAlnum(C); },
      '_');
  return What.Kernel + "_" + Suffix;
}

attn::OutputsAttr heddle::outputsAttr(mlir::MLIRContext *Context,
                                      const OutputOptions &Outputs) {
  return attn::OutputsAttr::get(Context, Outputs.RowMax, Outputs.ColumnSums,
                                Outputs.BlockQ, Outputs.BlockK);
}

namespace {

/// Writes functions of kernels.
class KernelBuilder {
public:
  KernelBuilder(mlir::OpBuilder &Builder, mlir::Operation *Pattern,
                const BuildPlan &What)
      : Builder(Builder), Pattern(Pattern), What(What), Loc(Pattern->getLoc()) {
  }

  /// A function of q, then k and v of every source, scale, origin and the
  /// parameters, that returns o, lse and the outputs asked for.
  void buildAttention(const LevelOfTarget &L, attn::ScheduleAttr Schedule);
  /// A function of q, k, v, scale, origin, the state before, its sums if there
  /// are any, and the parameters, that returns o, the state after and its sums.
  void buildLinear(attn::RecurrenceOp Recurrence, const LevelOfTarget &L,
                   attn::ScheduleAttr Schedule);

private:
  /// (batch, head, position, feature)
  mlir::Type rows(int64_t Width, mlir::Type Element) const {
    return mlir::RankedTensorType::get({Dynamic, Dynamic, Dynamic, Width},
                                       Element);
  }
  mlir::Type origins() const {
    return mlir::RankedTensorType::get({Dynamic}, Builder.getIndexType());
  }
  /// Starts a function; the builder then stands in its body.
  mlir::Block *start(const LevelOfTarget &L, mlir::TypeRange Inputs,
                     mlir::TypeRange Results);
  mlir::FlatSymbolRefAttr symbol() const {
    return mlir::FlatSymbolRefAttr::get(Builder.getContext(), What.Pattern);
  }

  static constexpr int64_t Dynamic = mlir::ShapedType::kDynamic;
  mlir::OpBuilder &Builder;
  mlir::Operation *Pattern;
  const BuildPlan &What;
  mlir::Location Loc;
};

} // namespace

mlir::Block *KernelBuilder::start(const LevelOfTarget &L,
                                  mlir::TypeRange Inputs,
                                  mlir::TypeRange Results) {
  auto Function =
      mlir::func::FuncOp::create(Builder, Loc, functionName(What, L),
                                 Builder.getFunctionType(Inputs, Results));
  Function->setAttr(KernelNameAttr, Builder.getStringAttr(What.Kernel));
  Function->setAttr(LevelAttr, Builder.getStringAttr(L.name()));
  if (L.Of->isDevice() && What.Shape.SharedLimit)
    Function->setAttr(SharedMemoryAttr,
                      Builder.getI64IntegerAttr(What.Shape.SharedLimit));
  if (What.ShortQueries)
    Function->setAttr(ShortQueriesAttr, Builder.getUnitAttr());
  if (What.Shape.Tf32 && L.Of->hasTf32())
    Function->setAttr(Tf32Attr, Builder.getUnitAttr());
  mlir::Block *Body = Function.addEntryBlock();
  Builder.setInsertionPointToStart(Body);
  return Body;
}

void KernelBuilder::buildAttention(const LevelOfTarget &L,
                                   attn::ScheduleAttr Schedule) {
  mlir::Type F32 = Builder.getF32Type();
  mlir::Type PerRow =
      mlir::RankedTensorType::get({Dynamic, Dynamic, Dynamic}, F32);
  const size_t NumSources = sourcesOf(Pattern).size();

  llvm::SmallVector<mlir::Type> Inputs = {rows(What.Shape.Qk, What.InputType)};
  for (size_t I = 0; I < NumSources; ++I)
    Inputs.append({rows(What.Shape.Qk, What.InputType),
                   rows(What.Shape.V, What.InputType)});
  Inputs.append({F32, origins()});
  llvm::append_range(Inputs, paramTypes(Pattern));

  mlir::Type O = rows(What.Shape.V, What.OutputType);
  llvm::SmallVector<mlir::Type> More;
  attn::OutputsAttr Outputs;
  if (What.Outputs.RowMax)
    More.push_back(PerRow);
  if (What.Outputs.ColumnSums)
    More.append(NumSources, PerRow);
  if (What.Outputs.hasBlockMax())
    More.append(NumSources, rows(Dynamic, F32));
  if (!More.empty())
    Outputs = outputsAttr(Builder.getContext(), What.Outputs);
  llvm::SmallVector<mlir::Type> Results = {O, PerRow};
  llvm::append_range(Results, More);

  mlir::OpBuilder::InsertionGuard Guard(Builder);
  mlir::ValueRange Arguments = start(L, Inputs, Results)->getArguments();
  llvm::SmallVector<mlir::Value> MoreK, MoreV;
  for (size_t I = 1; I < NumSources; ++I) {
    MoreK.push_back(Arguments[1 + 2 * I]);
    MoreV.push_back(Arguments[2 + 2 * I]);
  }
  mlir::ValueRange Rest = Arguments.drop_front(1 + 2 * NumSources);
  auto Attention = attn::AttentionOp::create(
      Builder, Loc, O, PerRow, More, symbol(), Rest.drop_front(2), Arguments[0],
      Arguments[1], Arguments[2], Rest[0], Rest[1], MoreK, MoreV, Outputs,
      Schedule);
  mlir::func::ReturnOp::create(Builder, Loc, Attention.getResults());
}

void KernelBuilder::buildLinear(attn::RecurrenceOp Recurrence,
                                const LevelOfTarget &L,
                                attn::ScheduleAttr Schedule) {
  mlir::Type F32 = Builder.getF32Type();
  const int64_t StateRows = Recurrence.numStateRows(What.Shape.Qk);
  llvm::SmallVector<mlir::Type> States = {mlir::RankedTensorType::get(
      {Dynamic, Dynamic, StateRows, What.Shape.V}, F32)};
  if (Recurrence.hasSums())
    States.push_back(
        mlir::RankedTensorType::get({Dynamic, Dynamic, StateRows}, F32));

  llvm::SmallVector<mlir::Type> Inputs = {
      rows(What.Shape.Qk, What.InputType), rows(What.Shape.Qk, What.InputType),
      rows(What.Shape.V, What.InputType), F32, origins()};
  llvm::append_range(Inputs, States);
  llvm::append_range(Inputs, paramTypes(Pattern));
  mlir::Type O = rows(What.Shape.V, What.OutputType);
  llvm::SmallVector<mlir::Type> Results = {O};
  llvm::append_range(Results, States);

  mlir::OpBuilder::InsertionGuard Guard(Builder);
  mlir::ValueRange Arguments = start(L, Inputs, Results)->getArguments();
  const bool HasSums = States.size() > 1;
  auto Linear = attn::LinearOp::create(
      Builder, Loc, O, States[0], HasSums ? States[1] : mlir::Type(), symbol(),
      Arguments.drop_front(5 + States.size()), Arguments[0], Arguments[1],
      Arguments[2], Arguments[3], Arguments[4], Arguments[5],
      HasSums ? Arguments[6] : mlir::Value(), Schedule);
  mlir::func::ReturnOp::create(Builder, Loc, Linear.getResults());
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
heddle::buildKernels(mlir::ModuleOp From, const BuildPlan &What,
                     const ScheduleOptions &Schedule) {
  mlir::OwningOpRef<mlir::ModuleOp> Module =
      mlir::ModuleOp::create(From.getLoc());
  mlir::OpBuilder Builder(Module->getBodyRegion());
  Builder.setInsertionPointToEnd(Module->getBody());
  for (mlir::Operation *Symbol : closureOf(From, What.Pattern))
    Builder.clone(*Symbol);
  mlir::Operation *Pattern =
      mlir::SymbolTable::lookupSymbolIn(*Module, What.Pattern);
  for (const LevelOfTarget &L : What.Levels) {
    Result<attn::ScheduleAttr> Sizes = makeSchedule(From, What, Schedule, L);
    if (!Sizes)
      return Sizes.failure();
    KernelBuilder Kernel(Builder, Pattern, What);
    if (auto Recurrence = mlir::dyn_cast<attn::RecurrenceOp>(Pattern))
      Kernel.buildLinear(Recurrence, L, *Sizes);
    else
      Kernel.buildAttention(L, *Sizes);
  }
  return std::move(Module);
}
