// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/OutputFile.h"

#include "codegen/EmitTools.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace heddle;

static std::string cannotWrite(llvm::StringRef Path, std::error_code Code) {
  return llvm::formatv("cannot write '{0}': {1}", Path,
                       llvm::StringRef(Code.message()).lower());
}

Result<OutputFile> OutputFile::create(const std::string &Path) {
  if (Path.empty())
    return Failure("the output's path is empty");
  llvm::sys::fs::file_status Status;
  if (!llvm::sys::fs::status(Path, Status) &&
      Status.type() != llvm::sys::fs::file_type::regular_file)
    return Failure(llvm::formatv("cannot write '{0}': it exists and is not a "
                                 "regular file",
                                 Path)
                       .str());
  // A link stays a link: what it points to is replaced.
  llvm::SmallString<128> Resolved;
  const std::string Target =
      llvm::sys::fs::real_path(Path, Resolved) ? Path : Resolved.str().str();
  int Descriptor = -1;
  llvm::SmallString<128> Temporary;
  if (std::error_code Code = llvm::sys::fs::createUniqueFile(
          Target + ".%%%%%%%%.tmp", Descriptor, Temporary,
          llvm::sys::fs::OF_None,
          llvm::sys::fs::all_read | llvm::sys::fs::all_write))
    return Failure(cannotWrite(Path, Code));
  OutputFile File(Target, Temporary.str().str());
  removeWhenInterrupted(File.Temporary);
  if (std::error_code Code =
          llvm::sys::Process::SafelyCloseFileDescriptor(Descriptor))
    return Failure(cannotWrite(Path, Code));
  return Result<OutputFile>(std::move(File));
}

OutputFile::OutputFile(OutputFile &&Other) noexcept
    : Path(std::move(Other.Path)), Temporary(std::move(Other.Temporary)) {
  Other.Temporary.clear();
}

OutputFile::~OutputFile() {
  if (Temporary.empty())
    return;
  // Nobody is left to be told.
  std::error_code Ignored = llvm::sys::fs::remove(Temporary);
  static_cast<void>(Ignored);
  forgetWhenInterrupted(Temporary);
}

std::string OutputFile::write(llvm::StringRef Bytes) {
  std::error_code Code;
  llvm::raw_fd_ostream Out(Temporary, Code);
  if (Code)
    return cannotWrite(Path, Code);
  Out << Bytes;
  Out.close();
  Code = Out.error();
  Out.clear_error();
  return Code ? cannotWrite(Path, Code) : "";
}

std::string OutputFile::keep() {
  if (std::error_code Code = llvm::sys::fs::rename(Temporary, Path))
    return cannotWrite(Path, Code);
  forgetWhenInterrupted(Temporary);
  Temporary.clear();
  return "";
}
