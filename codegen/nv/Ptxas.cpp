// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Ptxas.h"

#include "codegen/EmitTools.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace heddle::nv;

static std::string inFolder(llvm::StringRef Folder) {
  llvm::SmallString<128> Path(Folder);
  llvm::sys::path::append(Path, "bin", "ptxas");
  return llvm::sys::fs::can_execute(Path) ? Path.str().str() : "";
}

std::string heddle::nv::findPtxas() {
  if (const char *Named = std::getenv("HEDDLE_PTXAS"); Named && *Named)
    return llvm::StringRef(Named) == "none" ? "" : Named;
  if (const char *Home = std::getenv("CUDA_HOME"); Home && *Home)
    if (std::string Path = inFolder(Home); !Path.empty())
      return Path;
  if (llvm::ErrorOr<std::string> Path = llvm::sys::findProgramByName("ptxas"))
    return *Path;
  return inFolder("/usr/local/cuda");
}

/// The number before `Unit` in `Line`, 0 if there is none.
static int64_t numberBefore(llvm::StringRef Line, llvm::StringRef Unit) {
  llvm::StringRef Before = Line.substr(0, Line.find(Unit)).rtrim();
  if (Before.size() == Line.rtrim().size())
    return 0;
  llvm::StringRef Digits =
      Before.substr(Before.find_last_not_of("0123456789") + 1);
  int64_t Number = 0;
  return Digits.getAsInteger(10, Number) ? 0 : Number;
}

/// The words of a warning or advice; nothing for other lines.
//
// ptxas info    : (C7510) Potential Performance Loss: … in function 'f'
// ptxas warning : …
// ptxas /tmp/x.ptx, line 7; warning : …
static std::optional<llvm::StringRef> findWarning(llvm::StringRef Line) {
  if (!Line.consume_front("ptxas "))
    return std::nullopt;
  auto [Head, Words] = Line.split(" : ");
  Words = Words.trim();
  llvm::StringRef Code = Words;
  const bool HasCode =
      Code.consume_front("(C") &&
      Code.substr(0, Code.find(')')).find_first_not_of("0123456789") ==
          llvm::StringRef::npos;
  if (Words.empty() || !(Head.contains("warning") || HasCode ||
                         Words.contains_insensitive("performance loss") ||
                         Words.contains_insensitive("advisory")))
    return std::nullopt;
  return Words;
}

// ptxas info    : Function properties for f
//     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
// ptxas info    : Used 130 registers, used 1 barriers, 392 bytes cmem[0]
void heddle::nv::readReport(llvm::StringRef Output, Assembled &Into) {
  KernelReport *Kernel = nullptr;
  for (llvm::StringRef Line : llvm::split(Output, '\n')) {
    if (size_t At = Line.find("Function properties for ");
        At != llvm::StringRef::npos) {
      llvm::StringRef Name = Line.substr(At).rsplit(' ').second;
      Kernel = &Into.Kernels[Name.trim()];
    } else if (std::optional<llvm::StringRef> Words = findWarning(Line)) {
      if (!llvm::is_contained(Into.Warnings, *Words))
        Into.Warnings.push_back(Words->str());
    } else if (Kernel && Line.contains("bytes stack frame")) {
      Kernel->Stack = numberBefore(Line, "bytes stack frame");
      Kernel->SpillStores = numberBefore(Line, "bytes spill stores");
      Kernel->SpillLoads = numberBefore(Line, "bytes spill loads");
    } else if (Kernel && Line.contains(" registers")) {
      Kernel->Registers = numberBefore(Line, "registers");
      Kernel->Shared = numberBefore(Line, "bytes smem");
    }
  }
}

namespace {

/// A file of ours that goes when this goes, or the process.
class TemporaryFile {
public:
  TemporaryFile(llvm::StringRef Suffix, std::error_code &Error) {
    llvm::SmallString<128> Made;
    Error = llvm::sys::fs::createTemporaryFile("heddle", Suffix, Made);
    if (Error)
      return;
    Path = Made.str().str();
    Remover.setFile(Path);
    heddle::removeWhenInterrupted(Path);
  }
  ~TemporaryFile() {
    if (!Path.empty())
      heddle::forgetWhenInterrupted(Path);
  }
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  const std::string &path() const { return Path; }

private:
  std::string Path;
  llvm::FileRemover Remover;
};

} // namespace

static llvm::Expected<std::string> readFile(const std::string &Path) {
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> Buffer =
      llvm::MemoryBuffer::getFile(Path, /*IsText=*/false,
                                  /*RequiresNullTerminator=*/false);
  if (!Buffer)
    return llvm::createStringError("cannot read '" + Path +
                                   "': " + Buffer.getError().message());
  return (*Buffer)->getBuffer().str();
}

/// It is not the text that is wrong: a newer ptxas would take it.
static bool isTooOld(llvm::StringRef Output) {
  return Output.contains("is not defined for option 'gpu-name'") ||
         Output.contains("Unsupported .version");
}

llvm::Expected<std::optional<Assembled>>
heddle::nv::assemble(llvm::StringRef Ptxas, llvm::StringRef Ptx,
                     llvm::StringRef Chip, bool KeepsLines) {
  std::error_code Failed[3];
  const TemporaryFile In("ptx", Failed[0]), Cubin("cubin", Failed[1]),
      Report("txt", Failed[2]);
  for (std::error_code Error : Failed)
    if (Error)
      return llvm::createStringError("cannot make a temporary file for '" +
                                     Ptxas + "': " + Error.message());
  {
    std::error_code Error;
    llvm::raw_fd_ostream Out(In.path(), Error);
    Out << Ptx;
    Out.close();
    if (Out.has_error())
      Error = Out.error(), Out.clear_error();
    if (Error)
      return llvm::createStringError("cannot write '" + In.path() +
                                     "': " + Error.message());
  }
  const std::string Arch = ("-arch=" + Chip).str();
  llvm::SmallVector<llvm::StringRef> Arguments = {
      Ptxas, "-v", "-O3", Arch, "-o", Cubin.path(), In.path()};
  if (KeepsLines)
    Arguments.push_back("-lineinfo");
  const std::optional<llvm::StringRef> Streams[] = {
      llvm::StringRef(), llvm::StringRef(Report.path()),
      llvm::StringRef(Report.path())};
  std::string Problem;
  const int Status = llvm::sys::ExecuteAndWait(
      Ptxas, Arguments, /*Env=*/std::nullopt, Streams,
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &Problem);
  if (Status < 0)
    return llvm::createStringError("cannot run '" + Ptxas + "': " + Problem +
                                   "; name another with HEDDLE_PTXAS, or "
                                   "'none'");
  llvm::Expected<std::string> Output = readFile(Report.path());
  if (!Output)
    return Output.takeError();
  if (Status != 0) {
    if (isTooOld(*Output))
      return std::nullopt;
    const std::string Words = llvm::StringRef(*Output).trim().str();
    const std::string Silence =
        "it says nothing, and ends with " + std::to_string(Status);
    return llvm::createStringError("'" + Ptxas + "' refuses the code for '" +
                                   Chip +
                                   "': " + (Words.empty() ? Silence : Words));
  }
  llvm::Expected<std::string> Binary = readFile(Cubin.path());
  if (!Binary)
    return Binary.takeError();
  Assembled Result;
  Result.Cubin = std::move(*Binary);
  readReport(*Output, Result);
  return Result;
}
