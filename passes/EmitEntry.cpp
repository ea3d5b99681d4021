// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Passes.h"

#include "passes/Checks.h"
#include "passes/ConstantBuilder.h"
#include "passes/LinearCost.h"
#include "passes/Manifest.h"

#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"
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

/// The place of a kernel function of a kind; null for a kind that there is not.
static LLVM::LLVMFuncOp *slotOf(CodeInfo &Code, StringRef Kind) {
  using Slots = llvm::StringSwitch<LLVM::LLVMFuncOp *>;
  Slots Known(Kind);
  const bool IsDevice = static_cast<bool>(Code.Device);
  Known.Case("task", IsDevice ? &Code.Device.Task : &Code.Task)
      .Case("check", &Code.Check);
  if (Code.Entry.getState())
    Known.Case("state", &Code.State)
        .Case("step", &Code.Step)
        .Case("slice", &Code.Slice);
  else
    Known.Case("count", &Code.Count)
        .Case("columns", IsDevice ? &Code.Device.Columns : &Code.Columns);
  if (IsDevice && Code.Entry.getPacked())
    Known.Case("merge", &Code.Device.Merge);
  return Known.Default(nullptr);
}

/// True when two functions can belong to one kernel. Packed code has a pattern
/// derived from that of the others, and on some targets partial results for its
/// output.
static bool agree(attn::EntryAttr A, attn::EntryAttr B) {
  const bool IsAlike = A.getQk() == B.getQk() && A.getV() == B.getV() &&
                       A.getInputType() == B.getInputType() &&
                       A.getOutputs() == B.getOutputs() &&
                       A.getState() == B.getState();
  if (A.getPacked() != B.getPacked())
    return IsAlike;
  return IsAlike && A.getPattern() == B.getPattern() &&
         (A.getPacked() || A.getOutputType() == B.getOutputType());
}

/// Files `Kernel` under its kernel and level.
static LogicalResult
addKernel(LLVM::LLVMFuncOp Kernel, StringRef Kind,
          llvm::MapVector<StringRef, KernelInfo> &Kernels) {
  auto Entry = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  if (!Entry)
    return Kernel.emitOpError("kernel function has no '")
           << tile::kEntryAttr << "' attribute";
  KernelInfo &Info = Kernels[Entry.getName()];
  for (const SmallVector<CodeInfo> *Known : {&Info.Codes, &Info.Packed})
    if (!Known->empty() && !agree(Known->front().Entry, Entry))
      return Kernel.emitOpError("kernel '")
             << Entry.getName()
             << "' differs in pattern, types, head dims or outputs from "
                "another "
                "function of that name";
  SmallVector<CodeInfo> &Codes = Entry.getPacked() ? Info.Packed : Info.Codes;
  auto *Code = llvm::find_if(Codes, [&](const CodeInfo &C) {
    return C.Entry.getLevel() == Entry.getLevel();
  });
  if (Code == Codes.end()) {
    Code = &Codes.emplace_back();
    Code->Entry = Entry;
  }
  if (auto Module = Kernel->getParentOfType<ModuleOp>();
      Module->hasAttr(tile::kDeviceAttr))
    Code->Device.Module = Module;
  LLVM::LLVMFuncOp *Slot = slotOf(*Code, Kind);
  if (!Slot)
    return Kernel.emitOpError("expected '")
           << tile::kKernelAttr
           << (Entry.getState()
                   ? "' to be \"task\", \"state\", \"step\", \"slice\" or "
                     "\"check\", got \""
                   : "' to be \"task\", \"count\", \"check\" or \"columns\", "
                     "got \"")
           << Kind << "\"";
  if (*Slot)
    return Kernel.emitOpError("second ")
           << Kind << " function of kernel '" << Entry.getName()
           << "' at level '" << Entry.getLevel() << "'";
  *Slot = Kernel;
  return success();
}

SmallVector<LLVM::LLVMFuncOp, 4> CodeInfo::functions() const {
  SmallVector<LLVM::LLVMFuncOp, 4> Present;
  for (LLVM::LLVMFuncOp Function :
       {Task, State, Step, Slice, Count, Check, Columns, Device.Task,
        Device.Columns, Device.Merge})
    if (Function)
      Present.push_back(Function);
  return Present;
}

std::optional<int64_t> DeviceInfo::resource(LLVM::LLVMFuncOp Kernel,
                                            StringRef Name) {
  auto All = Kernel->getAttrOfType<DictionaryAttr>(tile::kResourcesAttr);
  auto Number = All ? All.getAs<IntegerAttr>(Name) : IntegerAttr();
  if (!Number)
    return std::nullopt;
  return Number.getInt();
}

StringAttr DeviceInfo::code(StringRef Name) const {
  ModuleOp In = Module;
  auto All = In->getAttrOfType<DictionaryAttr>(tile::kCodeAttr);
  return All ? All.getAs<StringAttr>(Name) : StringAttr();
}

ArrayRef<Attribute> DeviceInfo::warnings() const {
  ModuleOp In = Module;
  auto All = In->getAttrOfType<DictionaryAttr>(tile::kCodeAttr);
  auto List = All ? All.getAs<ArrayAttr>("warnings") : ArrayAttr();
  return List ? List.getValue() : ArrayRef<Attribute>();
}

int64_t DeviceInfo::arch() const {
  ModuleOp In = Module;
  auto All = In->getAttrOfType<DictionaryAttr>(tile::kCodeAttr);
  return All.getAs<IntegerAttr>(tile::kArch).getInt();
}

/// Checks that a device's kernels come with their code.
static LogicalResult checkDevice(const DeviceInfo &Device) {
  ModuleOp Module = Device.Module;
  auto Code = Module->getAttrOfType<DictionaryAttr>(tile::kCodeAttr);
  if (!Device.code(tile::kTarget) || !Device.code(tile::kText) ||
      !Code.getAs<IntegerAttr>(tile::kArch))
    return Module.emitOpError("expected the attribute '")
           << tile::kCodeAttr << "' with '" << tile::kTarget << "', '"
           << tile::kArch << "' and '" << tile::kText << "'";
  for (LLVM::LLVMFuncOp Kernel : {Device.Task, Device.Columns, Device.Merge})
    if (Kernel && (!DeviceInfo::resource(Kernel, tile::kThreads) ||
                   !DeviceInfo::resource(Kernel, tile::kSharedBytes)))
      return Kernel.emitOpError("expected the attribute '")
             << tile::kResourcesAttr << "' with '" << tile::kThreads
             << "' and '" << tile::kSharedBytes << "'";
  return success();
}

/// Checks that a code has the functions it needs, with what the target adds.
static LogicalResult checkCode(CodeInfo &Code) {
  LLVM::LLVMFuncOp Present = Code.functions().front();
  SmallVector<StringRef> Needed = {"task"};
  if (!Code.Entry.getState())
    Needed.push_back("count");
  if (!Code.Entry.getPacked())
    Needed.push_back("check");
  if (Code.Entry.getOutputs().hasColumns())
    Needed.push_back("columns");
  if (Code.Device && Code.Entry.getPacked())
    Needed.push_back("merge");
  for (StringRef Kind : Needed)
    if (!*slotOf(Code, Kind))
      return Present.emitOpError("kernel '")
             << Code.Entry.getName() << "' has no " << Kind
             << " function at level '" << Code.Entry.getLevel() << "'";
  if (Code.Device && failed(checkDevice(Code.Device)))
    return failure();
  for (LLVM::LLVMFuncOp Function :
       {Code.Task, Code.State, Code.Step, Code.Slice, Code.Columns})
    if (Function &&
        (!Function->getAttrOfType<IntegerAttr>(tile::kWorkspaceAttr) ||
         !Function->getAttrOfType<StringAttr>(tile::kFeaturesAttr)))
      return Function.emitOpError("expected the attributes '")
             << tile::kWorkspaceAttr << "' (integer) and '"
             << tile::kFeaturesAttr << "' (string)";
  return success();
}

const CodeInfo *KernelInfo::packed(StringRef Level) const {
  const auto *Found = llvm::find_if(
      Packed, [&](const CodeInfo &C) { return C.Entry.getLevel() == Level; });
  return Found == Packed.end() ? nullptr : Found;
}

static LogicalResult findSpec(ArrayRef<CodeInfo> Codes, KernelSpec &Out) {
  // Functions of this machine come first: they are where the patterns are.
  FailureOr<KernelSpec> Spec =
      findKernelSpec(Codes.front().functions().front(), Codes.front().Entry);
  if (failed(Spec))
    return failure();
  Out = std::move(*Spec);
  return success();
}

/// Checks what a recurrence asks of a kernel.
static LogicalResult completeLinear(KernelInfo &Info) {
  attn::RecurrenceOp Recurrence = Info.Spec.recurrence;
  for (CodeInfo &Code : Info.Codes) {
    attn::StateAttr State = Code.Entry.getState();
    if (!State ||
        State.getRows() != Recurrence.numStateRows(Code.Entry.getQk()) ||
        State.getSums() != Recurrence.hasSums() ||
        State.getCausal() == Recurrence.isBidirectional())
      return Code.functions().front().emitOpError("kernel '")
             << Code.Entry.getName()
             << "' does not have the state of its recurrence "
             << Code.Entry.getPattern();
    // A device works off every sequence in one piece.
    if (Recurrence.canScan() && !Code.State && !Code.Device)
      return Code.Task.emitOpError("kernel '")
             << Code.Entry.getName() << "' has no state function at level '"
             << Code.Entry.getLevel() << "'";
  }
  return success();
}

/// Checks that `Info` is complete and finds its patterns or recurrence.
static LogicalResult complete(KernelInfo &Info) {
  for (SmallVector<CodeInfo> *Codes : {&Info.Codes, &Info.Packed})
    for (CodeInfo &Code : *Codes)
      if (failed(checkCode(Code)))
        return failure();
  for (const CodeInfo &Code : Info.Packed)
    if (llvm::none_of(Info.Codes, [&](const CodeInfo &C) {
          return C.Entry.getLevel() == Code.Entry.getLevel();
        })) {
      LLVM::LLVMFuncOp Present = Code.functions().front();
      return Present.emitOpError("kernel '")
             << Code.Entry.getName()
             << "' has packed code but no other at level '"
             << Code.Entry.getLevel() << "'";
    }
  if (failed(findSpec(Info.Codes, Info.Spec)) ||
      (!Info.Packed.empty() && failed(findSpec(Info.Packed, Info.PackedSpec))))
    return failure();
  if (Info.Spec.isLinear())
    return completeLinear(Info);
  for (const KernelSource &Source : Info.Spec.sources) {
    Info.UsesBatch |= attn::uses(Source.formula, attn::DimB);
    Info.UsesHead |= attn::uses(Source.formula, attn::DimH);
  }
  return success();
}

int64_t CodeInfo::workspace() const {
  int64_t Bytes = 0;
  for (LLVM::LLVMFuncOp Function : {Task, State, Step, Slice, Columns})
    if (Function)
      Bytes = std::max(
          Bytes,
          Function->getAttrOfType<IntegerAttr>(tile::kWorkspaceAttr).getInt());
  if (Device.Task)
    Bytes = std::max(
        Bytes,
        DeviceInfo::resource(Device.Task, tile::kWorkspaceBytes).value_or(0));
  return Bytes;
}

int64_t CodeInfo::stepTokens(attn::RecurrenceOp Recurrence) const {
  return Step ? heddle::stepTokens(Recurrence, Entry) : 0;
}

int64_t CodeInfo::sliceValues(attn::RecurrenceOp Recurrence) const {
  return Slice ? heddle::sliceValues(Recurrence, Entry) : 0;
}

StringRef CodeInfo::features() const {
  // Functions for a device run on any machine.
  if (Device)
    return "";
  LLVM::LLVMFuncOp Function = Task;
  return Function->getAttrOfType<StringAttr>(tile::kFeaturesAttr).getValue();
}

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
  llvm::MapVector<StringRef, KernelInfo> ByName;
  SmallVector<ModuleOp> All = {Module};
  for (auto Inner : Module.getOps<ModuleOp>())
    if (Inner->hasAttr(tile::kDeviceAttr))
      All.push_back(Inner);
  for (ModuleOp In : All)
    for (auto Function : In.getOps<LLVM::LLVMFuncOp>())
      if (auto Kind = Function->getAttrOfType<StringAttr>(tile::kKernelAttr))
        if (failed(addKernel(Function, Kind.getValue(), ByName)))
          return signalPassFailure();
  SmallVector<KernelInfo, 1> Kernels;
  for (auto &[Name, Info] : ByName) {
    if (failed(complete(Info)))
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
