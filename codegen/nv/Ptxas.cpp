// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Ptxas.h"

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
    } else if (Line.contains("warning") || Line.contains("(C75")) {
      Into.Warnings.push_back(Line.trim().str());
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

/// A file of ours that goes when this goes.
class TemporaryFile {
public:
  TemporaryFile(llvm::StringRef Suffix, std::error_code &Error) {
    llvm::SmallString<128> Made;
    Error = llvm::sys::fs::createTemporaryFile("heddle", Suffix, Made);
    if (!Error)
      Remover.setFile(Made), Path = Made.str().str();
  }
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
                     llvm::StringRef Chip) {
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
  const llvm::StringRef Arguments[] = {Ptxas, "-v",         "-O3",    Arch,
                                       "-o",  Cubin.path(), In.path()};
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
    return llvm::createStringError("'" + Ptxas + "' refuses the code for '" +
                                   Chip +
                                   "': " + llvm::StringRef(*Output).trim());
  }
  llvm::Expected<std::string> Binary = readFile(Cubin.path());
  if (!Binary)
    return Binary.takeError();
  Assembled Result;
  Result.Cubin = std::move(*Binary);
  readReport(*Output, Result);
  return Result;
}
