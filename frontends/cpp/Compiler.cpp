// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Compiler.h"

#include "codegen/LineInfo.h"
#include "dialect/tile/Tile.h"
#include "frontends/cpp/Header.h"
#include "frontends/cpp/Jit.h"
#include "frontends/cpp/Kernels.h"
#include "frontends/cpp/Link.h"
#include "frontends/cpp/OutputFile.h"
#include "frontends/cpp/Patterns.h"
#include "frontends/cpp/Session.h"
#include "passes/PackHeads.h"
#include "passes/Passes.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace heddle;

struct Compiler::Impl {
  std::shared_ptr<Session> Shared = std::make_shared<Session>();
};

Source::Source(std::unique_ptr<Impl> Content) : Content(std::move(Content)) {}
Source::Source(Source &&) noexcept = default;
Source &Source::operator=(Source &&) noexcept = default;
Source::~Source() = default;

mlir::ModuleOp Source::module() const { return *Content->Module; }
double Source::parseTime() const { return Content->ParseTime; }

std::vector<PatternInfo> Source::patterns() const {
  std::vector<PatternInfo> Result;
  for (mlir::Operation *Symbol : patternsOf(*Content->Module))
    Result.push_back(describe(Symbol));
  return Result;
}

std::vector<LevelInfo> heddle::listLevels() {
  std::vector<LevelInfo> Result;
  for (const Target *T : targets())
    for (const Level &L : T->levels())
      Result.push_back(
          {T->name().str(), L.Name, L.Features, L.Missing, T->isDevice()});
  return Result;
}

/// The device target whose assembly text is called so, or null.
static const Target *findTargetOfAssembly(llvm::StringRef Name) {
  for (const Target *T : targets())
    if (!Name.empty() && T->assemblyName() == Name)
      return T;
  return nullptr;
}

std::optional<Stage> heddle::findStage(std::string_view Name) {
  if (Name == "attn")
    return Stage::Attn;
  if (Name == "tile")
    return Stage::Tile;
  if (findTarget(Name))
    return Stage::Target;
  if (Name == "llvm")
    return Stage::Llvm;
  if (Name == "asm" || findTargetOfAssembly(Name))
    return Stage::Assembly;
  if (Name == "obj")
    return Stage::Object;
  return std::nullopt;
}

std::vector<std::string> heddle::stageNames() {
  std::vector<std::string> Names = {"attn", "tile"};
  for (const Target *T : targets())
    Names.push_back(T->name().str());
  Names.insert(Names.end(), {"llvm", "asm"});
  for (const Target *T : targets())
    if (!T->assemblyName().empty())
      Names.push_back(T->assemblyName().str());
  Names.emplace_back("obj");
  return Names;
}

Compiler::Compiler() : Content(std::make_unique<Impl>()) {}
Compiler::Compiler(Compiler &&) noexcept = default;
Compiler &Compiler::operator=(Compiler &&) noexcept = default;
Compiler::~Compiler() = default;

Result<Source> Compiler::parse(std::string_view Text, const std::string &Name) {
  Clock Time;
  auto Parsed = std::make_unique<Source::Impl>();
  Parsed->Shared = Content->Shared;
  Parsed->Text = std::make_shared<llvm::SourceMgr>();
  Parsed->Text->AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(Text, Name), llvm::SMLoc());
  mlir::MLIRContext &Context = Content->Shared->Context;
  DiagnosticCollector Diagnostics(Context, Parsed->Text.get());
  Parsed->Module =
      mlir::parseSourceFile<mlir::ModuleOp>(*Parsed->Text, &Context);
  if (!Parsed->Module)
    return Diagnostics.failure("cannot parse '" + Name + "'");
  Parsed->ParseTime = Time.elapsed();
  return Source(std::move(Parsed));
}

Result<Source> Compiler::parseFile(const std::string &Path) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> Buffer =
      llvm::MemoryBuffer::getFileOrSTDIN(Path, /*IsText=*/true);
  if (!Buffer)
    return Failure(
        llvm::formatv("cannot open '{0}': {1}", Path,
                      llvm::StringRef(Buffer.getError().message()).lower())
            .str());
  return parse((*Buffer)->getBuffer(), Path);
}

/// The names of those that no other of the module uses.
static std::vector<std::string> rootsOf(mlir::ModuleOp Module) {
  llvm::SmallPtrSet<mlir::Operation *, 8> Used;
  for (mlir::Operation *Symbol : patternsOf(Module))
    for (mlir::Operation *Needed :
         closureOf(Module, mlir::SymbolTable::getSymbolName(Symbol)))
      if (Needed != Symbol)
        Used.insert(Needed);
  std::vector<std::string> Names;
  for (mlir::Operation *Symbol : patternsOf(Module))
    if (!Used.contains(Symbol))
      Names.push_back(mlir::SymbolTable::getSymbolName(Symbol).str());
  return Names;
}

Result<std::string> Compiler::choosePattern(const Source &From,
                                            const std::string &Name) const {
  llvm::SmallVector<mlir::Operation *> Patterns = patternsOf(From.module());
  std::string File = llvm::formatv(
      "'{0}'", From.Content->Text->getMemoryBuffer(1)->getBufferIdentifier());
  if (Patterns.empty())
    return Failure(File + " has no pattern; expected an 'attn.pattern' or "
                          "'attn.recurrence'");
  llvm::StringRef Wanted = Name;
  Wanted.consume_front("@");
  std::string Known;
  for (mlir::Operation *P : Patterns) {
    llvm::StringRef Here = mlir::SymbolTable::getSymbolName(P).getValue();
    if (Here == Wanted)
      return Wanted.str();
    Known += (Known.empty() ? "'@" : ", '@") + Here.str() + "'";
  }
  if (!Name.empty())
    return Failure(llvm::formatv("{0} has no pattern '@{1}'; it has {2}", File,
                                 Wanted, Known)
                       .str());
  std::vector<std::string> Roots = rootsOf(From.module());
  if (Roots.size() == 1)
    return Roots.front();
  return Failure(File + " has several patterns, choose one of " + Known);
}

namespace {

/// One compilation: a module on its way through the stages.
class Compilation {
public:
  Compilation(Session &Shared, const Source &From, const llvm::SourceMgr *Text)
      : Shared(Shared), From(From), Diagnostics(Shared.Context, Text) {
    Spent.Parse = From.parseTime();
  }

  /// Checks options and builds the module; false with a failure.
  bool start(const std::string &Pattern, const CompileOptions &Options,
             bool HereOnly);
  /// Runs the passes up to a target's level, or makes modules in the LLVM
  /// dialect: those of devices if all levels are of devices and `Until` is text
  /// of theirs, otherwise that of this machine, with the devices' code in it.
  bool runPasses(Stage Until);
  /// Makes code of the module in the LLVM dialect.
  bool emit(Stage Until, llvm::raw_pwrite_stream &Out);
  /// Makes objects of it (Emitter::emitObjects).
  bool emitObjects(bool Reuse, std::vector<HostEmitter::Object> &Objects);
  /// Prints the modules of a stage before that.
  void print(Stage Until, llvm::raw_ostream &Out);

  /// Up to here devices have stages of their own.
  bool isDevices(Stage Until) const {
    return What->isForDevices() && Until >= Stage::Target &&
           Until <= Stage::Assembly;
  }
  llvm::SmallVector<mlir::ModuleOp> deviceModules();
  bool lowerDevices(Stage Until);
  bool run(mlir::PassManager &Passes, mlir::ModuleOp On);
  /// Adds what `Work` takes of the emitter's times; false with a failure.
  bool emitWith(Emitter &E, llvm::function_ref<llvm::Error()> Work);

  bool fail(Failure F) {
    Why.emplace(std::move(F));
    return false;
  }

  Session &Shared;
  const Source &From;
  DiagnosticCollector Diagnostics;
  std::optional<Failure> Why;
  std::optional<BuildPlan> What;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  Timings Spent;
};

} // namespace

bool Compilation::start(const std::string &Pattern,
                        const CompileOptions &Options, bool HereOnly) {
  Result<BuildPlan> P =
      makePlan(mlir::SymbolTable::lookupSymbolIn(From.module(), Pattern),
               Options, HereOnly);
  if (!P)
    return fail(P.failure());
  What = std::move(*P);
  Result<mlir::OwningOpRef<mlir::ModuleOp>> Built =
      buildKernels(From.module(), *What, Options.Schedule);
  if (!Built)
    return fail(Built.failure());
  Module = std::move(*Built);
  return true;
}

llvm::SmallVector<mlir::ModuleOp> Compilation::deviceModules() {
  return llvm::to_vector(llvm::make_filter_range(
      Module->getOps<mlir::ModuleOp>(),
      [](mlir::ModuleOp M) { return M->hasAttr(tile::kDeviceAttr); }));
}

static const Target &targetOf(mlir::ModuleOp Device) {
  return *findTargetOfLevel(
      Device->getAttrOfType<mlir::StringAttr>(tile::kDeviceAttr).getValue());
}

bool Compilation::run(mlir::PassManager &Passes, mlir::ModuleOp On) {
  Clock Time;
  bool Ok = mlir::succeeded(Passes.run(On));
  Spent.Passes += Time.elapsed();
  return Ok || fail(Diagnostics.failure("the passes failed"));
}

/// To the level of their targets or to the LLVM dialect; and, where they are
/// for a bundle, to code.
bool Compilation::lowerDevices(Stage Until) {
  for (mlir::ModuleOp Device : deviceModules()) {
    const Target &T = targetOf(Device);
    T.setModuleAttributes(Device);
    if (What->LineInfo)
      Device->setAttr(LineInfoAttr, mlir::UnitAttr::get(Device.getContext()));
    if (!run(Shared.passes(T, Until), Device))
      return false;
    if (Until < Stage::Llvm || isDevices(Until))
      continue;
    if (mlir::failed(mlir::verify(Device)))
      return fail(Diagnostics.failure("the passes failed"));
    Emitter &E = Shared.emitter(T);
    if (!emitWith(E, [&] { return E.embed(Device, What->Assemble); }))
      return false;
  }
  return true;
}

bool Compilation::runPasses(Stage Until) {
  if (!run(Shared.passes(Until, What->Quadratic), *Module))
    return false;
  if (Until >= Stage::Target && !lowerDevices(Until))
    return false;
  if (Until >= Stage::Target && !isDevices(Until)) {
    const Target &Host = What->host();
    Host.setModuleAttributes(*Module);
    if (!run(Shared.passes(Host, Until), *Module))
      return false;
  }
  Clock Time;
  bool Ok = mlir::succeeded(mlir::verify(*Module));
  Spent.Passes += Time.elapsed();
  return Ok || fail(Diagnostics.failure("the passes failed"));
}

bool Compilation::emitWith(Emitter &E, llvm::function_ref<llvm::Error()> Work) {
  Emitter::Times Before = E.times();
  llvm::Error Error = Work();
  const Emitter::Times &After = E.times();
  Spent.Llvm +=
      After.Translate + After.Optimize - Before.Translate - Before.Optimize;
  Spent.Codegen += After.Codegen - Before.Codegen;
  Spent.Assemble += After.Assemble - Before.Assemble;
  if (Error)
    return fail(Diagnostics.failure(llvm::toString(std::move(Error))));
  return true;
}

bool Compilation::emit(Stage Until, llvm::raw_pwrite_stream &Out) {
  const bool IsDevice = isDevices(Until);
  mlir::ModuleOp From = IsDevice ? deviceModules().front() : *Module;
  Emitter &E = Shared.emitter(IsDevice ? targetOf(From) : What->host());
  return emitWith(E, [&] {
    return Until == Stage::Llvm       ? E.emitLLVM(From, Out)
           : Until == Stage::Assembly ? E.emitAssembly(From, Out)
                                      : E.emitObject(From, Out);
  });
}

bool Compilation::emitObjects(bool Reuse,
                              std::vector<HostEmitter::Object> &Objects) {
  auto &E = static_cast<HostEmitter &>(Shared.emitter(What->host()));
  return emitWith(E, [&]() -> llvm::Error {
    llvm::Expected<std::vector<HostEmitter::Object>> Made =
        E.emitObjects(*Module, Reuse);
    if (!Made)
      return Made.takeError();
    Objects = std::move(*Made);
    return llvm::Error::success();
  });
}

void Compilation::print(Stage Until, llvm::raw_ostream &Out) {
  if (!isDevices(Until)) {
    Module->print(Out);
    Out << "\n";
    return;
  }
  for (mlir::ModuleOp Device : deviceModules()) {
    Device->print(Out);
    Out << "\n";
  }
}

Result<int64_t> Compiler::countStateRows(const Source &From,
                                         const std::string &Name,
                                         int64_t HeadDimQk) const {
  auto Recurrence = mlir::dyn_cast_or_null<attn::RecurrenceOp>(
      mlir::SymbolTable::lookupSymbolIn(From.module(), Name));
  if (!Recurrence)
    return Failure("'@" + Name + "' is no recurrence");
  return heddle::countStateRows(Recurrence, HeadDimQk);
}

Result<Source> Compiler::normalize(const Source &From,
                                   const std::string &Pattern) {
  Result<std::string> Name = choosePattern(From, Pattern);
  if (!Name)
    return Name.failure();
  auto Made = std::make_unique<Source::Impl>();
  Made->Shared = Content->Shared;
  Made->Text = From.Content->Text;
  Made->ParseTime = From.parseTime();
  Made->Module = mlir::ModuleOp::create(From.module().getLoc());
  mlir::OpBuilder Builder(Made->Module->getBodyRegion());
  for (mlir::Operation *Symbol : closureOf(From.module(), *Name))
    Builder.clone(*Symbol);
  mlir::MLIRContext &Context = Content->Shared->Context;
  DiagnosticCollector Diagnostics(Context, Made->Text.get());
  mlir::PassManager Passes(&Context);
  Passes.addPass(createAttnNormalizePattern());
  if (mlir::failed(Passes.run(*Made->Module)))
    return Diagnostics.failure("cannot normalise pattern '" + *Name + "'");
  return Source(std::move(Made));
}

Result<Source> Compiler::schedule(const Source &From,
                                  const CompileOptions &Options) {
  Result<std::string> Pattern = choosePattern(From, Options.Pattern);
  if (!Pattern)
    return Pattern.failure();
  Compilation C(*Content->Shared, From, From.Content->Text.get());
  if (!C.start(*Pattern, Options, /*HereOnly=*/false) ||
      !C.runPasses(Stage::Attn))
    return *C.Why;
  auto Made = std::make_unique<Source::Impl>();
  Made->Shared = Content->Shared;
  Made->Text = From.Content->Text;
  Made->ParseTime = From.parseTime();
  Made->Module = std::move(C.Module);
  return Source(std::move(Made));
}

Result<std::string>
Compiler::findShortQueriesObstacle(const Source &From,
                                   const CompileOptions &Options) {
  Result<std::string> Pattern = choosePattern(From, Options.Pattern);
  if (!Pattern)
    return Pattern.failure();
  mlir::Operation *Symbol =
      mlir::SymbolTable::lookupSymbolIn(From.module(), *Pattern);
  if (mlir::isa<attn::RecurrenceOp>(Symbol))
    return std::string("a recurrence takes few tokens one by one without it");
  return findPackingObstacle(
             sourcesOf(Symbol),
             outputsAttr(&Content->Shared->Context, Options.Outputs))
      .str();
}

Result<std::string> Compiler::emit(const Source &From,
                                   const CompileOptions &Options, Stage Until) {
  Result<std::string> Pattern = choosePattern(From, Options.Pattern);
  if (!Pattern)
    return Pattern.failure();
  Compilation C(*Content->Shared, From, From.Content->Text.get());
  if (!C.start(*Pattern, Options, /*HereOnly=*/false))
    return *C.Why;
  if (C.isDevices(Until) && Until >= Stage::Llvm && C.What->Levels.size() > 1)
    return Failure(
        llvm::formatv("the code of a device is one level's, but {0} are asked "
                      "for; name one of {1} as the target",
                      C.What->Levels.size(),
                      llvm::join(llvm::map_range(C.What->Levels,
                                                 [](const LevelOfTarget &L) {
                                                   return "'" + L.name() + "'";
                                                 }),
                                 ", "))
            .str());
  if (!C.runPasses(Until))
    return *C.Why;
  if (Until < Stage::Llvm) {
    std::string Text;
    llvm::raw_string_ostream Out(Text);
    C.print(Until, Out);
    return Text;
  }
  llvm::SmallVector<char, 0> Bytes;
  llvm::raw_svector_ostream Out(Bytes);
  if (!C.emit(Until, Out))
    return *C.Why;
  return std::string(Bytes.begin(), Bytes.end());
}

Result<std::string> Compiler::emit(const Source &From,
                                   const CompileOptions &Options,
                                   std::string_view StageName) {
  std::optional<Stage> Until = findStage(StageName);
  if (!Until)
    return Failure(llvm::formatv("unknown stage '{0}'; expected one of {1}",
                                 StageName, llvm::join(stageNames(), ", "))
                       .str());
  const Target *Only = findTarget(StageName);
  if (!Only)
    Only = findTargetOfAssembly(StageName);
  if (!Only)
    return emit(From, Options, *Until);
  CompileOptions Narrowed = Options;
  Narrowed.Targets = {Only->name().str()};
  if (!Options.Targets.empty()) {
    Result<std::vector<LevelOfTarget>> Levels = findLevels(Options.Targets);
    if (!Levels)
      return Levels.failure();
    Narrowed.Targets.clear();
    for (const LevelOfTarget &L : *Levels)
      if (L.Of == Only)
        Narrowed.Targets.push_back(L.name());
    if (Narrowed.Targets.empty())
      return Failure(llvm::formatv("stage '{0}' is one of target '{1}', but no "
                                   "level of it is asked for",
                                   StageName, Only->name())
                         .str());
  }
  return emit(From, Narrowed, *Until);
}

Result<Timings> Compiler::writeBundle(const Source &From,
                                      const CompileOptions &Options,
                                      const std::string &Path,
                                      const std::string &HeaderPath) {
  Result<std::string> Pattern = choosePattern(From, Options.Pattern);
  if (!Pattern)
    return Pattern.failure();
  Compilation C(*Content->Shared, From, From.Content->Text.get());
  if (!C.start(*Pattern, Options, /*HereOnly=*/false))
    return *C.Why;
  // Both files are known to be writable before any work is done.
  Result<OutputFile> Bundle = OutputFile::create(Path);
  if (!Bundle)
    return Bundle.failure();
  std::optional<OutputFile> Header;
  if (!HeaderPath.empty()) {
    Result<OutputFile> Made = OutputFile::create(HeaderPath);
    if (!Made)
      return Made.failure();
    Header.emplace(std::move(*Made));
    mlir::Operation *Symbol =
        mlir::SymbolTable::lookupSymbolIn(From.module(), *Pattern);
    if (std::string Error =
            Header->write(writeHeader(*C.What, describe(Symbol)));
        !Error.empty())
      return Failure(Error);
  }
  // The same text gives the same bundle, whatever was compiled before.
  std::vector<HostEmitter::Object> Objects;
  if (!C.runPasses(Stage::Object) || !C.emitObjects(/*Reuse=*/false, Objects))
    return *C.Why;
  Clock Time;
  std::string Error = linkSharedLibrary(
      llvm::map_to_vector(Objects,
                          [](const HostEmitter::Object &O) {
                            return llvm::StringRef(O->data(), O->size());
                          }),
      Bundle->temporary(), llvm::sys::path::filename(Path).str());
  if (Error.empty())
    Error = Bundle->keep();
  if (Error.empty() && Header)
    Error = Header->keep();
  C.Spent.Link += Time.elapsed();
  if (!Error.empty())
    return Failure(Error);
  return C.Spent;
}

Result<Program> Compiler::jit(const Source &From,
                              const CompileOptions &Options) {
  Result<std::string> Pattern = choosePattern(From, Options.Pattern);
  if (!Pattern)
    return Pattern.failure();
  Compilation C(*Content->Shared, From, From.Content->Text.get());
  if (!C.start(*Pattern, Options, /*HereOnly=*/true))
    return *C.Why;
  std::vector<HostEmitter::Object> Objects;
  if (!C.runPasses(Stage::Object) || !C.emitObjects(/*Reuse=*/true, Objects))
    return *C.Why;

  Clock Time;
  auto Made = std::make_unique<Program::Impl>();
  llvm::Expected<const heddle_descriptor *> Descriptor =
      loadObjects(Objects, Made->Code);
  if (!Descriptor)
    return Failure("cannot load the compiled code: " +
                   llvm::toString(Descriptor.takeError()));
  heddle_error *Error =
      heddle_bundle_from_descriptor(*Descriptor, &Made->Bundle);
  if (!Error)
    Error =
        heddle_bundle_find(Made->Bundle, C.What->Kernel.c_str(), &Made->Kernel);
  if (Error) {
    Failure Why(heddle_error_message(Error));
    heddle_error_free(Error);
    return Why;
  }
  C.Spent.Link += Time.elapsed();
  Made->Spent = C.Spent;
  return Program(std::move(Made));
}
