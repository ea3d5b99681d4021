// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Emit.h"

#include "codegen/EmitTools.h"
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

using namespace heddle;

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

class CpuEmitter : public Emitter {
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

private:
  /// Translated and optimised, or null with an error.
  llvm::Expected<std::unique_ptr<llvm::Module>>
  translate(mlir::ModuleOp Module, llvm::LLVMContext &Context);
  void optimize(llvm::Module &Module);
  llvm::Error emitFile(mlir::ModuleOp Module, llvm::raw_pwrite_stream &Out,
                       llvm::CodeGenFileType Kind);

  std::unique_ptr<llvm::TargetMachine> Machine;
};

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

// The lowering has unrolled, vectorised and hoisted already. Of what LLVM's own
// pipelines do, only removing common and loop-invariant integer arithmetic of
// formulas and addresses is left: O1 to O3 take about ten times as long and
// their code is no faster. Nor is it with InstCombine, whose rewriting the code
// generator does again; it took half the time of all passes.
void CpuEmitter::optimize(llvm::Module &Module) {
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

llvm::Expected<std::unique_ptr<llvm::Module>>
CpuEmitter::translate(mlir::ModuleOp Module, llvm::LLVMContext &Context) {
  if (!Machine) {
    std::string Error;
    Machine = createMachine(Error);
    if (!Machine)
      return llvm::createStringError("no code generator for this machine: %s",
                                     Error.c_str());
  }
  std::unique_ptr<llvm::Module> Result;
  {
    Stopwatch Watch(Spent.Translate);
    Result = mlir::translateModuleToLLVMIR(Module, Context, "heddle",
                                           /*disableVerification=*/true);
  }
  if (!Result)
    return llvm::createStringError("the module has no translation to LLVM IR");
  addFunctionAttributes(*Result);
  optimize(*Result);
  return Result;
}

llvm::Error CpuEmitter::emitLLVM(mlir::ModuleOp Module,
                                 llvm::raw_ostream &Out) {
  llvm::LLVMContext Context;
  llvm::Expected<std::unique_ptr<llvm::Module>> Code =
      translate(Module, Context);
  if (!Code)
    return Code.takeError();
  (*Code)->print(Out, nullptr);
  return llvm::Error::success();
}

llvm::Error CpuEmitter::emitFile(mlir::ModuleOp Module,
                                 llvm::raw_pwrite_stream &Out,
                                 llvm::CodeGenFileType Kind) {
  SkipStrengthReduction Gate;
  llvm::LLVMContext Context;
  std::string Errors;
  Context.setOptPassGate(Gate);
  Context.setDiagnosticHandler(std::make_unique<CollectErrors>(Errors));
  llvm::Expected<std::unique_ptr<llvm::Module>> Code =
      translate(Module, Context);
  if (!Code)
    return Code.takeError();
  Stopwatch Watch(Spent.Codegen);
  llvm::legacy::PassManager Passes;
  if (Machine->addPassesToEmitFile(Passes, Out, nullptr, Kind,
                                   /*DisableVerify=*/true))
    return llvm::createStringError("the code generator of this machine cannot "
                                   "write files");
  Passes.run(**Code);
  if (!Errors.empty())
    return llvm::createStringError("code generation failed: %s",
                                   Errors.c_str());
  return llvm::Error::success();
}

std::unique_ptr<Emitter> cpu::createEmitter() {
  return std::make_unique<CpuEmitter>();
}
