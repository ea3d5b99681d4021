// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/HeadTable.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <fmt/format.h>

#include <algorithm>

using namespace heddle;
using namespace heddle::importers;

namespace {

/// Reads the file into the table.
class ConfigReader {
public:
  ConfigReader(const std::string &Path, HeadTable &Out)
      : Path(Path), Out(Out) {}
  ErrorText read();

private:
  ErrorText readLayer(size_t Layer, const llvm::json::Value &Value);
  ErrorText readHead(const std::string &Where, const llvm::json::Value &Value,
                     HeadChoice &Choice);

  const std::string &Path;
  HeadTable &Out;
  /// Whether the file names a head, parallel to the table.
  std::vector<std::vector<bool>> Named;
};

} // namespace

/// A size of at most 2^31 - 1, not negative.
static bool readSize(const llvm::json::Value &Value, int32_t &Out) {
  std::optional<int64_t> Number = Value.getAsInteger();
  if (!Number || *Number < 0 || *Number > INT32_MAX)
    return false;
  Out = static_cast<int32_t>(*Number);
  return true;
}

ErrorText ConfigReader::readHead(const std::string &Where,
                                 const llvm::json::Value &Value,
                                 HeadChoice &Choice) {
  const llvm::json::Array *Entry = Value.getAsArray();
  if (!Entry || Entry->size() < 3 || Entry->size() > 4)
    return fmt::format("{} is not [kind, vertical size, slash size, score]",
                       Where);
  std::optional<llvm::StringRef> Kind = (*Entry)[0].getAsString();
  if (!Kind)
    return fmt::format("{} has no kind, expected a text first", Where);
  const auto *Known = std::find_if(
      std::begin(Kinds), std::end(Kinds),
      [&](const KindNames &Names) { return *Kind == Names.Theirs; });
  if (Known == std::end(Kinds))
    return fmt::format("{} has kind '{}', expected one of stream_llm, "
                       "vertical_and_slash, block_sparse; kinds whose budgets "
                       "adapt to the input cannot be written as a table",
                       Where, Kind->str());
  Choice.Kind = static_cast<HeadKind>(Known - std::begin(Kinds));
  if (!readSize((*Entry)[1], Choice.Vertical))
    return fmt::format("{} has no vertical size, expected an integer from 0 to "
                       "2^31 - 1 as second",
                       Where);
  if (!readSize((*Entry)[2], Choice.Slash))
    return fmt::format("{} has no slash size, expected an integer from 0 to "
                       "2^31 - 1 as third",
                       Where);
  return std::nullopt;
}

ErrorText ConfigReader::readLayer(size_t Layer,
                                  const llvm::json::Value &Value) {
  /// No model has more; a larger number is a slip, and would be a large table.
  constexpr unsigned long MostHeads = 65536;
  const llvm::json::Object *Heads = Value.getAsObject();
  if (!Heads)
    return fmt::format("layer {} of '{}' is not an object, expected heads as "
                       "in {{\"0\": [\"vertical_and_slash\", 1000, 6096, 0]}}",
                       Layer, Path);
  for (const auto &[Key, Entry] : *Heads) {
    const llvm::StringRef Name = Key;
    const std::string Where =
        fmt::format("head '{}' in layer {} of '{}'", Name.str(), Layer, Path);
    unsigned long Head = 0;
    if (Name.getAsInteger(10, Head) || Head >= MostHeads)
      return fmt::format("{} is not a head's number, expected 0 to {}", Where,
                         MostHeads - 1);
    HeadChoice Choice;
    if (ErrorText Bad = readHead(Where, Entry, Choice))
      return Bad;
    if (Out.Layers[Layer].size() <= Head) {
      Out.Layers[Layer].resize(Head + 1);
      Named[Layer].resize(Head + 1);
    }
    Out.Layers[Layer][Head] = Choice;
    Named[Layer][Head] = true;
  }
  return std::nullopt;
}

/// How deep lists and objects nest. The parser recurses as deep.
static size_t nestingDepth(llvm::StringRef Text) {
  size_t Depth = 0, Deepest = 0;
  bool InString = false;
  for (size_t I = 0; I < Text.size(); ++I) {
    const char C = Text[I];
    if (C == '"')
      InString = !InString;
    else if (InString)
      I += static_cast<size_t>(C == '\\'); // and what is escaped
    else if (C == '[' || C == '{')
      Deepest = std::max(Deepest, ++Depth);
    else if ((C == ']' || C == '}') && Depth > 0)
      --Depth;
  }
  return Deepest;
}

/// The parser's message as ours begin: in lower case.
static std::string parseFailure(llvm::Error Bad) {
  std::string Text = llvm::toString(std::move(Bad));
  // "[line:column, byte=n]: Expected ..."
  const size_t Message = Text.find("]: ");
  if (Message != Text.npos && Message + 3 < Text.size())
    Text[Message + 3] = llvm::toLower(Text[Message + 3]);
  return Text;
}

ErrorText ConfigReader::read() {
  /// A configuration has a list of objects of lists, which may hold lists.
  constexpr size_t MostNesting = 64;
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  if (!Buffer)
    return fmt::format("cannot open '{}': {}", Path,
                       Buffer.getError().message());
  if (size_t Depth = nestingDepth((*Buffer)->getBuffer()); Depth > MostNesting)
    return fmt::format("'{}' is not a head configuration of MInference: it "
                       "nests {} lists and objects, expected 3",
                       Path, Depth);
  llvm::Expected<llvm::json::Value> Root =
      llvm::json::parse((*Buffer)->getBuffer());
  if (!Root)
    return fmt::format("'{}' is not JSON: {}", Path,
                       parseFailure(Root.takeError()));
  const llvm::json::Array *List = Root->getAsArray();
  if (!List || List->empty())
    return fmt::format("'{}' is not a head configuration of MInference, "
                       "expected a list with an object per layer",
                       Path);
  Out.Layers.resize(List->size());
  Named.resize(List->size());
  for (size_t Layer = 0; Layer < List->size(); ++Layer) {
    if (ErrorText Bad = readLayer(Layer, (*List)[Layer]))
      return Bad;
    Out.NumHeads = std::max(Out.NumHeads, Out.Layers[Layer].size());
  }
  if (Out.NumHeads == 0)
    return fmt::format("'{}' names no head", Path);
  for (size_t Layer = 0; Layer < Out.Layers.size(); ++Layer) {
    Out.Layers[Layer].resize(Out.NumHeads);
    Named[Layer].resize(Out.NumHeads);
    Out.Missing.push_back(
        std::count(Named[Layer].begin(), Named[Layer].end(), false));
  }
  return std::nullopt;
}

ErrorText importers::readHeadTable(const std::string &Path, HeadTable &Out) {
  return ConfigReader(Path, Out).read();
}
