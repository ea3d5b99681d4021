// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Link.h"

#include "frontends/cpp/OutputFile.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <thread>
#include <unistd.h>
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

namespace {

/// What the linker writes into. Where it may it maps a file, and a disk that is
/// full then ends the process by a signal.
class Pipe {
public:
  Pipe() {
    int Ends[2];
    if (::pipe2(Ends, O_CLOEXEC) != 0)
      return;
    Write = Ends[1];
    Path = "/proc/self/fd/" + std::to_string(Write);
    Reader = std::thread([this, Read = Ends[0]] {
      char Buffer[1 << 16];
      for (ssize_t Count; (Count = ::read(Read, Buffer, sizeof(Buffer))) != 0;)
        if (Count > 0)
          Bytes.append(Buffer, static_cast<size_t>(Count));
        else if (errno != EINTR)
          break;
      ::close(Read);
    });
  }
  ~Pipe() { finish(); }
  Pipe(const Pipe &) = delete;
  Pipe &operator=(const Pipe &) = delete;

  /// Empty where there is no pipe to be had.
  const std::string &path() const { return Path; }
  /// What was written; nobody writes any more.
  std::string finish() {
    if (Reader.joinable()) {
      ::close(Write);
      Reader.join();
    }
    return std::move(Bytes);
  }

private:
  int Write = -1;
  std::string Path, Bytes;
  std::thread Reader;
};

} // namespace

static std::string writeLibrary(const std::string &Path,
                                llvm::StringRef Bytes) {
  std::error_code Code;
  llvm::raw_fd_ostream Out(Path, Code);
  if (!Code) {
    Out << Bytes;
    Out.close();
    Code = Out.error();
    Out.clear_error();
  }
  // As linkers leave libraries.
  if (!Code)
    Code = llvm::sys::fs::setPermissions(
        Path, llvm::sys::fs::perms(llvm::sys::fs::all_all &
                                   ~llvm::sys::fs::getUmask()));
  return Code ? "cannot write the library: " + Code.message() : "";
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

  Pipe Into;
  if (Into.path().empty())
    return "cannot link: " + llvm::sys::StrError();
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
                                         Into.path().c_str()};
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
  const std::string Library = Into.finish();
  if (Outcome.retCode != 0)
    return "cannot link: " + tidy(Messages);
  return writeLibrary(OutputPath, Library);
}
