// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/EmitTools.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <csignal>

using namespace heddle;

ModuleTarget::ModuleTarget(const llvm::TargetMachine *Machine,
                           std::string Fallback)
    : Triple(std::move(Fallback)) {
  if (!Machine)
    return;
  Triple = Machine->getTargetTriple().str();
  DataLayout = Machine->createDataLayout().getStringRepresentation();
}

void ModuleTarget::setAttributes(mlir::ModuleOp Module) const {
  mlir::Builder Builder(Module.getContext());
  Module->setAttr(mlir::LLVM::LLVMDialect::getTargetTripleAttrName(),
                  Builder.getStringAttr(Triple));
  if (!DataLayout.empty())
    Module->setAttr(mlir::LLVM::LLVMDialect::getDataLayoutAttrName(),
                    Builder.getStringAttr(DataLayout));
}

void heddle::removeWhenInterrupted(const std::string &Path) {
  // LLVM installs its handlers over ignored signals too.
  constexpr int Signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT};
  struct sigaction Before[std::size(Signals)];
  for (auto [Signal, Action] : llvm::zip(Signals, Before))
    ::sigaction(Signal, nullptr, &Action);
  llvm::sys::RemoveFileOnSignal(Path);
  for (auto [Signal, Action] : llvm::zip(Signals, Before))
    if (Action.sa_handler == SIG_IGN)
      ::sigaction(Signal, &Action, nullptr);
}

void heddle::forgetWhenInterrupted(const std::string &Path) {
  llvm::sys::DontRemoveFileOnSignal(Path);
}

void heddle::runPasses(llvm::ModulePassManager &Passes, llvm::Module &Module,
                       llvm::TargetMachine &Machine) {
  llvm::LoopAnalysisManager Loops;
  llvm::FunctionAnalysisManager Functions;
  llvm::CGSCCAnalysisManager Components;
  llvm::ModuleAnalysisManager Modules;
  llvm::PassBuilder Builder(&Machine);
  Builder.registerModuleAnalyses(Modules);
  Builder.registerCGSCCAnalyses(Components);
  Builder.registerFunctionAnalyses(Functions);
  Builder.registerLoopAnalyses(Loops);
  Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  Passes.run(Module, Modules);
}

bool CollectErrors::handleDiagnostics(const llvm::DiagnosticInfo &Info) {
  if (Info.getSeverity() != llvm::DS_Error)
    return true;
  llvm::raw_string_ostream Out(Text);
  if (!Text.empty())
    Out << "; ";
  llvm::DiagnosticPrinterRawOStream Printer(Out);
  Info.print(Printer);
  return true;
}
