// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Patterns.h"

#include "frontends/cpp/ExampleValues.h"
#include "passes/Manifest.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace heddle;

llvm::SmallVector<attn::PatternOp> heddle::sourcesOf(mlir::Operation *Symbol) {
  if (auto Pattern = mlir::dyn_cast<attn::PatternOp>(Symbol))
    return {Pattern};
  llvm::SmallVector<attn::PatternOp> Result;
  if (mlir::isa<attn::RecurrenceOp>(Symbol))
    return Result;
  auto Combine = mlir::cast<attn::CombineOp>(Symbol);
  for (mlir::Attribute Source : Combine.getSources())
    Result.push_back(
        mlir::SymbolTable::lookupNearestSymbolFrom<attn::PatternOp>(
            Symbol, mlir::cast<mlir::FlatSymbolRefAttr>(Source)));
  return Result;
}

static PatternParam describe(attn::ParamsOpInterface Symbol, unsigned I) {
  PatternParam Result;
  Result.Name = Symbol.getParamName(I).str();
  Result.Kind = paramKind(Symbol.getParamType(I));
  Result.Rank = static_cast<int32_t>(Symbol.getParamRank(I));
  Result.Default = Symbol.getParamDefault(I);
  if (auto Real = llvm::dyn_cast_or_null<mlir::FloatAttr>(Symbol.getDefault(I)))
    Result.RealDefault = Real.getValueAsDouble();
  return Result;
}

static void describe(attn::RecurrenceOp Recurrence, PatternInfo &Info) {
  for (unsigned I = 0; I < Recurrence.getNumParams(); ++I) {
    Info.Params.push_back(::describe(
        mlir::cast<attn::ParamsOpInterface>(Recurrence.getOperation()), I));
    Info.Params.back().Example = exampleValue(Recurrence, I);
  }
  RecurrenceInfo &Of = Info.Recurrence.emplace();
  Of.IsCausal = !Recurrence.isBidirectional();
  Of.HasSums = Recurrence.hasSums();
  Of.HasDelta = Recurrence.hasDelta();
  if (std::optional<unsigned> Window = Recurrence.getWindowParam())
    Of.WindowParam = *Window;
}

PatternInfo heddle::describe(mlir::Operation *Symbol) {
  PatternInfo Info;
  Info.Name = mlir::SymbolTable::getSymbolName(Symbol).str();
  if (auto Recurrence = mlir::dyn_cast<attn::RecurrenceOp>(Symbol)) {
    ::describe(Recurrence, Info);
    return Info;
  }
  llvm::SmallVector<attn::PatternOp> Sources = sourcesOf(Symbol);
  for (const attn::UnitedParam &P : attn::uniteParams(Sources))
    Info.Params.push_back(::describe(
        mlir::cast<attn::ParamsOpInterface>(Sources[P.source].getOperation()),
        P.number));
  Info.NumSources = static_cast<int64_t>(Sources.size());
  attn::PatternOp First = Sources.front();
  Info.QueryGrid.assign(First.getQueryGrid().begin(),
                        First.getQueryGrid().end());
  Info.KeyGrid.assign(First.getKeyGrid().begin(), First.getKeyGrid().end());
  return Info;
}

llvm::SmallVector<mlir::Type> heddle::paramTypes(mlir::Operation *Symbol) {
  if (auto Recurrence = mlir::dyn_cast<attn::RecurrenceOp>(Symbol))
    return Recurrence.getParamTypes();
  llvm::SmallVector<mlir::Type> Types;
  llvm::SmallVector<attn::PatternOp> Sources = sourcesOf(Symbol);
  for (const attn::UnitedParam &P : attn::uniteParams(Sources))
    Types.push_back(Sources[P.source].getParamType(P.number));
  return Types;
}

Result<int64_t> heddle::countStateRows(attn::RecurrenceOp Recurrence,
                                       int64_t Qk) {
  if (Recurrence.numFeatures(Qk) <= attn::kMaxFeatures)
    return Recurrence.numStateRows(Qk);
  // [linear-8]
  return Failure(llvm::formatv("the expansion of recurrence '{0}' has more "
                               "than {1} features with a head dim of {2}; "
                               "choose a smaller power or head dim",
                               Recurrence.getSymName(), attn::kMaxFeatures, Qk)
                     .str());
}

llvm::SmallVector<mlir::Operation *> heddle::patternsOf(mlir::ModuleOp Module) {
  llvm::SmallVector<mlir::Operation *> Result;
  for (mlir::Operation &Op : *Module.getBody())
    if (mlir::isa<attn::PatternOp, attn::CombineOp, attn::RecurrenceOp>(Op))
      Result.push_back(&Op);
  return Result;
}

llvm::SmallVector<mlir::Operation *> heddle::closureOf(mlir::ModuleOp Module,
                                                       llvm::StringRef Name) {
  llvm::SmallSetVector<mlir::Operation *, 8> Needed;
  Needed.insert(mlir::SymbolTable::lookupSymbolIn(Module, Name));
  for (size_t I = 0; I < Needed.size(); ++I)
    if (auto Uses = mlir::SymbolTable::getSymbolUses(Needed[I]))
      for (mlir::SymbolTable::SymbolUse Use : *Uses)
        if (mlir::Operation *Used =
                mlir::SymbolTable::lookupSymbolIn(Module, Use.getSymbolRef()))
          Needed.insert(Used);
  llvm::SmallVector<mlir::Operation *> Result;
  for (mlir::Operation *Symbol : patternsOf(Module))
    if (Needed.contains(Symbol))
      Result.push_back(Symbol);
  return Result;
}
