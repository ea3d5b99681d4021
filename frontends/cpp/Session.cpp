// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Session.h"

#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Passes.h"
#include "passes/Pipeline.h"

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
  // Messages point into the text, which shows the operation already.
  Context.printOpOnDiagnostic(false);
}

Emitter &Session::emitter(const Target &T) {
  std::unique_ptr<Emitter> &Slot = Emitters[&T];
  if (!Slot)
    Slot = T.createEmitter();
  return *Slot;
}

mlir::PassManager &Session::pipeline(const Target *T, Stage Until, bool &IsNew,
                                     bool Quadratic) {
  std::unique_ptr<mlir::PassManager> &Slot =
      Pipelines[{T, static_cast<int>(Until), Quadratic ? 1 : 0}];
  IsNew = !Slot;
  if (IsNew) {
    Slot = std::make_unique<mlir::PassManager>(&Context);
    // The module is verified once, at the end, and by heddle-opt after each
    // pass.
    Slot->enableVerifier(false);
  }
  return *Slot;
}

mlir::PassManager &Session::passes(Stage Until, bool Quadratic) {
  bool IsNew = false;
  mlir::PassManager &Passes =
      pipeline(nullptr, std::min(Until, Stage::Tile), IsNew, Quadratic);
  if (!IsNew)
    return Passes;
  buildAttnPipeline(Passes);
  if (Until >= Stage::Tile)
    buildTilePipeline(Passes, Quadratic);
  return Passes;
}

mlir::PassManager &Session::passes(const Target &T, Stage Until) {
  bool IsNew = false;
  mlir::PassManager &Passes = pipeline(&T, std::min(Until, Stage::Llvm), IsNew);
  if (!IsNew)
    return Passes;
  T.addLoweringPasses(Passes);
  if (Until >= Stage::Llvm) {
    if (!T.isDevice())
      Passes.addPass(createAttnEmitEntry());
    T.addLLVMPasses(Passes);
  }
  return Passes;
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

/// MLIR's parser speaks of dialects and of its generic syntax, which authors of
/// patterns need not know.
static std::string reword(llvm::StringRef Text) {
  if (Text == "expected operation name in quotes")
    return "expected an operation; check that every '{' has its '}'";
  if (Text == "expected attribute value")
    return "expected a constant";
  if (!Text.starts_with("custom op '") && !Text.starts_with("Dialect `"))
    return Text.str();
  // "custom op 'x' is unknown", "Dialect `d' not found for custom op 'd.x' ",
  // "custom op 'x' expected something".
  auto [Before, Quoted] = Text.split("custom op '");
  auto [Name, After] = Quoted.split("'");
  if (!Before.empty() || After.starts_with(" is unknown"))
    return ("unknown operation '" + Name + "'").str();
  return ("'" + Name + "'" + After).str();
}

void DiagnosticCollector::add(mlir::Diagnostic &From) {
  Diagnostic To;
  To.Kind = severityOf(From.getSeverity());
  To.Text = From.str();
  if (llvm::StringRef(To.Text).starts_with("Available dialects: "))
    return;
  To.Text = reword(To.Text);
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
