// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Emit.h"

#include "codegen/EmitTools.h"
#include "codegen/cpu/Parts.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

#include <mutex>
#include <thread>

using namespace heddle;
using namespace heddle::cpu;

/// A machine for this architecture without any extension.
static std::unique_ptr<llvm::TargetMachine> createMachine(std::string &Error) {
  static std::once_flag Once;
  std::call_once(Once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  llvm::Triple Triple(llvm::sys::getProcessTriple());
  const llvm::Target *T = llvm::TargetRegistry::lookupTarget(Triple, Error);
  if (!T)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(T->createTargetMachine(
      Triple, /*CPU=*/"", /*Features=*/"", llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
}

void cpu::setModuleAttributes(mlir::ModuleOp Module) {
  // The same for every module of the process.
  static const ModuleTarget Known = [] {
    std::string Error;
    return ModuleTarget(createMachine(Error).get(),
                        llvm::sys::getProcessTriple());
  }();
  Known.setAttributes(Module);
}

namespace {

/// Leaves out the one pass of the code generator that does harm: addresses are
/// cheap in a kernel as it is, and loop strength reduction takes a tenth of the
/// time to make the inner loops a few percent slower.
class SkipStrengthReduction : public llvm::OptPassGate {
public:
  bool shouldRunPass(llvm::StringRef Name,
                     llvm::StringRef /*Description*/) const override {
    return Name != "Loop Strength Reduction";
  }
  bool isEnabled() const override { return true; }
};

/// A code generator, for one thread at a time.
class Generator {
public:
  explicit Generator(std::unique_ptr<llvm::TargetMachine> Machine)
      : Machine(std::move(Machine)) {}

  /// Not yet optimised, or an error.
  llvm::Expected<std::unique_ptr<llvm::Module>>
  translate(mlir::ModuleOp Module, llvm::LLVMContext &Context);
  void optimize(llvm::Module &Module);
  llvm::Error write(llvm::Module &Module, llvm::raw_pwrite_stream &Out,
                    llvm::CodeGenFileType Kind);

  /// Summed over the calls.
  Emitter::Times Spent;

private:
  std::unique_ptr<llvm::TargetMachine> Machine;
};

/// A module whose object is made, in a context of its own.
class ObjectWork {
public:
  ObjectWork();

  llvm::Error translate(mlir::ModuleOp From, Generator &With);
  /// Touches nothing but this and `With`.
  void run(Generator &With);
  llvm::Expected<HostEmitter::Object> takeResult();

private:
  SkipStrengthReduction Gate;
  std::string Errors;
  llvm::LLVMContext Context;
  std::unique_ptr<llvm::Module> Module;
  llvm::SmallVector<char, 0> Bytes;
  std::string Failure;
};

/// What one thread makes, one after the other.
struct Share {
  struct Item {
    mlir::ModuleOp From;
    std::unique_ptr<ObjectWork> Work;
  };

  /// Modules may be null.
  explicit Share(std::initializer_list<mlir::ModuleOp> Modules) {
    for (mlir::ModuleOp From : Modules)
      if (From)
        Items.push_back({From, std::make_unique<ObjectWork>()});
  }

  llvm::Error translate(Generator &With) {
    for (Item &Each : Items)
      if (llvm::Error E = Each.Work->translate(Each.From, With))
        return E;
    return llvm::Error::success();
  }
  void run(Generator &With) {
    for (Item &Each : Items)
      Each.Work->run(With);
  }

  llvm::SmallVector<Item, 2> Items;
};

class CpuEmitter : public HostEmitter {
public:
  llvm::Error emitLLVM(mlir::ModuleOp Module, llvm::raw_ostream &Out) override;
  llvm::Error emitAssembly(mlir::ModuleOp Module,
                           llvm::raw_pwrite_stream &Out) override {
    return emitFile(Module, Out, llvm::CodeGenFileType::AssemblyFile);
  }
  llvm::Error emitObject(mlir::ModuleOp Module,
                         llvm::raw_pwrite_stream &Out) override {
    return emitFile(Module, Out, llvm::CodeGenFileType::ObjectFile);
  }
  llvm::Expected<std::vector<Object>> emitObjects(mlir::ModuleOp Module,
                                                  bool Reuse) override;

private:
  /// Makes the generators if they are not there.
  llvm::Error prepare();
  llvm::Error emitFile(mlir::ModuleOp Module, llvm::raw_pwrite_stream &Out,
                       llvm::CodeGenFileType Kind);
  /// Adds what the generator of the caller's thread took since `Before`.
  void addTimes(const Times &Before);

  /// For the thread of the caller, and for another.
  std::unique_ptr<Generator> Here, There;
  KnownCode Known;
};

} // namespace

/// Properties that every function of ours has and no lowering need repeat.
static void addFunctionAttributes(llvm::Module &Module) {
  for (llvm::Function &F : Module) {
    if (F.isDeclaration())
      continue;
    F.addFnAttr(llvm::Attribute::NoUnwind);
    F.addFnAttr("frame-pointer", "none");
    // A bundle links against nothing, so no loop may become a call of memset.
    F.addFnAttr("no-builtins");
  }
}

llvm::Expected<std::unique_ptr<llvm::Module>>
Generator::translate(mlir::ModuleOp Module, llvm::LLVMContext &Context) {
  Stopwatch Watch(Spent.Translate);
  std::unique_ptr<llvm::Module> Result = mlir::translateModuleToLLVMIR(
      Module, Context, "heddle", /*disableVerification=*/true);
  if (!Result)
    return llvm::createStringError("the module has no translation to LLVM IR");
  addFunctionAttributes(*Result);
  return Result;
}

// The lowering has unrolled, vectorised and hoisted already. Of what LLVM's own
// pipelines do, only removing common and loop-invariant integer arithmetic of
// formulas and addresses is left: O1 to O3 take about ten times as long and
// their code is no faster. Nor is it with InstCombine, whose rewriting the code
// generator does again; it took half the time of all passes.
void Generator::optimize(llvm::Module &Module) {
  Stopwatch Watch(Spent.Optimize);
  llvm::FunctionPassManager PerFunction;
  PerFunction.addPass(llvm::EarlyCSEPass());
  PerFunction.addPass(llvm::createFunctionToLoopPassAdaptor(
      llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  PerFunction.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager Passes;
  Passes.addPass(
      llvm::createModuleToFunctionPassAdaptor(std::move(PerFunction)));
  runPasses(Passes, Module, *Machine);
}

llvm::Error Generator::write(llvm::Module &Module, llvm::raw_pwrite_stream &Out,
                             llvm::CodeGenFileType Kind) {
  Stopwatch Watch(Spent.Codegen);
  llvm::legacy::PassManager Passes;
  if (Machine->addPassesToEmitFile(Passes, Out, nullptr, Kind,
                                   /*DisableVerify=*/true))
    return llvm::createStringError("the code generator of this machine cannot "
                                   "write files");
  Passes.run(Module);
  return llvm::Error::success();
}

ObjectWork::ObjectWork() {
  Context.setOptPassGate(Gate);
  Context.setDiagnosticHandler(std::make_unique<CollectErrors>(Errors));
}

llvm::Error ObjectWork::translate(mlir::ModuleOp From, Generator &With) {
  llvm::Expected<std::unique_ptr<llvm::Module>> Made =
      With.translate(From, Context);
  if (!Made)
    return Made.takeError();
  Module = std::move(*Made);
  return llvm::Error::success();
}

void ObjectWork::run(Generator &With) {
  With.optimize(*Module);
  llvm::raw_svector_ostream Out(Bytes);
  if (llvm::Error E =
          With.write(*Module, Out, llvm::CodeGenFileType::ObjectFile))
    Failure = llvm::toString(std::move(E));
  else if (!Errors.empty())
    Failure = "code generation failed: " + Errors;
}

llvm::Expected<HostEmitter::Object> ObjectWork::takeResult() {
  if (!Failure.empty())
    return llvm::createStringError(Failure);
  return std::make_shared<const llvm::SmallVector<char, 0>>(std::move(Bytes));
}

llvm::Error CpuEmitter::prepare() {
  for (std::unique_ptr<Generator> *Slot : {&Here, &There}) {
    if (*Slot)
      continue;
    std::string Error;
    std::unique_ptr<llvm::TargetMachine> Machine = createMachine(Error);
    if (!Machine)
      return llvm::createStringError("no code generator for this machine: %s",
                                     Error.c_str());
    *Slot = std::make_unique<Generator>(std::move(Machine));
  }
  return llvm::Error::success();
}

void CpuEmitter::addTimes(const Times &Before) {
  Spent.Translate += Here->Spent.Translate - Before.Translate;
  Spent.Optimize += Here->Spent.Optimize - Before.Optimize;
  Spent.Codegen += Here->Spent.Codegen - Before.Codegen;
}

llvm::Error CpuEmitter::emitLLVM(mlir::ModuleOp Module,
                                 llvm::raw_ostream &Out) {
  if (llvm::Error E = prepare())
    return E;
  const Times Before = Here->Spent;
  llvm::LLVMContext Context;
  llvm::Expected<std::unique_ptr<llvm::Module>> Code =
      Here->translate(Module, Context);
  if (!Code)
    return Code.takeError();
  Here->optimize(**Code);
  addTimes(Before);
  (*Code)->print(Out, nullptr);
  return llvm::Error::success();
}

llvm::Error CpuEmitter::emitFile(mlir::ModuleOp Module,
                                 llvm::raw_pwrite_stream &Out,
                                 llvm::CodeGenFileType Kind) {
  if (llvm::Error E = prepare())
    return E;
  const Times Before = Here->Spent;
  SkipStrengthReduction Gate;
  llvm::LLVMContext Context;
  std::string Errors;
  Context.setOptPassGate(Gate);
  Context.setDiagnosticHandler(std::make_unique<CollectErrors>(Errors));
  llvm::Expected<std::unique_ptr<llvm::Module>> Code =
      Here->translate(Module, Context);
  if (!Code)
    return Code.takeError();
  Here->optimize(**Code);
  llvm::Error Result = Here->write(**Code, Out, Kind);
  addTimes(Before);
  if (Result)
    return Result;
  if (!Errors.empty())
    return llvm::createStringError("code generation failed: %s",
                                   Errors.c_str());
  return llvm::Error::success();
}

llvm::Expected<std::vector<HostEmitter::Object>>
CpuEmitter::emitObjects(mlir::ModuleOp Module, bool Reuse) {
  if (llvm::Error E = prepare())
    return std::move(E);
  const Times Before = Here->Spent;
  Parts Pieces = takeApart(Module, Reuse ? &Known : nullptr);
  Share First({Pieces.Rest, Pieces.WithRest.get()});
  Share Second({Pieces.Others.get(), Pieces.WithOthers.get()});

  // Translation reads what belongs to this thread, so it is not shared.
  if (llvm::Error E = Second.translate(*Here))
    return std::move(E);
  std::thread Helper([&] { Second.run(*There); });
  llvm::Error Failed = First.translate(*Here);
  if (!Failed)
    First.run(*Here);
  {
    Stopwatch Watch(Here->Spent.Codegen);
    Helper.join();
  }
  addTimes(Before);

  std::vector<Object> Objects(Pieces.Found.begin(), Pieces.Found.end());
  if (Failed)
    return std::move(Failed);
  for (Share *Of : {&First, &Second})
    for (Share::Item &Each : Of->Items) {
      llvm::Expected<Object> Made = Each.Work->takeResult();
      if (!Made)
        return Made.takeError();
      Objects.push_back(std::move(*Made));
      if (Each.From == Pieces.WithRest.get() ||
          Each.From == Pieces.WithOthers.get())
        Known.add(llvm::to_vector(Each.From.getOps<mlir::LLVM::LLVMFuncOp>()),
                  Objects.back());
    }
  return Objects;
}

std::unique_ptr<Emitter> cpu::createEmitter() {
  return std::make_unique<CpuEmitter>();
}
