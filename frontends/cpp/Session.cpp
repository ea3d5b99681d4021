// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Session.h"

#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace heddle;

const mlir::DialectRegistry &heddle::compilerDialects() {
  static const mlir::DialectRegistry Registry = [] {
    mlir::DialectRegistry R;
    R.insert<attn::AttnDialect, tile::TileDialect, mlir::arith::ArithDialect,
             mlir::cf::ControlFlowDialect, mlir::func::FuncDialect,
             mlir::math::MathDialect, mlir::scf::SCFDialect>();
    registerTargetDialects(R);
    return R;
  }();
  return Registry;
}

Session::Session()
    : Context(compilerDialects(), mlir::MLIRContext::Threading::DISABLED) {
  Context.loadAllAvailableDialects();
}

Emitter &Session::emitter(const Target &T) {
  std::unique_ptr<Emitter> &Slot = Emitters[&T];
  if (!Slot)
    Slot = T.createEmitter();
  return *Slot;
}

DiagnosticCollector::DiagnosticCollector(mlir::MLIRContext &Context,
                                         const llvm::SourceMgr *Text)
    : Text(Text), Handler(&Context, [this](mlir::Diagnostic &D) { add(D); }) {}

static Diagnostic::Severity severityOf(mlir::DiagnosticSeverity Severity) {
  switch (Severity) {
  case mlir::DiagnosticSeverity::Note:
    return Diagnostic::Severity::Note;
  case mlir::DiagnosticSeverity::Warning:
    return Diagnostic::Severity::Warning;
  case mlir::DiagnosticSeverity::Remark:
    return Diagnostic::Severity::Remark;
  case mlir::DiagnosticSeverity::Error:
    return Diagnostic::Severity::Error;
  }
  return Diagnostic::Severity::Error;
}

/// Line `Line` of the buffer called `File`, with a caret below `Column`.
static std::string snippetAt(const llvm::SourceMgr &Text, llvm::StringRef File,
                             unsigned Line, unsigned Column) {
  for (unsigned I = 1; I <= Text.getNumBuffers(); ++I) {
    const llvm::MemoryBuffer *Buffer = Text.getMemoryBuffer(I);
    if (Buffer->getBufferIdentifier() != File)
      continue;
    llvm::SmallVector<llvm::StringRef> Lines;
    Buffer->getBuffer().split(Lines, '\n', static_cast<int>(Line));
    if (Line == 0 || Line > Lines.size())
      return "";
    std::string Result = Lines[Line - 1].rtrim("\r").str();
    std::string Caret;
    for (unsigned C = 1; C < Column && C <= Result.size(); ++C)
      Caret += Result[C - 1] == '\t' ? '\t' : ' ';
    return Result + "\n" + Caret + "^";
  }
  return "";
}

void DiagnosticCollector::add(mlir::Diagnostic &From) {
  Diagnostic To;
  To.Kind = severityOf(From.getSeverity());
  To.Text = From.str();
  if (auto Place = From.getLocation()->findInstanceOf<mlir::FileLineColLoc>()) {
    To.File = Place.getFilename().str();
    To.Line = Place.getLine();
    To.Column = Place.getColumn();
    if (Text)
      To.Snippet = snippetAt(*Text, To.File, To.Line, To.Column);
  }
  All.push_back(std::move(To));
  for (mlir::Diagnostic &Note : From.getNotes())
    add(Note);
}

Failure DiagnosticCollector::failure(const std::string &Otherwise) {
  return All.empty() ? Failure(Otherwise) : Failure(std::move(All));
}
