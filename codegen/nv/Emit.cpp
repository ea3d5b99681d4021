// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Emit.h"

#include "codegen/EmitTools.h"
#include "codegen/LineInfo.h"
#include "codegen/nv/DeviceLibrary.h"
#include "codegen/nv/Levels.h"
#include "codegen/nv/Ptxas.h"
#include "codegen/nv/RolledLoops.h"
#include "dialect/tile/Tile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <map>
#include <mutex>

using namespace heddle;
using namespace heddle::nv;

static constexpr const char *TripleName = "nvptx64-nvidia-cuda";

static std::unique_ptr<llvm::TargetMachine> createMachine(const NvLevel &Level,
                                                          std::string &Error) {
  static std::once_flag Once;
  std::call_once(Once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  const llvm::Triple Triple(TripleName);
  const llvm::Target *T = llvm::TargetRegistry::lookupTarget(Triple, Error);
  if (!T)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(T->createTargetMachine(
      Triple, Level.Name, Level.PtxFeature, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
}

void heddle::nv::setModuleAttributes(mlir::ModuleOp Module) {
  // The same for every level.
  static const ModuleTarget Known = [] {
    std::string Error;
    return ModuleTarget(createMachine(nvLevels().front(), Error).get(),
                        TripleName);
  }();
  Known.setAttributes(Module);
}

namespace {

class NvEmitter : public Emitter {
public:
  llvm::Error emitLLVM(mlir::ModuleOp Module, llvm::raw_ostream &Out) override;
  llvm::Error emitAssembly(mlir::ModuleOp Module,
                           llvm::raw_pwrite_stream &Out) override;
  llvm::Error emitObject(mlir::ModuleOp Module,
                         llvm::raw_pwrite_stream &Out) override;
  llvm::Error embed(mlir::ModuleOp Module, bool Assembles) override;

private:
  llvm::Expected<llvm::TargetMachine *> machine(const NvLevel &Level);
  /// Translated and optimised.
  llvm::Expected<std::unique_ptr<llvm::Module>>
  translate(mlir::ModuleOp Module, llvm::LLVMContext &Context);
  void optimize(llvm::Module &Module, llvm::TargetMachine &Machine);
  llvm::Expected<std::string> makePtx(mlir::ModuleOp Module);
  /// No value where there is no ptxas that knows the level.
  llvm::Expected<std::optional<Assembled>>
  makeCubin(llvm::StringRef Ptx, const NvLevel &Level, bool KeepsLines);

  std::map<std::string, std::unique_ptr<llvm::TargetMachine>> Machines;
};

} // namespace

static llvm::Expected<const NvLevel *> levelOf(mlir::ModuleOp Module) {
  auto Name = Module->getAttrOfType<mlir::StringAttr>(tile::kDeviceAttr);
  const NvLevel *Level = Name ? findNvLevel(Name.getValue()) : nullptr;
  if (!Level)
    return llvm::createStringError("the module is not for a level of target "
                                   "'nv'");
  return Level;
}

/// Beside the code: what ptxas advises.
static constexpr llvm::StringLiteral WarningsAttr = "warnings";

static bool keepsLines(mlir::ModuleOp Module) {
  return Module->hasAttr(LineInfoAttr);
}

/// Gives every function a scope, in which locations mean lines. Nothing else:
/// neither sections of debug information nor code that is easier to debug.
static llvm::Error addScopes(mlir::ModuleOp Module) {
  mlir::LLVM::DIScopeForLLVMFuncOpPassOptions Options;
  Options.emissionKind = mlir::LLVM::DIEmissionKind::DebugDirectivesOnly;
  mlir::PassManager Passes(Module.getContext());
  Passes.addPass(mlir::LLVM::createDIScopeForLLVMFuncOpPass(Options));
  if (mlir::failed(Passes.run(Module)))
    return llvm::createStringError("the functions cannot be given lines");
  return llvm::Error::success();
}

static auto kernelsOf(mlir::ModuleOp Module) {
  return llvm::make_filter_range(
      Module.getOps<mlir::LLVM::LLVMFuncOp>(),
      [](mlir::LLVM::LLVMFuncOp F) { return F->hasAttr(tile::kKernelAttr); });
}

llvm::Expected<llvm::TargetMachine *> NvEmitter::machine(const NvLevel &Level) {
  std::unique_ptr<llvm::TargetMachine> &Slot = Machines[Level.Name.str()];
  if (!Slot) {
    std::string Error;
    Slot = createMachine(Level, Error);
    if (!Slot)
      return llvm::createStringError("no code generator for level '" +
                                     Level.Name + "': " + Error);
  }
  return Slot.get();
}

// The lowering has unrolled everything; what it asks for row by row folds into
// less than it builds. Moving what is invariant out of loops is left to ptxas,
// which knows how many registers there are: done here, it costs spills at head
// dim 128, as do the pipelines O1 to O3, which take longer.
void NvEmitter::optimize(llvm::Module &Module, llvm::TargetMachine &Machine) {
  Stopwatch Watch(Spent.Optimize);
  llvm::ModulePassManager Passes;
  Passes.addPass(llvm::AlwaysInlinerPass());
  Passes.addPass(llvm::GlobalDCEPass());
  llvm::FunctionPassManager PerFunction;
  PerFunction.addPass(llvm::SROAPass(llvm::SROAOptions::PreserveCFG));
  PerFunction.addPass(llvm::EarlyCSEPass());
  PerFunction.addPass(llvm::InstCombinePass());
  PerFunction.addPass(llvm::SimplifyCFGPass());
  PerFunction.addPass(KeepLoopsRolled());
  Passes.addPass(
      llvm::createModuleToFunctionPassAdaptor(std::move(PerFunction)));
  runPasses(Passes, Module, Machine);
}

llvm::Expected<std::unique_ptr<llvm::Module>>
NvEmitter::translate(mlir::ModuleOp Module, llvm::LLVMContext &Context) {
  llvm::Expected<const NvLevel *> Level = levelOf(Module);
  if (!Level)
    return Level.takeError();
  llvm::Expected<llvm::TargetMachine *> Machine = machine(**Level);
  if (!Machine)
    return Machine.takeError();
  std::unique_ptr<llvm::Module> Result;
  {
    Stopwatch Watch(Spent.Translate);
    if (keepsLines(Module))
      if (llvm::Error E = addScopes(Module))
        return E;
    Result = mlir::translateModuleToLLVMIR(Module, Context, "heddle",
                                           /*disableVerification=*/true);
  }
  if (!Result)
    return llvm::createStringError("the module has no translation to LLVM IR");
  if (llvm::Error E = linkDeviceLibrary(*Result))
    return E;
  for (llvm::Function &F : *Result) {
    if (F.isDeclaration())
      continue;
    F.addFnAttr(llvm::Attribute::NoUnwind);
    // Otherwise ptxas spills a little where one more CTA fits an SM then.
    if (F.getCallingConv() == llvm::CallingConv::PTX_Kernel)
      F.addFnAttr("nvvm.minctasm", "1");
  }
  optimize(*Result, **Machine);
  return Result;
}

llvm::Error NvEmitter::emitLLVM(mlir::ModuleOp Module, llvm::raw_ostream &Out) {
  llvm::LLVMContext Context;
  llvm::Expected<std::unique_ptr<llvm::Module>> Code =
      translate(Module, Context);
  if (!Code)
    return Code.takeError();
  (*Code)->print(Out, nullptr);
  return llvm::Error::success();
}

llvm::Expected<std::string> NvEmitter::makePtx(mlir::ModuleOp Module) {
  llvm::LLVMContext Context;
  std::string Errors;
  Context.setDiagnosticHandler(std::make_unique<CollectErrors>(Errors));
  llvm::Expected<std::unique_ptr<llvm::Module>> Code =
      translate(Module, Context);
  if (!Code)
    return Code.takeError();
  llvm::Expected<llvm::TargetMachine *> Machine = machine(**levelOf(Module));
  if (!Machine)
    return Machine.takeError();
  Stopwatch Watch(Spent.Codegen);
  llvm::SmallString<0> Text;
  llvm::raw_svector_ostream Out(Text);
  llvm::legacy::PassManager Passes;
  if ((*Machine)->addPassesToEmitFile(Passes, Out, nullptr,
                                      llvm::CodeGenFileType::AssemblyFile,
                                      /*DisableVerify=*/true))
    return llvm::createStringError("the code generator cannot write PTX");
  Passes.run(**Code);
  if (!Errors.empty())
    return llvm::createStringError("code generation failed: %s",
                                   Errors.c_str());
  return Text.str().str();
}

llvm::Error NvEmitter::emitAssembly(mlir::ModuleOp Module,
                                    llvm::raw_pwrite_stream &Out) {
  llvm::Expected<std::string> Ptx = makePtx(Module);
  if (!Ptx)
    return Ptx.takeError();
  Out << *Ptx;
  return llvm::Error::success();
}

llvm::Expected<std::optional<Assembled>>
NvEmitter::makeCubin(llvm::StringRef Ptx, const NvLevel &Level,
                     bool KeepsLines) {
  Stopwatch Watch(Spent.Assemble);
  const std::string Ptxas = findPtxas();
  if (Ptxas.empty())
    return std::nullopt;
  return assemble(Ptxas, Ptx, Level.Name, KeepsLines);
}

llvm::Error NvEmitter::emitObject(mlir::ModuleOp Module,
                                  llvm::raw_pwrite_stream &Out) {
  llvm::Expected<std::string> Ptx = makePtx(Module);
  if (!Ptx)
    return Ptx.takeError();
  const NvLevel &Level = **levelOf(Module);
  llvm::Expected<std::optional<Assembled>> Cubin =
      makeCubin(*Ptx, Level, keepsLines(Module));
  if (!Cubin)
    return Cubin.takeError();
  if (!*Cubin)
    return llvm::createStringError(
        "there is no ptxas that knows '" + Level.Name +
        "'; install the CUDA toolkit or name its ptxas with HEDDLE_PTXAS");
  Out << (*Cubin)->Cubin;
  return llvm::Error::success();
}

/// A number that the lowering has left on a kernel.
static int64_t numberOf(mlir::LLVM::LLVMFuncOp Kernel, llvm::StringRef Name) {
  auto Number = Kernel->getAttrOfType<mlir::IntegerAttr>(Name);
  return Number ? Number.getInt() : 0;
}

/// What a launch asks for, and what is known of the code. Units where nothing
/// is.
static mlir::DictionaryAttr resourcesOf(mlir::LLVM::LLVMFuncOp Kernel,
                                        const std::optional<Assembled> &Cubin) {
  mlir::Builder B(Kernel.getContext());
  const KernelReport *Report = nullptr;
  if (Cubin)
    if (auto Found = Cubin->Kernels.find(Kernel.getName());
        Found != Cubin->Kernels.end())
      Report = &Found->second;
  auto Known = [&](int64_t KernelReport::*Member) -> mlir::Attribute {
    if (!Report)
      return B.getUnitAttr();
    return B.getI64IntegerAttr(Report->*Member);
  };
  auto Entry = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  const int64_t Threads = numberOf(Kernel, ThreadsAttr),
                Shared = numberOf(Kernel, SharedBytesAttr);
  mlir::Attribute Resident = B.getUnitAttr();
  if (Report)
    Resident =
        B.getI64IntegerAttr(findNvLevel(Entry.getLevel())
                                ->countResident(Threads, Report->Registers,
                                                Shared + Report->Shared));
  // Tiles go through shared memory where keys are visited.
  mlir::Attribute Stages = B.getUnitAttr();
  if (Kernel->getAttr(tile::kKernelAttr) != B.getStringAttr("merge"))
    Stages = B.getI64IntegerAttr(Entry.getSchedule().getStages());
  llvm::SmallVector<mlir::NamedAttribute> All = {
      B.getNamedAttr(tile::kThreads, B.getI64IntegerAttr(Threads)),
      B.getNamedAttr(tile::kSharedBytes, B.getI64IntegerAttr(Shared)),
      B.getNamedAttr("resident_groups", Resident),
      B.getNamedAttr("stages", Stages),
      B.getNamedAttr("registers", Known(&KernelReport::Registers)),
      B.getNamedAttr("stack_bytes", Known(&KernelReport::Stack)),
      B.getNamedAttr("spill_store_bytes", Known(&KernelReport::SpillStores)),
      B.getNamedAttr("spill_load_bytes", Known(&KernelReport::SpillLoads))};
  if (int64_t Workspace = numberOf(Kernel, WorkspaceBytesAttr))
    All.push_back(
        B.getNamedAttr(tile::kWorkspaceBytes, B.getI64IntegerAttr(Workspace)));
  return B.getDictionaryAttr(All);
}

llvm::Error NvEmitter::embed(mlir::ModuleOp Module, bool Assembles) {
  llvm::Expected<const NvLevel *> Level = levelOf(Module);
  if (!Level)
    return Level.takeError();
  llvm::Expected<std::string> Ptx = makePtx(Module);
  if (!Ptx)
    return Ptx.takeError();
  using MaybeCubin = llvm::Expected<std::optional<Assembled>>;
  MaybeCubin Cubin = Assembles ? makeCubin(*Ptx, **Level, keepsLines(Module))
                               : MaybeCubin(std::nullopt);
  if (!Cubin)
    return Cubin.takeError();

  mlir::Builder B(Module.getContext());
  llvm::SmallVector<mlir::NamedAttribute> Code = {
      B.getNamedAttr(tile::kTarget, B.getStringAttr("nv")),
      B.getNamedAttr(tile::kArch, B.getI64IntegerAttr((*Level)->Arch)),
      B.getNamedAttr(tile::kText, B.getStringAttr(*Ptx))};
  if (*Cubin) {
    Code.push_back(
        B.getNamedAttr(tile::kBinary, B.getStringAttr((*Cubin)->Cubin)));
    llvm::SmallVector<llvm::StringRef> Warnings((*Cubin)->Warnings.begin(),
                                                (*Cubin)->Warnings.end());
    Code.push_back(B.getNamedAttr(WarningsAttr, B.getStrArrayAttr(Warnings)));
  }
  Module->setAttr(tile::kCodeAttr, B.getDictionaryAttr(Code));
  for (mlir::LLVM::LLVMFuncOp Kernel : kernelsOf(Module)) {
    Kernel->setAttr(tile::kResourcesAttr, resourcesOf(Kernel, *Cubin));
    Kernel.eraseBody();
  }
  for (mlir::Operation &Op :
       llvm::make_early_inc_range(llvm::reverse(*Module.getBody())))
    if (!Op.hasAttr(tile::kKernelAttr))
      Op.erase();
  return llvm::Error::success();
}

std::unique_ptr<Emitter> heddle::nv::createEmitter() {
  return std::make_unique<NvEmitter>();
}
