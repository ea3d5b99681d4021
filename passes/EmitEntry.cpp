// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Passes.h"

#include "passes/Checks.h"
#include "passes/ConstantBuilder.h"
#include "passes/LinearCost.h"
#include "passes/Manifest.h"

#include "dialect/tile/Tile.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/bit.h"
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

/// Three members of a structure: the numbers, and 0 for what is missing.
static void appendThree(ConstantBuilder::Fields &Fields,
                        ArrayRef<int64_t> Numbers) {
  for (size_t I = 0; I < 3; ++I)
    Fields.push_back(I < Numbers.size() ? Numbers[I] : 0);
}

/// The bits of a real in an integer of its size.
static int64_t bitsOf(double Real) { return llvm::bit_cast<int64_t>(Real); }

static Constant deviceCode(ConstantBuilder &Builder, const CodeInfo &Code) {
  const DeviceInfo &Device = Code.Device;
  if (!Device)
    return 0;
  LLVM::LLVMFuncOp Task = Device.Task, Columns = Device.Columns,
                   Merge = Device.Merge;
  auto Symbol = [&](LLVM::LLVMFuncOp Kernel) {
    return Kernel ? Builder.string(Kernel.getSymName()) : Constant(0);
  };
  auto Resource = [](LLVM::LLVMFuncOp Kernel, StringRef Name) {
    return Kernel ? *DeviceInfo::resource(Kernel, Name) : 0;
  };
  StringRef Text = Device.code(tile::kText);
  StringAttr Binary = Device.code(tile::kBinary);
  ConstantBuilder::Fields Fields = {
      Builder.string(Device.code(tile::kTarget)),
      Symbol(Task),
      Symbol(Columns),
      Builder.string(Text),
      static_cast<int64_t>(Text.size()),
      Binary ? Builder.bytes(Binary) : Constant(0),
      Binary ? static_cast<int64_t>(Binary.size()) : int64_t(0),
      Device.arch(),
      Resource(Task, tile::kThreads),
      Resource(Task, tile::kSharedBytes),
      Resource(Columns, tile::kThreads),
      Resource(Columns, tile::kSharedBytes),
      Code.Entry.getTf32(),
      Symbol(Merge),
      Resource(Merge, tile::kThreads),
      Resource(Merge, tile::kSharedBytes)};
  return Builder.array(DeviceCodeMembers, {Fields}, "heddle.device");
}

/// `Packed` is the packed code of the level, null where there is none.
static ConstantBuilder::Fields codeFields(ConstantBuilder &Builder,
                                          const KernelSpec &Spec,
                                          const CodeInfo &Code,
                                          const CodeInfo *Packed) {
  attn::ScheduleAttr Schedule = Code.Entry.getSchedule();
  auto Function = [](LLVM::LLVMFuncOp F) {
    return F ? Constant::address(FlatSymbolRefAttr::get(F.getSymNameAttr()))
             : Constant(0);
  };
  ConstantBuilder::Fields Fields = {Builder.string(Code.Entry.getLevel()),
                                    Builder.string(Code.features()),
                                    Function(Code.Task),
                                    Function(Code.Count),
                                    Function(Code.Check),
                                    Function(Code.Columns),
                                    Schedule.getQueryTile(),
                                    Schedule.getKeyTile()};
  appendThree(Fields, Schedule.getQueryBox());
  appendThree(Fields, Schedule.getKeyBox());
  Fields.push_back(Code.workspace());
  Fields.push_back(Schedule.getHeads());
  Fields.push_back(
      Packed ? Builder.array(CodeMembers,
                             {codeFields(Builder, Spec, *Packed, nullptr)},
                             "heddle.packed")
             : Constant(0));
  Fields.append(
      {Function(Code.State), Function(Code.Step), Function(Code.Slice)});
  if (Spec.isLinear())
    Fields.append({Code.sliceValues(Spec.recurrence),
                   Code.stepTokens(Spec.recurrence),
                   bitsOf(chunkFlop(Spec.recurrence, Code.Entry))});
  else
    Fields.append({0, 0, 0});
  Fields.push_back(deviceCode(Builder, Code));
  return Fields;
}

/// The bits of a default in a `heddle_operand`.
static int64_t operandBits(TypedAttr Default) {
  if (auto Integer = dyn_cast_or_null<IntegerAttr>(Default))
    return Integer.getInt();
  if (auto Real = dyn_cast_or_null<FloatAttr>(Default))
    return bitsOf(Real.getValueAsDouble());
  return 0;
}

/// What only linear kernels have, from the form on.
static void appendState(ConstantBuilder::Fields &Fields,
                        const KernelSpec &Spec) {
  if (!Spec.isLinear()) {
    Fields.append({HEDDLE_ATTENTION, 0, 0, 0, 0, -1});
    return;
  }
  attn::RecurrenceOp Recurrence = Spec.recurrence;
  attn::StateAttr State = Spec.entry.getState();
  std::optional<unsigned> Window = Recurrence.getWindowParam();
  Fields.append({HEDDLE_LINEAR, State.getSums(), State.getCausal(),
                 Recurrence.canScan(), State.getRows(),
                 Window ? static_cast<int64_t>(*Window) : int64_t(-1)});
}

static ConstantBuilder::Fields entryFields(ConstantBuilder &Builder,
                                           const KernelInfo &Info) {
  const KernelSpec &Spec = Info.Spec;
  Checks Needed(Spec);
  // Where rows are heads, tables may be bounded that are not otherwise.
  std::optional<Checks> AlsoNeeded;
  if (!Info.Packed.empty())
    AlsoNeeded.emplace(Info.PackedSpec);
  SmallVector<ConstantBuilder::Fields> Params, CheckList, Codes;
  for (auto [I, Param] : llvm::enumerate(Spec.params))
    Params.push_back(
        {Builder.string(Param.name), operandBits(Param.defaultValue),
         static_cast<bool>(Param.defaultValue), paramKind(Param.type),
         Param.rank,
         Needed.needsBounds(I) || (AlsoNeeded && AlsoNeeded->needsBounds(I))});
  for (const Check &C : Needed.list())
    CheckList.push_back(
        {C.message ? Builder.string(C.message.getValue()) : Constant(0),
         C.param, C.axis});
  for (const CodeInfo &Code : Info.Codes)
    Codes.push_back(
        codeFields(Builder, Spec, Code, Info.packed(Code.Entry.getLevel())));

  attn::EntryAttr Entry = Spec.entry;
  attn::OutputsAttr Outputs = Spec.outputs();
  ConstantBuilder::Fields Fields = {
      Builder.string(Entry.getName()),
      Builder.string(Entry.getPattern().getValue()),
      Info.dtype(),
      Info.outputDtype(),
      Info.UsesBatch,
      Info.UsesHead,
      Entry.getQk(),
      Entry.getV(),
      static_cast<int64_t>(Params.size()),
      Builder.array(ParamMembers, Params, "heddle.params"),
      static_cast<int64_t>(CheckList.size()),
      Builder.array(CheckMembers, CheckList, "heddle.checks"),
      static_cast<int64_t>(Spec.sources.size())};
  // Recurrences have no grid, nor have the sources of a combination: the
  // pattern's parameters are those of the kernel.
  ArrayRef<int64_t> QueryGrid, KeyGrid;
  if (!Spec.isLinear()) {
    attn::PatternOp First = Spec.first();
    QueryGrid = First.getQueryGrid();
    KeyGrid = First.getKeyGrid();
  }
  Fields.push_back(static_cast<int64_t>(QueryGrid.size()));
  appendThree(Fields, QueryGrid);
  appendThree(Fields, KeyGrid);
  Fields.append({!Spec.isLinear() && Spec.isSoftmax(), Outputs.getRowMax(),
                 Outputs.getColumnSums(), Outputs.hasBlockMax(),
                 Outputs.getBlockQ(), Outputs.getBlockK(),
                 static_cast<int64_t>(Codes.size()),
                 Builder.array(CodeMembers, Codes, "heddle.codes")});
  appendState(Fields, Spec);
  return Fields;
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
  FailureOr<SmallVector<KernelInfo, 1>> Found = collectKernels(Module);
  if (failed(Found))
    return signalPassFailure();
  SmallVector<KernelInfo, 1> &Kernels = *Found;

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
    for (SmallVector<CodeInfo> *Codes : {&Info.Codes, &Info.Packed})
      for (CodeInfo &Code : *Codes)
        for (LLVM::LLVMFuncOp Function : Code.functions())
          for (StringRef Name :
               {tile::kKernelAttr, tile::kEntryAttr, tile::kWorkspaceAttr,
                tile::kFeaturesAttr, tile::kHostAttr})
            Function->removeAttr(Name);
  for (Operation &Op : llvm::make_early_inc_range(*Module.getBody()))
    if (isa<attn::PatternOp, attn::CombineOp, attn::RecurrenceOp>(Op) ||
        (isa<ModuleOp>(Op) && Op.hasAttr(tile::kDeviceAttr)))
      Op.erase();
}
