// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/npy/Npy.h"

#include "runtime/npy/Header.h"
#include "runtime/src/Dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace heddle;
using namespace heddle::npy;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "elements are read and written as they lie in memory");

static constexpr char Magic[] = "\x93NUMPY";
static constexpr size_t MagicBytes = sizeof(Magic) - 1;
/// NumPy refuses longer headers unless told to trust the file.
static constexpr uint32_t MaxHeaderBytes = 1U << 20;

int64_t npy::elementBytes(heddle_dtype Dtype) {
  return runtime::dtypeBytes(Dtype);
}

std::optional<int64_t> npy::numElements(const std::vector<int64_t> &Shape,
                                        heddle_dtype Dtype) {
  int64_t Count = 1;
  bool Empty = false;
  for (int64_t Extent : Shape) {
    if (Extent < 0)
      return std::nullopt;
    Empty |= Extent == 0;
  }
  if (Empty)
    return 0;
  for (int64_t Extent : Shape)
    if (__builtin_mul_overflow(Count, Extent, &Count))
      return std::nullopt;
  if (Count > INT64_MAX / elementBytes(Dtype))
    return std::nullopt;
  return Count;
}

namespace {

/// A .npy file open for reading, its header read and checked.
class Reader {
public:
  Reader(const std::string &Path, Dtypes Accepted)
      : Path(Path), Accepted(Accepted) {}
  ~Reader() {
    if (Descriptor >= 0)
      ::close(Descriptor);
  }
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  ErrorText open();
  /// Reads all `Count` elements; call after `open`.
  ErrorText elements(void *Into) {
    return bytes(Into, static_cast<size_t>(Count * elementBytes(Dtype)));
  }

  Header Head;
  heddle_dtype Dtype = HEDDLE_F32;
  int64_t Count = 0;

private:
  ErrorText bytes(void *Into, size_t Size);
  ErrorText prologue(uint32_t &HeaderBytes);
  ErrorText checkHeader();
  ErrorText otherDtype() const;

  const std::string &Path;
  Dtypes Accepted;
  int Descriptor = -1;
  uint64_t FileBytes = 0;
  /// Bytes consumed.
  uint64_t Position = 0;
};

} // namespace

ErrorText Reader::bytes(void *Into, size_t Size) {
  auto *Cursor = static_cast<char *>(Into);
  while (Size > 0) {
    ssize_t Got = ::read(Descriptor, Cursor, std::min<size_t>(Size, 1U << 30));
    if (Got < 0 && errno == EINTR)
      continue;
    if (Got < 0)
      return fmt::format("cannot read '{}': {}", Path, std::strerror(errno));
    if (Got == 0)
      return fmt::format("'{}' is truncated: it ends at byte {}, in its {}",
                         Path, Position, Count ? "elements" : "header");
    Cursor += Got;
    Size -= static_cast<size_t>(Got);
    Position += static_cast<uint64_t>(Got);
  }
  return std::nullopt;
}

/// Magic, version and the length of the header.
ErrorText Reader::prologue(uint32_t &HeaderBytes) {
  unsigned char Start[MagicBytes + 2] = {};
  if (FileBytes < sizeof(Start)) {
    if (ErrorText Bad = bytes(Start, FileBytes))
      return Bad;
    if (std::memcmp(Start, Magic, std::min<size_t>(FileBytes, MagicBytes)) == 0)
      return fmt::format("'{}' is truncated: it has {} bytes, less than a .npy "
                         "header",
                         Path, FileBytes);
  } else if (ErrorText Bad = bytes(Start, sizeof(Start))) {
    return Bad;
  }
  if (std::memcmp(Start, Magic, MagicBytes) != 0)
    return fmt::format("'{}' is not a .npy file: it does not begin with "
                       "'\\x93NUMPY'",
                       Path);
  unsigned Major = Start[MagicBytes], Minor = Start[MagicBytes + 1];
  if (Major < 1 || Major > 3 || Minor != 0)
    return fmt::format("'{}' has .npy version {}.{}, expected 1.0, 2.0 or 3.0",
                       Path, Major, Minor);
  unsigned char Length[4] = {};
  if (ErrorText Bad = bytes(Length, Major == 1 ? 2 : 4))
    return Bad;
  HeaderBytes = Length[0] | Length[1] << 8 | Length[2] << 16 |
                static_cast<uint32_t>(Length[3]) << 24;
  if (HeaderBytes > MaxHeaderBytes)
    return fmt::format("'{}' says that its header has {} bytes, expected at "
                       "most {}",
                       Path, HeaderBytes, MaxHeaderBytes);
  return std::nullopt;
}

ErrorText Reader::otherDtype() const {
  std::string Names;
  for (heddle_dtype Known : Accepted)
    Names += fmt::format("{}'{}' ({}{})", Names.empty() ? "" : " or ",
                         descrOf(Known),
                         Known == HEDDLE_BOOL ? "" : "little-endian ",
                         runtime::dtypeName(Known));
  return fmt::format("'{}' has dtype '{}', expected {}; convert it with "
                     ".astype('{}')",
                     Path, Head.Descr, Names, descrOf(*Accepted.begin()));
}

/// What the header says against what we read and how long the file is.
ErrorText Reader::checkHeader() {
  const auto *Found =
      std::find_if(Accepted.begin(), Accepted.end(),
                   [&](heddle_dtype D) { return describes(Head.Descr, D); });
  if (Found == Accepted.end())
    return otherDtype();
  Dtype = *Found;
  std::optional<int64_t> Known = numElements(Head.Shape, Dtype);
  if (!Known)
    return fmt::format("'{}' has shape {}, more elements than memory can hold",
                       Path, shapeText(Head.Shape));
  auto IsLong = [](int64_t Extent) { return Extent > 1; };
  // With one axis, or only one longer than 1, both orders are the same.
  if (Head.FortranOrder &&
      std::count_if(Head.Shape.begin(), Head.Shape.end(), IsLong) > 1)
    return fmt::format("'{}' is in Fortran order, expected C order; convert it "
                       "with numpy.ascontiguousarray",
                       Path);
  uint64_t Want = static_cast<uint64_t>(*Known * elementBytes(Dtype));
  uint64_t Have = FileBytes - Position;
  if (Have < Want)
    return fmt::format("'{}' is truncated: it has {} bytes of elements, shape "
                       "{} needs {}",
                       Path, Have, shapeText(Head.Shape), Want);
  if (Have > Want)
    return fmt::format("'{}' has {} bytes after its elements: shape {} needs "
                       "{}, found {}",
                       Path, Have - Want, shapeText(Head.Shape), Want, Have);
  Count = *Known;
  return std::nullopt;
}

ErrorText Reader::open() {
  Descriptor = ::open(Path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat Status;
  if (Descriptor < 0 || ::fstat(Descriptor, &Status) != 0)
    return fmt::format("cannot open '{}': {}", Path, std::strerror(errno));
  if (!S_ISREG(Status.st_mode))
    return fmt::format("'{}' is not a .npy file: expected a regular file",
                       Path);
  FileBytes = static_cast<uint64_t>(Status.st_size);
  uint32_t HeaderBytes = 0;
  if (ErrorText Bad = prologue(HeaderBytes))
    return Bad;
  if (HeaderBytes > FileBytes - Position)
    return fmt::format("'{}' is truncated: its header has {} bytes, {} follow",
                       Path, HeaderBytes, FileBytes - Position);
  std::string Text(HeaderBytes, '\0');
  if (ErrorText Bad = bytes(Text.data(), HeaderBytes))
    return Bad;
  if (ErrorText Bad = parseHeader(Text, Head))
    return fmt::format("'{}' is damaged: its header {}", Path, *Bad);
  return checkHeader();
}

ErrorText npy::readInfo(const std::string &Path, Info &Out, Dtypes Accepted) {
  Reader File(Path, Accepted);
  if (ErrorText Bad = File.open())
    return Bad;
  Out.Shape = std::move(File.Head.Shape);
  Out.Dtype = File.Dtype;
  return std::nullopt;
}

ErrorText npy::readShape(const std::string &Path, std::vector<int64_t> &Shape) {
  Info Found;
  if (ErrorText Bad = readInfo(Path, Found, {HEDDLE_F32}))
    return Bad;
  Shape = std::move(Found.Shape);
  return std::nullopt;
}

ErrorText npy::read(const std::string &Path, Array &Out, Dtypes Accepted) {
  Reader File(Path, Accepted);
  if (ErrorText Bad = File.open())
    return Bad;
  if (!Out.Data.allocate(File.Count,
                         static_cast<size_t>(elementBytes(File.Dtype))))
    return fmt::format("no memory for the {} elements of '{}'", File.Count,
                       Path);
  if (ErrorText Bad = File.elements(Out.Data.data<void>()))
    return Bad;
  Out.Shape = std::move(File.Head.Shape);
  Out.Dtype = File.Dtype;
  return std::nullopt;
}

ErrorText npy::stage(const std::string &Path, const std::vector<int64_t> &Shape,
                     const void *Data, PendingFile &Out, heddle_dtype Dtype) {
  std::optional<int64_t> Count = numElements(Shape, Dtype);
  std::string Text = headerText(Shape, Dtype);
  // The elements begin at a multiple of 64; the header ends with a new line.
  // Version 1 counts its length in 16 bits.
  size_t Prologue = MagicBytes + 2 + 2;
  Text.append((64 - (Prologue + Text.size() + 1) % 64) % 64, ' ');
  Text += '\n';
  if (!Count || Text.size() > UINT16_MAX)
    return fmt::format("cannot write '{}': its shape is too large", Path);
  std::string Start(Magic, MagicBytes);
  Start += '\1';
  Start += '\0';
  Start += static_cast<char>(Text.size() & 0xff);
  Start += static_cast<char>(Text.size() >> 8);
  Start += Text;
  if (ErrorText Bad = Out.create(Path))
    return Bad;
  if (ErrorText Bad = Out.append(Start.data(), Start.size()))
    return Bad;
  return Out.append(Data, static_cast<size_t>(*Count * elementBytes(Dtype)));
}

ErrorText npy::write(const std::string &Path, const std::vector<int64_t> &Shape,
                     const void *Data, heddle_dtype Dtype) {
  PendingFile File;
  if (ErrorText Bad = stage(Path, Shape, Data, File, Dtype))
    return Bad;
  return File.commit();
}
