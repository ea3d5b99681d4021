// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Passes.h"

#include "passes/ConstantBuilder.h"
#include "passes/Manifest.h"

#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace heddle {
#define GEN_PASS_DEF_ATTNEMITENTRY
#include "passes/Passes.h.inc"
} // namespace heddle

using namespace heddle;
using namespace mlir;

namespace {

class EmitEntry : public heddle::impl::AttnEmitEntryBase<EmitEntry> {
public:
  using AttnEmitEntryBase::AttnEmitEntryBase;

protected:
  void runOnOperation() override;
};

} // namespace

/// Files `Kernel` under its kernel and level.
static LogicalResult
addKernel(LLVM::LLVMFuncOp Kernel, StringRef Kind,
          llvm::MapVector<StringRef, KernelInfo> &Kernels) {
  auto Entry = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  if (!Entry)
    return Kernel.emitOpError("kernel function has no '")
           << tile::kEntryAttr << "' attribute";
  KernelInfo &Info = Kernels[Entry.getName()];
  if (Info.Codes.empty()) {
    Info.Entry = Entry;
  } else if (Info.Entry.getPattern() != Entry.getPattern() ||
             Info.Entry.getQk() != Entry.getQk() ||
             Info.Entry.getV() != Entry.getV()) {
    return Kernel.emitOpError("kernel '")
           << Entry.getName()
           << "' differs in pattern or head dims from another function of that "
              "name";
  }
  auto *Code = llvm::find_if(Info.Codes, [&](const CodeInfo &C) {
    return C.Entry.getLevel() == Entry.getLevel();
  });
  if (Code == Info.Codes.end()) {
    Info.Codes.push_back({Entry, {}, {}});
    Code = &Info.Codes.back();
  }
  if (Kind != "task" && Kind != "count")
    return Kernel.emitOpError("expected '")
           << tile::kKernelAttr << "' to be \"task\" or \"count\", got \""
           << Kind << "\"";
  LLVM::LLVMFuncOp &Slot = Kind == "task" ? Code->Task : Code->Count;
  if (Slot)
    return Kernel.emitOpError("second ")
           << Kind << " function of kernel '" << Entry.getName()
           << "' at level '" << Entry.getLevel() << "'";
  Slot = Kernel;
  return success();
}

/// Checks that `Info` is complete and finds its pattern.
static LogicalResult complete(ModuleOp Module, KernelInfo &Info) {
  for (CodeInfo &Code : Info.Codes) {
    LLVM::LLVMFuncOp Present = Code.Task ? Code.Task : Code.Count;
    if (!Code.Task || !Code.Count)
      return Present.emitOpError("kernel '")
             << Info.Entry.getName() << "' has no "
             << (Code.Task ? "count" : "task") << " function at level '"
             << Code.Entry.getLevel() << "'";
    if (!Code.Task->getAttrOfType<IntegerAttr>(tile::kWorkspaceAttr) ||
        !Code.Task->getAttrOfType<StringAttr>(tile::kFeaturesAttr))
      return Code.Task.emitOpError("expected the attributes '")
             << tile::kWorkspaceAttr << "' (integer) and '"
             << tile::kFeaturesAttr << "' (string)";
  }
  LLVM::LLVMFuncOp Task = Info.Codes.front().Task;
  Info.Pattern = dyn_cast_or_null<attn::PatternOp>(
      SymbolTable::lookupSymbolIn(Module, Info.Entry.getPattern()));
  if (!Info.Pattern)
    return Task.emitOpError("the module has no pattern ")
           << Info.Entry.getPattern();
  std::optional<attn::FormulaAttr> Formula = Info.Pattern.getFormula();
  if (!Formula)
    return Info.Pattern.emitOpError(
        "has no formula; run 'attn-normalize-pattern' first");
  Info.UsesBatch = attn::uses(*Formula, attn::DimB);
  Info.UsesHead = attn::uses(*Formula, attn::DimH);
  return success();
}

int64_t CodeInfo::workspace() const {
  LLVM::LLVMFuncOp Function = Task;
  return Function->getAttrOfType<IntegerAttr>(tile::kWorkspaceAttr).getInt();
}

StringRef CodeInfo::features() const {
  LLVM::LLVMFuncOp Function = Task;
  return Function->getAttrOfType<StringAttr>(tile::kFeaturesAttr).getValue();
}

static ConstantBuilder::Fields codeFields(ConstantBuilder &Builder,
                                          const CodeInfo &Code) {
  attn::ScheduleAttr Schedule = Code.Entry.getSchedule();
  auto Function = [](LLVM::LLVMFuncOp F) {
    return Constant::address(FlatSymbolRefAttr::get(F.getSymNameAttr()));
  };
  return {Builder.string(Code.Entry.getLevel()),
          Builder.string(Code.features()),
          Function(Code.Task),
          Function(Code.Count),
          Schedule.getQueryTile(),
          Schedule.getKeyTile(),
          Code.workspace()};
}

static ConstantBuilder::Fields entryFields(ConstantBuilder &Builder,
                                           const KernelInfo &Info) {
  attn::PatternOp Pattern = Info.Pattern;
  SmallVector<ConstantBuilder::Fields> Params;
  for (unsigned I = 0; I < Pattern.getNumParams(); ++I) {
    std::optional<int64_t> Default = Pattern.getParamDefault(I);
    Params.push_back({Builder.string(Pattern.getParamName(I)),
                      Default.value_or(0), Default.has_value()});
  }
  SmallVector<ConstantBuilder::Fields> Codes;
  for (const CodeInfo &Code : Info.Codes)
    Codes.push_back(codeFields(Builder, Code));
  return {Builder.string(Info.Entry.getName()),
          Builder.string(Pattern.getSymName()),
          Info.dtype(),
          Info.UsesBatch,
          Info.UsesHead,
          Info.Entry.getQk(),
          Info.Entry.getV(),
          static_cast<int64_t>(Params.size()),
          Builder.array(ParamMembers, Params, "heddle.params"),
          static_cast<int64_t>(Codes.size()),
          Builder.array(CodeMembers, Codes, "heddle.codes")};
}

/// "x86_64" and so on: the first part of the module's triple, or of this
/// machine's when the module is not yet tied to one.
static std::string archOf(ModuleOp Module) {
  auto Attr = Module->getAttrOfType<StringAttr>(
      LLVM::LLVMDialect::getTargetTripleAttrName());
  return llvm::Triple(Attr ? Attr.getValue().str()
                           : llvm::sys::getProcessTriple())
      .getArchName()
      .str();
}

void EmitEntry::runOnOperation() {
  ModuleOp Module = getOperation();
  if (Module.lookupSymbol(HEDDLE_DESCRIPTOR_SYMBOL)) {
    Module.emitOpError("already has a symbol '")
        << HEDDLE_DESCRIPTOR_SYMBOL << "'";
    return signalPassFailure();
  }
  llvm::MapVector<StringRef, KernelInfo> ByName;
  for (auto Function : Module.getOps<LLVM::LLVMFuncOp>())
    if (auto Kind = Function->getAttrOfType<StringAttr>(tile::kKernelAttr))
      if (failed(addKernel(Function, Kind.getValue(), ByName)))
        return signalPassFailure();
  SmallVector<KernelInfo> Kernels;
  for (auto &[Name, Info] : ByName) {
    if (failed(complete(Module, Info)))
      return signalPassFailure();
    Kernels.push_back(Info);
  }

  std::string Arch = archOf(Module);
  ConstantBuilder Builder(Module);
  SmallVector<ConstantBuilder::Fields> Entries;
  for (const KernelInfo &Info : Kernels)
    Entries.push_back(entryFields(Builder, Info));
  Builder.exported(DescriptorMembers,
                   {static_cast<int64_t>(HEDDLE_ABI_MAGIC), HEDDLE_ABI_VERSION,
                    static_cast<int64_t>(sizeof(heddle_descriptor)),
                    Builder.string(compilerName()), Builder.string(Arch),
                    Builder.string(writeManifest(Kernels, Arch)),
                    static_cast<int64_t>(Entries.size()),
                    Builder.array(EntryMembers, Entries, "heddle.entries")},
                   HEDDLE_DESCRIPTOR_SYMBOL);

  for (KernelInfo &Info : Kernels)
    for (CodeInfo &Code : Info.Codes)
      for (LLVM::LLVMFuncOp Function : {Code.Task, Code.Count})
        for (StringRef Name : {tile::kKernelAttr, tile::kEntryAttr,
                               tile::kWorkspaceAttr, tile::kFeaturesAttr})
          Function->removeAttr(Name);
  for (auto Pattern :
       llvm::make_early_inc_range(Module.getOps<attn::PatternOp>()))
    Pattern.erase();
}
