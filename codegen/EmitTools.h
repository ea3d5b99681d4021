// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every emitter needs around LLVM.

#ifndef HEDDLE_CODEGEN_EMITTOOLS_H
#define HEDDLE_CODEGEN_EMITTOOLS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/PassManager.h"

#include <chrono>
#include <string>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace heddle {

/// What a target's modules say of the machine that their code is for.
struct ModuleTarget {
  std::string Triple, DataLayout;

  /// Of the machine; where there is none just the triple.
  ModuleTarget(const llvm::TargetMachine *Machine, std::string Triple);
  void setAttributes(mlir::ModuleOp Module) const;
};

/// Runs passes with the analyses that they ask for.
void runPasses(llvm::ModulePassManager &Passes, llvm::Module &Module,
               llvm::TargetMachine &Machine);

/// A signal that ends the process removes the file at `Path`. Signals that are
/// ignored, as below nohup, stay so.
void removeWhenInterrupted(const std::string &Path);
/// No longer: the file is gone, or somebody's.
void forgetWhenInterrupted(const std::string &Path);

/// Adds the time of its scope to a sum, in milliseconds.
class Stopwatch {
public:
  explicit Stopwatch(double &Sum)
      : Sum(Sum), Start(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    Sum += std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now() - Start)
               .count();
  }
  Stopwatch(const Stopwatch &) = delete;
  Stopwatch &operator=(const Stopwatch &) = delete;

private:
  double &Sum;
  std::chrono::steady_clock::time_point Start;
};

/// Keeps what LLVM reports while code is made: errors, joined by semicolons.
class CollectErrors : public llvm::DiagnosticHandler {
public:
  explicit CollectErrors(std::string &Text) : Text(Text) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &Info) override;

private:
  std::string &Text;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_EMITTOOLS_H
