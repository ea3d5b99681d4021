// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Link.h"

#include "frontends/cpp/OutputFile.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <mutex>
#include <vector>

LLD_HAS_DRIVER(elf)

using namespace heddle;

/// The linker's messages without its name: "…: undefined symbol: x; …".
static std::string tidy(llvm::StringRef Messages) {
  std::string Result;
  llvm::SmallVector<llvm::StringRef> Lines;
  Messages.split(Lines, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef Line : Lines) {
    size_t Start = Line.find("error: ");
    if (Start != llvm::StringRef::npos)
      Line = Line.drop_front(Start + strlen("error: "));
    Line.consume_front(">>> ");
    Result += (Result.empty() ? "" : "; ") + Line.str();
  }
  return Result.empty() ? "unknown reason" : Result;
}

std::string heddle::linkSharedLibrary(llvm::ArrayRef<llvm::StringRef> Objects,
                                      const std::string &OutputPath,
                                      const std::string &Soname) {
  llvm::SmallString<128> Folder;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, Folder);
  llvm::sys::path::append(Folder, "heddle.o");
  std::vector<OutputFile> Inputs;
  for (llvm::StringRef Object : Objects) {
    Result<OutputFile> Input = OutputFile::create(Folder.str().str());
    if (!Input)
      return Input.failure().diagnostics().front().Text;
    if (std::string Error = Input->write(Object); !Error.empty())
      return Error;
    Inputs.push_back(std::move(*Input));
  }

  std::vector<const char *> Arguments = {"ld.lld",
                                         "-shared",
                                         "--no-undefined",
                                         "--threads=1",
                                         "--hash-style=gnu",
                                         "--build-id=none",
                                         "-z",
                                         "now",
                                         "-z",
                                         "relro",
                                         "-z",
                                         "noexecstack",
                                         "-soname",
                                         Soname.c_str(),
                                         "-o",
                                         OutputPath.c_str()};
  for (const OutputFile &Input : Inputs)
    Arguments.push_back(Input.temporary().c_str());
  // The linker keeps its state in globals.
  static std::mutex Mutex;
  static bool Usable = true;
  std::lock_guard<std::mutex> Lock(Mutex);
  if (!Usable)
    return "cannot link: the linker failed earlier in this process and cannot "
           "run again";
  std::string Messages;
  llvm::raw_string_ostream Out(Messages);
  const lld::DriverDef Drivers[] = {{lld::Gnu, &lld::elf::link}};
  lld::Result Outcome = lld::lldMain(Arguments, Out, Out, Drivers);
  Usable = Outcome.canRunAgain;
  return Outcome.retCode == 0 ? "" : "cannot link: " + tidy(Messages);
}
