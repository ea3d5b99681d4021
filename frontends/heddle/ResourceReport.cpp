// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ResourceReport.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/JSON.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

using namespace heddle;
using llvm::json::Object;

namespace {

constexpr size_t NumColumns = 9;
using Row = std::array<std::string, NumColumns>;

} // namespace

/// A number, or a dash where it is not known.
static std::string numberOf(const Object &Kernel, llvm::StringRef Name) {
  std::optional<int64_t> Number = Kernel.getInteger(Name);
  return Number ? std::to_string(*Number) : "-";
}

static void addRows(const Object &Code, llvm::StringRef Level,
                    std::vector<Row> &Rows) {
  const Object *Device = Code.getObject("device");
  if (!Device)
    return;
  for (const llvm::json::Value &Value : *Device->getArray("kernels")) {
    const Object &Kernel = *Value.getAsObject();
    Rows.push_back({Kernel.getString("symbol")->str(), Level.str(),
                    numberOf(Kernel, "threads"),
                    numberOf(Kernel, "shared_bytes"),
                    numberOf(Kernel, "stages"), numberOf(Kernel, "registers"),
                    numberOf(Kernel, "spill_store_bytes"),
                    numberOf(Kernel, "spill_load_bytes"),
                    numberOf(Kernel, "resident_groups")});
  }
}

/// Calls `Each` for every code of every kernel, with the name of its level.
static void forEachCode(
    const llvm::json::Value &Manifest,
    llvm::function_ref<void(const Object &Code, llvm::StringRef Level)> Each) {
  for (const llvm::json::Value &Kernel :
       *Manifest.getAsObject()->getArray("kernels"))
    for (const llvm::json::Value &Value :
         *Kernel.getAsObject()->getArray("codes")) {
      const Object &Code = *Value.getAsObject();
      const llvm::StringRef Level = *Code.getString("level");
      Each(Code, Level);
      if (const Object *Short = Code.getObject("short_queries"))
        Each(*Short, Level);
    }
}

std::vector<std::string> cli::listAdvice(const std::string &Manifest) {
  std::vector<std::string> Advice;
  llvm::Expected<llvm::json::Value> Parsed = llvm::json::parse(Manifest);
  if (!Parsed) {
    llvm::consumeError(Parsed.takeError());
    return Advice;
  }
  forEachCode(*Parsed, [&](const Object &Code, llvm::StringRef Level) {
    const Object *Device = Code.getObject("device");
    if (!Device)
      return;
    // Those of a module, which all codes of the level have in common.
    for (const llvm::json::Value &Words : *Device->getArray("warnings"))
      if (std::string Line =
              fmt::format("{}: {}", Level.str(), Words.getAsString()->str());
          std::find(Advice.begin(), Advice.end(), Line) == Advice.end())
        Advice.push_back(std::move(Line));
  });
  return Advice;
}

std::string cli::resourceTable(const std::string &Manifest) {
  std::vector<Row> Rows = {{"kernel", "level", "threads", "shared bytes",
                            "stages", "registers", "spill stores",
                            "spill loads", "groups at once"}};
  llvm::Expected<llvm::json::Value> Parsed = llvm::json::parse(Manifest);
  if (!Parsed)
    return llvm::toString(Parsed.takeError()) + "\n";
  forEachCode(*Parsed, [&](const Object &Code, llvm::StringRef Level) {
    addRows(Code, Level, Rows);
  });
  if (Rows.size() == 1)
    return "no kernel is for a device\n";
  std::array<size_t, NumColumns> Widths = {};
  for (const Row &R : Rows)
    for (size_t I = 0; I < NumColumns; ++I)
      Widths[I] = std::max(Widths[I], R[I].size());
  std::string Text;
  for (const Row &R : Rows)
    for (size_t I = 0; I < NumColumns; ++I)
      // Names to the left, numbers to the right.
      Text += I < 2 ? fmt::format("{:<{}}  ", R[I], Widths[I])
                    : fmt::format("{:>{}}{}", R[I], Widths[I],
                                  I + 1 == NumColumns ? "\n" : "  ");
  for (const std::string &Line : listAdvice(Manifest))
    Text += Line + "\n";
  return Text;
}
