// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Variant.h"

#include "dialect/attn/reference/ProgramCompiler.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"

#include <algorithm>

using namespace heddle::attn;

llvm::Error ScoreChange::apply(const PredicatePoint &At,
                               llvm::ArrayRef<KeyRun> Kept,
                               Program::Scratch &Registers,
                               llvm::MutableArrayRef<double> Scores,
                               std::vector<double> &Factors) const {
  if (llvm::Error E = Code.prepare(At, Registers))
    return E;
  int64_t Keys[Program::StripLength];
  size_t Done = 0, Count = 0;
  auto Flush = [&]() -> llvm::Error {
    if (llvm::Error E =
            Code.run(At, {Keys, Count}, Scores.data() + Done, Registers))
      return E;
    for (size_t I = 0; I < Count; ++I)
      Scores[Done + I] = llvm::bit_cast<double>(Code.output(0, Registers)[I]);
    if (hasFactor())
      for (size_t I = 0; I < Count; ++I)
        Factors.push_back(llvm::bit_cast<double>(Code.output(1, Registers)[I]));
    Done += Count;
    Count = 0;
    return llvm::Error::success();
  };
  for (KeyRun Run : Kept)
    for (int64_t K = Run.Begin; K < Run.End; ++K) {
      Keys[Count++] = K;
      if (Count == Program::StripLength)
        if (llvm::Error E = Flush())
          return E;
    }
  return Flush();
}

bool Variant::usesBatch() const {
  return llvm::any_of(Sources, [](const VariantSource &Source) {
    return Source.Keep.usesBatch();
  });
}

bool Variant::usesHead() const {
  return llvm::any_of(Sources, [](const VariantSource &Source) {
    return Source.Keep.usesHead();
  });
}

/// Compiles the regions of one source, its parameters being `Slots` of
/// `Params`.
static mlir::FailureOr<VariantSource>
compileSource(PatternOp Pattern, llvm::ArrayRef<ParamInfo> Params,
              llvm::ArrayRef<unsigned> Slots) {
  ProgramCompiler Compiler(Pattern, Params, Slots);
  mlir::FailureOr<Program> Keep = Compiler.compileKeep();
  if (mlir::failed(Keep))
    return mlir::failure();
  std::vector<std::string> Messages;
  mlir::FailureOr<Program> Requirements =
      Compiler.compileRequirements(Messages);
  if (mlir::failed(Requirements))
    return mlir::failure();
  VariantSource Out = {Predicate(std::move(*Keep)), std::nullopt, std::nullopt,
                       std::move(*Requirements), std::move(Messages)};
  if (Pattern.hasScore()) {
    mlir::FailureOr<Program> Score = Compiler.compileScore();
    if (mlir::failed(Score))
      return mlir::failure();
    Out.Score.emplace(std::move(*Score));
  }
  if (llvm::ArrayRef<int64_t> Tables = Pattern.getRotate(); Tables.size() == 2)
    Out.Rotate = {Slots[static_cast<size_t>(Tables[0])],
                  Slots[static_cast<size_t>(Tables[1])]};
  return Out;
}

mlir::FailureOr<Variant> Variant::compile(llvm::StringRef Name,
                                          llvm::ArrayRef<PatternOp> Patterns) {
  Variant Out;
  Out.Name = Name.str();
  std::vector<std::vector<unsigned>> Slots;
  for (PatternOp Pattern : Patterns) {
    std::vector<unsigned> &Own = Slots.emplace_back();
    for (ParamInfo &Param : listParams(Pattern)) {
      auto Known = llvm::find_if(Out.Params, [&](const ParamInfo &Other) {
        return Other.Name == Param.Name;
      });
      Own.push_back(static_cast<unsigned>(Known - Out.Params.begin()));
      if (Known == Out.Params.end())
        Out.Params.push_back(std::move(Param));
      else if (Known->Kind != Param.Kind)
        return Pattern.emitError() << "parameter '" << Param.Name
                                   << "' is of another kind in another source";
      else
        // A set that a source does not ask has no rank there.
        Known->Rank = std::max(Known->Rank, Param.Rank);
    }
  }
  for (auto [Pattern, Own] : llvm::zip_equal(Patterns, Slots)) {
    mlir::FailureOr<VariantSource> Source =
        compileSource(Pattern, Out.Params, Own);
    if (mlir::failed(Source))
      return mlir::failure();
    Out.Sources.push_back(std::move(*Source));
  }
  NormalizerAttr Normalizer = PatternOp(Patterns.front()).getNormalization();
  Out.Normalize.Kind = Normalizer.getKind();
  Out.Normalize.Group = Normalizer.getGroup();
  if (std::optional<unsigned> Sink = Normalizer.getSink())
    Out.Normalize.Sink = Slots.front()[*Sink];
  return Out;
}

mlir::FailureOr<Variant> Variant::compile(PatternOp Pattern) {
  return compile(Pattern.getSymName(), Pattern);
}

mlir::FailureOr<Variant> Variant::compile(CombineOp Combine) {
  llvm::SmallVector<PatternOp> Patterns;
  for (auto Symbol :
       Combine.getSources().getAsRange<mlir::FlatSymbolRefAttr>()) {
    auto Pattern =
        mlir::SymbolTable::lookupNearestSymbolFrom<PatternOp>(Combine, Symbol);
    if (!Pattern)
      return Combine.emitError()
             << "expected the name of an 'attn.pattern', found " << Symbol;
    Patterns.push_back(Pattern);
  }
  if (Patterns.empty())
    return Combine.emitError() << "expected at least one source";
  return compile(Combine.getSymName(), Patterns);
}

mlir::FailureOr<Variant> Variant::compile(mlir::Operation *Op) {
  if (auto Pattern = mlir::dyn_cast<PatternOp>(Op))
    return compile(Pattern);
  if (auto Combine = mlir::dyn_cast<CombineOp>(Op))
    return compile(Combine);
  return Op->emitError() << "expected an 'attn.pattern' or 'attn.combine'";
}
