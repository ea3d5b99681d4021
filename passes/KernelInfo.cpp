// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/KernelInfo.h"

#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "passes/LinearCost.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"

using namespace heddle;
using namespace mlir;

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

static heddle_dtype dtypeOf(Type Type) {
  if (Type.isF16())
    return HEDDLE_F16;
  return Type.isBF16() ? HEDDLE_BF16 : HEDDLE_F32;
}

heddle_dtype KernelInfo::dtype() const {
  return dtypeOf(Spec.entry.getInputType());
}

heddle_dtype KernelInfo::outputDtype() const {
  return dtypeOf(Spec.entry.getOutputType());
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

FailureOr<SmallVector<KernelInfo, 1>> heddle::collectKernels(ModuleOp Module) {
  llvm::MapVector<StringRef, KernelInfo> ByName;
  SmallVector<ModuleOp> All = {Module};
  for (auto Inner : Module.getOps<ModuleOp>())
    if (Inner->hasAttr(tile::kDeviceAttr))
      All.push_back(Inner);
  for (ModuleOp In : All)
    for (auto Function : In.getOps<LLVM::LLVMFuncOp>())
      if (auto Kind = Function->getAttrOfType<StringAttr>(tile::kKernelAttr))
        if (failed(addKernel(Function, Kind.getValue(), ByName)))
          return failure();
  SmallVector<KernelInfo, 1> Kernels;
  for (auto &[Name, Info] : ByName) {
    if (failed(complete(Info)))
      return failure();
    Kernels.push_back(Info);
  }
  return Kernels;
}
