// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/npy/PendingFile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace heddle;
using namespace heddle::npy;

ErrorText PendingFile::failure(int Error) {
  std::string Text =
      fmt::format("cannot write '{}': {}", Given, std::strerror(Error));
  discard();
  return Text;
}

ErrorText PendingFile::create(const std::string &Path) {
  discard();
  Given = Target = Path;
  if (Path.empty())
    return std::string("the name of an output file is empty");
  struct stat Status;
  if (::stat(Path.c_str(), &Status) == 0) {
    if (!S_ISREG(Status.st_mode))
      return fmt::format(
          "cannot write '{}': it is {}, expected a regular file", Path,
          S_ISDIR(Status.st_mode) ? "a folder" : "a device or pipe");
    // A link stays a link: what it points to is replaced.
    char Resolved[PATH_MAX];
    if (::realpath(Path.c_str(), Resolved))
      Target = Resolved;
  } else if (errno != ENOENT) {
    return failure(errno);
  }
  Temporary = Target + ".XXXXXX";
  Descriptor = ::mkostemp(Temporary.data(), O_CLOEXEC);
  if (Descriptor < 0) {
    int Error = errno;
    Temporary.clear();
    return failure(Error);
  }
  return std::nullopt;
}

ErrorText PendingFile::append(const void *Data, size_t Bytes) {
  const auto *Cursor = static_cast<const char *>(Data);
  while (Bytes > 0) {
    // One call writes at most 2 GiB on Linux.
    ssize_t Done =
        ::write(Descriptor, Cursor, std::min<size_t>(Bytes, 1U << 30));
    if (Done < 0 && errno == EINTR)
      continue;
    if (Done < 0)
      return failure(errno);
    Cursor += Done;
    Bytes -= static_cast<size_t>(Done);
  }
  return std::nullopt;
}

ErrorText PendingFile::commit() {
  if (Descriptor < 0)
    return std::string("no file is pending");
  // mkostemp makes files private; give it the mode any new file has. The mask
  // can only be read by setting it.
  mode_t Mask = ::umask(0);
  ::umask(Mask);
  int File = Descriptor;
  if (::fchmod(File, 0666 & ~Mask) != 0)
    return failure(errno);
  Descriptor = -1;
  // Some file systems report a full disk only here.
  if (::close(File) != 0 || ::rename(Temporary.c_str(), Target.c_str()) != 0)
    return failure(errno);
  Temporary.clear();
  return std::nullopt;
}

void PendingFile::discard() {
  if (Descriptor >= 0)
    ::close(Descriptor);
  Descriptor = -1;
  if (!Temporary.empty())
    ::unlink(Temporary.c_str());
  Temporary.clear();
}

ErrorText npy::checkWritable(const std::string &Path) {
  PendingFile Probe;
  return Probe.create(Path);
}
