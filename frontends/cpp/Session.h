// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiler and its sources share.

#ifndef HEDDLE_FRONTENDS_CPP_SESSION_H
#define HEDDLE_FRONTENDS_CPP_SESSION_H

#include "codegen/Target.h"
#include "frontends/cpp/Compiler.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>
#include <tuple>

namespace heddle {

/// The dialects of patterns, kernels and every target.
const mlir::DialectRegistry &compilerDialects();

struct Session {
  Session();

  /// The emitter of a target, made once.
  Emitter &emitter(const Target &T);

  // Passes, made once: setting up conversions costs more than running some of
  // them.

  /// From pattern text to the schedules, or to the tile level; recurrences with
  /// `Quadratic` over pairs of tokens.
  mlir::PassManager &passes(Stage Until, bool Quadratic);
  /// From the tile level to the level of a target, or to the LLVM dialect (all
  /// stages of code are alike). A device target's are for its own modules; the
  /// others' emit the entry on the way.
  mlir::PassManager &passes(const Target &T, Stage Until);

  mlir::MLIRContext Context;

private:
  /// The place of a pipeline; `IsNew` when it is still to be filled.
  mlir::PassManager &pipeline(const Target *T, Stage Until, bool &IsNew,
                              bool Quadratic = false);

  llvm::DenseMap<std::tuple<const Target *, int, int>,
                 std::unique_ptr<mlir::PassManager>>
      Pipelines;
  llvm::DenseMap<const Target *, std::unique_ptr<Emitter>> Emitters;
};

struct Source::Impl {
  // The module dies before its context.
  std::shared_ptr<Session> Shared;
  std::shared_ptr<llvm::SourceMgr> Text;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  double ParseTime = 0;
};

/// While it lives, collects what the context reports instead of printing it.
class DiagnosticCollector {
public:
  /// `Text` holds the sources that locations point into; may be null.
  DiagnosticCollector(mlir::MLIRContext &Context, const llvm::SourceMgr *Text);

  /// What was reported; `Otherwise` if nothing was.
  Failure failure(const std::string &Otherwise);

private:
  void add(mlir::Diagnostic &From);

  const llvm::SourceMgr *Text;
  std::vector<Diagnostic> All;
  mlir::ScopedDiagnosticHandler Handler;
};

/// Milliseconds since it was made.
class Clock {
public:
  double elapsed() const {
    return std::chrono::duration<double, std::milli>(
               std::chrono::steady_clock::now() - Start)
        .count();
  }

private:
  std::chrono::steady_clock::time_point Start =
      std::chrono::steady_clock::now();
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_SESSION_H
