// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Elf.h"

#include "codegen/cpu/HostFeatures.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace heddle;
using namespace heddle::runtime;

namespace {

/// A file open for reading, with its size.
class InputFile {
public:
  explicit InputFile(const char *Path)
      : Descriptor(::open(Path, O_RDONLY | O_CLOEXEC)) {}
  ~InputFile() {
    if (Descriptor >= 0)
      ::close(Descriptor);
  }
  InputFile(const InputFile &) = delete;
  InputFile &operator=(const InputFile &) = delete;

  bool isOpen() const { return Descriptor >= 0; }
  bool status(struct stat &Status) const {
    return ::fstat(Descriptor, &Status) == 0;
  }
  /// Reads exactly `Size` bytes at `Offset`.
  bool read(void *Into, size_t Size, uint64_t Offset) const {
    auto *Cursor = static_cast<char *>(Into);
    while (Size > 0) {
      ssize_t Got = ::pread(Descriptor, Cursor, Size, Offset);
      if (Got < 0 && errno == EINTR)
        continue;
      if (Got <= 0)
        return false;
      Cursor += Got;
      Offset += Got;
      Size -= Got;
    }
    return true;
  }

private:
  int Descriptor;
};

constexpr int HostClass = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
constexpr int HostData =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

heddle_error *truncated(const char *Path, uint64_t Size, const char *What,
                        uint64_t End) {
  return makeError(HEDDLE_INVALID_BUNDLE,
                   "'{}' is truncated: it has {} bytes, but its {} ends at "
                   "byte {}; compile it again",
                   Path, Size, What, End);
}

} // namespace

/// Checks that [Offset, Offset + Length) lies in the file.
static heddle_error *checkRange(const char *Path, uint64_t Size,
                                const char *What, uint64_t Offset,
                                uint64_t Length) {
  uint64_t End = 0;
  if (__builtin_add_overflow(Offset, Length, &End))
    End = UINT64_MAX;
  return End > Size ? truncated(Path, Size, What, End) : nullptr;
}

/// Checks the identification bytes, which have one layout everywhere.
static heddle_error *checkIdent(const char *Path, const unsigned char *Ident) {
  if (std::memcmp(Ident, ELFMAG, SELFMAG) != 0)
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "'{}' is not a bundle: expected an ELF shared library as "
                     "written by 'heddle compile'",
                     Path);
  if (Ident[EI_CLASS] != HostClass)
    return makeError(HEDDLE_UNSUPPORTED,
                     "'{}' is a {}-bit object, this machine runs {}-bit code; "
                     "compile it for this machine",
                     Path, Ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                     HostClass == ELFCLASS64 ? 64 : 32);
  if (Ident[EI_DATA] != HostData)
    return makeError(HEDDLE_UNSUPPORTED,
                     "'{}' is of the other byte order; compile it for this "
                     "machine",
                     Path);
  return nullptr;
}

/// Checks that every segment and section lies in the file.
static heddle_error *checkTables(const char *Path, const InputFile &File,
                                 uint64_t Size, const ElfW(Ehdr) & Header) {
  if (Header.e_phnum == 0 || Header.e_phentsize != sizeof(ElfW(Phdr)))
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "'{}' has no usable program header table; compile it "
                     "again",
                     Path);
  if (heddle_error *E =
          checkRange(Path, Size, "program header table", Header.e_phoff,
                     uint64_t(Header.e_phnum) * sizeof(ElfW(Phdr))))
    return E;
  std::vector<ElfW(Phdr)> Segments(Header.e_phnum);
  if (!File.read(Segments.data(), Segments.size() * sizeof(ElfW(Phdr)),
                 Header.e_phoff))
    return makeError(HEDDLE_INVALID_BUNDLE, "cannot read '{}': {}", Path,
                     std::strerror(errno));
  for (const ElfW(Phdr) &Segment : Segments)
    if (heddle_error *E = checkRange(Path, Size, "segment", Segment.p_offset,
                                     Segment.p_filesz))
      return E;
  if (Header.e_shoff == 0)
    return nullptr;
  return checkRange(Path, Size, "section header table", Header.e_shoff,
                    uint64_t(Header.e_shnum) * Header.e_shentsize);
}

heddle_error *runtime::checkElfFile(const char *Path) {
  InputFile File(Path);
  if (!File.isOpen())
    return makeError(errno == ENOENT || errno == ENOTDIR
                         ? HEDDLE_NOT_FOUND
                         : HEDDLE_INVALID_BUNDLE,
                     "cannot open bundle '{}': {}", Path, std::strerror(errno));
  struct stat Status;
  if (!File.status(Status) || !S_ISREG(Status.st_mode))
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "'{}' is not a bundle: expected a regular file", Path);
  auto Size = static_cast<uint64_t>(Status.st_size);
  unsigned char Ident[EI_NIDENT] = {};
  bool Complete = Size >= sizeof(Ident);
  if (!File.read(Ident, Complete ? sizeof(Ident) : Size, 0))
    return makeError(HEDDLE_INVALID_BUNDLE, "cannot read '{}': {}", Path,
                     std::strerror(errno));
  // A short file that begins like ELF is truncated, any other is no bundle.
  if (Complete || std::memcmp(Ident, ELFMAG, SELFMAG) != 0)
    if (heddle_error *E = checkIdent(Path, Ident))
      return E;
  ElfW(Ehdr) Header;
  if (heddle_error *E = checkRange(Path, Size, "ELF header", 0, sizeof(Header)))
    return E;
  if (!File.read(&Header, sizeof(Header), 0))
    return makeError(HEDDLE_INVALID_BUNDLE, "cannot read '{}': {}", Path,
                     std::strerror(errno));
  if (cpu::hostElfMachine() != EM_NONE &&
      Header.e_machine != cpu::hostElfMachine())
    return makeError(HEDDLE_UNSUPPORTED,
                     "'{}' is compiled for {}, this machine is {}; compile it "
                     "for this machine",
                     Path, cpu::elfMachineName(Header.e_machine),
                     cpu::elfMachineName(cpu::hostElfMachine()));
  if (Header.e_type != ET_DYN)
    return makeError(HEDDLE_INVALID_BUNDLE,
                     "'{}' is not a bundle: it is an ELF file of type {}, "
                     "expected a shared library (type {})",
                     Path, static_cast<int>(Header.e_type),
                     static_cast<int>(ET_DYN));
  return checkTables(Path, File, Size, Header);
}
