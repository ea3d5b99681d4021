// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Import.h"

#include "frontends/importers/Text.h"
#include "runtime/npy/Header.h"
#include "runtime/npy/Npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

using namespace heddle;
using namespace heddle::importers;

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

namespace {

/// Files that wait for each other.
class FileSet {
public:
  explicit FileSet(std::string Folder) : Folder(std::move(Folder)) {}
  /// Removes the folder again where nothing came of it; one that is not empty
  /// stays.
  ~FileSet() {
    Pending.clear();
    if (Made)
      ::rmdir(Folder.c_str());
  }
  FileSet(const FileSet &) = delete;
  FileSet &operator=(const FileSet &) = delete;

  ErrorText prepare() {
    if (Folder.empty())
      return "the name of the output folder is empty";
    if (::mkdir(Folder.c_str(), 0777) == 0) {
      Made = true;
      return std::nullopt;
    }
    const int Error = errno;
    struct stat Status;
    if (::stat(Folder.c_str(), &Status) == 0 && S_ISDIR(Status.st_mode))
      return std::nullopt;
    return fmt::format("cannot make the folder '{}': {}", Folder,
                       std::strerror(Error));
  }

  std::string path(const std::string &Name) const {
    return Folder.back() == '/' ? Folder + Name : Folder + "/" + Name;
  }

  ErrorText text(const std::string &Name, const std::string &Content) {
    if (ErrorText Bad = next().create(path(Name)))
      return Bad;
    return Pending.back()->append(Content.data(), Content.size());
  }

  template <typename T>
  ErrorText array(const std::string &Name, const std::vector<int64_t> &Shape,
                  const std::vector<T> &Data) {
    constexpr heddle_dtype Dtype = sizeof(T) == 4 ? HEDDLE_I32 : HEDDLE_BOOL;
    return npy::stage(path(Name), Shape, Data.data(), next(), Dtype);
  }

  ErrorText commit() {
    for (const std::unique_ptr<npy::PendingFile> &File : Pending)
      if (ErrorText Bad = File->commit())
        return Bad;
    Made = false;
    return std::nullopt;
  }

private:
  npy::PendingFile &next() {
    Pending.push_back(std::make_unique<npy::PendingFile>());
    return *Pending.back();
  }

  std::string Folder;
  bool Made = false;
  std::vector<std::unique_ptr<npy::PendingFile>> Pending;
};

} // namespace

/// Rows side by side, padded with zeros to the longest. `Group` rows are one
/// line, their members one after the other. One element at least: an array
/// without any is a corner that no reader needs to meet.
static std::vector<int32_t> pack(const std::vector<std::vector<int32_t>> &Rows,
                                 size_t Group, int64_t &Capacity) {
  Capacity = 1;
  auto Line = [&](size_t Begin, auto Each) {
    for (size_t I = Begin; I < std::min(Rows.size(), Begin + Group); ++I)
      Each(Rows[I]);
  };
  for (size_t Begin = 0; Begin < Rows.size(); Begin += Group) {
    int64_t Sum = 0;
    Line(Begin,
         [&](const auto &Row) { Sum += static_cast<int64_t>(Row.size()); });
    Capacity = std::max(Capacity, Sum);
  }
  std::vector<int32_t> Result;
  for (size_t Begin = 0; Begin < Rows.size(); Begin += Group) {
    Line(Begin, [&](const auto &Row) {
      Result.insert(Result.end(), Row.begin(), Row.end());
    });
    Result.resize((Begin / Group + 1) * static_cast<size_t>(Capacity));
  }
  return Result;
}

static ErrorText writeLists(const Operand &Of, FileSet &Files,
                            std::vector<std::string> &Names) {
  Names = {Of.Name + ".npy", Of.Name + "_lengths.npy"};
  std::vector<int64_t> Shape = Of.Shape;
  Shape.push_back(0);
  std::vector<int32_t> Packed = pack(Of.Rows, 1, Shape.back());
  std::vector<int32_t> Lengths;
  for (const std::vector<int32_t> &Row : Of.Rows)
    Lengths.push_back(static_cast<int32_t>(Row.size()));
  if (ErrorText Bad = Files.array(Names[0], Shape, Packed))
    return Bad;
  return Files.array(Names[1], Of.Shape, Lengths);
}

static ErrorText writeCsr(const Operand &Of, FileSet &Files,
                          std::vector<std::string> &Names) {
  Names = {Of.Name + "_indptr.npy", Of.Name + "_indices.npy"};
  const auto Group = static_cast<size_t>(std::max<int64_t>(1, Of.Shape.back()));
  std::vector<int64_t> Shape = Of.Shape;
  std::vector<int32_t> Packed = pack(Of.Rows, Group, Shape.back());
  std::vector<int32_t> Indptr;
  for (size_t I = 0; I < Of.Rows.size(); ++I) {
    if (I % Group == 0)
      Indptr.push_back(0);
    Indptr.push_back(Indptr.back() + static_cast<int32_t>(Of.Rows[I].size()));
  }
  std::vector<int64_t> IndptrShape = Of.Shape;
  ++IndptrShape.back();
  if (ErrorText Bad = Files.array(Names[0], IndptrShape, Indptr))
    return Bad;
  return Files.array(Names[1], Shape, Packed);
}

static ErrorText writeMap(const Operand &Of, FileSet &Files,
                          std::vector<std::string> &Names) {
  Names = {Of.Name + ".npy"};
  std::vector<uint8_t> Bytes(Of.Rows.size() * static_cast<size_t>(Of.Size));
  for (size_t Row = 0; Row < Of.Rows.size(); ++Row)
    for (int32_t Member : Of.Rows[Row])
      Bytes[Row * static_cast<size_t>(Of.Size) + static_cast<size_t>(Member)] =
          1;
  std::vector<int64_t> Shape = Of.Shape;
  Shape.push_back(Of.Size);
  return Files.array(Names[0], Shape, Bytes);
}

/// Stages the files of an operand. `Value` is what --set says of it.
static ErrorText writeOperand(const Operand &Of, FileSet &Files,
                              std::string &Value,
                              std::vector<std::string> &Paths) {
  std::vector<std::string> Names;
  ErrorText Bad;
  std::string Options;
  switch (Of.As) {
  case Storage::Table:
    Names = {Of.Name + ".npy"};
    Bad = Files.array(Names[0], Of.Shape, Of.Values);
    break;
  case Storage::Lists:
    Value = "lists:";
    Bad = writeLists(Of, Files, Names);
    Options = fmt::format(",size={}", Of.Size);
    break;
  case Storage::Csr:
    Value = "csr:";
    Bad = writeCsr(Of, Files, Names);
    Options = fmt::format(",size={}", Of.Size);
    break;
  case Storage::Map:
    Value = "map:";
    Bad = writeMap(Of, Files, Names);
    break;
  }
  for (size_t I = 0; I < Names.size(); ++I) {
    Paths.push_back(Files.path(Names[I]));
    Value += (I ? "," : "") + Paths.back();
  }
  Value += Options;
  return Bad;
}

//===----------------------------------------------------------------------===//
// The command that runs it
//===----------------------------------------------------------------------===//

/// A word as a POSIX shell reads it back.
static std::string shellWord(const std::string &Word) {
  const char *const Plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                            "XYZ0123456789_@%+=:,./-";
  if (!Word.empty() && Word.find_first_not_of(Plain) == Word.npos)
    return Word;
  std::string Quoted = "'";
  for (char C : Word)
    Quoted += C == '\'' ? std::string("'\\''") : std::string(1, C);
  return Quoted + "'";
}

static std::string runLine(const Import &From, const std::string &PatternPath,
                           const std::vector<std::string> &Settings) {
  const Sizes &S = From.Shape;
  std::string Line = "heddle run " + shellWord(PatternPath);
  if (From.NumPatterns > 1)
    Line += " --pattern " + From.Pattern;
  Line += fmt::format(" --shape b={},hq={},hkv={},sq={},sk={},d=64", S.Batch,
                      S.Heads, S.HeadsKV, S.Queries, S.Keys);
  if (!Settings.empty())
    Line += " --set";
  for (const std::string &Word : Settings)
    Line += " " + shellWord(Word);
  return Line;
}

ErrorText importers::write(const Import &From, const std::string &Folder,
                           Written &Out) {
  if (Folder.find(',') != Folder.npos && !From.Operands.empty())
    return fmt::format("the output folder '{}' has a comma in its name, which "
                       "--set would take for the end of a path; choose another",
                       Folder);
  FileSet Files(Folder);
  if (ErrorText Bad = Files.prepare())
    return Bad;
  Out = {};
  std::vector<std::string> Settings;
  for (const Operand &O : From.Operands) {
    std::string Value;
    if (ErrorText Bad = writeOperand(O, Files, Value, Out.OperandPaths))
      return Bad;
    Settings.push_back(O.Name + "=" + Value);
    Out.Bytes += O.bytes();
  }
  for (const Operand &O : From.Beside) {
    std::string Value;
    if (ErrorText Bad = writeOperand(O, Files, Value, Out.OperandPaths))
      return Bad;
  }
  Settings.insert(Settings.end(), From.Settings.begin(), From.Settings.end());
  const std::string Name = From.Pattern + ".mlir";
  Out.PatternPath = Files.path(Name);
  if (ErrorText Bad = Files.text(Name, From.Text))
    return Bad;
  Out.RunLine = runLine(From, Out.PatternPath, Settings);
  return Files.commit();
}

//===----------------------------------------------------------------------===//
// The report
//===----------------------------------------------------------------------===//

static std::string describe(const Operand &Of) {
  if (Of.isTable())
    return fmt::format("table {}, {} bytes", npy::shapeText(Of.Shape),
                       grouped(Of.bytes()));
  const char *const How = Of.As == Storage::Lists ? "lists"
                          : Of.As == Storage::Csr ? "csr"
                                                  : "map";
  return fmt::format("{} {} in [0, {}), {} members, {} bytes", How,
                     npy::shapeText(Of.Shape), Of.Size, grouped(Of.members()),
                     grouped(Of.bytes()));
}

std::string importers::report(const Import &From, const Written &Files) {
  std::vector<std::pair<std::string, std::string>> Lines;
  Lines.emplace_back("pattern",
                     fmt::format("@{} in {}", From.Pattern, Files.PatternPath));
  Lines.insert(Lines.end(), From.Findings.begin(), From.Findings.end());
  for (const Operand &O : From.Operands)
    Lines.emplace_back("%" + O.Name, describe(O));
  for (const Operand &O : From.Beside)
    Lines.emplace_back(O.Name + ".npy", describe(O));
  Lines.emplace_back("operands",
                     fmt::format("{} bytes in {} files", grouped(Files.Bytes),
                                 Files.OperandPaths.size()));
  size_t Width = 0;
  for (const auto &Line : Lines)
    Width = std::max(Width, Line.first.size());
  std::string Text;
  for (const auto &[Heading, What] : Lines)
    Text += fmt::format("{:<{}}  {}\n", Heading, Width, What);
  return Text + "\nrun it with\n  " + Files.RunLine + "\n";
}
