// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Kernels.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

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

static Result<mlir::Type> findElementType(mlir::MLIRContext &Context,
                                          llvm::StringRef Name) {
  // [attention-2]
  if (Name == "f32")
    return mlir::Type(mlir::Float32Type::get(&Context));
  return Failure(
      llvm::formatv("unknown dtype '{0}'; expected 'f32'", Name).str());
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

Result<BuildPlan> heddle::makePlan(mlir::MLIRContext &Context,
                                   const std::string &Pattern,
                                   const CompileOptions &Options,
                                   bool HereOnly) {
  BuildPlan P;
  P.Pattern = Pattern;
  P.Kernel = Options.Kernel.empty() ? Pattern : Options.Kernel;
  if (std::string Error = checkKernelName(P.Kernel); !Error.empty())
    return Failure(Error);

  Result<mlir::Type> Element = findElementType(Context, Options.Dtype);
  if (!Element)
    return Element.failure();
  P.ElementType = *Element;

  P.HeadDimQk = Options.HeadDimQk;
  P.HeadDimV = Options.HeadDimV ? Options.HeadDimV : Options.HeadDimQk;
  for (auto [Name, Size] :
       {std::pair("q and k", P.HeadDimQk), std::pair("v", P.HeadDimV)})
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

/// The schedule of a level where the user wants something special; a null
/// attribute where all is left to the target.
static Result<attn::ScheduleAttr> makeSchedule(mlir::ModuleOp Module,
                                               const BuildPlan &What,
                                               const ScheduleOptions &Options,
                                               const Level &L) {
  mlir::MLIRContext *Context = Module.getContext();
  attn::ScheduleAttr Base =
      What.Of->chooseSchedule(Context, L.Name, What.HeadDimQk, What.HeadDimV);
  int64_t Sizes[] = {Options.QueryTile, Options.KeyTile, Options.Rows,
                     Options.Lanes, Options.Unroll};
  if (llvm::all_of(Sizes, [](int64_t Size) { return Size == 0; }))
    return attn::ScheduleAttr();
  const int64_t Chosen[] = {Base.getQueryTile(), Base.getKeyTile(),
                            Base.getRows(), Base.getLanes(), Base.getUnroll()};
  for (auto [Size, Default] : llvm::zip(Sizes, Chosen))
    Size = Size ? Size : Default;
  DiagnosticCollector Diagnostics(*Context, nullptr);
  auto Schedule = attn::ScheduleAttr::getChecked(
      [&] { return mlir::emitError(mlir::UnknownLoc::get(Context)); }, Context,
      Sizes[0], Sizes[1], Sizes[2], Sizes[3], Sizes[4]);
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

static void buildKernel(mlir::OpBuilder &Builder, attn::PatternOp Pattern,
                        const BuildPlan &What, const Level &L,
                        attn::ScheduleAttr Schedule) {
  mlir::Location Loc = Pattern.getLoc();
  auto Tensor = [&](llvm::ArrayRef<int64_t> Shape, mlir::Type Element) {
    return mlir::RankedTensorType::get(Shape, Element);
  };
  constexpr int64_t Dynamic = mlir::ShapedType::kDynamic;
  mlir::Type Qk =
      Tensor({Dynamic, Dynamic, Dynamic, What.HeadDimQk}, What.ElementType);
  mlir::Type V =
      Tensor({Dynamic, Dynamic, Dynamic, What.HeadDimV}, What.ElementType);
  mlir::Type Lse = Tensor({Dynamic, Dynamic, Dynamic}, Builder.getF32Type());
  mlir::Type Origin = Tensor({Dynamic}, Builder.getIndexType());

  llvm::SmallVector<mlir::Type> Inputs = {Qk, Qk, V, Builder.getF32Type(),
                                          Origin};
  Inputs.append(Pattern.getNumParams(), Builder.getIndexType());
  auto Function =
      mlir::func::FuncOp::create(Builder, Loc, functionName(What, L),
                                 Builder.getFunctionType(Inputs, {V, Lse}));
  Function->setAttr(KernelNameAttr, Builder.getStringAttr(What.Kernel));
  Function->setAttr(LevelAttr, Builder.getStringAttr(L.Name));

  mlir::OpBuilder::InsertionGuard Guard(Builder);
  mlir::Block *Body = Function.addEntryBlock();
  Builder.setInsertionPointToStart(Body);
  mlir::ValueRange Arguments = Body->getArguments();
  auto Attention = attn::AttentionOp::create(
      Builder, Loc, V, Lse,
      mlir::FlatSymbolRefAttr::get(Pattern.getSymNameAttr()),
      Arguments.drop_front(5), Arguments[0], Arguments[1], Arguments[2],
      Arguments[3], Arguments[4], Schedule);
  mlir::func::ReturnOp::create(Builder, Loc, Attention.getResults());
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
heddle::buildKernels(mlir::ModuleOp From, const BuildPlan &What,
                     const ScheduleOptions &Schedule) {
  auto Pattern = mlir::cast<attn::PatternOp>(
      mlir::SymbolTable::lookupSymbolIn(From, What.Pattern));
  mlir::OwningOpRef<mlir::ModuleOp> Module =
      mlir::ModuleOp::create(From.getLoc());
  mlir::OpBuilder Builder(Module->getBodyRegion());
  Builder.setInsertionPointToEnd(Module->getBody());
  Builder.clone(*Pattern);
  for (const Level &L : What.Levels) {
    Result<attn::ScheduleAttr> Sizes = makeSchedule(From, What, Schedule, L);
    if (!Sizes)
      return Sizes.failure();
    buildKernel(Builder, Pattern, What, L, *Sizes);
  }
  return std::move(Module);
}
