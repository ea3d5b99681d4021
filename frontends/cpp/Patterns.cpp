// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Patterns.h"

#include "passes/Manifest.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

using namespace heddle;

llvm::SmallVector<attn::PatternOp> heddle::sourcesOf(mlir::Operation *Symbol) {
  if (auto Pattern = mlir::dyn_cast<attn::PatternOp>(Symbol))
    return {Pattern};
  llvm::SmallVector<attn::PatternOp> Result;
  auto Combine = mlir::cast<attn::CombineOp>(Symbol);
  for (mlir::Attribute Source : Combine.getSources())
    Result.push_back(
        mlir::SymbolTable::lookupNearestSymbolFrom<attn::PatternOp>(
            Symbol, mlir::cast<mlir::FlatSymbolRefAttr>(Source)));
  return Result;
}

static PatternParam describe(attn::PatternOp Pattern, unsigned I) {
  PatternParam Result;
  Result.Name = Pattern.getParamName(I).str();
  Result.Kind = paramKind(Pattern.getParamType(I));
  Result.Rank = static_cast<int32_t>(Pattern.getParamRank(I));
  Result.Default = Pattern.getParamDefault(I);
  if (auto Real =
          llvm::dyn_cast_or_null<mlir::FloatAttr>(Pattern.getDefault(I)))
    Result.RealDefault = Real.getValueAsDouble();
  return Result;
}

PatternInfo heddle::describe(mlir::Operation *Symbol) {
  PatternInfo Info;
  Info.Name = mlir::SymbolTable::getSymbolName(Symbol).str();
  llvm::SmallVector<attn::PatternOp> Sources = sourcesOf(Symbol);
  for (const attn::UnitedParam &P : attn::uniteParams(Sources))
    Info.Params.push_back(::describe(Sources[P.source], P.number));
  Info.NumSources = static_cast<int64_t>(Sources.size());
  attn::PatternOp First = Sources.front();
  Info.QueryGrid.assign(First.getQueryGrid().begin(),
                        First.getQueryGrid().end());
  Info.KeyGrid.assign(First.getKeyGrid().begin(), First.getKeyGrid().end());
  return Info;
}

llvm::SmallVector<mlir::Type> heddle::paramTypes(mlir::Operation *Symbol) {
  llvm::SmallVector<mlir::Type> Types;
  llvm::SmallVector<attn::PatternOp> Sources = sourcesOf(Symbol);
  for (const attn::UnitedParam &P : attn::uniteParams(Sources))
    Types.push_back(Sources[P.source].getParamType(P.number));
  return Types;
}

llvm::SmallVector<mlir::Operation *> heddle::patternsOf(mlir::ModuleOp Module) {
  llvm::SmallVector<mlir::Operation *> Result;
  for (mlir::Operation &Op : *Module.getBody())
    if (mlir::isa<attn::PatternOp, attn::CombineOp>(Op))
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
