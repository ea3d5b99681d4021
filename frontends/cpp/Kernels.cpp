// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Kernels.h"

#include "frontends/cpp/Patterns.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle;

using LevelOfTarget = std::pair<const Target *, Level>;

/// "'a', 'b' and 'c'" without the grammar: "'a', 'b', 'c'".
static std::string quotedList(llvm::ArrayRef<std::string> Names) {
  std::string Result;
  for (const std::string &Name : Names)
    Result += (Result.empty() ? "'" : ", '") + Name + "'";
  return Result;
}

static std::vector<std::string> targetAndLevelNames() {
  std::vector<std::string> Names;
  for (const Target *T : targets()) {
    Names.push_back(T->name().str());
    for (const Level &L : T->levels())
      Names.push_back(L.Name);
  }
  return Names;
}

Result<std::vector<LevelOfTarget>>
heddle::findLevels(const std::vector<std::string> &Names) {
  std::vector<std::string> Wanted = Names;
  if (Wanted.empty())
    Wanted.push_back(targets().front()->name().str());
  for (const std::string &Name : Wanted)
    if (!findTarget(Name) && !findTargetOfLevel(Name))
      return Failure(llvm::formatv("unknown target '{0}'; expected one of {1}",
                                   Name, quotedList(targetAndLevelNames()))
                         .str());
  // In the targets' own order, whatever the order of the names: best first.
  std::vector<LevelOfTarget> Result;
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      if (llvm::is_contained(Wanted, T->name()) ||
          llvm::is_contained(Wanted, L.Name))
        Result.emplace_back(T, L);
  return Result;
}

/// Keeps the first level that this machine runs.
static Result<std::vector<LevelOfTarget>>
bestHere(std::vector<LevelOfTarget> Levels) {
  std::string Lacks;
  for (LevelOfTarget &L : Levels) {
    if (L.second.runsHere())
      return std::vector<LevelOfTarget>{std::move(L)};
    Lacks += llvm::formatv("{0}'{1}' needs {2}", Lacks.empty() ? "" : "; ",
                           L.second.Name, llvm::join(L.second.Missing, ", "));
  }
  return Failure("this machine cannot run the code: " + Lacks +
                 ", which it lacks");
}

static Result<mlir::Type> findElementType(mlir::MLIRContext *Context,
                                          llvm::StringRef Name) {
  // [attention-2]
  mlir::Type Found;
  if (Name == "f32")
    Found = mlir::Float32Type::get(Context);
  else if (Name == "f16")
    Found = mlir::Float16Type::get(Context);
  else if (Name == "bf16")
    Found = mlir::BFloat16Type::get(Context);
  else
    return Failure(
        llvm::formatv("unknown dtype '{0}'; expected 'f32', 'f16' or "
                      "'bf16'",
                      Name)
            .str());
  return Found;
}

/// [outputs-1]
static std::string checkOutputs(const OutputOptions &Outputs) {
  const int64_t Q = Outputs.BlockQ, K = Outputs.BlockK;
  if ((Q == 0 && K == 0) || (Q >= 1 && Q <= 512 && K >= 1 && K <= 512))
    return "";
  return llvm::formatv("the blocks of the block maxima are {0} x {1}; expected "
                       "1 to 512 each",
                       Q, K);
}

/// Kernel names become parts of symbols, file names and headers.
static std::string checkKernelName(llvm::StringRef Name) {
  for (char C : Name) {
    if (llvm::isAlnum(C) || llvm::is_contained({'_', '.', '$', '-'}, C))
      continue;
    std::string Shown;
    llvm::raw_string_ostream Out(Shown);
    llvm::printEscapedString(Name, Out);
    return llvm::formatv("kernel name '{0}' is not usable; expected letters, "
                         "digits, '_', '.', '$' and '-' only",
                         Shown);
  }
  return "";
}

Result<BuildPlan> heddle::makePlan(mlir::Operation *Pattern,
                                   const CompileOptions &Options,
                                   bool HereOnly) {
  BuildPlan P;
  P.Pattern = mlir::SymbolTable::getSymbolName(Pattern).str();
  P.Kernel = Options.Kernel.empty() ? P.Pattern : Options.Kernel;
  if (std::string Error = checkKernelName(P.Kernel); !Error.empty())
    return Failure(Error);

  mlir::MLIRContext *Context = Pattern->getContext();
  Result<mlir::Type> Input = findElementType(Context, Options.Dtype);
  if (!Input)
    return Input.failure();
  P.InputType = P.OutputType = *Input;
  if (!Options.OutputDtype.empty()) {
    Result<mlir::Type> Output = findElementType(Context, Options.OutputDtype);
    if (!Output)
      return Output.failure();
    P.OutputType = *Output;
  }
  P.ShortQueries = Options.ShortQueries;
  P.Outputs = Options.Outputs;
  if (std::string Error = checkOutputs(P.Outputs); !Error.empty())
    return Failure(Error);

  attn::PatternOp First = sourcesOf(Pattern).front();
  P.Shape.Qk = Options.HeadDimQk;
  P.Shape.V = Options.HeadDimV ? Options.HeadDimV : Options.HeadDimQk;
  P.Shape.Axes = First.hasGrid() ? First.getNumAxes() : 0;
  P.Shape.Group = First.getNormalization().getGroup();
  for (auto [Name, Size] :
       {std::pair("q and k", P.Shape.Qk), std::pair("v", P.Shape.V)})
    if (Size < 1 || Size > 512)
      return Failure(
          llvm::formatv("head dim of {0} is {1}; expected 1 to 512", Name, Size)
              .str());

  Result<std::vector<LevelOfTarget>> Levels = findLevels(Options.Targets);
  if (Levels && HereOnly)
    Levels = bestHere(std::move(*Levels));
  if (!Levels)
    return Levels.failure();
  P.Of = Levels->front().first;
  for (LevelOfTarget &L : *Levels) {
    if (L.first != P.Of)
      return Failure(llvm::formatv("targets '{0}' and '{1}' cannot be in one "
                                   "bundle; compile one each",
                                   P.Of->name(), L.first->name())
                         .str());
    P.Levels.push_back(std::move(L.second));
  }
  return P;
}

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
                                               const Level &L) {
  mlir::MLIRContext *Context = Module.getContext();
  attn::ScheduleAttr Base =
      What.Of->chooseSchedule(Context, L.Name, What.Shape);
  int64_t Sizes[] = {Options.QueryTile, Options.KeyTile, Options.Rows,
                     Options.Lanes, Options.Unroll};
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
  const int64_t Chosen[] = {Base.getQueryTile(), Base.getKeyTile(),
                            Base.getRows(), Base.getLanes(), Base.getUnroll()};
  for (auto [Size, Default] : llvm::zip(Sizes, Chosen))
    Size = Size ? Size : Default;
  DiagnosticCollector Diagnostics(*Context, nullptr);
  auto Schedule = attn::ScheduleAttr::getChecked(
      [&] { return mlir::emitError(mlir::UnknownLoc::get(Context)); }, Context,
      Sizes[0], Sizes[1], Sizes[2], Sizes[3], Sizes[4], QueryBox, KeyBox);
  if (!Schedule)
    return Diagnostics.failure("the schedule is not valid");
  if (std::string Error = What.Of->checkSchedule(Schedule, L.Name);
      !Error.empty())
    return Failure("the schedule cannot be built: " + Error);
  return Schedule;
}

/// `<kernel>_<level>` in the letters of C identifiers and of the kernel's name.
static std::string functionName(const BuildPlan &What, const Level &L) {
  std::string Suffix = L.Name;
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

/// A function of q, then k and v of every source, scale, origin and the
/// parameters, that returns o, lse and the outputs asked for.
static void buildKernel(mlir::OpBuilder &Builder, mlir::Operation *Pattern,
                        const BuildPlan &What, const Level &L,
                        attn::ScheduleAttr Schedule) {
  mlir::Location Loc = Pattern->getLoc();
  constexpr int64_t Dynamic = mlir::ShapedType::kDynamic;
  auto Rows = [&](int64_t Width, mlir::Type Element) {
    return mlir::RankedTensorType::get({Dynamic, Dynamic, Dynamic, Width},
                                       Element);
  };
  mlir::Type F32 = Builder.getF32Type();
  mlir::Type PerRow =
      mlir::RankedTensorType::get({Dynamic, Dynamic, Dynamic}, F32);
  const size_t NumSources = sourcesOf(Pattern).size();

  llvm::SmallVector<mlir::Type> Inputs = {Rows(What.Shape.Qk, What.InputType)};
  for (size_t I = 0; I < NumSources; ++I)
    Inputs.append({Rows(What.Shape.Qk, What.InputType),
                   Rows(What.Shape.V, What.InputType)});
  Inputs.append(
      {F32, mlir::RankedTensorType::get({Dynamic}, Builder.getIndexType())});
  llvm::append_range(Inputs, paramTypes(Pattern));

  mlir::Type O = Rows(What.Shape.V, What.OutputType);
  llvm::SmallVector<mlir::Type> More;
  attn::OutputsAttr Outputs;
  if (What.Outputs.RowMax)
    More.push_back(PerRow);
  if (What.Outputs.ColumnSums)
    More.append(NumSources, PerRow);
  if (What.Outputs.hasBlockMax())
    More.append(NumSources, Rows(Dynamic, F32));
  if (!More.empty())
    Outputs = outputsAttr(Builder.getContext(), What.Outputs);
  llvm::SmallVector<mlir::Type> Results = {O, PerRow};
  llvm::append_range(Results, More);

  auto Function =
      mlir::func::FuncOp::create(Builder, Loc, functionName(What, L),
                                 Builder.getFunctionType(Inputs, Results));
  Function->setAttr(KernelNameAttr, Builder.getStringAttr(What.Kernel));
  Function->setAttr(LevelAttr, Builder.getStringAttr(L.Name));
  if (What.ShortQueries)
    Function->setAttr(ShortQueriesAttr, Builder.getUnitAttr());

  mlir::OpBuilder::InsertionGuard Guard(Builder);
  mlir::Block *Body = Function.addEntryBlock();
  Builder.setInsertionPointToStart(Body);
  mlir::ValueRange Arguments = Body->getArguments();
  llvm::SmallVector<mlir::Value> MoreK, MoreV;
  for (size_t I = 1; I < NumSources; ++I) {
    MoreK.push_back(Arguments[1 + 2 * I]);
    MoreV.push_back(Arguments[2 + 2 * I]);
  }
  mlir::ValueRange Rest = Arguments.drop_front(1 + 2 * NumSources);
  auto Attention = attn::AttentionOp::create(
      Builder, Loc, O, PerRow, More,
      mlir::FlatSymbolRefAttr::get(Builder.getContext(), What.Pattern),
      Rest.drop_front(2), Arguments[0], Arguments[1], Arguments[2], Rest[0],
      Rest[1], MoreK, MoreV, Outputs, Schedule);
  mlir::func::ReturnOp::create(Builder, Loc, Attention.getResults());
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
  for (const Level &L : What.Levels) {
    Result<attn::ScheduleAttr> Sizes = makeSchedule(From, What, Schedule, L);
    if (!Sizes)
      return Sizes.failure();
    buildKernel(Builder, Pattern, What, L, *Sizes);
  }
  return std::move(Module);
}
