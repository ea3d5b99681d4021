// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Kernels.h"

#include "frontends/cpp/Patterns.h"
#include "passes/KernelSpec.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace heddle;

/// Kilobytes; no device has as much.
static constexpr int64_t MostSharedMemory = 1024;

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
        Result.push_back({T, L});
  return Result;
}

/// Keeps the first level that this machine runs, and those of devices.
static Result<std::vector<LevelOfTarget>>
bestHere(std::vector<LevelOfTarget> Levels) {
  std::string Lacks;
  std::vector<LevelOfTarget> Kept;
  bool HasHost = false;
  for (LevelOfTarget &L : Levels) {
    if (L.Of->isDevice()) {
      Kept.push_back(std::move(L));
    } else if (!L.Variant.runsHere()) {
      Lacks += llvm::formatv("{0}'{1}' needs {2}", Lacks.empty() ? "" : "; ",
                             L.name(), llvm::join(L.Variant.Missing, ", "));
    } else if (!HasHost) {
      HasHost = true;
      Kept.push_back(std::move(L));
    }
  }
  if (!HasHost && !Lacks.empty())
    return Failure("this machine cannot run the code: " + Lacks +
                   ", which it lacks");
  return Kept;
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

/// Whether a plan can round f32 operands of products.
static std::string checkTf32(const BuildPlan &What) {
  if (What.isRecurrence())
    return llvm::formatv("tf32 is asked for, but '{0}' is a recurrence, whose "
                         "products lose no digits on any level; leave it out",
                         What.Pattern);
  if (!What.InputType.isF32())
    return llvm::formatv(
        "tf32 is asked for, but q, k and v are '{0}'; only f32 "
        "is rounded to it",
        What.InputType);
  if (llvm::any_of(What.Levels,
                   [](const LevelOfTarget &L) { return L.Of->hasTf32(); }))
    return "";
  std::vector<std::string> Asked, Having;
  for (const LevelOfTarget &L : What.Levels)
    Asked.push_back(L.name());
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      if (T->hasTf32())
        Having.push_back(L.Name);
  return llvm::formatv("tf32 is asked for, but {0} multiplies f32 only; levels "
                       "with products of tf32 are {1}",
                       quotedList(Asked), quotedList(Having));
}

/// A recurrence has no weights of keys, and its tiles are chunks.
static std::string checkRecurrence(attn::RecurrenceOp Recurrence,
                                   const CompileOptions &Options) {
  const OutputOptions &Outputs = Options.Outputs;
  const std::pair<const char *, bool> Wanted[] = {
      {"row_max", Outputs.RowMax},
      {"column_sums", Outputs.ColumnSums},
      {"block_max", Outputs.hasBlockMax()}};
  for (auto [Name, IsWanted] : Wanted)
    if (IsWanted)
      return llvm::formatv("'{0}' is an output of patterns, but '{1}' is a "
                           "recurrence, which has a state instead",
                           Name, Recurrence.getSymName());
  const ScheduleOptions &Schedule = Options.Schedule;
  if (!Schedule.QueryBox.empty() || !Schedule.KeyBox.empty())
    return llvm::formatv("the schedule has boxes, but '{0}' is a recurrence, "
                         "whose tiles are chunks: leave them out",
                         Recurrence.getSymName());
  if (Schedule.QueryTile && Schedule.KeyTile &&
      Schedule.QueryTile != Schedule.KeyTile)
    return llvm::formatv("the schedule has a query tile of {0} and a key tile "
                         "of {1}; expected the same, the chunk of recurrence "
                         "'{2}'",
                         Schedule.QueryTile, Schedule.KeyTile,
                         Recurrence.getSymName());
  return "";
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
  P.Assemble = Options.Assemble;
  P.LineInfo = Options.LineInfo;
  P.Quadratic = Options.Quadratic;
  P.Outputs = Options.Outputs;
  if (std::string Error = checkOutputs(P.Outputs); !Error.empty())
    return Failure(Error);

  P.Shape.Qk = Options.HeadDimQk;
  P.Shape.V = Options.HeadDimV ? Options.HeadDimV : Options.HeadDimQk;
  for (auto [Name, Size] :
       {std::pair("q and k", P.Shape.Qk), std::pair("v", P.Shape.V)})
    if (Size < 1 || Size > 512)
      return Failure(
          llvm::formatv("head dim of {0} is {1}; expected 1 to 512", Name, Size)
              .str());
  if (auto Recurrence = mlir::dyn_cast<attn::RecurrenceOp>(Pattern)) {
    if (std::string Error = checkRecurrence(Recurrence, Options);
        !Error.empty())
      return Failure(Error);
    Result<int64_t> Rows = countStateRows(Recurrence, P.Shape.Qk);
    if (!Rows)
      return Rows.failure();
    P.StateRows = *Rows;
    P.Shape = describeKernel(Recurrence, P.Shape.Qk, P.Shape.V, P.InputType);
    P.ShortQueries = false;
  } else {
    attn::PatternOp First = sourcesOf(Pattern).front();
    P.Shape.Axes = First.hasGrid() ? First.getNumAxes() : 0;
    P.Shape.Group = First.getNormalization().getGroup();
    // Whether there are blocks of keys is not known yet. What a schedule that
    // is given leaves open suits any.
    constexpr int64_t AnyBlock = 1024;
    P.Shape.KeyBlock = AnyBlock;
    P.Shape.ElementBytes = P.InputType.getIntOrFloatBitWidth() / 8;
  }

  if (Options.SharedMemory < 0 || Options.SharedMemory > MostSharedMemory)
    return Failure(llvm::formatv("shared memory of kernels is {0} KB; expected "
                                 "1 to {1}, or 0 for what the level has",
                                 Options.SharedMemory, MostSharedMemory)
                       .str());
  if (Options.SharedMemory && Options.Schedule.isGiven())
    return Failure("a schedule and a limit on shared memory are given; "
                   "expected one of them: the limit chooses a schedule");
  P.Shape.SharedLimit = Options.SharedMemory * 1024;

  Result<std::vector<LevelOfTarget>> Levels = findLevels(Options.Targets);
  if (Levels && HereOnly)
    Levels = bestHere(std::move(*Levels));
  if (!Levels)
    return Levels.failure();
  P.Levels = std::move(*Levels);
  if (Options.Tf32)
    if (std::string Error = checkTf32(P); !Error.empty())
      return Failure(Error);
  P.Shape.Tf32 = Options.Tf32;
  for (const LevelOfTarget &L : P.Levels)
    if (std::string Problem = L.Of->checkShape(P.Shape, L.name());
        !Problem.empty())
      return Failure("'" + P.Pattern + "' has no code: " + Problem);
  return P;
}

bool BuildPlan::isForDevices() const {
  return llvm::all_of(Levels,
                      [](const LevelOfTarget &L) { return L.Of->isDevice(); });
}

const Target &BuildPlan::host() const {
  for (const LevelOfTarget &L : Levels)
    if (!L.Of->isDevice())
      return *L.Of;
  return **llvm::find_if(targets(),
                         [](const Target *T) { return !T->isDevice(); });
}
